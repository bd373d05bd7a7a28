//! Semaphores: a number of permits, and those who wait for one, in order.
//!
//! A permit that is given back goes straight to the one that has waited longest, so nobody overtakes; one that is
//! killed or runs out of time after it was given a permit passes it on.
//!
//! [`Semaphore`] is for one OS thread; [`sync::Semaphore`](crate::sync::Semaphore) for all.

mod bounded;
mod capped;
mod permit;

use std::fmt;
use std::time::Duration;

use crate::primitives::local_or_shared::{OneThread, Sharing, WaiterOf, change};
use crate::runtime::{Ended, Reason, Runtime, Wait, WaitList, Why};

pub use bounded::{BoundedSemaphore, NotAcquired};
pub use capped::{CappedSemaphore, CountAboveLimit};
pub use permit::{Permit, Release};

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
pub type Semaphore = Counting<OneThread>;

/// A counting semaphore: [`Semaphore`] or [`sync::Semaphore`](crate::sync::Semaphore).
///
/// ```
/// let semaphore = green::sync::Semaphore::new(2);
/// let _permit = semaphore.acquire();
/// assert_eq!(semaphore.counter(), 1);
///
/// let last = semaphore.try_acquire().unwrap();
/// assert!(semaphore.is_locked() && semaphore.try_acquire().is_none());
/// last.forget();
/// semaphore.release(); // What was forgotten,
/// semaphore.add_permits(2); // and two more.
/// assert_eq!(semaphore.balance(), 3);
/// ```
pub struct Counting<S: Sharing> {
    state: S::Cell<Permits<S>>,
}

struct Permits<S: Sharing> {
    /// Zero while anybody waits.
    counter: usize,
    waiters: WaitList<(), WaiterOf<S>>,
}

impl<S: Sharing> Permits<S> {
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
            state: S::cell(Permits {
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
        self.try_take().then(|| Permit::of(self))
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
        change::<S, _, _>(&self.state, |state, woken| match state.waiters.pop() {
            Some((waiter, ())) => woken.push(waiter),
            None => state.counter = state.counter.saturating_add(1),
        });
    }

    /// Adds `count` permits, as that many calls of [`release`](Self::release); the counter goes as far as it can count.
    pub fn add_permits(&self, count: usize) {
        change::<S, _, _>(&self.state, |state, woken| {
            let mut left = count;
            while left > 0
                && let Some((waiter, ())) = state.waiters.pop()
            {
                woken.push(waiter);
                left -= 1;
            }
            state.counter = state.counter.saturating_add(left);
        });
    }

    /// How many permits are free.
    pub fn counter(&self) -> usize {
        S::with(&self.state, |state| state.counter)
    }

    /// How many permits are free, less how many wait for one.
    pub fn balance(&self) -> isize {
        S::with(&self.state, |state| {
            let counter = isize::try_from(state.counter).unwrap_or(isize::MAX);
            counter.saturating_sub_unsigned(state.waiters.parked())
        })
    }

    /// True if no permit is free: the next `acquire` waits.
    pub fn is_locked(&self) -> bool {
        self.counter() == 0
    }

    #[inline]
    pub(crate) fn try_take(&self) -> bool {
        S::with(&self.state, Permits::take)
    }

    /// Takes a permit. False if the time was up first, or the thread unwinds.
    #[inline]
    pub(crate) fn take(&self, timeout: Option<Duration>) -> bool {
        Runtime::with(|runtime| {
            runtime.spend();
            self.try_take() || self.wait_as(runtime, "a semaphore", timeout)
        })
    }

    /// Waits for a permit. Reports call what is waited for a `kind`.
    #[inline(never)]
    pub(crate) fn wait_as(
        &self,
        runtime: &Runtime,
        kind: &'static str,
        timeout: Option<Duration>,
    ) -> bool {
        let reason = Reason::Primitive(kind, std::ptr::from_ref(self).addr());
        let deadline = runtime.deadline(timeout);
        loop {
            let ended = runtime.wait::<S::From, _, _>(Wait {
                reason,
                deadline,
                enter: |waiter| {
                    S::with(&self.state, |state| match state.take() {
                        true => None,
                        false => Some(state.waiters.push(waiter, ())),
                    })
                },
                leave: |place| S::with(&self.state, |state| state.waiters.leave(place)),
                pass_on: || self.release(),
            });
            match ended {
                Ended::Served => return true,
                Ended::NotServed(Why::Again, ()) => {}
                Ended::NotServed(Why::Expired | Why::Unwinding, ()) => return false,
            }
        }
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

impl<S: Sharing> Release for Counting<S> {
    #[inline]
    fn take_back(&self) {
        self.release();
    }
}
