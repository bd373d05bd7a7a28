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
pub(super) enum AcceptFailure {
    /// The connection: the next one may be better.
    Connection,
    /// The timeout of the listener: nobody came.
    Idle,
    /// The process or the system has no descriptors or no memory left, or forbids it for now.
    Shortage,
    /// Nothing will be accepted here any more.
    Listener,
}

impl AcceptFailure {
    pub(super) fn of(error: &io::Error) -> AcceptFailure {
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
            ) => AcceptFailure::Connection,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Some(libc::ENONET) => AcceptFailure::Connection,
            // A firewall says EPERM, for one connection or for all.
            Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM | libc::EPERM) => {
                AcceptFailure::Shortage
            }
            None if error.kind() == io::ErrorKind::TimedOut => AcceptFailure::Idle,
            _ => AcceptFailure::Listener,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_dead_listener_ends_the_loop() {
        let of = |code| AcceptFailure::of(&io::Error::from_raw_os_error(code));
        assert_eq!(of(libc::ECONNABORTED), AcceptFailure::Connection);
        assert_eq!(of(libc::EPROTO), AcceptFailure::Connection);
        assert_eq!(of(libc::EOPNOTSUPP), AcceptFailure::Connection);
        assert_eq!(of(libc::EMFILE), AcceptFailure::Shortage);
        assert_eq!(of(libc::ENFILE), AcceptFailure::Shortage);
        assert_eq!(of(libc::EPERM), AcceptFailure::Shortage);
        assert_eq!(of(libc::EINVAL), AcceptFailure::Listener);
        assert_eq!(of(libc::EBADF), AcceptFailure::Listener);
        let idle = io::Error::new(io::ErrorKind::TimedOut, "a listener's own timeout");
        assert_eq!(AcceptFailure::of(&idle), AcceptFailure::Idle);
        let busy = io::Error::new(io::ErrorKind::ResourceBusy, "another accepts");
        assert_eq!(AcceptFailure::of(&busy), AcceptFailure::Listener);
        let nonblocking = io::Error::from(io::ErrorKind::WouldBlock);
        assert_eq!(AcceptFailure::of(&nonblocking), AcceptFailure::Listener);
    }
}
