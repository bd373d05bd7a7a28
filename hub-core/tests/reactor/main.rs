//! The reactor, on every hub, and on one that says what the test wants

#[path = "../common/mod.rs"]
mod common;
mod nested;
mod scripted;
mod swap;
mod time;
mod waiters;
mod waker;

use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use hub_core::{Cause, Direction, NotReady, Reactor, Token, Wakeup};

/// Takes turns until somebody is due.
fn due<W>(reactor: &mut Reactor<W>) -> Vec<Wakeup<W>> {
    let mut woken = Vec::new();
    let end = Instant::now() + Duration::from_secs(10);
    while woken.is_empty() {
        assert!(Instant::now() < end, "nobody is due");
        reactor
            .turn(Some(Duration::from_secs(1)), &mut woken)
            .unwrap();
    }
    woken
}

/// Nobody is due now.
fn nobody_due<W: std::fmt::Debug>(reactor: &mut Reactor<W>) {
    let mut woken = Vec::new();
    for _ in 0..3 {
        reactor.turn(Some(Duration::ZERO), &mut woken).unwrap();
    }
    assert!(woken.is_empty(), "{woken:?}");
}

fn waiters<W>(woken: Vec<Wakeup<W>>) -> Vec<W> {
    woken.into_iter().map(|wakeup| wakeup.waiter).collect()
}

fn is_ready<W>(wakeup: &Wakeup<W>) -> bool {
    matches!(wakeup.cause, Cause::Ready(_))
}

/// One read as a green socket does it: `None` if it must park.
fn try_read<W>(
    reactor: &mut Reactor<W>,
    token: Token,
    mut socket: &UnixStream,
    buffer: &mut [u8],
) -> Option<usize> {
    if !reactor.is_ready(token, Direction::Read) {
        return None;
    }
    match socket.read(buffer) {
        Ok(count) => {
            if count > 0 && count < buffer.len() {
                reactor.clear_ready(token, Direction::Read, NotReady::ShortTransfer);
            }
            Some(count)
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            reactor.clear_ready(token, Direction::Read, NotReady::WouldBlock);
            None
        }
        Err(error) => panic!("reading: {error}"),
    }
}
