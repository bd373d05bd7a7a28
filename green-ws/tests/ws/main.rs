//! WebSockets between greenthreads, on the hub that `GREEN_HUB` names.

mod closing;
mod common;
mod handshake;
#[cfg(feature = "http")]
mod http;
mod interrupted;
mod messages;
mod peers;
#[cfg(feature = "tls")]
mod tls;
