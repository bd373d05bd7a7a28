use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;
use std::task::{Context, Poll};
use std::time::Duration;

use hub_core::Direction;
use socket2::{Domain, Socket, Type};

use super::to_system;
use crate::net::descriptor::descriptor;
use crate::net::io::{Io, retry_blindly, total};
use crate::net::socket::{self, Limit};

/// A connected Unix socket: [`std::os::unix::net::UnixStream`], whose waits let other greenthreads run.
///
/// It reads and writes through `&UnixStream` as well, so that one greenthread can read while another writes.
///
/// ```
/// use std::io::{Read, Write};
/// use green::net::UnixStream;
///
/// let (mut near, mut far) = UnixStream::pair()?;
/// green::spawn_n(move || near.write_all(b"hello").unwrap());
/// let mut text = String::new();
/// far.read_to_string(&mut text)?;
/// assert_eq!(text, "hello");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct UnixStream {
    io: Io<net::UnixStream>,
}

descriptor!(UnixStream, net::UnixStream);

impl UnixStream {
    /// Connects to the listener at a path.
    ///
    /// The thread's [default timeout](crate::net::set_default_timeout) bounds it. While the listener's queue is full
    /// it tries again from time to time, since the system does not say when there is room.
    ///
    /// # Errors
    /// What the system says of the path; `TimedOut` after the default timeout.
    pub fn connect(path: impl AsRef<Path>) -> io::Result<UnixStream> {
        UnixStream::connect_addr(&SocketAddr::from_pathname(path)?)
    }

    /// Connects to the listener at an address, such as an abstract one.
    ///
    /// # Errors
    /// As [`UnixStream::connect`].
    pub fn connect_addr(address: &SocketAddr) -> io::Result<UnixStream> {
        connect(address, Limit::default())
    }

    /// As [`UnixStream::connect`], within `timeout`.
    ///
    /// # Errors
    /// As [`UnixStream::connect`]; `TimedOut` after `timeout`, `InvalidInput` if that is zero.
    pub fn connect_timeout(path: impl AsRef<Path>, timeout: Duration) -> io::Result<UnixStream> {
        connect(&SocketAddr::from_pathname(path)?, Limit::new(timeout)?)
    }

    /// Two sockets that are connected to each other.
    ///
    /// # Errors
    /// If the process has no descriptors left.
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (a, b) = socket::pair(Type::STREAM)?;
        Ok((
            UnixStream::from_nonblocking(a),
            UnixStream::from_nonblocking(b),
        ))
    }

    /// The address of this end.
    ///
    /// # Errors
    /// If it was closed.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.source()?.local_addr()
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// If it is not connected any more.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.source()?.peer_addr()
    }

    /// A second handle to the same connection: see [`TcpStream::try_clone`](crate::net::TcpStream::try_clone).
    ///
    /// # Errors
    /// If the process has no descriptors left.
    pub fn try_clone(&self) -> io::Result<UnixStream> {
        let io = self.io.duplicate(net::UnixStream::try_clone)?;
        Ok(UnixStream { io })
    }

    /// Sets how long a read may wait. `None` is for ever.
    ///
    /// # Errors
    /// `InvalidInput` for a timeout of zero.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.io.set_timeout(Direction::Read, timeout)
    }

    /// Sets how long a write may wait. `None` is for ever.
    ///
    /// # Errors
    /// `InvalidInput` for a timeout of zero.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.io.set_timeout(Direction::Write, timeout)
    }

    /// How long a read may wait.
    ///
    /// # Errors
    /// None; std's signature.
    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.io.timeout(Direction::Read))
    }

    /// How long a write may wait.
    ///
    /// # Errors
    /// None; std's signature.
    pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.io.timeout(Direction::Write))
    }

    /// Ends reading, writing or both: see [`TcpStream::shutdown`](crate::net::TcpStream::shutdown).
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

    /// Closes the connection now, whoever else refers to this value:
    /// see [`TcpStream::close`](crate::net::TcpStream::close).
    pub fn close(&self) {
        self.io.close();
    }

    /// Waits until a read may find something, without a buffer:
    /// see [`TcpStream::readable`](crate::net::TcpStream::readable).
    ///
    /// # Errors
    /// As a read.
    pub fn readable(&self) -> io::Result<()> {
        self.io.wait_ready(Direction::Read)
    }

    /// Waits until a write may be accepted.
    ///
    /// # Errors
    /// As a write.
    pub fn writable(&self) -> io::Result<()> {
        self.io.wait_ready(Direction::Write)
    }

    /// Reads what there is. Never waits and lets no other greenthread run.
    ///
    /// # Errors
    /// `WouldBlock` if there is nothing.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io
            .attempt(Direction::Read, |mut stream| stream.read(buf))
    }

    /// Writes as much as fits into the socket's buffer. Never waits and lets no other greenthread run.
    ///
    /// # Errors
    /// `WouldBlock` if nothing fits.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.io
            .attempt_transfer(Direction::Write, buf.len(), |mut stream| stream.write(buf))
    }

    /// Calls `op` until it says something other than `WouldBlock`: the way to pass descriptors, for one. See
    /// [`TcpStream::retry`](crate::net::TcpStream::retry).
    ///
    /// # Errors
    /// What `op` says; what a read says of waiting.
    pub fn retry<R>(
        &self,
        direction: Direction,
        op: impl FnMut(&net::UnixStream) -> io::Result<R>,
    ) -> io::Result<R> {
        self.io.retry(direction, op)
    }

    /// As [`UnixStream::retry`], for async code: see
    /// [`TcpStream::poll_retry`](crate::net::TcpStream::poll_retry).
    ///
    /// # Errors
    /// What `op` says. `ResourceBusy` if a greenthread waits for the same direction.
    pub fn poll_retry<R>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        op: impl FnMut(&net::UnixStream) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        self.io.poll_retry(cx, direction, op)
    }

    pub(super) fn from_nonblocking(socket: Socket) -> UnixStream {
        UnixStream {
            io: Io::new(socket.into()),
        }
    }
}

fn connect(address: &SocketAddr, limit: Limit) -> io::Result<UnixStream> {
    let address = to_system(address)?;
    // Of a full queue the system says EAGAIN, and nothing when there is room.
    let io = retry_blindly(limit.deadline(), || {
        let socket = socket::open(Domain::UNIX, Type::STREAM)?;
        socket::connect(socket, &address, limit)
    })?;
    Ok(UnixStream { io })
}

// A short read of a Unix stream does not say that nothing is left: it also ends where descriptors were passed.
impl Read for &UnixStream {
    #[inline]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.io
            .retry(Direction::Read, |mut stream| stream.read(buf))
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.io
            .retry(Direction::Read, |mut stream| stream.read_vectored(bufs))
    }
}

impl Read for UnixStream {
    #[inline]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self).read_vectored(bufs)
    }
}

impl Write for &UnixStream {
    #[inline]
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.io
            .transfer(Direction::Write, buf.len(), |mut stream| stream.write(buf))
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.io
            .transfer(Direction::Write, total(bufs), |mut stream| {
                stream.write_vectored(bufs)
            })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for UnixStream {
    #[inline]
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&*self).write(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
