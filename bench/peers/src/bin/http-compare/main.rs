//! `http-compare [OPTIONS]`: the same HTTP load against every server; prints markdown tables.
//!
//! Options: `--servers LIST` and `--cases LIST` (comma separated, default all), `--rounds N` (9), `--requests N` of each
//! sample (40000).
//!
//! Each round starts every server afresh on the first processor; the load runs on the second. The rounds are interleaved,
//! in an order that rotates. A sample is the server's own processor time over the requests that it has answered.

mod load;

use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};

use peers::stats::{Samples, figure, table};
use peers::sys;

use load::{CASES, Case};

const SERVERS: &[&str] = &["hyper", "axum", "may", "green", "green-axum"];

struct Options {
    servers: Vec<String>,
    cases: Vec<&'static Case>,
    rounds: usize,
    requests: usize,
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        servers: SERVERS.iter().map(|server| server.to_string()).collect(),
        cases: CASES.iter().collect(),
        rounds: 9,
        requests: 40_000,
    };
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or(format!("{name} needs a value"))?;
        let wrong = || format!("{name} cannot be {value:?}");
        match name.as_str() {
            "--servers" => options.servers = value.split(',').map(str::to_string).collect(),
            "--cases" => {
                let named = |name| {
                    CASES
                        .iter()
                        .find(|case| case.name == name)
                        .ok_or_else(wrong)
                };
                options.cases = value.split(',').map(named).collect::<Result<_, _>>()?;
            }
            "--rounds" => options.rounds = value.parse().map_err(|_| wrong())?,
            "--requests" => options.requests = value.parse().map_err(|_| wrong())?,
            _ => return Err(format!("unknown option {name}")),
        }
    }
    Ok(options)
}

/// A server that ends with this value.
struct Server {
    child: Child,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself: nothing is left to do then.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(kind: &str) -> io::Result<Server> {
        let path = std::env::current_exe()?.with_file_name("http-server");
        let mut command = Command::new("taskset");
        command
            .args(["-c", "0"])
            .arg(path)
            .arg(kind)
            .stdout(Stdio::piped());
        let mut child = sys::die_with_parent(&mut command).spawn()?;
        let out = child
            .stdout
            .take()
            .ok_or_else(|| io::Error::other("a pipe is missing"))?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let address = line
            .strip_prefix("listening ")
            .unwrap_or_default()
            .trim()
            .to_owned();
        Ok(Server { child, address })
    }
}

/// Microseconds of the server's processor time for each request.
fn sample(kind: &str, case: &'static Case, requests: usize) -> io::Result<f64> {
    let server = Server::start(kind)?;
    let mut load = load::Load::connect(&server.address, case)?;
    load.run(requests / 10)?;
    let clock = sys::CpuClock::of(server.child.id())?;
    let before = clock.now()?;
    let answered = load.run(requests)?;
    let cost = clock.now()? - before;
    Ok(cost.as_secs_f64() * 1e6 / answered as f64)
}

fn measure(options: &Options, case: &'static Case) -> io::Result<()> {
    let count = options.servers.len();
    let mut rounds = vec![vec![0.0; count]; options.rounds];
    for (round, figures) in rounds.iter_mut().enumerate() {
        for turn in 0..count {
            let at = (turn + round) % count;
            figures[at] = sample(&options.servers[at], case, options.requests)?;
        }
    }
    let over_rounds = |value: &dyn Fn(&[f64]) -> f64| {
        let mut samples = Samples::default();
        rounds.iter().for_each(|round| samples.push(value(round)));
        samples
    };
    let place = |name: &str| options.servers.iter().position(|server| server == name);
    let row = |(at, server): (usize, &String)| {
        let cost = over_rounds(&|round| round[at]);
        let over = |other: &str| {
            place(other).and_then(|other| over_rounds(&|round| round[at] / round[other]).median())
        };
        vec![
            server.clone(),
            figure(cost.median()),
            format!("{} %", figure(cost.spread())),
            figure(over("hyper")),
            figure(over("axum")),
            figure(over("green")),
        ]
    };
    let rows: Vec<_> = options.servers.iter().enumerate().map(row).collect();
    let header = [
        "server",
        "us per request",
        "±",
        "over hyper",
        "over axum",
        "over green",
    ];
    println!("\n{}. Goal of green: {}.\n", case.title, case.goal);
    println!("{}", table(&header.map(String::from), &rows));
    Ok(())
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("http-compare: {error}");
            return ExitCode::from(2);
        }
    };
    if let Err(error) = sys::pin(1).and_then(|()| sys::raise_fd_limit()) {
        eprintln!("http-compare: {error}");
        return ExitCode::FAILURE;
    }
    for case in &options.cases {
        if let Err(error) = measure(&options, case) {
            eprintln!("http-compare, {}: {error}", case.title);
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
