//! The handle of a greenthread that borrows.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;
use std::time::Duration;

use crate::greenthread::{AnyGreenThread, Exit, GreenThread};

/// A greenthread that was spawned in a [`scope`](crate::scope).
///
/// Dropping it detaches: the greenthread runs on, and the scope waits for it.
///
/// ```
/// let text = String::from("text");
/// let length = green::scope(|s| s.spawn(|| text.len()).join());
/// assert_eq!(length.unwrap().unwrap(), 4);
/// ```
///
/// What can be asked of each, and how to end one:
///
/// ```
/// use std::time::Duration;
///
/// let text = String::from("text");
/// let length = green::scope(|s| {
///     let mut first = s.spawn(|| text.len());
///     assert!(first.try_join().is_none() && !first.is_ready());
///     let second = s.spawn(|| text.len());
///     assert_ne!(first.id(), second.id());
///     assert!(second.cancel()); // It never runs.
///     let third = s.spawn(|| green::sleep(Duration::from_secs(60)));
///     third.kill();
///     assert!(third.is_dead() && third.as_any().is_dead());
///     first.join().unwrap()
/// });
/// assert_eq!(length.unwrap(), 4);
/// ```
pub struct ScopedGreenThread<'scope, T> {
    gt: GreenThread<()>,
    value: Rc<Cell<Option<T>>>,
    scope: PhantomData<&'scope ()>,
}

impl<T> ScopedGreenThread<'_, T> {
    pub(super) fn new(gt: GreenThread<()>, value: Rc<Cell<Option<T>>>) -> Self {
        ScopedGreenThread {
            gt,
            value,
            scope: PhantomData,
        }
    }

    /// Waits for the end and takes the value.
    ///
    /// # Errors
    /// As [`GreenThread::join`]. A panic ends the scope: then this does not return, as the caller is left from where it
    /// waits, unless the panic had been before.
    ///
    /// ```
    /// let text = String::from("text");
    /// let same = green::scope(|s| {
    ///     let borrowed = s.spawn(|| text.as_str());
    ///     borrowed.join().unwrap() == "text"
    /// });
    /// assert!(same.unwrap());
    /// ```
    pub fn join(self) -> Result<T, Exit> {
        self.gt.join()?;
        self.value.take().ok_or(Exit::Cancelled)
    }

    /// As [`join`](ScopedGreenThread::join), for at most `timeout`. `None` says that it has not ended by then; the handle
    /// stays. See [`GreenThread::join_timeout`].
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let text = String::from("text");
    /// let same = green::scope(|s| {
    ///     let mut borrowed = s.spawn(|| {
    ///         green::sleep(Duration::from_millis(20));
    ///         text.as_str()
    ///     });
    ///     assert!(borrowed.try_join().is_none());
    ///     assert!(borrowed.join_timeout(Duration::from_millis(1)).is_none());
    ///     borrowed.join().unwrap() == "text"
    /// });
    /// assert!(same.unwrap());
    /// ```
    pub fn join_timeout(&mut self, timeout: Duration) -> Option<Result<T, Exit>> {
        let ended = self.gt.join_timeout(timeout)?;
        Some(ended.and_then(|()| self.value.take().ok_or(Exit::Cancelled)))
    }

    /// Takes the value if it has ended: never waits. See [`GreenThread::try_join`].
    pub fn try_join(&mut self) -> Option<Result<T, Exit>> {
        let ended = self.gt.try_join()?;
        Some(ended.and_then(|()| self.value.take().ok_or(Exit::Cancelled)))
    }

    /// See [`AnyGreenThread::kill`].
    pub fn kill(&self) {
        self.gt.kill();
    }

    /// See [`GreenThread::cancel`].
    pub fn cancel(&self) -> bool {
        self.gt.cancel()
    }

    /// See [`AnyGreenThread::is_ready`].
    pub fn is_ready(&self) -> bool {
        self.gt.is_ready()
    }

    /// See [`AnyGreenThread::is_dead`].
    pub fn is_dead(&self) -> bool {
        self.gt.is_dead()
    }

    /// See [`AnyGreenThread::id`].
    pub fn id(&self) -> u64 {
        self.gt.id()
    }

    /// This greenthread without its type. It can be kept when the scope has ended.
    pub fn as_any(&self) -> &AnyGreenThread {
        self.gt.as_any()
    }
}

impl<T> AsRef<AnyGreenThread> for ScopedGreenThread<'_, T> {
    fn as_ref(&self) -> &AnyGreenThread {
        self.as_any()
    }
}

impl<T> fmt::Debug for ScopedGreenThread<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.gt.fmt(f)
    }
}
