//! The result of something that goes on elsewhere.

use std::error::Error;
use std::rc::Rc;
use std::time::Duration;

use super::Event;

/// A value or an error that is set later: an [`Event`] that can be set again, and waited for without taking what was
/// set.
///
/// ```
/// use std::rc::Rc;
/// use green::AsyncResult;
///
/// let result = Rc::new(AsyncResult::new());
/// let worker = Rc::clone(&result);
/// green::spawn(|| 6 * 7).link(move |gt| worker.set(gt.poll().unwrap().unwrap()));
/// assert_eq!(result.get().unwrap(), 42);
/// ```
///
/// What was set, without taking it, and set again:
///
/// ```
/// use std::time::Duration;
/// use green::AsyncResult;
///
/// let result = AsyncResult::new();
/// assert!(!result.ready() && result.try_get().is_none());
/// assert!(result.get_timeout(Duration::from_millis(1)).is_none());
/// assert!(!result.wait_timeout(Duration::from_millis(1)));
///
/// result.set_exception("no answer");
/// assert!(result.wait() && result.ready() && !result.successful());
/// assert_eq!(result.exception().unwrap().to_string(), "no answer");
///
/// result.set(42);
/// assert!(result.successful());
/// assert_eq!(result.value(), Some(42));
/// ```
#[derive(Debug)]
pub struct AsyncResult<T> {
    event: Event<T>,
}

impl<T> AsyncResult<T> {
    /// A result that is not set yet.
    pub fn new() -> AsyncResult<T> {
        AsyncResult {
            event: Event::new(),
        }
    }

    /// Sets the value, in the place of what was set before. It never switches.
    ///
    /// Those who were woken by what was set before still get that.
    pub fn set(&self, value: T) {
        drop(self.event.replace(Ok(value)));
    }

    /// Sets an error, in the place of what was set before.
    pub fn set_exception(&self, error: impl Into<Box<dyn Error>>) {
        drop(self.event.replace(Err(Rc::from(error.into()))));
    }

    /// True if a value or an error was set.
    pub fn ready(&self) -> bool {
        self.event.ready()
    }

    /// True if a value was set.
    pub fn successful(&self) -> bool {
        self.event.has_result()
    }
}

impl<T: Clone> AsyncResult<T> {
    /// Waits until something is set, and gives a clone of it.
    ///
    /// # Errors
    /// The error that was set. Or [`Unwinding`](crate::Unwinding), if nothing was and the thread unwinds.
    pub fn get(&self) -> Result<T, Rc<dyn Error>> {
        self.event.wait()
    }

    /// As [`get`](Self::get), for at most `timeout`. `None` says that nothing was set in that time.
    pub fn get_timeout(&self, timeout: Duration) -> Option<Result<T, Rc<dyn Error>>> {
        self.event.wait_timeout(timeout)
    }

    /// What was set, if anything was.
    pub fn try_get(&self) -> Option<Result<T, Rc<dyn Error>>> {
        self.event.poll()
    }

    /// The value that was set, if one was.
    pub fn value(&self) -> Option<T> {
        self.event.poll_result()
    }

    /// The error that was set, if one was.
    pub fn exception(&self) -> Option<Rc<dyn Error>> {
        self.event.poll_exception()
    }
}

impl<T> AsyncResult<T> {
    /// Waits until something is set, whatever it is. True, but for a thread that unwinds, when nothing can wait.
    pub fn wait(&self) -> bool {
        self.event.wait_for(None)
    }

    /// As [`wait`](Self::wait), for at most `timeout`. False if the time was up first.
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.event.wait_for(Some(timeout))
    }
}

impl<T> Default for AsyncResult<T> {
    fn default() -> AsyncResult<T> {
        AsyncResult::new()
    }
}
