//! Requests that cannot be made as they were asked for: they are refused before anything is sent.

use std::io;

use ::ureq::unversioned::transport::{ConnectionDetails, Connector, Transport};
use ::ureq::{Error, Proxy};

/// The variables in which ureq looks for a proxy.
const VARIABLES: [&str; 6] = [
    "ALL_PROXY",
    "all_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
];

/// The first of the connectors.
#[derive(Debug, Default)]
pub(super) struct Refuse {
    /// Why no request is made at all.
    proxy: Option<String>,
}

impl Refuse {
    /// For an agent that takes its proxy from the environment: ureq passes over what it cannot read there, and would
    /// ask the origin itself.
    pub(super) fn unreadable_proxy() -> Refuse {
        if Proxy::try_from_env().is_some() {
            return Refuse::default();
        }
        let set = VARIABLES.iter().find(|name| {
            let value = std::env::var_os(name);
            value.is_some_and(|value| !value.is_empty())
        });
        Refuse {
            proxy: set.map(|name| {
                format!(
                    "the environment variable {name} names no proxy that can be used: http, https, socks4, socks4a, \
                     socks5 and socks5h can"
                )
            }),
        }
    }
}

impl<In: Transport> Connector<In> for Refuse {
    type Out = In;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<In>, Error> {
        if let Some(why) = &self.proxy {
            return Err(Error::Io(io::Error::new(
                io::ErrorKind::InvalidInput,
                why.clone(),
            )));
        }
        if details.needs_tls() {
            has_tls(details)?;
        }
        Ok(chained)
    }
}

#[cfg(feature = "ureq-tls")]
fn has_tls(details: &ConnectionDetails<'_>) -> Result<(), Error> {
    match details.config.tls_config().provider() {
        ::ureq::tls::TlsProvider::Rustls => Ok(()),
        other => Err(unsupported(format!(
            "https by {other:?} is not in green: leave the provider at Rustls"
        ))),
    }
}

#[cfg(not(feature = "ureq-tls"))]
fn has_tls(details: &ConnectionDetails<'_>) -> Result<(), Error> {
    Err(unsupported(format!(
        "https is not in this build, and {:?} needs it: enable the cargo feature ureq-tls of green",
        details.uri.host().unwrap_or_default()
    )))
}

fn unsupported(what: String) -> Error {
    Error::Io(io::Error::new(io::ErrorKind::Unsupported, what))
}
