//! The resolver of green, on the crate `green-dns`: it reads the files, asks name servers over green sockets, and
//! sends a question once for all greenthreads that ask it.
//!
//! A kill or a deadline leaves a lookup like any other wait, and the sockets go with the stacks. Nothing is borrowed
//! while it waits.

mod ask;
mod builder;
mod flight;
mod parsed_file;
mod servers;
mod system;
mod transport;

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::ops::Deref;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use green_dns::{
    AddrInfo, Answered, Cache, Hints, HostEntry, Hosts, NameFlags, Question, ResolvConf, Resolve,
    Services,
};

use super::{Error, Resolver};
use crate::Timeout;
use flight::Flights;
use parsed_file::ParsedFile;

pub use builder::ResolverBuilder;

impl Resolver {
    /// The resolver of green, to be configured: `Resolver::green().build()` follows the files of the system.
    ///
    /// - The hosts file comes first. What it knows is never asked for; names in it are found in any case. It is looked
    ///   at every ten seconds, and read again when it has changed. `resolv.conf` is treated alike.
    /// - `localhost` and the names below it are this machine.
    /// - Of `resolv.conf` the words `nameserver`, `domain` and `search` and the options `ndots`, `timeout`, `attempts`
    ///   and `rotate` count. A name with a dot at its end is whole.
    /// - Both families are asked for at once. Each question goes out from a socket of its own with a random number;
    ///   only the answer to it from the server that was asked counts, anything else is passed over. What does not fit
    ///   into 512 bytes is fetched over TCP.
    /// - When one family has come, the other is waited for as long again, and at least 50 ms (as by RFC 8305). So a name
    ///   server that drops one of the questions does not hold up those who use the answer to the other.
    /// - Answers are kept as long as they say, for at most a day; that there is nothing, for at most 15 minutes. One
    ///   question is asked once, however many greenthreads wait for it.
    /// - The addresses are ordered by RFC 6724, without the rules that need to know more of the system, and without
    ///   that of the longest prefix.
    /// - A lookup ends after 10 s, whatever happens, with what has come until then: see
    ///   [`ResolverBuilder::lookup_timeout`].
    /// - Names beyond ASCII are converted (UTS 46). What can be no name of a host is not asked for.
    ///
    /// Whatever else the system is set up for (`nsswitch.conf`, `gai.conf`, mDNS) is known to
    /// [the system's resolver](Resolver::system) only.
    ///
    /// After a fork the child keeps the answers, and asks anew what the parent was asking.
    ///
    /// ```
    /// use green::dns::Resolver;
    ///
    /// let resolver = Resolver::green().build();
    /// assert_eq!(resolver.name(), "green");
    /// assert!(resolver.lookup("localhost", 80)?.iter().all(|address| address.ip().is_loopback()));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn green() -> ResolverBuilder {
        ResolverBuilder::new()
    }
}

/// What a [`Green`] is made of, but for the configuration.
struct Parts {
    hosts: PathBuf,
    resolv_conf: PathBuf,
    services: PathBuf,
    lookup_timeout: Option<Duration>,
    cache_size: usize,
}

/// The resolver.
pub(super) struct Green {
    hosts: ParsedFile<Hosts>,
    conf: ParsedFile<ResolvConf>,
    services: ParsedFile<Services>,
    lookup_timeout: Option<Duration>,
    cache: RefCell<Cache>,
    flights: Flights,
    /// Which server is the first to be asked, if they take turns.
    turn: Cell<usize>,
}

/// One call of a program, which must end in time.
struct Lookup<'a> {
    green: &'a Green,
    deadline: Option<Instant>,
}

impl Green {
    fn new(parts: Parts, configure: impl Fn(&str) -> ResolvConf + 'static) -> Green {
        let hosts = |text: &str| Hosts::parse(text, system::interface);
        Green {
            hosts: ParsedFile::new(parts.hosts, hosts),
            conf: ParsedFile::new(parts.resolv_conf, configure),
            services: ParsedFile::new(parts.services, Services::parse),
            lookup_timeout: parts.lookup_timeout,
            cache: RefCell::new(Cache::new(parts.cache_size)),
            flights: Flights::default(),
            turn: Cell::new(0),
        }
    }

    pub(super) fn lookup(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
        self.within(host, |lookup| lookup.lookup(host, port))
    }

    pub(super) fn getaddrinfo(
        &self,
        host: Option<&str>,
        service: Option<&str>,
        hints: Hints,
    ) -> Result<Vec<AddrInfo>, Error> {
        let asked = host.or(service).unwrap_or_default();
        self.within(asked, |lookup| lookup.getaddrinfo(host, service, hints))
    }

    pub(super) fn gethostbyname_ex(&self, host: &str) -> Result<HostEntry, Error> {
        self.within(host, |lookup| lookup.gethostbyname_ex(host))
    }

    pub(super) fn getnameinfo(
        &self,
        address: &SocketAddr,
        flags: NameFlags,
    ) -> Result<(String, String), Error> {
        let asked = address.ip().to_string();
        self.within(&asked, |lookup| lookup.getnameinfo(address, flags))
    }

    /// Runs `f` for as long as a lookup may take.
    fn within<T>(
        &self,
        asked: &str,
        f: impl FnOnce(&Lookup<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let now = crate::time::now();
        let lookup = Lookup {
            green: self,
            deadline: self.lookup_timeout.and_then(|time| now.checked_add(time)),
        };
        Timeout::new(self.lookup_timeout)
            .run(|| f(&lookup))
            .unwrap_or_else(|elapsed| Err(Error::timed_out(asked, elapsed)))
    }
}

impl Resolve for Lookup<'_> {
    fn hosts(&self) -> impl Deref<Target = Hosts> {
        self.green.hosts.get()
    }

    fn services(&self) -> impl Deref<Target = Services> {
        self.green.services.get()
    }

    fn conf(&self) -> impl Deref<Target = ResolvConf> {
        self.green.conf.get()
    }

    fn ask(&self, conf: &ResolvConf, questions: &[Question]) -> Vec<Answered> {
        self.green.ask(conf, questions, self.deadline)
    }

    fn source(&self, to: SocketAddr) -> Option<IpAddr> {
        system::source(to)
    }

    fn interface(&self, name: &str) -> Option<u32> {
        system::interface(name)
    }
}
