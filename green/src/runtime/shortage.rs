//! Waiting until the process may have a descriptor again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::Duration;

use super::per_process::PerProcess;
use super::{Anywhere, Origin, Reason, Runtime, Wait, WaitList, Waiting, Why};

type Waiters = WaitList<(), <Anywhere as Origin>::Waiter>;

/// Those that wait, in all threads.
static LACKING: PerProcess<Mutex<Lacking>> = PerProcess::new();

/// How many they are, so that a close need not take the lock.
static COUNT: AtomicUsize = AtomicUsize::new(0);

#[derive(Default)]
struct Lacking(Waiters);

/// Changes the list, and counts it.
fn change<R>(mut lacking: MutexGuard<'_, Lacking>, f: impl FnOnce(&mut Waiters) -> R) -> R {
    let result = f(&mut lacking.0);
    COUNT.store(lacking.0.len(), Ordering::Relaxed);
    result
}

fn lock() -> MutexGuard<'static, Lacking> {
    super::lock(LACKING.get(Mutex::default))
}

impl Runtime {
    /// Waits until green closes a descriptor in any thread, or `longest` has passed: others are closed unseen.
    pub(crate) fn wait_for_descriptor(&self, longest: Duration) -> Result<(), Why> {
        let ended = self.wait::<Anywhere, _, ()>(Wait {
            reason: Reason::Outside("a free descriptor"),
            deadline: self.deadline(Some(longest)),
            enter: |waiter| Some(change(lock(), |waiters| waiters.push(waiter, ()))),
            leave: |place| change(lock(), |waiters| waiters.leave(place)),
            pass_on: || (),
        });
        ended.served()
    }

    /// A descriptor was closed: those that lack one may try again.
    #[inline]
    pub(crate) fn descriptor_closed(&self) {
        if COUNT.load(Ordering::Relaxed) > 0 {
            wake_lacking();
        }
    }
}

#[cold]
fn wake_lacking() {
    loop {
        let lacking = match LACKING.get(Mutex::default).try_lock() {
            Ok(lacking) => lacking,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Held by another thread, it has just been changed. Those that wait try again by themselves.
            Err(TryLockError::WouldBlock) => return,
        };
        let Some((waiter, ())) = change(lacking, WaitList::pop) else {
            return;
        };
        waiter.wake();
    }
}
