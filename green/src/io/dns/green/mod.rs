//! The resolver of this crate: hosts file, name servers over green sockets, cache.
//!
//! A lookup does its work in the greenthread that asks, so a kill or a deadline leaves it like any other wait, and the
//! sockets go with the stack. Nothing is borrowed while it waits.

mod addrinfo;
mod builder;
mod cache;
mod flight;
mod hosts;
mod literal;
mod name;
mod nameinfo;
mod order;
mod resolv_conf;
mod servers;
mod services;
mod transport;
mod watched;
mod wire;

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use super::{Error, ErrorKind, Family, HostEntry, Resolver};
use crate::Timeout;
use cache::Cache;
use flight::{Flights, Join};
use hosts::Hosts;
use name::Name;
use resolv_conf::ResolvConf;
use services::Services;
use watched::Watched;
use wire::{Answer, Kind, Question, Says};

pub use builder::ResolverBuilder;

impl Resolver {
    /// The resolver of this crate, to be configured: `Resolver::green().build()` does as the files of the system say.
    ///
    /// - The hosts file comes first. What it knows is never asked for; names in it are found in any case. It is looked
    ///   at every ten seconds, and read again when it has changed. `resolv.conf` is treated alike.
    /// - `localhost` and the names below it are this machine.
    /// - Of `resolv.conf` the words `nameserver`, `domain` and `search` and the options `ndots`, `timeout`, `attempts`
    ///   and `rotate` count. A name with a dot at its end is whole.
    /// - Both families are asked for at once. Each question goes out from a socket of its own with a random number;
    ///   only the answer to it from the server that was asked counts, anything else is passed over. What does not fit
    ///   into 512 bytes is fetched over TCP.
    /// - Answers are kept as long as they say, for at most a day; that there is nothing, for at most 15 minutes. One
    ///   question is asked once, however many greenthreads wait for it.
    /// - The addresses are ordered by RFC 6724, without the rules that need to know more of the system, and without
    ///   that of the longest prefix.
    /// - A lookup ends after 10 s, whatever happens: see [`ResolverBuilder::lookup_timeout`].
    /// - Names beyond ASCII are converted (UTS 46). What can be no name of a host is not asked for.
    ///
    /// Whatever else the system is set up for (`nsswitch.conf`, `gai.conf`, mDNS) is known to
    /// [the system's resolver](Resolver::system) only.
    pub fn green() -> ResolverBuilder {
        ResolverBuilder::new()
    }
}

/// What one question has come to, shared by all who asked it.
type Outcome = Result<Rc<Answer>, Rc<Failed>>;

/// Why there is no answer. Each who asked makes an [`Error`] of its own of it.
#[derive(Clone, Debug)]
struct Failed {
    kind: ErrorKind,
    why: String,
    timed_out: bool,
}

impl Failed {
    fn error(&self, asked: &str) -> Error {
        if self.timed_out {
            Error::timed_out(asked, &self.why)
        } else {
            Error::new(self.kind, asked, &self.why)
        }
    }
}

/// What is known of a host.
struct Found {
    name: String,
    aliases: Vec<String>,
    /// With port 0, at least one.
    addresses: Vec<SocketAddr>,
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
    hosts: Watched<Hosts>,
    conf: Watched<ResolvConf>,
    services: Watched<Services>,
    lookup_timeout: Option<Duration>,
    cache: RefCell<Cache>,
    flights: Flights,
    /// Whose turn it is to be the first server.
    turn: Cell<usize>,
}

impl Green {
    fn new(parts: Parts, configure: impl Fn(&str) -> ResolvConf + 'static) -> Green {
        Green {
            hosts: Watched::new(parts.hosts, Hosts::parse),
            conf: Watched::new(parts.resolv_conf, configure),
            services: Watched::new(parts.services, Services::parse),
            lookup_timeout: parts.lookup_timeout,
            cache: RefCell::new(Cache::new(parts.cache_size)),
            flights: Flights::default(),
            turn: Cell::new(0),
        }
    }

    pub(super) fn lookup(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
        let mut addresses = match literal::parse(host) {
            Some(address) => vec![address],
            None => self.within(host, || self.find(host, None))?.addresses,
        };
        for address in &mut addresses {
            address.set_port(port);
        }
        Ok(addresses)
    }

    pub(super) fn gethostbyname_ex(&self, host: &str) -> Result<HostEntry, Error> {
        let found = match literal::parse(host) {
            Some(address) if address.is_ipv4() => Found {
                name: host.to_owned(),
                aliases: Vec::new(),
                addresses: vec![address],
            },
            Some(_) => {
                let why = "it is an IPv6 address";
                return Err(Error::new(ErrorKind::NoData, host, why));
            }
            None => self.within(host, || self.find(host, Some(Family::V4)))?,
        };
        let addresses = found.addresses.iter().filter_map(|found| match found.ip() {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        });
        Ok(HostEntry {
            name: found.name,
            aliases: found.aliases,
            addresses: addresses.collect(),
        })
    }

    /// Runs `f` for as long as a lookup may take.
    fn within<T>(&self, asked: &str, f: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        Timeout::new(self.lookup_timeout)
            .run(f)
            .unwrap_or_else(|elapsed| Err(Error::timed_out(asked, elapsed)))
    }

    /// The addresses of a host that is no literal, the best first.
    fn find(&self, host: &str, family: Option<Family>) -> Result<Found, Error> {
        let name = Name::parse(host).map_err(|why| Error::new(ErrorKind::NotFound, host, why))?;
        let mut found = match self.hosts.get().find(&name, family) {
            Some(found) => found,
            None if name.is_localhost() => localhost(&name, family),
            None => self
                .search(&name, family)
                .map_err(|failed| failed.error(host))?,
        };
        order::sort(&mut found.addresses);
        Ok(found)
    }

    /// Asks for the name in all places where it may be.
    fn search(&self, name: &Name, family: Option<Family>) -> Result<Found, Rc<Failed>> {
        let conf = self.conf.get();
        let kinds: &[Kind] = match family {
            None => &[Kind::Aaaa, Kind::A],
            Some(Family::V4) => &[Kind::A],
            Some(Family::V6) => &[Kind::Aaaa],
        };
        let mut failed: Option<Rc<Failed>> = None;
        for candidate in name.candidates(&conf.search, conf.ndots) {
            let questions: Vec<_> = kinds
                .iter()
                .map(|&kind| Question {
                    name: candidate.clone(),
                    kind,
                })
                .collect();
            match merge(&self.resolve(&conf, &questions)) {
                Ok(found) => return Ok(found),
                Err(new) => {
                    // A server that is silent now will not find the other names either.
                    let stop = new.timed_out;
                    if failed.as_ref().is_none_or(|old| weight(&new) > weight(old)) {
                        failed = Some(new);
                    }
                    if stop {
                        break;
                    }
                }
            }
        }
        Err(failed.unwrap_or_else(|| nothing(ErrorKind::NotFound)))
    }

    /// What the cache or the servers know, in the order of the questions.
    fn resolve(&self, conf: &ResolvConf, questions: &[Question]) -> Vec<Outcome> {
        let mut outcomes: Vec<Option<Outcome>> = vec![None; questions.len()];
        // More than once only if somebody else was to ask, and has gone.
        while outcomes.iter().any(Option::is_none) {
            let mut leads = Vec::new();
            let mut follows = Vec::new();
            let open = questions.iter().zip(&mut outcomes);
            for (question, outcome) in open.filter(|(_, outcome)| outcome.is_none()) {
                if let Some(answer) = self.cache.borrow().get(question, crate::time::now()) {
                    *outcome = Some(Ok(answer));
                    continue;
                }
                match self.flights.join(question) {
                    Join::Lead(lead) => leads.push((lead, outcome)),
                    Join::Follow(flight) => follows.push((flight, outcome)),
                }
            }
            // Who leads does not wait for others before: so two cannot wait for each other.
            if !leads.is_empty() {
                let asked: Vec<_> = leads.iter().map(|(lead, _)| &lead.question).collect();
                let answers = servers::ask(conf, self.take_turn(conf), &asked);
                for ((lead, outcome), answer) in leads.into_iter().zip(answers) {
                    self.keep(&lead.question, &answer);
                    *outcome = Some(answer.clone());
                    lead.land(answer);
                }
            }
            for (flight, outcome) in follows {
                *outcome = flight.wait().unwrap_or_else(|unwinding| {
                    Some(Err(Rc::new(Failed {
                        kind: ErrorKind::System,
                        why: unwinding.to_string(),
                        timed_out: false,
                    })))
                });
            }
        }
        outcomes.into_iter().flatten().collect()
    }

    fn keep(&self, question: &Question, outcome: &Outcome) {
        if let Ok(answer) = outcome {
            let now = crate::time::now();
            let mut cache = self.cache.borrow_mut();
            cache.put(question.clone(), Rc::clone(answer), now);
        }
    }

    fn take_turn(&self, conf: &ResolvConf) -> usize {
        let turn = self.turn.get();
        if conf.rotate {
            self.turn.set(turn.wrapping_add(1));
        }
        turn
    }
}

/// Puts together what is known of both families.
fn merge(outcomes: &[Outcome]) -> Result<Found, Rc<Failed>> {
    let mut found: Option<Found> = None;
    let mut failed: Option<Rc<Failed>> = None;
    for outcome in outcomes {
        let new = match outcome {
            Ok(answer) => match &answer.says {
                Says::Addresses(addresses) => {
                    let found = found.get_or_insert_with(|| named(&answer.chain));
                    let addresses = addresses.iter().map(|&address| SocketAddr::new(address, 0));
                    found.addresses.extend(addresses);
                    continue;
                }
                Says::NoName => nothing(ErrorKind::NotFound),
                Says::NoData | Says::Names(_) | Says::Elsewhere => nothing(ErrorKind::NoData),
            },
            Err(failed) => Rc::clone(failed),
        };
        if failed.as_ref().is_none_or(|old| weight(&new) > weight(old)) {
            failed = Some(new);
        }
    }
    found.ok_or_else(|| failed.unwrap_or_else(|| nothing(ErrorKind::NotFound)))
}

/// Of several failures the one counts that leaves the most open.
fn weight(failed: &Failed) -> u8 {
    match failed.kind {
        ErrorKind::NotFound => 0,
        ErrorKind::NoData => 1,
        _ => 2,
    }
}

fn nothing(kind: ErrorKind) -> Rc<Failed> {
    let why = match kind {
        ErrorKind::NoData => "the name exists, but has no such address",
        _ => "there is no such name",
    };
    Rc::new(Failed {
        kind,
        why: why.to_owned(),
        timed_out: false,
    })
}

/// The last name of the chain is the canonical one.
fn named(chain: &[String]) -> Found {
    let (name, aliases) = match chain.split_last() {
        Some((name, aliases)) => (name.clone(), aliases.to_vec()),
        None => (String::new(), Vec::new()),
    };
    Found {
        name,
        aliases,
        addresses: Vec::new(),
    }
}

fn localhost(name: &Name, family: Option<Family>) -> Found {
    let addresses: [IpAddr; 2] = [Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
    Found {
        name: name.text().to_owned(),
        aliases: Vec::new(),
        addresses: addresses
            .into_iter()
            .filter(|address| is_of(*address, family))
            .map(|address| (address, 0).into())
            .collect(),
    }
}

/// Whether it is of the wanted family.
fn is_of(address: IpAddr, family: Option<Family>) -> bool {
    match family {
        None => true,
        Some(Family::V4) => address.is_ipv4(),
        Some(Family::V6) => address.is_ipv6(),
    }
}
