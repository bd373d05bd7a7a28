//! `micro [OPTIONS]`: the same small loops on every runtime; prints markdown tables.
//!
//! Options: `--figures LIST` and `--runtimes LIST` (comma separated, default all), `--rounds N` (9).
//!
//! Each sample is a fresh process, bound to the first processor; the rounds go through the runtimes in an order that
//! rotates, so that what the machine does meanwhile hits all of them alike. Costs are processor time of the process, all
//! threads. A sample that fails is reported and left out. A cell is the median over the rounds and half the distance between the quartiles.
//!
//! `micro --sample FIGURE RUNTIME` takes one sample in this process and prints its values: the way to profile one loop.

mod bare;
mod figure;
mod harness;
mod on_context;
mod on_corosensei;
mod on_green;
mod on_greenlet;
mod on_may;
mod on_smol;
mod on_tokio;
mod primitives;

use std::io;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use peers::stats::{Samples, table};
use peers::sys;

use figure::{FIGURES, Figure, RUNTIMES};

/// A sample that takes longer has hung.
const TOO_LONG: Duration = Duration::from_secs(60);

struct Options {
    figures: Vec<&'static Figure>,
    runtimes: Vec<String>,
    rounds: usize,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.as_slice() {
        [option, figure, runtime] if option == "--sample" => sample(figure, runtime),
        _ => options(&arguments).and_then(|options| compare(&options)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("micro: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options(arguments: &[String]) -> io::Result<Options> {
    let mut options = Options {
        figures: FIGURES.iter().collect(),
        runtimes: RUNTIMES.iter().map(|(name, _)| name.to_string()).collect(),
        rounds: 9,
    };
    for pair in arguments.chunks(2) {
        let [name, value] = pair else {
            return Err(io::Error::other(format!("{} needs a value", pair[0])));
        };
        let list = value.split(',');
        match name.as_str() {
            "--figures" => options.figures = list.map(Figure::named).collect::<io::Result<_>>()?,
            "--runtimes" => options.runtimes = list.map(runtime).collect::<io::Result<_>>()?,
            "--rounds" => options.rounds = value.parse().map_err(io::Error::other)?,
            _ => return Err(io::Error::other(format!("unknown option {name}"))),
        }
    }
    Ok(options)
}

fn runtime(name: &str) -> io::Result<String> {
    if RUNTIMES.iter().any(|(known, _)| *known == name) {
        return Ok(name.to_string());
    }
    let names: Vec<_> = RUNTIMES.iter().map(|(name, _)| *name).collect();
    Err(io::Error::other(format!(
        "there is no runtime {name:?}, only {}",
        names.join(", ")
    )))
}

/// One sample in this process.
fn sample(figure: &str, runtime: &str) -> io::Result<()> {
    let figure = Figure::named(figure)?;
    let run = figure
        .of(runtime)
        .ok_or_else(|| io::Error::other(format!("{runtime} has no {}", figure.name)))?;
    sys::pin(0)?;
    let values: Vec<_> = run().iter().map(f64::to_string).collect();
    println!("{}", values.join(" "));
    Ok(())
}

/// One sample in a process of its own.
fn fresh_sample(figure: &Figure, runtime: &str) -> io::Result<Vec<f64>> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["--sample", figure.name, runtime])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = sys::die_with_parent(&mut command).spawn()?;
    let deadline = Instant::now() + TOO_LONG;
    while child.try_wait()?.is_none() {
        if Instant::now() > deadline {
            child.kill()?;
        }
        thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let values: Result<Vec<f64>, _> = text.split_whitespace().map(str::parse).collect();
    match values {
        Ok(values) if values.len() == figure.values.len() && output.status.success() => Ok(values),
        _ => Err(io::Error::other(format!(
            "{} on {runtime} has no result, {}: {}",
            figure.name,
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ))),
    }
}

fn compare(options: &Options) -> io::Result<()> {
    for group in options.figures.chunk_by(|a, b| a.group == b.group) {
        println!("\n{}\n\n{}", group[0].group, group_table(options, group)?);
    }
    Ok(())
}

/// A row for each value, a column for each runtime that has any of these figures.
fn group_table(options: &Options, group: &[&Figure]) -> io::Result<String> {
    let has_any = |name: &&String| group.iter().any(|figure| figure.of(name).is_some());
    let runtimes: Vec<_> = options.runtimes.iter().filter(has_any).cloned().collect();
    let mut header = vec![String::new(), "goal".to_string()];
    header.extend(runtimes.iter().cloned());
    let mut rows = Vec::new();
    for figure in group {
        let samples = samples(&runtimes, options.rounds, figure)?;
        for (at, value) in figure.values.iter().enumerate() {
            let goal = value.goal.map_or("-".into(), |goal| format!("{goal}"));
            let mut row = vec![value.title.to_string(), goal];
            row.extend(samples.iter().map(|values| values[at].cell()));
            rows.push(row);
        }
    }
    Ok(table(&header, &rows))
}

/// The samples of each runtime and value.
fn samples(runtimes: &[String], rounds: usize, figure: &Figure) -> io::Result<Vec<Vec<Samples>>> {
    let count = runtimes.len();
    let mut samples = vec![vec![Samples::default(); figure.values.len()]; count];
    for round in 0..rounds {
        for turn in 0..count {
            let place = (turn + round) % count;
            if figure.of(&runtimes[place]).is_none() {
                continue;
            }
            match fresh_sample(figure, &runtimes[place]) {
                Ok(values) => {
                    for (samples, value) in samples[place].iter_mut().zip(values) {
                        samples.push(value);
                    }
                }
                Err(error) => eprintln!("micro: {error}"),
            }
        }
    }
    Ok(samples)
}
