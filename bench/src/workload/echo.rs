//! Connections that are all active.

use std::io;
use std::net::SocketAddr;

use crate::load::Keep;

use super::remote::MESSAGE;

/// How many are active where the others are idle.
pub(super) const ACTIVE: usize = 10;

pub(super) fn load(address: SocketAddr, connections: usize) -> io::Result<Keep> {
    Keep::start(address, connections, 0, MESSAGE)
}
