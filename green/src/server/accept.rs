//! The accept loop of every server.

use std::io;

use super::Listener;
use crate::GreenPool;
use crate::net::AcceptRetry;

/// Accepts while `pool` has a place, and calls `start` with each connection. Gives the error that ended it.
///
/// After `max_accept` connections in a row the other greenthreads run.
pub(super) fn accept_all<L: Listener + ?Sized>(
    listener: &L,
    pool: &GreenPool,
    max_accept: usize,
    mut start: impl FnMut(L::Stream, L::Addr) -> io::Result<()>,
) -> io::Error {
    let mut retry = AcceptRetry::new();
    let mut accepted = 0;
    loop {
        let started = retry.accept(|| {
            pool.wait_available(None);
            let (stream, addr) = listener.accept()?;
            start(stream, addr)
        });
        match started {
            Ok(()) => {
                accepted += 1;
                if accepted >= max_accept {
                    accepted = 0;
                    crate::yield_now();
                }
            }
            // The listener's own timeout: nobody came.
            Err(error)
                if error.kind() == io::ErrorKind::TimedOut && error.raw_os_error().is_none() => {}
            Err(error) => return error,
        }
    }
}
