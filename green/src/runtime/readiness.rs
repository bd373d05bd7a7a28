//! Waiting for descriptors: every wait of green for one goes through here.
//!
//! [`registered`] is for one that the reactor knows for the whole of its life, as it does green's sockets and pipes;
//! [`leave_waker`] is the same for async code. All others are registered for the time of one wait: see
//! [`once`](super::once). Nothing in either unwinds: a kill or a deadline is given to the caller, who cleans up and
//! then raises it.

use std::io;
use std::os::fd::RawFd;
use std::task::Waker;
use std::time::Instant;

use hub_core::{Direction, ParkError, Reactor, Token};

use super::{Alarm, Interrupt, Reason, Runtime, Wake};

/// How a wait for descriptors ended.
#[must_use]
#[derive(Debug)]
pub(crate) enum Waited {
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

impl Waited {
    /// As a call says it that waited for `what`. Raises an interrupt.
    #[inline]
    pub(crate) fn or_raise(self, what: Reason) -> io::Result<()> {
        match self {
            Waited::Ready => Ok(()),
            ended => ended.raise(what),
        }
    }

    #[cold]
    #[inline(never)]
    fn raise(self, what: Reason) -> io::Result<()> {
        match self {
            Waited::Ready => Ok(()),
            Waited::Expired => Err(timed_out(what)),
            Waited::Interrupted(interrupt) => interrupt.raise(),
            Waited::Unwinding => Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                format!("cannot wait for {what} while the thread unwinds"),
            )),
            Waited::Refused(error) => Err(error),
        }
    }
}

impl From<Wake> for Waited {
    fn from(wake: Wake) -> Waited {
        match wake {
            Wake::Event | Wake::Again => Waited::Ready,
            Wake::Expired => Waited::Expired,
            Wake::Interrupted(interrupt) => Waited::Interrupted(interrupt),
            Wake::Unwinding => Waited::Unwinding,
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
/// In parts, of which one is left on the stack during the switch.
#[inline(never)]
pub(crate) fn registered(
    runtime: &Runtime,
    token: Token,
    number: RawFd,
    direction: Direction,
    deadline: Option<Instant>,
) -> Waited {
    registered_here(runtime, token, number, direction, deadline)
}

/// As `registered`, as a part of its caller: one frame less on the stack during the switch. It is for the few calls that
/// wait most.
#[inline(always)]
pub(crate) fn registered_here(
    runtime: &Runtime,
    token: Token,
    number: RawFd,
    direction: Direction,
    deadline: Option<Instant>,
) -> Waited {
    if let Err(error) = enrol(runtime, token, number, direction) {
        return Waited::Refused(error);
    }
    match runtime.park(reason(number, direction), deadline) {
        Wake::Event => Waited::Ready,
        wake => leave(runtime, token, direction, wake),
    }
}

/// Leaves a waiter at the descriptor: in most cases without a call.
#[inline(always)]
fn enrol(runtime: &Runtime, token: Token, number: RawFd, direction: Direction) -> io::Result<()> {
    let waiter = || Alarm::Park(runtime.waiter());
    let park = |reactor: &mut Reactor<Alarm>| reactor.park_at_once(token, direction, waiter);
    match runtime.reactor(park) {
        true => Ok(()),
        false => enrol_with_care(runtime, token, number, direction),
    }
}

#[inline(never)]
fn enrol_with_care(
    runtime: &Runtime,
    token: Token,
    number: RawFd,
    direction: Direction,
) -> io::Result<()> {
    let waiter = runtime.waiter();
    let park = |reactor: &mut Reactor<Alarm>| reactor.park(token, direction, Alarm::Park(waiter));
    match runtime.reactor(park) {
        Ok(()) => Ok(()),
        Err(refusal) => enrol_again(runtime, token, number, direction, refusal),
    }
}

#[cold]
#[inline(never)]
fn enrol_again(
    runtime: &Runtime,
    token: Token,
    number: RawFd,
    direction: Direction,
    refusal: ParkError<Alarm>,
) -> io::Result<()> {
    let refusal = match refusal {
        ParkError::Busy(alarm) if displace(runtime, token, direction) => {
            match runtime.reactor(|reactor| reactor.park(token, direction, alarm)) {
                Ok(()) => return Ok(()),
                Err(refusal) => refusal,
            }
        }
        refusal => refusal,
    };
    Err(refused(runtime, token, number, direction, refusal))
}

/// Takes back what `enrol` has left. A greenthread waits in one place at a time, so it is found by its greenthread.
#[cold]
#[inline(never)]
fn leave(runtime: &Runtime, token: Token, direction: Direction, wake: Wake) -> Waited {
    let is_mine = |alarm: &Alarm| match alarm {
        Alarm::Park(waiter) => runtime.is_current(waiter.task()),
        _ => false,
    };
    let left = runtime.reactor(|reactor| reactor.unpark(token, direction, is_mine));
    drop(left);
    wake.into()
}

/// A greenthread that waits takes the place of a task: whether anybody still awaits what that has begun cannot be
/// known. The task is woken, and its next poll is refused for as long as the greenthread waits. False if there is
/// none.
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
