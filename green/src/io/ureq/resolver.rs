//! Names for ureq, looked up so that others run meanwhile.

use std::io;

use ::ureq::config::Config;
use ::ureq::http::Uri;
use ::ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ::ureq::unversioned::transport::NextTimeout;
use ::ureq::{Error, Timeout};

use crate::dns;

#[derive(Debug)]
pub(super) struct GreenResolver;

impl Resolver for GreenResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let host = host(uri).ok_or(Error::HostNotFound)?;
        let port = port(uri);
        let wait = timeout.not_zero().map(|duration| *duration);
        let found = crate::Timeout::new(wait)
            .run(|| dns::lookup(host, port))
            .map_err(|_| Error::Timeout(Timeout::Resolve))?;
        let addresses = match found {
            Ok(addresses) => addresses,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::HostNotFound);
            }
            Err(error) => return Err(Error::Io(error)),
        };
        let mut resolved = self.empty();
        let family = config.ip_family();
        for address in family.keep_wanted(addresses.into_iter()).take(MOST) {
            resolved.push(address);
        }
        if resolved.is_empty() {
            return Err(Error::HostNotFound);
        }
        Ok(resolved)
    }
}

/// The host without the brackets in which an IPv6 address stands in an address of the web.
pub(super) fn host(uri: &Uri) -> Option<&str> {
    let host = uri.host()?;
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    Some(bare.unwrap_or(host))
}

/// The port, or that of the scheme.
pub(super) fn port(uri: &Uri) -> u16 {
    let scheme = uri.scheme_str().unwrap_or_default().to_ascii_lowercase();
    uri.port_u16().unwrap_or(match &*scheme {
        "https" => 443,
        socks if socks.starts_with("socks") => 1080,
        _ => 80,
    })
}

/// What ureq has room for.
const MOST: usize = 16;
