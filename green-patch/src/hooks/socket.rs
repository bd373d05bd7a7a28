//! `socket`, `socketpair`, `pipe`, `pipe2`: what a number is that the system has just given out.

use std::ffi::c_int;

use crate::active::is_armed;
use crate::known::{self, Kind, Mode};
use crate::sys::{int, sys};

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int {
    // SAFETY: as the caller vouches for.
    let said = unsafe { sys!(SYS_socket, domain, kind, protocol) };
    if said >= 0 && is_armed() {
        let nonblocking = kind & libc::SOCK_NONBLOCK != 0;
        let mode = Mode::fresh(Kind::of_socket(domain, kind, protocol), nonblocking);
        known::born(said as c_int, mode);
    }
    int(said)
}

/// # Safety
/// The system has written two numbers there.
unsafe fn both_born(pair: *const c_int, mode: Mode) {
    // SAFETY: as the caller vouches for.
    for fd in unsafe { [*pair, *pair.add(1)] } {
        known::born(fd, mode);
    }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn socketpair(
    domain: c_int,
    kind: c_int,
    protocol: c_int,
    pair: *mut c_int,
) -> c_int {
    // SAFETY: as the caller vouches for.
    let said = unsafe { sys!(SYS_socketpair, domain, kind, protocol, pair) };
    if said == 0 && is_armed() {
        let nonblocking = kind & libc::SOCK_NONBLOCK != 0;
        let mode = Mode::fresh(Kind::of_socket(domain, kind, protocol), nonblocking);
        // SAFETY: the call has succeeded.
        unsafe { both_born(pair, mode) };
    }
    int(said)
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn pipe2(pair: *mut c_int, flags: c_int) -> c_int {
    // SAFETY: as the caller vouches for.
    let said = unsafe { sys!(SYS_pipe2, pair, flags) };
    if said == 0 && is_armed() {
        let mode = Mode::fresh(Kind::Pipe, flags & libc::O_NONBLOCK != 0);
        // SAFETY: the call has succeeded.
        unsafe { both_born(pair, mode) };
    }
    int(said)
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn pipe(pair: *mut c_int) -> c_int {
    // SAFETY: as the caller vouches for.
    unsafe { pipe2(pair, 0) }
}
