//! TLS on green threads: eventlet's `wrap_ssl`, on rustls.
//!
//! ```
//! use std::io::{Read, Write};
//! use green_tls::{Connector, connect_tls, listen_tls};
//! # let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
//! # let directory = std::env::temp_dir().join(format!("green-tls-front-{}", std::process::id()));
//! # std::fs::create_dir_all(&directory)?;
//! # let (certificate, key) = (directory.join("cert.pem"), directory.join("key.pem"));
//! # std::fs::write(&certificate, certified.cert.pem())?;
//! # std::fs::write(&key, certified.signing_key.serialize_pem())?;
//!
//! let listener = listen_tls("127.0.0.1:0", &certificate, &key)?; // two PEM files
//! let port = listener.get_ref().local_addr()?.port();
//! green::spawn_n(move || {
//!     let serving = green::serve_forever(&listener, 1000, |mut stream, _peer| stream.write_all(b"hello"));
//!     println!("the server has ended: {serving:?}");
//! });
//!
//! let connector = Connector::builder().roots_from_file(&certificate)?.build()?;
//! let mut text = String::new();
//! connect_tls(("localhost", port), &connector)?.read_to_string(&mut text)?;
//! assert_eq!(text, "hello");
//! # std::fs::remove_dir_all(&directory)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | | |
//! |---|---|
//! | [`TlsStream`] | a connection: reads and writes from two greenthreads at once, shutdown of one half |
//! | [`wrap`] | makes one from any stream |
//! | [`listen_tls`], [`TlsListener`] | listeners whose connections are wrapped; the handshake is the handler's |
//! | [`connect_tls`] | connects and wraps |
//! | [`Acceptor`] | a server's side: certificates by name (SNI), client certificates, protocols (ALPN) |
//! | [`Connector`] | a client's side: whom it trusts, its own certificate, protocols |
//! | [`Identity`] | a certificate and its key |
//! | [`TlsError`] | what went wrong, and what to do |
//!
//! # What is checked
//!
//! A client verifies the server's certificate and name, and no switch turns that off. A handshake has ten seconds
//! unless its configuration says otherwise. If a connection ends without close_notify, reading fails.
//! TLS 1.2 and 1.3 are spoken. Sessions are resumed, by tickets that the clients keep.
//!
//! # Features
//!
//! | feature | gives [`TlsStream`] |
//! |---|---|
//! | `futures-io`, on by default | `futures_io::{AsyncRead, AsyncWrite}` |
//! | `tokio` | `tokio::io::{AsyncRead, AsyncWrite}`: the traits alone, no runtime |
//! | `hyper` | `hyper::rt::{Read, Write}` |
//!
//! There are no environment variables.
//!
//! # Threads, panics, platforms
//!
//! A [`TlsStream`] stays in the OS thread of the stream below it. [`Acceptor`], [`Connector`] and [`Identity`] are
//! `Send` and `Sync`. Nothing here panics by itself. A stream that a panic or a kill drops is closed without
//! close_notify, so that the peer sees that it was cut. Platforms are those of green.
#![forbid(unsafe_code)]

mod acceptor;
mod certificates;
mod config;
mod connector;
mod error;
mod identity;
mod listener;
mod stream;
mod tls_stream;
#[cfg(feature = "futures-io")]
mod traits;

use std::io;
use std::path::Path;
use std::time::Duration;

use green::net::{TcpListener, TcpStream, ToSocketAddrs};

pub use acceptor::{Acceptor, AcceptorBuilder};
pub use config::Config;
pub use connector::{Connector, ConnectorBuilder};
pub use error::{TlsError, TlsFailure};
pub use green::net::Stream;
pub use identity::Identity;
pub use listener::TlsListener;
pub use rustls;
pub use tls_stream::TlsStream;
#[cfg(feature = "futures-io")]
pub use tls_stream::poll::PollStream;

/// How long a handshake may take, unless a configuration says otherwise.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Wraps a connected stream: as a server with `&Acceptor`, as a client with `(&Connector, name)`. Nothing is sent yet.
///
/// # Errors
/// If the name is none, or the system gives no random numbers.
///
/// ```
/// use green_tls::{Acceptor, Connector, Identity, wrap};
/// # let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
/// # let (certificate, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
///
/// let acceptor = Acceptor::new(Identity::from_pem(&certificate, &key)?)?;
/// let connector = Connector::builder().roots_from_pem(&certificate)?.build()?;
/// let (near, far) = green::net::UnixStream::pair()?;
/// let server = green::spawn(move || wrap(far, &acceptor)?.handshake());
/// wrap(near, (&connector, "localhost"))?.handshake()?;
/// server.join().unwrap()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "wrap_ssl")]
pub fn wrap<S: Stream>(stream: S, config: impl Config) -> io::Result<TlsStream<S>> {
    TlsStream::new(stream, config)
}

/// Listens at an address with the certificates and the key of two PEM files: `listen`, then eventlet's `wrap_ssl`.
///
/// # Errors
/// As [`green::listen`] and [`Identity::from_files`].
///
/// ```
/// let error = green_tls::listen_tls("127.0.0.1:0", "no-such-file.pem", "key.pem").unwrap_err();
/// assert!(error.to_string().contains("no-such-file.pem"));
/// ```
#[doc(alias = "wrap_ssl")]
pub fn listen_tls(
    address: impl ToSocketAddrs,
    certificates: impl AsRef<Path>,
    key: impl AsRef<Path>,
) -> io::Result<TlsListener<TcpListener>> {
    let acceptor = Acceptor::new(Identity::from_files(certificates, key)?)?;
    Ok(TlsListener::new(green::listen(address)?, acceptor))
}

/// Connects to a host and a port, such as `"example.com:443"` or `("example.com", 443)`, and does the handshake. The
/// certificate must be for that host.
///
/// # Errors
/// As [`green::connect`] and [`TlsStream::handshake`].
///
/// ```
/// use green_tls::{Connector, connect_tls};
///
/// # let nobody = green::listen("127.0.0.1:0")?.local_addr()?.port();
/// let connection = connect_tls(("localhost", nobody), &Connector::new()?);
/// assert!(connection.is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn connect_tls(host: impl Host, connector: &Connector) -> io::Result<TlsStream<TcpStream>> {
    let (name, port) = host.host_and_port()?;
    let stream = wrap(green::connect((&*name, port))?, (connector, &*name))?;
    stream.handshake()?;
    Ok(stream)
}

/// A host and a port, where the host is also the name that a certificate must be for.
///
/// ```
/// use green_tls::Host;
///
/// assert_eq!("example.com:443".host_and_port()?, ("example.com".to_owned(), 443));
/// assert_eq!("[::1]:443".host_and_port()?, ("::1".to_owned(), 443));
/// assert!("example.com".host_and_port().unwrap_err().to_string().contains("port"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait Host {
    /// The host and the port.
    ///
    /// # Errors
    /// If there is no port.
    fn host_and_port(self) -> io::Result<(String, u16)>;
}

impl Host for (&str, u16) {
    fn host_and_port(self) -> io::Result<(String, u16)> {
        Ok((self.0.to_owned(), self.1))
    }
}

impl Host for &str {
    fn host_and_port(self) -> io::Result<(String, u16)> {
        let parts = self.rsplit_once(':').and_then(|(host, port)| {
            let host = host
                .strip_prefix('[')
                .map_or(host, |host| host.trim_end_matches(']'));
            Some((host.to_owned(), port.parse().ok()?))
        });
        parts.ok_or_else(|| {
            identity::invalid(format!("{self:?} has no port: write it as host:port"))
        })
    }
}

impl Host for &String {
    fn host_and_port(self) -> io::Result<(String, u16)> {
        self.as_str().host_and_port()
    }
}

/// The examples of the porting guide.
#[cfg(doctest)]
#[doc = include_str!("../../docs/tls.md")]
struct Guide;
