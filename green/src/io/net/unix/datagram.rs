use std::io;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

use hub_core::Direction;
use socket2::{Domain, SockRef, Socket, Type};

use super::to_system;
use crate::net::descriptor::descriptor;
use crate::net::io::Io;
use crate::net::retry::retry_blindly;
use crate::net::socket::{self, unknown};
use crate::net::verbs::{endpoint, shutdown};
use crate::runtime::Runtime;
use crate::runtime::once::is_read_shut;

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
///
/// With addresses:
///
/// ```
/// use std::os::unix::net::SocketAddr;
/// use green::net::UnixDatagram;
///
/// let path = std::env::temp_dir().join(format!("green-doc-datagram-{}", std::process::id()));
/// let address = SocketAddr::from_pathname(&path)?;
/// let far = UnixDatagram::bind_addr(&address)?;
/// let near = UnixDatagram::unbound()?;
/// near.send_to(b"one", &path)?;
/// near.send_to_addr(b"two", &address)?;
/// near.connect_addr(&address)?;
/// assert_eq!(near.peer_addr()?.as_pathname(), Some(&*path));
/// near.send(b"three")?;
///
/// let mut buf = [0; 100];
/// let (len, sender) = far.recv_from(&mut buf)?;
/// assert!(len == 3 && sender.is_unnamed());
/// assert_eq!((far.recv(&mut buf)?, far.recv(&mut buf)?), (3, 5));
/// std::fs::remove_file(path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Its settings, and its end:
///
/// ```
/// use std::{future::poll_fn, io::ErrorKind, time::Duration};
/// use green::future::block_on;
/// use green::net::{Direction, Shutdown, UnixDatagram};
///
/// let (near, far) = UnixDatagram::pair()?;
/// let mut buf = [0; 100];
/// far.set_read_timeout(Some(Duration::from_millis(1)))?;
/// assert_eq!(far.recv(&mut buf).unwrap_err().kind(), ErrorKind::TimedOut);
/// far.set_write_timeout(far.read_timeout()?)?;
/// assert_eq!(far.write_timeout()?, Some(Duration::from_millis(1)));
///
/// near.writable()?;
/// near.send(b"one")?;
/// near.send(b"two")?;
/// far.readable()?;
/// assert_eq!(far.retry(Direction::Read, |far| far.recv(&mut buf))?, 3);
/// let recv = poll_fn(|cx| far.poll_retry(cx, Direction::Read, |far| far.recv(&mut buf)));
/// assert_eq!(block_on(recv)?, 3);
///
/// far.set_nonblocking(true)?;
/// assert_eq!(far.recv(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
/// far.shutdown(Shutdown::Read)?;
/// assert_eq!(far.recv(&mut buf)?, 0);
/// assert!(far.take_error()?.is_none());
/// near.close();
/// near.shutdown_safe(Shutdown::Both)?; // That it is closed is no error.
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct UnixDatagram {
    io: Io<net::UnixDatagram>,
}

descriptor!(UnixDatagram, net::UnixDatagram, SocketAddr, unknown);
endpoint!(UnixDatagram, SocketAddr);
shutdown!(UnixDatagram);

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

    /// A socket with no address: it can send, but has no address to which a receiver could answer.
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

    /// Waits for a datagram. Gives its length and its sender; what does not fit into `buf` is lost. After a
    /// [shutdown](UnixDatagram::shutdown) of reading it gives 0, and no sender.
    ///
    /// # Errors
    /// `TimedOut` after the read timeout; what the system says.
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let recv_from = |socket: &net::UnixDatagram| match socket.recv_from(buf) {
            Err(error) if is_over(&error, socket) => Ok((0, SocketAddr::from_pathname("")?)),
            received => received,
        };
        self.io.retry(Direction::Read, recv_from)
    }

    /// Waits for a datagram. Gives its length; what does not fit into `buf` is lost. After a
    /// [shutdown](UnixDatagram::shutdown) of reading it gives 0.
    ///
    /// # Errors
    /// As [`UnixDatagram::recv_from`].
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        let recv = |socket: &net::UnixDatagram| match socket.recv(buf) {
            Err(error) if is_over(&error, socket) => Ok(0),
            received => received,
        };
        self.io.retry(Direction::Read, recv)
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

    fn from_nonblocking(socket: Socket) -> UnixDatagram {
        UnixDatagram {
            io: Io::new(socket.into()),
        }
    }
}

/// True if the call that has said `error` would wait in vain. Of datagrams the system says so to calls that block,
/// and to others that they would block.
fn is_over(error: &io::Error, socket: &net::UnixDatagram) -> bool {
    error.kind() == io::ErrorKind::WouldBlock && is_read_shut(socket)
}
