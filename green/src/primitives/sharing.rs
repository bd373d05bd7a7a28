//! One thread or all: the two ways to share a primitive, and the one way in which all of them wait.

#[cfg(test)]
mod model;

use std::cell::{OnceCell, RefCell};
use std::error::Error;
use std::fmt;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::runtime::{Place, Reason, RemoteWaiter, Runtime, Waiter, Waiting, Wake};

/// Who may use a primitive: [`Local`] or [`Shared`].
///
/// Each primitive is written once, for both. This trait cannot be implemented elsewhere.
#[allow(
    private_bounds,
    reason = "what a sharing is made of is no part of the interface"
)]
pub trait Sharing: Reach {
    /// An error that all who wait for it can have: `Rc<dyn Error>`, or `Arc<dyn Error + Send + Sync>`.
    type Error: Clone + fmt::Debug;

    /// What a wait gives that was refused.
    #[doc(hidden)]
    fn unwinding() -> Self::Error;
}

/// For the greenthreads of one OS thread: cheap, neither `Send` nor `Sync`.
#[derive(Debug)]
pub enum Local {}

/// For the greenthreads of all OS threads; a plain thread counts as one, with a single greenthread.
#[derive(Debug)]
pub enum Shared {}

impl Sharing for Local {
    type Error = Rc<dyn Error>;

    fn unwinding() -> Rc<dyn Error> {
        Rc::new(Unwinding)
    }
}

impl Sharing for Shared {
    type Error = Arc<dyn Error + Send + Sync>;

    fn unwinding() -> Arc<dyn Error + Send + Sync> {
        Arc::new(Unwinding)
    }
}

/// What a [`Sharing`] is made of.
pub(crate) trait Reach: Sized + 'static {
    /// Holds the state of a primitive.
    type Cell<T>;
    /// Holds a value that is set once.
    type Once<T>;
    /// Owns something together with others.
    type Ptr<T>: Clone + Deref<Target = T>;
    /// Wakes one park.
    type Waiter: Waiting;
    /// What must be given back after that park.
    type Receipt;

    fn cell<T>(value: T) -> Self::Cell<T>;
    fn once<T>() -> Self::Once<T>;
    fn set<T>(once: &Self::Once<T>, value: T) -> Result<(), T>;
    fn get<T>(once: &Self::Once<T>) -> Option<&T>;
    fn ptr<T>(value: T) -> Self::Ptr<T>;

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
    type Once<T> = OnceCell<T>;
    type Ptr<T> = Rc<T>;
    type Waiter = Waiter;
    type Receipt = ();

    fn cell<T>(value: T) -> RefCell<T> {
        RefCell::new(value)
    }

    fn once<T>() -> OnceCell<T> {
        OnceCell::new()
    }

    fn set<T>(once: &OnceCell<T>, value: T) -> Result<(), T> {
        once.set(value)
    }

    #[inline]
    fn get<T>(once: &OnceCell<T>) -> Option<&T> {
        once.get()
    }

    fn ptr<T>(value: T) -> Rc<T> {
        Rc::new(value)
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
    type Once<T> = OnceLock<T>;
    type Ptr<T> = Arc<T>;
    /// `None` is a waiter that nobody can wake.
    type Waiter = Option<RemoteWaiter>;
    type Receipt = Option<RemoteWaiter>;

    fn cell<T>(value: T) -> Mutex<T> {
        Mutex::new(value)
    }

    fn once<T>() -> OnceLock<T> {
        OnceLock::new()
    }

    fn set<T>(once: &OnceLock<T>, value: T) -> Result<(), T> {
        once.set(value)
    }

    #[inline]
    fn get<T>(once: &OnceLock<T>) -> Option<&T> {
        once.get()
    }

    fn ptr<T>(value: T) -> Arc<T> {
        Arc::new(value)
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

impl Waiting for RemoteWaiter {
    /// Whether a park in another thread goes on cannot be known: one that was served too late passes on what it got.
    fn is_parked(&self) -> bool {
        true
    }

    fn wake(&self) {
        RemoteWaiter::wake(self);
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
    /// Most changes wake one, or none.
    rest: Option<Vec<W>>,
}

impl<W: Waiting> Woken<W> {
    #[inline]
    fn new() -> Woken<W> {
        Woken {
            first: None,
            rest: None,
        }
    }

    #[inline]
    pub(crate) fn extend(&mut self, waiter: Option<W>) {
        if let Some(waiter) = waiter {
            self.push(waiter);
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, waiter: W) {
        if self.first.is_none() {
            self.first = Some(waiter);
        } else {
            self.rest.get_or_insert_default().push(waiter);
        }
    }
}

impl<W: Waiting> Drop for Woken<W> {
    #[inline]
    fn drop(&mut self) {
        if let Some(first) = &self.first {
            first.wake();
            self.rest.iter().flatten().for_each(W::wake);
        }
    }
}

/// How a wait in a [`WaitList`](crate::runtime::WaitList) ended.
#[must_use]
pub(crate) enum Outcome<T> {
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
) -> Outcome<T> {
    let (waiter, receipt) = S::waiter(runtime);
    let Some(place) = enter(waiter) else {
        S::give_back(runtime, receipt);
        return Outcome::Served;
    };
    let mut ways_out = WaysOut(Some((place, leave, pass_on)));
    let wake = S::park(runtime, &receipt, reason, deadline);
    let Some((place, leave, pass_on)) = ways_out.0.take() else {
        unreachable!("only the end of a park takes them");
    };
    S::give_back(runtime, receipt);
    match (leave(place), wake) {
        (None, Wake::Interrupted(interrupt)) if interrupt.is_kill() => {
            pass_on();
            interrupt.raise()
        }
        // A deadline that passed in the same turn has come too late; that of a scope comes again at the next wait.
        (None, _) => Outcome::Served,
        (Some(with), Wake::Interrupted(interrupt)) => {
            drop(with);
            interrupt.raise()
        }
        (Some(with), Wake::Event) => Outcome::Again(with),
        (Some(with), Wake::Expired) => Outcome::Expired(with),
        (Some(with), Wake::Unwinding) => Outcome::Unwinding(with),
    }
}

/// What is done for one that is unwound inside its park, with its whole stack: so ends, with its thread, a greenthread
/// that has refused to.
struct WaysOut<T, L: FnOnce(Place) -> Option<T>, P: FnOnce()>(Option<(Place, L, P)>);

impl<T, L: FnOnce(Place) -> Option<T>, P: FnOnce()> Drop for WaysOut<T, L, P> {
    #[inline]
    fn drop(&mut self) {
        if let Some((place, leave, pass_on)) = self.0.take()
            && leave(place).is_none()
        {
            pass_on();
        }
    }
}

/// A call would have had to wait while its thread unwinds from a panic, a kill or a timeout, which it must not: a switch
/// would show the panic to other greenthreads. Nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unwinding;

impl fmt::Display for Unwinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing can wait while its thread unwinds")
    }
}

impl Error for Unwinding {}
