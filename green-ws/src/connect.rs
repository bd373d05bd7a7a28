//! Clients that connect by themselves.

use std::io;
use std::net::Shutdown;

use green::net::TcpStream;

use crate::handshake::parse;
use crate::socket::client;
use crate::{Error, Options, Stream, WebSocket};

/// The stream of a client that [`connect`] has made.
///
/// ```
/// use green::net::TcpStream;
/// use green_ws::{ClientStream, WebSocket};
///
/// /// The TCP connection below, for its addresses and timeouts.
/// fn below(socket: &WebSocket<ClientStream>) -> Option<&TcpStream> {
///     match socket.get_ref() {
///         ClientStream::Tcp(stream) => Some(stream),
///         _ => None, // With the feature `tls` it may be below TLS.
///     }
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ClientStream {
    /// The stream of a `ws` address.
    Tcp(TcpStream),
    /// The stream of a `wss` address.
    #[cfg(feature = "tls")]
    Tls(Box<green_tls::TlsStream<TcpStream>>),
}

/// Calls a method of the stream that is there.
macro_rules! delegate {
    ($stream:expr, $inner:ident => $call:expr) => {
        match $stream {
            ClientStream::Tcp($inner) => $call,
            #[cfg(feature = "tls")]
            ClientStream::Tls(boxed) => {
                let $inner = &**boxed;
                $call
            }
        }
    };
}

impl Stream for ClientStream {
    fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        delegate!(self, stream => stream.try_read(buf))
    }

    fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        delegate!(self, stream => stream.try_write(buf))
    }

    fn readable(&self) -> io::Result<()> {
        delegate!(self, stream => stream.readable())
    }

    fn writable(&self) -> io::Result<()> {
        delegate!(self, stream => stream.writable())
    }

    fn flush(&self) -> io::Result<()> {
        delegate!(self, stream => Stream::flush(stream))
    }

    fn is_flushed(&self) -> bool {
        delegate!(self, stream => Stream::is_flushed(stream))
    }

    fn send_at_once(&self) {
        delegate!(self, stream => Stream::send_at_once(stream));
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        delegate!(self, stream => stream.shutdown(how))
    }

    fn close(&self) {
        delegate!(self, stream => stream.close());
    }
}

/// Connects to the server of an address, such as `ws://example.com/chat`, and with the feature `tls` also
/// `wss://example.com/chat`, whose server is verified.
///
/// # Errors
/// As [`green::connect`], [`client`], and of TLS.
///
/// ```
/// use green::server::StreamServer;
/// use green_ws::{Message, Options, connect, handler};
///
/// let echo = handler(Options::new(), |socket| {
///     while let Some(message) = socket.receive()? {
///         socket.send(message)?;
///     }
///     Ok::<(), green_ws::Error>(())
/// });
/// let server = StreamServer::new(green::listen("127.0.0.1:0")?, echo);
/// server.start();
/// let address = format!("ws://{}/", server.listener().local_addr()?);
/// let socket = connect(&address, &Options::new())?;
/// socket.send("hello")?;
/// assert_eq!(socket.receive()?, Some(Message::from("hello")));
/// socket.close(1000, "")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn connect(address: &str, options: &Options) -> Result<WebSocket<ClientStream>, Error> {
    let target = parse(address)?;
    if target.is_secure {
        return connect_secure(address, options);
    }
    let stream = green::connect((&*target.host, target.port))?;
    client(ClientStream::Tcp(stream), address, options)
}

#[cfg(feature = "tls")]
fn connect_secure(address: &str, options: &Options) -> Result<WebSocket<ClientStream>, Error> {
    connect_tls(address, &green_tls::Connector::new()?, options)
}

#[cfg(not(feature = "tls"))]
fn connect_secure(address: &str, _: &Options) -> Result<WebSocket<ClientStream>, Error> {
    let text = format!("{address:?} needs TLS: enable the feature `tls` of green-ws");
    Err(io::Error::new(io::ErrorKind::Unsupported, text).into())
}

/// As [`connect`] to a `wss` address, with a connector of one's own: for servers of a private authority, and for client
/// certificates.
///
/// # Errors
/// As [`connect`].
///
/// ```
/// use green_tls::{Acceptor, Connector, Identity, TlsListener};
/// use green_ws::{Message, Options, connect_tls, handler};
/// # let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
/// # let (certificate, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
///
/// let acceptor = Acceptor::new(Identity::from_pem(&certificate, &key)?)?;
/// let listener = TlsListener::new(green::listen("127.0.0.1:0")?, acceptor);
/// let port = listener.get_ref().local_addr()?.port();
/// let greet = handler(Options::new(), |socket| socket.send("hello"));
/// green::spawn_n(move || drop(green::serve(&listener, 1000, greet)));
///
/// let connector = Connector::builder().roots_from_pem(&certificate)?.build()?;
/// let address = format!("wss://localhost:{port}/");
/// let socket = connect_tls(&address, &connector, &Options::new())?;
/// assert_eq!(socket.receive()?, Some(Message::from("hello")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(feature = "tls")]
pub fn connect_tls(
    address: &str,
    connector: &green_tls::Connector,
    options: &Options,
) -> Result<WebSocket<ClientStream>, Error> {
    let target = parse(address)?;
    let stream = green_tls::connect_tls((&*target.host, target.port), connector)?;
    client(ClientStream::Tls(Box::new(stream)), address, options)
}
