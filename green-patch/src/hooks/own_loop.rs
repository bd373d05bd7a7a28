//! Libraries with an event loop of their own, as those have that block on tokio.
//!
//! Such a loop takes an error of its wait for the end of the world: tokio's panics, and is of no use afterwards. What it
//! copes with is a connection that ends. So where a kill or a deadline cuts its wait short, the connections that it
//! waits for are shut down: the loop finds them at their ends, and the call that waits for an answer fails.

use std::ffi::{c_int, c_void};
use std::fs;

use crate::sys::sys;

/// Shuts down the connections over IP that an epoll has been told of. False if there are none.
pub(super) fn end_connections(epoll: c_int) -> bool {
    let Ok(known) = fs::read_to_string(format!("/proc/self/fdinfo/{epoll}")) else {
        return false;
    };
    let mut any = false;
    for fd in descriptors(&known).filter(|fd| is_connection(*fd)) {
        // SAFETY: the call takes numbers alone.
        any |= unsafe { sys!(SYS_shutdown, fd, libc::SHUT_RDWR) } == 0;
    }
    any
}

/// The numbers in lines like `tfd:        5 events: 8000201d data: 7f0000000010`.
fn descriptors(known: &str) -> impl Iterator<Item = c_int> + '_ {
    let numbers = known.lines().filter_map(|line| line.strip_prefix("tfd:"));
    numbers.filter_map(|line| line.split_whitespace().next()?.parse().ok())
}

/// True for a socket of TCP that has a peer. Others are how threads and handlers of signals wake a loop.
fn is_connection(fd: c_int) -> bool {
    let mut storage = std::mem::MaybeUninit::<libc::sockaddr_storage>::uninit();
    let mut length = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    // SAFETY: there is as much room as `length` says, and the system writes no more.
    let said = unsafe {
        sys!(
            SYS_getpeername,
            fd,
            storage.as_mut_ptr().cast::<c_void>(),
            &raw mut length
        )
    };
    if said != 0 {
        return false;
    }
    // SAFETY: the call has succeeded: the family stands first.
    let family = unsafe { (*storage.as_ptr()).ss_family };
    matches!(c_int::from(family), libc::AF_INET | libc::AF_INET6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_descriptors_of_an_epoll_are_read() {
        let text = "pos:\t0\nflags:\t02\ntfd:        5 events: 8000201d data: 10  pos:0 ino:1\ntfd:       12 events: 1\n";
        assert_eq!(descriptors(text).collect::<Vec<_>>(), [5, 12]);
        assert_eq!(descriptors("pos:\t0\n").count(), 0);
    }
}
