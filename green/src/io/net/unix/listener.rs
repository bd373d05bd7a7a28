use std::io;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

use hub_core::Direction;
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use super::{UnixStream, from_system, to_system};
use crate::net::descriptor::descriptor;
use crate::net::io::Io;
use crate::net::socket::{self, unknown};
use crate::net::verbs::listener;
use crate::net::{ListenBuilder, UnixIncoming};

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
///
/// With an address, in async code, and its close:
///
/// ```
/// use std::os::unix::net::SocketAddr;
/// use std::{future::poll_fn, io::ErrorKind, time::Duration};
/// use green::future::block_on;
/// use green::net::{Direction, UnixListener, UnixStream};
///
/// let path = std::env::temp_dir().join(format!("green-doc-listener-{}", std::process::id()));
/// let listener = UnixListener::bind_addr(&SocketAddr::from_pathname(&path)?)?;
/// listener.set_accept_timeout(Some(Duration::from_millis(1)))?;
/// assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::TimedOut);
/// listener.set_accept_timeout(None)?;
/// assert_eq!(listener.accept_timeout(), None);
///
/// let _clients = [(); 3].map(|()| UnixStream::connect(&path));
/// let (_first, _) = block_on(poll_fn(|cx| listener.poll_accept(cx)))?;
/// let _second = listener.retry(Direction::Read, |listener| listener.accept())?;
/// let accept = poll_fn(|cx| listener.poll_retry(cx, Direction::Read, |std| std.accept()));
/// let _third = block_on(accept)?;
///
/// listener.set_nonblocking(true)?;
/// assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
/// assert!(listener.take_error()?.is_none());
/// listener.close();
/// assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::NotConnected);
/// std::fs::remove_file(path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct UnixListener {
    io: Io<net::UnixListener>,
}

descriptor!(UnixListener, net::UnixListener, SocketAddr, unknown);
listener!(UnixListener, UnixStream, SocketAddr, UnixIncoming);

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

    fn accepted(&self, (socket, peer): (Socket, SockAddr)) -> io::Result<(UnixStream, SocketAddr)> {
        Ok((UnixStream::from_nonblocking(socket), from_system(&peer)?))
    }
}
