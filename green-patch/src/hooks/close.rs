//! `close`, `close_range`, `closefrom`, `fclose`, `dup`, `dup2`, `dup3`, `shutdown`: what makes a number another file's.

use std::ffi::{c_int, c_uint};

use crate::active::is_armed;
use crate::known;
use crate::sys::{self, int, next, sys};

/// The number is about to become another file's, or nobody's: those who wait for it are to hear of that, and nothing that
/// is remembered of it is good any more.
pub(crate) fn ends(fd: c_int) {
    if is_armed() {
        // First, so that those who are woken see it.
        known::closed(fd);
        known::forget(fd);
    }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn close(fd: c_int) -> c_int {
    ends(fd);
    // SAFETY: as the caller vouches for.
    int(unsafe { sys!(SYS_close, fd) })
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn close_range(first: c_uint, last: c_uint, flags: c_int) -> c_int {
    const LATER: c_int = libc::CLOSE_RANGE_CLOEXEC as c_int;
    if flags & LATER == 0 {
        ends_all(first, last);
    }
    // SAFETY: as the caller vouches for.
    int(unsafe { sys!(SYS_close_range, first, last, flags) })
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn closefrom(first: c_int) {
    let first = first.max(0) as c_uint;
    // SAFETY: as the caller vouches for.
    if unsafe { close_range(first, c_uint::MAX, 0) } == 0 {
        return;
    }
    // A kernel that has no such call.
    for fd in first as c_int..limit() {
        // SAFETY: as the caller vouches for.
        unsafe { close(fd) };
    }
}

/// The number of a file of C, which is about to be closed within libc.
///
/// # Safety
/// A file that is open.
pub(super) unsafe fn ends_file(file: *mut libc::FILE) {
    if is_armed() {
        let errno = sys::errno();
        // SAFETY: as the caller vouches for. One that has no descriptor says -1, which is nobody's.
        ends(unsafe { libc::fileno(file) });
        sys::set_errno(errno);
    }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn fclose(file: *mut libc::FILE) -> c_int {
    type Close = unsafe extern "C" fn(*mut libc::FILE) -> c_int;

    // SAFETY: as the caller vouches for.
    unsafe {
        ends_file(file);
        next!(c"fclose" as Close)(file)
    }
}

pub(super) fn ends_all(first: c_uint, last: c_uint) {
    let end = last.min(limit() as c_uint);
    for fd in first..=end {
        ends(fd as c_int);
    }
}

/// No number is as high as this.
fn limit() -> c_int {
    let mut limits = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: there is room for what it says.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limits) };
    c_int::try_from(limits.rlim_cur.min(1 << 20)).unwrap_or(1 << 20)
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn dup(fd: c_int) -> c_int {
    // SAFETY: as the caller vouches for.
    let said = unsafe { sys!(SYS_dup, fd) };
    if said >= 0 && is_armed() {
        known::shared(fd);
        ends(said as c_int);
    }
    int(said)
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn dup2(fd: c_int, number: c_int) -> c_int {
    if fd == number {
        // SAFETY: asks for the flags of the number, which is an error if it is not open.
        let said = unsafe { sys!(SYS_fcntl, fd, libc::F_GETFD) };
        return int(if said < 0 { said } else { number as isize });
    }
    // SAFETY: as the caller vouches for.
    unsafe { dup3(fd, number, 0) }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn dup3(fd: c_int, number: c_int, flags: c_int) -> c_int {
    if is_armed() && fd != number {
        known::shared(fd);
        ends(number);
    }
    // SAFETY: as the caller vouches for.
    int(unsafe { sys!(SYS_dup3, fd, number, flags) })
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn shutdown(fd: c_int, how: c_int) -> c_int {
    // SAFETY: as the caller vouches for.
    let said = unsafe { sys!(SYS_shutdown, fd, how) };
    if said == 0 && is_armed() {
        // The system does not report it of every socket: those who wait look again, and are registered anew.
        known::forget(fd);
    }
    int(said)
}
