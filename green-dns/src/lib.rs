//! Names of hosts, without I/O: everything that a resolver does but for reading files and asking servers.
//!
//! [`Resolve`] has the steps of a lookup: the hosts file first, then the name servers, for each name that the search
//! list makes, both families at once, the addresses in the order of RFC 6724. Whoever implements it says what the files
//! contain and how a server is asked: in blocking code, in greenthreads as the crate `green` does, in async code
//! behind a `block_on`, or as here from a table.
//!
//! ```
//! use std::net::{IpAddr, SocketAddr};
//! use std::ops::Deref;
//! use std::sync::Arc;
//! use std::time::Duration;
//! use green_dns::*;
//!
//! struct Table {
//!     hosts: Hosts,
//!     services: Services,
//!     conf: ResolvConf,
//! }
//!
//! impl Resolve for Table {
//!     fn hosts(&self) -> impl Deref<Target = Hosts> {
//!         &self.hosts
//!     }
//!     fn services(&self) -> impl Deref<Target = Services> {
//!         &self.services
//!     }
//!     fn conf(&self) -> impl Deref<Target = ResolvConf> {
//!         &self.conf
//!     }
//!     // A real one sends `question.query(id)` to `conf.servers`, and has `Query::reply` read what comes back.
//!     fn ask(&self, _: &ResolvConf, questions: &[Question]) -> Vec<Answered> {
//!         let answer = |question: &Question| Answer {
//!             chain: vec![question.name.clone()],
//!             says: match (&*question.name, question.kind) {
//!                 ("www.example", RecordKind::A) => Says::Addresses(vec![[192, 0, 2, 7].into()]),
//!                 ("www.example", _) => Says::NoData,
//!                 _ => Says::NoName,
//!             },
//!             ttl: Duration::from_secs(60),
//!         };
//!         questions.iter().map(|question| Ok(Arc::new(answer(question)))).collect()
//!     }
//!     fn source(&self, to: SocketAddr) -> Option<IpAddr> {
//!         Some(to.ip())
//!     }
//!     fn interface(&self, _: &str) -> Option<u32> {
//!         None
//!     }
//! }
//!
//! let table = Table {
//!     hosts: Hosts::parse("192.0.2.1 printer\n", |_| None),
//!     services: Services::parse("http 80/tcp\n"),
//!     conf: ResolvConf::parse("search example\n", || None, |_| None),
//! };
//! assert_eq!(table.lookup("printer", 9100)?, [([192, 0, 2, 1], 9100).into()]);
//! assert_eq!(table.lookup("www", 80)?, [([192, 0, 2, 7], 80).into()]);
//! let found = table.getaddrinfo(Some("127.1"), Some("http"), Hints::new().socktype(SockType::Stream))?;
//! assert_eq!(found[0].address, ([127, 0, 0, 1], 80).into());
//! assert_eq!(table.lookup("www2", 80).unwrap_err().kind(), ErrorKind::NotFound);
//!
//! assert_eq!(table.find("printer", None)?.name, "printer");
//! assert_eq!(table.gethostbyname_ex("www")?.addresses.len(), 1);
//! let printer = ([192, 0, 2, 1], 80).into();
//! let (host, service) = table.getnameinfo(&printer, NameFlags::new())?;
//! assert_eq!((&*host, &*service), ("printer", "http"));
//! # Ok::<(), Error>(())
//! ```
//!
//! # Parts
//!
//! | part | is |
//! |---|---|
//! | [`Resolve`] | the steps of a lookup; C's `getaddrinfo`, `gethostbyname_ex` and `getnameinfo` on top of them |
//! | [`Name`], [`search_domain`] | what is a name of a host, internationalised ones, search lists |
//! | [`parse_literal`] | addresses in digits, as C's functions read them |
//! | [`Question`], [`Query`], [`Reply`], [`Answer`] | messages of name servers, by `hickory-proto` |
//! | [`Cache`] | answers until their time is up |
//! | [`Hosts`], [`ResolvConf`], [`Services`] | what the texts of the three files say |
//! | [`sort_addresses`] | which address to try first (RFC 6724) |
//! | [`Hints`], [`AddrInfo`], [`HostEntry`], [`NameFlags`], [`Error`] | the words of questions and answers |
//!
//! # Features
//!
//! `resolver`, on by default, is everything but the last row of the table, which depends on no other crate.
//!
//! # Threads, panics, platforms
//!
//! Every type is `Send` and `Sync`. Nothing here panics, waits, reads a clock or draws random numbers: time and numbers
//! are arguments. It knows nothing of the platform.
#![forbid(unsafe_code)]

mod error;
mod hints;
#[cfg(feature = "resolver")]
mod resolver;

pub use error::{Error, ErrorKind};
pub use hints::{AddrInfo, Family, Hints, HostEntry, NameFlags, SockType};

#[cfg(feature = "resolver")]
pub use resolver::*;

/// The example of the README.
#[cfg(all(doctest, feature = "resolver"))]
#[doc = include_str!("../README.md")]
struct Readme;
