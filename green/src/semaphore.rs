//! Semaphores: a number of permits, and those who wait for one, in order.
//!
//! A permit that is given back goes straight to the one that has waited longest, so nobody overtakes; one that is
//! killed or runs out of time after it was given a permit passes it on.
//!
//! [`Semaphore`] is for one OS thread; [`sync::Semaphore`](crate::sync::Semaphore) for all.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::runtime::{Reason, Runtime, WaitList, Waiting, Wake};
use crate::sharing::{Local, Sharing, Waited, wait};

/// A semaphore for the greenthreads of one OS thread.
///
/// ```
/// use std::rc::Rc;
/// use green::Semaphore;
///
/// let connections = Rc::new(Semaphore::new(2));
/// for _ in 0..5 {
///     let connections = Rc::clone(&connections);
///     green::spawn_n(move || {
///         let _permit = connections.acquire();
///         green::yield_now(); // at most two are here at a time
///     });
/// }
/// green::yield_now();
/// assert_eq!(connections.balance(), -3);
/// ```
pub type Semaphore = Counting<Local>;

/// A counting semaphore: [`Semaphore`] or [`sync::Semaphore`](crate::sync::Semaphore).
pub struct Counting<S: Sharing> {
    state: S::Cell<State<S>>,
}

struct State<S: Sharing> {
    /// Zero while anybody waits.
    counter: usize,
    waiters: WaitList<(), S::Waiter>,
}

impl<S: Sharing> State<S> {
    fn take(&mut self) -> bool {
        let taken = self.counter > 0;
        if taken {
            self.counter -= 1;
        }
        taken
    }
}

impl<S: Sharing> Counting<S> {
    /// A semaphore with `count` permits. With none, the first `acquire` waits for the first `release`.
    pub fn new(count: usize) -> Self {
        Counting {
            state: S::cell(State {
                counter: count,
                waiters: WaitList::new(),
            }),
        }
    }

    /// Takes a permit, after all who have waited before. The permit is given back when it is dropped.
    ///
    /// While the thread unwinds (in a destructor that a panic or a kill runs) nothing can wait: if no permit is free
    /// then, this is logged as an error and what is returned holds nothing ([`Permit::is_held`]).
    ///
    /// ```
    /// let semaphore = green::Semaphore::new(1);
    /// {
    ///     let _permit = semaphore.acquire();
    ///     assert!(semaphore.is_locked());
    /// }
    /// assert!(!semaphore.is_locked());
    /// ```
    #[inline]
    pub fn acquire(&self) -> Permit<'_, Self> {
        Permit::or_nothing(self, self.take(None))
    }

    /// Takes a permit if one is free. It never waits, and never overtakes one who does.
    #[inline]
    pub fn try_acquire(&self) -> Option<Permit<'_, Self>> {
        S::with(&self.state, State::take).then(|| Permit::of(self))
    }

    /// As [`acquire`](Self::acquire), for at most `timeout`. `None` says that there was no permit in that time, or
    /// that the thread unwinds and nothing could wait.
    ///
    /// A timeout of zero lets the others run once.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let semaphore = green::Semaphore::new(0);
    /// assert!(semaphore.acquire_timeout(Duration::from_millis(1)).is_none());
    /// ```
    #[inline]
    pub fn acquire_timeout(&self, timeout: Duration) -> Option<Permit<'_, Self>> {
        self.take(Some(timeout)).then(|| Permit::of(self))
    }

    /// Adds a permit, for the one that has waited longest if anybody waits. It never switches.
    ///
    /// It is for permits that were [forgotten](Permit::forget), and for those that were never taken: the counter may
    /// go above what it was made with (see [`BoundedSemaphore`]).
    #[inline]
    pub fn release(&self) {
        let waiter = S::with(&self.state, |state| {
            let waiter = state.waiters.pop();
            if waiter.is_none() {
                state.counter = state.counter.saturating_add(1);
            }
            waiter
        });
        if let Some((waiter, ())) = waiter {
            waiter.wake();
        }
    }

    /// Adds `count` permits, as that many calls of [`release`](Self::release).
    pub fn add_permits(&self, count: usize) {
        for _ in 0..count {
            self.release();
        }
    }

    /// How many permits are free.
    pub fn counter(&self) -> usize {
        S::with(&self.state, |state| state.counter)
    }

    /// How many permits are free, less how many wait for one.
    pub fn balance(&self) -> isize {
        S::with(&self.state, |state| {
            state.counter.cast_signed() - state.waiters.parked().cast_signed()
        })
    }

    /// True if no permit is free: the next `acquire` waits.
    pub fn is_locked(&self) -> bool {
        self.counter() == 0
    }

    /// Takes a permit. False if the time was up first, or the thread unwinds.
    #[inline]
    fn take(&self, timeout: Option<Duration>) -> bool {
        S::with(&self.state, State::take) || self.wait(timeout)
    }

    #[inline(never)]
    fn wait(&self, timeout: Option<Duration>) -> bool {
        let reason = Reason::Primitive("a semaphore", std::ptr::from_ref(self).addr());
        Runtime::with(|runtime| {
            let deadline = runtime.deadline(timeout);
            loop {
                let waited = wait::<S, _>(
                    runtime,
                    reason,
                    deadline,
                    |waiter| {
                        S::with(&self.state, |state| match state.take() {
                            true => None,
                            false => Some(state.waiters.push(waiter, ())),
                        })
                    },
                    |place| S::with(&self.state, |state| state.waiters.leave(place)),
                );
                match waited {
                    Waited::Served => return true,
                    Waited::Killed(interrupt) => {
                        self.release();
                        interrupt.raise()
                    }
                    Waited::Left((), Wake::Interrupted(interrupt)) => interrupt.raise(),
                    Waited::Left((), Wake::Event) => {}
                    Waited::Left((), Wake::Expired | Wake::Unwinding) => return false,
                }
            }
        })
    }
}

/// One permit, as a semaphore has at first if nothing else is said.
impl<S: Sharing> Default for Counting<S> {
    fn default() -> Self {
        Counting::new(1)
    }
}

impl<S: Sharing> fmt::Debug for Counting<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("counter", &self.counter())
            .field("balance", &self.balance())
            .finish()
    }
}

/// What a [`Permit`] is given back to.
pub trait Release {
    /// Takes back what one permit stands for. It never waits.
    fn take_back(&self);
}

impl<S: Sharing> Release for Counting<S> {
    #[inline]
    fn take_back(&self) {
        self.release();
    }
}

/// The right to go on that a semaphore or a lock has given: given back when dropped.
#[derive(Debug)]
#[must_use = "a permit that is not kept is given back at once"]
pub struct Permit<'a, R: Release> {
    of: Option<&'a R>,
}

impl<'a, R: Release> Permit<'a, R> {
    #[inline]
    pub(crate) fn of(of: &'a R) -> Permit<'a, R> {
        Permit { of: Some(of) }
    }

    #[inline]
    pub(crate) fn or_nothing(of: &'a R, held: bool) -> Permit<'a, R> {
        if held {
            Permit::of(of)
        } else {
            Permit::nothing()
        }
    }

    #[cold]
    fn nothing() -> Permit<'a, R> {
        log::error!(
            "a permit or lock was asked for while its thread unwinds, and there was none: \
             nothing can wait then, so the code goes on without; see Permit::is_held"
        );
        Permit { of: None }
    }

    /// False if there was no permit and the thread, which unwinds, could not wait for one.
    ///
    /// Only code that can run in a destructor has to ask.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.of.is_some()
    }

    /// Keeps the permit taken. It comes back by a call of `release`.
    ///
    /// ```
    /// let semaphore = green::Semaphore::new(1);
    /// semaphore.acquire().forget();
    /// assert_eq!(semaphore.counter(), 0);
    /// semaphore.release();
    /// assert_eq!(semaphore.counter(), 1);
    /// ```
    pub fn forget(mut self) {
        self.of = None;
    }
}

impl<R: Release> Drop for Permit<'_, R> {
    #[inline]
    fn drop(&mut self) {
        if let Some(of) = self.of {
            of.take_back();
        }
    }
}

/// A semaphore that takes back no more permits than it has given.
///
/// ```
/// let semaphore = green::BoundedSemaphore::new(1);
/// drop(semaphore.acquire());
/// assert!(semaphore.release().is_err());
/// ```
#[derive(Debug)]
pub struct BoundedSemaphore {
    permits: Semaphore,
    bound: usize,
}

impl BoundedSemaphore {
    /// A semaphore with `count` permits, and never more.
    pub fn new(count: usize) -> BoundedSemaphore {
        BoundedSemaphore {
            permits: Semaphore::new(count),
            bound: count,
        }
    }

    /// See [`Semaphore::acquire`](Counting::acquire).
    pub fn acquire(&self) -> Permit<'_, BoundedSemaphore> {
        Permit::or_nothing(self, self.permits.take(None))
    }

    /// See [`Semaphore::try_acquire`](Counting::try_acquire).
    pub fn try_acquire(&self) -> Option<Permit<'_, BoundedSemaphore>> {
        self.permits.try_acquire().map(|permit| {
            permit.forget();
            Permit::of(self)
        })
    }

    /// See [`Semaphore::acquire_timeout`](Counting::acquire_timeout).
    pub fn acquire_timeout(&self, timeout: Duration) -> Option<Permit<'_, BoundedSemaphore>> {
        self.permits.take(Some(timeout)).then(|| Permit::of(self))
    }

    /// Gives a permit back: see [`Semaphore::release`](Counting::release).
    ///
    /// # Errors
    /// [`NotAcquired`] if all permits are free. Nothing changes then.
    pub fn release(&self) -> Result<(), NotAcquired> {
        if self.permits.counter() >= self.bound {
            return Err(NotAcquired);
        }
        self.permits.release();
        Ok(())
    }

    /// See [`Semaphore::counter`](Counting::counter).
    pub fn counter(&self) -> usize {
        self.permits.counter()
    }

    /// See [`Semaphore::balance`](Counting::balance).
    pub fn balance(&self) -> isize {
        self.permits.balance()
    }

    /// See [`Semaphore::is_locked`](Counting::is_locked).
    pub fn is_locked(&self) -> bool {
        self.permits.is_locked()
    }
}

/// One permit.
impl Default for BoundedSemaphore {
    fn default() -> BoundedSemaphore {
        BoundedSemaphore::new(1)
    }
}

impl Release for BoundedSemaphore {
    fn take_back(&self) {
        if let Err(error) = self.release() {
            log::error!("cannot give back the permit of a semaphore: {error}");
        }
    }
}

/// Something was to be released that nobody holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAcquired;

impl fmt::Display for NotAcquired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("released more often than acquired")
    }
}

impl Error for NotAcquired {}
