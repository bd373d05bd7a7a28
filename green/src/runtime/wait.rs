//! How a greenthread waits: the one place where all do, whatever they wait for.
//!
//! [`Runtime::wait`] is for everything but descriptors: a primitive says where a waiter enters, how it leaves, and what
//! becomes of what it was given if it cannot take it. Those who end a wait take the waiter out and wake it.

use std::cell::RefCell;
use std::mem;
use std::time::Instant;

use super::remote_wait::RemoteWaiter;
use super::{Interrupt, Place, Reason, Runtime, WaitList, Waiter, Waiting, Wake};

/// How a wait ended.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended<T = ()> {
    /// What was waited for is the caller's own: somebody has taken the waiter out to give it. Or there was nothing to wait
    /// for.
    Served,
    /// It is not, and the waiter has left, with what it had brought along.
    NotServed(Why, T),
}

impl<T> Ended<T> {
    #[inline]
    pub(crate) fn is_served(&self) -> bool {
        matches!(self, Ended::Served)
    }

    /// Why it was not served.
    #[inline]
    pub(crate) fn served(self) -> Result<(), Why> {
        match self {
            Ended::Served => Ok(()),
            Ended::NotServed(why, _) => Err(why),
        }
    }
}

/// Why a wait has ended that was not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The waiter was woken for another reason: the caller looks again.
    Again,
    /// The deadline has passed.
    Expired,
    /// Nothing was waited for: the thread unwinds, or has ended.
    Unwinding,
}

/// A wait to be: see [`Runtime::wait`].
pub(crate) struct Wait<E, L, P> {
    pub(crate) reason: Reason,
    pub(crate) deadline: Option<Instant>,
    /// Looks once more whether there is anything to wait for (`None` says no), and leaves the waiter where it will be
    /// found.
    pub(crate) enter: E,
    /// Takes the waiter out again, with what it had brought along. `None` says that somebody has taken it out before, to
    /// serve it.
    pub(crate) leave: L,
    /// Gives to the next what this one was served with, as it is being killed.
    pub(crate) pass_on: P,
}

/// From where a wait can be ended: [`Here`] or [`Anywhere`].
pub(crate) trait Origin {
    /// Ends one park.
    type Waiter: Waiting;
    /// What belongs to the park itself.
    type Parking;

    /// The waiter for the next park of the current greenthread.
    fn waiter(runtime: &Runtime) -> (Self::Waiter, Self::Parking);

    fn park(
        runtime: &Runtime,
        parking: Self::Parking,
        reason: Reason,
        deadline: Option<Instant>,
    ) -> Wake;
}

/// From this thread.
pub(crate) enum Here {}

/// From every thread.
pub(crate) enum Anywhere {}

impl Origin for Here {
    type Waiter = Waiter;
    type Parking = ();

    #[inline(always)]
    fn waiter(runtime: &Runtime) -> (Waiter, ()) {
        (runtime.waiter(), ())
    }

    #[inline(always)]
    fn park(runtime: &Runtime, (): (), reason: Reason, deadline: Option<Instant>) -> Wake {
        runtime.park(reason, deadline)
    }
}

impl Origin for Anywhere {
    /// `None` is a waiter that nobody can wake.
    type Waiter = Option<RemoteWaiter>;
    /// True if another thread can wake it.
    type Parking = bool;

    fn waiter(runtime: &Runtime) -> (Option<RemoteWaiter>, bool) {
        let waiter = runtime.remote_waiter();
        let reachable = waiter.is_some();
        (waiter, reachable)
    }

    fn park(runtime: &Runtime, reachable: bool, reason: Reason, deadline: Option<Instant>) -> Wake {
        runtime.park_for_primitive(reachable, reason, deadline)
    }
}

impl Runtime {
    /// Waits, and raises what interrupts that.
    ///
    /// A greenthread that is served and killed in the same turn passes on what it got. A deadline that passes in the
    /// same turn has come too late; that of a `Timeout` comes again at the next wait. A deadline that has passed
    /// before lets the others run once.
    #[inline]
    pub(crate) fn wait<O: Origin, K, T>(
        &self,
        wait: Wait<impl FnOnce(O::Waiter) -> Option<K>, impl FnOnce(K) -> Option<T>, impl FnOnce()>,
    ) -> Ended<T> {
        match self.try_wait::<O, K, T>(wait) {
            Ok(ended) => ended,
            Err(interrupt) => interrupt.raise(),
        }
    }

    /// As `wait`, but gives what interrupts the wait to the caller, who undoes what it has begun and raises it.
    #[inline]
    pub(crate) fn try_wait<O: Origin, K, T>(
        &self,
        wait: Wait<impl FnOnce(O::Waiter) -> Option<K>, impl FnOnce(K) -> Option<T>, impl FnOnce()>,
    ) -> Result<Ended<T>, Interrupt> {
        let Wait {
            reason,
            deadline,
            enter,
            leave,
            pass_on,
        } = wait;
        let late = deadline.is_some_and(|deadline| self.has_passed(deadline));
        if late {
            self.let_others_run();
        }
        let (waiter, parking) = O::waiter(self);
        let Some(place) = enter(waiter) else {
            return Ok(Ended::Served);
        };
        let mut way_out = WayOut(Some((place, leave, pass_on)));
        let wake = match late {
            true => self.late(),
            false => O::park(self, parking, reason, deadline),
        };
        let Some((place, leave, pass_on)) = way_out.0.take() else {
            unreachable!("only the end of a park takes the way out");
        };
        mem::forget(way_out);
        match (leave(place), wake) {
            (None, Wake::Interrupted(interrupt)) if interrupt.is_kill() => {
                pass_on();
                Err(interrupt)
            }
            (None, _) => Ok(Ended::Served),
            (Some(with), Wake::Interrupted(interrupt)) => {
                drop(with);
                Err(interrupt)
            }
            (Some(with), Wake::Event | Wake::Again) => Ok(Ended::NotServed(Why::Again, with)),
            (Some(with), Wake::Expired) => Ok(Ended::NotServed(Why::Expired, with)),
            (Some(with), Wake::Unwinding) => Ok(Ended::NotServed(Why::Unwinding, with)),
        }
    }

    /// Waits in a list until it is taken out of there, with nothing to bring along or to pass on.
    pub(crate) fn wait_in(
        &self,
        list: &RefCell<WaitList>,
        reason: Reason,
        deadline: Option<Instant>,
    ) -> Ended {
        self.wait_while(list, reason, deadline, || true)
    }

    /// As `wait_in`, for as long as `open` says that there is something to wait for: it is asked as the last thing before
    /// each wait.
    pub(crate) fn wait_while(
        &self,
        list: &RefCell<WaitList>,
        reason: Reason,
        deadline: Option<Instant>,
        open: impl Fn() -> bool,
    ) -> Ended {
        match self.try_wait_while(list, reason, deadline, open) {
            Ok(ended) => ended,
            Err(interrupt) => interrupt.raise(),
        }
    }

    /// As `wait_while`, but gives what interrupts the wait to the caller.
    pub(crate) fn try_wait_while(
        &self,
        list: &RefCell<WaitList>,
        reason: Reason,
        deadline: Option<Instant>,
        open: impl Fn() -> bool,
    ) -> Result<Ended, Interrupt> {
        loop {
            let ended = self.try_wait::<Here, Place, ()>(Wait {
                reason,
                deadline,
                enter: |waiter| open().then(|| list.borrow_mut().push(waiter, ())),
                leave: |place| list.borrow_mut().leave(place),
                pass_on: || (),
            })?;
            if ended != Ended::NotServed(Why::Again, ()) {
                return Ok(ended);
            }
        }
    }

    /// What a park would say whose deadline has passed before it begins.
    fn late(&self) -> Wake {
        if self.cannot_switch() {
            return Wake::Unwinding;
        }
        let task = self.current();
        match task.is_interrupted() {
            true => Wake::Interrupted(Interrupt::new(task)),
            false => Wake::Expired,
        }
    }
}

/// What is done for one that is unwound inside its park, with its whole stack: so ends, with its thread, a greenthread
/// that has refused to.
struct WayOut<K, T, L: FnOnce(K) -> Option<T>, P: FnOnce()>(Option<(K, L, P)>);

impl<K, T, L: FnOnce(K) -> Option<T>, P: FnOnce()> Drop for WayOut<K, T, L, P> {
    #[inline]
    fn drop(&mut self) {
        if let Some((place, leave, pass_on)) = self.0.take()
            && leave(place).is_none()
        {
            pass_on();
        }
    }
}
