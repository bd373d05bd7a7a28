//! What a server talks over.

use std::any::Any;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::net as unix;
use std::path::Path;
use std::rc::Rc;

use futures_io::{AsyncRead, AsyncWrite};
use green::net::{TcpStream, UnixStream};

/// A stream that HTTP is spoken over: green's own, and what other crates put on them, as TLS.
///
/// The methods are for those that have something to say before the first request.
///
/// ```
/// use std::io;
/// use green_http::Transport;
///
/// /// What a server does with each connection before the first request.
/// fn begin(transport: &mut impl Transport) -> io::Result<()> {
///     transport.handshake()?;
///     transport.prepare();
///     let protocol = transport.protocol().unwrap_or_else(|| b"http/1.1".to_vec());
///     println!("{protocol:?}, encrypted: {}", transport.security().is_some());
///     Ok(())
/// }
/// let listener = green::listen("127.0.0.1:0")?;
/// begin(&mut green::connect(listener.local_addr()?)?)?;
/// # Ok::<(), io::Error>(())
/// ```
pub trait Transport: AsyncRead + AsyncWrite + Unpin + 'static {
    /// Does what comes before HTTP, such as a TLS handshake: called once, in the connection's own greenthread, and
    /// may wait.
    ///
    /// # Errors
    /// If nothing can be spoken over it.
    fn handshake(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// The protocol that the handshake has agreed upon (ALPN), as `h2`.
    fn protocol(&self) -> Option<Vec<u8>> {
        None
    }

    /// What a handler may know of the encryption, as the peer's certificates; `None` if there is none.
    fn security(&self) -> Option<Rc<dyn Any>> {
        None
    }

    /// Settings for a server of small answers.
    fn prepare(&self) {}
}

impl Transport for TcpStream {
    fn prepare(&self) {
        // Gathering is done above. A connection that was reset meanwhile says so when it is read.
        let _ = self.set_nodelay(true);
    }
}

impl Transport for UnixStream {}

/// Where a request comes from.
///
/// ```
/// use std::net::SocketAddr;
/// use green_http::Peer;
///
/// let address = SocketAddr::from(([192, 0, 2, 1], 4711));
/// let peer = Peer::from(address);
/// assert_eq!((peer.to_string(), peer.ip()), (address.to_string(), Some(address)));
/// assert_eq!(Peer::Unix(None).ip(), None);
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Peer {
    /// Over TCP.
    Ip(SocketAddr),
    /// Over a Unix socket: its path, if it has one.
    Unix(Option<Box<Path>>),
}

impl Peer {
    /// The address, over TCP.
    pub fn ip(&self) -> Option<SocketAddr> {
        match self {
            Peer::Ip(address) => Some(*address),
            Peer::Unix(_) => None,
        }
    }
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Peer {
        Peer::Ip(address)
    }
}

impl From<unix::SocketAddr> for Peer {
    fn from(address: unix::SocketAddr) -> Peer {
        Peer::Unix(address.as_pathname().map(Box::from))
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Ip(address) => address.fmt(f),
            Peer::Unix(Some(path)) => write!(f, "unix:{}", path.display()),
            Peer::Unix(None) => f.write_str("unix:"),
        }
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
