//! What an accept fails of, and what is kept for the time when there is nothing left.

use std::fs::File;
use std::io;
use std::time::Duration;

/// How long an accept loop waits at first, and at last if it goes on for long.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(10);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A descriptor kept for the time when there are none: given up, it lets one connection in.
pub(super) struct Reserve(Option<File>);

impl Reserve {
    pub(super) fn new() -> Reserve {
        Reserve(File::open("/dev/null").ok())
    }

    /// Gives it up. False if there is none.
    pub(super) fn give_up(&mut self) -> bool {
        self.0.take().is_some()
    }

    /// Takes one again. False if the process still has none left.
    pub(super) fn take_again(&mut self) -> bool {
        self.0 = File::open("/dev/null").ok();
        self.0.is_some()
    }
}

/// What an accept has failed of.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The connection: the next one may be better.
    Connection,
    /// The timeout of the listener: nobody came.
    Idle,
    /// The process or the system has no descriptors or no memory left, or forbids it for now.
    Shortage,
    /// Nothing will be accepted here any more.
    Listener,
}

impl Failure {
    pub(super) fn of(error: &io::Error) -> Failure {
        match error.raw_os_error() {
            // Linux gives the pending errors of the new connection's network too.
            Some(
                libc::ECONNABORTED
                | libc::ECONNREFUSED
                | libc::ECONNRESET
                | libc::EINTR
                | libc::EPROTO
                | libc::ENOPROTOOPT
                | libc::ENETDOWN
                | libc::ENETUNREACH
                | libc::EHOSTDOWN
                | libc::EHOSTUNREACH
                | libc::EOPNOTSUPP
                | libc::ETIMEDOUT,
            ) => Failure::Connection,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Some(libc::ENONET) => Failure::Connection,
            // A firewall says EPERM, for one connection or for all.
            Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM | libc::EPERM) => {
                Failure::Shortage
            }
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
        assert_eq!(of(libc::EOPNOTSUPP), Failure::Connection);
        assert_eq!(of(libc::EMFILE), Failure::Shortage);
        assert_eq!(of(libc::ENFILE), Failure::Shortage);
        assert_eq!(of(libc::EPERM), Failure::Shortage);
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
