//! How pools of connections are made.

use std::time::Duration;

use super::{CheckoutError, ConnectionPool, Driver};

/// A pool of connections to be: how many, and how long each may live. Made by [`ConnectionPool::builder`].
///
/// ```
/// use std::time::Duration;
/// use green::pools::ConnectionPool;
/// # use green::pools::Driver;
/// # struct Numbers;
/// # impl Driver for Numbers {
/// #     type Connection = u32;
/// #     type Error = std::io::Error;
/// #     fn connect(&self) -> std::io::Result<u32> { Ok(1) }
/// #     fn reset(&self, _: &mut u32) -> std::io::Result<()> { Ok(()) }
/// #     fn check(&self, _: &mut u32) -> std::io::Result<()> { Ok(()) }
/// # }
///
/// let pool = ConnectionPool::builder()
///     .min(2)
///     .max(20)
///     .max_idle(Duration::from_secs(60))
///     .max_age(None)
///     .check_after(Duration::from_secs(5))
///     .connect_timeout(Duration::from_secs(2))
///     .connect(Numbers)?; // a driver
/// assert_eq!((pool.idle(), pool.free()), (2, 20));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct ConnectionPoolBuilder {
    pub(super) min: usize,
    pub(super) max: usize,
    pub(super) max_idle: Option<Duration>,
    pub(super) max_age: Option<Duration>,
    pub(super) check_after: Option<Duration>,
    pub(super) connect_timeout: Option<Duration>,
}

impl ConnectionPoolBuilder {
    pub(super) fn new() -> ConnectionPoolBuilder {
        ConnectionPoolBuilder {
            min: 0,
            max: 4,
            max_idle: Some(Duration::from_secs(10)),
            max_age: Some(Duration::from_secs(30)),
            check_after: Some(Duration::from_secs(1)),
            connect_timeout: Some(Duration::from_secs(5)),
        }
    }

    /// Makes so many connections at once, and not more than the pool may have. Default: none.
    pub fn min(mut self, min: usize) -> ConnectionPoolBuilder {
        self.min = min;
        self
    }

    /// Sets how many connections there may be. Default: 4.
    pub fn max(mut self, max: usize) -> ConnectionPoolBuilder {
        self.max = max;
        self
    }

    /// Closes a connection that nobody has used for so long. `None`: never. Default: 10 seconds.
    pub fn max_idle(mut self, max_idle: impl Into<Option<Duration>>) -> ConnectionPoolBuilder {
        self.max_idle = max_idle.into();
        self
    }

    /// Closes a connection that was made so long ago, once it is idle. `None`: never. Default: 30 seconds.
    pub fn max_age(mut self, max_age: impl Into<Option<Duration>>) -> ConnectionPoolBuilder {
        self.max_age = max_age.into();
        self
    }

    /// Checks a connection that has been idle for so long before it is given out. Zero checks each, `None` none.
    /// Default: 1 second.
    pub fn check_after(mut self, idle: impl Into<Option<Duration>>) -> ConnectionPoolBuilder {
        self.check_after = idle.into();
        self
    }

    /// Sets how long it may take to make a connection, and to clean up or check one. `None`: for ever. Default: 5
    /// seconds.
    ///
    /// It is a [`Timeout`](crate::Timeout) around the calls of the driver.
    pub fn connect_timeout(
        mut self,
        timeout: impl Into<Option<Duration>>,
    ) -> ConnectionPoolBuilder {
        self.connect_timeout = timeout.into();
        self
    }

    /// The pool of connections that `driver` makes.
    ///
    /// # Errors
    /// If one of the [`min`](ConnectionPoolBuilder::min) first connections cannot be made.
    pub fn connect<D: Driver>(
        self,
        driver: D,
    ) -> Result<ConnectionPool<D>, CheckoutError<D::Error>> {
        ConnectionPool::make(self, driver)
    }
}
