//! Libraries that block, none of them changed, many at a time on one OS thread:
//!
//! ```text
//! cargo run --release -p examples --features greened --example greened -- redis 100
//! ```
//!
//! does one operation of 100 ms in each of so many greenthreads and prints how long all of them took. The first argument
//! is one of sleep, tcp, curl, ureq, localhost (ureq, and a name to look up), redis, postgres, mysql, reqwest, reqwest-each (a
//! client for each), rustls, tungstenite, command; channels, channels-threads, crossbeam, mutex, parking_lot, condvar, park.
//! The servers of redis, postgres and mysql are those that `services/up` has started; the others run in this program, on
//! the same thread, and are written for std::net.
//!
//! With `unpatched` as a third word nothing is patched, and the servers have threads of their own: the operations then go
//! one after the other, or hang.

mod clients;
mod local;
mod threads;

use std::cell::Cell;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How long one operation takes.
pub(crate) const OPERATION: Duration = Duration::from_millis(100);

/// An operation, or why it failed.
pub(crate) type Operation = Rc<dyn Fn() -> Result<(), Box<dyn std::error::Error>>>;

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let (name, count, patched) = match words[..] {
        [name, count] => (name, count.parse(), true),
        [name, count, "unpatched"] => (name, count.parse(), false),
        _ => return usage(),
    };
    let Ok(count) = count else {
        return usage();
    };
    if patched && let Err(error) = green_patch::monkey_patch() {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    if !patched {
        end_if_it_hangs(name.to_owned(), OPERATION * count);
    }
    let operation = match clients::operation(name) {
        Ok(operation) => operation,
        Err(error) => {
            eprintln!("{name}: {error}");
            return ExitCode::FAILURE;
        }
    };
    let failed = run(name, count, &operation);
    ExitCode::from(u8::from(failed > 0))
}

fn usage() -> ExitCode {
    eprintln!("usage: greened ureq|redis|postgres|mysql|... NUMBER [unpatched]");
    ExitCode::FAILURE
}

/// Ends the process when it has taken far longer than all operations one after the other.
fn end_if_it_hangs(name: String, sum: Duration) {
    std::thread::spawn(move || {
        std::thread::sleep(sum * 4 + Duration::from_secs(2));
        println!("{name}: hangs");
        std::process::exit(2);
    });
}

/// Prints what came of so many operations at the same time; gives how many failed.
fn run(name: &str, count: u32, operation: &Operation) -> usize {
    let threads = Rc::new(Cell::new(0));
    let most = Rc::clone(&threads);
    let counter = green::spawn(move || {
        loop {
            most.set(threads_of_the_process().max(most.get()));
            green::sleep(OPERATION / 10);
        }
    });
    let start = Instant::now();
    let at_once = Rc::new(AtOnce::default());
    let all: Vec<_> = (0..count)
        .map(|_| {
            let (operation, at_once) = (Rc::clone(operation), Rc::clone(&at_once));
            green::spawn(move || {
                let _running = at_once.one();
                operation().map_err(|error| error.to_string())
            })
        })
        .collect();
    let ends = all.into_iter().map(|each| match each.join() {
        Ok(end) => end,
        Err(exit) => Err(exit.to_string()),
    });
    let errors: Vec<_> = ends.filter_map(Result::err).collect();
    let took = start.elapsed();
    counter.kill();
    for error in errors.iter().take(3) {
        eprintln!("{error}");
    }
    println!(
        "{name} on {}: {} of {count} operations, {} at a time, threads {}, {} ms; one after the other {} ms",
        green::hubs::get_hub(),
        count as usize - errors.len(),
        at_once.most.get(),
        threads.get(),
        took.as_millis(),
        (OPERATION * count).as_millis(),
    );
    errors.len()
}

/// How many operations run, and how many did at most.
#[derive(Default)]
struct AtOnce {
    now: Cell<u32>,
    most: Cell<u32>,
}

struct Running<'a>(&'a AtOnce);

impl AtOnce {
    fn one(&self) -> Running<'_> {
        self.now.set(self.now.get() + 1);
        self.most.set(self.most.get().max(self.now.get()));
        Running(self)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.now.set(self.0.now.get() - 1);
    }
}

fn threads_of_the_process() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}
