//! `open`, `epoll_create`, `eventfd` and whatever else gives out a number: one that is remembered was closed unseen.
//!
//! What is in libc already calls none of these names, and what makes the system call itself comes to
//! [`syscall`](crate::futex) at best: [`before`] and [`after`] are for that.

use std::ffi::{c_char, c_int, c_long, c_uint};

use libc::sigset_t;

use super::close::{ends, ends_all};
use super::fifo;
use super::poll::SIGSET;
use crate::sys::{int, sys};

/// Forgets what is remembered of this number: it is about a file that was closed unseen.
fn given(said: isize) -> c_int {
    if said >= 0 {
        ends(said as c_int);
    }
    int(said)
}

/// True if a file may be made, so that the caller passes its mode.
pub(super) fn may_make(flags: c_int) -> bool {
    flags & libc::O_CREAT != 0 || flags & libc::O_TMPFILE == libc::O_TMPFILE
}

fn mode_if_made(flags: c_int, mode: c_uint) -> c_uint {
    if may_make(flags) { mode } else { 0 }
}

/// As libc's. It is declared with a variable number of arguments, of which the system takes one.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn openat(
    at: c_int,
    path: *const c_char,
    flags: c_int,
    mode: c_uint,
) -> c_int {
    // SAFETY: as the caller vouches for.
    if let Some(said) = unsafe { fifo::open(at, path, flags) } {
        return int(said);
    }
    // SAFETY: as the caller vouches for.
    given(unsafe { sys!(SYS_openat, at, path, flags, mode_if_made(flags, mode)) })
}

/// As libc's. It is declared with a variable number of arguments, of which the system takes one.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: as the caller vouches for.
    unsafe { openat(libc::AT_FDCWD, path, flags, mode) }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn creat(path: *const c_char, mode: c_uint) -> c_int {
    let flags = libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC;
    // SAFETY: as the caller vouches for.
    unsafe { openat(libc::AT_FDCWD, path, flags, mode) }
}

/// As libc's: another name of `openat`, since files may be large in either.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn openat64(
    at: c_int,
    path: *const c_char,
    flags: c_int,
    mode: c_uint,
) -> c_int {
    // SAFETY: as the caller vouches for.
    unsafe { openat(at, path, flags, mode) }
}

/// As libc's: another name of `open`.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: as the caller vouches for.
    unsafe { openat(libc::AT_FDCWD, path, flags, mode) }
}

/// As libc's: another name of `creat`.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn creat64(path: *const c_char, mode: c_uint) -> c_int {
    // SAFETY: as the caller vouches for.
    unsafe { creat(path, mode) }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn epoll_create1(flags: c_int) -> c_int {
    // SAFETY: as the caller vouches for.
    given(unsafe { sys!(SYS_epoll_create1, flags) })
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn epoll_create(size: c_int) -> c_int {
    match size {
        // SAFETY: as the caller vouches for.
        1.. => unsafe { epoll_create1(0) },
        _ => int(-(libc::EINVAL as isize)),
    }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn eventfd(count: c_uint, flags: c_int) -> c_int {
    // SAFETY: as the caller vouches for.
    given(unsafe { sys!(SYS_eventfd2, count, flags) })
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn timerfd_create(clock: c_int, flags: c_int) -> c_int {
    // SAFETY: as the caller vouches for.
    given(unsafe { sys!(SYS_timerfd_create, clock, flags) })
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn signalfd(fd: c_int, mask: *const sigset_t, flags: c_int) -> c_int {
    // SAFETY: as the caller vouches for.
    let said = unsafe { sys!(SYS_signalfd4, fd, mask, SIGSET, flags) };
    if fd == -1 { given(said) } else { int(said) }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn inotify_init1(flags: c_int) -> c_int {
    // SAFETY: as the caller vouches for.
    given(unsafe { sys!(SYS_inotify_init1, flags) })
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn inotify_init() -> c_int {
    // SAFETY: as the caller vouches for.
    unsafe { inotify_init1(0) }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn memfd_create(name: *const c_char, flags: c_uint) -> c_int {
    // SAFETY: as the caller vouches for.
    given(unsafe { sys!(SYS_memfd_create, name, flags) })
}

/// Before a system call by its number: those that end a number.
pub(crate) fn before(number: c_long, arguments: [usize; 6]) {
    const LATER: usize = libc::CLOSE_RANGE_CLOEXEC as usize;
    match number {
        libc::SYS_close => ends(arguments[0] as c_int),
        libc::SYS_close_range if arguments[2] & LATER == 0 => {
            ends_all(arguments[0] as c_uint, arguments[1] as c_uint);
        }
        libc::SYS_dup3 => ends(arguments[1] as c_int),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_dup2 if arguments[0] != arguments[1] => ends(arguments[1] as c_int),
        _ => {}
    }
}

/// After a system call by its number that has succeeded: those that give out one number, or two.
///
/// # Safety
/// The system has just said this of a call with these arguments.
pub(crate) unsafe fn after(number: c_long, arguments: [usize; 6], said: isize) {
    let pair = match number {
        libc::SYS_openat
        | libc::SYS_openat2
        | libc::SYS_socket
        | libc::SYS_accept
        | libc::SYS_accept4
        | libc::SYS_dup
        | libc::SYS_epoll_create1
        | libc::SYS_eventfd2
        | libc::SYS_timerfd_create
        | libc::SYS_signalfd4
        | libc::SYS_inotify_init1
        | libc::SYS_memfd_create
        | libc::SYS_pidfd_open
        | libc::SYS_pidfd_getfd
        | libc::SYS_perf_event_open
        | libc::SYS_fanotify_init
        | libc::SYS_userfaultfd
        | libc::SYS_io_uring_setup => return ends(said as c_int),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_open
        | libc::SYS_creat
        | libc::SYS_epoll_create
        | libc::SYS_eventfd
        | libc::SYS_signalfd
        | libc::SYS_inotify_init => return ends(said as c_int),
        libc::SYS_socketpair => arguments[3],
        libc::SYS_pipe2 => arguments[0],
        #[cfg(target_arch = "x86_64")]
        libc::SYS_pipe => arguments[0],
        _ => return,
    };
    // SAFETY: the caller vouches that the system has written two numbers there.
    unsafe { (pair as *const [c_int; 2]).read() }
        .into_iter()
        .for_each(ends);
}
