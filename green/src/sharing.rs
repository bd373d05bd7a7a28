//! One thread or all: the two ways to share a primitive, and the one way in which all of them wait.

use std::cell::RefCell;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::runtime::{Place, Reason, RemoteWaiter, Runtime, Waiter, Waiting, Wake};

/// Who may use a primitive: [`Local`] or [`Shared`].
///
/// Each primitive is written once, for both. This trait cannot be implemented elsewhere.
#[allow(
    private_bounds,
    reason = "what a sharing is made of is no part of the interface"
)]
pub trait Sharing: Reach {}

/// For the greenthreads of one OS thread: cheap, neither `Send` nor `Sync`.
#[derive(Debug)]
pub enum Local {}

/// For the greenthreads of all OS threads; a plain thread counts as one, with a single greenthread.
#[derive(Debug)]
pub enum Shared {}

impl Sharing for Local {}
impl Sharing for Shared {}

/// What a [`Sharing`] is made of.
pub(crate) trait Reach: Sized + 'static {
    /// Holds the state of a primitive.
    type Cell<T>;
    /// Wakes one park.
    type Waiter: Waiting;
    /// What must be given back after that park.
    type Receipt;

    fn cell<T>(value: T) -> Self::Cell<T>;

    /// Gives `f` the state to itself. `f` neither waits nor runs code of the user.
    fn with<T, R>(cell: &Self::Cell<T>, f: impl FnOnce(&mut T) -> R) -> R;

    /// The waiter for the next park of the current greenthread.
    fn waiter(runtime: &Runtime) -> (Self::Waiter, Self::Receipt);

    fn park(
        runtime: &Runtime,
        receipt: &Self::Receipt,
        reason: Reason,
        deadline: Option<Instant>,
    ) -> Wake;

    fn give_back(runtime: &Runtime, receipt: Self::Receipt);
}

impl Reach for Local {
    type Cell<T> = RefCell<T>;
    type Waiter = Waiter;
    type Receipt = ();

    fn cell<T>(value: T) -> RefCell<T> {
        RefCell::new(value)
    }

    #[inline]
    fn with<T, R>(cell: &RefCell<T>, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut cell.borrow_mut())
    }

    #[inline]
    fn waiter(runtime: &Runtime) -> (Waiter, ()) {
        (runtime.waiter(), ())
    }

    #[inline]
    fn park(runtime: &Runtime, (): &(), reason: Reason, deadline: Option<Instant>) -> Wake {
        runtime.park(reason, deadline)
    }

    #[inline]
    fn give_back(_: &Runtime, (): ()) {}
}

/// How often a greenthread looks for itself that no other thread can wake, for want of a descriptor.
const LOOK: Duration = Duration::from_millis(5);

impl Reach for Shared {
    type Cell<T> = Mutex<T>;
    /// `None` is a waiter that nobody can wake.
    type Waiter = Option<RemoteWaiter>;
    type Receipt = Option<RemoteWaiter>;

    fn cell<T>(value: T) -> Mutex<T> {
        Mutex::new(value)
    }

    #[inline]
    fn with<T, R>(cell: &Mutex<T>, f: impl FnOnce(&mut T) -> R) -> R {
        // No code of the user runs under the lock, so nothing is left half done there.
        f(&mut cell.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn waiter(runtime: &Runtime) -> (Self::Waiter, Self::Receipt) {
        let waiter = runtime.remote_waiter();
        if let Err(error) = &waiter {
            log::warn!(
                "no descriptor by which other threads could wake this one ({error}): \
                 it looks by itself every {LOOK:?} until it has one"
            );
        }
        let waiter = waiter.ok();
        (waiter.clone(), waiter)
    }

    fn park(
        runtime: &Runtime,
        receipt: &Self::Receipt,
        reason: Reason,
        deadline: Option<Instant>,
    ) -> Wake {
        if receipt.is_some() {
            return runtime.park(reason, deadline);
        }
        let look = runtime.now() + LOOK;
        match runtime.park(
            reason,
            deadline.map_or(Some(look), |deadline| Some(deadline.min(look))),
        ) {
            Wake::Expired if deadline.is_none_or(|deadline| look < deadline) => Wake::Event,
            wake => wake,
        }
    }

    fn give_back(runtime: &Runtime, receipt: Self::Receipt) {
        if let Some(remote) = receipt {
            runtime.forget(&remote);
        }
    }
}

impl Waiting for Option<RemoteWaiter> {
    /// Whether a park in another thread goes on cannot be known: one that was served too late passes on what it got.
    fn is_parked(&self) -> bool {
        self.is_some()
    }

    fn wake(&self) {
        if let Some(remote) = self {
            remote.wake();
        }
    }
}

/// Changes a state, and then wakes those whom the change has served: after it, outside the lock.
#[inline]
pub(crate) fn change<S: Reach, T, R>(
    cell: &S::Cell<T>,
    f: impl FnOnce(&mut T, &mut Woken<S::Waiter>) -> R,
) -> R {
    let mut woken = Woken::new();
    S::with(cell, |state| f(state, &mut woken))
}

/// Waiters that have been taken out of their list: each is woken when this is dropped.
pub(crate) struct Woken<W: Waiting> {
    first: Option<W>,
    rest: Vec<W>,
}

impl<W: Waiting> Woken<W> {
    #[inline]
    fn new() -> Woken<W> {
        Woken {
            first: None,
            rest: Vec::new(),
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, waiter: W) {
        if self.first.is_none() {
            self.first = Some(waiter);
        } else {
            self.rest.push(waiter);
        }
    }
}

impl<W: Waiting> Drop for Woken<W> {
    #[inline]
    fn drop(&mut self) {
        if let Some(first) = &self.first {
            first.wake();
            self.rest.iter().for_each(W::wake);
        }
    }
}

/// How a wait in a [`WaitList`](crate::runtime::WaitList) ended.
#[must_use]
pub(crate) enum Waited<T> {
    /// Somebody took it out of the list: what it waited for is its own. Or there was nothing to wait for.
    Served,
    /// It was woken for another reason and has left the list, with what it had brought along: look again.
    Again(T),
    /// The deadline passed.
    Expired(T),
    /// Nothing was waited for: the thread is unwinding.
    Unwinding(T),
}

/// Waits in a list: the one place where a primitive parks.
///
/// `enter` looks once more whether there is anything to wait for (`None` says no) and takes a place in the list.
/// `leave` takes it out of there and gives `None` if it had been served. If it was served but is being killed,
/// `pass_on` gives to the next what it got.
#[inline]
pub(crate) fn wait<S: Reach, T>(
    runtime: &Runtime,
    reason: Reason,
    deadline: Option<Instant>,
    enter: impl FnOnce(S::Waiter) -> Option<Place>,
    leave: impl FnOnce(Place) -> Option<T>,
    pass_on: impl FnOnce(),
) -> Waited<T> {
    let (waiter, receipt) = S::waiter(runtime);
    let Some(place) = enter(waiter) else {
        S::give_back(runtime, receipt);
        return Waited::Served;
    };
    let wake = S::park(runtime, &receipt, reason, deadline);
    S::give_back(runtime, receipt);
    match (leave(place), wake) {
        (None, Wake::Interrupted(interrupt)) if interrupt.is_kill() => {
            pass_on();
            interrupt.raise()
        }
        // A deadline that passed in the same turn has come too late; that of a scope comes again at the next wait.
        (None, _) => Waited::Served,
        (Some(with), Wake::Interrupted(interrupt)) => {
            drop(with);
            interrupt.raise()
        }
        (Some(with), Wake::Event) => Waited::Again(with),
        (Some(with), Wake::Expired) => Waited::Expired(with),
        (Some(with), Wake::Unwinding) => Waited::Unwinding(with),
    }
}
