//! Addresses written in digits.

use std::net::{IpAddr, SocketAddr};

/// The address, with the number of its scope and port 0, that `host` writes in any way that the system knows: also as
/// `127.1`, or with a scope as `fe80::1%eth0`. Nothing is looked up.
pub(super) fn parse(host: &str) -> Option<SocketAddr> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some(SocketAddr::new(address, 0));
    }
    let looks_so = host.starts_with(|first: char| first.is_ascii_digit()) || host.contains('%');
    if !looks_so {
        return None;
    }
    let hints = dns_lookup::AddrInfoHints {
        flags: libc::AI_NUMERICHOST,
        socktype: dns_lookup::SockType::Stream.into(),
        ..dns_lookup::AddrInfoHints::default()
    };
    let found = dns_lookup::getaddrinfo(Some(host), None, Some(hints));
    Some(found.ok()?.next()?.ok()?.sockaddr)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ways_to_write_an_address() {
        let ip = |host: &str| parse(host).map(|address| address.ip().to_string());
        assert_eq!(ip("127.0.0.1").as_deref(), Some("127.0.0.1"));
        assert_eq!(ip("127.1").as_deref(), Some("127.0.0.1"));
        assert_eq!(ip("0x7f000001").as_deref(), Some("127.0.0.1"));
        assert_eq!(ip("2001:DB8::1").as_deref(), Some("2001:db8::1"));
        for name in [
            "",
            "localhost",
            "1and1.example",
            "1.2.3.4.5",
            "1.2.3.",
            "a%b",
        ] {
            assert_eq!(ip(name), None, "{name:?}");
        }
    }
}
