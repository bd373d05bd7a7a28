//! `/etc/services`: names of ports.

use std::collections::HashMap;

/// What the services file says.
///
/// ```
/// use green_dns::{Services, Transport};
///
/// let services = Services::parse("http 80/tcp www\n");
/// assert_eq!(services.port("www", Transport::Tcp), Some(80));
/// assert_eq!(services.name(80, Transport::Tcp), Some("http"));
/// ```
#[derive(Debug, Default)]
pub struct Services {
    ports: HashMap<(String, Transport), u16>,
    names: HashMap<(u16, Transport), String>,
}

/// The protocol by which a service is reached.
///
/// ```
/// use green_dns::{Services, Transport};
///
/// let services = Services::parse("domain 53/tcp\ndomain 53/udp\nhttp 80/tcp\n");
/// assert_eq!(services.port("domain", Transport::Udp), Some(53));
/// assert_eq!(services.port("http", Transport::Udp), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Services {
    /// Reads the text of the file. Lines that cannot be understood, or are for other transports, are passed over. Of
    /// several the first counts.
    pub fn parse(text: &str) -> Services {
        let mut services = Services::default();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let (Some(name), Some(port)) = (words.next(), words.next()) else {
                continue;
            };
            let Some((port, transport)) = port.split_once('/') else {
                continue;
            };
            let transport = match transport {
                "tcp" => Transport::Tcp,
                "udp" => Transport::Udp,
                _ => continue,
            };
            let Ok(port) = port.parse() else { continue };
            let names = &mut services.names;
            names.entry((port, transport)).or_insert(name.to_owned());
            for name in std::iter::once(name).chain(words) {
                let ports = &mut services.ports;
                ports.entry((name.to_owned(), transport)).or_insert(port);
            }
        }
        services
    }

    /// The port of a service, by any of its names.
    pub fn port(&self, name: &str, transport: Transport) -> Option<u16> {
        self.ports.get(&(name.to_owned(), transport)).copied()
    }

    /// The first name of a port.
    pub fn name(&self, port: u16, transport: Transport) -> Option<&str> {
        self.names.get(&(port, transport)).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_aliases_and_transports() {
        let services = Services::parse(
            "# comment\nhttp 80/tcp www # World Wide Web\ndomain\t53/udp\ndomain 53/tcp\n\
             x 99999/tcp\ny\nz 7\nsctp 9/sctp\nhttp 8080/tcp\n",
        );
        assert_eq!(services.port("http", Transport::Tcp), Some(80));
        assert_eq!(services.port("www", Transport::Tcp), Some(80));
        assert_eq!(services.port("http", Transport::Udp), None);
        assert_eq!(services.port("domain", Transport::Udp), Some(53));
        assert_eq!(services.name(80, Transport::Tcp), Some("http"));
        assert_eq!(services.name(80, Transport::Udp), None);
        for nothing in ["x", "y", "z", "sctp", "World", "comment"] {
            assert_eq!(services.port(nothing, Transport::Tcp), None, "{nothing}");
        }
    }
}
