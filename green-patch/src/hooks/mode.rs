//! `fcntl`, `ioctl`, `setsockopt`: what changes how the calls of a descriptor wait.

use std::ffi::{c_int, c_ulong, c_void};

use libc::socklen_t;

use crate::active::is_armed;
use crate::known;
use crate::sys::{int, sys};

/// As libc's. It is declared with a variable number of arguments, of which the system takes one.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn fcntl(fd: c_int, command: c_int, argument: usize) -> c_int {
    // SAFETY: as the caller vouches for.
    let said = unsafe { sys!(SYS_fcntl, fd, command, argument) };
    if is_armed() {
        match command {
            libc::F_SETFL => known::mode_changed(fd),
            libc::F_DUPFD | libc::F_DUPFD_CLOEXEC if said >= 0 => {
                known::shared(fd);
                known::closed(said as c_int);
            }
            _ => {}
        }
    }
    int(said)
}

/// As libc's: another name of `fcntl`.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn fcntl64(fd: c_int, command: c_int, argument: usize) -> c_int {
    // SAFETY: as the caller vouches for.
    unsafe { fcntl(fd, command, argument) }
}

/// As libc's. It is declared with a variable number of arguments, of which the system takes one.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn ioctl(fd: c_int, request: c_ulong, argument: usize) -> c_int {
    // SAFETY: as the caller vouches for.
    let said = unsafe { sys!(SYS_ioctl, fd, request, argument) };
    if request == libc::FIONBIO as c_ulong && is_armed() {
        known::mode_changed(fd);
    }
    int(said)
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn setsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *const c_void,
    len: socklen_t,
) -> c_int {
    // SAFETY: as the caller vouches for.
    let said = unsafe { sys!(SYS_setsockopt, fd, level, name, value, len) };
    let is_timeout =
        level == libc::SOL_SOCKET && [libc::SO_RCVTIMEO, libc::SO_SNDTIMEO].contains(&name);
    if is_timeout && is_armed() {
        known::mode_changed(fd);
    }
    int(said)
}
