//! A value and the lock that guards it.

use std::cell::{RefCell, RefMut};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use super::owner::Owner;
use crate::Unwinding;
use crate::semaphore::{Permit, Semaphore};

/// A value that one greenthread at a time has to itself, over waits as well.
///
/// It has the face of std's, but is never poisoned: the one error of [`lock`](Mutex::lock) is that of a destructor that
/// would have to wait while its thread unwinds.
///
/// ```
/// use std::rc::Rc;
/// use green::lock::Mutex;
///
/// let total = Rc::new(Mutex::new(0));
/// let workers: Vec<_> = (0..3)
///     .map(|_| {
///         let total = Rc::clone(&total);
///         green::spawn(move || {
///             let mut total = total.lock().unwrap();
///             let seen = *total;
///             green::yield_now(); // nobody else gets at it meanwhile
///             *total = seen + 1;
///         })
///     })
///     .collect();
/// workers.into_iter().for_each(|worker| worker.join().unwrap());
/// assert_eq!(*total.lock().unwrap(), 3);
/// ```
///
/// Without a wait, or with a bounded one:
///
/// ```
/// use std::time::Duration;
/// use green::lock::Mutex;
///
/// let mut mutex = Mutex::new(1);
/// {
///     let mut guard = mutex.try_lock().unwrap();
///     *guard += 1;
///     assert!(mutex.is_locked());
///     assert!(mutex.lock_timeout(Duration::from_millis(1)).is_none());
/// }
/// *mutex.get_mut() += 1; // Whoever owns it needs no lock.
/// assert_eq!(mutex.into_inner(), 3);
/// ```
pub struct Mutex<T: ?Sized> {
    permit: Semaphore,
    owner: Owner,
    /// Borrowed only by who has the permit.
    value: RefCell<T>,
}

impl<T> Mutex<T> {
    /// A mutex around `value`, unlocked.
    pub fn new(value: T) -> Mutex<T> {
        Mutex {
            permit: Semaphore::new(1),
            owner: Owner::default(),
            value: RefCell::new(value),
        }
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits until nobody else has the value.
    ///
    /// # Errors
    /// If another has it and the thread unwinds: nothing can wait then.
    pub fn lock(&self) -> Result<MutexGuard<'_, T>, Unwinding> {
        self.guard_if(self.owner.take(&self.permit, None))
            .ok_or(Unwinding)
    }

    /// Takes the value if nobody else has it.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.guard_if(self.owner.try_take(&self.permit))
    }

    /// As [`lock`](Mutex::lock), for at most `timeout`. `None` says that the value was not free in that time, or that
    /// the thread unwinds.
    pub fn lock_timeout(&self, timeout: Duration) -> Option<MutexGuard<'_, T>> {
        self.guard_if(self.owner.take(&self.permit, Some(timeout)))
    }

    /// True if somebody has the value.
    pub fn is_locked(&self) -> bool {
        self.permit.is_locked()
    }

    /// The value, without a lock: nobody else can have it.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// The guard of who has taken the permit.
    fn guard_if(&self, taken: bool) -> Option<MutexGuard<'_, T>> {
        taken.then(|| MutexGuard {
            value: self.value.borrow_mut(),
            mutex: self,
            _permit: Permit::of(&self.permit),
        })
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Mutex<T> {
        Mutex::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Mutex<T> {
        Mutex::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Mutex");
        // The value's own code may wait: so it is locked, and who wants it waits.
        match self.try_lock() {
            Some(value) => out.field("value", &&*value),
            None => out.field("value", &format_args!("<locked>")),
        };
        out.finish()
    }
}

/// The value of a [`Mutex`], for as long as this lives.
///
/// ```
/// let mutex = green::lock::Mutex::new(5);
/// {
///     let mut value = mutex.lock().unwrap();
///     *value += 1;
///     assert!(mutex.is_locked());
/// }
/// assert!(!mutex.is_locked());
/// ```
#[must_use = "a mutex whose guard is not kept is unlocked at once"]
pub struct MutexGuard<'a, T: ?Sized> {
    value: RefMut<'a, T>,
    mutex: &'a Mutex<T>,
    /// Dropped after the borrow.
    _permit: Permit<'a, Semaphore>,
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    pub(super) fn mutex(&self) -> &'a Mutex<T> {
        self.mutex
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
