//! Accepting for ever: which errors of an accept pass, and how long to wait for that.

use std::io;
use std::iter::FusedIterator;
use std::time::Duration;

use super::{TcpListener, TcpStream, UnixListener, UnixStream};
use crate::error::is_shortage;
use crate::runtime::backoff::Backoff;
use crate::runtime::{Runtime, Why};

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Waits out the errors of accept that pass: each that `accept(2)` lists as one to try again, and a lack of
/// descriptors or memory. Of several in a row the log hears once.
#[derive(Debug)]
pub(crate) struct AcceptRetry {
    backoff: Backoff,
    failures: u32,
}

impl AcceptRetry {
    pub(crate) fn new() -> AcceptRetry {
        // Connections that come fast could use up all descriptors before anything waits and needs the hub's own.
        Runtime::with(|runtime| runtime.reactor(|_| ()));
        AcceptRetry {
            backoff: Backoff::new(FIRST_PAUSE, LONGEST_PAUSE),
            failures: 0,
        }
    }

    /// Calls `accept` until it gives something other than an error that passes.
    // Not inline: the loops that call it have frames enough.
    #[inline(never)]
    pub(crate) fn accept<R>(&mut self, mut accept: impl FnMut() -> io::Result<R>) -> io::Result<R> {
        loop {
            match accept() {
                Ok(accepted) => {
                    self.backoff.reset();
                    self.failures = 0;
                    return Ok(accepted);
                }
                Err(error) => self.wait_out(error)?,
            }
        }
    }

    #[cold]
    fn wait_out(&mut self, error: io::Error) -> io::Result<()> {
        let failure = Failure::of(&error);
        if failure == Failure::Other {
            return Err(error);
        }
        self.failures = self.failures.saturating_add(1);
        match (failure, self.failures) {
            // The next one may be better.
            (Failure::Connection, 1) => {
                log::debug!("a connection failed before it was accepted: {error}");
                crate::yield_now();
                return Ok(());
            }
            (Failure::Connection, 2) => {
                log::warn!("cannot accept, time and again: {error}; trying on, with pauses");
            }
            (Failure::Shortage, 1) => {
                log::warn!("cannot accept: {error}; waiting until something is closed");
            }
            _ => {}
        }
        match wait_for_descriptor(self.backoff.next()) {
            Err(Why::Unwinding) => Err(error),
            _ => Ok(()),
        }
    }
}

/// Waits until green closes a descriptor of this thread, or `longest` has passed: others are closed unseen.
fn wait_for_descriptor(longest: Duration) -> Result<(), Why> {
    Runtime::with(|runtime| runtime.wait_for_descriptor(longest))
}

/// What an accept has failed of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    /// The connection or its network: the next one may be better.
    Connection,
    /// The process or the system has no descriptors or no memory left.
    Shortage,
    /// The listener, or its timeout: the caller's to deal with.
    Other,
}

impl Failure {
    fn of(error: &io::Error) -> Failure {
        if is_shortage(error) {
            return Failure::Shortage;
        }
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
                | libc::EOPNOTSUPP
                | libc::ENETDOWN
                | libc::ENETUNREACH
                | libc::EHOSTDOWN
                | libc::EHOSTUNREACH
                | libc::ETIMEDOUT,
            ) => Failure::Connection,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Some(libc::ENONET | libc::ENOSR) => Failure::Connection,
            _ => Failure::Other,
        }
    }
}

/// The state of an iterator over connections.
#[derive(Debug)]
struct Connections {
    retry: AcceptRetry,
    over: bool,
}

impl Connections {
    fn new() -> Connections {
        Connections {
            retry: AcceptRetry::new(),
            over: false,
        }
    }

    fn next<R>(&mut self, accept: impl FnMut() -> io::Result<R>) -> Option<io::Result<R>> {
        if self.over {
            return None;
        }
        let accepted = self.retry.accept(accept);
        self.over = accepted.as_ref().is_err_and(|error| {
            !matches!(
                error.kind(),
                io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock | io::ErrorKind::ResourceBusy
            )
        });
        Some(accepted)
    }
}

macro_rules! incoming {
    ($incoming:ident, $listener:ident, $stream:ident) => {
        #[doc = concat!("The connections of a listener: see [`", stringify!($listener), "::incoming`].")]
        #[derive(Debug)]
        pub struct $incoming<'a> {
            listener: &'a $listener,
            connections: Connections,
        }

        impl<'a> $incoming<'a> {
            pub(super) fn new(listener: &'a $listener) -> $incoming<'a> {
                $incoming {
                    listener,
                    connections: Connections::new(),
                }
            }
        }

        impl Iterator for $incoming<'_> {
            type Item = io::Result<$stream>;

            fn next(&mut self) -> Option<io::Result<$stream>> {
                let accept = || Ok(self.listener.accept()?.0);
                self.connections.next(accept)
            }
        }

        impl FusedIterator for $incoming<'_> {}
    };
}

incoming!(Incoming, TcpListener, TcpStream);
incoming!(UnixIncoming, UnixListener, UnixStream);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_dead_listener_ends_the_loop() {
        let of = |code| Failure::of(&io::Error::from_raw_os_error(code));
        for code in [
            libc::ECONNABORTED,
            libc::EPROTO,
            libc::ENETDOWN,
            libc::ENOPROTOOPT,
            libc::EHOSTDOWN,
            libc::EHOSTUNREACH,
            libc::EOPNOTSUPP,
            libc::ENETUNREACH,
            libc::EPERM,
        ] {
            assert_eq!(of(code), Failure::Connection, "{code}");
        }
        #[cfg(any(target_os = "linux", target_os = "android"))]
        assert_eq!(of(libc::ENONET), Failure::Connection);
        for code in [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM] {
            assert_eq!(of(code), Failure::Shortage, "{code}");
        }
        assert_eq!(of(libc::EINVAL), Failure::Other);
        assert_eq!(of(libc::EBADF), Failure::Other);
        let idle = io::Error::new(io::ErrorKind::TimedOut, "a listener's own timeout");
        assert_eq!(Failure::of(&idle), Failure::Other);
        let busy = io::Error::new(io::ErrorKind::ResourceBusy, "another accepts");
        assert_eq!(Failure::of(&busy), Failure::Other);
        let nonblocking = io::Error::from(io::ErrorKind::WouldBlock);
        assert_eq!(Failure::of(&nonblocking), Failure::Other);
    }

    #[test]
    fn errors_that_pass_are_waited_out() {
        let mut retry = AcceptRetry::new();
        let mut errors = vec![libc::EPERM, libc::EMFILE, libc::ECONNABORTED, libc::ENONET];
        let start = std::time::Instant::now();
        let accepted = retry.accept(|| match errors.pop() {
            Some(code) => Err(io::Error::from_raw_os_error(code)),
            None => Ok(7),
        });
        assert_eq!(accepted.unwrap(), 7);
        // The first is tried again at once.
        assert!(start.elapsed() >= FIRST_PAUSE * (1 + 2 + 4));
        assert_eq!(retry.failures, 0);
    }
}
