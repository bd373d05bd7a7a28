//! An HTTP server of blocking handlers, as simple as `eventlet.wsgi.server`, on green threads.
//!
//! ```
//! use std::io::{Read, Write};
//! use green_http::{Body, Request, Response};
//!
//! let listener = green::listen("127.0.0.1:0")?;
//! let mut client = green::connect(listener.local_addr()?)?;
//! green::spawn_n(move || {
//!     let answer = |request: Request<Body>| Response::new(format!("you ask for {}\n", request.uri()));
//!     let served = green_http::serve(listener, answer);
//!     println!("the server has ended: {served:?}");
//! });
//!
//! client.write_all(b"GET /hello HTTP/1.0\r\n\r\n")?;
//! let mut answer = String::new();
//! client.read_to_string(&mut answer)?;
//! assert!(answer.ends_with("\r\n\r\nyou ask for /hello\n"));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! A handler is a function from a [`Request`] to what turns into a [`Response`]: text, bytes, a status,
//! JSON (feature `json`), a reader, an iterator, a callback that writes, or a `Result` of any of them. It may wait for
//! whatever a greenthread may wait for; the other connections go on meanwhile. [`Body`] is read as a file is.
//!
//! HTTP/1.0 and 1.1 are served, by [hyper]. What hyper would let through and another server might understand
//! otherwise is refused before hyper sees it: several Host fields, lines without CR, contradicting lengths and their
//! like.
//!
//! A connection that is idle gives up what it does not need: after a tick of the coarse clock that also looks at the
//! deadlines it keeps some 9 KiB, its stack included.
//!
//! # Parts
//!
//! | part | is |
//! |---|---|
//! | [`serve`] | a server in one line |
//! | [`Server`] | a server with limits, deadlines, hooks, an access log and a [life cycle](green::server::Lifecycle) |
//! | [`Server::factory`] | the same on all cores, with a handler for each |
//! | [`Request`], [`Body`], [`RequestExt`] | what a handler gets: request, body, what is known of the connection |
//! | [`Response`], [`Content`], [`Writer`] | what a handler gives: an answer, and the kinds of bodies |
//! | [`Upgraded`] | a connection that another protocol has taken over |
//! | [`Record`] | what a log says of a request and its answer |
//! | [`Transport`], [`Peer`] | streams that HTTP is spoken over, and where they come from |
//! | [`format_date_time`] | a date as HTTP writes it |
//!
//! # Features
//!
//! None is on by default.
//!
//! | feature | adds |
//! |---|---|
//! | `http2` | HTTP/2, with prior knowledge and as ALPN says; each stream is a greenthread |
//! | `json` | answers and bodies of JSON |
//! | `tls` | HTTPS: the streams of green-tls are transports |
//! | `tower` | `Server::tower`: tower's services, such as axum's Router, on any hub |
//!
//! There are no environment variables but `GREEN_WORKERS`, the number of threads of a server on all cores.
//!
//! # Threads, panics, platforms
//!
//! A server stays on the OS thread that serves, and so do its handlers and their requests, which need not be `Send`.
//! A [`Record`] is `Send`. A handler that panics is answered for with 500, or as `Server::on_panic` says, and its
//! connection goes on; an answer that has begun is cut off. Platforms are those of green.
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
