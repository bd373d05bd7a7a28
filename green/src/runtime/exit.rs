//! How a greenthread ends without a value.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;
use std::panic;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Elapsed, Killed, PastDeadline, Runtime, message};

/// Why a greenthread ended without a value.
///
/// ```
/// use green::Exit;
///
/// let gt = green::spawn(|| green::sleep(std::time::Duration::from_secs(60)));
/// gt.kill();
/// assert!(matches!(gt.join(), Err(Exit::Killed(_))));
/// let gt = green::spawn(|| panic!("no"));
/// assert!(matches!(gt.join(), Err(Exit::Panicked(panic)) if panic.message() == "no"));
///
/// // What has ended one can end the other as well:
/// let inner = green::spawn(|| -> u32 { panic!("no") });
/// let outer = green::spawn(|| inner.join().unwrap_or_else(|exit| exit.raise()));
/// assert_eq!(outer.join().unwrap_err().to_string(), "the greenthread panicked: no");
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum Exit {
    /// It was killed, with the reason that [`GreenThread::kill_with`](crate::GreenThread::kill_with) gave.
    Killed(Option<Arc<dyn Any + Send + Sync>>),
    /// It was cancelled before it ran.
    Cancelled,
    /// It panicked.
    Panicked(Panic),
    /// A timeout has ended it that it had [armed](crate::Timeout::arm).
    Elapsed(Elapsed),
    /// Not its end: the thread of the waiter is unwinding, and so the wait was refused.
    Unwinding,
}

impl Exit {
    /// What ended the current greenthread, or a part of it that does not let this out.
    #[cold]
    pub(crate) fn of(payload: Box<dyn Any + Send>) -> Exit {
        if payload.is::<Killed>() || payload.is::<greenlet::GreenletExit>() {
            Exit::Killed(Runtime::with(|runtime| runtime.current().kill_reason()))
        } else if let Some(past) = payload.downcast_ref::<PastDeadline>() {
            Exit::Elapsed(Elapsed::new(past.after))
        } else {
            Exit::Panicked(Panic::new(payload))
        }
    }

    /// Raises in the current greenthread what ended the other: its panic, or else a panic that says how it ended.
    pub fn raise(self) -> ! {
        match self {
            Exit::Panicked(panic) => panic.raise(),
            other => panic!("{other}"),
        }
    }

    /// The reason of a kill, if it is of this type.
    ///
    /// ```
    /// let gt = green::spawn(|| green::sleep(std::time::Duration::from_secs(60)));
    /// gt.kill_with("no longer wanted");
    /// assert_eq!(gt.join().unwrap_err().reason::<&str>(), Some(&"no longer wanted"));
    /// ```
    pub fn reason<R: 'static>(&self) -> Option<&R> {
        match self {
            Exit::Killed(Some(reason)) => reason.downcast_ref(),
            _ => None,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Killed(_) => f.write_str("the greenthread was killed"),
            Exit::Cancelled => f.write_str("the greenthread was cancelled before it ran"),
            Exit::Panicked(panic) => write!(f, "the greenthread panicked: {}", panic.message()),
            Exit::Elapsed(elapsed) => write!(f, "the greenthread {elapsed}"),
            Exit::Unwinding => f.write_str("cannot wait for a greenthread while unwinding"),
        }
    }
}

impl fmt::Debug for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Killed(reason) => write!(f, "Killed({})", reason.is_some()),
            Exit::Cancelled => f.write_str("Cancelled"),
            Exit::Panicked(panic) => write!(f, "Panicked({:?})", panic.message()),
            Exit::Elapsed(elapsed) => write!(f, "Elapsed({:?})", elapsed.after()),
            Exit::Unwinding => f.write_str("Unwinding"),
        }
    }
}

impl Error for Exit {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Exit::Elapsed(elapsed) => Some(elapsed),
            _ => None,
        }
    }
}

/// With the text of the exit, which [`get_ref`](io::Error::get_ref) gives. The kind is `TimedOut` for a timeout,
/// `WouldBlock` for a wait that was refused, and `Other` for every other end.
///
/// ```
/// fn answer() -> std::io::Result<u32> {
///     Ok(green::spawn(|| 42).join()?)
/// }
/// assert_eq!(answer()?, 42);
/// # Ok::<(), std::io::Error>(())
/// ```
impl From<Exit> for io::Error {
    fn from(exit: Exit) -> io::Error {
        let kind = match exit {
            Exit::Elapsed(_) => io::ErrorKind::TimedOut,
            Exit::Unwinding => io::ErrorKind::WouldBlock,
            Exit::Killed(_) | Exit::Cancelled | Exit::Panicked(_) => io::ErrorKind::Other,
        };
        io::Error::new(kind, exit)
    }
}

/// What a greenthread panicked with, shared by all who wait for it.
///
/// It may go to another thread: a job of the [thread pool](crate::tpool) ends with one, too.
///
/// ```
/// let gt = green::spawn(|| std::panic::panic_any(5));
/// match gt.join() {
///     Err(green::Exit::Panicked(panic)) => {
///         assert_eq!(panic.take_payload().unwrap().downcast_ref(), Some(&5));
///     }
///     _ => unreachable!(),
/// }
///
/// let Err(green::Exit::Panicked(panic)) = green::spawn(|| -> u32 { panic!("no") }).join() else {
///     unreachable!()
/// };
/// assert_eq!(panic.message(), "no");
/// let again = green::spawn(move || -> u32 { panic.raise() }).join();
/// assert_eq!(again.unwrap_err().to_string(), "the greenthread panicked: no");
/// ```
#[derive(Clone)]
pub struct Panic {
    message: Arc<str>,
    payload: Arc<Mutex<Option<Box<dyn Any + Send>>>>,
}

impl Panic {
    pub(crate) fn new(payload: Box<dyn Any + Send>) -> Panic {
        Panic {
            message: Arc::from(message(&*payload)),
            payload: Arc::new(Mutex::new(Some(payload))),
        }
    }

    /// The text of the panic, if it was a text.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What was panicked with, for the first who asks.
    pub fn take_payload(&self) -> Option<Box<dyn Any + Send>> {
        self.payload
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Panics with the same payload, or with its text if somebody took that. The panic hook does not run again.
    pub fn raise(self) -> ! {
        let payload = self.take_payload();
        panic::resume_unwind(payload.unwrap_or_else(|| Box::new(String::from(self.message()))))
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Panic({:?})", self.message())
    }
}
