//! `echo-compare [OPTIONS]`: the same echo load against every server; prints markdown tables.
//!
//! Options: `--servers LIST` and `--cases LIST` (comma separated, default all), `--rounds N` (9), `--seconds S` of
//! measured time for each sample (0.5), `--syscalls` to count system calls instead (needs perf and the right to trace).
//!
//! `green-epoll@/path/to/echo-server` in the list is that server of another build.
//!
//! Each round starts every server afresh, on the first processor, and a load generator for each on the second. They take
//! turns in short slices, one server at work while the others sleep, in an order that rotates from round to round, so
//! that what the machine does meanwhile hits all of them alike. A sample is a server's own processor time in its slices
//! over the requests answered in them. The tables show the median over the rounds, half the distance between the
//! quartiles, and medians of the ratios taken within each round.

mod case;
mod run;
mod syscalls;

use std::io;
use std::process::ExitCode;

use peers::stats::{Samples, figure, table};

use case::{CASES, Case};
use run::{SERVERS, Sample};

struct Options {
    servers: Vec<String>,
    cases: Vec<&'static Case>,
    rounds: usize,
    seconds: f64,
    syscalls: bool,
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("echo-compare: {error}");
            return ExitCode::from(2);
        }
    };
    for case in &options.cases {
        let result = if options.syscalls {
            count(&options, case)
        } else {
            measure(&options, case)
        };
        if let Err(error) = result {
            eprintln!("echo-compare, {}: {error}", case.title);
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        servers: SERVERS.iter().map(|server| server.to_string()).collect(),
        cases: CASES.iter().collect(),
        rounds: 9,
        seconds: 0.5,
        syscalls: false,
    };
    while let Some(name) = arguments.next() {
        if name == "--syscalls" {
            options.syscalls = true;
            continue;
        }
        let value = arguments.next().ok_or(format!("{name} needs a value"))?;
        let wrong = || format!("{name} cannot be {value:?}");
        match name.as_str() {
            "--servers" => options.servers = value.split(',').map(str::to_string).collect(),
            "--cases" => {
                options.cases = value
                    .split(',')
                    .map(Case::named)
                    .collect::<Result<_, _>>()?
            }
            "--rounds" => options.rounds = value.parse().map_err(|_| wrong())?,
            "--seconds" => options.seconds = value.parse().map_err(|_| wrong())?,
            _ => return Err(format!("unknown option {name}")),
        }
    }
    Ok(options)
}

/// The loop that does with the same system calls what this server does, and nothing else.
fn own_floor(server: &str) -> &'static str {
    let name = server.split('@').next().unwrap_or(server);
    match name.rsplit('-').next() {
        Some("poll") => "raw-poll",
        Some("select") => "raw-select",
        _ => "raw-epoll",
    }
}

fn measure(options: &Options, case: &Case) -> io::Result<()> {
    let mut rounds = Vec::with_capacity(options.rounds);
    for round in 0..options.rounds {
        rounds.push(run::round(&options.servers, case, options.seconds, round)?);
    }
    // The median over the rounds of what `value` makes of each.
    let over_rounds = |value: &dyn Fn(&[Sample]) -> f64| {
        let mut samples = Samples::default();
        rounds.iter().for_each(|round| samples.push(value(round)));
        samples
    };
    let place = |name: &str| options.servers.iter().position(|server| server == name);
    let row = |(at, server): (usize, &String)| {
        let cost = over_rounds(&|round| round[at].server);
        let client = over_rounds(&|round| round[at].client);
        let busy = over_rounds(&|round| round[at].busy * 100.0);
        let over = |other: &str| {
            let other = place(other)?;
            over_rounds(&|round| round[at].server / round[other].server).median()
        };
        vec![
            server.clone(),
            figure(cost.median()),
            format!("{} %", figure(cost.spread())),
            figure(over("raw-epoll")),
            figure(over(own_floor(server))),
            figure(over("tokio")),
            figure(client.median()),
            format!("{} %", figure(busy.median())),
        ]
    };
    let rows: Vec<_> = options.servers.iter().enumerate().map(row).collect();
    let header = [
        "server",
        "us per request",
        "±",
        "over raw epoll",
        "over own raw loop",
        "over tokio",
        "client us",
        "server busy",
    ];
    println!("\n{}. Goal of green: {}.\n", case.title, case.goal);
    println!("{}", table(&header.map(String::from), &rows));
    Ok(())
}

fn count(options: &Options, case: &Case) -> io::Result<()> {
    let mut rows = Vec::new();
    for server in &options.servers {
        let calls = syscalls::count(server, case, options.seconds)?;
        let all: f64 = calls.iter().map(|(_, count)| count).sum();
        let each: Vec<_> = calls
            .iter()
            .map(|(name, count)| format!("{name} {count:.3}"))
            .collect();
        rows.push(vec![server.clone(), format!("{all:.3}"), each.join(", ")]);
    }
    let header = ["server", "system calls per request", "which"];
    println!("\n{}\n", case.title);
    println!("{}", table(&header.map(String::from), &rows));
    Ok(())
}
