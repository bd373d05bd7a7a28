//! The system's resolver, in a thread of the pool.

use dns_lookup::{AddrInfoHints, LookupError, LookupErrorKind};
use std::net::SocketAddr;

use super::{Error, ErrorKind};
use crate::tpool;

pub(super) fn lookup(host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
    let asked = host.to_owned();
    let hints = AddrInfoHints {
        socktype: dns_lookup::SockType::Stream.into(),
        ..AddrInfoHints::default()
    };
    let answer = tpool::execute(move || {
        let answers = dns_lookup::getaddrinfo(Some(&asked), None, Some(hints))?;
        // Entries of families that are no internet addresses are passed over.
        let addresses = answers.filter_map(Result::ok).map(|answer| {
            let mut address = answer.sockaddr;
            address.set_port(port);
            address
        });
        Ok(addresses.collect())
    });
    match answer {
        Ok(Ok(addresses)) => Ok(addresses),
        Ok(Err(error)) => Err(translate(host, error)),
        Err(job) => Err(Error::new(ErrorKind::System, host, job)),
    }
}

fn translate(asked: &str, error: LookupError) -> Error {
    let kind = match error.kind() {
        LookupErrorKind::NoName | LookupErrorKind::Service => ErrorKind::NotFound,
        LookupErrorKind::NoData => ErrorKind::NoData,
        LookupErrorKind::Again => ErrorKind::TryAgain,
        LookupErrorKind::Fail => ErrorKind::Failed,
        LookupErrorKind::Badflags | LookupErrorKind::Family | LookupErrorKind::Socktype => {
            ErrorKind::Invalid
        }
        _ => ErrorKind::System,
    };
    Error::new(kind, asked, std::io::Error::from(error))
}
