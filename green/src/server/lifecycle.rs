//! The life of a server: running, draining, waiting for what is under way, killing the rest.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::panic::Location;
use std::rc::Rc;
use std::time::{Duration, Instant};

use slab::Slab;

use super::accept::{Acceptor, accept_all};
use super::connection::{Connection, Entry};
use super::state::{Counters, Drained, State};
use super::{Listener, Outcome, StopServe};
use crate::greenthread::timeout::stoppable;
use crate::runtime::{Reason, Runtime, WaitList, Waited};
use crate::signal::Signals;
use crate::{GreenPool, killall};

/// The life of a server in one handle: for [`serve`](Lifecycle::serve), for a
/// [`StreamServer`](super::StreamServer), and for the protocols that other crates serve.
///
/// [`drain`](Lifecycle::drain) takes it through its [states](State): the listeners are closed, so that new connections
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
#[derive(Clone)]
pub struct Lifecycle {
    pub(super) shared: Rc<Shared>,
}

pub(super) struct Shared {
    state: Cell<State>,
    /// The earliest that a `drain` has asked for.
    deadline: Cell<Option<Instant>>,
    killed: Cell<usize>,
    pub(super) connections: RefCell<Slab<Entry>>,
    /// What a drain calls: each ends an accept loop.
    closers: RefCell<Slab<Rc<dyn Fn()>>>,
    /// Who waits until all has ended.
    waiters: RefCell<WaitList>,
    pub(super) accepted: Cell<u64>,
    pub(super) served: Cell<u64>,
    refused: Cell<u64>,
    by_status: RefCell<Vec<(u16, u64)>>,
}

impl Shared {
    /// Something has ended, or the time has changed.
    pub(super) fn changed(&self) {
        if self.state.get() > State::Running {
            self.waiters.borrow_mut().wake_all();
        }
    }

    pub(super) fn is_draining(&self) -> bool {
        self.state.get() > State::Running
    }

    pub(super) fn is_serving(&self) -> bool {
        self.state.get() < State::Killing
    }

    pub(super) fn count_status(&self, status: u16) {
        let mut counts = self.by_status.borrow_mut();
        match counts.iter_mut().find(|(known, _)| *known == status) {
            Some((_, count)) => *count += 1,
            None => {
                counts.push((status, 1));
                counts.sort_unstable();
            }
        }
    }

    fn begin(&self) {
        if self.state.get() > State::Running {
            return;
        }
        self.state.set(State::Draining);
        let closers: Vec<_> = {
            let closers = self.closers.borrow();
            closers.iter().map(|(_, close)| Rc::clone(close)).collect()
        };
        for close in closers {
            close();
        }
        // A waker is foreign code: it is called outside the borrow.
        let wake: Vec<_> = {
            let connections = self.connections.borrow();
            connections
                .iter()
                .map(|(_, entry)| entry.to_cut())
                .collect()
        };
        for cut in wake {
            cut.cut();
        }
        if self.state.get() == State::Draining {
            self.state.set(State::Waiting);
        }
    }

    /// Waits until nothing is left, or kills the rest when the time is up.
    fn finish(&self) -> Drained {
        let _inside = self.inside();
        let reason = Reason::Primitive("the end of a server's connections", self.address());
        while self.state.get() != State::Stopped {
            if self.state.get() != State::Killing {
                if self.others() == 0 {
                    self.stopped();
                    break;
                }
                let deadline = self.deadline.get();
                if deadline.is_some_and(|deadline| deadline <= Runtime::with(Runtime::now)) {
                    self.kill();
                    break;
                }
            }
            let deadline = self.deadline.get();
            let waited = Runtime::with(|runtime| runtime.wait_in(&self.waiters, reason, deadline));
            if waited == Waited::Unwinding {
                self.kill();
                break;
            }
        }
        Drained {
            killed: self.killed.get(),
        }
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// How many are waited for: not the ones that wait here themselves.
    fn others(&self) -> usize {
        let connections = self.connections.borrow();
        connections
            .iter()
            .filter(|(_, entry)| !entry.drains.get())
            .count()
    }

    fn kill(&self) {
        self.state.set(State::Killing);
        self.killed.set(self.others());
        let victims: Vec<_> = {
            let connections = self.connections.borrow();
            let others = connections.iter().filter(|(_, entry)| !entry.drains.get());
            others
                .filter_map(|(_, entry)| entry.greenthread().cloned())
                .collect()
        };
        killall(&victims);
        self.stopped();
    }

    fn stopped(&self) {
        self.state.set(State::Stopped);
        self.changed();
    }

    /// Marks the connection of the calling greenthread, if it is one: it waits for the others.
    fn inside(&self) -> Inside<'_> {
        let me = crate::current();
        let connections = self.connections.borrow();
        let mine = connections
            .iter()
            .find(|(_, entry)| entry.greenthread() == Some(&me));
        let key = mine.map(|(key, entry)| {
            entry.drains.set(true);
            key
        });
        Inside { shared: self, key }
    }
}

struct Inside<'a> {
    shared: &'a Shared,
    key: Option<usize>,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let connections = self.shared.connections.borrow();
        if let Some(entry) = self.key.and_then(|key| connections.get(key)) {
            entry.drains.set(false);
        }
    }
}

/// Takes the closer of an accept loop back.
struct Registered<'a>(&'a Shared, usize);

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        drop(self.0.closers.borrow_mut().remove(self.1));
    }
}

impl Lifecycle {
    /// A life that has just begun: [`State::Running`].
    pub fn new() -> Lifecycle {
        Lifecycle {
            shared: Rc::new(Shared {
                state: Cell::new(State::Running),
                deadline: Cell::new(None),
                killed: Cell::new(0),
                connections: RefCell::default(),
                closers: RefCell::default(),
                waiters: RefCell::new(WaitList::new()),
                accepted: Cell::new(0),
                served: Cell::new(0),
                refused: Cell::new(0),
                by_status: RefCell::default(),
            }),
        }
    }

    /// Where it is.
    pub fn state(&self) -> State {
        self.shared.state.get()
    }

    /// True from the beginning of a drain on.
    pub fn is_draining(&self) -> bool {
        self.shared.is_draining()
    }

    /// What it has to do with and has done.
    pub fn counters(&self) -> Counters {
        let shared = &self.shared;
        let connections = shared.connections.borrow();
        Counters {
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
        let accepted = stoppable(|stop| {
            let closer = shared.closers.borrow_mut().insert(Rc::new(move || {
                stop.stop();
            }));
            let _registered = Registered(shared, closer);
            accept_all(listener, &acceptor, |stream, addr| {
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
            })
        });
        if self.is_draining() {
            listener.close();
            return None;
        }
        accepted
    }

    /// Drains it: see [above](Lifecycle). Waits until nothing is left, and after `timeout` kills what is (`None` waits
    /// for ever).
    ///
    /// A second call waits for the same end, and can bring its deadline forward. A handler may call it: it neither
    /// waits for itself nor kills itself. Called while the thread unwinds it cannot wait, and kills at once.
    pub fn drain(&self, timeout: impl Into<Option<Duration>>) -> Drained {
        let mine = Runtime::with(|runtime| runtime.deadline(timeout.into()));
        let earliest = match (self.shared.deadline.get(), mine) {
            (Some(first), Some(second)) => Some(first.min(second)),
            (first, second) => first.or(second),
        };
        self.shared.deadline.set(earliest);
        self.shared.begin();
        self.shared.changed();
        self.shared.finish()
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
        let me = crate::current();
        let mark = |idle| {
            let connections = shared.connections.borrow();
            let mine = connections
                .iter()
                .find(|(_, entry)| entry.greenthread() == Some(&me));
            if let Some((_, entry)) = mine {
                entry.idle.set(idle);
            }
        };
        let result = stoppable(|stop| {
            let closer = shared.closers.borrow_mut().insert(Rc::new(move || {
                stop.stop();
            }));
            let _registered = Registered(shared, closer);
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
