//! `sendfile`, `splice`. (`copy_file_range` copies between regular files only, whose calls do not wait in this sense.)

use std::ffi::{c_int, c_uint};

use green::layer::{self, Direction};
use libc::{off_t, size_t, ssize_t};

use super::accept::without_blocking;
use super::poll::is_ready_now;
use crate::active::{Part, is_green};
use crate::known::{self, Kind, Seen};
use crate::sys::{self, outcome, sys};
use crate::wait::Waits;

/// The descriptor, if it is one that blocks and that there is something to wait for at.
fn waits_for(fd: c_int) -> Option<Seen> {
    known::look(fd).filter(|seen| !seen.mode.nonblocking && seen.mode.kind != Kind::File)
}

/// True if one of its ends says that no call of it may wait.
fn is_nonblocking(fd: c_int) -> bool {
    known::look(fd).is_none_or(|seen| seen.mode.nonblocking)
}

/// Makes the call in non-blocking mode of those ends that wait, until it says something other than `EAGAIN`.
fn transfer(from: c_int, to: c_int, mut call: impl FnMut() -> isize) -> isize {
    layer::spend();
    let ends = [(from, Direction::Read), (to, Direction::Write)];
    let mut waits = ends.map(|(fd, direction)| Some(Waits::new(waits_for(fd)?, direction)));
    loop {
        let mut waited = false;
        for (wait, (fd, direction)) in waits.iter_mut().zip(ends) {
            let Some(wait) = wait else {
                continue;
            };
            while !is_ready_now(fd, direction) {
                waited = true;
                if let Err(errno) = wait.wait() {
                    return -(errno as isize);
                }
            }
        }
        if waited {
            // The first may have changed while the second was waited for.
            continue;
        }
        let said = match (waits_for(from), waits_for(to)) {
            (Some(_), Some(_)) => without_blocking(from, || within(from, to, &mut call)),
            (Some(_), None) => without_blocking(from, &mut call),
            (None, Some(_)) => without_blocking(to, &mut call),
            (None, None) => call(),
        };
        if !sys::is(said, libc::EAGAIN) {
            return said;
        }
    }
}

/// Both ends: unless one lock stands for the two.
fn within(from: c_int, to: c_int, call: &mut impl FnMut() -> isize) -> isize {
    match from % 64 == to % 64 {
        true => call(),
        false => without_blocking(to, call),
    }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn sendfile(
    to: c_int,
    from: c_int,
    offset: *mut off_t,
    count: size_t,
) -> ssize_t {
    // SAFETY: as the caller vouches for.
    let call = || unsafe { sys!(SYS_sendfile, to, from, offset, count) };
    if !is_green(Part::Socket) || is_nonblocking(to) {
        return outcome(call());
    }
    outcome(transfer(from, to, call))
}

/// As libc's: another name of `sendfile`.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn sendfile64(
    to: c_int,
    from: c_int,
    offset: *mut off_t,
    count: size_t,
) -> ssize_t {
    // SAFETY: as the caller vouches for.
    unsafe { sendfile(to, from, offset, count) }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn splice(
    from: c_int,
    from_offset: *mut off_t,
    to: c_int,
    to_offset: *mut off_t,
    count: size_t,
    flags: c_uint,
) -> ssize_t {
    let call = |flags: c_uint| {
        // SAFETY: as the caller vouches for.
        unsafe { sys!(SYS_splice, from, from_offset, to, to_offset, count, flags) }
    };
    if flags & libc::SPLICE_F_NONBLOCK != 0 || !is_green(Part::Os) {
        return outcome(call(flags));
    }
    if is_nonblocking(from) || is_nonblocking(to) {
        return outcome(call(flags));
    }
    outcome(transfer(from, to, || call(flags | libc::SPLICE_F_NONBLOCK)))
}
