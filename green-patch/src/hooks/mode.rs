//! `fcntl`, `ioctl`, `setsockopt`: what changes how the calls of a descriptor wait.

use std::ffi::{c_int, c_ulong, c_void};

use libc::socklen_t;

use super::close::ends;
use super::lock;
use crate::active::is_armed;
use crate::known;
use crate::sys::{int, sys};

/// Notes that the mode of a descriptor has changed, and with it if its calls wait. One whose calls do not belongs to
/// code that waits for it by other means, which may want to have the hub watch it.
fn changes(fd: c_int, nonblocking: bool) {
    known::mode_changed(fd);
    if nonblocking {
        known::forget(fd);
    }
}

/// As libc's. It is declared with a variable number of arguments, of which the system takes one.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn fcntl(fd: c_int, command: c_int, argument: usize) -> c_int {
    if let Some(asks) = lock::that_asks(command) {
        // SAFETY: as the caller vouches for.
        return int(unsafe { lock::by_fcntl(fd, asks, argument) });
    }
    // SAFETY: as the caller vouches for.
    let said = unsafe { sys!(SYS_fcntl, fd, command, argument) };
    if is_armed() {
        match command {
            libc::F_SETFL => changes(fd, argument as c_int & libc::O_NONBLOCK != 0),
            libc::F_DUPFD | libc::F_DUPFD_CLOEXEC if said >= 0 => {
                known::shared(fd);
                ends(said as c_int);
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
        // SAFETY: the system has read an int there, or has failed to.
        changes(fd, said == 0 && unsafe { *(argument as *const c_int) } != 0);
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
