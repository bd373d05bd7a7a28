//! One thread or all: the two ways to share a primitive.

#[cfg(test)]
mod model;

use std::cell::{OnceCell, RefCell};
use std::error::Error;
use std::fmt;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use crate::runtime::{Anywhere, Here, Origin, Runtime, Waiting, lock};

/// Which threads may use a primitive: [`OneThread`] or [`Shared`].
///
/// Each primitive is written once, for both. This trait cannot be implemented elsewhere.
///
/// ```
/// use green::semaphore::Counting;
/// use green::sync::Sharing;
///
/// fn free<S: Sharing>(semaphore: &Counting<S>) -> usize {
///     semaphore.counter()
/// }
/// assert_eq!(free(&green::Semaphore::new(1)), free(&green::sync::Semaphore::new(1)));
/// ```
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
///
/// ```
/// use green::sync::OneThread;
///
/// let _semaphore: green::Semaphore = green::semaphore::Counting::<OneThread>::new(1);
/// ```
#[derive(Debug)]
pub enum OneThread {}

/// For the greenthreads of all OS threads; a plain thread counts as one, with a single greenthread.
///
/// ```
/// use green::sync::Shared;
///
/// let _semaphore: green::sync::Semaphore = green::semaphore::Counting::<Shared>::new(1);
/// ```
#[derive(Debug)]
pub enum Shared {}

impl Sharing for OneThread {
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
    /// From where its waits are ended.
    type From: Origin;
    /// Keeps other threads out of a state while code of the user runs in the middle of a change of it.
    type Gate: Default;
    /// The gate is passed until this is dropped.
    type Past<'a>;

    fn cell<T>(value: T) -> Self::Cell<T>;
    fn once<T>() -> Self::Once<T>;
    fn set<T>(once: &Self::Once<T>, value: T) -> Result<(), T>;
    fn get<T>(once: &Self::Once<T>) -> Option<&T>;
    fn ptr<T>(value: T) -> Self::Ptr<T>;

    /// Passes the gate, after other threads that have. `None` says that this thread has.
    fn enter(gate: &Self::Gate) -> Option<Self::Past<'_>>;

    /// Gives `f` the state to itself. `f` neither waits nor runs code of the user.
    fn with<T, R>(cell: &Self::Cell<T>, f: impl FnOnce(&mut T) -> R) -> R;
}

impl Reach for OneThread {
    type Cell<T> = RefCell<T>;
    type Once<T> = OnceCell<T>;
    type Ptr<T> = Rc<T>;
    type From = Here;
    type Gate = ();
    type Past<'a> = ();

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

    fn enter((): &()) -> Option<()> {
        Some(())
    }

    #[inline]
    fn with<T, R>(cell: &RefCell<T>, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut cell.borrow_mut())
    }
}

impl Reach for Shared {
    type Cell<T> = Mutex<T>;
    type Once<T> = OnceLock<T>;
    type Ptr<T> = Arc<T>;
    type From = Anywhere;
    type Gate = Gate;
    type Past<'a> = PastGate<'a>;

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

    fn enter(gate: &Gate) -> Option<PastGate<'_>> {
        gate.enter()
    }

    #[inline]
    fn with<T, R>(cell: &Mutex<T>, f: impl FnOnce(&mut T) -> R) -> R {
        // No code of the user runs under the lock, so nothing is left half done there.
        f(&mut lock(cell))
    }
}

/// See [`Reach::Gate`]. The thread that has passed it may come again, and is told so: it would wait for itself.
#[derive(Default)]
pub(crate) struct Gate {
    lock: Mutex<()>,
    /// One more than the serial number of the thread that has passed; zero if none has.
    owner: AtomicU64,
}

pub(crate) struct PastGate<'a> {
    gate: &'a Gate,
    _locked: MutexGuard<'a, ()>,
}

impl Gate {
    fn enter(&self) -> Option<PastGate<'_>> {
        let me = Runtime::with(Runtime::serial) + 1;
        // Nobody but this thread writes this number.
        if self.owner.load(Ordering::Relaxed) == me {
            return None;
        }
        let locked = lock(&self.lock);
        self.owner.store(me, Ordering::Relaxed);
        Some(PastGate {
            gate: self,
            _locked: locked,
        })
    }
}

impl Drop for PastGate<'_> {
    fn drop(&mut self) {
        self.gate.owner.store(0, Ordering::Relaxed);
    }
}

/// Wakes one park of one who waits for a primitive that is shared so.
pub(crate) type WaiterOf<S> = <<S as Reach>::From as Origin>::Waiter;

/// Changes a state, and then wakes those whom the change has served: after it, outside the lock.
#[inline]
pub(crate) fn change<S: Reach, T, R>(
    cell: &S::Cell<T>,
    f: impl FnOnce(&mut T, &mut Woken<WaiterOf<S>>) -> R,
) -> R {
    let mut woken = Woken::new();
    S::with(cell, |state| f(state, &mut woken))
}

/// Waiters that have been taken out of their list: each is woken when this is dropped.
// Most changes wake one, or none: they are not to look twice, nor for what there is to drop of others.
pub(crate) struct Woken<W: Waiting> {
    first: ManuallyDrop<Option<W>>,
    /// `None` if there is no first one.
    rest: ManuallyDrop<Option<Vec<W>>>,
}

impl<W: Waiting> Woken<W> {
    #[inline]
    pub(crate) fn new() -> Woken<W> {
        Woken {
            first: ManuallyDrop::new(None),
            rest: ManuallyDrop::new(None),
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
            self.first = ManuallyDrop::new(Some(waiter));
        } else {
            self.rest.get_or_insert_default().push(waiter);
        }
    }

    #[inline(never)]
    fn wake_all(&mut self) {
        if let Some(first) = self.first.take() {
            first.wake();
        }
        self.rest.take().iter().flatten().for_each(W::wake);
    }
}

impl<W: Waiting> Drop for Woken<W> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.first.is_some() {
            self.wake_all();
        }
    }
}

/// A call would have had to wait while its thread unwinds from a panic, a kill or a timeout, which it must not: a switch
/// would show the panic to other greenthreads. Nothing was done.
///
/// ```
/// assert_eq!(green::Unwinding.to_string(), "nothing can wait while its thread unwinds");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unwinding;

impl fmt::Display for Unwinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing can wait while its thread unwinds")
    }
}

impl Error for Unwinding {}
