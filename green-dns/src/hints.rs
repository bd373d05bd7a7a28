//! The options of a lookup and its results.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// A family of internet addresses.
///
/// ```
/// use green_dns::{Family, Hints};
///
/// assert_eq!(Hints::new().family(Family::V4).family, Some(Family::of([127, 0, 0, 1].into())));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4 (`AF_INET`).
    V4,
    /// IPv6 (`AF_INET6`).
    V6,
}

impl Family {
    /// The family of an address.
    ///
    /// ```
    /// use green_dns::Family;
    ///
    /// assert_eq!(Family::of("::1".parse()?), Family::V6);
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    pub fn of(address: IpAddr) -> Family {
        match address {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }
}

/// A type of sockets.
///
/// ```
/// use green_dns::{Hints, SockType};
///
/// let hints = Hints::new().socktype(SockType::Datagram);
/// assert_eq!(hints.socktype, Some(SockType::Datagram));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SockType {
    /// TCP (`SOCK_STREAM`).
    Stream,
    /// UDP (`SOCK_DGRAM`).
    Datagram,
    /// Raw (`SOCK_RAW`).
    Raw,
}

/// What `getaddrinfo` is to look for: the hints of the C function, each under its name there
/// without the prefix. At first everything is wanted, and no flag is set.
///
/// The fields say what is set; the methods of the same names set it and say what it means.
///
/// ```
/// use green_dns::{Family, Hints};
///
/// let hints = Hints::new().family(Family::V6).v4mapped(true);
/// assert!(hints.v4mapped && !hints.all);
/// assert!(hints.all(true).all);
/// let hints = Hints::new().passive(true).addrconfig(true).canonical_name(true);
/// assert!(hints.passive && hints.addrconfig && hints.canonical_name);
/// let hints = Hints::new().numeric_host(true).numeric_service(true);
/// assert!(hints.numeric_host && hints.numeric_service);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct Hints {
    /// Set by [`Hints::family`].
    pub family: Option<Family>,
    /// Set by [`Hints::socktype`].
    pub socktype: Option<SockType>,
    /// Set by [`Hints::passive`].
    pub passive: bool,
    /// Set by [`Hints::canonical_name`].
    pub canonical_name: bool,
    /// Set by [`Hints::numeric_host`].
    pub numeric_host: bool,
    /// Set by [`Hints::numeric_service`].
    pub numeric_service: bool,
    /// Set by [`Hints::v4mapped`].
    pub v4mapped: bool,
    /// Set by [`Hints::all`].
    pub all: bool,
    /// Set by [`Hints::addrconfig`].
    pub addrconfig: bool,
}

impl Hints {
    /// No hints.
    pub fn new() -> Hints {
        Hints::default()
    }

    /// Addresses of this family only.
    pub fn family(mut self, family: impl Into<Option<Family>>) -> Hints {
        self.family = family.into();
        self
    }

    /// Sockets of this type only. Without it each address comes once for each type.
    pub fn socktype(mut self, socktype: impl Into<Option<SockType>>) -> Hints {
        self.socktype = socktype.into();
        self
    }

    /// No host means every address of this machine, to listen at, and not the loopback (`AI_PASSIVE`).
    pub fn passive(mut self, yes: bool) -> Hints {
        self.passive = yes;
        self
    }

    /// The first result has the host's canonical name (`AI_CANONNAME`).
    pub fn canonical_name(mut self, yes: bool) -> Hints {
        self.canonical_name = yes;
        self
    }

    /// The host is an address, and never looked up (`AI_NUMERICHOST`).
    pub fn numeric_host(mut self, yes: bool) -> Hints {
        self.numeric_host = yes;
        self
    }

    /// The service is a port, and never looked up (`AI_NUMERICSERV`).
    pub fn numeric_service(mut self, yes: bool) -> Hints {
        self.numeric_service = yes;
        self
    }

    /// IPv6 is wanted; if there is no such address, IPv4 ones written as `::ffff:1.2.3.4` (`AI_V4MAPPED`). It has no
    /// effect if another family is wanted, or both.
    pub fn v4mapped(mut self, yes: bool) -> Hints {
        self.v4mapped = yes;
        self
    }

    /// With [`v4mapped`](Hints::v4mapped): the mapped addresses beside the others (`AI_ALL`).
    pub fn all(mut self, yes: bool) -> Hints {
        self.all = yes;
        self
    }

    /// Only families in which this machine reaches others (`AI_ADDRCONFIG`).
    pub fn addrconfig(mut self, yes: bool) -> Hints {
        self.addrconfig = yes;
        self
    }
}

/// One result of `getaddrinfo`.
///
/// ```
/// use green_dns::{AddrInfo, SockType};
///
/// let info = AddrInfo::new(([127, 0, 0, 1], 80).into(), SockType::Stream, 6);
/// assert_eq!(info.canonical_name, None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct AddrInfo {
    /// The address, with the port of the service, or 0.
    pub address: SocketAddr,
    /// The type of socket for it.
    pub socktype: SockType,
    /// The number of the protocol for it, such as 6 for TCP; 0 is the type's default.
    pub protocol: i32,
    /// In the first result, if it was asked for.
    pub canonical_name: Option<String>,
}

impl AddrInfo {
    /// A result without a canonical name.
    pub fn new(address: SocketAddr, socktype: SockType, protocol: i32) -> AddrInfo {
        AddrInfo {
            address,
            socktype,
            protocol,
            canonical_name: None,
        }
    }
}

/// What `gethostbyname_ex` knows of a host.
///
/// ```
/// let entry = green_dns::HostEntry::new("printer.example", vec![], vec![[192, 0, 2, 1].into()]);
/// assert_eq!(entry.addresses.len(), 1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct HostEntry {
    /// The canonical name.
    pub name: String,
    /// Other names that were found on the way, as far as the resolver tells.
    pub aliases: Vec<String>,
    /// The addresses.
    pub addresses: Vec<Ipv4Addr>,
}

impl HostEntry {
    /// An entry with this canonical name, these other names and these addresses.
    pub fn new(
        name: impl Into<String>,
        aliases: Vec<String>,
        addresses: Vec<Ipv4Addr>,
    ) -> HostEntry {
        HostEntry {
            name: name.into(),
            aliases,
            addresses,
        }
    }
}

/// What `getnameinfo` is to do: the flags of the C function.
///
/// ```
/// let flags = green_dns::NameFlags::new().numeric_host(true).numeric_service(true);
/// assert!(flags.numeric_host && flags.numeric_service);
/// let flags = green_dns::NameFlags::new().name_required(true).datagram(true);
/// assert!(flags.name_required && flags.datagram);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct NameFlags {
    /// Set by [`NameFlags::numeric_host`].
    pub numeric_host: bool,
    /// Set by [`NameFlags::numeric_service`].
    pub numeric_service: bool,
    /// Set by [`NameFlags::name_required`].
    pub name_required: bool,
    /// Set by [`NameFlags::datagram`].
    pub datagram: bool,
}

impl NameFlags {
    /// No flags.
    pub fn new() -> NameFlags {
        NameFlags::default()
    }

    /// The host as an address, which is never looked up (`NI_NUMERICHOST`).
    pub fn numeric_host(mut self, yes: bool) -> NameFlags {
        self.numeric_host = yes;
        self
    }

    /// The service as a number (`NI_NUMERICSERV`).
    pub fn numeric_service(mut self, yes: bool) -> NameFlags {
        self.numeric_service = yes;
        self
    }

    /// A host without a name is an error, and not written as an address (`NI_NAMEREQD`).
    pub fn name_required(mut self, yes: bool) -> NameFlags {
        self.name_required = yes;
        self
    }

    /// The service is one of UDP (`NI_DGRAM`).
    pub fn datagram(mut self, yes: bool) -> NameFlags {
        self.datagram = yes;
        self
    }
}
