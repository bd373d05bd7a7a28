use std::io;
use std::iter::FusedIterator;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;
use std::task::{Context, Poll};
use std::time::Duration;

use hub_core::Direction;
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use super::{UnixStream, from_system, to_system};
use crate::net::ListenBuilder;
use crate::net::descriptor::descriptor;
use crate::net::io::Io;
use crate::net::socket;

/// A listening Unix socket: [`std::os::unix::net::UnixListener`], whose waits let other greenthreads run.
///
/// Its path is not removed when it is closed.
///
/// ```
/// use green::net::{UnixListener, UnixStream};
///
/// let path = std::env::temp_dir().join(format!("green-{}.sock", std::process::id()));
/// let listener = UnixListener::bind(&path)?;
/// let _client = UnixStream::connect(&path)?;
/// let (_stream, peer) = listener.accept()?;
/// assert!(peer.is_unnamed());
/// std::fs::remove_file(path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct UnixListener {
    io: Io<net::UnixListener>,
}

descriptor!(UnixListener, net::UnixListener);

impl UnixListener {
    /// Listens at a path, which must not exist.
    ///
    /// # Errors
    /// What the system says of the path.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<UnixListener> {
        ListenBuilder::new().listen_unix(path)
    }

    /// Listens at an address, such as an abstract one.
    ///
    /// # Errors
    /// What the system says of the address.
    pub fn bind_addr(address: &SocketAddr) -> io::Result<UnixListener> {
        ListenBuilder::new().listen_unix_addr(address)
    }

    pub(in crate::io::net) fn listen(
        builder: &ListenBuilder,
        address: &SocketAddr,
    ) -> io::Result<UnixListener> {
        let socket = socket::open(Domain::UNIX, Type::STREAM)?;
        builder.bind(&socket, &to_system(address)?)?;
        Ok(UnixListener {
            io: Io::new(socket.into()),
        })
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    /// As [`TcpListener::accept`](crate::net::TcpListener::accept).
    pub fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        accepted(self.io.retry(Direction::Read, |listener| {
            socket::accept(&SockRef::from(listener))
        })?)
    }

    /// As [`UnixListener::accept`], for async code: see
    /// [`TcpListener::poll_accept`](crate::net::TcpListener::poll_accept).
    ///
    /// # Errors
    /// As [`UnixListener::accept`]; `ResourceBusy` if a greenthread waits in there.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(UnixStream, SocketAddr)>> {
        let accept = self.io.poll_retry(cx, Direction::Read, |listener| {
            socket::accept(&SockRef::from(listener))
        });
        accept.map(|socket| accepted(socket?))
    }

    /// The connections, one after the other. It never ends.
    pub fn incoming(&self) -> UnixIncoming<'_> {
        UnixIncoming { listener: self }
    }

    /// The address that it listens at.
    ///
    /// # Errors
    /// If it was closed.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.source()?.local_addr()
    }

    /// A second handle to the same listener: a connection goes to whichever accepts it first.
    ///
    /// # Errors
    /// If the process has no descriptors left.
    pub fn try_clone(&self) -> io::Result<UnixListener> {
        let io = self.io.duplicate(net::UnixListener::try_clone)?;
        Ok(UnixListener { io })
    }

    /// Sets how long an accept may wait. `None` is for ever.
    ///
    /// # Errors
    /// `InvalidInput` for a timeout of zero.
    pub fn set_accept_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.io.set_timeout(Direction::Read, timeout)
    }

    /// How long an accept may wait.
    pub fn accept_timeout(&self) -> Option<Duration> {
        self.io.timeout(Direction::Read)
    }

    /// Takes the pending error of the socket (`SO_ERROR`).
    ///
    /// # Errors
    /// If it was closed.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io.source()?.take_error()
    }

    /// Whether an accept that would wait fails with `WouldBlock` instead.
    ///
    /// # Errors
    /// If it was closed.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.io.set_nonblocking(nonblocking)
    }

    /// Closes the listener now, whoever else refers to this value:
    /// see [`TcpStream::close`](crate::net::TcpStream::close).
    pub fn close(&self) {
        self.io.close();
    }
}

fn accepted((socket, peer): (Socket, SockAddr)) -> io::Result<(UnixStream, SocketAddr)> {
    Ok((UnixStream::from_nonblocking(socket), from_system(&peer)?))
}

/// The connections of a listener: see [`UnixListener::incoming`].
#[derive(Debug)]
pub struct UnixIncoming<'a> {
    listener: &'a UnixListener,
}

impl Iterator for UnixIncoming<'_> {
    type Item = io::Result<UnixStream>;

    fn next(&mut self) -> Option<io::Result<UnixStream>> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }
}

impl FusedIterator for UnixIncoming<'_> {}
