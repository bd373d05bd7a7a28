//! Waiting for a locked value to change.

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use super::MutexGuard;
use crate::Unwinding;
use crate::runtime::{Ended, Here, Reason, Runtime, Wait, WaitList, Why};

/// Lets the holder of a [`Mutex`](super::Mutex) wait until another has changed the value: std's `Condvar`, threading's
/// `Condition`.
///
/// A notification that meets a greenthread which is being killed goes to the next one.
///
/// ```
/// use std::rc::Rc;
/// use green::lock::{Condition, Mutex};
///
/// let shared = Rc::new((Mutex::new(0), Condition::new()));
/// let other = Rc::clone(&shared);
/// green::spawn_n(move || {
///     *other.0.lock().unwrap() = 3;
///     other.1.notify_one();
/// });
/// let (value, changed) = &*shared;
/// let guard = changed.wait_while(value.lock().unwrap(), |value| *value == 0).unwrap();
/// assert_eq!(*guard, 3);
/// ```
///
/// Each of the waits, and a notification of all:
///
/// ```
/// use std::rc::Rc;
/// use std::time::Duration;
/// use green::lock::{Condition, Mutex};
///
/// let shared = Rc::new((Mutex::new(0), Condition::new()));
/// let waiters = [(); 2].map(|()| {
///     let shared = Rc::clone(&shared);
///     green::spawn(move || {
///         let (value, changed) = &*shared;
///         let mut guard = value.lock().unwrap();
///         while *guard == 0 {
///             guard = changed.wait(guard).unwrap();
///         }
///         *guard
///     })
/// });
/// green::yield_now();
/// let (value, changed) = &*shared;
/// *value.lock().unwrap() = 3;
/// changed.notify_all();
/// assert_eq!(waiters.map(|waiter| waiter.join().unwrap()), [3, 3]);
///
/// let moment = Duration::from_millis(1);
/// let (guard, notified) = changed.wait_timeout(value.lock().unwrap(), moment).unwrap();
/// assert!(!notified); // Nobody is left who could.
/// let (_guard, is_over) = changed.wait_timeout_while(guard, moment, |value| *value == 3).unwrap();
/// assert!(!is_over);
/// ```
pub struct Condition {
    waiters: RefCell<WaitList>,
}

impl Condition {
    /// A condition that nobody waits for.
    pub fn new() -> Condition {
        Condition {
            waiters: RefCell::new(WaitList::new()),
        }
    }

    /// Unlocks, waits for a notification, and locks again.
    ///
    /// # Errors
    /// If the thread unwinds: nothing can wait then. The mutex is unlocked.
    pub fn wait<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
    ) -> Result<MutexGuard<'a, T>, Unwinding> {
        self.wait_for(guard, None).map(|(guard, _)| guard)
    }

    /// As [`wait`](Condition::wait), for at most `timeout`: true if it was notified, false if the time was up. Locking
    /// again is not bounded by it.
    ///
    /// # Errors
    /// As `wait`.
    pub fn wait_timeout<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Duration,
    ) -> Result<(MutexGuard<'a, T>, bool), Unwinding> {
        self.wait_for(guard, Some(timeout))
    }

    /// Waits for as long as `condition` is true of the value.
    ///
    /// # Errors
    /// As [`wait`](Condition::wait).
    pub fn wait_while<'a, T: ?Sized>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> Result<MutexGuard<'a, T>, Unwinding> {
        while condition(&mut guard) {
            guard = self.wait(guard)?;
        }
        Ok(guard)
    }

    /// As [`wait_while`](Condition::wait_while), for at most `timeout` in all. False if `condition` was still true
    /// then.
    ///
    /// # Errors
    /// As [`wait`](Condition::wait).
    pub fn wait_timeout_while<'a, T: ?Sized>(
        &self,
        mut guard: MutexGuard<'a, T>,
        timeout: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> Result<(MutexGuard<'a, T>, bool), Unwinding> {
        let now = || Runtime::with(Runtime::now);
        let start = now();
        let mut left = timeout;
        while condition(&mut guard) {
            // Once at least, so that a timeout of zero lets the others run.
            guard = self.wait_timeout(guard, left)?.0;
            left = timeout.saturating_sub(now().saturating_duration_since(start));
            if left.is_zero() {
                let changed = !condition(&mut guard);
                return Ok((guard, changed));
            }
        }
        Ok((guard, true))
    }

    /// Wakes the one that has waited longest. It never switches.
    pub fn notify_one(&self) {
        let waiter = self.waiters.borrow_mut().pop();
        if let Some((waiter, ())) = waiter {
            waiter.wake();
        }
    }

    /// Wakes all who wait, in the order in which they came. It never switches.
    pub fn notify_all(&self) {
        self.waiters.borrow_mut().wake_all();
    }

    fn wait_for<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        timeout: Option<Duration>,
    ) -> Result<(MutexGuard<'a, T>, bool), Unwinding> {
        let mutex = guard.mutex();
        let reason = Reason::Primitive("a condition", std::ptr::from_ref(self).addr());
        // Nobody else runs before this greenthread is in the list, but for a timeout of zero, which lets them change the
        // value once.
        drop(guard);
        let ended = Runtime::with(|runtime| {
            let deadline = runtime.deadline(timeout);
            loop {
                let ended = runtime.wait::<Here, _, _>(Wait {
                    reason,
                    deadline,
                    enter: |waiter| Some(self.waiters.borrow_mut().push(waiter, ())),
                    leave: |place| self.waiters.borrow_mut().leave(place),
                    pass_on: || self.notify_one(),
                });
                if ended != Ended::NotServed(Why::Again, ()) {
                    return ended;
                }
            }
        });
        let notified = match ended {
            Ended::Served => true,
            Ended::NotServed(Why::Unwinding, ()) => return Err(Unwinding),
            Ended::NotServed(_, ()) => false,
        };
        let notification = notified.then(|| Notification { condition: self });
        let guard = mutex.lock()?;
        std::mem::forget(notification);
        Ok((guard, notified))
    }
}

/// Goes to the next if its greenthread is killed before it has locked again.
struct Notification<'a> {
    condition: &'a Condition,
}

impl Drop for Notification<'_> {
    fn drop(&mut self) {
        self.condition.notify_one();
    }
}

impl Default for Condition {
    fn default() -> Condition {
        Condition::new()
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condition")
            .field("waiting", &self.waiters.borrow().parked())
            .finish()
    }
}
