//! Few active connections beside many that are silent: what a wait costs for those that it does not report.

use std::io;
use std::net::SocketAddr;

use crate::load::Keep;

use super::echo::ACTIVE;
use super::remote::MESSAGE;

pub(super) fn load(address: SocketAddr, idle: usize) -> io::Result<Keep> {
    Keep::start(address, ACTIVE, idle, MESSAGE)
}
