//! `flock`, `lockf`, and those commands of `fcntl` that wait for a lock of a file.
//!
//! The system tells nobody that a lock is free but those who block for it: a greenthread asks from time to time. What
//! blocks is told that it would wait for ever (`EDEADLK`), and what asks is not.

use std::ffi::c_int;

use green::layer::{self, WaitEnd};
use libc::off_t;

use super::mode::fcntl;
use crate::active::{Part, is_green};
use crate::known;
use crate::sys::{self, int, next, sys};
use crate::wait::Pause;

/// Asks until the lock is there, or the number is another file's.
fn wait_for_lock(fd: c_int, mut ask: impl FnMut() -> isize) -> isize {
    layer::spend();
    let seen = known::look(fd);
    let mut pause = Pause::new();
    loop {
        let said = ask();
        if !sys::is(said, libc::EAGAIN) {
            return said;
        }
        let errno = sys::errno();
        let ended = pause.wait(None);
        sys::set_errno(errno);
        if let WaitEnd::Interrupted = ended {
            return -(libc::ECANCELED as isize);
        }
        if seen.is_some_and(|seen| !seen.is_open()) {
            return -(libc::EBADF as isize);
        }
    }
}

/// The command of `fcntl` that asks once for what this one waits for.
pub(super) fn that_asks(command: c_int) -> Option<c_int> {
    let asks = match command {
        libc::F_SETLKW => libc::F_SETLK,
        libc::F_OFD_SETLKW => libc::F_OFD_SETLK,
        _ => return None,
    };
    is_green(Part::Os).then_some(asks)
}

/// Waits for a lock by a command of `fcntl` that [asks](that_asks) for it.
///
/// # Safety
/// As the manual of `fcntl` says.
pub(super) unsafe fn by_fcntl(fd: c_int, asks: c_int, argument: usize) -> isize {
    // SAFETY: as the caller vouches for.
    wait_for_lock(fd, || unsafe { sys!(SYS_fcntl, fd, asks, argument) })
}

/// As libc's.
///
/// # Safety
/// None is needed.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn flock(fd: c_int, operation: c_int) -> c_int {
    let waits = operation & (libc::LOCK_NB | libc::LOCK_UN) == 0;
    if !waits || !is_green(Part::Os) {
        // SAFETY: numbers.
        return int(unsafe { sys!(SYS_flock, fd, operation) });
    }
    let asks = operation | libc::LOCK_NB;
    // SAFETY: numbers.
    int(wait_for_lock(fd, || unsafe { sys!(SYS_flock, fd, asks) }))
}

/// As libc's.
///
/// # Safety
/// None is needed.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn lockf(fd: c_int, command: c_int, len: off_t) -> c_int {
    type Lockf = unsafe extern "C" fn(c_int, c_int, off_t) -> c_int;

    if command != libc::F_LOCK || !is_green(Part::Os) {
        // SAFETY: numbers.
        return unsafe { next!(c"lockf" as Lockf)(fd, command, len) };
    }
    // SAFETY: a description of zeros is one.
    let mut part: libc::flock = unsafe { std::mem::zeroed() };
    part.l_type = libc::F_WRLCK as _;
    part.l_whence = libc::SEEK_CUR as _;
    part.l_len = len;
    // SAFETY: the description is here.
    unsafe { fcntl(fd, libc::F_SETLKW, (&raw mut part).addr()) }
}

/// As libc's: another name of `lockf`, since files may be large in either.
///
/// # Safety
/// None is needed.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn lockf64(fd: c_int, command: c_int, len: off_t) -> c_int {
    // SAFETY: numbers.
    unsafe { lockf(fd, command, len) }
}
