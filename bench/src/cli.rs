//! The command line.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use crate::{Candidate, Plan, Report, Workload};

const EXAMPLES: &str = "\
Examples:
  hub-bench                                    everything, in about five minutes
  hub-bench --quick                            everything in a rough way, in less than forty seconds
  hub-bench --hubs epoll,poll --workloads idle --connections 10,100,1000
  hub-bench --report hubs.html --json hubs.json
  hub-bench --compare hubs.json                what has changed since
  hub-bench --from hubs.json --report hubs.html  the page of an earlier run
";

/// Measures hubs against each other: which one to use on this machine, for which load.
#[derive(Debug, Parser)]
#[command(name = "hub-bench", version, after_help = EXAMPLES)]
struct Options {
    /// Hubs, separated by commas, or all
    #[arg(long, value_name = "LIST", default_value = "all")]
    hubs: String,
    /// Workloads, separated by commas, or all
    #[arg(long, value_name = "LIST", default_value = "all")]
    workloads: String,
    /// Numbers of connections, of idle ones, of pipes and of registered descriptors, separated by commas
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = count)]
    connections: Vec<usize>,
    /// Numbers of timers, separated by commas
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = count)]
    timers: Vec<usize>,
    /// Samples of each figure; fewer than 5 cannot tell a difference from noise
    #[arg(long, value_name = "N", value_parser = count)]
    rounds: Option<usize>,
    /// How long each sample counts, in milliseconds
    #[arg(long, value_name = "MS", value_parser = count)]
    window: Option<usize>,
    /// Fewer sizes, rounds and a shorter window: less than forty seconds
    #[arg(long)]
    quick: bool,
    /// Writes the figures to a file, for --compare and --from
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Writes a page with charts
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Says what has changed since the run that wrote this file
    #[arg(long, value_name = "OLD.json")]
    compare: Option<PathBuf>,
    /// Prints what the operations cost as markdown, a column for each hub
    #[arg(long)]
    markdown: bool,
    /// Takes the figures from a file instead of measuring
    #[arg(long, value_name = "FILE.json", conflicts_with_all = ["hubs", "workloads", "connections", "timers", "rounds", "window", "quick", "json"])]
    from: Option<PathBuf>,
    /// Lists the hubs and the workloads
    #[arg(long)]
    list: bool,
}

fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("it must be one at least".into()),
        Ok(count) => Ok(count),
        Err(_) => Err("it is no number".into()),
    }
}

/// Ends the program as clap does for wrong arguments: a message and exit code 2.
fn refuse(what: String) -> ! {
    Options::command()
        .error(ErrorKind::InvalidValue, what)
        .exit()
}

/// The command line of `hub-bench` for these hubs. A program with a hub of its own passes that one as well:
///
/// ```no_run
/// use std::process::ExitCode;
/// use hub_bench::HUBS;
///
/// fn main() -> ExitCode {
///     let mine: hub_bench::Candidate = ("mine", &|| Ok(Box::new(hub_poll::Poll::new()?)));
///     hub_bench::main(&[&[mine], HUBS].concat())
/// }
/// ```
pub fn main(hubs: &[Candidate<'_>]) -> ExitCode {
    let options = Options::parse();
    let done = match options.list {
        true => print(&list(hubs)).map(|()| ExitCode::SUCCESS),
        false => go(&options, hubs),
    };
    done.unwrap_or_else(|error| {
        eprintln!("hub-bench: {error}");
        ExitCode::FAILURE
    })
}

fn list(hubs: &[Candidate<'_>]) -> String {
    let mut text = String::from("Hubs:\n");
    for (name, make) in hubs {
        text += &match make() {
            Ok(_) => format!("  {name}\n"),
            Err(error) => format!("  {name:<14}cannot be made here: {error}\n"),
        };
    }
    text += "\nWorkloads:\n";
    for workload in Workload::ALL {
        text += &format!("  {workload:<14}{}\n", workload.about());
    }
    text
}

/// Prints to somebody who may have seen enough.
fn print(text: &str) -> io::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

fn go(options: &Options, hubs: &[Candidate<'_>]) -> io::Result<ExitCode> {
    // Before five minutes of work: what cannot be read or written is known now.
    let old = options.compare.as_ref().map(Report::read).transpose()?;
    for path in [&options.json, &options.report].into_iter().flatten() {
        writable(path)?;
    }
    let report = match &options.from {
        Some(path) => Report::read(path)?,
        None => crate::run(&chosen(&options.hubs, hubs), &plan(options))?,
    };
    if let Some(path) = &options.json {
        write(path, &report.to_json()?)?;
    }
    if let Some(path) = &options.report {
        write(path, &report.html())?;
    }
    let mut text = match options.markdown {
        true => report.markdown(),
        false => report.table(),
    };
    if let Some(old) = &old {
        text += &format!("\n{}\n", report.compare(old));
    }
    print(&text)?;
    Ok(match (report.partial, report.failures.is_empty()) {
        (true, _) => ExitCode::from(130),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::FAILURE,
    })
}

fn plan(options: &Options) -> Plan {
    let mut plan = match options.quick {
        true => Plan::quick(),
        false => Plan::default(),
    };
    plan.progress = true;
    if options.workloads != "all" {
        let names = options.workloads.split(',');
        let parsed: Result<Vec<Workload>, String> = names.map(str::parse).collect();
        plan.workloads = parsed.unwrap_or_else(|error| refuse(error));
    }
    if !options.connections.is_empty() {
        plan.connections.clone_from(&options.connections);
    }
    if !options.timers.is_empty() {
        plan.timers.clone_from(&options.timers);
    }
    plan.rounds = options.rounds.unwrap_or(plan.rounds);
    // A run whose length was asked for is not cut short.
    if options.rounds.is_some() || options.window.is_some() {
        plan.limit = None;
    }
    if let Some(window) = options.window {
        plan.window = Duration::from_millis(window as u64);
    }
    plan
}

fn chosen<'a>(names: &str, hubs: &[Candidate<'a>]) -> Vec<Candidate<'a>> {
    if names == "all" {
        return hubs.to_vec();
    }
    let find = |name: &str| {
        let found = hubs.iter().find(|(known, _)| *known == name);
        *found.unwrap_or_else(|| {
            let known: Vec<_> = hubs.iter().map(|(name, _)| *name).collect();
            refuse(format!(
                "there is no hub {name:?}; there are {}",
                known.join(", ")
            ))
        })
    };
    names.split(',').map(find).collect()
}

fn writable(path: &Path) -> io::Result<()> {
    let opened = fs::File::options().create(true).append(true).open(path);
    opened.map(drop).map_err(|error| named(path, error))
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    fs::write(path, text).map_err(|error| named(path, error))
}

fn named(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("writing {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_are_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn what_is_given_replaces_what_quick_says() {
        let line = "hub-bench --quick --workloads ring,udp --connections 3,4 --rounds 9 --window 7";
        let plan = plan(&Options::parse_from(line.split(' ')));
        assert_eq!(plan.workloads, [Workload::Ring, Workload::Udp]);
        assert_eq!(plan.connections, [3, 4]);
        assert_eq!(plan.timers, Plan::quick().timers);
        assert_eq!((plan.rounds, plan.window), (9, Duration::from_millis(7)));
        assert_eq!(plan.limit, None);
    }

    #[test]
    fn nought_is_no_count() {
        for option in ["--rounds", "--connections", "--timers", "--window"] {
            for value in ["0", "-1", "x", ""] {
                let line = ["hub-bench", option, value];
                assert!(Options::try_parse_from(line).is_err(), "{option} {value}");
            }
        }
    }
}
