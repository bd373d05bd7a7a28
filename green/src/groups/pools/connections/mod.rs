//! Pools of connections to a server: kept open while they are used, cleaned up in between, closed when they are old.

mod builder;
mod by_host;
mod driver;
mod error;
mod expiry;
mod item;
mod live;
mod threaded;

use std::cell::Cell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::item::Home;
use super::resources::Core;
use crate::greenthread::Timeout;
use crate::runtime::{Elapsed, Runtime};

pub use builder::ConnectionPoolBuilder;
pub use by_host::DatabaseConnector;
pub use driver::Driver;
pub use error::CheckoutError;
use expiry::Expiry;
pub use item::PooledConnection;
use live::Live;
pub use threaded::{Threaded, ThreadedError};

/// Connections to one server, shared by the greenthreads of a thread.
///
/// A connection is made when one is asked for and none is idle, until there are as many as the pool may have; then who
/// asks waits for one to come back, first come, first served. Of idle ones the last that came back is used first, so that
/// those which the load does not need grow old and are closed.
///
/// - One that comes back is cleaned up by the [driver](Driver), which rolls back what was left open. If that fails, or
///   the user was killed, has panicked or ran out of time while it used the connection, it is closed: nobody gets an
///   answer that was meant for another.
/// - One that has been idle for a while is checked before it is given out, and another is made if it is dead.
/// - A connection that is closed gives its place free at once; the close itself is done in a greenthread of its own.
///
/// Clones are handles of the same pool. The last one's end closes the idle connections. For servers by name see
/// [`DatabaseConnector`]; for a driver that blocks the thread, [`Threaded`].
///
/// ```
/// use std::io;
/// use green::net::{TcpListener, TcpStream};
/// use green::pools::{ConnectionPool, Driver};
///
/// struct Echo(std::net::SocketAddr);
///
/// impl Driver for Echo {
///     type Connection = TcpStream;
///     type Error = io::Error;
///
///     fn connect(&self) -> io::Result<TcpStream> {
///         TcpStream::connect(self.0)
///     }
///
///     fn reset(&self, _: &mut TcpStream) -> io::Result<()> {
///         Ok(())
///     }
///
///     fn check(&self, stream: &mut TcpStream) -> io::Result<()> {
///         stream.take_error()?.map_or(Ok(()), Err)
///     }
/// }
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let pool = ConnectionPool::builder().max(10).connect(Echo(listener.local_addr()?))?;
/// let first = pool.get()?.local_addr()?;
/// assert_eq!(pool.get()?.local_addr()?, first, "the same one again");
///
/// pool.resize(1);
/// let only = pool.get()?;
/// assert!(pool.get_timeout(std::time::Duration::from_millis(1)).is_err());
/// drop(only);
/// assert_eq!((pool.free(), pool.idle(), pool.waiting()), (1, 1, 0));
/// pool.clear(); // The server was restarted, say.
/// assert_eq!((pool.free(), pool.idle()), (1, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ConnectionPool<D: Driver> {
    shared: Rc<Shared<D>>,
}

/// Why there is no connection.
type Checkout<D> = CheckoutError<<D as Driver>::Error>;

struct Shared<D: Driver> {
    driver: Rc<D>,
    core: Core<Live<D>, Checkout<D>>,
    limits: ConnectionPoolBuilder,
    /// How often the pool has been cleared.
    epoch: Rc<Cell<u64>>,
    expiry: Expiry,
}

// For one type, so that nobody has to name it: the builder's last call says of what the pool is.
impl ConnectionPool<Infallible> {
    /// A pool of up to 4 connections, to be changed.
    pub fn builder() -> ConnectionPoolBuilder {
        ConnectionPoolBuilder::new()
    }
}

impl<D: Driver> ConnectionPool<D> {
    fn make(limits: ConnectionPoolBuilder, driver: D) -> Result<ConnectionPool<D>, Checkout<D>> {
        let (driver, epoch) = (Rc::new(driver), Rc::new(Cell::new(0)));
        let create = {
            let (driver, epoch) = (Rc::clone(&driver), Rc::clone(&epoch));
            move || connect(&driver, limits.connect_timeout, &epoch)
        };
        let first = (0..limits.min.min(limits.max)).map(|_| create());
        let mut idle = first.collect::<Result<VecDeque<Live<D>>, _>>()?;
        idle.iter_mut().for_each(|live| live.was_idle = true);
        let shared = Rc::new(Shared {
            driver,
            core: Core::new(Box::new(create), true, limits.max, idle),
            limits,
            epoch,
            expiry: Expiry::default(),
        });
        shared.watch_idle();
        Ok(ConnectionPool { shared })
    }

    /// A connection for as long as the guard lives; waits while all are in use.
    ///
    /// # Errors
    /// If one had to be made and could not.
    pub fn get(&self) -> Result<PooledConnection<D>, CheckoutError<D::Error>> {
        self.get_until(None, Duration::MAX)
    }

    /// As [`get`](ConnectionPool::get), but waits for at most `timeout`. The time that it takes to make or check a
    /// connection comes on top of that; [`connect_timeout`](ConnectionPoolBuilder::connect_timeout) bounds it.
    ///
    /// # Errors
    /// [`Exhausted`](CheckoutError::Exhausted) if all were in use until then, and as [`get`](ConnectionPool::get).
    pub fn get_timeout(
        &self,
        timeout: Duration,
    ) -> Result<PooledConnection<D>, CheckoutError<D::Error>> {
        let deadline = Runtime::with(|runtime| runtime.deadline(Some(timeout)));
        self.get_until(deadline, timeout)
    }

    fn get_until(
        &self,
        deadline: Option<Instant>,
        timeout: Duration,
    ) -> Result<PooledConnection<D>, Checkout<D>> {
        match self.shared.core.get(deadline) {
            Some(live) => PooledConnection::new(live?, Rc::clone(&self.shared)).or_renew(),
            None => Err(CheckoutError::Exhausted(Elapsed::new(timeout))),
        }
    }

    /// Closes the idle connections now, and those that are in use when they come back: for when the server or a password
    /// has changed.
    pub fn clear(&self) {
        self.shared.epoch.set(self.shared.epoch.get() + 1);
        drop(self.shared.core.take_idle(|_| true));
    }

    /// Changes how many connections there may be. Idle ones that are too many are closed now, others when they come back.
    pub fn resize(&self, max: usize) {
        self.shared.core.resize(max);
    }

    /// How many can be had without waiting: idle ones, and those that may still be made. Zero or less says that the next
    /// who asks waits.
    pub fn free(&self) -> isize {
        self.shared.core.free()
    }

    /// How many greenthreads wait for a connection.
    pub fn waiting(&self) -> usize {
        self.shared.core.waiting()
    }

    /// How many connections are open and not in use.
    pub fn idle(&self) -> usize {
        self.shared.core.idle()
    }
}

fn connect<D: Driver>(
    driver: &Rc<D>,
    timeout: Option<Duration>,
    epoch: &Cell<u64>,
) -> Result<Live<D>, Checkout<D>> {
    let since = epoch.get();
    let made = Timeout::new(timeout).run(|| driver.connect());
    let connection = made
        .map_err(CheckoutError::ConnectTimeout)?
        .map_err(CheckoutError::Driver)?;
    let now = Runtime::with(Runtime::now);
    Ok(Live::new(connection, Rc::clone(driver), now, since))
}

impl<D: Driver> Shared<D> {
    /// Runs what cleans up or checks a connection. False if it failed or took too long.
    fn try_out(&self, what: &str, f: impl FnOnce() -> Result<(), D::Error>) -> bool {
        match Timeout::new(self.limits.connect_timeout).run(f) {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => log::debug!("{what} of a pool's connection failed: {error}"),
            Err(elapsed) => log::debug!("{what} of a pool's connection {elapsed}"),
        }
        false
    }

    fn is_over(&self, live: &Live<D>, now: Instant) -> bool {
        live.epoch != self.epoch.get() || live.end(&self.limits).is_some_and(|end| end <= now)
    }

    /// True if a connection that was idle may be given out.
    fn is_fit(&self, live: &mut Live<D>) -> bool {
        let now = Runtime::with(Runtime::now);
        if self.is_over(live, now) {
            return false;
        }
        let idle = now.saturating_duration_since(live.proven);
        let due = |after| idle >= after && live.was_idle;
        !self.limits.check_after.is_some_and(due)
            || self.try_out("the check", || self.driver.check(live.get_mut()))
    }

    /// Puts a connection back that is as good as new after a reset; closes every other.
    fn take_back(self: &Rc<Self>, mut live: Live<D>, intact: bool) {
        let place = Place(self);
        if !intact || Runtime::with(Runtime::cannot_switch) {
            return;
        }
        if !self.try_out("the reset", || self.driver.reset(live.get_mut())) {
            return;
        }
        let now = Runtime::with(Runtime::now);
        (live.proven, live.was_idle) = (now, true);
        if self.is_over(&live, now) {
            return;
        }
        std::mem::forget(place);
        self.core.put(live);
        self.watch_idle();
    }
}

impl<D: Driver> Drop for Shared<D> {
    fn drop(&mut self) {
        self.expiry.cancel();
    }
}

/// The place of a connection that is not idle. Dropped, it is another's.
struct Place<'a, D: Driver>(&'a Shared<D>);

impl<D: Driver> Drop for Place<'_, D> {
    fn drop(&mut self) {
        self.0.core.lose();
    }
}

impl<D: Driver> Clone for ConnectionPool<D> {
    fn clone(&self) -> ConnectionPool<D> {
        ConnectionPool {
            shared: Rc::clone(&self.shared),
        }
    }
}

impl<D: Driver> fmt::Debug for ConnectionPool<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.core.describe("ConnectionPool", f)
    }
}

/// The driver of [`ConnectionPool::builder`], which has none yet.
#[doc(hidden)]
impl Driver for Infallible {
    type Connection = Infallible;
    type Error = Infallible;

    fn connect(&self) -> Result<Infallible, Infallible> {
        match *self {}
    }

    fn reset(&self, connection: &mut Infallible) -> Result<(), Infallible> {
        match *connection {}
    }

    fn check(&self, connection: &mut Infallible) -> Result<(), Infallible> {
        match *connection {}
    }
}
