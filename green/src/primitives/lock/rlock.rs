//! A lock that its owner may take again.

use std::cell::Cell;
use std::time::Duration;

use super::owner::Owner;
use crate::runtime::Runtime;
use crate::semaphore::{NotAcquired, Permit, Release, Semaphore};

/// A lock that the greenthread which holds it may acquire again, and must release as often.
///
/// ```
/// let lock = green::RLock::new();
/// let outer = lock.acquire();
/// let inner = lock.acquire(); // does not wait for itself
/// drop((outer, inner));
/// assert!(!lock.is_locked());
///
/// let held = lock.try_acquire().unwrap();
/// assert!(lock.is_owned());
/// assert!(lock.acquire_timeout(std::time::Duration::ZERO).is_some());
/// held.forget(); // Now somebody has to call `release`.
/// lock.release().unwrap();
/// ```
#[derive(Debug)]
pub struct RLock {
    permit: Semaphore,
    /// The greenthread that holds it.
    owner: Owner,
    depth: Cell<usize>,
}

impl RLock {
    /// A lock that nobody holds.
    pub fn new() -> RLock {
        RLock {
            permit: Semaphore::new(1),
            owner: Owner::default(),
            depth: Cell::new(0),
        }
    }

    /// Waits for the lock, unless the calling greenthread holds it. It is released when what this returns is dropped.
    ///
    /// While the thread unwinds nothing can wait: if another holds the lock then, this is logged as an error and what
    /// is returned holds nothing ([`Permit::is_held`]).
    pub fn acquire(&self) -> Permit<'_, RLock> {
        self.spend();
        Permit::or_nothing(self, self.enter(|| self.owner.take(&self.permit, None)))
    }

    /// Takes the lock if it is free, or held by the calling greenthread.
    pub fn try_acquire(&self) -> Option<Permit<'_, RLock>> {
        self.enter(|| self.owner.try_take(&self.permit))
            .then(|| Permit::of(self))
    }

    /// As [`acquire`](RLock::acquire), for at most `timeout`. `None` says that the lock was not free in that time, or
    /// that the thread unwinds.
    pub fn acquire_timeout(&self, timeout: Duration) -> Option<Permit<'_, RLock>> {
        self.spend();
        self.enter(|| self.owner.take(&self.permit, Some(timeout)))
            .then(|| Permit::of(self))
    }

    /// Releases a lock whose permit was [forgotten](Permit::forget).
    ///
    /// # Errors
    /// If the calling greenthread does not hold it.
    pub fn release(&self) -> Result<(), NotAcquired> {
        if self.owner.get() != Some(me()) {
            return Err(NotAcquired);
        }
        self.leave();
        Ok(())
    }

    /// True if somebody holds it.
    pub fn is_locked(&self) -> bool {
        self.owner.get().is_some()
    }

    /// True if the calling greenthread holds it.
    pub fn is_owned(&self) -> bool {
        self.owner.get() == Some(me())
    }

    /// Counts a call that takes the lock again; the first one is counted where it takes the permit.
    fn spend(&self) {
        if self.is_owned() {
            Runtime::with(Runtime::spend);
        }
    }

    fn enter(&self, take: impl FnOnce() -> bool) -> bool {
        let entered = self.is_owned() || take();
        if entered {
            self.depth.set(self.depth.get() + 1);
        }
        entered
    }

    fn leave(&self) {
        self.depth.set(self.depth.get() - 1);
        if self.depth.get() == 0 {
            self.owner.set(None);
            self.permit.release();
        }
    }
}

impl Default for RLock {
    fn default() -> RLock {
        RLock::new()
    }
}

impl Release for RLock {
    fn take_back(&self) {
        // Wherever the permit was dropped: it is proof enough.
        if self.depth.get() > 0 {
            self.leave();
        } else {
            log::error!("cannot give back the permit of a lock: {NotAcquired}");
        }
    }
}

fn me() -> u64 {
    crate::current().id()
}
