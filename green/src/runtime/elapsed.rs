//! The time of a timeout was up.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

/// The time of a [`Timeout`](crate::Timeout) was up.
///
/// ```
/// use std::time::Duration;
///
/// let elapsed = green::Timeout::new(Duration::ZERO).run(green::yield_now).unwrap_err();
/// assert_eq!(elapsed.after(), Duration::ZERO);
/// assert_eq!(std::io::Error::from(elapsed).kind(), std::io::ErrorKind::TimedOut);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed {
    after: Option<Duration>,
}

impl Elapsed {
    /// `None` is a bound that somebody has ended otherwise.
    pub(crate) fn new(after: impl Into<Option<Duration>>) -> Elapsed {
        Elapsed {
            after: after.into(),
        }
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
