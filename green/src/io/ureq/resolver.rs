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
        let host = uri.host().ok_or(Error::HostNotFound)?;
        // An IPv6 address stands in brackets in an address of the web.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(match uri.scheme_str() {
            Some("https") => 443,
            _ => 80,
        });
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

/// What ureq has room for.
const MOST: usize = 16;
