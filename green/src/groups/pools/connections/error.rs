//! Why a connection could not be had.

use std::error::Error;
use std::fmt;

use crate::runtime::Elapsed;

/// Why a [`ConnectionPool`](super::ConnectionPool) gave no connection.
///
/// ```
/// use std::time::Duration;
/// use green::pools::CheckoutError;
/// # use green::pools::{ConnectionPool, Driver};
/// # struct Numbers;
/// # impl Driver for Numbers {
/// #     type Connection = u32;
/// #     type Error = std::io::Error;
/// #     fn connect(&self) -> std::io::Result<u32> { Ok(1) }
/// #     fn reset(&self, _: &mut u32) -> std::io::Result<()> { Ok(()) }
/// #     fn check(&self, _: &mut u32) -> std::io::Result<()> { Ok(()) }
/// # }
///
/// let pool = ConnectionPool::builder().max(1).connect(Numbers)?;
/// let first = pool.get()?;
/// let second = pool.get_timeout(Duration::from_millis(1));
/// assert!(matches!(second, Err(CheckoutError::Exhausted(_))));
/// # drop(first);
/// # Ok::<(), CheckoutError<std::io::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CheckoutError<E> {
    /// The driver could not connect.
    Driver(E),
    /// The driver did not connect within the pool's `connect_timeout`.
    ConnectTimeout(Elapsed),
    /// All connections were in use for as long as the caller wanted to wait.
    Exhausted(Elapsed),
}

impl<E: fmt::Display> fmt::Display for CheckoutError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CheckoutError::Driver(error) => write!(f, "cannot connect: {error}"),
            CheckoutError::ConnectTimeout(elapsed) => {
                write!(f, "cannot connect: not done after {:?}", elapsed.after())
            }
            CheckoutError::Exhausted(elapsed) => write!(
                f,
                "no connection of the pool came back within {:?}: all are in use",
                elapsed.after()
            ),
        }
    }
}

impl<E: Error + 'static> Error for CheckoutError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            CheckoutError::Driver(error) => Some(error),
            CheckoutError::ConnectTimeout(elapsed) | CheckoutError::Exhausted(elapsed) => {
                Some(elapsed)
            }
        }
    }
}
