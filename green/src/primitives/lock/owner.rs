//! The holder of a lock, for reports about its waiters.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::runtime::Runtime;
use crate::semaphore::Semaphore;

/// The id of the greenthread that took a lock last.
#[derive(Debug, Default)]
pub(super) struct Owner(Rc<Cell<Option<u64>>>);

impl Owner {
    pub(super) fn get(&self) -> Option<u64> {
        self.0.get()
    }

    pub(super) fn set(&self, owner: Option<u64>) {
        self.0.set(owner);
    }

    /// The current greenthread has the lock now.
    #[inline]
    pub(super) fn enter(&self) {
        self.set(Some(Runtime::with(Runtime::current_id)));
    }

    /// Takes the permit that stands for the lock. False if the time was up first, or the thread unwinds.
    #[inline]
    pub(super) fn take(&self, permit: &Semaphore, timeout: Option<Duration>) -> bool {
        let taken = Runtime::with(|runtime| {
            runtime.spend();
            permit.try_take() || self.blocking(|| permit.wait_as(runtime, "a lock", timeout))
        });
        if taken {
            self.enter();
        }
        taken
    }

    /// Takes the permit if it is free.
    #[inline]
    pub(super) fn try_take(&self, permit: &Semaphore) -> bool {
        let taken = permit.try_take();
        if taken {
            self.enter();
        }
        taken
    }

    /// Runs a wait for the lock, in which reports about the current greenthread name the owner.
    pub(super) fn blocking<T>(&self, wait: impl FnOnce() -> T) -> T {
        Runtime::with(|runtime| runtime.held_up_by(&self.0, wait))
    }
}
