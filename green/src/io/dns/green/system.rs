//! What the system knows of this machine's network, without asking a server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Any port would do.
const DISCARD: u16 = 9;

/// Which address of this machine a datagram to `to` would come from. `None` if there is no way there. Nothing is sent.
pub(super) fn source(to: SocketAddr) -> Option<IpAddr> {
    let any = match to {
        SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    let mut to = to;
    // Not every system connects to port 0.
    to.set_port(DISCARD);
    socket.connect(to).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// The number of the network interface of this name.
pub(super) fn interface(name: &str) -> Option<u32> {
    // Its link has this address in any case.
    let address = format!("fe80::1%{name}");
    let hints = dns_lookup::AddrInfoHints {
        flags: libc::AI_NUMERICHOST,
        socktype: dns_lookup::SockType::Stream.into(),
        ..dns_lookup::AddrInfoHints::default()
    };
    let found = dns_lookup::getaddrinfo(Some(&address), None, Some(hints));
    match found.ok()?.next()?.ok()?.sockaddr {
        SocketAddr::V6(address) => Some(address.scope_id()),
        SocketAddr::V4(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source() {
        let loopback = source(([127, 0, 0, 1], 0).into());
        assert!(loopback.is_some_and(|source| source.is_loopback()));
    }

    #[test]
    fn interfaces() {
        #[cfg(target_os = "linux")]
        assert_eq!(interface("lo"), Some(1));
        assert_eq!(interface("no-such-one"), None);
    }
}
