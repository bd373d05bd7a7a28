//! Why nothing was put or got.

use std::error::Error;
use std::fmt;

pub(super) const BUSY: &str = "a comparison or a clone of a queue's items cannot change that queue";

/// Why an item was not put into a queue. It comes back with the error.
///
/// ```
/// use green::queue::{PutError, Queue};
///
/// let queue = Queue::bounded(1);
/// queue.put(1).unwrap();
/// let error = queue.try_put(2).unwrap_err();
/// assert_eq!(error, PutError::Full(2));
/// assert_eq!(error.into_inner(), 2);
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PutError<T> {
    /// There was no room: at once, or in the time that was given.
    Full(T),
    /// The queue was shut down.
    Shutdown(T),
    /// There was no room, and nothing could wait for it: the thread unwinds.
    Unwinding(T),
    /// The caller is code that the queue itself runs (a comparison or a clone of its items), and there is no room, or that
    /// compares what such code has put.
    Busy(T),
}

impl<T> PutError<T> {
    /// The item that was not put.
    pub fn into_inner(self) -> T {
        match self {
            PutError::Full(item)
            | PutError::Shutdown(item)
            | PutError::Unwinding(item)
            | PutError::Busy(item) => item,
        }
    }
}

impl<T> fmt::Debug for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PutError::Full(_) => "Full(..)",
            PutError::Shutdown(_) => "Shutdown(..)",
            PutError::Unwinding(_) => "Unwinding(..)",
            PutError::Busy(_) => "Busy(..)",
        })
    }
}

impl<T> fmt::Display for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PutError::Full(_) => "the queue is full",
            PutError::Shutdown(_) => "the queue is shut down",
            PutError::Unwinding(_) => "the queue is full, and nothing can wait while unwinding",
            PutError::Busy(_) => BUSY,
        })
    }
}

impl<T> Error for PutError<T> {}

/// Why no item came out of a queue.
///
/// ```
/// use green::queue::{GetError, Queue};
///
/// let queue = Queue::<u32>::unbounded();
/// assert_eq!(queue.try_get(), Err(GetError::Empty));
/// queue.shutdown(false);
/// assert_eq!(queue.get(), Err(GetError::Shutdown));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
// As large as a pointer: a `Result` of it and a small item then travels in registers.
#[repr(usize)]
pub enum GetError {
    /// There was none: at once, or in the time that was given.
    Empty,
    /// The queue was shut down, and nothing is left in it.
    Shutdown,
    /// There was none, and nothing could wait for one: the thread unwinds.
    Unwinding,
    /// The caller is code that the queue itself runs: a comparison or a clone of its items.
    Busy,
}

impl fmt::Display for GetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            GetError::Empty => "the queue is empty",
            GetError::Shutdown => "the queue is shut down",
            GetError::Unwinding => "the queue is empty, and nothing can wait while unwinding",
            GetError::Busy => BUSY,
        })
    }
}

impl Error for GetError {}

/// More tasks were reported as done than were put into the queue.
///
/// ```
/// use green::queue::{Queue, TooManyDone};
///
/// assert_eq!(Queue::<u32>::unbounded().task_done(), Err(TooManyDone));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyDone;

impl fmt::Display for TooManyDone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("task_done was called more often than items were put into the queue")
    }
}

impl Error for TooManyDone {}
