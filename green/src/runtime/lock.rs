//! Locks that several threads take, each for a few lines in which nothing waits.

use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use super::Runtime;

/// Takes a lock under which nothing waits and nothing can panic, so that poison means nothing.
///
/// If another thread has it, this one stands still for that moment: where greenthreads wait for std's locks, as
/// green-patch has them do, another one would else run in the middle of what must be one step.
#[inline]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    match mutex.try_lock() {
        Ok(guard) => guard,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => lock_soon(mutex),
    }
}

#[cold]
fn lock_soon<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    let wait = || mutex.lock().unwrap_or_else(PoisonError::into_inner);
    let here = Runtime::existing(|runtime| runtime.without_switch(wait));
    here.unwrap_or_else(wait)
}
