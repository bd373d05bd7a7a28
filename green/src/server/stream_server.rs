//! gevent's `StreamServer`.

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use super::lifecycle::{Lifecycle, logging};
use super::{Listener, Outcome, ServerState, StopServe};
use crate::runtime::{Runtime, Why};
use crate::{AnyGreenThread, GreenPool};

/// A server that runs beside its creator: started, drained, closed.
///
/// What a handler fails with is logged, and a handler that panics is reported as every greenthread is; the server goes
/// on. It ends when a handler breaks with [`StopServe`], when it is closed, and when it is dropped.
///
/// ```
/// use std::io::{Read, Write};
/// use std::time::Duration;
/// use green::server::StreamServer;
///
/// let server = StreamServer::new(green::listen("127.0.0.1:0")?, |mut stream, _peer| {
///     stream.write_all(b"hello")
/// });
/// server.start();
/// let mut text = String::new();
/// green::connect(server.listener().local_addr()?)?.read_to_string(&mut text)?;
/// assert_eq!(text, "hello");
/// println!("{} of {}", server.connections(), server.lifecycle().counters().accepted);
/// let killed = server.stop(Duration::from_secs(1));
/// assert_eq!(killed, 0);
/// server.close(); // As it is stopped, this does nothing.
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// In a pool of the program's, until a handler ends it:
///
/// ```
/// use std::ops::ControlFlow;
/// use green::{GreenPool, StopServe, server::StreamServer};
///
/// let listener = green::listen("127.0.0.1:0")?;
/// let address = listener.local_addr()?;
/// let handlers = GreenPool::new(100);
/// let server = StreamServer::new(listener, |_stream, _peer| ControlFlow::Break(StopServe))
///     .pool(&handlers)
///     .max_accept(1);
/// green::spawn_n(move || drop(green::connect(address)));
/// server.serve_forever()?;
/// assert!(server.is_closed());
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct StreamServer<L: Listener> {
    shared: Rc<Shared<L>>,
    life: Lifecycle,
    pool: GreenPool,
    max_accept: usize,
    spawned_at: &'static Location<'static>,
}

type Handler<L> =
    Box<dyn Fn(<L as Listener>::Stream, <L as Listener>::Addr) -> ControlFlow<StopServe>>;

struct Shared<L: Listener> {
    listener: L,
    handler: Handler<L>,
    /// The greenthread that accepts, once started.
    acceptor: OnceCell<AnyGreenThread>,
    closed: Cell<bool>,
    /// What ended the accept loop, if not a close.
    error: RefCell<Option<io::Error>>,
}

impl<L: Listener> Shared<L> {
    fn close(&self) {
        self.closed.set(true);
        self.listener.close();
        if let Some(acceptor) = self.acceptor.get() {
            // It may wait for something other than the listener. It holds no connection while it waits.
            Runtime::with(|runtime| runtime.kill_soon(acceptor.task(), None));
        }
    }
}

impl<L: Listener + 'static> StreamServer<L> {
    /// A server that calls `handler` with each connection, in a greenthread of its own. It does nothing until it is
    /// started.
    #[track_caller]
    pub fn new<R: Outcome>(
        listener: L,
        handler: impl Fn(L::Stream, L::Addr) -> R + 'static,
    ) -> StreamServer<L> {
        StreamServer {
            shared: Rc::new(Shared {
                listener,
                handler: Box::new(logging(handler)),
                acceptor: OnceCell::new(),
                closed: Cell::new(false),
                error: RefCell::default(),
            }),
            life: Lifecycle::new(),
            pool: GreenPool::default(),
            max_accept: 100,
            spawned_at: Location::caller(),
        }
    }

    /// Runs the handlers in `pool`, which limits their number: at first in one of 1000 places. Other servers may share
    /// it.
    #[must_use]
    pub fn pool(mut self, pool: &GreenPool) -> StreamServer<L> {
        self.pool = pool.clone();
        self
    }

    /// Lets the other greenthreads run after this many connections accepted in a row: at first 100. With several
    /// processes at one listener 1 spreads the connections evenly.
    #[must_use]
    pub fn max_accept(mut self, connections: usize) -> StreamServer<L> {
        self.max_accept = connections;
        self
    }

    /// Begins to accept. Does nothing if it was started or closed before.
    ///
    /// # Panics
    /// As [`green::spawn`](crate::spawn).
    pub fn start(&self) {
        self.acceptor();
    }

    fn acceptor(&self) -> &AnyGreenThread {
        self.shared.acceptor.get_or_init(|| {
            let shared = Rc::clone(&self.shared);
            let (life, pool) = (self.life.clone(), self.pool.clone());
            let (max_accept, spawned_at) = (self.max_accept, self.spawned_at);
            let acceptor =
                crate::spawn(move || accept(&shared, &life, &pool, max_accept, spawned_at));
            // It works for nobody, whoever starts it: a full pool makes it wait.
            acceptor.as_any().task().set_member(None);
            acceptor.as_any().clone()
        })
    }

    /// Starts it and waits until it is stopped or closed. A kill of the caller closes it.
    ///
    /// # Errors
    /// If nothing can be accepted any more.
    pub fn serve_forever(&self) -> io::Result<()> {
        struct CloseUnlessDone<'a, L: Listener>(Option<&'a Shared<L>>);
        impl<L: Listener> Drop for CloseUnlessDone<'_, L> {
            fn drop(&mut self) {
                if let Some(shared) = self.0 {
                    shared.close();
                }
            }
        }
        let mut close = CloseUnlessDone(Some(&self.shared));
        if self.acceptor().wait_end(None) == Err(Why::Unwinding) {
            return Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                "cannot wait for a server while the thread unwinds",
            ));
        }
        close.0 = None;
        let error = self.shared.error.borrow_mut().take();
        error.map_or(Ok(()), Err)
    }

    /// Drains it: closes the listener, so that connections are refused, waits until the handlers have returned, and
    /// kills those that have not after `timeout` (`None` waits for ever). Gives how many were killed.
    ///
    /// A handler may call it: it neither waits for itself nor kills itself. On a server that was stopped it does nothing.
    pub fn stop(&self, timeout: impl Into<Option<Duration>>) -> usize {
        self.close();
        match self.life.state() {
            ServerState::Stopped => 0,
            _ => self.life.drain(timeout).killed,
        }
    }

    /// Its life cycle: its state and its counters, and to drain it by a signal.
    pub fn lifecycle(&self) -> &Lifecycle {
        &self.life
    }

    /// Ends it: closes the listener, so that connections are refused. The handlers go on. Closing twice does nothing.
    pub fn close(&self) {
        self.shared.close();
    }

    /// True once it was closed or stopped, or its listener has failed.
    pub fn is_closed(&self) -> bool {
        self.shared.closed.get()
    }

    /// How many connections it has.
    pub fn connections(&self) -> usize {
        self.life.counters().open
    }

    /// What it accepts from.
    pub fn listener(&self) -> &L {
        &self.shared.listener
    }
}

impl<L: Listener> Drop for StreamServer<L> {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl<L: Listener> fmt::Debug for StreamServer<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamServer")
            .field("connections", &self.life.counters().open)
            .field("closed", &self.shared.closed.get())
            .finish_non_exhaustive()
    }
}

fn accept<L: Listener + 'static>(
    shared: &Rc<Shared<L>>,
    life: &Lifecycle,
    pool: &GreenPool,
    max_accept: usize,
    spawned_at: &'static Location<'static>,
) {
    let serving = Rc::clone(shared);
    let handler = move |stream, addr, connection: super::Connection| {
        let flow = (serving.handler)(stream, addr);
        connection.count_served(None);
        if flow.is_break() {
            serving.close();
        }
        ControlFlow::Continue(())
    };
    match life.accept_in(&shared.listener, pool, max_accept, spawned_at, handler) {
        Some(error) if !shared.closed.replace(true) => {
            log::error!("a server ends: {error}");
            *shared.error.borrow_mut() = Some(error);
        }
        Some(_) => {}
        None => shared.closed.set(true),
    }
}
