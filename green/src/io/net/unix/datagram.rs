use std::io;
use std::net::Shutdown;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;
use std::task::{Context, Poll};
use std::time::Duration;

use hub_core::Direction;
use socket2::{Domain, SockRef, Socket, Type};

use super::to_system;
use crate::net::descriptor::descriptor;
use crate::net::io::{Io, retry_blindly};
use crate::net::socket;
use crate::runtime::Runtime;

/// A Unix datagram socket: [`std::os::unix::net::UnixDatagram`], whose waits let other greenthreads run.
///
/// ```
/// use green::net::UnixDatagram;
///
/// let (near, far) = UnixDatagram::pair()?;
/// near.send(b"hello")?;
/// let mut buf = [0; 100];
/// assert_eq!(far.recv(&mut buf)?, 5);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct UnixDatagram {
    io: Io<net::UnixDatagram>,
}

descriptor!(UnixDatagram, net::UnixDatagram);

impl UnixDatagram {
    /// Binds to a path, which must not exist.
    ///
    /// # Errors
    /// What the system says of the path.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<UnixDatagram> {
        UnixDatagram::bind_addr(&SocketAddr::from_pathname(path)?)
    }

    /// Binds to an address, such as an abstract one.
    ///
    /// # Errors
    /// What the system says of the address.
    pub fn bind_addr(address: &SocketAddr) -> io::Result<UnixDatagram> {
        let socket = socket::open(Domain::UNIX, Type::DGRAM)?;
        socket.bind(&to_system(address)?)?;
        Ok(UnixDatagram::from_nonblocking(socket))
    }

    /// A socket with no address: it can send, but nobody can answer.
    ///
    /// # Errors
    /// If the process has no descriptors left.
    pub fn unbound() -> io::Result<UnixDatagram> {
        let socket = socket::open(Domain::UNIX, Type::DGRAM)?;
        Ok(UnixDatagram::from_nonblocking(socket))
    }

    /// Two sockets that are connected to each other.
    ///
    /// # Errors
    /// If the process has no descriptors left.
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let (a, b) = socket::pair(Type::DGRAM)?;
        Ok((
            UnixDatagram::from_nonblocking(a),
            UnixDatagram::from_nonblocking(b),
        ))
    }

    /// Sets the path that [`UnixDatagram::send`] sends to and [`UnixDatagram::recv`] receives from.
    ///
    /// # Errors
    /// What the system says of the path.
    pub fn connect(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.connect_addr(&SocketAddr::from_pathname(path)?)
    }

    /// As [`UnixDatagram::connect`], with an address.
    ///
    /// # Errors
    /// What the system says of the address.
    pub fn connect_addr(&self, address: &SocketAddr) -> io::Result<()> {
        SockRef::from(&*self.io.source()?).connect(&to_system(address)?)
    }

    /// The address that it is bound to.
    ///
    /// # Errors
    /// If it was closed.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.source()?.local_addr()
    }

    /// The address that it is connected to.
    ///
    /// # Errors
    /// `NotConnected`.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.source()?.peer_addr()
    }

    /// Waits for a datagram. Gives its length and its sender; what does not fit into `buf` is lost.
    ///
    /// # Errors
    /// `TimedOut` after the read timeout; what the system says.
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io
            .retry(Direction::Read, |socket| socket.recv_from(buf))
    }

    /// Waits for a datagram. Gives its length; what does not fit into `buf` is lost.
    ///
    /// # Errors
    /// As [`UnixDatagram::recv_from`].
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io.retry(Direction::Read, |socket| socket.recv(buf))
    }

    /// Sends a datagram to the socket at a path, and waits while its queue is full.
    ///
    /// # Errors
    /// `TimedOut` after the write timeout; what the system says of the path.
    pub fn send_to(&self, buf: &[u8], path: impl AsRef<Path>) -> io::Result<usize> {
        self.send_to_addr(buf, &SocketAddr::from_pathname(path)?)
    }

    /// As [`UnixDatagram::send_to`], with an address.
    ///
    /// # Errors
    /// As [`UnixDatagram::send_to`].
    pub fn send_to_addr(&self, buf: &[u8], address: &SocketAddr) -> io::Result<usize> {
        let address = to_system(address)?;
        let send = || SockRef::from(&*self.io.source()?).send_to(buf, &address);
        if self.io.is_nonblocking() {
            return send();
        }
        let deadline = Runtime::with(|runtime| {
            runtime.spend();
            runtime.deadline(self.io.timeout(Direction::Write))
        });
        // The full queue may be the receiver's: no hub tells of its room.
        retry_blindly(deadline, send)
    }

    /// Sends a datagram to the connected address, and waits while its queue is full.
    ///
    /// # Errors
    /// As [`UnixDatagram::send_to`].
    pub fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.io.retry(Direction::Write, |socket| socket.send(buf))
    }

    /// A second handle to the same socket: see [`TcpStream::try_clone`](crate::net::TcpStream::try_clone).
    ///
    /// # Errors
    /// If the process has no descriptors left.
    pub fn try_clone(&self) -> io::Result<UnixDatagram> {
        let io = self.io.duplicate(net::UnixDatagram::try_clone)?;
        Ok(UnixDatagram { io })
    }

    /// Sets how long a receive may wait. `None` is for ever.
    ///
    /// # Errors
    /// `InvalidInput` for a timeout of zero.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.io.set_timeout(Direction::Read, timeout)
    }

    /// Sets how long a send may wait. `None` is for ever.
    ///
    /// # Errors
    /// `InvalidInput` for a timeout of zero.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.io.set_timeout(Direction::Write, timeout)
    }

    /// How long a receive may wait.
    ///
    /// # Errors
    /// None; std's signature.
    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.io.timeout(Direction::Read))
    }

    /// How long a send may wait.
    ///
    /// # Errors
    /// None; std's signature.
    pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.io.timeout(Direction::Write))
    }

    /// Ends receiving, sending or both.
    ///
    /// # Errors
    /// What the system says.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.io.source()?.shutdown(how)
    }

    /// Takes the pending error of the socket (`SO_ERROR`).
    ///
    /// # Errors
    /// If it was closed.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io.source()?.take_error()
    }

    /// Whether calls that would wait fail with `WouldBlock` instead:
    /// see [`TcpStream::set_nonblocking`](crate::net::TcpStream::set_nonblocking).
    ///
    /// # Errors
    /// If it was closed.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.io.set_nonblocking(nonblocking)
    }

    /// Closes the socket now, whoever else refers to this value:
    /// see [`TcpStream::close`](crate::net::TcpStream::close).
    pub fn close(&self) {
        self.io.close();
    }

    /// Waits until a receive may find something: see [`TcpStream::readable`](crate::net::TcpStream::readable).
    ///
    /// # Errors
    /// As [`UnixDatagram::recv`].
    pub fn readable(&self) -> io::Result<()> {
        self.io.wait_ready(Direction::Read)
    }

    /// Waits until a send may be accepted.
    ///
    /// # Errors
    /// As [`UnixDatagram::send`].
    pub fn writable(&self) -> io::Result<()> {
        self.io.wait_ready(Direction::Write)
    }

    /// Calls `op` until it says something other than `WouldBlock`: see
    /// [`TcpStream::retry`](crate::net::TcpStream::retry).
    ///
    /// # Errors
    /// What `op` says; what a receive says of waiting.
    pub fn retry<R>(
        &self,
        direction: Direction,
        op: impl FnMut(&net::UnixDatagram) -> io::Result<R>,
    ) -> io::Result<R> {
        self.io.retry(direction, op)
    }

    /// As [`UnixDatagram::retry`], for async code: see
    /// [`TcpStream::poll_retry`](crate::net::TcpStream::poll_retry).
    ///
    /// # Errors
    /// What `op` says. `ResourceBusy` if a greenthread waits for the same direction.
    pub fn poll_retry<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        op: impl FnMut(&net::UnixDatagram) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.io.poll_retry(cx, direction, op)
    }

    fn from_nonblocking(socket: Socket) -> UnixDatagram {
        UnixDatagram {
            io: Io::new(socket.into()),
        }
    }
}
