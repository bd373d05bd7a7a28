//! eventlet's `serve`.

use std::any::Any;
use std::cell::RefCell;
use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::panic::{self, AssertUnwindSafe, Location};
use std::rc::Rc;

use super::accept::{Acceptor, accept_all};
use super::{Lifecycle, Listener};
use crate::GreenPool;
use crate::error::failed;
use crate::greenthread::timeout::{Stop, stoppable};
use crate::runtime::{is_control, message};

/// What a handler breaks with to end its server.
///
/// ```
/// use std::ops::ControlFlow;
/// use green::StopServe;
///
/// let listener = green::listen("127.0.0.1:0")?;
/// let address = listener.local_addr()?;
/// green::spawn_n(move || drop(green::connect(address).unwrap()));
/// green::serve(&listener, 1000, |_stream, _peer| ControlFlow::Break(StopServe))?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopServe;

/// What a handler may return: nothing, `ControlFlow<StopServe>`, or a `Result` of either.
///
/// ```
/// use green::server::Outcome;
///
/// assert!(().flow().unwrap().is_continue());
/// let failed: Result<(), &str> = Err("no");
/// assert_eq!(failed.flow(), Err("no"));
/// ```
pub trait Outcome {
    /// What it fails with.
    type Error: fmt::Display + 'static;

    /// Tells the server to go on or to end.
    ///
    /// # Errors
    /// If the handler has failed.
    fn flow(self) -> Result<ControlFlow<StopServe>, Self::Error>;
}

impl Outcome for () {
    type Error = Infallible;

    fn flow(self) -> Result<ControlFlow<StopServe>, Infallible> {
        Ok(ControlFlow::Continue(()))
    }
}

impl Outcome for ControlFlow<StopServe> {
    type Error = Infallible;

    fn flow(self) -> Result<ControlFlow<StopServe>, Infallible> {
        Ok(self)
    }
}

impl<E: fmt::Display + 'static> Outcome for Result<(), E> {
    type Error = E;

    fn flow(self) -> Result<ControlFlow<StopServe>, E> {
        self.map(ControlFlow::Continue)
    }
}

impl<E: fmt::Display + 'static> Outcome for Result<ControlFlow<StopServe>, E> {
    type Error = E;

    fn flow(self) -> Result<ControlFlow<StopServe>, E> {
        self
    }
}

/// Serves until it is told to end: runs `handler` with each connection, in a greenthread of its own. It is the one for a
/// program that should stay up, whatever its clients do.
///
/// What a handler fails with is logged together with the address of the peer, and a panic is reported as every
/// greenthread's is: neither ends the server. So a `?` on a connection ends that connection alone. (A program without a
/// logger sees nothing of such an error: the crate `log` drops it.)
///
/// At most `concurrency` handlers run at a time; while that many do, nothing is accepted. When a handler breaks with
/// [`StopServe`] the listener is closed, those that run are waited for, and it returns. To end it from elsewhere, by a
/// signal for instance, serve by [`Lifecycle::serve`], which this is with a life of its own.
///
/// # Errors
/// If nothing can be accepted any more.
///
/// ```
/// use std::io::{self, Read, Write};
/// use std::ops::ControlFlow;
/// use green::StopServe;
///
/// fn main() -> io::Result<()> {
///     let listener = green::listen("127.0.0.1:0")?;
///     # let address = listener.local_addr()?;
///     # green::spawn_n(move || {
///     #     drop(green::connect(address).unwrap());
///     #     green::connect(address).unwrap().write_all(b"q").unwrap();
///     # });
///     green::serve_forever(&listener, 1000, |mut stream, _peer| {
///         let mut word = [0];
///         stream.read_exact(&mut word)?; // one that says nothing fails here, and the next is served
///         match word {
///             [b'q'] => io::Result::Ok(ControlFlow::Break(StopServe)),
///             word => stream.write_all(&word).map(ControlFlow::Continue),
///         }
///     })
/// }
/// ```
#[track_caller]
pub fn serve_forever<L, H, R>(listener: &L, concurrency: usize, handler: H) -> io::Result<()>
where
    L: Listener + ?Sized,
    H: Fn(L::Stream, L::Addr) -> R + 'static,
    R: Outcome,
{
    Lifecycle::new()
        .serve(listener, concurrency, handler)
        .map(drop)
}

/// Accepts connections and runs `handler` with each, in a greenthread of its own, until one of them fails.
///
/// At most `concurrency` handlers run at a time; while that many do, nothing is accepted. A connection is closed when
/// its handler drops it: when it returns, panics, or is killed.
///
/// It returns when a handler breaks with [`StopServe`]. The other handlers go on, and the listener stays open. A kill
/// and the deadline of a [`Timeout`](crate::Timeout) end it in the same way, as every wait.
///
/// # Errors
/// [`ServeError::Handler`] with the first error that a handler returns, as eventlet's re-raises it: one `?` on a
/// connection that its client has reset ends the server. [`serve_forever`] takes the same handlers, logs what they fail
/// with, and goes on. [`ServeError::Accept`] if nothing can be accepted any more.
///
/// # Panics
/// With the panic of a handler. A handler that was killed is no panic.
///
/// ```
/// use std::io::{self, Write};
///
/// fn main() -> io::Result<()> {
///     let listener = green::listen("127.0.0.1:0")?;
///     # let address = listener.local_addr()?;
///     # green::spawn_n(move || {
///     #     green::connect(address).unwrap();
///     # });
///     let serving = green::serve(&listener, 1000, |mut stream, peer| {
///         writeln!(stream, "hello, {peer}")?;
///         Err(io::Error::other("closing time"))
///         # as io::Result<()>
///     });
///     assert!(serving.is_err());
///     Ok(())
/// }
/// ```
#[track_caller]
pub fn serve<L, H, R>(
    listener: &L,
    concurrency: usize,
    handler: H,
) -> Result<(), ServeError<R::Error>>
where
    L: Listener + ?Sized,
    H: Fn(L::Stream, L::Addr) -> R + 'static,
    R: Outcome,
{
    let spawned_at = Location::caller();
    let pool = GreenPool::new(concurrency);
    let handler = Rc::new(handler);
    let verdict = Rc::new(RefCell::new(None));
    let served = stoppable(|stop| {
        let acceptor = Acceptor {
            pool: &pool,
            max_accept: usize::MAX,
            refused: &|| (),
        };
        accept_all(listener, &acceptor, |stream, addr| {
            let handler = Rc::clone(&handler);
            let ender = Ender {
                peer: addr.clone(),
                verdict: Rc::clone(&verdict),
                stop: stop.clone(),
            };
            pool.spawn_n_at(spawned_at, move || ender.watch(|| handler(stream, addr)))
        })
    });
    match (verdict.take(), served) {
        (Some(Verdict::Stop), _) => Ok(()),
        (Some(Verdict::Failed(peer, error)), _) => Err(ServeError::Handler { peer, error }),
        (Some(Verdict::Panicked(payload)), _) => panic::resume_unwind(payload),
        (None, Some(error)) => Err(ServeError::Accept(error)),
        (None, None) => unreachable!("a server is stopped with a verdict"),
    }
}

/// What ends a server: the first of these that a handler comes to.
enum Verdict<E> {
    Stop,
    /// With the address of its peer.
    Failed(String, E),
    Panicked(Box<dyn Any + Send>),
}

/// One handler's way to end its server.
struct Ender<A, E> {
    peer: A,
    verdict: Rc<RefCell<Option<Verdict<E>>>>,
    stop: Stop,
}

impl<A: fmt::Debug, E: fmt::Display + 'static> Ender<A, E> {
    fn watch<R: Outcome<Error = E>>(self, handler: impl FnOnce() -> R) {
        match panic::catch_unwind(AssertUnwindSafe(|| handler().flow())) {
            Ok(Ok(ControlFlow::Continue(()))) => {}
            Ok(Ok(ControlFlow::Break(StopServe))) => self.end(Verdict::Stop),
            Ok(Err(error)) => {
                let peer = format!("{:?}", self.peer);
                self.end(Verdict::Failed(peer, error));
            }
            Err(payload) if is_control(&*payload) => {}
            Err(payload) => self.end(Verdict::Panicked(payload)),
        }
    }

    fn end(&self, verdict: Verdict<E>) {
        let first = self.verdict.borrow().is_none();
        if first && self.stop.stop() {
            *self.verdict.borrow_mut() = Some(verdict);
        } else {
            verdict.log();
        }
    }
}

impl<E: fmt::Display> Verdict<E> {
    /// For one that comes too late to be told to anybody.
    fn log(self) {
        match self {
            Verdict::Stop => {}
            Verdict::Failed(peer, error) => {
                log::error!(
                    "a handler of an ended server failed, of the connection from {peer}: {error}"
                );
            }
            Verdict::Panicked(payload) => {
                log::error!(
                    "a handler of an ended server panicked: {}",
                    message(&*payload)
                );
            }
        }
    }
}

/// Why [`serve`] ended without a [`StopServe`].
///
/// ```
/// use green::server::ServeError;
///
/// let listener = green::listen("127.0.0.1:0")?;
/// let address = listener.local_addr()?;
/// green::spawn_n(move || drop(green::connect(address).unwrap()));
/// let ended = green::serve(&listener, 10, |_, _| Err::<(), _>("the handler has had enough"));
/// match ended {
///     Ok(()) => println!("a handler has ended it"),
///     Err(ServeError::Handler { peer, error }) => println!("{peer}: {error}"),
///     Err(other) => println!("{other}"),
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub enum ServeError<E> {
    /// Nothing can be accepted any more.
    Accept(io::Error),
    /// A handler has failed.
    Handler {
        /// The address of its peer.
        peer: String,
        /// What it failed with.
        error: E,
    },
}

impl<E: fmt::Display> fmt::Display for ServeError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServeError::Accept(error) => write!(f, "cannot accept connections: {error}"),
            ServeError::Handler { peer, error } => write!(f, "{}: {error}", attempt(peer)),
        }
    }
}

impl<E: Error + 'static> Error for ServeError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            ServeError::Accept(error) => Some(error),
            ServeError::Handler { error, .. } => Some(error),
        }
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<ServeError<E>> for io::Error {
    /// With the kind of the error, and where [`raw_os_error`](crate::raw_os_error) finds it the system's number, if it
    /// is an `io::Error`.
    fn from(error: ServeError<E>) -> io::Error {
        match error {
            ServeError::Accept(error) => error,
            ServeError::Handler { peer, error } => {
                let error = match error.into().downcast::<io::Error>() {
                    Ok(error) => *error,
                    Err(error) => io::Error::other(error),
                };
                failed(attempt(&peer), error)
            }
        }
    }
}

fn attempt(peer: &str) -> String {
    format!("the handler of the connection from {peer} failed")
}
