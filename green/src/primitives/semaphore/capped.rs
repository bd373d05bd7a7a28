//! A semaphore with an upper limit that blocks as well.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::queue::{Order, Ordered};

/// A semaphore that waits on both sides: `acquire` while the counter is zero, `release` while it is at the limit.
///
/// Those who acquire and those who release are usually different greenthreads, so it gives no permits that come back
/// by themselves. With a limit of zero each `release` waits for an `acquire` and the other way round.
///
/// ```
/// use std::rc::Rc;
/// use green::CappedSemaphore;
///
/// let slots = Rc::new(CappedSemaphore::new(2, 2)?);
/// assert!(!slots.try_release());
/// let other = Rc::clone(&slots);
/// green::spawn_n(move || drop(other.acquire()));
/// slots.release(); // waits for that
/// assert_eq!(slots.counter(), 2);
///
/// let moment = std::time::Duration::from_millis(1);
/// assert!(slots.is_bounded() && !slots.release_timeout(moment));
/// assert!(slots.try_acquire() && slots.try_acquire());
/// assert!(slots.is_locked() && !slots.acquire_timeout(moment));
/// assert_eq!(slots.balance(), -2);
/// # Ok::<(), green::semaphore::CountAboveLimit>(())
/// ```
pub struct CappedSemaphore {
    units: Ordered<(), Units>,
    limit: usize,
}

impl CappedSemaphore {
    /// A semaphore with `count` units, and never more than `limit`.
    ///
    /// # Errors
    /// If `count` is above `limit`.
    pub fn new(count: usize, limit: usize) -> Result<CappedSemaphore, CountAboveLimit> {
        if count > limit {
            return Err(CountAboveLimit { count, limit });
        }
        Ok(CappedSemaphore {
            units: Ordered::with(Units(count), Some(limit)),
            limit,
        })
    }

    /// Takes a unit, after all who have waited before.
    ///
    /// True, but for a thread that unwinds: nothing can wait then.
    pub fn acquire(&self) -> bool {
        self.units.get_for(None).is_ok()
    }

    /// Takes a unit if that need not wait.
    #[must_use]
    pub fn try_acquire(&self) -> bool {
        self.units.try_get().is_ok()
    }

    /// As [`acquire`](Self::acquire), for at most `timeout`. False if the time was up first.
    #[must_use]
    pub fn acquire_timeout(&self, timeout: Duration) -> bool {
        self.units.get_for(Some(timeout)).is_ok()
    }

    /// Gives a unit, after all who have waited before.
    ///
    /// True, but for a thread that unwinds: nothing can wait then.
    pub fn release(&self) -> bool {
        self.units.put_for((), None).is_ok()
    }

    /// Gives a unit if that need not wait.
    #[must_use]
    pub fn try_release(&self) -> bool {
        self.units.try_put(()).is_ok()
    }

    /// As [`release`](Self::release), for at most `timeout`. False if the time was up first.
    #[must_use]
    pub fn release_timeout(&self, timeout: Duration) -> bool {
        self.units.put_for((), Some(timeout)).is_ok()
    }

    /// How many units are free.
    pub fn counter(&self) -> usize {
        self.units.len()
    }

    /// How many `acquire`s would go through now, less how many `release`s would. Those who wait in one of them count
    /// as that many below zero.
    ///
    /// If nobody waits it is the limit while all units are free, and minus the limit while all are taken.
    pub fn balance(&self) -> isize {
        let signed = |n: usize| isize::try_from(n).unwrap_or(isize::MAX);
        let waiting = signed(self.units.putting()) - signed(self.units.getting());
        let acquires = signed(self.counter()).saturating_add(waiting);
        let releases = signed(self.limit).saturating_sub(acquires);
        acquires.saturating_sub(releases)
    }

    /// True if the next `acquire` waits.
    pub fn is_locked(&self) -> bool {
        !self.units.has_item()
    }

    /// True if the next `release` waits.
    pub fn is_bounded(&self) -> bool {
        !self.units.has_room()
    }
}

impl fmt::Debug for CappedSemaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CappedSemaphore")
            .field("counter", &self.counter())
            .field("limit", &self.limit)
            .field("balance", &self.balance())
            .finish()
    }
}

/// Units that have nothing to them but their number.
#[derive(Debug, Default)]
struct Units(usize);

impl Order<()> for Units {
    fn push(&mut self, (): (), _: usize) {
        self.0 += 1;
    }

    fn pop(&mut self, _: usize) -> Option<()> {
        self.0 = self.0.checked_sub(1)?;
        Some(())
    }

    fn peek(&self) -> Option<&()> {
        (self.0 > 0).then_some(&())
    }

    fn len(&self) -> usize {
        self.0
    }
}

/// A [`CappedSemaphore`] was to begin above its limit.
///
/// ```
/// let error = green::CappedSemaphore::new(3, 2).unwrap_err();
/// assert_eq!(error.to_string(), "a semaphore cannot begin with 3 units: its limit is 2");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountAboveLimit {
    count: usize,
    limit: usize,
}

impl fmt::Display for CountAboveLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CountAboveLimit { count, limit } = self;
        write!(
            f,
            "a semaphore cannot begin with {count} units: its limit is {limit}"
        )
    }
}

impl Error for CountAboveLimit {}
