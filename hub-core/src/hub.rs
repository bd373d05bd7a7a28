use std::io;
use std::mem;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use crate::{Interest, Ready, Token};

/// The longest time that a hub hands to its system, about three years: longer values are refused
/// by some systems. A longer timeout waits this long and is then an empty wait.
pub const LONGEST_WAIT: Duration = Duration::from_secs(100_000_000);

/// When the caller arms a registration, and for how long the hub then reports it.
///
/// ```
/// use hub_core::{Hub, Interest, Token, Trigger};
/// use std::{io::Write, os::fd::AsFd, os::unix::net::UnixStream, time::Duration};
///
/// let mut hub = hub_poll::Poll::new()?;
/// let (mut near, far) = UnixStream::pair()?;
/// near.write_all(b"x")?;
/// let reports = |hub: &mut hub_poll::Poll| {
///     let mut events = Vec::new();
///     hub.wait(Some(Duration::ZERO), &mut events).map(|()| events.len())
/// };
/// let token = Token::from_raw(1);
/// for (trigger, twice) in [(Trigger::Oneshot, 0), (Trigger::Level, 1)] {
///     hub.add(far.as_fd(), token, trigger)?;
///     hub.arm(far.as_fd(), token, Interest::READ)?;
///     assert_eq!((reports(&mut hub)?, reports(&mut hub)?), (1, twice));
///     hub.remove(far.as_fd(), token)?;
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// The caller arms a direction only when it is not ready: a system call has said `WouldBlock`,
    /// or has transferred less than was asked where that proves as much (see
    /// [`NotReady::ShortTransfer`](crate::NotReady::ShortTransfer)). The hub may be
    /// edge-triggered. This is the cheapest, and what the [`Reactor`](crate::Reactor) uses.
    Edge,
    /// Armed at any time; one report if it is ready then or as soon as it is.
    Oneshot,
    /// Reported by every wait for as long as it is ready and armed.
    Level,
}

/// One report: this registration is ready like this.
///
/// ```
/// use hub_core::{Event, Ready, Token};
/// let event = Event { token: Token::from_raw(7), ready: Ready::READ | Ready::RDHUP };
/// assert!(event.ready.is_readable() && !event.ready.is_writable());
/// ```
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
/// - **Urgent data makes reading ready**, with any trigger: the read stops at its mark.
/// - **After `remove` no later wait reports that token**, and the hub has let go of the file
///   before `remove` returns: if the caller closes the last descriptor of it, the peer sees the end.
/// - **A timeout is never early**, and below a millisecond it sleeps and does not spin. A wait may
///   return early with nothing (a signal arrived): the caller looks at its clock.
/// - **A wait fills the room it is given**: it reports as much of what is ready as the list has
///   spare capacity for, or more.
/// - **Regular files are always ready**, whatever the system says of them.
/// - **A descriptor that was closed while it was registered** is reported once as
///   [`Ready::NVAL`] or not at all; the others go on. `remove` with its old number and token
///   succeeds and frees the number, also if another file has the number by then.
/// - **A passing shortage of the system is no error of a wait**: the hub tries again, as
///   [`backend::wait`](crate::backend::wait) does. (The suite cannot make one.)
///
/// Programs do not recognise a hub by its name: what others want to know of it are methods with a
/// default body.
///
/// ```
/// use hub_core::{Hub, Interest, Token, Trigger};
/// use std::{io, io::Write, os::fd::AsFd, os::unix::net::UnixStream, time::Duration};
///
/// /// Waits for one byte on any hub.
/// fn hears(mut hub: Box<dyn Hub>) -> io::Result<()> {
///     println!(
///         "{}: edges without arming {}, hang-ups {}, notices reuse {}, nests {}",
///         hub.name(),
///         hub.reads_need_no_arm(),
///         hub.shows_hang_ups(),
///         hub.notices_reuse(),
///         hub.as_fd().is_some(),
///     );
///     let (mut near, far) = UnixStream::pair()?;
///     let token = Token::from_raw(1);
///     hub.add(far.as_fd(), token, Trigger::Oneshot)?;
///     hub.arm(far.as_fd(), token, Interest::READ)?;
///     near.write_all(b"x")?;
///     let mut events = Vec::new();
///     hub.wait(Some(Duration::from_secs(5)), &mut events)?;
///     assert!(events[0].token == token && !hub.was_interrupted());
///     hub.remove(far.as_fd(), token)?;
///
///     let fresh = hub.renew()?; // As the child of a fork does, which then
///     hub.abandon(); // lets go of the old one.
///     assert_eq!(fresh.name(), "poll");
///     Ok(())
/// }
/// hears(Box::new(hub_poll::Poll::new()?))?;
/// # Ok::<(), io::Error>(())
/// ```
pub trait Hub {
    /// A short lower-case name, for people to read: `epoll`, `poll`.
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

    /// True if a signal ended the last wait, for loops that must hear of signals. A hub that does
    /// not know says no.
    fn was_interrupted(&self) -> bool {
        false
    }

    /// A descriptor that is readable while this hub has something to report, if the system offers
    /// one: with it a hub can be nested in another event loop.
    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// True if a registration with [`Trigger::Edge`] is reported when it becomes readable, armed
    /// or not: then nobody need call [`arm`](Hub::arm) for reading. It must not change.
    fn reads_need_no_arm(&self) -> bool {
        false
    }

    /// True if reports show [`Ready::HUP`] and [`Ready::ERR`] of what is armed. A hub that says
    /// no reports such a descriptor as readable or writable.
    fn shows_hang_ups(&self) -> bool {
        false
    }

    /// True if [`arm`](Hub::arm) with [`Trigger::Level`] says `NotFound` when the number was
    /// closed and belongs to another file by now. A hub that watches the number alone says no.
    fn notices_reuse(&self) -> bool {
        false
    }

    /// Makes a hub of the same kind, with the same settings and no registrations: the child of a
    /// fork goes on with it, since it shares with the parent what this one has in the system.
    ///
    /// # Errors
    /// `Unsupported`, which is the default, if the hub cannot do so; else what the system says.
    fn renew(&self) -> io::Result<Box<dyn Hub>> {
        let what = format!("the hub {} cannot make another of its kind", self.name());
        Err(io::Error::new(io::ErrorKind::Unsupported, what))
    }

    /// Lets go of the hub in the child of a fork, where what it has in the system is the parent's
    /// as well: nothing of that may change. The default forgets the hub, so that it keeps its
    /// memory and descriptors; one whose destructor does no harm to the parent drops itself.
    fn abandon(self: Box<Self>) {
        mem::forget(self);
    }
}

/// A hub that was chosen at run time. `Box<dyn Hub>` stays in its thread; for one that goes to
/// another take `Box<dyn Hub + Send>`, which the hubs of this workspace all fit into.
///
/// ```
/// use hub_core::{Hub, Reactor};
/// use std::{thread, time::Duration};
///
/// let hub: Box<dyn Hub + Send> = Box::new(hub_poll::Poll::new()?);
/// let loops = thread::spawn(move || {
///     let mut reactor = Reactor::<&str>::new(Box::new(hub));
///     reactor.turn(Some(Duration::from_millis(1)), &mut Vec::new()).is_ok()
/// });
/// assert!(loops.join().unwrap());
/// # Ok::<(), std::io::Error>(())
/// ```
impl<H: Hub + ?Sized> Hub for Box<H> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn add(&mut self, fd: BorrowedFd<'_>, token: Token, trigger: Trigger) -> io::Result<()> {
        (**self).add(fd, token, trigger)
    }

    fn arm(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        (**self).arm(fd, token, interest)
    }

    fn remove(&mut self, fd: BorrowedFd<'_>, token: Token) -> io::Result<()> {
        (**self).remove(fd, token)
    }

    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        (**self).wait(timeout, events)
    }

    fn was_interrupted(&self) -> bool {
        (**self).was_interrupted()
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        (**self).as_fd()
    }

    fn reads_need_no_arm(&self) -> bool {
        (**self).reads_need_no_arm()
    }

    fn shows_hang_ups(&self) -> bool {
        (**self).shows_hang_ups()
    }

    fn notices_reuse(&self) -> bool {
        (**self).notices_reuse()
    }

    fn renew(&self) -> io::Result<Box<dyn Hub>> {
        (**self).renew()
    }

    fn abandon(self: Box<Self>) {
        (*self).abandon();
    }
}
