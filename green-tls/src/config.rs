//! What a stream is wrapped with.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, Connection, ServerConnection};

use crate::error::Peer;
use crate::identity::invalid;
use crate::{Acceptor, Connector};

mod sealed {
    pub trait Sealed {}
    impl Sealed for &super::Acceptor {}
    impl Sealed for (&super::Connector, &str) {}
}

/// Which side of the connection [`wrap`](crate::wrap) makes: `&Acceptor` the server's, `(&Connector, name)` the
/// client's, with the name that the server's certificate must be for.
///
/// ```
/// use std::io;
/// use green::net::TcpStream;
/// use green_tls::{Config, Connector, TlsStream, wrap};
///
/// /// A connection of either side that is ready for use.
/// fn ready(stream: TcpStream, side: impl Config) -> io::Result<TlsStream<TcpStream>> {
///     let stream = wrap(stream, side)?;
///     stream.handshake()?;
///     Ok(stream)
/// }
/// # let listener = green::listen("127.0.0.1:0")?;
/// # let plain = green::connect(listener.local_addr()?)?;
/// # drop(listener);
/// assert!(ready(plain, (&Connector::new()?, "localhost")).is_err(), "nobody is there");
/// # Ok::<(), io::Error>(())
/// ```
pub trait Config: sealed::Sealed {
    #[doc(hidden)]
    fn connection(&self) -> io::Result<(Connection, Duration)>;

    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn peer(&self) -> Peer;
}

impl Config for &Acceptor {
    fn connection(&self) -> io::Result<(Connection, Duration)> {
        let server = ServerConnection::new(Arc::clone(self.config())).map_err(io::Error::other)?;
        Ok((server.into(), self.timeout()))
    }

    #[allow(private_interfaces)]
    fn peer(&self) -> Peer {
        Peer::Client
    }
}

impl Config for (&Connector, &str) {
    fn connection(&self) -> io::Result<(Connection, Duration)> {
        let (connector, name) = *self;
        let name = ServerName::try_from(name).map_err(|_| {
            invalid(format!(
                "{name:?} is no name that a certificate can be for: give a host name or an address, without port"
            ))
        })?;
        let client = ClientConnection::new(Arc::clone(connector.config()), name.to_owned());
        Ok((
            client.map_err(io::Error::other)?.into(),
            connector.timeout(),
        ))
    }

    #[allow(private_interfaces)]
    fn peer(&self) -> Peer {
        Peer::Server(self.1.to_owned())
    }
}
