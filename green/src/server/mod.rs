//! Servers: one greenthread for each connection.
//!
//! [`serve`] is eventlet's: it blocks its caller, and what a handler raises ends it. [`StreamServer`] is gevent's: it
//! runs beside its creator, outlives the errors of its handlers, and can be drained. [`Datagrams`] lets either serve
//! datagrams.
//!
//! Both accept only while there is a place for another handler; what comes meanwhile waits in the listener's queue.
//! Neither ends because a connection failed before it was accepted, nor when the process has no descriptors left:
//! they then wait until one may be free.

mod accept;
mod datagrams;
mod serve;
mod stream_server;

use std::io;
use std::net::SocketAddr;
use std::os::unix::net as unix;

pub use datagrams::Datagrams;
pub use serve::{Outcome, ServeError, StopServe, serve};
pub use stream_server::StreamServer;

use crate::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// What a server gets its connections from.
pub trait Listener {
    /// A connection. It is closed when it is dropped.
    type Stream: 'static;
    /// Where it comes from.
    type Addr: 'static;

    /// Waits for the next connection.
    ///
    /// # Errors
    /// One that names an error of `accept(2)` ends a server if nothing can be accepted any more; any other does.
    fn accept(&self) -> io::Result<(Self::Stream, Self::Addr)>;

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
