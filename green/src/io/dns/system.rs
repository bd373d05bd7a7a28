//! The system's resolver, in a thread of the pool.

use std::io;
use std::net::{IpAddr, SocketAddr};

use dns_lookup::{AddrFamily, AddrInfoHints, LookupError, LookupErrorKind};

use super::{AddrInfo, Error, ErrorKind, Family, Hints, HostEntry, NameFlags, SockType};
use crate::tpool::{self, Lane};

pub(super) fn lookup(host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
    let hints = Hints::new().socktype(SockType::Stream);
    let mut found = addresses(host, hints)?;
    for address in &mut found {
        address.set_port(port);
    }
    Ok(found)
}

fn addresses(host: &str, hints: Hints) -> Result<Vec<SocketAddr>, Error> {
    let found = getaddrinfo(Some(host), None, hints)?;
    Ok(found.into_iter().map(|info| info.address).collect())
}

pub(super) fn getaddrinfo(
    host: Option<&str>,
    service: Option<&str>,
    hints: Hints,
) -> Result<Vec<AddrInfo>, Error> {
    let asked = host.or(service).unwrap_or_default();
    if host.is_none() && service.is_none() {
        return Err(Error::new(
            ErrorKind::NotFound,
            asked,
            "neither a host nor a service is given",
        ));
    }
    let hints = translate_hints(hints, asked)?;
    let (host, service) = (host.map(str::to_owned), service.map(str::to_owned));
    run(asked, move || {
        let answers = dns_lookup::getaddrinfo(host.as_deref(), service.as_deref(), Some(hints))?;
        // Entries of families that are no internet addresses are passed over.
        Ok(answers
            .filter_map(|answer| info(answer.ok()?))
            .collect::<Vec<_>>())
    })
}

pub(super) fn gethostbyname_ex(host: &str) -> Result<HostEntry, Error> {
    let hints = Hints::new()
        .family(Family::V4)
        .socktype(SockType::Stream)
        .canonical_name(true);
    let found = getaddrinfo(Some(host), None, hints)?;
    let canonical = found.first().and_then(|info| info.canonical_name.clone());
    let addresses = found.iter().filter_map(|info| match info.address.ip() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    });
    let name = canonical.unwrap_or_else(|| host.to_owned());
    Ok(HostEntry::new(name, Vec::new(), addresses.collect()))
}

pub(super) fn getnameinfo(
    address: &SocketAddr,
    flags: NameFlags,
) -> Result<(String, String), Error> {
    let address = *address;
    let mut bits = 0;
    for (set, bit) in [
        (flags.numeric_host, libc::NI_NUMERICHOST),
        (flags.numeric_service, libc::NI_NUMERICSERV),
        (flags.name_required, libc::NI_NAMEREQD),
        (flags.datagram, libc::NI_DGRAM),
    ] {
        if set {
            bits |= bit;
        }
    }
    run(&address.to_string(), move || {
        dns_lookup::getnameinfo(&address, bits)
    })
}

/// Asks on the pool; others run meanwhile.
fn run<T: Send + 'static>(
    asked: &str,
    ask: impl FnOnce() -> Result<T, LookupError> + Send + 'static,
) -> Result<T, Error> {
    match tpool::execute_in(Lane::Names, ask) {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(translate(asked, error)),
        Err(job) => Err(Error::new(ErrorKind::System, asked, job)),
    }
}

fn translate_hints(hints: Hints, asked: &str) -> Result<AddrInfoHints, Error> {
    let mut flags = 0;
    for (set, name, bit) in [
        (hints.passive, "passive", Some(libc::AI_PASSIVE)),
        (
            hints.canonical_name,
            "canonical_name",
            Some(libc::AI_CANONNAME),
        ),
        (
            hints.numeric_host,
            "numeric_host",
            Some(libc::AI_NUMERICHOST),
        ),
        (
            hints.numeric_service,
            "numeric_service",
            Some(libc::AI_NUMERICSERV),
        ),
        (hints.v4mapped, "v4mapped", V4MAPPED),
        (hints.all, "all", ALL),
        (hints.addrconfig, "addrconfig", ADDRCONFIG),
    ] {
        if set {
            flags |= bit.ok_or_else(|| {
                Error::new(
                    ErrorKind::Invalid,
                    asked,
                    format!("the resolver of this system does not know the hint {name}"),
                )
            })?;
        }
    }
    Ok(AddrInfoHints {
        flags,
        address: hints.family.map_or(0, |family| match family {
            Family::V4 => AddrFamily::Inet.into(),
            Family::V6 => AddrFamily::Inet6.into(),
        }),
        socktype: hints.socktype.map_or(0, |socktype| match socktype {
            SockType::Stream => dns_lookup::SockType::Stream.into(),
            SockType::Datagram => dns_lookup::SockType::DGram.into(),
            SockType::Raw => libc::SOCK_RAW,
        }),
        protocol: 0,
    })
}

/// Flags that not every system has.
#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd"
))]
mod flags {
    pub(super) const V4MAPPED: Option<i32> = Some(libc::AI_V4MAPPED);
    pub(super) const ALL: Option<i32> = Some(libc::AI_ALL);
    pub(super) const ADDRCONFIG: Option<i32> = Some(libc::AI_ADDRCONFIG);
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    target_os = "freebsd"
)))]
mod flags {
    pub(super) const V4MAPPED: Option<i32> = None;
    pub(super) const ALL: Option<i32> = None;
    pub(super) const ADDRCONFIG: Option<i32> = None;
}

use flags::{ADDRCONFIG, ALL, V4MAPPED};

/// `None` for types of sockets that this crate does not know.
fn info(found: dns_lookup::AddrInfo) -> Option<AddrInfo> {
    let types = [
        (libc::SOCK_STREAM, SockType::Stream),
        (libc::SOCK_DGRAM, SockType::Datagram),
        (libc::SOCK_RAW, SockType::Raw),
    ];
    let (_, socktype) = types
        .into_iter()
        .find(|(number, _)| *number == found.socktype)?;
    let mut info = AddrInfo::new(found.sockaddr, socktype, found.protocol);
    info.canonical_name = found.canonname;
    Some(info)
}

fn translate(asked: &str, error: LookupError) -> Error {
    let kind = match error.kind() {
        _ if is_other_family(error.error_num()) => ErrorKind::NoData,
        LookupErrorKind::NoName => ErrorKind::NotFound,
        LookupErrorKind::Service => ErrorKind::NoService,
        LookupErrorKind::NoData => ErrorKind::NoData,
        LookupErrorKind::Again => ErrorKind::TryAgain,
        LookupErrorKind::Fail => ErrorKind::Failed,
        LookupErrorKind::Badflags => ErrorKind::Invalid,
        LookupErrorKind::Family => ErrorKind::Family,
        LookupErrorKind::Socktype => ErrorKind::SockType,
        _ => ErrorKind::System,
    };
    Error::new(kind, asked, io::Error::from(error))
}

/// glibc's `EAI_ADDRFAMILY`: addresses, but none of the wanted family.
fn is_other_family(code: i32) -> bool {
    cfg!(all(target_os = "linux", target_env = "gnu")) && code == -9
}
