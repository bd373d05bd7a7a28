//! An object whose methods block, used in threads of a pool.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::{JobError, ThreadPool};
use crate::Semaphore;

/// An object whose methods block: a database connection, a file of another library. Every [`call`](Proxy::call) on it
/// is a job of a [thread pool](crate::tpool), so that other greenthreads run meanwhile.
///
/// Several greenthreads may share it (in an `Rc`): their calls take turns, in the order in which they came. Whoever waits
/// for a call may be killed or time out; the call then goes on to its end, and the next one waits for that in its thread.
///
/// ```
/// use std::time::Duration;
/// use green::tpool::Proxy;
///
/// struct Connection(u32);
///
/// impl Connection {
///     fn query(&mut self, _: &str) -> u32 {
///         std::thread::sleep(Duration::from_millis(5));
///         self.0 += 1;
///         self.0
///     }
/// }
///
/// let connection = Proxy::new(Connection(6));
/// assert_eq!(connection.call(|connection| connection.query("select"))?, 7);
/// # Ok::<(), green::tpool::JobError>(())
/// ```
///
/// Objects that block when they are made, or that others give:
///
/// ```
/// use std::sync::Arc;
/// use green::tpool::{Proxy, ThreadPool};
///
/// let lines = Proxy::make(|| vec!["a b", "c"])?;
/// let words = lines.call_wrapped(|lines| lines.remove(0).split(' '))?;
/// assert_eq!(words.collect::<Result<Vec<_>, _>>()?, ["a", "b"]);
///
/// let threads = Arc::new(ThreadPool::new(1));
/// let number = Proxy::with_pool(&threads, 5);
/// assert_eq!(number.call(|number| *number + 1)?, 6);
/// # Ok::<(), green::tpool::JobError>(())
/// ```
///
/// A proxy of an iterator is an iterator, each step of which is a job:
///
/// ```
/// let lines = green::tpool::Proxy::new("a b c".split(' '));
/// let lines: Result<Vec<_>, _> = lines.collect();
/// assert_eq!(lines?, ["a", "b", "c"]);
/// # Ok::<(), green::tpool::JobError>(())
/// ```
pub struct Proxy<T> {
    object: Arc<Mutex<T>>,
    turn: Semaphore,
    /// `None` stands for the pool of the process.
    pool: Option<Arc<ThreadPool>>,
}

impl<T: Send + 'static> Proxy<T> {
    /// A proxy of `object` on the pool of the process.
    pub fn new(object: T) -> Proxy<T> {
        Proxy {
            object: Arc::new(Mutex::new(object)),
            turn: Semaphore::new(1),
            pool: None,
        }
    }

    /// A proxy of `object` on a pool of one's own.
    pub fn with_pool(pool: &Arc<ThreadPool>, object: T) -> Proxy<T> {
        Proxy {
            pool: Some(Arc::clone(pool)),
            ..Proxy::new(object)
        }
    }

    /// A proxy on the pool of the process of what `make` gives there, for objects that block when they are made.
    ///
    /// # Errors
    /// As [`execute`](super::execute).
    pub fn make(make: impl FnOnce() -> T + Send + 'static) -> Result<Proxy<T>, JobError> {
        super::execute(make).map(Proxy::new)
    }

    /// Calls `f` with the object in a thread of the pool, after those who came before; the calling greenthread waits.
    ///
    /// # Errors
    /// As [`execute`](super::execute). A call that panics leaves the object as it was at that moment.
    pub fn call<R: Send + 'static>(
        &self,
        f: impl FnOnce(&mut T) -> R + Send + 'static,
    ) -> Result<R, JobError> {
        // One that holds nothing, while the thread unwinds, leaves the order to the mutex.
        let _turn = self.turn.acquire();
        let object = Arc::clone(&self.object);
        let job = move || f(&mut object.lock().unwrap_or_else(PoisonError::into_inner));
        match &self.pool {
            Some(pool) => pool.execute(job),
            None => super::execute(job),
        }
    }

    /// As [`call`](Proxy::call), for what gives a further object that blocks: a cursor, an iterator, a statement.
    ///
    /// # Errors
    /// As [`call`](Proxy::call).
    pub fn call_wrapped<R: Send + 'static>(
        &self,
        f: impl FnOnce(&mut T) -> R + Send + 'static,
    ) -> Result<Proxy<R>, JobError> {
        let object = self.call(f)?;
        Ok(match &self.pool {
            Some(pool) => Proxy::with_pool(pool, object),
            None => Proxy::new(object),
        })
    }
}

impl<T: Send + 'static> Proxy<T> {
    /// Gives the object to `end` in a thread of the pool and waits for nothing: for objects that block when they are
    /// dropped. If a call runs still that somebody has left, the object is dropped at its end, without `end`.
    pub(crate) fn finish(self, end: impl FnOnce(T) + Send + 'static) {
        let Proxy { object, pool, .. } = self;
        let job = move || {
            if let Some(object) = Arc::into_inner(object) {
                end(object.into_inner().unwrap_or_else(PoisonError::into_inner));
            }
        };
        let submitted = match &pool {
            Some(pool) => pool.submit(job),
            None => super::submit(job),
        };
        if let Err(error) = submitted {
            log::debug!("an object of a thread pool was dropped where it was: {error}");
        }
    }
}

impl<T> Proxy<T> {
    /// Calls `f` with the object here and now, for what does not block: a length, a comparison, a name. `None` while
    /// another call runs.
    ///
    /// ```
    /// let list = green::tpool::Proxy::new(vec![1, 2, 3]);
    /// assert_eq!(list.direct(|list| list.len()), Some(3));
    /// ```
    pub fn direct<R>(&self, f: impl FnOnce(&T) -> R) -> Option<R> {
        match self.object.try_lock() {
            Ok(object) => Some(f(&object)),
            Err(std::sync::TryLockError::Poisoned(object)) => Some(f(&object.into_inner())),
            Err(std::sync::TryLockError::WouldBlock) => None,
        }
    }
}

impl<I: Iterator + Send + 'static> Iterator for Proxy<I>
where
    I::Item: Send,
{
    type Item = Result<I::Item, JobError>;

    fn next(&mut self) -> Option<Result<I::Item, JobError>> {
        self.call(I::next).transpose()
    }
}

impl<T: fmt::Debug> fmt::Debug for Proxy<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Proxy").field(&self.object).finish()
    }
}
