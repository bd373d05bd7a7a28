//! eventlet's convenience functions.

use std::io;

use super::connecting;
use super::socket::Limit;
use super::{ListenBuilder, TcpListener, TcpStream, ToSocketAddrs};

/// Connects to the first of the addresses that answers: [`TcpStream::connect`] as a function.
///
/// # Errors
/// As [`TcpStream::connect`].
///
/// ```
/// let listener = green::listen("127.0.0.1:0")?;
/// let stream = green::connect(listener.local_addr()?)?;
/// assert_eq!(stream.peer_addr()?, listener.local_addr()?);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn connect(address: impl ToSocketAddrs) -> io::Result<TcpStream> {
    TcpStream::connect(address)
}

/// As [`connect`], from the first of the local addresses `bind` that is of the same family.
///
/// # Errors
/// As [`connect`]; what the system says of the local address.
///
/// ```
/// let listener = green::listen("127.0.0.1:0")?;
/// let stream = green::connect_from(listener.local_addr()?, "127.0.0.2:0")?;
/// assert_eq!(stream.local_addr()?.ip().to_string(), "127.0.0.2");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn connect_from(
    address: impl ToSocketAddrs,
    bind: impl ToSocketAddrs,
) -> io::Result<TcpStream> {
    let limit = Limit::default();
    let bind: Vec<_> = limit.run(|| Ok(bind.to_socket_addrs()?.collect()))?;
    connecting::connect(Some(&bind), address, limit)
}

/// Listens for TCP connections, with `SO_REUSEADDR` and a backlog of 1024: see [`ListenBuilder`] for other choices.
///
/// # Errors
/// What the system says of the last address.
///
/// ```
/// let listener = green::listen("127.0.0.1:0")?;
/// let _client = green::connect(listener.local_addr()?)?;
/// let (stream, peer) = listener.accept()?;
/// assert_eq!(stream.peer_addr()?, peer);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn listen(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
    ListenBuilder::new().listen(address)
}
