//! Addresses written in digits.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// The address, with the number of its scope and port 0, that `host` writes in any way that C's functions know: also as
/// `127.1`, or with a scope as `fe80::1%eth0`. Nothing is looked up, but for the scope: `interface` gives the number of
/// the network interface of this name.
///
/// ```
/// use green_dns::parse_literal;
///
/// let interface = |name: &str| (name == "eth0").then_some(2);
/// assert_eq!(parse_literal("127.1", interface), Some(([127, 0, 0, 1], 0).into()));
/// assert_eq!(parse_literal("fe80::1%eth0", interface), "[fe80::1%2]:0".parse().ok());
/// assert_eq!(parse_literal("localhost", interface), None);
/// ```
pub fn parse_literal(
    host: &str,
    interface: impl FnOnce(&str) -> Option<u32>,
) -> Option<SocketAddr> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some(SocketAddr::new(address, 0));
    }
    match host.split_once('%') {
        Some((address, scope)) => scoped(address.parse().ok()?, scope, interface),
        None => Some(SocketAddr::new(in_parts(host)?.into(), 0)),
    }
}

/// Interfaces have names where their links have addresses; elsewhere a scope is a number.
fn scoped(
    address: Ipv6Addr,
    scope: &str,
    interface: impl FnOnce(&str) -> Option<u32>,
) -> Option<SocketAddr> {
    let is_number = !scope.is_empty() && scope.bytes().all(|byte| byte.is_ascii_digit());
    let [first, ..] = address.segments();
    let is_of_link = address.is_unicast_link_local() || first & 0xff0f == 0xff02;
    let scope = match scope {
        number if is_number => number.parse().ok()?,
        name if is_of_link && !name.is_empty() => interface(name)?,
        _ => return None,
    };
    Some(SocketAddrV6::new(address, 0, 0, scope).into())
}

/// One to four numbers, of which the last fills what the others leave: what C's `inet_aton` reads.
fn in_parts(host: &str) -> Option<Ipv4Addr> {
    let mut parts = host.split('.').map(number).collect::<Option<Vec<u32>>>()?;
    let last = parts.pop().filter(|_| parts.len() < 4)?;
    let room = 8 * (4 - parts.len() as u32);
    if last.checked_shr(room).is_some_and(|rest| rest > 0) {
        return None;
    }
    let firsts = parts
        .iter()
        .enumerate()
        .try_fold(0, |bits, (place, part)| {
            let byte = u8::try_from(*part).ok()?;
            Some(bits | u32::from(byte) << (24 - 8 * place))
        })?;
    Some(Ipv4Addr::from_bits(firsts | last))
}

/// In C's notation: decimal, octal behind a 0, hexadecimal behind 0x.
fn number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        [b'0', _, ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    // A sign is none of the digits.
    let is_number = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    u32::from_str_radix(digits, radix)
        .ok()
        .filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(host: &str) -> Option<String> {
        let parsed = parse_literal(host, |name| (name == "lo").then_some(7))?;
        assert_eq!(parsed.port(), 0);
        Some(match parsed {
            SocketAddr::V6(six) if six.scope_id() != 0 => {
                format!("{}%{}", six.ip(), six.scope_id())
            }
            _ => parsed.ip().to_string(),
        })
    }

    #[test]
    fn the_ways_to_write_an_address() {
        for (host, address) in [
            ("127.0.0.1", "127.0.0.1"),
            ("127.1", "127.0.0.1"),
            ("0x7f000001", "127.0.0.1"),
            ("0X7F.1", "127.0.0.1"),
            ("0177.0.1", "127.0.0.1"),
            ("2130706433", "127.0.0.1"),
            ("4294967295", "255.255.255.255"),
            ("1.16777215", "1.255.255.255"),
            ("1.2.65535", "1.2.255.255"),
            ("0", "0.0.0.0"),
            ("2001:DB8::1", "2001:db8::1"),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.1"),
            ("fe80::1%3", "fe80::1%3"),
            ("fe80::1%lo", "fe80::1%7"),
            ("ff02::1%lo", "ff02::1%7"),
            ("2001:db8::1%3", "2001:db8::1%3"),
        ] {
            assert_eq!(parse(host).as_deref(), Some(address), "{host:?}");
        }
    }

    #[test]
    fn what_is_no_address() {
        for name in [
            "",
            ".",
            "localhost",
            "1and1.example",
            "1.2.3.4.5",
            "1.2.3.",
            ".1",
            "1..2",
            "256.1",
            "1.16777216",
            "1.2.65536",
            "1.2.3.256",
            "4294967296",
            "08",
            "0x",
            "0xg",
            "+1",
            "-1",
            "0+1",
            "127.0.0.1 ",
            "a%b",
            "127.0.0.1%lo",
            "fe80::1%",
            "fe80::1%none",
            "fe80::1%+3",
            "fe80::1%4294967296",
            "2001:db8::1%lo",
        ] {
            assert_eq!(parse(name), None, "{name:?}");
        }
    }
}
