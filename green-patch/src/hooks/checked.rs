//! The names by which C code calls these functions that was compiled to check the sizes of its buffers, and older names of
//! the same.

use std::ffi::{c_char, c_int, c_void};

use libc::{
    fd_set, nfds_t, pollfd, sigset_t, size_t, sockaddr, socklen_t, ssize_t, timespec, timeval,
};

use super::given;

unsafe extern "C" {
    /// Says that a buffer would overflow, and ends the process.
    fn __chk_fail() -> !;
}

fn check(wanted: usize, room: usize) {
    if wanted > room {
        // SAFETY: it ends the process.
        unsafe { __chk_fail() }
    }
}

/// As libc's.
///
/// # Safety
/// As for `read`.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn __read_chk(
    fd: c_int,
    buf: *mut c_void,
    len: size_t,
    room: size_t,
) -> ssize_t {
    check(len, room);
    // SAFETY: as the caller vouches for.
    unsafe { super::file::read(fd, buf, len) }
}

/// As libc's.
///
/// # Safety
/// As for `recv`.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn __recv_chk(
    fd: c_int,
    buf: *mut c_void,
    len: size_t,
    room: size_t,
    flags: c_int,
) -> ssize_t {
    check(len, room);
    // SAFETY: as the caller vouches for.
    unsafe { super::receive::recv(fd, buf, len, flags) }
}

/// As libc's.
///
/// # Safety
/// As for `recvfrom`.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn __recvfrom_chk(
    fd: c_int,
    buf: *mut c_void,
    len: size_t,
    room: size_t,
    flags: c_int,
    from: *mut sockaddr,
    from_len: *mut socklen_t,
) -> ssize_t {
    check(len, room);
    // SAFETY: as the caller vouches for.
    unsafe { super::receive::recvfrom(fd, buf, len, flags, from, from_len) }
}

/// As libc's.
///
/// # Safety
/// As for `poll`.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn __poll_chk(
    fds: *mut pollfd,
    count: nfds_t,
    timeout: c_int,
    room: size_t,
) -> c_int {
    check(count as usize, room / size_of::<pollfd>());
    // SAFETY: as the caller vouches for.
    unsafe { super::poll::poll(fds, count, timeout) }
}

/// As libc's.
///
/// # Safety
/// As for `ppoll`.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn __ppoll_chk(
    fds: *mut pollfd,
    count: nfds_t,
    timeout: *const timespec,
    mask: *const sigset_t,
    room: size_t,
) -> c_int {
    check(count as usize, room / size_of::<pollfd>());
    // SAFETY: as the caller vouches for.
    unsafe { super::poll::ppoll(fds, count, timeout, mask) }
}

/// As libc's.
///
/// # Safety
/// As for `poll`.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn __poll(fds: *mut pollfd, count: nfds_t, timeout: c_int) -> c_int {
    // SAFETY: as the caller vouches for.
    unsafe { super::poll::poll(fds, count, timeout) }
}

/// As libc's.
///
/// # Safety
/// As for `select`.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn __select(
    count: c_int,
    read: *mut fd_set,
    write: *mut fd_set,
    except: *mut fd_set,
    timeout: *mut timeval,
) -> c_int {
    // SAFETY: as the caller vouches for.
    unsafe { super::select::select(count, read, write, except, timeout) }
}

/// Ends the process if a mode is missing.
fn check_flags(flags: c_int) {
    if given::may_make(flags) {
        // SAFETY: it ends the process.
        unsafe { __chk_fail() }
    }
}

/// As libc's: `open` without a mode.
///
/// # Safety
/// As for `open`.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn __open_2(path: *const c_char, flags: c_int) -> c_int {
    check_flags(flags);
    // SAFETY: as the caller vouches for.
    unsafe { given::open(path, flags, 0) }
}

/// As libc's: another name of `__open_2`, since files may be large in either.
///
/// # Safety
/// As for `open`.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn __open64_2(path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: as the caller vouches for.
    unsafe { __open_2(path, flags) }
}

/// As libc's: `openat` without a mode.
///
/// # Safety
/// As for `openat`.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn __openat_2(at: c_int, path: *const c_char, flags: c_int) -> c_int {
    check_flags(flags);
    // SAFETY: as the caller vouches for.
    unsafe { given::openat(at, path, flags, 0) }
}

/// As libc's: another name of `__openat_2`, since files may be large in either.
///
/// # Safety
/// As for `openat`.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn __openat64_2(
    at: c_int,
    path: *const c_char,
    flags: c_int,
) -> c_int {
    // SAFETY: as the caller vouches for.
    unsafe { __openat_2(at, path, flags) }
}
