//! Sockets, names, and what a hub does while all wait.

#[path = "../common/mod.rs"]
mod common;

mod connecting;
mod dns;
#[cfg(feature = "dns")]
mod dns_green;
mod idle;
mod many_waiters;
mod net_tcp;
mod net_udp;
mod net_unix;
mod readiness;
mod select;
