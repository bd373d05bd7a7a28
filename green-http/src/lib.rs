//! An HTTP server of blocking handlers, as simple as `eventlet.wsgi.server`, on green threads.
//!
//! ```no_run
//! use green_http::Response;
//!
//! green_http::serve(green::listen("127.0.0.1:8000")?, |request| Response::new("Hello, World!\n"))?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! A handler is a function from a [`Request`] to what turns into a [`Response`]: text, bytes, a status,
//! JSON (feature `json`), a reader, an iterator, a callback that writes, or a `Result` of any of them. It may wait for
//! whatever a greenthread may wait for; the other connections go on meanwhile. [`Body`] is read as a file is.
//!
//! [`Server`] has the rest: limits, deadlines, hooks, an access log, and a [life](green::server::Lifecycle) that ends
//! with a drain. [`Server::factory`] serves on all cores.
//!
//! A connection that is idle gives up what it does not need: after a tick of the coarse clock that also looks at the
//! deadlines it keeps some 9 KiB, its stack included.
//!
//! HTTP/1.0 and 1.1 are served, HTTP/2 with the feature `http2`, and with the feature `tower` the services of that
//! name, such as axum's Router, on any hub. The protocol itself is [hyper]'s. What it would let through and
//! another server might understand otherwise is refused before it sees it: several Host fields, lines without CR,
//! contradicting lengths and their like.
#![forbid(unsafe_code)]

mod body;
#[cfg(feature = "tower")]
mod bridge;
mod clock;
mod connection;
mod exchange;
#[cfg(feature = "tower")]
mod goodbye;
mod guard;
mod holder;
#[cfg(feature = "http2")]
mod http2;
mod hyper_io;
mod input;
mod limits;
mod outgoing;
mod output;
mod request;
mod response;
mod rest;
mod server;
mod service;
mod settings;
mod slot;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "tower")]
mod tower;
mod transport;
mod upgrade;
mod wire;
mod workers;
mod writer;

use std::time::SystemTime;

pub use body::Body;
pub use bytes::Bytes;
pub use exchange::Record;
pub use guard::Refusal;
pub use http::{self, HeaderMap, Method, Request, StatusCode, Version, header};
pub use request::RequestExt;
pub use response::{Content, Response};
pub use server::{Server, serve};
#[cfg(feature = "tls")]
pub use tls::TlsFacts;
pub use transport::{Peer, Transport};
pub use upgrade::Upgraded;
pub use writer::Writer;

/// A point in time as HTTP writes it, in English and in GMT.
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// let time = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
/// assert_eq!(green_http::format_date_time(time), "Sun, 06 Nov 1994 08:49:37 GMT");
/// ```
pub fn format_date_time(time: SystemTime) -> String {
    httpdate::fmt_http_date(time)
}

/// The examples of the guide to servers, and of the chapter on wsgi.
#[cfg(all(doctest, feature = "tower"))]
mod guide {
    #[doc = include_str!("../../docs/servers.md")]
    struct Servers;

    #[doc = include_str!("../../docs/wsgi.md")]
    struct Wsgi;

    #[doc = include_str!("../README.md")]
    struct Readme;
}
