//! Connections that live for one echo.

use std::io;
use std::net::SocketAddr;

use crate::load::Churn;

use super::remote::MESSAGE;

/// How many connections there are at once.
pub(super) const AT_ONCE: usize = 64;

pub(super) fn load(address: SocketAddr, at_once: usize) -> io::Result<Churn> {
    Churn::start(address, at_once, MESSAGE)
}
