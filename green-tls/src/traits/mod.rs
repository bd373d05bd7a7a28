//! The I/O traits of async libraries, on [`TlsStream`](crate::TlsStream) and on references to it.

mod futures_io;
#[cfg(feature = "hyper")]
mod hyper;
#[cfg(feature = "tokio")]
mod tokio;

/// Calls `$implement` for both types that get the traits.
macro_rules! for_streams {
    ($implement:ident) => {
        $implement!(crate::TlsStream<S>);
        $implement!(&crate::TlsStream<S>);
    };
}

use for_streams;
