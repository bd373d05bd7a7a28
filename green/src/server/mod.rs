//! Servers: one greenthread for each connection.
//!
//! [`serve_forever`] is for a program that should stay up: it logs what its handlers fail with, and goes on.
//! [`Lifecycle::serve`] is the same with a handle, which drains it by a signal in one line. [`StreamServer`] is gevent's: it
//! runs beside its creator, and outlives the errors of its handlers as well. [`serve`] is eventlet's: what a handler fails
//! with ends it. [`Datagrams`] lets each of them serve datagrams. [`StreamServer::factory`] serves on all cores: see
//! [`workers`](mod@crate::workers).
//!
//! All accept only while there is a place for another handler; what comes meanwhile waits in the listener's queue.
//! None ends because a connection failed before it was accepted, nor when the process has no descriptors or no memory
//! left: they say so once, then wait until something is closed anywhere in the process. A connection that no stack can
//! be had for is closed.

mod accept;
mod connection;
mod datagrams;
mod drain;
mod lifecycle;
mod serve;
mod shortage;
mod state;
mod stream_server;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::net as unix;

pub use connection::{Connection, on_drain};
pub use datagrams::Datagrams;
pub use lifecycle::Lifecycle;
pub use serve::{Outcome, ServeError, StopServe, serve, serve_forever};
pub use state::{Drained, ServerCounters, ServerState};
pub use stream_server::StreamServer;

use crate::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// What a server gets its connections from.
///
/// ```
/// use green::server::Listener;
///
/// /// Takes one connection and closes it.
/// fn turn_away(listener: &impl Listener) -> std::io::Result<()> {
///     let (stream, from) = listener.accept()?;
///     println!("not now, {from:?}");
///     drop(stream);
///     Ok(())
/// }
/// let listener = green::listen("127.0.0.1:0")?;
/// let _client = green::connect(listener.local_addr()?)?;
/// turn_away(&listener)?;
///
/// /// Serves nobody any more, and nobody who waits in the queue.
/// fn end(listener: &impl Listener) {
///     while let Some((stream, _from)) = listener.accept_queued() {
///         drop(stream);
///     }
///     listener.close();
/// }
/// end(&listener);
/// assert!(listener.accept().is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait Listener {
    /// A connection. It is closed when it is dropped.
    type Stream: 'static;
    /// Where it comes from: a log names it so.
    type Addr: Clone + fmt::Debug + 'static;

    /// Waits for the next connection.
    ///
    /// # Errors
    /// One that names an error of `accept(2)` ends a server if nothing can be accepted any more; any other does.
    fn accept(&self) -> io::Result<(Self::Stream, Self::Addr)>;

    /// A connection that has come already: what a drain serves before it closes the listener, until this gives none. It may
    /// wait for a moment. Unless it is written, the connections that have not been accepted are reset by the close.
    fn accept_queued(&self) -> Option<(Self::Stream, Self::Addr)> {
        None
    }

    /// Ends it: who waits in `accept`, or comes later, gets an error.
    fn close(&self);
}

impl Listener for TcpListener {
    type Stream = TcpStream;
    type Addr = SocketAddr;

    fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        TcpListener::accept(self)
    }

    fn close(&self) {
        TcpListener::close(self);
    }
}

impl Listener for UnixListener {
    type Stream = UnixStream;
    type Addr = unix::SocketAddr;

    fn accept(&self) -> io::Result<(UnixStream, unix::SocketAddr)> {
        UnixListener::accept(self)
    }

    fn close(&self) {
        UnixListener::close(self);
    }
}
