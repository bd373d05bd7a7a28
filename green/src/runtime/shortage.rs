//! Waiting until the process may have a descriptor again.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use super::remote_wait::RemoteWaiter;
use super::{Reason, Runtime, Waiting, Why};

/// Who waits, in all threads, each with a number.
static LACKING: Mutex<Vec<(u64, RemoteWaiter)>> = Mutex::new(Vec::new());
/// How many they are, so that a close need not take the lock.
static COUNT: AtomicUsize = AtomicUsize::new(0);
static NEXT: AtomicU64 = AtomicU64::new(0);

/// One who waits.
struct Registered(u64);

impl Registered {
    fn lacking() -> MutexGuard<'static, Vec<(u64, RemoteWaiter)>> {
        LACKING.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn new(waiter: RemoteWaiter) -> Registered {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut lacking = Registered::lacking();
        lacking.push((number, waiter));
        COUNT.store(lacking.len(), Ordering::Relaxed);
        Registered(number)
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut lacking = Registered::lacking();
        lacking.retain(|(number, _)| *number != self.0);
        COUNT.store(lacking.len(), Ordering::Relaxed);
    }
}

impl Runtime {
    /// Waits until green closes a descriptor in any thread, or `longest` has passed: others are closed unseen.
    pub(crate) fn wait_for_descriptor(&self, longest: Duration) -> Result<(), Why> {
        let deadline = self.deadline(Some(longest));
        // It needs descriptors itself, unless they were made before. Without it the other threads' are closed unseen.
        let _registered = self.remote_waiter().map(Registered::new);
        let reason = Reason::Outside("a free descriptor");
        self.wait_in(&self.lacking, reason, deadline).served()
    }

    /// A descriptor was closed in this thread: who lacked one may try again.
    #[inline]
    pub(crate) fn descriptor_closed(&self) {
        self.lacking.borrow_mut().wake_all();
        if COUNT.load(Ordering::Relaxed) > 0 {
            closed_elsewhere();
        }
    }
}

/// Wakes who waits in other threads.
#[cold]
fn closed_elsewhere() {
    // Held by another thread, it was perhaps held when this process was forked. Who waits tries again by itself.
    let waiters: Vec<_> = match LACKING.try_lock() {
        Ok(lacking) => lacking.clone(),
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().clone(),
        Err(TryLockError::WouldBlock) => return,
    };
    for (_, waiter) in waiters {
        waiter.wake();
    }
}
