//! A blocking HTTP client on green sockets: [`ureq`](https://docs.rs/ureq), with its sockets and names replaced.
//!
//! It is the counterpart of `eventlet.green.urllib`. Everything of ureq is here under its own name; an agent made by
//! [`agent`] or [`agent_with`] waits like any green socket.
//!
//! With the cargo feature `ureq-tls`, `https` addresses work too, by rustls. Without it they are refused before anything
//! is sent, as is every other thing that is asked for and cannot be had.
//!
//! # Connections
//!
//! A connection stays with the OS thread that opened it: an agent that several threads share opens one in each. If the
//! last handle of the agent is dropped on another thread, the other ends see the connections closed at once; their
//! descriptors are free again when the thread that owns them next opens a connection here, or ends.
//!
//! The child of a fork uses none of its parent's connections, idle or not: its agents open new ones.
//!
//! Of several addresses the first that answers is used, as by [`TcpStream::connect`](crate::net::TcpStream::connect).
//!
//! [`Agent::shutdown`] ends the calls that wait for a connection or for an answer, on whatever thread. One that looks up
//! a name ends when it has it.
//!
//! # Proxies
//!
//! HTTP proxies (`http`, `https` with the feature) and SOCKS proxies (`socks4`, `socks4a`, `socks5`, `socks5h`) are used if
//! they are set in the configuration or in the environment (`ALL_PROXY`, `HTTPS_PROXY`, `HTTP_PROXY`, with `NO_PROXY`).
//! A request never goes round its proxy: if that cannot be used, the request fails. [`agent`] also refuses if one of the
//! variables has a value that is no proxy; a configuration of one's own decides for itself.

mod connector;
mod refuse;
mod resolver;
mod sockets;
mod socks;

pub use ::ureq::*;

use ::ureq::config::Config;
use ::ureq::unversioned::transport::{ConnectProxyConnector, Connector};

use connector::GreenConnector;
use refuse::Refuse;
use resolver::GreenResolver;

/// A client with ureq's own settings.
///
/// ```
/// use std::io::{Read, Write};
///
/// let listener = green::net::TcpListener::bind("127.0.0.1:0")?;
/// let address = listener.local_addr()?;
/// green::spawn_n(move || {
///     let (mut stream, _) = listener.accept().unwrap();
///     let mut request = [0; 1024];
///     stream.read(&mut request).unwrap();
///     stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").unwrap();
/// });
/// let body = green::ureq::agent()
///     .get(format!("http://{address}/"))
///     .call()?
///     .body_mut()
///     .read_to_string()?;
/// assert_eq!(body, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn agent() -> Agent {
    make(Config::default(), Refuse::unreadable_proxy())
}

/// A client with settings of the caller's: timeouts, redirects, headers and so on, as ureq has them.
///
/// ```
/// use std::time::Duration;
///
/// let config = green::ureq::Agent::config_builder()
///     .timeout_global(Some(Duration::from_millis(20)))
///     .build();
/// let listener = green::net::TcpListener::bind("127.0.0.1:0")?;
/// let silent = format!("http://{}/", listener.local_addr()?);
/// let error = green::ureq::agent_with(config).get(silent).call().unwrap_err();
/// assert!(matches!(error, green::ureq::Error::Timeout(_)));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn agent_with(config: Config) -> Agent {
    make(config, Refuse::default())
}

fn make(config: Config, refuse: Refuse) -> Agent {
    let connector = refuse
        .chain(ConnectProxyConnector::default())
        .chain(GreenConnector);
    #[cfg(feature = "ureq-tls")]
    let connector = connector.chain(::ureq::unversioned::transport::RustlsConnector::default());
    Agent::with_parts(config, connector, GreenResolver)
}
