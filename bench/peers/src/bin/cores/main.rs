//! `cores [--rounds N] [--requests N] [--items N]`: what workers cost and bring; prints markdown tables.
//!
//! Every sample is a fresh process. The rounds are interleaved, in an order that rotates, and ratios are taken within
//! a round. A cost is processor time of the process, all threads.

#[allow(dead_code, reason = "the other program says what each case is")]
#[path = "../http-compare/load.rs"]
mod load;

#[allow(dead_code, reason = "the other program says what is spoken over what")]
#[path = "../http-compare/stream.rs"]
mod stream;

mod handoff;
mod server;

use std::process::{Command, ExitCode};

use peers::stats::{Samples, figure, table};
use peers::sys;

pub struct Options {
    rounds: usize,
    requests: usize,
    items: usize,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, Failure> {
    let mut options = Options {
        rounds: 9,
        requests: 40_000,
        items: 200_000,
    };
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or(format!("{name} needs a value"))?;
        let place = match name.as_str() {
            "--rounds" => &mut options.rounds,
            "--requests" => &mut options.requests,
            "--items" => &mut options.items,
            _ => return Err(format!("unknown option {name}").into()),
        };
        *place = value.parse()?;
    }
    Ok(options)
}

/// Measures each of `kinds` in every round. A sample is one or more figures.
fn rounds<const N: usize>(
    count: usize,
    kinds: &[&str],
    mut sample: impl FnMut(&str) -> Result<[f64; N], Failure>,
) -> Result<Vec<Vec<[f64; N]>>, Failure> {
    let mut rounds = vec![vec![[0.0; N]; kinds.len()]; count];
    for (round, figures) in rounds.iter_mut().enumerate() {
        for turn in 0..kinds.len() {
            let at = (turn + round) % kinds.len();
            figures[at] = sample(kinds[at])?;
        }
    }
    Ok(rounds)
}

/// A row for each kind: for each figure its median with its spread, and the ratio to that of the first kind.
fn show<const N: usize>(title: &str, names: [&str; N], kinds: &[&str], rounds: &[Vec<[f64; N]>]) {
    let over_rounds = |value: &dyn Fn(&[[f64; N]]) -> f64| {
        let mut samples = Samples::default();
        rounds.iter().for_each(|round| samples.push(value(round)));
        samples
    };
    let row = |(at, kind): (usize, &&str)| {
        let mut cells = vec![(*kind).to_owned()];
        for which in 0..N {
            let cost = over_rounds(&|round| round[at][which]);
            let ratio = over_rounds(&|round| round[at][which] / round[0][which]);
            cells.push(format!(
                "{} ± {} %",
                figure(cost.median()),
                figure(cost.spread())
            ));
            cells.push(figure(ratio.median()));
        }
        cells
    };
    let rows: Vec<_> = kinds.iter().enumerate().map(row).collect();
    let mut header = vec![String::new()];
    for name in names {
        header.extend([name.to_owned(), "ratio".to_owned()]);
    }
    println!("\n{title}\n\n{}", table(&header, &rows));
}

/// Runs one loop in a process of its own, which prints its figures.
fn in_process<const N: usize>(arguments: &[&str]) -> Result<[f64; N], Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    let output = sys::die_with_parent(command.args(arguments)).output()?;
    let text = String::from_utf8(output.stdout)?;
    let figures: Vec<f64> = text
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    figures
        .try_into()
        .map_err(|_| format!("{arguments:?} has printed {text:?}").into())
}

fn compare(options: &Options) -> Result<(), Failure> {
    let kinds = server::KINDS;
    let costs = rounds(options.rounds, kinds, |kind| {
        server::cost(kind, options.requests)
    })?;
    show(
        "HTTP, 13 bytes, 128 connections",
        ["µs a request"],
        kinds,
        &costs,
    );
    server::balance()?;
    for figure in handoff::FIGURES {
        let kinds = handoff::KINDS;
        let items = options.items.to_string();
        let costs = rounds(options.rounds, kinds, |kind| {
            in_process(&["--sample", figure, kind, &items])
        })?;
        let names = ["processor time, ns", "elapsed, ns"];
        show(
            &format!("Between two threads: {figure}"),
            names,
            kinds,
            &costs,
        );
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let done = match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--serve", kind] => server::serve(kind),
        ["--sample", figure, kind, items] => handoff::sample(figure, kind, items),
        _ => options(arguments.into_iter())
            .and_then(|options| {
                sys::raise_fd_limit()
                    .map_err(Failure::from)
                    .map(|()| options)
            })
            .and_then(|options| compare(&options)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cores: {error}");
            ExitCode::FAILURE
        }
    }
}
