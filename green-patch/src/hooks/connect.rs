//! `connect`.

use std::ffi::c_int;

use green::layer::{Direction, WaitEnd};
use libc::{sockaddr, socklen_t};

use super::accept::without_blocking;
use super::poll::is_ready_now;
use super::receive::waits_for;
use crate::known::Seen;
use crate::sys::{self, int, sys};
use crate::wait::{Pause, Waits, begins, deadline};

/// # Safety
/// As for `connect`.
unsafe fn connect_now(fd: c_int, to: *const sockaddr, len: socklen_t) -> isize {
    // SAFETY: as the caller vouches for.
    without_blocking(fd, || unsafe { sys!(SYS_connect, fd, to, len) })
}

/// # Safety
/// As for `connect`.
unsafe fn connect_and_wait(seen: Seen, to: *const sockaddr, len: socklen_t) -> isize {
    // SAFETY: as the caller vouches for.
    let connect = || unsafe { connect_now(seen.fd, to, len) };
    let mut said = connect();
    let mut pause = Pause::new();
    let until = deadline(seen.mode.timeout(seen.fd, Direction::Write));
    while sys::is(said, libc::EAGAIN) {
        // The queue at the other end of a Unix socket is full, and nothing reports when it is not.
        match pause.wait(until) {
            WaitEnd::Expired => said = connect(),
            WaitEnd::Interrupted => return -(libc::ECANCELED as isize),
            WaitEnd::Ready | WaitEnd::Cannot(_) => return said,
        }
    }
    if !sys::is(said, libc::EINPROGRESS) && !sys::is(said, libc::EALREADY) {
        return said;
    }
    let mut waits = Waits::until(seen, Direction::Write, until);
    loop {
        match waits.wait() {
            Ok(()) if is_ready_now(seen.fd, Direction::Write) => {}
            Ok(()) => continue,
            // What a connect says whose time is over.
            Err(libc::EAGAIN) => return -(libc::EINPROGRESS as isize),
            Err(errno) => return -(errno as isize),
        }
        // It is over: this says how, once, and the socket counts as connected from then on.
        let said = connect();
        return match sys::is(said, libc::EISCONN) {
            true => 0,
            false => said,
        };
    }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn connect(fd: c_int, to: *const sockaddr, len: socklen_t) -> c_int {
    let seen = waits_for(fd, 0).filter(|seen| seen.mode.kind.is_stream());
    int(match seen {
        // SAFETY: as the caller vouches for.
        None => unsafe { sys!(SYS_connect, fd, to, len) },
        Some(seen) if !begins(seen) => -(libc::EBADF as isize),
        // SAFETY: as the caller vouches for.
        Some(seen) => unsafe { connect_and_wait(seen, to, len) },
    })
}
