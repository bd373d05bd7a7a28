//! A resolver as a value: [`Resolver`].

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{AddrInfo, Error, Hints, HostEntry, NameFlags, system};

/// A resolver of names: the system's, or with the cargo feature `dns` the one of this crate (`Resolver::green`).
///
/// It is a handle: clones share one cache. Like everything that is not in [`sync`](crate::sync) it belongs to its OS
/// thread. The functions of [this module](super) use the one that the thread has
/// [chosen](super::use_resolver_with); a program may have others beside it.
///
/// ```
/// let system = green::dns::Resolver::system();
/// assert!(system.lookup("localhost", 80)?.iter().all(|address| address.ip().is_loopback()));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Every question that it answers:
///
/// ```
/// use green::dns::{Hints, NameFlags, Resolver};
///
/// let system = Resolver::system();
/// assert_eq!(system.name(), "system");
/// let found = system.getaddrinfo("127.0.0.1", None, Hints::default())?;
/// assert!(found.iter().all(|info| info.address.ip().is_loopback()));
/// assert!(system.gethostbyname("localhost")?.is_loopback());
/// assert!(system.gethostbyname_ex("localhost")?.addresses.iter().all(|ip| ip.is_loopback()));
///
/// let address = "127.0.0.1:80".parse().unwrap();
/// let (_host, service) = system.getnameinfo(&address, NameFlags::new().numeric_host(true).numeric_service(true))?;
/// assert_eq!(service, "80");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Resolver {
    which: Which,
}

#[derive(Clone)]
enum Which {
    System,
    #[cfg(feature = "dns")]
    Green(std::rc::Rc<super::green::Green>),
}

impl Resolver {
    /// The system's resolver, in a thread of the [pool](crate::tpool): whatever the system is set up for, such as
    /// mDNS or LDAP, works. A lookup takes as long as the system lets it, and occupies a thread meanwhile; who waits
    /// for it can be killed or time out at any time.
    pub fn system() -> Resolver {
        Resolver {
            which: Which::System,
        }
    }

    #[cfg(feature = "dns")]
    pub(super) fn from_green(green: super::green::Green) -> Resolver {
        Resolver {
            which: Which::Green(std::rc::Rc::new(green)),
        }
    }

    /// `system` or `green`.
    pub fn name(&self) -> &'static str {
        match &self.which {
            Which::System => "system",
            #[cfg(feature = "dns")]
            Which::Green(_) => "green",
        }
    }

    /// See [`lookup`](super::lookup).
    ///
    /// # Errors
    /// As [`lookup`](super::lookup).
    pub fn lookup(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        Ok(match &self.which {
            Which::System => system::lookup(host, port)?,
            #[cfg(feature = "dns")]
            Which::Green(green) => green.lookup(host, port)?,
        })
    }

    /// See [`getaddrinfo`](super::getaddrinfo).
    ///
    /// # Errors
    /// As [`getaddrinfo`](super::getaddrinfo).
    pub fn getaddrinfo<'a>(
        &self,
        host: impl Into<Option<&'a str>>,
        service: impl Into<Option<&'a str>>,
        hints: Hints,
    ) -> Result<Vec<AddrInfo>, Error> {
        let (host, service) = (host.into(), service.into());
        match &self.which {
            Which::System => system::getaddrinfo(host, service, hints),
            #[cfg(feature = "dns")]
            Which::Green(green) => green.getaddrinfo(host, service, hints),
        }
    }

    /// See [`gethostbyname`](super::gethostbyname).
    ///
    /// # Errors
    /// As [`gethostbyname`](super::gethostbyname).
    pub fn gethostbyname(&self, host: &str) -> Result<Ipv4Addr, Error> {
        let entry = self.gethostbyname_ex(host)?;
        entry.addresses.first().copied().ok_or_else(|| {
            let why = "it has no IPv4 address";
            Error::new(super::ErrorKind::NoData, host, why)
        })
    }

    /// See [`gethostbyname_ex`](super::gethostbyname_ex).
    ///
    /// # Errors
    /// As [`gethostbyname`](super::gethostbyname).
    pub fn gethostbyname_ex(&self, host: &str) -> Result<HostEntry, Error> {
        match &self.which {
            Which::System => system::gethostbyname_ex(host),
            #[cfg(feature = "dns")]
            Which::Green(green) => green.gethostbyname_ex(host),
        }
    }

    /// See [`getnameinfo`](super::getnameinfo).
    ///
    /// # Errors
    /// As [`getnameinfo`](super::getnameinfo).
    pub fn getnameinfo(
        &self,
        address: &SocketAddr,
        flags: NameFlags,
    ) -> Result<(String, String), Error> {
        match &self.which {
            Which::System => system::getnameinfo(address, flags),
            #[cfg(feature = "dns")]
            Which::Green(green) => green.getnameinfo(address, flags),
        }
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}
