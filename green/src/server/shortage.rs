//! Waiting until the process may have a descriptor again.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, TryLockError};
use std::time::Duration;

use crate::runtime::{Reason, RemoteWaiter, Runtime, Waited, Wake};

/// How long an accept loop waits at first, and at last if it goes on for long.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(10);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Who waits, in all threads.
static LACKING: Mutex<Vec<RemoteWaiter>> = Mutex::new(Vec::new());
/// Their number, so that a close need not take the lock.
static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// Waits until green closes a descriptor in any thread, or `longest` has passed: others are closed unseen.
pub(super) fn wait_for_descriptor(longest: Duration) -> Waited {
    Runtime::with(|runtime| {
        let deadline = runtime.deadline(Some(longest));
        let place = runtime.lacking.borrow_mut().push(runtime.waiter(), ());
        // It needs descriptors itself, unless they were made before. Without it the other threads' are closed unseen.
        let registered = runtime.remote_waiter().ok().map(Registered::new);
        let wake = runtime.park(Reason::Outside("a free descriptor"), deadline);
        runtime.lacking.borrow_mut().leave(place);
        drop(registered);
        match wake {
            Wake::Event => Waited::Woken,
            Wake::Expired => Waited::Expired,
            Wake::Unwinding => Waited::Unwinding,
            Wake::Interrupted(interrupt) => interrupt.raise(),
        }
    })
}

struct Registered(RemoteWaiter);

impl Registered {
    fn new(waiter: RemoteWaiter) -> Registered {
        let mut lacking = LACKING.lock().unwrap_or_else(PoisonError::into_inner);
        lacking.push(waiter.clone());
        NUMBER.store(lacking.len(), Ordering::Relaxed);
        Registered(waiter)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut lacking = LACKING.lock().unwrap_or_else(PoisonError::into_inner);
        lacking.retain(|waiter| !waiter.is_same(&self.0));
        NUMBER.store(lacking.len(), Ordering::Relaxed);
        drop(lacking);
        Runtime::with(|runtime| runtime.forget(&self.0));
    }
}

/// A descriptor was closed in this thread: who waits in another may try again.
pub(crate) fn descriptor_closed() {
    if NUMBER.load(Ordering::Relaxed) == 0 {
        return;
    }
    // Held by another thread, it was perhaps held when this process was forked. Who waits tries again by itself.
    let waiters = match LACKING.try_lock() {
        Ok(lacking) => lacking.clone(),
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().clone(),
        Err(TryLockError::WouldBlock) => return,
    };
    for waiter in waiters {
        waiter.wake();
    }
}

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
