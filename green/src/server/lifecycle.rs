//! A server that is drained: [`Lifecycle`].

use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::panic::Location;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::accept::{Acceptor, accept_all};
use super::connection::{Connection, Lives};
use super::drain::{Accepting, Closer, Life};
use super::state::{Drained, ServerCounters, ServerState};
use super::{Listener, Outcome, StopServe};
use crate::GreenPool;
use crate::greenthread::timeout::stoppable;
use crate::runtime::Runtime;
use crate::signal::Signals;

/// The life of a server in one handle: for [`serve`](Lifecycle::serve), for a
/// [`StreamServer`](super::StreamServer), and for the protocols that other crates serve.
///
/// [`drain`](Lifecycle::drain) takes it through its [states](ServerState): the listeners are closed, so that new connections
/// are refused; idle connections are cut; what is under way is waited for; what has not ended in time is killed.
///
/// Clones are handles of the same life. Several listeners may be served under one.
///
/// ```
/// use std::io::{Read, Write};
/// use std::time::Duration;
/// use green::server::Lifecycle;
/// use green::signal::{SIGINT, SIGTERM};
///
/// let life = Lifecycle::new();
/// life.drain_on([SIGINT, SIGTERM], Duration::from_secs(30))?;
/// let listener = green::listen("127.0.0.1:0")?;
/// # let address = listener.local_addr()?;
/// # green::spawn_n(move || {
/// #     let mut client = green::connect(address).unwrap();
/// #     client.write_all(b"hello").unwrap();
/// #     client.read_exact(&mut [0; 5]).unwrap();
/// #     green::signal::raise(SIGTERM).unwrap();
/// #     assert_eq!(client.read(&mut [0]).unwrap(), 0);
/// # });
/// let within = life.clone();
/// let drained = life.serve(&listener, 1000, move |mut stream, _peer| {
///     let mut buf = [0; 1024];
///     // Nothing is under way while it waits for the next message: here a drain cuts the connection.
///     while let Some(len) = within.idle(|| stream.read(&mut buf)).transpose()?.filter(|&len| len > 0) {
///         stream.write_all(&buf[..len])?;
///     }
///     std::io::Result::Ok(())
/// })?;
/// assert_eq!(drained.killed, 0);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// For those who serve a protocol:
///
/// ```
/// use std::{io::Read, ops::ControlFlow, time::Duration};
/// use green::{GreenPool, server::{Lifecycle, ServerState}};
///
/// let life = Lifecycle::new();
/// let listener = green::listen("127.0.0.1:0")?;
/// let address = listener.local_addr()?;
/// let serving = life.clone();
/// let server = green::spawn(move || {
///     serving.serve_in(&listener, &GreenPool::new(10), 100, |_stream, _peer, connection| {
///         connection.count_served(None);
///         ControlFlow::Continue(())
///     })
/// });
/// green::connect(address)?.read_to_end(&mut Vec::new())?;
/// assert_eq!((life.counters().served, life.is_draining()), (1, false));
/// drop(life.connection()); // What has come by another way counts while this is held.
/// life.drain(Duration::from_secs(5));
/// assert_eq!(life.state(), ServerState::Stopped);
/// assert_eq!(server.join().unwrap()?.killed, 0);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Lifecycle {
    pub(super) shared: Rc<Life>,
}

impl Lifecycle {
    /// The life cycle of a server that has not begun to drain: [`ServerState::Running`].
    pub fn new() -> Lifecycle {
        let shared = Rc::new(Life::new());
        Lives::add(&shared);
        Lifecycle { shared }
    }

    /// The state that the server is in.
    pub fn state(&self) -> ServerState {
        self.shared.state.get()
    }

    /// True from the beginning of a drain on.
    pub fn is_draining(&self) -> bool {
        self.shared.is_draining()
    }

    /// How many connections the server has now, and how much it has done.
    pub fn counters(&self) -> ServerCounters {
        let shared = &self.shared;
        let connections = shared.connections.borrow();
        ServerCounters {
            open: connections.len(),
            idle: connections
                .iter()
                .filter(|(_, entry)| entry.idle.get())
                .count(),
            accepted: shared.accepted.get(),
            served: shared.served.get(),
            refused: shared.refused.get(),
            by_status: shared.by_status.borrow().clone(),
        }
    }

    /// Serves until it has been drained: runs `handler` with each connection, in a greenthread of its own, at most
    /// `concurrency` of them at a time.
    ///
    /// What a handler fails with is logged together with the peer's address, and a panic is reported as every
    /// greenthread's: neither ends the server. A handler that breaks with [`StopServe`](crate::StopServe) begins a
    /// drain without a deadline. A kill or deadline of the caller ends the accepting alone.
    ///
    /// # Errors
    /// If nothing can be accepted any more. The connections go on.
    #[track_caller]
    pub fn serve<L, H, R>(
        &self,
        listener: &L,
        concurrency: usize,
        handler: H,
    ) -> io::Result<Drained>
    where
        L: Listener + ?Sized,
        H: Fn(L::Stream, L::Addr) -> R + 'static,
        R: Outcome,
    {
        let pool = GreenPool::new(concurrency);
        let handler = logging(handler);
        self.serve_in(listener, &pool, 100, move |stream, addr, connection| {
            let flow = handler(stream, addr);
            connection.count_served(None);
            flow
        })
    }

    /// As [`serve`](Lifecycle::serve), for those who serve a protocol: the handlers run in `pool`, count what they have
    /// served themselves, and say on their [`Connection`] when nothing is under way. It is open until they drop that.
    ///
    /// After `max_accept` connections accepted in a row the other greenthreads run.
    ///
    /// # Errors
    /// As [`serve`](Lifecycle::serve).
    #[track_caller]
    pub fn serve_in<L, H>(
        &self,
        listener: &L,
        pool: &GreenPool,
        max_accept: usize,
        handler: H,
    ) -> io::Result<Drained>
    where
        L: Listener + ?Sized,
        H: Fn(L::Stream, L::Addr, Connection) -> ControlFlow<StopServe> + 'static,
    {
        match self.accept_in(listener, pool, max_accept, Location::caller(), handler) {
            Some(error) => Err(error),
            None => Ok(self.shared.finish()),
        }
    }

    /// Accepts until a drain begins, or gives the error that has ended it.
    pub(super) fn accept_in<L, H>(
        &self,
        listener: &L,
        pool: &GreenPool,
        max_accept: usize,
        spawned_at: &'static Location<'static>,
        handler: H,
    ) -> Option<io::Error>
    where
        L: Listener + ?Sized,
        H: Fn(L::Stream, L::Addr, Connection) -> ControlFlow<StopServe> + 'static,
    {
        if self.is_draining() {
            listener.close();
            return None;
        }
        let handler = Rc::new(handler);
        let shared = &self.shared;
        let acceptor = Acceptor {
            pool,
            max_accept,
            refused: &|| shared.refused.set(shared.refused.get() + 1),
        };
        let start = |stream, addr| {
            shared.accepted.set(shared.accepted.get() + 1);
            let connection = Connection::new(Rc::clone(shared));
            let (shared, handler) = (Rc::clone(shared), Rc::clone(&handler));
            pool.spawn_n_at(spawned_at, move || {
                if !connection.start() {
                    return;
                }
                if let ControlFlow::Break(StopServe) = handler(stream, addr, connection) {
                    shared.begin();
                }
            })
        };
        let accepting = Accepting::begin(shared);
        let accepted = stoppable(|stop| {
            let _registered = Closer::new(shared, move || {
                stop.stop();
            });
            accept_all(listener, &acceptor, start)
        });
        if self.is_draining() {
            self.accept_rest(listener, &acceptor, start);
            listener.close();
            drop(accepting);
            return None;
        }
        accepted
    }

    /// Serves what has come before a drain began, as long as there are places for it within the time of the drain.
    fn accept_rest<L: Listener + ?Sized>(
        &self,
        listener: &L,
        acceptor: &Acceptor<'_>,
        start: impl Fn(L::Stream, L::Addr) -> io::Result<()>,
    ) {
        let shared = &self.shared;
        while shared.is_serving() {
            let left = shared
                .deadline
                .get()
                .map(|deadline| deadline.saturating_duration_since(Runtime::with(Runtime::now)));
            if !acceptor.pool.wait_available(left) {
                return;
            }
            let Some((stream, addr)) = listener.accept_queued() else {
                return;
            };
            if let Err(error) = start(stream, addr) {
                (acceptor.refused)();
                log::warn!("closed a connection in a drain: {error}");
            }
        }
    }

    /// Drains it: see [above](Lifecycle). Waits until nothing is left, and after `timeout` kills what is (`None` waits
    /// for ever).
    ///
    /// A second call waits for the same end, and can bring its deadline forward. A handler may call it: it neither
    /// waits for itself nor kills itself. Called while the thread unwinds it cannot wait, and kills at once.
    pub fn drain(&self, timeout: impl Into<Option<Duration>>) -> Drained {
        self.drain_soon(Runtime::with(|runtime| runtime.deadline(timeout.into())));
        self.shared.finish()
    }

    /// Begins what [`drain`](Lifecycle::drain) does, without a wait. Who serves under this life sees to its end.
    pub(crate) fn drain_soon(&self, deadline: Option<Instant>) {
        let earliest = match (self.shared.deadline.get(), deadline) {
            (Some(first), Some(second)) => Some(first.min(second)),
            (first, second) => first.or(second),
        };
        self.shared.deadline.set(earliest);
        self.shared.begin();
        self.shared.changed();
    }

    /// Drains it when one of `signals` arrives, as [`drain`](Lifecycle::drain) with `timeout`. The next of them kills
    /// what is left at once.
    ///
    /// # Errors
    /// As [`Signals::new`].
    ///
    /// # Panics
    /// As [`green::spawn`](crate::spawn).
    #[track_caller]
    pub fn drain_on(
        &self,
        signals: impl IntoIterator<Item = i32>,
        timeout: impl Into<Option<Duration>>,
    ) -> io::Result<()> {
        let (signals, timeout) = (Signals::new(signals)?, timeout.into());
        let life = self.clone();
        crate::spawn_n(move || {
            let mut timeout = timeout;
            while let Ok(signal) = signals.wait() {
                log::info!(
                    "{} drains the server",
                    crate::signal::name(signal).unwrap_or("a signal")
                );
                let (draining, within) = (life.clone(), timeout);
                crate::spawn_n(move || {
                    draining.drain(within);
                });
                timeout = Some(Duration::ZERO);
            }
        });
        Ok(())
    }

    /// Runs `f`, and gives `None` if a drain begins before it has returned: `f` is left where it waits. For the wait
    /// for a client's next message, in which nothing is under way. Once a drain has begun, `f` does not run.
    ///
    /// A read is left only where it has taken nothing.
    ///
    /// ```
    /// use std::time::Duration;
    /// use green::server::Lifecycle;
    ///
    /// let life = Lifecycle::new();
    /// assert_eq!(life.idle(|| 5), Some(5));
    /// let draining = life.clone();
    /// green::spawn_n(move || { draining.drain(None); });
    /// assert_eq!(life.idle(|| green::sleep(Duration::from_secs(60))), None);
    /// assert_eq!(life.idle(|| 5), None);
    /// ```
    #[track_caller]
    pub fn idle<T>(&self, f: impl FnOnce() -> T) -> Option<T> {
        if self.is_draining() {
            return None;
        }
        let shared = &self.shared;
        let mine = shared.mine();
        let mark = |idle| {
            let connections = shared.connections.borrow();
            if let Some(entry) = mine.and_then(|key| connections.get(key)) {
                entry.idle.set(idle);
            }
        };
        let result = stoppable(|stop| {
            let _registered = Closer::new(shared, move || {
                stop.stop();
            });
            mark(true);
            f()
        });
        mark(false);
        result
    }

    /// Counts the calling greenthread as a connection until what it gives is dropped: for connections that come by
    /// another way than [`serve_in`](Lifecycle::serve_in).
    pub fn connection(&self) -> Connection {
        let connection = Connection::new(Rc::clone(&self.shared));
        connection.start();
        connection
    }
}

/// The handler of a server that outlives its errors.
pub(super) fn logging<S, A, R>(
    handler: impl Fn(S, A) -> R + 'static,
) -> impl Fn(S, A) -> ControlFlow<StopServe> + 'static
where
    A: Clone + fmt::Debug,
    R: Outcome,
{
    move |stream, addr: A| {
        handler(stream, addr.clone())
            .flow()
            .unwrap_or_else(|error| {
                log::error!("the handler of the connection from {addr:?} failed: {error}");
                ControlFlow::Continue(())
            })
    }
}

impl Default for Lifecycle {
    fn default() -> Lifecycle {
        Lifecycle::new()
    }
}

impl fmt::Debug for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lifecycle")
            .field("state", &self.state())
            .field("open", &self.shared.connections.borrow().len())
            .finish_non_exhaustive()
    }
}
