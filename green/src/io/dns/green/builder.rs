//! The configuration of a resolver: [`ResolverBuilder`].

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use green_dns::{ResolvConf, search_domain};

use super::system::interface;
use super::{Green, Parts};
use crate::dns::Resolver;

/// The shortest time that a server can be waited for.
const SHORTEST: Duration = Duration::from_millis(1);

/// The configuration of a resolver of green. What is not set here comes from the files of the system.
///
/// ```
/// use green::dns::Resolver;
///
/// let hosts = std::env::temp_dir().join(format!("green-doc-hosts-{}", std::process::id()));
/// std::fs::write(&hosts, "192.0.2.1 printer.example printer\n")?;
/// let resolver = Resolver::green().hosts_file(&hosts).build();
/// assert_eq!(resolver.gethostbyname("Printer")?.to_string(), "192.0.2.1");
/// std::fs::remove_file(&hosts)?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// A resolver that takes nothing from the files of the system:
///
/// ```
/// use std::time::Duration;
/// use green::dns::{Hints, Resolver};
///
/// let files = std::env::temp_dir().join(format!("green-doc-dns-{}", std::process::id()));
/// std::fs::create_dir_all(&files)?;
/// std::fs::write(files.join("hosts"), "192.0.2.1 printer.example printer\n")?;
/// std::fs::write(files.join("services"), "print 9100/tcp\n")?;
/// std::fs::write(files.join("resolv.conf"), "options edns0\n")?;
///
/// let resolver = Resolver::green()
///     .hosts_file(files.join("hosts"))
///     .services_file(files.join("services"))
///     .resolv_conf(files.join("resolv.conf"))
///     .nameservers(["192.0.2.53:53".parse().unwrap()])
///     .search(["example"])
///     .ndots(1)
///     .timeout(Duration::from_secs(2))
///     .attempts(3)
///     .rotate(true)
///     .lookup_timeout(Duration::from_secs(8))
///     .cache_size(100)
///     .build();
/// let found = resolver.getaddrinfo("printer", "print", Hints::default())?;
/// assert_eq!(found[0].address.to_string(), "192.0.2.1:9100");
/// std::fs::remove_dir_all(&files)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ResolverBuilder {
    hosts: PathBuf,
    resolv_conf: PathBuf,
    services: PathBuf,
    servers: Option<Vec<SocketAddr>>,
    search: Option<Vec<String>>,
    ndots: Option<usize>,
    timeout: Option<Duration>,
    attempts: Option<usize>,
    rotate: Option<bool>,
    lookup_timeout: Option<Duration>,
    cache_size: usize,
}

impl ResolverBuilder {
    pub(super) fn new() -> ResolverBuilder {
        ResolverBuilder {
            hosts: "/etc/hosts".into(),
            resolv_conf: "/etc/resolv.conf".into(),
            services: "/etc/services".into(),
            servers: None,
            search: None,
            ndots: None,
            timeout: None,
            attempts: None,
            rotate: None,
            lookup_timeout: Some(Duration::from_secs(10)),
            cache_size: 1024,
        }
    }

    /// Sets the file of known addresses, instead of `/etc/hosts`. One that is missing counts as empty.
    pub fn hosts_file(mut self, path: impl AsRef<Path>) -> ResolverBuilder {
        self.hosts = path.as_ref().to_owned();
        self
    }

    /// Sets the file that names the servers, instead of `/etc/resolv.conf`. If it is missing or names none, the
    /// server of this machine is asked.
    pub fn resolv_conf(mut self, path: impl AsRef<Path>) -> ResolverBuilder {
        self.resolv_conf = path.as_ref().to_owned();
        self
    }

    /// Sets the file of ports and their names, instead of `/etc/services`.
    pub fn services_file(mut self, path: impl AsRef<Path>) -> ResolverBuilder {
        self.services = path.as_ref().to_owned();
        self
    }

    /// Sets the servers, each with its port, instead of those of `resolv.conf`. An empty list stands for those.
    pub fn nameservers(mut self, servers: impl IntoIterator<Item = SocketAddr>) -> ResolverBuilder {
        let servers: Vec<_> = servers.into_iter().collect();
        self.servers = Some(servers).filter(|servers| !servers.is_empty());
        self
    }

    /// Sets the domains for names that are not whole, instead of those of `resolv.conf`. What is no name of a domain
    /// is left out.
    pub fn search<D: AsRef<str>>(
        mut self,
        domains: impl IntoIterator<Item = D>,
    ) -> ResolverBuilder {
        let domains = domains.into_iter();
        let domains = domains.filter_map(|name| search_domain(name.as_ref()));
        self.search = Some(domains.collect());
        self
    }

    /// Sets how many dots a name must have to be looked up as it is first, and then in the domains of
    /// [`search`](ResolverBuilder::search); one with fewer goes the other way round. 1 if it is set nowhere.
    pub fn ndots(mut self, dots: usize) -> ResolverBuilder {
        self.ndots = Some(dots);
        self
    }

    /// Sets how long one server is waited for, at least a millisecond. 5 s if it is set nowhere.
    pub fn timeout(mut self, timeout: Duration) -> ResolverBuilder {
        self.timeout = Some(timeout.max(SHORTEST));
        self
    }

    /// Sets how often all servers are asked, at least once. 2 if it is set nowhere.
    pub fn attempts(mut self, attempts: usize) -> ResolverBuilder {
        self.attempts = Some(attempts.max(1));
        self
    }

    /// With `true`, the servers take turns at being the first to be asked.
    pub fn rotate(mut self, rotate: bool) -> ResolverBuilder {
        self.rotate = Some(rotate);
        self
    }

    /// Sets how long a whole lookup may take, all names, servers and attempts together. 10 s at first; `None` is for
    /// ever.
    pub fn lookup_timeout(mut self, timeout: impl Into<Option<Duration>>) -> ResolverBuilder {
        self.lookup_timeout = timeout.into();
        self
    }

    /// Sets how many answers are kept, those that say that there is nothing included. 1024 at first; 0 keeps none.
    pub fn cache_size(mut self, answers: usize) -> ResolverBuilder {
        self.cache_size = answers;
        self
    }

    /// Makes the resolver. No file is read before it is first used.
    pub fn build(self) -> Resolver {
        let parts = Parts {
            hosts: self.hosts.clone(),
            resolv_conf: self.resolv_conf.clone(),
            services: self.services.clone(),
            lookup_timeout: self.lookup_timeout,
            cache_size: self.cache_size,
        };
        Resolver::from_green(Green::new(parts, move |text| self.configure(text)))
    }

    fn configure(&self, text: &str) -> ResolvConf {
        let read = ResolvConf::parse(text, || dns_lookup::get_hostname().ok(), interface);
        ResolvConf {
            servers: self.servers.clone().unwrap_or(read.servers),
            search: self.search.clone().unwrap_or(read.search),
            ndots: self.ndots.unwrap_or(read.ndots),
            timeout: self.timeout.unwrap_or(read.timeout),
            attempts: self.attempts.unwrap_or(read.attempts),
            rotate: self.rotate.unwrap_or(read.rotate),
        }
    }
}
