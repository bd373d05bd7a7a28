//! `getaddrinfo`.

use std::net::{IpAddr, SocketAddr};

use super::found::is_of;
use crate::{
    AddrInfo, Error, ErrorKind, Family, Hints, Host, Resolve, SockType, Transport, parse_literal,
};

/// The types of sockets, the number of the protocol of each, and under which transport its services are listed.
const TYPES: [(SockType, i32, Option<Transport>); 3] = [
    (SockType::Stream, 6, Some(Transport::Tcp)),
    (SockType::Datagram, 17, Some(Transport::Udp)),
    (SockType::Raw, 0, None),
];

/// What a socket for the service must be.
struct Socket {
    socktype: SockType,
    protocol: i32,
    port: u16,
}

pub(crate) fn getaddrinfo<R: Resolve + ?Sized>(
    resolver: &R,
    host: Option<&str>,
    service: Option<&str>,
    hints: Hints,
) -> Result<Vec<AddrInfo>, Error> {
    let asked = host.or(service).unwrap_or_default();
    let refuse = |kind, why| Err(Error::new(kind, asked, why));
    if host.is_none() && service.is_none() {
        return refuse(ErrorKind::NotFound, "neither a host nor a service is given");
    }
    if host.is_none() && hints.canonical_name {
        return refuse(
            ErrorKind::Invalid,
            "the canonical name is wanted of no host",
        );
    }
    let sockets = sockets(resolver, service, hints)?;
    let found = match host {
        None => Host::here(hints.passive, hints.family),
        Some(host) => find(resolver, host, hints)?,
    };
    let mut infos = Vec::new();
    for mut address in found.addresses {
        for socket in &sockets {
            address.set_port(socket.port);
            infos.push(AddrInfo::new(address, socket.socktype, socket.protocol));
        }
    }
    if let Some(first) = infos.first_mut().filter(|_| hints.canonical_name) {
        first.canonical_name = Some(found.name);
    }
    Ok(infos)
}

fn sockets<R: Resolve + ?Sized>(
    resolver: &R,
    service: Option<&str>,
    hints: Hints,
) -> Result<Vec<Socket>, Error> {
    let service = service.unwrap_or("0");
    let numeric = !service.is_empty() && service.bytes().all(|byte| byte.is_ascii_digit());
    let refuse = |kind, why| Err(Error::new(kind, service, why));
    if !numeric && hints.numeric_service {
        return refuse(ErrorKind::NotFound, "it is no port, and must be one");
    }
    let port = match service.parse::<u16>() {
        Ok(port) if numeric => Some(port),
        Err(_) if numeric => {
            return refuse(ErrorKind::NoService, "a port is at most 65535");
        }
        _ => None,
    };
    let types = TYPES
        .into_iter()
        .filter(|(socktype, ..)| hints.socktype.is_none_or(|wanted| wanted == *socktype));
    let listed = |transport| resolver.services().port(service, transport);
    let sockets: Vec<_> = types
        .filter_map(|(socktype, protocol, transport)| {
            Some(Socket {
                socktype,
                protocol,
                port: port.or_else(|| listed(transport?))?,
            })
        })
        .collect();
    if sockets.is_empty() {
        return refuse(ErrorKind::NoService, "there is no such service");
    }
    Ok(sockets)
}

fn find<R: Resolve + ?Sized>(resolver: &R, host: &str, hints: Hints) -> Result<Host, Error> {
    let mapped = hints.v4mapped && hints.family == Some(Family::V6);
    if let Some(address) = parse_literal(host, |name| resolver.interface(name)) {
        let address = match address.ip() {
            IpAddr::V4(four) if mapped => SocketAddr::from((four.to_ipv6_mapped(), 0)),
            _ => address,
        };
        if !is_of(address.ip(), hints.family) {
            let why = "it is an address of another family";
            return Err(Error::new(ErrorKind::NoData, host, why));
        }
        return Ok(Host::literal(host, address));
    }
    if hints.numeric_host {
        let why = "it is no address, and must be one";
        return Err(Error::new(ErrorKind::NotFound, host, why));
    }
    if mapped {
        return find_mapped(resolver, host, hints);
    }
    let reaches = |family| reaches(resolver, family);
    match hints.family {
        None if hints.addrconfig => match (reaches(Family::V6), reaches(Family::V4)) {
            (true, false) => resolver.find(host, Some(Family::V6)),
            (false, true) => resolver.find(host, Some(Family::V4)),
            // A machine without a network still has names of its own.
            (true, true) | (false, false) => resolver.find(host, None),
        },
        family => resolver.find(host, family),
    }
}

/// IPv6 addresses, and those of IPv4 as such.
fn find_mapped<R: Resolve + ?Sized>(resolver: &R, host: &str, hints: Hints) -> Result<Host, Error> {
    let six = resolver.find(host, Some(Family::V6));
    let four = match &six {
        Ok(_) if !hints.all => return six,
        Ok(_) => resolver.find(host, Some(Family::V4)),
        // Asked for separately, so that what is not known of one does not hide the other.
        Err(error) if matches!(error.kind(), ErrorKind::NoData | ErrorKind::NotFound) => {
            resolver.find(host, Some(Family::V4))
        }
        Err(_) => return six,
    };
    match (six, four) {
        (Ok(mut six), Ok(four)) => {
            six.addresses.extend(map(&four.addresses));
            Ok(six)
        }
        (Ok(six), Err(_)) => Ok(six),
        (Err(_), Ok(mut four)) => {
            four.addresses = map(&four.addresses).collect();
            Ok(four)
        }
        (Err(_), Err(four)) => Err(four),
    }
}

fn map(addresses: &[SocketAddr]) -> impl Iterator<Item = SocketAddr> {
    addresses.iter().filter_map(|address| match address.ip() {
        IpAddr::V4(address) => Some((address.to_ipv6_mapped(), 0).into()),
        IpAddr::V6(_) => None,
    })
}

/// True if there is a way to other machines in this family. The addresses are those of examples: nothing is sent.
fn reaches<R: Resolve + ?Sized>(resolver: &R, family: Family) -> bool {
    let other = match family {
        Family::V4 => IpAddr::from([192, 0, 2, 1]),
        Family::V6 => IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]),
    };
    let source = resolver.source((other, 0).into());
    source.is_some_and(|source| !source.is_loopback())
}
