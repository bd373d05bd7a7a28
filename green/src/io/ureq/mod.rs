//! A blocking HTTP client on green sockets: [`ureq`](https://docs.rs/ureq), with its sockets and names replaced.
//!
//! It is the counterpart of `eventlet.green.urllib`. Everything of ureq is here under its own name; an agent made by
//! [`agent`] or [`agent_with`] waits like any green socket. A connection stays with the OS thread that opened it: an
//! agent that several threads share opens one in each.
//!
//! With the cargo feature `ureq-tls`, `https` addresses work too, by rustls.

mod connector;
mod resolver;

pub use ::ureq::*;

use ::ureq::config::Config;
use ::ureq::unversioned::transport::{ConnectProxyConnector, Connector};

use connector::GreenConnector;
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
    agent_with(Config::default())
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
    let connector = ConnectProxyConnector::default().chain(GreenConnector);
    #[cfg(feature = "ureq-tls")]
    let connector = connector.chain(::ureq::unversioned::transport::RustlsConnector::default());
    Agent::with_parts(config, connector, GreenResolver)
}
