//! hyper's connections, of which one of ours has one at a time.

use std::io::{self, ErrorKind};

use bytes::Bytes;
use hyper::server::conn::http1;

use crate::hyper_io::HyperIo;
use crate::rest::Held;
use crate::service::Service;
use crate::transport::Transport;
use crate::wire::Wire;

/// What hyper has for a connection of HTTP/1.
pub(crate) trait Http1: Future<Output = hyper::Result<()>> + Unpin {
    /// Ends it after the answer at hand.
    fn shut_down(&mut self);

    /// What it has read and made nothing of.
    fn into_unused(self) -> Bytes;
}

impl<T: Transport> Http1 for http1::Connection<HyperIo<T>, Service> {
    fn shut_down(&mut self) {
        std::pin::Pin::new(self).graceful_shutdown();
    }

    fn into_unused(self) -> Bytes {
        self.into_parts().read_buf
    }
}

#[cfg(feature = "tower")]
impl<T: Transport> Http1 for http1::UpgradeableConnection<crate::bridge::BridgedIo<T>, Service> {
    fn shut_down(&mut self) {
        std::pin::Pin::new(self).graceful_shutdown();
    }

    fn into_unused(self) -> Bytes {
        self.into_parts()
            .map(|parts| parts.read_buf)
            .unwrap_or_default()
    }
}

/// The place for it, counted while it is taken.
pub(crate) struct Holder<'a, C> {
    pub(crate) http: Option<Box<C>>,
    held: &'a Held,
}

impl<'a, C: Http1> Holder<'a, C> {
    pub(crate) fn new<T>(wire: &'a Wire<T>) -> Holder<'a, C> {
        Holder {
            http: None,
            held: &wire.watched.clock.held,
        }
    }

    /// Apart from this stack, where it would push what each request needs to further pages.
    #[cold]
    #[inline(never)]
    pub(crate) fn hold(&mut self, make: impl Fn() -> Box<C>) -> &mut C {
        self.held.one_more();
        self.http.insert(make())
    }

    /// Lets it go, between two messages.
    ///
    /// # Errors
    /// If it has bytes of which it has made nothing: then the guard and hyper do not agree where a message ends.
    #[cold]
    #[inline(never)]
    pub(crate) fn let_go(&mut self) -> io::Result<()> {
        let unused = match self.http.take() {
            Some(http) => {
                self.held.one_less();
                http.into_unused()
            }
            None => Bytes::new(),
        };
        match unused.is_empty() {
            true => Ok(()),
            false => Err(io::Error::new(
                ErrorKind::InvalidData,
                "there are bytes behind a message that belong to none",
            )),
        }
    }
}

impl<C> Drop for Holder<'_, C> {
    fn drop(&mut self) {
        if self.http.is_some() {
            self.held.one_less();
        }
    }
}
