//! The hosts file: addresses that are known without asking.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use crate::{Family, Host, Name, parse_literal};

/// What the hosts file says.
///
/// ```
/// use green_dns::{Family, Hosts, Name};
///
/// let hosts = Hosts::parse("192.0.2.1 printer.example printer # on the left\n", |_| None);
/// let found = hosts.find(&Name::parse("Printer")?, Some(Family::V4)).unwrap();
/// assert_eq!(found.name, "printer.example");
/// assert_eq!(hosts.name_of([192, 0, 2, 1].into()), Some("printer.example"));
/// # Ok::<(), green_dns::NameError>(())
/// ```
#[derive(Debug, Default)]
pub struct Hosts {
    lines: Vec<Line>,
    by_name: HashMap<String, Vec<usize>>,
    by_address: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Line {
    /// With the number of its scope and no port.
    address: SocketAddr,
    /// The canonical one first.
    names: Vec<String>,
}

impl Hosts {
    /// Reads the text of the file. Empty lines, and those that cannot be understood, are passed over. `interface`
    /// gives the number of a network interface, as for [`parse_literal`].
    pub fn parse(text: &str, interface: impl Fn(&str) -> Option<u32>) -> Hosts {
        let mut hosts = Hosts::default();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let literal = |word| parse_literal(word, &interface);
            let Some(address) = words.next().and_then(literal) else {
                continue;
            };
            let names: Vec<_> = words.map(str::to_owned).collect();
            if names.is_empty() {
                continue;
            }
            let index = hosts.lines.len();
            for name in &names {
                let lines = hosts.by_name.entry(key(name)).or_default();
                if lines.last() != Some(&index) {
                    lines.push(index);
                }
            }
            hosts.by_address.entry(address.ip()).or_insert(index);
            hosts.lines.push(Line { address, names });
        }
        hosts
    }

    /// The addresses of a host, if there is one of the wanted family.
    pub fn find(&self, name: &Name, family: Option<Family>) -> Option<Host> {
        let lines = self.by_name.get(name.text())?;
        let lines = lines.iter().filter_map(|index| self.lines.get(*index));
        let mut found: Option<Host> = None;
        let wanted =
            |line: &&Line| family.is_none_or(|family| Family::of(line.address.ip()) == family);
        for line in lines.filter(wanted) {
            let found = found.get_or_insert_with(|| Host {
                name: line.names[0].clone(),
                aliases: line.names[1..].to_vec(),
                addresses: Vec::new(),
            });
            if !found.addresses.contains(&line.address) {
                found.addresses.push(line.address);
            }
        }
        found
    }

    /// The canonical name of an address.
    pub fn name_of(&self, address: IpAddr) -> Option<&str> {
        let line = self.lines.get(*self.by_address.get(&address)?)?;
        line.names.first().map(String::as_str)
    }
}

/// As it is asked for, if it can be.
fn key(name: &str) -> String {
    match Name::parse(name) {
        Ok(name) => name.text().to_owned(),
        Err(_) => name.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(hosts: &Hosts, name: &str, family: Option<Family>) -> Vec<String> {
        let found = hosts.find(&Name::parse(name).unwrap(), family);
        let addresses = found.map(|found| found.addresses).unwrap_or_default();
        let texts = addresses.iter().map(|address| address.ip().to_string());
        texts.collect()
    }

    #[test]
    fn lines_names_and_comments() {
        let hosts = Hosts::parse(
            "# 1.1.1.1 commented\n\
             192.0.2.1\tOne.Example one # uno\r\n\
             192.0.2.2 two#deux\n\
             \n\
             nonsense three\n\
             192.0.2.4\n\
             2001:db8::1 one.example\n\
             192.0.2.5 one.example one.example\n\
             192.0.2.6 b\u{fc}cher.example\n\
             192.0.2.7 under_score dotted.",
            |_| None,
        );
        let both = ["192.0.2.1", "2001:db8::1", "192.0.2.5"];
        assert_eq!(find(&hosts, "one.example", None), both);
        assert_eq!(find(&hosts, "ONE.EXAMPLE.", None), both);
        assert_eq!(
            find(&hosts, "one.example", Some(Family::V6)),
            ["2001:db8::1"]
        );
        assert_eq!(find(&hosts, "one", Some(Family::V4)), ["192.0.2.1"]);
        assert_eq!(find(&hosts, "two", None), ["192.0.2.2"]);
        assert_eq!(find(&hosts, "xn--bcher-kva.example", None), ["192.0.2.6"]);
        assert_eq!(find(&hosts, "dotted", None), ["192.0.2.7"]);
        for nobody in ["three", "uno", "deux", "commented", "one.exampl"] {
            assert!(find(&hosts, nobody, None).is_empty(), "{nobody}");
        }
        let found = hosts.find(&Name::parse("one").unwrap(), None).unwrap();
        assert_eq!(found.name, "One.Example");
        assert_eq!(found.aliases, ["one"]);
        let name = hosts.name_of("192.0.2.1".parse().unwrap());
        assert_eq!(name, Some("One.Example"));
        assert_eq!(hosts.name_of("192.0.2.99".parse().unwrap()), None);
    }

    #[test]
    fn scopes() {
        let hosts = Hosts::parse(
            "fe80::1%1 link\nfe80::2%lo named\nfe80::3%no-such-one lost\n",
            |name| (name == "lo").then_some(7),
        );
        let scope = |name: &str| {
            let found = hosts.find(&Name::parse(name).unwrap(), None)?;
            match found.addresses[0] {
                SocketAddr::V6(address) => Some(address.scope_id()),
                SocketAddr::V4(_) => None,
            }
        };
        assert_eq!(scope("link"), Some(1));
        assert_eq!(scope("named"), Some(7));
        assert_eq!(scope("lost"), None);
    }
}
