//! A server on several workers: one address, one drain, one set of counters.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::listen::{Balance, SharedAddress, SharedListener};
use super::{Worker, Workers, WorkersBuilder, WorkersHandle};
use crate::net::{TcpListener, TcpStream, ToSocketAddrs};
use crate::runtime::{Runtime, ThreadState};
use crate::server::{Drained, Lifecycle, Outcome, ServerCounters, StreamServer};

type Serve = dyn Fn(&Worker, SharedListener, &Lifecycle) -> io::Result<Drained> + Send + Sync;

/// A server on several workers: what [`StreamServer::factory`] gives, and what crates give that serve a protocol.
///
/// Each worker has a handler of its own, a [`Lifecycle`] of its own and its part of the
/// [address](Worker::listen_shared); they are drained together, and their counters are added up.
///
/// ```
/// use std::cell::Cell;
/// use std::io::{Read, Write};
/// use std::time::Duration;
/// use green::net::TcpStream;
/// use green::server::StreamServer;
/// use green::signal::SIGTERM;
///
/// let server = StreamServer::factory(|| {
///     let served = Cell::new(0); // of this worker
///     move |mut stream: TcpStream, _peer| {
///         served.set(served.get() + 1);
///         writeln!(stream, "number {}", served.get())
///     }
/// });
/// let running = server.workers(2).one_queue(true).drain_on([SIGTERM], None).start("127.0.0.1:0")?;
/// let mut text = String::new();
/// green::connect(running.local_addr())?.read_to_string(&mut text)?;
/// assert_eq!(text, "number 1\n");
/// assert_eq!(running.counters().accepted, 1);
/// assert_eq!(running.drain(Duration::from_secs(1))?.killed, 0);
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "it does nothing until it is started"]
pub struct WorkersServer {
    builder: WorkersBuilder,
    balance: Balance,
    serve: Arc<Serve>,
}

impl StreamServer<TcpListener> {
    /// A server on several workers: on each of them `make` makes a handler, which need not be `Send`. It is called
    /// with each connection, in a greenthread of its own, at most 1000 of them at a time in each worker.
    ///
    /// What a handler fails with is logged, and one that panics is reported as every greenthread is; the server goes
    /// on. One that breaks with [`StopServe`](crate::StopServe) ends the work of its worker alone.
    ///
    /// ```
    /// use std::io::Read;
    /// use green::server::StreamServer;
    /// use green::signal::{SIGINT, SIGTERM};
    ///
    /// let server = StreamServer::factory(|| |_stream, _peer| ()).workers(2);
    /// let server = server.drain_on([SIGINT, SIGTERM], None).start("127.0.0.1:0")?;
    /// assert_eq!(green::connect(server.local_addr())?.read(&mut [0])?, 0);
    /// green::signal::raise(SIGTERM)?;
    /// assert_eq!(server.join()?.killed, 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn factory<H, R>(make: impl Fn() -> H + Send + Sync + 'static) -> WorkersServer
    where
        H: Fn(TcpStream, SocketAddr) -> R + 'static,
        R: Outcome,
    {
        WorkersServer::new(move |_worker, listener, life| life.serve(&listener, 1000, make()))
    }
}

impl WorkersServer {
    /// A server on several workers that speaks a protocol of its own: `serve` runs on each worker, and serves what
    /// comes to the listener until the life cycle is drained.
    pub fn new(
        serve: impl Fn(&Worker, SharedListener, &Lifecycle) -> io::Result<Drained>
        + Send
        + Sync
        + 'static,
    ) -> WorkersServer {
        WorkersServer {
            builder: WorkersBuilder::new(),
            balance: Balance::default(),
            serve: Arc::new(serve),
        }
    }

    /// Sets how many workers there are, or what they are like: as [`workers`](crate::workers()) takes it.
    pub fn workers(mut self, workers: impl Into<WorkersBuilder>) -> WorkersServer {
        self.builder = workers.into();
        self
    }

    /// With `true`, all workers take their connections from one queue: see [`Worker::listen_shared_queue`].
    pub fn one_queue(mut self, one: bool) -> WorkersServer {
        self.balance = match one {
            true => Balance::Queue,
            false => Balance::default(),
        };
        self
    }

    /// Drains all workers when one of `signals` arrives: [`WorkersBuilder::stop_on`].
    pub fn drain_on(
        mut self,
        signals: impl IntoIterator<Item = i32>,
        timeout: impl Into<Option<Duration>>,
    ) -> WorkersServer {
        self.builder = self.builder.stop_on(signals, timeout);
        self
    }

    /// Serves at an address until the workers have been drained.
    ///
    /// # Errors
    /// What the system says of the last address; what the first worker fails of.
    ///
    /// # Panics
    /// As [`spawn`](crate::spawn).
    pub fn serve(self, address: impl ToSocketAddrs) -> io::Result<Drained> {
        self.start(address)?.join()
    }

    /// Begins to serve at an address. The address is bound when this returns, and clients may come.
    ///
    /// # Errors
    /// What the system says of the last address; if the workers cannot be started.
    ///
    /// # Panics
    /// As [`spawn`](crate::spawn).
    pub fn start(self, address: impl ToSocketAddrs) -> io::Result<RunningServer> {
        let asked: Vec<_> = address.to_socket_addrs()?.collect();
        let count = self.builder.resolve_count()?;
        let group = Arc::new(SharedAddress::new(&asked, self.balance, count));
        let address = group.open_all()?;
        let former: Arc<Vec<Former>> = Arc::new((0..count).map(|_| Former::default()).collect());
        let (serve, of_all) = (self.serve, Arc::clone(&former));
        let workers = self.builder.count(count).start(move |worker| {
            let life = Lifecycle::new();
            worker.drain_at_stop(&life);
            let _counted = Counted::new(&life, &of_all, worker.index());
            let listener = SharedListener::join(Arc::clone(&group), worker.index())?;
            serve(&worker, listener, &life)
        })?;
        Ok(RunningServer {
            workers,
            address,
            former,
        })
    }
}

impl fmt::Debug for WorkersServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkersServer")
            .field("builder", &self.builder)
            .field("balance", &self.balance)
            .finish_non_exhaustive()
    }
}

/// A [`WorkersServer`] that was started. If it is dropped, its workers are told to stop at once.
///
/// ```
/// use green::server::StreamServer;
/// use green::workers::RunningServer;
///
/// let server: RunningServer = StreamServer::factory(|| |_stream, _peer| ())
///     .workers(2)
///     .start("127.0.0.1:0")?;
/// drop(green::connect(server.local_addr())?);
/// assert_eq!(server.handle().len(), 2);
/// assert_eq!(server.counters_of_each().len(), 2);
/// assert_eq!(server.counters().refused, 0); // Of all together.
/// server.handle().stop(std::time::Duration::from_secs(5)); // Or `server.drain(..)`, which also waits.
/// assert_eq!(server.join()?.killed, 0);
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "dropping it ends the server"]
pub struct RunningServer {
    workers: Workers<Drained, io::Error>,
    address: SocketAddr,
    former: Arc<Vec<Former>>,
}

impl RunningServer {
    /// The address at which it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Its workers: to stop them from elsewhere, and to spawn into them.
    pub fn handle(&self) -> &WorkersHandle {
        self.workers.handle()
    }

    /// The sums of what all workers count, those that have ended included. It asks each of them, and waits for the
    /// answers.
    pub fn counters(&self) -> ServerCounters {
        let each = self.counters_of_each();
        each.into_iter()
            .fold(ServerCounters::default(), |sum, counters| {
                sum.plus(&counters)
            })
    }

    /// As [`counters`](RunningServer::counters), one for each worker.
    pub fn counters_of_each(&self) -> Vec<ServerCounters> {
        let handle = self.handle();
        let asked: Vec<_> = (0..handle.len())
            .map(|worker| {
                let former = Arc::clone(&self.former);
                handle.spawn_on(worker, move || former[worker].with_present())
            })
            .collect();
        let answers = asked.into_iter().zip(&*self.former);
        answers
            .map(|(asked, former)| match asked.map(|answer| answer.join()) {
                Ok(Ok(counters)) => counters,
                // It has ended, and has left them behind.
                _ => former.get(),
            })
            .collect()
    }

    /// Drains all workers, as [`Lifecycle::drain`] does one: closes the listeners, cuts the idle connections, waits
    /// for what is under way, and after `timeout` kills the rest (`None` waits for ever).
    ///
    /// # Errors
    /// As [`join`](RunningServer::join).
    ///
    /// ```
    /// use std::time::Duration;
    /// use green::server::StreamServer;
    ///
    /// let server = StreamServer::factory(|| |_stream, _peer| ()).workers(1).start("127.0.0.1:0")?;
    /// assert_eq!(server.drain(Duration::from_secs(5))?.killed, 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn drain(self, timeout: impl Into<Option<Duration>>) -> io::Result<Drained> {
        self.handle().stop(timeout);
        self.join()
    }

    /// Waits until the workers have been drained, and says how many connections were killed, all of them together.
    ///
    /// # Errors
    /// What the first worker fails of.
    pub fn join(self) -> io::Result<Drained> {
        let each = self.workers.join()?;
        Ok(Drained {
            killed: each.iter().map(|drained| drained.killed).sum(),
        })
    }
}

impl fmt::Debug for RunningServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningServer")
            .field("address", &self.address)
            .field("workers", &self.workers)
            .finish_non_exhaustive()
    }
}

/// What a worker has counted that has ended or was started again.
#[derive(Default)]
struct Former(Mutex<ServerCounters>);

impl Former {
    fn get(&self) -> ServerCounters {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// With what it counts now: for the worker itself.
    fn with_present(&self) -> ServerCounters {
        let life = Runtime::with(Runtime::state::<Serving>).0.borrow().clone();
        // In its own thread, so that nothing moves from the one to the other meanwhile.
        match life {
            Some(life) => self.get().plus(&life.counters()),
            None => self.get(),
        }
    }
}

/// The life of the server that runs on this worker.
#[derive(Default)]
struct Serving(std::cell::RefCell<Option<Lifecycle>>);

impl ThreadState for Serving {
    fn at_end(&self) {
        drop(self.0.take());
    }
}

/// Leaves the counters behind, however the worker ends.
struct Counted {
    former: Arc<Vec<Former>>,
    worker: usize,
}

impl Counted {
    fn new(life: &Lifecycle, former: &Arc<Vec<Former>>, worker: usize) -> Counted {
        let serving = Runtime::with(Runtime::state::<Serving>);
        drop(serving.0.replace(Some(life.clone())));
        Counted {
            former: Arc::clone(former),
            worker,
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let life = Runtime::with(Runtime::state::<Serving>).0.take();
        if let Some(life) = life {
            let former = &self.former[self.worker].0;
            let mut former = former.lock().unwrap_or_else(PoisonError::into_inner);
            // What is still open goes with the thread.
            *former = former.plus(&ServerCounters {
                open: 0,
                idle: 0,
                ..life.counters()
            });
        }
    }
}
