//! Datagrams.

use std::io;
use std::net::SocketAddr;

use crate::load::Datagrams;

use super::remote::MESSAGE;

/// How many sockets send, each with one datagram under way.
pub(super) const SOCKETS: usize = 64;

pub(super) fn load(address: SocketAddr, sockets: usize) -> io::Result<Datagrams> {
    Datagrams::start(address, sockets, MESSAGE)
}
