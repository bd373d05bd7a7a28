//! A semaphore that notices when it is released too often.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::{Permit, Release, Semaphore};

/// A semaphore that takes back no more permits than it has given.
///
/// ```
/// let semaphore = green::BoundedSemaphore::new(1);
/// drop(semaphore.acquire());
/// assert!(semaphore.release().is_err());
///
/// semaphore.try_acquire().unwrap().forget();
/// assert!(semaphore.acquire_timeout(std::time::Duration::from_millis(1)).is_none());
/// assert!(semaphore.is_locked());
/// semaphore.release().unwrap();
/// assert_eq!((semaphore.counter(), semaphore.balance()), (1, 1));
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

    /// See [`Semaphore::acquire`](super::Counting::acquire).
    pub fn acquire(&self) -> Permit<'_, BoundedSemaphore> {
        self.acquire_by(|permits| permits.take(None))
    }

    /// As `acquire`, for who has a way of its own to take a permit.
    pub(crate) fn acquire_by(
        &self,
        take: impl FnOnce(&Semaphore) -> bool,
    ) -> Permit<'_, BoundedSemaphore> {
        Permit::or_nothing(self, take(&self.permits))
    }

    /// See [`Semaphore::try_acquire`](super::Counting::try_acquire).
    pub fn try_acquire(&self) -> Option<Permit<'_, BoundedSemaphore>> {
        self.permits.try_take().then(|| Permit::of(self))
    }

    /// See [`Semaphore::acquire_timeout`](super::Counting::acquire_timeout).
    pub fn acquire_timeout(&self, timeout: Duration) -> Option<Permit<'_, BoundedSemaphore>> {
        self.permits.take(Some(timeout)).then(|| Permit::of(self))
    }

    /// Gives a permit back: see [`Semaphore::release`](super::Counting::release).
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

    /// See [`Semaphore::counter`](super::Counting::counter).
    pub fn counter(&self) -> usize {
        self.permits.counter()
    }

    /// See [`Semaphore::balance`](super::Counting::balance).
    pub fn balance(&self) -> isize {
        self.permits.balance()
    }

    /// See [`Semaphore::is_locked`](super::Counting::is_locked).
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
///
/// ```
/// assert_eq!(green::Lock::new().release(), Err(green::semaphore::NotAcquired));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAcquired;

impl fmt::Display for NotAcquired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("released more often than acquired")
    }
}

impl Error for NotAcquired {}
