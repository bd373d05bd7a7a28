//! What a lookup is asked and what it gives.

use std::net::{Ipv4Addr, SocketAddr};

/// A family of internet addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4 (`AF_INET`).
    V4,
    /// IPv6 (`AF_INET6`).
    V6,
}

/// A type of sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SockType {
    /// TCP (`SOCK_STREAM`).
    Stream,
    /// UDP (`SOCK_DGRAM`).
    Datagram,
    /// Raw (`SOCK_RAW`).
    Raw,
}

/// What [`getaddrinfo`](super::getaddrinfo) is to look for: the hints of the C function, each under its name there
/// without the prefix. At first everything is wanted, and no flag is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Hints {
    pub(super) family: Option<Family>,
    pub(super) socktype: Option<SockType>,
    pub(super) passive: bool,
    pub(super) canonical_name: bool,
    pub(super) numeric_host: bool,
    pub(super) numeric_service: bool,
    pub(super) v4mapped: bool,
    pub(super) all: bool,
    pub(super) addrconfig: bool,
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

/// One result of [`getaddrinfo`](super::getaddrinfo).
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

/// What [`gethostbyname_ex`](super::gethostbyname_ex) knows of a host.
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

/// What [`getnameinfo`](super::getnameinfo) is to do: the flags of the C function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct NameFlags {
    pub(super) numeric_host: bool,
    pub(super) numeric_service: bool,
    pub(super) name_required: bool,
    pub(super) datagram: bool,
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
