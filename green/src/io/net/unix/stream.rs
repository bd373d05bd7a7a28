use std::io;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;
use std::time::Duration;

use hub_core::Direction;
use socket2::{Domain, Socket, Type};

use super::to_system;
use crate::net::descriptor::descriptor;
use crate::net::io::Io;
use crate::net::retry::{Transfer, retry_blindly};
use crate::net::socket::{self, Limit, unknown};
use crate::net::verbs::{endpoint, shutdown, stream};

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
///
/// With a listener at a path:
///
/// ```
/// use std::os::unix::net::SocketAddr;
/// use std::time::Duration;
/// use green::net::{UnixListener, UnixStream};
///
/// let path = std::env::temp_dir().join(format!("green-doc-stream-{}", std::process::id()));
/// let _listener = UnixListener::bind(&path)?;
/// let stream = UnixStream::connect_timeout(&path, Duration::from_secs(5))?;
/// assert_eq!(stream.peer_addr()?.as_pathname(), Some(&*path));
/// UnixStream::connect_addr(&SocketAddr::from_pathname(&path)?)?;
/// std::fs::remove_file(path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Its settings, calls that do not wait, and its end:
///
/// ```
/// use std::io::{ErrorKind, Read};
/// use std::{future::poll_fn, time::Duration};
/// use green::future::block_on;
/// use green::net::{Direction, Shutdown, UnixStream};
///
/// let (near, mut far) = UnixStream::pair()?;
/// far.set_read_timeout(Some(Duration::from_millis(1)))?;
/// assert_eq!(far.read(&mut [0]).unwrap_err().kind(), ErrorKind::TimedOut);
/// far.set_write_timeout(far.read_timeout()?)?;
/// assert_eq!(far.write_timeout()?, Some(Duration::from_millis(1)));
///
/// near.writable()?;
/// assert_eq!(near.try_write(b"hello, far")?, 10);
/// far.readable()?;
/// let mut buf = [0; 5];
/// assert_eq!(far.try_read(&mut buf)?, 5);
/// let read = |mut far: &std::os::unix::net::UnixStream| far.read(&mut [0]);
/// assert_eq!(far.retry(Direction::Read, read)?, 1);
/// assert_eq!(block_on(poll_fn(|cx| far.poll_retry(cx, Direction::Read, read)))?, 1);
///
/// far.set_nonblocking(true)?;
/// assert_eq!(far.read(&mut [0; 3])?, 3);
/// assert_eq!(far.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
/// near.shutdown(Shutdown::Write)?;
/// assert_eq!(far.read(&mut [0])?, 0); // The end.
/// assert!(far.take_error()?.is_none());
/// far.close();
/// far.shutdown_safe(Shutdown::Both)?; // That it is closed is no error.
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct UnixStream {
    io: Io<net::UnixStream>,
}

descriptor!(UnixStream, net::UnixStream, SocketAddr, unknown);
endpoint!(UnixStream, SocketAddr);
shutdown!(UnixStream);
stream!(UnixStream);

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
        socket::connect(socket, &address, limit, false)
    })?;
    Ok(UnixStream { io })
}
