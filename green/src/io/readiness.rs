//! Waiting for descriptors: whatever in green waits for one waits here.
//!
//! [`registered`] is for one that the reactor knows for the whole of its life, as it does green's sockets and pipes;
//! [`Watch`] is for all others, which it knows for the time of one wait; [`leave_waker`] is for async code. Nothing here
//! unwinds: a kill or a deadline is given to the caller, who cleans up and then raises it.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::task::Waker;
use std::time::{Duration, Instant};

use hub_core::{Direction, Interest, ParkError, Ready, Token, Trigger};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use super::backoff::Backoff;
use crate::runtime::{Alarm, Interrupt, Reason, Runtime, Waiter, Wake, Watched};

/// How a wait for descriptors ended.
#[must_use]
#[derive(Debug)]
pub(crate) enum Ended {
    /// One is worth a try. It is a hint.
    Ready,
    Expired,
    /// To be raised, once the caller has undone what it had begun.
    Interrupted(Interrupt),
    /// Nothing was waited for: the thread is unwinding.
    Unwinding,
    /// It could not be waited for.
    Refused(io::Error),
}

impl Ended {
    /// As a call says it that waited for `what`. Raises an interrupt.
    #[inline]
    pub(crate) fn or_raise(self, what: Reason) -> io::Result<()> {
        match self {
            Ended::Ready => Ok(()),
            ended => ended.raise(what),
        }
    }

    #[cold]
    #[inline(never)]
    fn raise(self, what: Reason) -> io::Result<()> {
        match self {
            Ended::Ready => Ok(()),
            Ended::Expired => Err(timed_out(what)),
            Ended::Interrupted(interrupt) => interrupt.raise(),
            Ended::Unwinding => Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                format!("cannot wait for {what} while the thread unwinds"),
            )),
            Ended::Refused(error) => Err(error),
        }
    }
}

impl From<Wake> for Ended {
    fn from(wake: Wake) -> Ended {
        match wake {
            Wake::Event => Ended::Ready,
            Wake::Expired => Ended::Expired,
            Wake::Interrupted(interrupt) => Ended::Interrupted(interrupt),
            Wake::Unwinding => Ended::Unwinding,
        }
    }
}

#[cold]
pub(crate) fn timed_out(what: Reason) -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        format!("timed out waiting for {what}"),
    )
}

/// What every call on a closed socket says, and every wait that a close has ended.
#[cold]
pub(crate) fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the socket was closed")
}

pub(crate) fn reason(number: RawFd, direction: Direction) -> Reason {
    match direction {
        Direction::Read => Reason::Readable(number),
        Direction::Write => Reason::Writable(number),
    }
}

/// Waits for a descriptor that is registered as `token`, of which the last call in this direction has said that it
/// would block.
///
/// In three parts, of which one is left on the stack during the switch.
#[inline(never)]
pub(crate) fn registered(
    runtime: &Runtime,
    token: Token,
    number: RawFd,
    direction: Direction,
    deadline: Option<Instant>,
) -> Ended {
    if let Err(error) = enrol(runtime, token, number, direction) {
        return Ended::Refused(error);
    }
    match runtime.park(reason(number, direction), deadline) {
        Wake::Event => Ended::Ready,
        wake => leave(runtime, token, direction, wake),
    }
}

#[inline(never)]
fn enrol(runtime: &Runtime, token: Token, number: RawFd, direction: Direction) -> io::Result<()> {
    let waiter = runtime.waiter();
    let park = |alarm| runtime.reactor(|reactor| reactor.park(token, direction, alarm));
    match park(Alarm::Park(waiter)) {
        Ok(()) => Ok(()),
        Err(ParkError::Busy(alarm)) if displace(runtime, token, direction) => {
            park(alarm).map_err(|refusal| refused(runtime, token, number, direction, refusal))
        }
        Err(refusal) => Err(refused(runtime, token, number, direction, refusal)),
    }
}

/// Takes back what `enrol` has left. A greenthread waits in one place at a time, so it is found by its greenthread.
#[cold]
#[inline(never)]
fn leave(runtime: &Runtime, token: Token, direction: Direction, wake: Wake) -> Ended {
    let is_mine = |alarm: &Alarm| match alarm {
        Alarm::Park(waiter) => runtime.is_current(waiter.task()),
        _ => false,
    };
    let left = runtime.reactor(|reactor| reactor.unpark(token, direction, is_mine));
    drop(left);
    wake.into()
}

/// A greenthread that waits takes the place of a task: whether anybody still awaits what that has begun cannot be known.
/// The task is woken, and its next poll is refused for as long as the greenthread waits. False if there is none.
#[cold]
fn displace(runtime: &Runtime, token: Token, direction: Direction) -> bool {
    let is_waker = |alarm: &Alarm| matches!(alarm, Alarm::Waker(_));
    let left = runtime.reactor(|reactor| reactor.unpark(token, direction, is_waker));
    match left {
        Some(alarm) => {
            alarm.wake();
            true
        }
        None => false,
    }
}

#[cold]
#[inline(never)]
fn refused(
    runtime: &Runtime,
    token: Token,
    number: RawFd,
    direction: Direction,
    refusal: ParkError<Alarm>,
) -> io::Error {
    match refusal {
        ParkError::Busy(_) => busy(runtime, token, number, direction),
        ParkError::Gone(_) => closed(),
        ParkError::Io(error, _) => error,
    }
}

fn busy(runtime: &Runtime, token: Token, number: RawFd, direction: Direction) -> io::Error {
    let verb = match direction {
        Direction::Read => "reads from",
        Direction::Write => "writes to",
    };
    let first = runtime.reactor(|reactor| match reactor.waiter(token, direction) {
        Some(Alarm::Park(waiter)) => waiter.task().id,
        _ => 0,
    });
    let second = runtime.current().id;
    io::Error::new(
        io::ErrorKind::ResourceBusy,
        format!(
            "greenthread {second} cannot wait for descriptor {number}: greenthread {first} {verb} it already; \
             let one greenthread do it, or allow more with debug::allow_multiple_waiters(true)"
        ),
    )
}

/// Has the reactor wake `waker` when it reports `direction`, and no other that was left here before.
pub(crate) fn leave_waker(
    runtime: &Runtime,
    token: Token,
    number: RawFd,
    direction: Direction,
    waker: &Waker,
) -> io::Result<()> {
    let known = runtime.reactor(|reactor| {
        matches!(
            reactor.waiter(token, direction),
            Some(Alarm::Waker(known)) if known.will_wake(waker)
        )
    });
    if known {
        return Ok(());
    }
    // Cloned and dropped outside the reactor's borrow: what a waker does there is its own affair.
    let alarm = Alarm::Waker(waker.clone());
    let (former, left) = runtime.reactor(|reactor| {
        let is_waker = |alarm: &Alarm| matches!(alarm, Alarm::Waker(_));
        let former = reactor.unpark(token, direction, is_waker);
        (former, reactor.park(token, direction, alarm))
    });
    drop(former);
    left.map_err(|refusal| refused(runtime, token, number, direction, refusal))
}

/// The waker that `leave_waker` would replace by `waker` is taken back.
pub(crate) fn withdraw_waker(token: Token, direction: Direction, waker: &Waker) {
    let left = Runtime::with(|runtime| {
        runtime.with_reactor(|reactor| {
            let is_same =
                |alarm: &Alarm| matches!(alarm, Alarm::Waker(left) if left.will_wake(waker));
            reactor.unpark(token, direction, is_same)
        })
    });
    drop(left);
}

/// Waits for one descriptor of any kind. If the process has none left to register it with, the system is asked from
/// time to time.
pub(crate) fn one(
    runtime: &Runtime,
    fd: BorrowedFd<'_>,
    direction: Direction,
    deadline: Option<Instant>,
) -> Ended {
    let mut watch = Watch::new(runtime);
    let number = fd.as_raw_fd();
    let added = fd
        .try_clone_to_owned()
        .and_then(|own| watch.add(Rc::new(own), runtime.watch(number), direction.into()));
    match added {
        Ok(()) => watch.wait(reason(number, direction), deadline),
        Err(error) if is_shortage(&error) => {
            drop(watch);
            one_by_asking(runtime, fd, direction, deadline)
        }
        Err(error) => Ended::Refused(error),
    }
}

#[cold]
fn one_by_asking(
    runtime: &Runtime,
    fd: BorrowedFd<'_>,
    direction: Direction,
    deadline: Option<Instant>,
) -> Ended {
    let watched = runtime.watch(fd.as_raw_fd());
    let mut backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(100));
    loop {
        if watched.is_closed() {
            return Ended::Refused(closed());
        }
        match is_ready(fd, direction) {
            Ok(true) => return Ended::Ready,
            Ok(false) => {}
            Err(error) => return Ended::Refused(error),
        }
        let now = runtime.now();
        if deadline.is_some_and(|deadline| deadline <= now) {
            return Ended::Expired;
        }
        let next = now + backoff.next();
        let until = deadline.map_or(next, |deadline| deadline.min(next));
        match runtime.park(reason(fd.as_raw_fd(), direction), Some(until)) {
            Wake::Expired => {}
            wake => return wake.into(),
        }
    }
}

/// True if the process or the system lacks descriptors or memory.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM | libc::ENOSPC)
    )
}

/// Asks the system, without waiting.
pub(crate) fn is_ready(fd: BorrowedFd<'_>, direction: Direction) -> io::Result<bool> {
    let wanted = match direction {
        Direction::Read => PollFlags::IN,
        Direction::Write => PollFlags::OUT,
    };
    ask(fd, wanted).map(|ready| !ready.is_empty())
}

/// True if nothing will ever be received any more from this socket and the other end, or this one, has said so.
pub(crate) fn is_read_shut(fd: impl AsFd) -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        ask(fd.as_fd(), PollFlags::RDHUP).is_ok_and(|ready| ready.contains(PollFlags::RDHUP))
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = fd;
        false
    }
}

fn ask(fd: BorrowedFd<'_>, wanted: PollFlags) -> io::Result<PollFlags> {
    let mut fds = [PollFd::from_borrowed_fd(fd, wanted)];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    match rustix::event::poll(&mut fds, Some(&now)) {
        Ok(_) => Ok(fds[0].revents()),
        Err(Errno::INTR) => Ok(PollFlags::empty()),
        Err(error) => Err(error.into()),
    }
}

/// Registrations for the time of one wait, all with the same waiter.
pub(crate) struct Watch<'a> {
    runtime: &'a Runtime,
    waiter: Waiter,
    tokens: Vec<(Token, Interest)>,
    watched: Vec<Rc<Watched>>,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(runtime: &'a Runtime) -> Watch<'a> {
        Watch {
            runtime,
            waiter: runtime.waiter(),
            tokens: Vec::new(),
            watched: Vec::new(),
        }
    }

    /// Registers a duplicate that nobody else has registered. `watched` stands for the number of the original, whose
    /// close ends the wait.
    ///
    /// # Errors
    /// What the hub says.
    pub(crate) fn add(
        &mut self,
        own: Rc<OwnedFd>,
        watched: Rc<Watched>,
        interest: Interest,
    ) -> io::Result<()> {
        watched.enter(&self.waiter);
        self.watched.push(watched);
        self.runtime.reactor(|reactor| {
            let token = reactor.add_with(own, Trigger::Oneshot)?;
            self.tokens.push((token, interest));
            for direction in directions(interest) {
                let parked = reactor.park(token, direction, Alarm::Park(self.waiter.clone()));
                if let Err(ParkError::Io(error, _)) = parked {
                    return Err(error);
                }
            }
            Ok(())
        })
    }

    /// Waits for the first of them.
    pub(crate) fn wait(&self, what: Reason, deadline: Option<Instant>) -> Ended {
        let ended = match self.refuse_closed() {
            Ok(()) => self.runtime.park(what, deadline).into(),
            Err(error) => Ended::Refused(error),
        };
        match (ended, self.refuse_closed()) {
            (Ended::Ready, Err(error)) => Ended::Refused(error),
            (ended, _) => ended,
        }
    }

    /// Takes a turn of the hub without waiting.
    pub(crate) fn look(&self) -> io::Result<()> {
        self.refuse_closed()?;
        self.runtime.turn(Some(Duration::ZERO));
        Ok(())
    }

    fn refuse_closed(&self) -> io::Result<()> {
        let mut all = self.watched.iter();
        match all.find(|watched| watched.is_closed()) {
            None => Ok(()),
            Some(watched) => Err(io::Error::new(
                io::ErrorKind::NotConnected,
                format!(
                    "cannot wait for descriptor {}: its owner has closed it",
                    watched.number()
                ),
            )),
        }
    }

    /// For each, in the order in which they were added, the directions whose waiter is gone: the hub has reported them.
    pub(crate) fn finish(mut self) -> Vec<Ready> {
        let tokens = std::mem::take(&mut self.tokens);
        let ready = tokens.iter().map(|&(token, interest)| {
            let removed = self.runtime.remove(token);
            let left = removed.map_or_else(Vec::new, |removed| removed.waiters);
            directions(interest)
                .filter(|direction| !left.iter().any(|(other, _)| other == direction))
                .fold(Ready::NONE, |ready, direction| {
                    ready
                        | match direction {
                            Direction::Read => Ready::READ,
                            Direction::Write => Ready::WRITE,
                        }
                })
        });
        ready.collect()
    }
}

fn directions(interest: Interest) -> impl Iterator<Item = Direction> {
    let both = [Direction::Read, Direction::Write];
    both.into_iter()
        .filter(move |direction| interest.has(*direction))
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        for (token, _) in self.tokens.drain(..) {
            let removed = self.runtime.remove(token);
            drop(removed);
        }
        for watched in &self.watched {
            watched.leave(&self.waiter);
        }
    }
}
