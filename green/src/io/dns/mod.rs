//! Names to addresses and back, while other greenthreads run on.
//!
//! ```
//! let addresses = green::dns::lookup("localhost", 80)?;
//! assert!(addresses.iter().all(|address| address.ip().is_loopback() && address.port() == 80));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Which resolver
//!
//! In this order: what [`use_resolver`] or [`use_resolver_with`] chose for this thread, what the environment variable
//! `GREEN_DNS` names, the system's. Everything in green that takes a name uses it: [`connect`](crate::connect), all
//! of [`net`](crate::net), [`ureq`](https://docs.rs/ureq) as green has it.
//!
//! - `system`: what the system's `getaddrinfo` says, in a thread of the [pool](crate::tpool).
//! - `green`: the hosts file and the name servers of `resolv.conf`, asked over green sockets, with a cache and a
//!   deadline for every lookup. It needs the cargo feature `dns`; see `Resolver::green` there.
//!
//! A [`Resolver`] can also be had as a value, and used beside the chosen one.
//!
//! # C's functions
//!
//! [`getaddrinfo`], [`gethostbyname`], [`gethostbyname_ex`] and [`getnameinfo`] are those of Python's `socket` and
//! eventlet's `greendns`.

mod choice;
#[cfg(feature = "dns")]
mod green;
mod resolver;
mod system;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

pub use choice::{
    GREEN_DNS, ResolverError, get_resolver, resolver_names, use_default_resolver, use_resolver,
    use_resolver_with,
};
#[cfg(feature = "dns")]
pub use green::ResolverBuilder;
pub use green_dns::{AddrInfo, Error, ErrorKind, Family, Hints, HostEntry, NameFlags, SockType};
pub use resolver::Resolver;

/// The addresses of a host, each with this port, in the order in which they should be tried.
///
/// A literal address needs no resolver.
///
/// # Errors
/// An [`Error`] inside the `io::Error`: `NotFound` if there is no such name or it has no address, `TimedOut` if the
/// time of the lookup was up. A [`ResolverError`] of kind `InvalidInput` if `GREEN_DNS` names no resolver.
///
/// ```
/// assert_eq!(green::dns::lookup("127.0.0.1", 80)?, [([127, 0, 0, 1], 80).into()]);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn lookup(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    get_resolver()
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?
        .lookup(host, port)
}

/// The addresses of a host for a service, as C's function of this name gives them: one result for each address and
/// type of socket, in the order in which they should be tried.
///
/// Without a host it is the loopback, or with [`Hints::passive`] any address of this machine. The service is a name,
/// such as `http`, or a port; without one the port is 0.
///
/// # Errors
/// `NotFound`, also if neither a host nor a service is given; `NoService`, `NoData`, `TryAgain`, `Failed` and the
/// others, as [`ErrorKind`] has them. `Invalid` if `GREEN_DNS` names no resolver.
///
/// ```
/// use green::dns::{Family, Hints, SockType, getaddrinfo};
///
/// let hints = Hints::new().family(Family::V4).socktype(SockType::Stream);
/// let found = getaddrinfo("127.0.0.1", "80", hints)?;
/// assert_eq!(found.len(), 1);
/// assert_eq!(found[0].address, ([127, 0, 0, 1], 80).into());
///
/// let here = getaddrinfo(None, "0", hints.passive(true))?;
/// assert!(here[0].address.ip().is_unspecified());
/// # Ok::<(), green::dns::Error>(())
/// ```
pub fn getaddrinfo<'a>(
    host: impl Into<Option<&'a str>>,
    service: impl Into<Option<&'a str>>,
    hints: Hints,
) -> Result<Vec<AddrInfo>, Error> {
    let host = host.into();
    chosen(host.unwrap_or_default())?.getaddrinfo(host, service, hints)
}

/// The first IPv4 address of a host.
///
/// # Errors
/// `NotFound`, `NoData` if it has only IPv6 addresses, `TryAgain`, and the others as [`ErrorKind`] has them.
///
/// ```
/// assert!(green::dns::gethostbyname("localhost")?.is_loopback());
/// # Ok::<(), green::dns::Error>(())
/// ```
pub fn gethostbyname(host: &str) -> Result<Ipv4Addr, Error> {
    chosen(host)?.gethostbyname(host)
}

/// The canonical name, the other names and the IPv4 addresses of a host. The system's resolver knows no other names.
///
/// # Errors
/// As [`gethostbyname`].
///
/// ```
/// let localhost = green::dns::gethostbyname_ex("localhost")?;
/// assert!(localhost.addresses.iter().all(|address| address.is_loopback()));
/// # Ok::<(), green::dns::Error>(())
/// ```
pub fn gethostbyname_ex(host: &str) -> Result<HostEntry, Error> {
    chosen(host)?.gethostbyname_ex(host)
}

/// The names of a host and of a service, by their address. One without a name is written in digits.
///
/// # Errors
/// `NotFound` if the host has no name and [`NameFlags::name_required`] is set; `TryAgain` and the others as
/// [`ErrorKind`] has them.
///
/// ```
/// use green::dns::{NameFlags, getnameinfo};
///
/// let flags = NameFlags::new().numeric_host(true).numeric_service(true);
/// let (host, service) = getnameinfo(&([127, 0, 0, 1], 80).into(), flags)?;
/// assert_eq!((&*host, &*service), ("127.0.0.1", "80"));
/// # Ok::<(), green::dns::Error>(())
/// ```
pub fn getnameinfo(address: &SocketAddr, flags: NameFlags) -> Result<(String, String), Error> {
    chosen(&address.to_string())?.getnameinfo(address, flags)
}

fn chosen(asked: &str) -> Result<Resolver, Error> {
    get_resolver().map_err(|error| Error::new(ErrorKind::Invalid, asked, error))
}
