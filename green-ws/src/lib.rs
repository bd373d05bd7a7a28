//! WebSockets on green threads: eventlet's `websocket`, as server and as client.
//!
//! ```
//! use green::server::StreamServer;
//! use green_ws::{Message, Options, connect, handler};
//!
//! let echo = handler(Options::new(), |socket| {
//!     while let Some(message) = socket.receive()? {
//!         socket.send(message)?;
//!     }
//!     Ok::<(), green_ws::Error>(())
//! });
//! let server = StreamServer::new(green::listen("127.0.0.1:0")?, echo);
//! server.start();
//!
//! let address = format!("ws://{}/", server.listener().local_addr()?);
//! let socket = connect(&address, &Options::new())?;
//! socket.send("hello")?;
//! assert_eq!(socket.receive()?, Some(Message::from("hello")));
//! socket.close(1000, "")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | | |
//! |---|---|
//! | [`WebSocket`] | `send`, `receive`, `ping`, `close`, by several greenthreads at once |
//! | [`handler`] | makes the handler of a server out of one that gets a [`WebSocket`] |
//! | [`accept`] | the server's side on any connected stream: reads the request and answers it |
//! | [`Upgrade`] | the same for a request that an HTTP server has read |
//! | [`connect`] | a client, by address; [`client`] on any connected stream |
//! | [`Options`], [`Deflate`] | subprotocols, origins, compression, limits, timeouts |
//! | [`Group`] | several WebSockets, closed together |
//!
//! # What is checked
//!
//! RFC 6455 and, if compression was agreed on, RFC 7692. A peer that breaks their rules is told the code and cut off: 1002
//! for frames that cannot be (masks, reserved bits and opcodes, fragments, control frames), 1007 for text that is no
//! UTF-8, seen as it streams, 1009 for messages above the limit, after inflation. A client that is no WebSocket's gets an
//! answer of HTTP: 400, 403 for a page's origin, 426 for another version. The drafts before the RFC are not spoken.
//!
//! # Features
//!
//! | feature | |
//! |---|---|
//! | `http` | [`http::upgrade`]: WebSockets beside the pages of a server of green-http |
//! | `tls` | `wss` addresses, and WebSockets over the streams of green-tls |
//!
//! axum has WebSockets of its own, which run on green's hub with its router; these are for blocking handlers. There are
//! no environment variables.
//!
//! # Threads, panics, platforms
//!
//! A [`WebSocket`] stays in the OS thread of its stream. Nothing here panics by itself but [`Deflate::window_bits`]. A
//! WebSocket that a panic or a kill drops is closed without a close frame, so that the peer sees that it was cut.
//! Platforms are those of green.
#![forbid(unsafe_code)]

mod connect;
mod error;
mod group;
mod handler;
mod handshake;
#[cfg(feature = "http")]
pub mod http;
mod message;
mod options;
mod protocol;
mod socket;

#[cfg(feature = "tls")]
pub use connect::connect_tls;
pub use connect::{ClientStream, connect};
pub use error::Error;
pub use green::net::Stream;
pub use group::Group;
pub use handler::handler;
pub use handshake::{Refusal, Request, Upgrade};
pub use message::{Close, Message};
pub use options::{Deflate, Options};
pub use socket::{WebSocket, accept, client};

/// The examples of the porting guide.
#[cfg(doctest)]
#[doc = include_str!("../../docs/websocket.md")]
struct Guide;
