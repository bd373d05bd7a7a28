//! cargo run --release -p hub-bench --example own_hub -- --quick
//!
//! A hub of one's own beside those that are there: the whole command line of `hub-bench`, with one hub more.

use std::io;
use std::os::fd::BorrowedFd;
use std::process::ExitCode;
use std::time::Duration;

use hub_bench::{Candidate, HUBS};
use hub_core::{Event, Hub, Interest, Token, Trigger};
use hub_poll::Poll;

/// It leaves everything to poll; yours would not.
struct MyHub(Poll);

impl Hub for MyHub {
    fn name(&self) -> &'static str {
        "mine"
    }

    fn add(&mut self, fd: BorrowedFd<'_>, token: Token, trigger: Trigger) -> io::Result<()> {
        self.0.add(fd, token, trigger)
    }

    fn arm(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        self.0.arm(fd, token, interest)
    }

    fn remove(&mut self, fd: BorrowedFd<'_>, token: Token) -> io::Result<()> {
        self.0.remove(fd, token)
    }

    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        self.0.wait(timeout, events)
    }
}

fn main() -> ExitCode {
    let mine: Candidate = ("mine", &|| Ok(Box::new(MyHub(Poll::new()?))));
    hub_bench::main(&[&[mine], HUBS].concat())
}
