//! `echo-load ADDRESS --server PID [OPTIONS]`: drives an echo server and prints what a request cost the server.
//!
//! A closed loop: each active connection has one message under way, checks every byte of the answer and sends the next.
//! One epoll instance, edge-triggered, no second read. The load generator never sleeps while it waits for answers, so
//! no server pays for waking it, and stays in user space for 10 us when few answers are there, so that it takes them in
//! batches and is cheaper for each request than any server.
//!
//! Options: `--active N` connections (64), `--idle N` silent ones (0), `--size BYTES` of a message (64), `--churn` for
//! connect, one echo, close.
//!
//! Prints `ready` when every active connection has been answered once; those that are idle were accepted before them.
//! Then reads lines `WARMUP SECONDS` from the standard input, runs that long for each of them, waits for the answers
//! that are under way and prints one line, `requests R seconds S server-ns N client-ns N total T`: the window after the
//! warm-up, and the requests of the whole run. The connections stay open from line to line. Try it with
//! `echo 0.3 1 | echo-load 127.0.0.1:6000 --server $(pidof echo-server)`.

mod options;
mod window;

use std::io::{self, BufRead};
use std::process::ExitCode;
use std::time::Duration;

use hub_bench::load::{Churn, Keep, Load, Tally, Then};

use options::Options;
use window::Window;

fn main() -> ExitCode {
    let options = match Options::from_args(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("echo-load: {error}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo-load against {}: {error}", options.address);
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> io::Result<()> {
    peers::sys::raise_fd_limit()?;
    let &Options {
        address,
        active,
        idle,
        size,
        ..
    } = options;
    let mut load: Box<dyn Load> = if options.churn {
        Box::new(Churn::start(address, active, size)?)
    } else {
        Box::new(Keep::start(address, active, idle, size)?)
    };
    load.resume()?;
    settle(&mut *load, options)?;
    println!("ready");
    for line in io::stdin().lock().lines() {
        let (warmup, length) = durations(&line?)?;
        let mut tally = Tally::new(options.active);
        let mut window = Window::start(options.server, warmup, length)?;
        let mut total = 0;
        load.resume()?;
        let report = loop {
            total += load.turn(&mut tally, Then::Send)?;
            if let Some(report) = window.check(total, &tally)? {
                break report;
            }
        };
        total += settle(&mut *load, options)?;
        println!("{report} total {total}");
    }
    Ok(())
}

/// Waits for every answer that is under way, and returns how many there were.
fn settle(load: &mut dyn Load, options: &Options) -> io::Result<u64> {
    let mut tally = Tally::new(options.active);
    let mut answers = 0;
    while load.under_way() > 0 {
        answers += load.turn(&mut tally, Then::Rest)?;
    }
    Ok(answers)
}

fn durations(line: &str) -> io::Result<(Duration, Duration)> {
    let mut words = line.split_whitespace().map(|word| {
        let seconds = word.parse().map_err(io::Error::other)?;
        Duration::try_from_secs_f64(seconds).map_err(io::Error::other)
    });
    match (words.next(), words.next(), words.next()) {
        (Some(warmup), Some(length), None) => Ok((warmup?, length?)),
        _ => Err(io::Error::other(format!("{line:?} is not WARMUP SECONDS"))),
    }
}
