//! Locks between the greenthreads of one OS thread.
//!
//! [`Lock`] and [`RLock`] guard whatever their users agree on; [`Mutex`] and [`RwLock`] guard the value that they
//! hold. All are handed on in the order in which they were asked for, and all may be held over waits: that is what
//! sets them apart from std's, which block the whole thread. None is ever poisoned: a guard that is dropped by a kill
//! or a panic frees its lock as any other.
//!
//! Between two waits nobody else runs, so code that does not wait needs none of them.

mod condition;
mod mutex;
mod owner;
mod rlock;
mod rwlock;

use std::time::Duration;

use crate::semaphore::{BoundedSemaphore, NotAcquired, Permit};

use owner::Owner;

pub use condition::Condition;
pub use mutex::{Mutex, MutexGuard};
pub use rlock::RLock;
pub use rwlock::{ReadGuard, RwLock, WriteGuard};

/// A lock that holds no value. Any greenthread may release it.
///
/// ```
/// let lock = green::Lock::new();
/// {
///     let _held = lock.acquire();
///     assert!(lock.try_acquire().is_none());
/// }
/// assert!(lock.release().is_err());
///
/// let held = lock.acquire_timeout(std::time::Duration::from_secs(1)).unwrap();
/// assert!(lock.is_locked());
/// held.forget(); // Now somebody has to call `release`.
/// lock.release().unwrap();
/// ```
#[derive(Debug, Default)]
pub struct Lock {
    permit: BoundedSemaphore,
    owner: Owner,
}

impl Lock {
    /// A lock that nobody holds.
    pub fn new() -> Lock {
        Lock::default()
    }

    /// Waits for the lock. It is released when what this returns is dropped.
    ///
    /// While the thread unwinds nothing can wait: if the lock is taken then, this is logged as an error and what is
    /// returned holds nothing ([`Permit::is_held`]).
    pub fn acquire(&self) -> Permit<'_, BoundedSemaphore> {
        self.permit
            .acquire_by(|permit| self.owner.take(permit, None))
    }

    /// Takes the lock if it is free.
    pub fn try_acquire(&self) -> Option<Permit<'_, BoundedSemaphore>> {
        let acquired = self.permit.try_acquire();
        if acquired.is_some() {
            self.owner.enter();
        }
        acquired
    }

    /// As [`acquire`](Lock::acquire), for at most `timeout`. `None` says that the lock was not free in that time, or
    /// that the thread unwinds.
    pub fn acquire_timeout(&self, timeout: Duration) -> Option<Permit<'_, BoundedSemaphore>> {
        let permit = self
            .permit
            .acquire_by(|permit| self.owner.take(permit, Some(timeout)));
        permit.is_held().then_some(permit)
    }

    /// Releases a lock whose permit was [forgotten](Permit::forget).
    ///
    /// # Errors
    /// If it is not locked.
    pub fn release(&self) -> Result<(), NotAcquired> {
        self.permit.release()
    }

    /// True if somebody holds it.
    pub fn is_locked(&self) -> bool {
        self.permit.is_locked()
    }
}
