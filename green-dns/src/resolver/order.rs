//! Which address to try first: the destination address selection of RFC 6724.
//!
//! Of its rules: 1 (what can be reached), 2 (the same scope as the source), 5 and 6 (label and precedence, by the
//! RFC's own table), 8 (the smaller scope), 10 (else as the server gave them). Those about home addresses, deprecated
//! addresses and tunnels (3, 4, 7) ask for what a program cannot see; the longest common prefix (9) would undo the
//! order by which servers spread the load.

use std::cmp::Reverse;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Sorts addresses, the best first. `source` says from which address of this machine something for an address would be
/// sent, if there is a way there.
///
/// ```
/// use std::net::{IpAddr, Ipv4Addr, SocketAddr};
///
/// let mut addresses = ["[2001:db8::1]:80", "192.0.2.1:80"].map(|text| text.parse().unwrap());
/// // A machine without IPv6.
/// green_dns::sort_addresses(&mut addresses, |to: SocketAddr| {
///     to.is_ipv4().then_some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9)))
/// });
/// assert!(addresses[0].is_ipv4());
/// ```
pub fn sort_addresses(addresses: &mut [SocketAddr], source: impl Fn(SocketAddr) -> Option<IpAddr>) {
    if addresses.len() < 2 {
        return;
    }
    addresses.sort_by_cached_key(|&address| {
        let (from, to) = (source(address).map(six), six(address.ip()));
        (
            from.is_none(),
            from.is_some_and(|from| scope(from) != scope(to)),
            from.is_some_and(|from| policy(from).1 != policy(to).1),
            Reverse(policy(to).0),
            scope(to),
        )
    });
}

/// An IPv4 address counts as `::ffff:a.b.c.d`.
fn six(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

const LINK_LOCAL: u8 = 0x2;
const SITE_LOCAL: u8 = 0x5;
const GLOBAL: u8 = 0xe;

fn scope(address: Ipv6Addr) -> u8 {
    if let Some(address) = address.to_ipv4_mapped() {
        return if address.is_loopback() || address.is_link_local() {
            LINK_LOCAL
        } else {
            GLOBAL
        };
    }
    let first = address.segments()[0];
    match first {
        _ if address.is_loopback() => LINK_LOCAL,
        0xff00.. => (first & 0xf) as u8,
        0xfe80..=0xfebf => LINK_LOCAL,
        0xfec0..=0xfeff => SITE_LOCAL,
        _ => GLOBAL,
    }
}

/// Precedence and label.
fn policy(address: Ipv6Addr) -> (u8, u8) {
    let table: [(Ipv6Addr, u32, u8, u8); 9] = [
        (Ipv6Addr::LOCALHOST, 128, 50, 0),
        (Ipv4Addr::UNSPECIFIED.to_ipv6_mapped(), 96, 35, 4),
        (Ipv6Addr::UNSPECIFIED, 96, 1, 3),
        (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, 5, 5),
        (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, 30, 2),
        (Ipv6Addr::new(0x3ffe, 0, 0, 0, 0, 0, 0, 0), 16, 1, 12),
        (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, 1, 11),
        (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, 3, 13),
        (Ipv6Addr::UNSPECIFIED, 0, 40, 1),
    ];
    // The longest prefix is the first that fits.
    let fits = |prefix: Ipv6Addr, len: u32| {
        let mask = u128::MAX.checked_shl(128 - len).unwrap_or(0);
        prefix.to_bits() & mask == address.to_bits() & mask
    };
    let found = table
        .into_iter()
        .find(|(prefix, len, ..)| fits(*prefix, *len));
    found.map_or((40, 1), |(_, _, precedence, label)| (precedence, label))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sorts as on a machine that has these addresses, and takes as source the one that fits best.
    fn sorted(own: &[&str], to: &[&str]) -> Vec<String> {
        let own: Vec<IpAddr> = own.iter().map(|own| own.parse().unwrap()).collect();
        let to = to.iter().map(|to| SocketAddr::new(to.parse().unwrap(), 0));
        let mut to: Vec<_> = to.collect();
        sort_addresses(&mut to, |to| {
            let family = own.iter().filter(|own| own.is_ipv4() == to.is_ipv4());
            let to = six(to.ip());
            let differs = |own: Ipv6Addr| (scope(own) != scope(to), policy(own).1 != policy(to).1);
            family.copied().min_by_key(|own| differs(six(*own)))
        });
        to.iter().map(|to| to.ip().to_string()).collect()
    }

    #[test]
    fn the_examples_of_the_rfc() {
        let (six, four) = ("2001:db8:1::1", "198.51.100.121");
        assert_eq!(
            sorted(&["2001:db8:1::2", "fe80::1", "169.254.13.78"], &[four, six]),
            [six, four]
        );
        assert_eq!(
            sorted(&["fe80::1", "198.51.100.117"], &[six, four]),
            [four, six]
        );
        let (six, four) = ("2001:db8:1::1", "10.1.2.3");
        assert_eq!(
            sorted(&["2001:db8:1::2", "fe80::1", "10.1.2.4"], &[four, six]),
            [six, four]
        );
        assert_eq!(
            sorted(&["2001:db8:1::2", "fe80::2"], &["2001:db8:1::1", "fe80::1"]),
            ["fe80::1", "2001:db8:1::1"]
        );
        assert_eq!(
            sorted(
                &["2002:c633:6401::2", "2001:db8:1::2", "fe80::2"],
                &["2002:c633:6401::1", "2001:db8:1::1"]
            ),
            ["2001:db8:1::1", "2002:c633:6401::1"]
        );
    }

    #[test]
    fn what_cannot_be_reached_comes_last_and_ties_stay() {
        assert_eq!(
            sorted(&["192.0.2.1"], &["2001:db8::1", "192.0.2.9", "192.0.2.2"]),
            ["192.0.2.9", "192.0.2.2", "2001:db8::1"]
        );
        assert_eq!(
            sorted(&[], &["192.0.2.9", "2001:db8::1"]),
            ["2001:db8::1", "192.0.2.9"]
        );
    }
}
