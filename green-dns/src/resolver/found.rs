//! The outcome of a lookup: what is known of a host, or why nothing is.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use crate::{Answer, Error, ErrorKind, Family, Name, Says};

/// What is known of a host.
///
/// ```
/// use green_dns::Host;
///
/// fn show(host: &Host) {
///     println!("{} (also {:?}) has {:?}", host.name, host.aliases, host.addresses);
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Host {
    /// The canonical name.
    pub name: String,
    /// The names that led to it.
    pub aliases: Vec<String>,
    /// With port 0, at least one.
    pub addresses: Vec<SocketAddr>,
}

/// What one question has come to, shared by all who asked it.
///
/// ```
/// use green_dns::{Answered, ErrorKind, Unanswered};
/// use std::sync::Arc;
///
/// let silent: Answered = Err(Arc::new(Unanswered::new(ErrorKind::TryAgain, "no answer in time")));
/// assert!(silent.is_err_and(|why| why.kind == ErrorKind::TryAgain));
/// ```
pub type Answered = Result<Arc<Answer>, Arc<Unanswered>>;

/// Why a question has no answer. Each who asked it makes an [`Error`] of its own of it.
///
/// ```
/// use green_dns::{ErrorKind, Unanswered};
///
/// let silent = Unanswered::new(ErrorKind::TryAgain, "192.0.2.1:53: no answer in time").timed_out(true);
/// assert_eq!(silent.error("www").kind(), ErrorKind::TryAgain);
///
/// let refused = std::io::Error::from_raw_os_error(111);
/// let unreachable = Unanswered::new(ErrorKind::System, refused.to_string());
/// assert_eq!(unreachable.os_error(refused.raw_os_error()).os_error, Some(111));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unanswered {
    /// The kind of the error.
    pub kind: ErrorKind,
    /// Its text.
    pub why: String,
    /// True if no server answered in time.
    pub timed_out: bool,
    /// The number of the system's error that it comes from, if it comes from one.
    pub os_error: Option<i32>,
}

impl Unanswered {
    /// Says why there is no answer.
    pub fn new(kind: ErrorKind, why: impl Into<String>) -> Unanswered {
        Unanswered {
            kind,
            why: why.into(),
            timed_out: false,
            os_error: None,
        }
    }

    /// With `true`, says that no server answered in time.
    #[must_use]
    pub fn timed_out(mut self, yes: bool) -> Unanswered {
        self.timed_out = yes;
        self
    }

    /// Says which error of the system it comes from.
    #[must_use]
    pub fn os_error(mut self, number: Option<i32>) -> Unanswered {
        self.os_error = number;
        self
    }

    /// The error of one lookup, that of `asked`.
    pub fn error(&self, asked: &str) -> Error {
        let error = match self.timed_out {
            true => Error::timed_out(asked, &self.why),
            false => Error::new(self.kind, asked, &self.why),
        };
        match self.os_error {
            Some(number) => error.caused_by(io::Error::from_raw_os_error(number)),
            None => error,
        }
    }

    /// Of several failures the one counts that leaves the most open.
    fn weight(&self) -> u8 {
        match self.kind {
            ErrorKind::NotFound => 0,
            ErrorKind::NoData => 1,
            _ => 2,
        }
    }
}

/// Remembers `new` if it leaves more open than what was remembered before.
pub(crate) fn remember(old: &mut Option<Arc<Unanswered>>, new: Arc<Unanswered>) {
    if old.as_ref().is_none_or(|old| new.weight() > old.weight()) {
        *old = Some(new);
    }
}

/// The servers say that there is nothing.
pub(crate) fn nothing(kind: ErrorKind) -> Arc<Unanswered> {
    let why = match kind {
        ErrorKind::NoData => "the name exists, but has no such address",
        _ => "there is no such name",
    };
    Arc::new(Unanswered::new(kind, why))
}

/// Puts together what is known of both families.
pub(crate) fn merge(outcomes: &[Answered]) -> Result<Host, Arc<Unanswered>> {
    let mut found: Option<Host> = None;
    let mut failed = None;
    for outcome in outcomes {
        let new = match outcome {
            Ok(answer) => match &answer.says {
                Says::Addresses(addresses) => {
                    let found = found.get_or_insert_with(|| Host::named(&answer.chain));
                    let addresses = addresses.iter().map(|&address| SocketAddr::new(address, 0));
                    found.addresses.extend(addresses);
                    continue;
                }
                Says::NoName => nothing(ErrorKind::NotFound),
                Says::NoData | Says::Names(_) | Says::Elsewhere => nothing(ErrorKind::NoData),
            },
            Err(failed) => Arc::clone(failed),
        };
        remember(&mut failed, new);
    }
    found.ok_or_else(|| failed.unwrap_or_else(|| nothing(ErrorKind::NotFound)))
}

impl Host {
    /// The last name of the chain is the canonical one.
    fn named(chain: &[String]) -> Host {
        let (name, aliases) = match chain.split_last() {
            Some((name, aliases)) => (name.clone(), aliases.to_vec()),
            None => (String::new(), Vec::new()),
        };
        Host {
            name,
            aliases,
            addresses: Vec::new(),
        }
    }

    /// What an address in digits says of itself.
    pub(crate) fn literal(host: &str, address: SocketAddr) -> Host {
        Host {
            name: host.to_owned(),
            aliases: Vec::new(),
            addresses: vec![address],
        }
    }

    /// This machine.
    pub(crate) fn localhost(name: &Name, family: Option<Family>) -> Host {
        let addresses = [Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
        Host {
            name: name.text().to_owned(),
            aliases: Vec::new(),
            addresses: of_family(addresses, family),
        }
    }

    /// All addresses of this machine to listen at, or the loopback to connect to.
    pub(crate) fn here(passive: bool, family: Option<Family>) -> Host {
        let addresses: [IpAddr; 2] = match passive {
            true => [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
            false => [Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()],
        };
        Host {
            name: String::new(),
            aliases: Vec::new(),
            addresses: of_family(addresses, family),
        }
    }
}

fn of_family(addresses: [IpAddr; 2], family: Option<Family>) -> Vec<SocketAddr> {
    let wanted = addresses
        .into_iter()
        .filter(|address| is_of(*address, family));
    wanted.map(|address| (address, 0).into()).collect()
}

/// True if it is of the wanted family.
pub(crate) fn is_of(address: IpAddr, family: Option<Family>) -> bool {
    family.is_none_or(|family| Family::of(address) == family)
}
