//! Pools of resources that are made when they are needed and then used again: of anything ([`Pool`]), and of connections
//! to servers ([`ConnectionPool`]), which must be cleaned up, checked and given up in time.

mod builder;
mod connections;
mod item;
mod resources;

use std::convert::Infallible;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::runtime::Runtime;

pub use builder::Builder;
pub use connections::{
    CheckoutError, ConnectionPool, ConnectionPoolBuilder, DatabaseConnector, Driver,
    PooledConnection, Threaded, ThreadedError,
};
pub use item::PoolItem;
use resources::Core;

/// Resources of one kind, shared by greenthreads: connections, buffers, permits to do something.
///
/// A resource is made by the pool's function when one is asked for and none is idle, until there are as many as the
/// pool may have; then who asks waits for one to come back, first come, first served. A resource whose owner is killed
/// while it is handed over goes to the next.
///
/// Clones are handles of the same pool. Where making a resource can fail, see [`TryPool`].
///
/// ```
/// use green::pools::Pool;
///
/// let buffers = Pool::builder().max(2).create(|| Vec::<u8>::with_capacity(4096));
/// let mut buffer = buffers.item();
/// buffer.extend_from_slice(b"hello");
/// assert_eq!(buffers.free(), 1);
/// drop(buffer);
/// assert_eq!(buffers.free(), 2);
/// ```
///
/// Without a guard, and with a bounded wait:
///
/// ```
/// use std::time::Duration;
/// use green::pools::Pool;
///
/// let buffers = Pool::builder().max(2).create(String::new);
/// buffers.resize(1);
/// let buffer = buffers.get();
/// assert!(buffers.get_timeout(Duration::from_millis(1)).is_none());
/// assert!(buffers.item_timeout(Duration::from_millis(1)).is_none());
/// assert_eq!(buffers.waiting(), 0); // Not any more.
/// buffers.put(buffer);
/// assert_eq!(buffers.free(), 1);
/// ```
pub struct Pool<T: 'static> {
    inner: TryPool<T, Infallible>,
}

/// A [`Pool`] whose function may fail.
///
/// The greenthread that asked for the resource gets the error, and the next waiter tries again.
///
/// ```
/// use std::io;
/// use green::net::{TcpListener, TcpStream};
/// use green::pools::Pool;
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let address = listener.local_addr()?;
/// let connections = Pool::builder().max(10).try_create(move || TcpStream::connect(address))?;
/// let connection = connections.item()?;
/// assert_eq!(connection.peer_addr()?, address);
/// # Ok::<(), io::Error>(())
/// ```
///
/// Without a guard, and with a bounded wait:
///
/// ```
/// use std::time::Duration;
/// use green::pools::Pool;
///
/// let numbers = Pool::builder().max(2).try_create(|| "7".parse::<u32>())?;
/// numbers.resize(1);
/// let number = numbers.get()?;
/// assert!(numbers.get_timeout(Duration::from_millis(1)).is_none());
/// assert!(numbers.item_timeout(Duration::from_millis(1)).is_none());
/// assert_eq!((numbers.free(), numbers.waiting()), (0, 0));
/// numbers.put(number);
/// # Ok::<(), std::num::ParseIntError>(())
/// ```
pub struct TryPool<T: 'static, E: 'static> {
    core: Rc<Core<T, E>>,
}

// For one type, so that nobody has to name it: the builder's last call says of what the pool is.
impl Pool<()> {
    /// A pool of up to 4 resources, to be changed.
    pub fn builder() -> Builder {
        Builder::new()
    }
}

impl<T: 'static> Pool<T> {
    /// A resource for as long as the guard lives; waits while all are in use.
    ///
    /// While the thread unwinds it cannot wait, and makes one more than the pool may have; that one is dropped when it
    /// comes back.
    pub fn item(&self) -> PoolItem<T> {
        match self.inner.item() {
            Ok(item) => item,
        }
    }

    /// As [`item`](Pool::item), for at most `timeout`.
    pub fn item_timeout(&self, timeout: Duration) -> Option<PoolItem<T>> {
        self.inner.item_timeout(timeout).map(|Ok(item)| item)
    }

    /// Takes a resource out; waits while all are in use. It still counts until it is [put](Pool::put) back.
    pub fn get(&self) -> T {
        match self.inner.get() {
            Ok(item) => item,
        }
    }

    /// As [`get`](Pool::get), for at most `timeout`.
    pub fn get_timeout(&self, timeout: Duration) -> Option<T> {
        self.inner.get_timeout(timeout).map(|Ok(item)| item)
    }

    /// See [`TryPool::put`].
    pub fn put(&self, item: T) {
        self.inner.put(item);
    }

    /// See [`TryPool::resize`].
    pub fn resize(&self, max: usize) {
        self.inner.resize(max);
    }

    /// See [`TryPool::free`].
    pub fn free(&self) -> isize {
        self.inner.free()
    }

    /// See [`TryPool::waiting`].
    pub fn waiting(&self) -> usize {
        self.inner.waiting()
    }
}

impl<T: 'static, E: 'static> TryPool<T, E> {
    /// A resource for as long as the guard lives; waits while all are in use.
    ///
    /// While the thread unwinds it cannot wait, and makes one more than the pool may have; that one is dropped when it
    /// comes back.
    ///
    /// # Errors
    /// Of the function that makes resources.
    pub fn item(&self) -> Result<PoolItem<T>, E> {
        self.get().map(|item| self.guard(item))
    }

    /// As [`item`](TryPool::item), for at most `timeout`. `None` says that all were in use until then. (The time that it
    /// takes to make one is not bounded by this: see [`Timeout`](crate::Timeout).)
    pub fn item_timeout(&self, timeout: Duration) -> Option<Result<PoolItem<T>, E>> {
        let item = self.get_timeout(timeout)?;
        Some(item.map(|item| self.guard(item)))
    }

    fn guard(&self, item: T) -> PoolItem<T> {
        PoolItem::new(item, self.core.clone())
    }

    /// Takes a resource out; waits while all are in use. It still counts until it is [put](TryPool::put) back.
    ///
    /// # Errors
    /// Of the function that makes resources.
    pub fn get(&self) -> Result<T, E> {
        match self.core.get(None) {
            Some(item) => item,
            None => unreachable!("a wait without a deadline has expired"),
        }
    }

    /// As [`get`](TryPool::get), for at most `timeout`. `None` says that all were in use until then.
    pub fn get_timeout(&self, timeout: Duration) -> Option<Result<T, E>> {
        let deadline = Runtime::with(|runtime| runtime.deadline(Some(timeout)));
        self.core.get(deadline)
    }

    /// Gives a resource back, to the one that has waited longest. Never waits.
    ///
    /// If the pool has shrunk meanwhile, and has too many, the resource is dropped.
    pub fn put(&self, item: T) {
        item::Home::put(&*self.core, item);
    }

    /// Changes how many resources there may be. Idle ones that are too many are dropped now, others when they come back.
    pub fn resize(&self, max: usize) {
        self.core.resize(max);
    }

    /// How many can be had without waiting: idle ones, and those that may still be made. Zero or less says that the
    /// next who asks waits.
    pub fn free(&self) -> isize {
        self.core.free()
    }

    /// How many greenthreads wait for a resource.
    pub fn waiting(&self) -> usize {
        self.core.waiting()
    }
}

impl<T> Clone for Pool<T> {
    fn clone(&self) -> Pool<T> {
        Pool {
            inner: self.inner.clone(),
        }
    }
}

impl<T, E> Clone for TryPool<T, E> {
    fn clone(&self) -> TryPool<T, E> {
        TryPool {
            core: Rc::clone(&self.core),
        }
    }
}

impl<T> fmt::Debug for Pool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.core.describe("Pool", f)
    }
}

impl<T, E> fmt::Debug for TryPool<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.describe("TryPool", f)
    }
}

/// What a [`TokenPool`] gives out: the right to use something of which there is only so much.
///
/// ```
/// use green::pools::{PoolToken, TokenPool};
///
/// let pool = TokenPool::new(1);
/// let token: PoolToken = pool.get();
/// assert_eq!(pool.free(), 0);
/// pool.put(token);
/// ```
#[derive(Debug, PartialEq, Eq)]
#[doc(alias = "Token")]
pub struct PoolToken(());

#[doc(hidden)]
pub use self::PoolToken as Token;

/// A pool of nothing but permits.
///
/// ```
/// use green::pools::TokenPool;
///
/// let pool = TokenPool::new(2);
/// let first = pool.item();
/// let second = pool.item();
/// assert_eq!(pool.free(), 0);
/// # drop((first, second));
/// ```
pub type TokenPool = Pool<PoolToken>;

impl TokenPool {
    /// A pool of `max` permits.
    pub fn new(max: usize) -> TokenPool {
        Pool::builder().max(max).create(|| PoolToken(()))
    }
}
