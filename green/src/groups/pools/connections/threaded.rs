//! Drivers that block the thread.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use super::Driver;
use crate::threads::tpool::{JobError, Proxy, ThreadPool};

/// A [`Driver`] whose calls block the thread, as one whose calls wait: each is a job of a [thread pool](crate::tpool), and
/// a connection is a [`Proxy`].
///
/// A greenthread that is killed or runs out of time in the middle of a query leaves it running in its thread. No
/// other gets that connection: it is closed there when the query has ended.
///
/// ```
/// use std::io::{self, Read, Write};
/// use std::net::{SocketAddr, TcpListener, TcpStream};
/// use green::pools::{ConnectionPool, Driver, Threaded};
///
/// struct Blocking(SocketAddr);
///
/// impl Driver for Blocking {
///     type Connection = TcpStream; // of std
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
///         stream.peer_addr().map(drop)
///     }
/// }
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let driver = Threaded::new(Blocking(listener.local_addr()?));
/// let pool = ConnectionPool::builder().max(10).connect(driver)?;
/// std::thread::spawn(move || listener.accept().unwrap().0.write_all(b"hello"));
/// let connection = pool.get()?;
/// let text = connection.call(|stream| {
///     let mut text = String::new();
///     stream.read_to_string(&mut text).map(|_| text)
/// })??;
/// assert_eq!(text, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Threaded<D> {
    driver: Arc<D>,
    /// `None` stands for the pool of the process.
    threads: Option<Arc<ThreadPool>>,
}

impl<D> Threaded<D> {
    /// Calls `driver` in the thread pool of the process. As many connections can be busy at a time as that has threads:
    /// see [`tpool::set_num_threads`](crate::tpool::set_num_threads).
    pub fn new(driver: D) -> Threaded<D> {
        Threaded {
            driver: Arc::new(driver),
            threads: None,
        }
    }

    /// Calls `driver` in a thread pool of one's own.
    ///
    /// ```
    /// use std::io;
    /// use std::sync::Arc;
    /// use green::pools::{Driver, Threaded};
    /// use green::tpool::ThreadPool;
    ///
    /// # struct Files;
    /// # impl Driver for Files {
    /// #     type Connection = std::fs::File;
    /// #     type Error = io::Error;
    /// #     fn connect(&self) -> io::Result<std::fs::File> { std::fs::File::open("/dev/null") }
    /// #     fn reset(&self, _: &mut std::fs::File) -> io::Result<()> { Ok(()) }
    /// #     fn check(&self, _: &mut std::fs::File) -> io::Result<()> { Ok(()) }
    /// # }
    /// let threads = Arc::new(ThreadPool::new(2));
    /// let driver = Threaded::with_pool(&threads, Files); // a driver that blocks
    /// assert!(driver.connect().is_ok());
    /// ```
    pub fn with_pool(threads: &Arc<ThreadPool>, driver: D) -> Threaded<D> {
        Threaded {
            driver: Arc::new(driver),
            threads: Some(Arc::clone(threads)),
        }
    }
}

/// A driver of a [`Threaded`] failed, or the thread pool did.
///
/// ```
/// use green::pools::ThreadedError;
///
/// fn is_of_driver<E>(error: &ThreadedError<E>) -> bool {
///     matches!(error, ThreadedError::Driver(_))
/// }
/// assert!(is_of_driver(&ThreadedError::Driver("no such table")));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ThreadedError<E> {
    /// The driver failed.
    Driver(E),
    /// The call panicked or could not be run.
    Job(JobError),
}

impl<E: fmt::Display> fmt::Display for ThreadedError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ThreadedError::Driver(error) => error.fmt(f),
            ThreadedError::Job(error) => error.fmt(f),
        }
    }
}

impl<E: Error + 'static> Error for ThreadedError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            ThreadedError::Driver(error) => error.source(),
            ThreadedError::Job(error) => error.source(),
        }
    }
}

/// One error of the two that a call of a driver in a thread may end with.
fn flatten<T, E>(called: Result<Result<T, E>, JobError>) -> Result<T, ThreadedError<E>> {
    called
        .map_err(ThreadedError::Job)?
        .map_err(ThreadedError::Driver)
}

impl<D> Driver for Threaded<D>
where
    D: Driver<Connection: Send, Error: Send> + Send + Sync,
{
    type Connection = Proxy<D::Connection>;
    type Error = ThreadedError<D::Error>;

    fn connect(&self) -> Result<Self::Connection, Self::Error> {
        let driver = Arc::clone(&self.driver);
        Ok(match &self.threads {
            Some(threads) => {
                let made = flatten(threads.execute(move || driver.connect()))?;
                Proxy::with_pool(threads, made)
            }
            None => Proxy::new(flatten(crate::threads::tpool::execute(move || {
                driver.connect()
            }))?),
        })
    }

    fn reset(&self, connection: &mut Self::Connection) -> Result<(), Self::Error> {
        let driver = Arc::clone(&self.driver);
        flatten(connection.call(move |connection| driver.reset(connection)))
    }

    fn check(&self, connection: &mut Self::Connection) -> Result<(), Self::Error> {
        let driver = Arc::clone(&self.driver);
        flatten(connection.call(move |connection| driver.check(connection)))
    }

    fn close(&self, connection: Self::Connection) {
        let driver = Arc::clone(&self.driver);
        connection.finish(move |connection| driver.close(connection));
    }
}
