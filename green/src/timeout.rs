//! Deadlines for any piece of code: [`Timeout`].

use std::error::Error;
use std::fmt;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use crate::runtime::{Elapsed as Payload, Runtime, ScopeId};

/// Bounds the time that a piece of code may take.
///
/// The code runs in the calling greenthread. When the time is up, it is left from where it waits, by unwinding:
/// its destructors run, and [`Timeout::run`] returns [`Elapsed`]. A deadline arrives only where the code waits; if
/// what it waits for is ready in the same turn, that wins.
///
/// Timeouts nest in both directions: a scope consumes only its own deadline, and a deadline that code below
/// catches comes again at its next wait until its own scope has ended.
///
/// ```
/// use std::time::Duration;
/// use green::Timeout;
///
/// let slow = Timeout::new(Duration::from_millis(1)).run(|| green::sleep(Duration::from_secs(60)));
/// assert!(slow.is_err());
/// let fast = Timeout::new(Duration::from_secs(60)).run(|| 5);
/// assert_eq!(fast, Ok(5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a timeout does nothing until something is run under it"]
pub struct Timeout {
    after: Option<Duration>,
}

impl Timeout {
    /// A bound of `after`: a [`Duration`], or an `Option` of one, where `None` never elapses.
    ///
    /// A bound of zero elapses at the first wait.
    pub fn new(after: impl Into<Option<Duration>>) -> Timeout {
        Timeout {
            after: after.into(),
        }
    }

    /// A bound in seconds.
    ///
    /// # Errors
    /// If `seconds` is negative, not a number, or too large for a [`Duration`].
    ///
    /// ```
    /// assert!(green::Timeout::from_secs(0.25).is_ok());
    /// assert!(green::Timeout::from_secs(-1.0).is_err());
    /// ```
    pub fn from_secs(seconds: f64) -> Result<Timeout, std::time::TryFromFloatSecsError> {
        Duration::try_from_secs_f64(seconds).map(Timeout::new)
    }

    /// Runs `f`, and leaves it when the time is up.
    ///
    /// # Errors
    /// [`Elapsed`] if the time was up before `f` returned.
    pub fn run<T>(self, f: impl FnOnce() -> T) -> Result<T, Elapsed> {
        let scope = Scope::open(self.after);
        let result = panic::catch_unwind(AssertUnwindSafe(f));
        let (task, id) = (scope.task, scope.id);
        drop(scope);
        result.map_err(|payload| match payload.downcast::<Payload>() {
            Ok(elapsed) if (elapsed.task, elapsed.scope) == (task, id) => {
                Elapsed { after: self.after }
            }
            Ok(other) => panic::resume_unwind(other),
            Err(payload) => panic::resume_unwind(payload),
        })
    }

    /// Runs `f`, and gives `error` if the time is up first.
    ///
    /// # Errors
    /// `error`, or what `f` returns as one.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let result: Result<(), &str> = green::Timeout::new(Duration::ZERO)
    ///     .run_or(|| Ok(green::yield_now()), "too slow");
    /// assert_eq!(result, Err("too slow"));
    /// ```
    pub fn run_or<T, E>(self, f: impl FnOnce() -> Result<T, E>, error: E) -> Result<T, E> {
        self.run(f).unwrap_or(Err(error))
    }

    /// Runs `f`; `None` says that the time was up first.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// assert_eq!(green::Timeout::silent(Duration::ZERO, green::yield_now), None);
    /// ```
    pub fn silent<T>(after: impl Into<Option<Duration>>, f: impl FnOnce() -> T) -> Option<T> {
        Timeout::new(after).run(f).ok()
    }
}

/// Runs `f` for at most `after`, and gives `otherwise` if the time is up first.
///
/// ```
/// use std::time::Duration;
///
/// let value = green::with_timeout(Duration::ZERO, || { green::yield_now(); 1 }, 2);
/// assert_eq!(value, 2);
/// ```
pub fn with_timeout<T>(
    after: impl Into<Option<Duration>>,
    f: impl FnOnce() -> T,
    otherwise: T,
) -> T {
    Timeout::new(after).run(f).unwrap_or(otherwise)
}

/// An open scope; closed however its code ends.
struct Scope {
    task: u64,
    id: ScopeId,
}

impl Scope {
    #[inline]
    fn open(after: Option<Duration>) -> Scope {
        let (task, id) = Runtime::with(|runtime| runtime.open_scope(after));
        Scope { task, id }
    }
}

impl Drop for Scope {
    #[inline]
    fn drop(&mut self) {
        Runtime::with(|runtime| runtime.close_scope(self.id));
    }
}

/// The time of a [`Timeout`] was up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed {
    after: Option<Duration>,
}

impl Elapsed {
    pub(crate) fn new(after: Duration) -> Elapsed {
        Elapsed { after: Some(after) }
    }

    /// The bound that was exceeded.
    pub fn after(&self) -> Duration {
        self.after.unwrap_or(Duration::MAX)
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "timed out after {:?}", self.after())
    }
}

impl Error for Elapsed {}

impl From<Elapsed> for io::Error {
    fn from(elapsed: Elapsed) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, elapsed)
    }
}

/// True if `error`, or what caused it, is a timeout: an [`Elapsed`], or the timeout of a socket.
///
/// ```
/// let error = std::io::Error::from(std::io::ErrorKind::TimedOut);
/// assert!(green::is_timeout(&error));
/// ```
pub fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let timed_out = error
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::TimedOut);
        if timed_out || error.is::<Elapsed>() {
            return true;
        }
        next = error.source();
    }
    false
}
