//! What an acquired semaphore or lock leaves in the hand.

/// What a [`Permit`] is given back to.
///
/// ```
/// use green::semaphore::{Permit, Release};
///
/// fn give_back<R: Release>(permit: Permit<'_, R>) {
///     drop(permit);
/// }
/// let (semaphore, lock) = (green::Semaphore::new(1), green::Lock::new());
/// give_back(semaphore.acquire());
/// give_back(lock.acquire());
/// assert!(!semaphore.is_locked() && !lock.is_locked());
/// ```
///
/// One of a program's own:
///
/// ```
/// use std::cell::Cell;
/// use green::semaphore::Release;
///
/// /// Counts what came back.
/// struct Returned(Cell<u32>);
///
/// impl Release for Returned {
///     fn take_back(&self) {
///         self.0.set(self.0.get() + 1);
///     }
/// }
///
/// let returned = Returned(Cell::new(0));
/// returned.take_back();
/// assert_eq!(returned.0.get(), 1);
/// ```
pub trait Release {
    /// Takes back what one permit stands for. It never waits.
    fn take_back(&self);
}

/// The right to go on that a semaphore or a lock has given: given back when dropped.
///
/// ```
/// let semaphore = green::Semaphore::new(1);
/// let permit = semaphore.acquire();
/// assert!(permit.is_held() && semaphore.is_locked());
/// drop(permit);
/// assert!(!semaphore.is_locked());
/// ```
#[derive(Debug)]
#[must_use = "a permit that is not kept is given back at once"]
pub struct Permit<'a, R: Release> {
    of: Option<&'a R>,
}

impl<'a, R: Release> Permit<'a, R> {
    #[inline]
    pub(crate) fn of(of: &'a R) -> Permit<'a, R> {
        Permit { of: Some(of) }
    }

    #[inline]
    pub(crate) fn or_nothing(of: &'a R, held: bool) -> Permit<'a, R> {
        if held {
            Permit::of(of)
        } else {
            Permit::nothing()
        }
    }

    #[cold]
    fn nothing() -> Permit<'a, R> {
        log::error!(
            "a permit or lock was asked for while its thread unwinds, and there was none: \
             nothing can wait then, so the code goes on without; see Permit::is_held"
        );
        Permit { of: None }
    }

    /// False if there was no permit and the thread, which unwinds, could not wait for one.
    ///
    /// Only code that can run in a destructor has to ask.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.of.is_some()
    }

    /// Keeps the permit taken. It comes back by a call of `release`.
    ///
    /// ```
    /// let semaphore = green::Semaphore::new(1);
    /// semaphore.acquire().forget();
    /// assert_eq!(semaphore.counter(), 0);
    /// semaphore.release();
    /// assert_eq!(semaphore.counter(), 1);
    /// ```
    pub fn forget(mut self) {
        self.of = None;
    }
}

impl<R: Release> Drop for Permit<'_, R> {
    #[inline]
    fn drop(&mut self) {
        if let Some(of) = self.of {
            of.take_back();
        }
    }
}
