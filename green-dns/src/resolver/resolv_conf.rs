//! `resolv.conf`: which name servers there are, and how they are asked.

use std::net::SocketAddr;
use std::time::Duration;

use crate::{Name, parse_literal};

const PORT: u16 = 53;

/// As many as the system's resolver takes.
const MOST_SERVERS: usize = 3;

/// The configuration of a resolver, as resolv.conf(5) has it.
///
/// ```
/// use green_dns::ResolvConf;
///
/// let conf = ResolvConf::parse("nameserver 192.0.2.1\nsearch example\n", || None, |_| None);
/// assert_eq!(conf.servers, [([192, 0, 2, 1], 53).into()]);
/// assert_eq!(conf.search, ["example"]);
/// assert_eq!(conf.attempts, 2);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvConf {
    /// The name servers, the first to be asked first. At least one after [`ResolvConf::parse`].
    pub servers: Vec<SocketAddr>,
    /// Domains for names that are not whole.
    pub search: Vec<String>,
    /// A name with as many dots is first looked up as it is.
    pub ndots: usize,
    /// How long one server is waited for.
    pub timeout: Duration,
    /// How often all servers are asked.
    pub attempts: usize,
    /// True if the servers take turns at being the first.
    pub rotate: bool,
}

impl ResolvConf {
    /// Reads the text of the file. Lines that cannot be understood are passed over. If it names no server, that of this
    /// machine is the one. `hostname` is asked if it names no domain; `interface` gives the number of a network
    /// interface, as for [`parse_literal`].
    pub fn parse(
        text: &str,
        hostname: impl FnOnce() -> Option<String>,
        interface: impl Fn(&str) -> Option<u32>,
    ) -> ResolvConf {
        let mut conf = ResolvConf {
            servers: Vec::new(),
            search: Vec::new(),
            ndots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
            rotate: false,
        };
        let mut search: Option<Vec<&str>> = None;
        for line in text.lines().filter(|line| !line.starts_with(['#', ';'])) {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => {
                    let server = words
                        .next()
                        .and_then(|word| parse_literal(word, &interface));
                    let room = conf.servers.len() < MOST_SERVERS;
                    conf.servers.extend(server.filter(|_| room).map(with_port));
                }
                Some("domain") => search = Some(words.take(1).collect()),
                Some("search") => search = Some(words.collect()),
                Some("options") => words.for_each(|option| conf.set(option)),
                _ => {}
            }
        }
        if conf.servers.is_empty() {
            conf.servers.push(SocketAddr::from(([127, 0, 0, 1], PORT)));
        }
        conf.search = match search {
            Some(domains) => domains.into_iter().filter_map(search_domain).collect(),
            None => hostname()
                .and_then(|name| search_domain(name.split_once('.')?.1))
                .into_iter()
                .collect(),
        };
        conf
    }

    /// The limits are the system's.
    fn set(&mut self, option: &str) {
        let (name, value) = option.split_once(':').unwrap_or((option, ""));
        let value = value.parse::<usize>().ok();
        match (name, value) {
            ("ndots", Some(value)) => self.ndots = value.min(15),
            ("timeout", Some(value)) => {
                self.timeout = Duration::from_secs(value.clamp(1, 30) as u64);
            }
            ("attempts", Some(value)) => self.attempts = value.clamp(1, 5),
            ("rotate", _) => self.rotate = true,
            _ => {}
        }
    }
}

fn with_port(mut server: SocketAddr) -> SocketAddr {
    server.set_port(PORT);
    server
}

/// A domain of a search list as it is appended to a name. `None` for the root, which adds nothing, and for what is no
/// domain.
///
/// ```
/// use green_dns::search_domain;
///
/// assert_eq!(search_domain("Example.").as_deref(), Some("example"));
/// assert_eq!(search_domain("."), None);
/// ```
pub fn search_domain(text: &str) -> Option<String> {
    let name = Name::parse(text).ok()?;
    Some(name.text().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> ResolvConf {
        ResolvConf::parse(text, || Some("me.home.example".to_owned()), |_| None)
    }

    #[test]
    fn nothing_is_the_local_server_and_the_local_domain() {
        let conf = parse("");
        assert_eq!(conf.servers, [SocketAddr::from(([127, 0, 0, 1], 53))]);
        assert_eq!(conf.search, ["home.example"]);
        assert_eq!((conf.ndots, conf.attempts), (1, 2));
        assert_eq!(conf.timeout, Duration::from_secs(5));
        assert!(!conf.rotate);
        let alone = ResolvConf::parse("", || Some("me".to_owned()), |_| None);
        assert!(alone.search.is_empty());
    }

    #[test]
    fn servers() {
        let conf = parse(
            "# nameserver 192.0.2.9\n\
             ;nameserver 192.0.2.9\n\
             nameserver 192.0.2.1\r\n\
             nameserver\t2001:db8::1 trailing\n\
             nameserver nonsense\n\
             nameserver fe80::1%1\n\
             nameserver 192.0.2.4\n",
        );
        let servers: Vec<_> = conf.servers.iter().map(ToString::to_string).collect();
        assert_eq!(
            servers,
            ["192.0.2.1:53", "[2001:db8::1]:53", "[fe80::1%1]:53"]
        );
    }

    #[test]
    fn the_last_of_domain_and_search_counts() {
        assert_eq!(
            parse("domain a.example\nsearch b.example C.Example.\n").search,
            ["b.example", "c.example"]
        );
        assert_eq!(
            parse("search b.example\ndomain a.example x\n").search,
            ["a.example"]
        );
        assert!(parse("search .\n").search.is_empty());
        assert!(parse("search\n").search.is_empty());
    }

    #[test]
    fn options() {
        let conf = parse("options ndots:2 timeout:3\noptions attempts:4 rotate edns0 trust-ad\n");
        assert_eq!((conf.ndots, conf.attempts, conf.rotate), (2, 4, true));
        assert_eq!(conf.timeout, Duration::from_secs(3));
        let conf = parse("options ndots:99 timeout:99 attempts:99\n");
        assert_eq!((conf.ndots, conf.attempts), (15, 5));
        assert_eq!(conf.timeout, Duration::from_secs(30));
        let conf = parse("options ndots:x timeout:0 attempts:0 ndots timeout:-1\n");
        assert_eq!((conf.ndots, conf.attempts), (1, 1));
        assert_eq!(conf.timeout, Duration::from_secs(1));
    }
}
