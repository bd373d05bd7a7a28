//! The accept loop of every server.

use std::io;
use std::time::Duration;

use super::Listener;
use crate::GreenPool;
use crate::runtime::{Reason, Runtime, Why};

/// How long an accept loop waits for a free descriptor: at first, and at last if it goes on for long.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Accepts while `pool` has a place, and calls `start` with each connection. Gives the error that ended it.
///
/// After `max_accept` connections in a row the other greenthreads run.
pub(super) fn accept_all<L: Listener + ?Sized>(
    listener: &L,
    pool: &GreenPool,
    max_accept: usize,
    mut start: impl FnMut(L::Stream, L::Addr) -> io::Result<()>,
) -> io::Error {
    // Connections that come fast could use up all descriptors before anything waits and needs the hub's own.
    Runtime::with(|runtime| runtime.reactor(|_| ()));
    let mut pause = FIRST_PAUSE;
    let mut accepted = 0;
    loop {
        pool.wait_available(None);
        let error = match listener
            .accept()
            .and_then(|(stream, addr)| start(stream, addr))
        {
            Ok(()) => {
                pause = FIRST_PAUSE;
                accepted += 1;
                if accepted >= max_accept {
                    accepted = 0;
                    crate::yield_now();
                }
                continue;
            }
            Err(error) => error,
        };
        match Failure::of(&error) {
            Failure::Connection => {
                log::debug!("a connection failed before it was accepted: {error}")
            }
            Failure::Idle => {}
            Failure::Shortage => {
                if pause == FIRST_PAUSE {
                    log::warn!("cannot accept: {error}; waiting until something is closed");
                }
                if wait_for_descriptor(pause) == Err(Why::Unwinding) {
                    return error;
                }
                pause = LONGEST_PAUSE.min(2 * pause);
            }
            Failure::Listener => return error,
        }
    }
}

/// Waits until green closes a descriptor of this thread, or `longest` has passed: others are closed unseen.
fn wait_for_descriptor(longest: Duration) -> Result<(), Why> {
    Runtime::with(|runtime| {
        let deadline = runtime.deadline(Some(longest));
        let reason = Reason::Outside("a free descriptor");
        runtime.wait_in(&runtime.lacking, reason, deadline).served()
    })
}

/// What an accept has failed of.
#[derive(Debug, PartialEq, Eq)]
enum Failure {
    /// The connection: the next one may be better.
    Connection,
    /// The timeout of the listener: nobody came.
    Idle,
    /// The process or the system has no descriptors or no memory left.
    Shortage,
    /// Nothing will be accepted here any more.
    Listener,
}

impl Failure {
    fn of(error: &io::Error) -> Failure {
        match error.raw_os_error() {
            // Linux gives the pending errors of the new connection's network too.
            Some(
                libc::ECONNABORTED
                | libc::ECONNREFUSED
                | libc::ECONNRESET
                | libc::EINTR
                | libc::EPERM
                | libc::EPROTO
                | libc::ENOPROTOOPT
                | libc::ENETDOWN
                | libc::ENETUNREACH
                | libc::EHOSTDOWN
                | libc::EHOSTUNREACH
                | libc::ETIMEDOUT,
            ) => Failure::Connection,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Some(libc::ENONET) => Failure::Connection,
            Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => Failure::Shortage,
            None if error.kind() == io::ErrorKind::TimedOut => Failure::Idle,
            _ => Failure::Listener,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_dead_listener_ends_the_loop() {
        let of = |code| Failure::of(&io::Error::from_raw_os_error(code));
        assert_eq!(of(libc::ECONNABORTED), Failure::Connection);
        assert_eq!(of(libc::EPROTO), Failure::Connection);
        assert_eq!(of(libc::EMFILE), Failure::Shortage);
        assert_eq!(of(libc::ENFILE), Failure::Shortage);
        assert_eq!(of(libc::EINVAL), Failure::Listener);
        assert_eq!(of(libc::EBADF), Failure::Listener);
        let idle = io::Error::new(io::ErrorKind::TimedOut, "a listener's own timeout");
        assert_eq!(Failure::of(&idle), Failure::Idle);
        let busy = io::Error::new(io::ErrorKind::ResourceBusy, "another accepts");
        assert_eq!(Failure::of(&busy), Failure::Listener);
        let nonblocking = io::Error::from(io::ErrorKind::WouldBlock);
        assert_eq!(Failure::of(&nonblocking), Failure::Listener);
    }
}
