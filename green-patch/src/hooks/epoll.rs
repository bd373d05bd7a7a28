//! `epoll_wait`, `epoll_pwait`, `epoll_pwait2`: an epoll is itself a descriptor that can be waited for.

use std::ffi::c_int;
use std::ptr;
use std::time::Duration;

use green::layer::Interest;
use libc::{epoll_event, sigset_t, timespec};

use super::own_loop::end_connections;
use super::poll::{SIGSET, duration_of, wait_for};
use crate::active::{Part, is_green};
use crate::sys::{self, int, sys};
use crate::wait::deadline;

/// # Safety
/// As for `epoll_pwait`.
unsafe fn ask(
    fd: c_int,
    events: *mut epoll_event,
    most: c_int,
    timeout: c_int,
    mask: *const sigset_t,
) -> isize {
    // SAFETY: as the caller vouches for.
    unsafe { sys!(SYS_epoll_pwait, fd, events, most, timeout, mask, SIGSET) }
}

/// # Safety
/// As for `epoll_pwait2`.
unsafe fn wait(
    fd: c_int,
    events: *mut epoll_event,
    most: c_int,
    timeout: Option<Duration>,
    mask: *const sigset_t,
) -> c_int {
    let mut look = || {
        // SAFETY: as the caller vouches for.
        unsafe { ask(fd, events, most, 0, mask) }
    };
    let until = deadline(timeout);
    let said = wait_for(&[(fd, Interest::READ)], until, !mask.is_null(), &mut look);
    if sys::is(said, libc::ECANCELED) && end_connections(fd) {
        let ended = look();
        if ended > 0 {
            return int(ended);
        }
    }
    int(said)
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn epoll_wait(
    fd: c_int,
    events: *mut epoll_event,
    most: c_int,
    timeout: c_int,
) -> c_int {
    // SAFETY: as the caller vouches for.
    unsafe { epoll_pwait(fd, events, most, timeout, ptr::null()) }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn epoll_pwait(
    fd: c_int,
    events: *mut epoll_event,
    most: c_int,
    timeout: c_int,
    mask: *const sigset_t,
) -> c_int {
    if timeout == 0 || !is_green(Part::Select) {
        // SAFETY: as the caller vouches for.
        return int(unsafe { ask(fd, events, most, timeout, mask) });
    }
    let after = u64::try_from(timeout).ok().map(Duration::from_millis);
    // SAFETY: as the caller vouches for.
    unsafe { wait(fd, events, most, after, mask) }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn epoll_pwait2(
    fd: c_int,
    events: *mut epoll_event,
    most: c_int,
    timeout: *const timespec,
    mask: *const sigset_t,
) -> c_int {
    // SAFETY: as the caller vouches for.
    let after = unsafe { timeout.as_ref() }.map(|time| duration_of(*time));
    let waits = after != Some(None) && after != Some(Some(Duration::ZERO));
    if !waits || !is_green(Part::Select) {
        // SAFETY: as the caller vouches for.
        return int(unsafe { sys!(SYS_epoll_pwait2, fd, events, most, timeout, mask, SIGSET) });
    }
    // SAFETY: as the caller vouches for.
    unsafe { wait(fd, events, most, after.flatten(), mask) }
}
