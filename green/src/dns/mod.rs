//! Names to addresses, while other greenthreads run on.
//!
//! ```
//! let addresses = green::dns::lookup("localhost", 80)?;
//! assert!(addresses.iter().all(|address| address.ip().is_loopback() && address.port() == 80));
//! # Ok::<(), std::io::Error>(())
//! ```

mod error;
mod system;

use std::io;
use std::net::{IpAddr, SocketAddr};

pub use error::{Error, ErrorKind};

/// The addresses of a host, each with this port, in the order in which they should be tried.
///
/// A literal address needs no resolver.
///
/// # Errors
/// An [`Error`] inside the `io::Error`: `NotFound` if there is no such name or it has no address.
pub fn lookup(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    Ok(system::lookup(host, port)?)
}
