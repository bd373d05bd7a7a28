use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use crate::{Interest, Ready, Token};

/// The longest time that a hub hands to its system, about three years: longer values are refused
/// by some systems. A longer timeout waits this long and is then an empty wait.
pub const LONGEST_WAIT: Duration = Duration::from_secs(100_000_000);

/// What the caller promises about when it arms a registration, or needs of the reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// The caller arms a direction only when it is not ready: after a system call has said
    /// `WouldBlock` or has transferred less than was asked. The hub may be edge-triggered. This
    /// is the cheapest, and what the [`Reactor`](crate::Reactor) uses.
    Edge,
    /// Armed at any time; one report if it is ready then or as soon as it is.
    Oneshot,
    /// Reported by every wait for as long as it is ready and armed.
    Level,
}

/// One report: this registration is ready like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The token that the registration was added with.
    pub token: Token,
    /// What it is ready for.
    pub ready: Ready,
}

/// A readiness backend: it watches descriptors and says which are ready.
///
/// A hub knows descriptors, tokens and a timeout; no callbacks, timers, clocks or wake-ups. It
/// belongs to one thread at a time. The rules, which the conformance suite states as tests:
///
/// - **Registration is all or nothing.** A refused descriptor leaves nothing behind. A number is
///   registered once: a second [`add`](Hub::add) is `AlreadyExists`, and
///   [`arm`](Hub::arm) or [`remove`](Hub::remove) with a number or token that is not registered
///   is `NotFound`.
/// - **Reports are about what is armed.** A fresh registration is not armed. With
///   [`Trigger::Edge`] and [`Trigger::Oneshot`] interests add up, and a report consumes the
///   directions that it makes ready. With [`Trigger::Level`] `arm` replaces the interest and
///   [`Interest::NONE`] disarms. An `Edge` registration may also be reported when it is not
///   armed: reports are hints. For the other two such a report is a defect.
/// - **What is not armed does not spin**, also when its peer has hung up.
/// - **HUP and ERR make both directions ready.** The retried system call finds the real error.
/// - **After `remove` no later wait reports that token.**
/// - **A timeout is never early**, and below a millisecond it sleeps and does not spin. A wait may
///   return early with nothing (a signal arrived): the caller looks at its clock.
/// - **Regular files are always ready**, whatever the system says of them.
/// - **A descriptor that was closed while it was registered** is reported once as
///   [`Ready::NVAL`] or not at all; the others go on. `remove` with its old number and token
///   succeeds and frees the number.
pub trait Hub {
    /// A short lower-case name: `epoll`, `poll`.
    fn name(&self) -> &'static str;

    /// Registers a descriptor, once in its life here. It is not armed.
    ///
    /// # Errors
    /// `AlreadyExists` if this number is registered, EBADF for one that is not open, and what the
    /// system refuses. Nothing is left behind.
    fn add(&mut self, fd: BorrowedFd<'_>, token: Token, trigger: Trigger) -> io::Result<()>;

    /// Asks for a report of these directions. See [`Trigger`] for when to call it.
    ///
    /// # Errors
    /// `NotFound` if this descriptor is not registered under this token, or the system has
    /// dropped it since.
    fn arm(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()>;

    /// Ends a registration. Call it before the descriptor is closed.
    ///
    /// # Errors
    /// `NotFound` if this descriptor is not registered under this token.
    fn remove(&mut self, fd: BorrowedFd<'_>, token: Token) -> io::Result<()>;

    /// Waits until something is ready, the timeout is over (`None`: never) or a signal arrives,
    /// and appends what is ready to `events`.
    ///
    /// # Errors
    /// Only what makes the hub itself unusable. `events` is then as it was.
    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()>;

    /// Whether a signal ended the last wait, for loops that must hear of signals. A hub that does
    /// not know says no.
    fn was_interrupted(&self) -> bool {
        false
    }

    /// A descriptor that is readable while this hub has something to report, if the system offers
    /// one: with it a hub can be nested in another event loop.
    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}
