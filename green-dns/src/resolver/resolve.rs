//! What a lookup does, step by step: [`Resolve`].

use std::net::{IpAddr, SocketAddr};
use std::ops::Deref;
use std::sync::Arc;

use super::found::{merge, nothing, remember};
use super::{addrinfo, nameinfo};
use crate::{
    AddrInfo, Answered, Error, ErrorKind, Family, Hints, Host, HostEntry, Hosts, Name, NameFlags,
    Question, RecordKind, ResolvConf, Services, Unanswered, parse_literal, sort_addresses,
};

/// A resolver of names: the provided methods are its steps, the required ones what it must get from outside.
///
/// The required methods give what files, name servers and the system say, and may wait for it; nothing is borrowed or
/// locked here meanwhile. The provided ones are what a program calls. `&self` may be shared: an implementation with a
/// cache keeps that in a cell or behind a lock.
///
/// The example of [this crate](crate) implements it with a table.
///
/// ```
/// use green_dns::{Error, Resolve};
///
/// /// Where to find the web page of a host, on whatever resolver.
/// fn find(resolver: &impl Resolve, host: &str) -> Result<(), Error> {
///     for address in resolver.lookup(host, 80)? {
///         println!("{address}");
///     }
///     Ok(())
/// }
/// ```
pub trait Resolve {
    /// What the hosts file says now.
    fn hosts(&self) -> impl Deref<Target = Hosts>;

    /// What the services file says now.
    fn services(&self) -> impl Deref<Target = Services>;

    /// What resolv.conf says now.
    fn conf(&self) -> impl Deref<Target = ResolvConf>;

    /// What the cache or the name servers say, in the order of the questions. There are at most two, and both are of one
    /// name. It need not wait long for the second when the first has [addresses](crate::Answer::has_addresses): a
    /// host is found if one of them is answered.
    fn ask(&self, conf: &ResolvConf, questions: &[Question]) -> Vec<Answered>;

    /// From which address of this machine something for `to` would be sent; `None` if there is no way there.
    fn source(&self, to: SocketAddr) -> Option<IpAddr>;

    /// The number of the network interface of this name.
    fn interface(&self, name: &str) -> Option<u32>;

    /// The addresses of a host, each with this port, in the order in which they should be tried.
    ///
    /// # Errors
    /// Says why there is none.
    fn lookup(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
        let mut addresses = match parse_literal(host, |name| self.interface(name)) {
            Some(address) => vec![address],
            None => self.find(host, None)?.addresses,
        };
        for address in &mut addresses {
            address.set_port(port);
        }
        Ok(addresses)
    }

    /// The addresses of a host for a service, as C's function of this name gives them.
    ///
    /// # Errors
    /// Says why there is none.
    fn getaddrinfo(
        &self,
        host: Option<&str>,
        service: Option<&str>,
        hints: Hints,
    ) -> Result<Vec<AddrInfo>, Error> {
        addrinfo::getaddrinfo(self, host, service, hints)
    }

    /// The canonical name, the other names and the IPv4 addresses of a host.
    ///
    /// # Errors
    /// Says why there is no address.
    fn gethostbyname_ex(&self, host: &str) -> Result<HostEntry, Error> {
        let found = match parse_literal(host, |name| self.interface(name)) {
            Some(address) if address.is_ipv4() => Host::literal(host, address),
            Some(_) => {
                let why = "it is an IPv6 address";
                return Err(Error::new(ErrorKind::NoData, host, why));
            }
            None => self.find(host, Some(Family::V4))?,
        };
        let addresses = found.addresses.iter().filter_map(|found| match found.ip() {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        });
        Ok(HostEntry::new(
            found.name,
            found.aliases,
            addresses.collect(),
        ))
    }

    /// The names of a host and of a service, by their address.
    ///
    /// # Errors
    /// Says why the host has no name, if one is required; and that it cannot be known now.
    fn getnameinfo(
        &self,
        address: &SocketAddr,
        flags: NameFlags,
    ) -> Result<(String, String), Error> {
        nameinfo::getnameinfo(self, address, flags)
    }

    /// What is known of a host that is no address in digits, the best address first: what the hosts file says, or else
    /// the name servers of the search list's names.
    ///
    /// # Errors
    /// Says why there is no address.
    fn find(&self, host: &str, family: Option<Family>) -> Result<Host, Error> {
        let name = Name::parse(host).map_err(|why| Error::new(ErrorKind::NotFound, host, why))?;
        let known = self.hosts().find(&name, family);
        let mut found = match known {
            Some(found) => found,
            None if name.is_localhost() => Host::localhost(&name, family),
            None => search(self, &name, family).map_err(|failed| failed.error(host))?,
        };
        sort_addresses(&mut found.addresses, |to| self.source(to));
        Ok(found)
    }
}

/// Asks for the name in all places where it may be.
fn search<R: Resolve + ?Sized>(
    resolver: &R,
    name: &Name,
    family: Option<Family>,
) -> Result<Host, Arc<Unanswered>> {
    let conf = resolver.conf();
    let kinds: &[RecordKind] = match family {
        None => &[RecordKind::Aaaa, RecordKind::A],
        Some(Family::V4) => &[RecordKind::A],
        Some(Family::V6) => &[RecordKind::Aaaa],
    };
    let mut failed = None;
    for candidate in name.candidates(&conf.search, conf.ndots) {
        let questions: Vec<_> = kinds
            .iter()
            .map(|&kind| Question::new(candidate.clone(), kind))
            .collect();
        match merge(&resolver.ask(&conf, &questions)) {
            Ok(found) => return Ok(found),
            Err(new) => {
                // A server that is silent now will not find the other names either.
                let stop = new.timed_out;
                remember(&mut failed, new);
                if stop {
                    break;
                }
            }
        }
    }
    Err(failed.unwrap_or_else(|| nothing(ErrorKind::NotFound)))
}
