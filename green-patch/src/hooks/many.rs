//! `recvmmsg`, `sendmmsg`.

use std::ffi::{c_int, c_uint};
use std::ptr;

use green::layer::Direction;
use libc::{mmsghdr, timespec};

use super::poll::duration_of;
use super::receive::waits_for;
use crate::sys::{self, int, sys};
use crate::wait::{Waits, deadline};

/// Transfers messages until there are `count`, or as many as `enough`.
fn transfer(
    mut waits: Waits,
    (count, enough): (usize, usize),
    mut op: impl FnMut(usize) -> isize,
) -> isize {
    if !waits.begins() {
        return -(libc::EBADF as isize);
    }
    let mut done = 0;
    loop {
        let said = op(done);
        let errno = match said {
            0 => return done as isize,
            1.. => {
                done += said as usize;
                if done >= count || done >= enough {
                    return done as isize;
                }
                continue;
            }
            _ if sys::is(said, libc::EAGAIN) => match waits.wait() {
                Ok(()) => continue,
                Err(errno) => errno,
            },
            failed => -failed as c_int,
        };
        return match done {
            0 => -(errno as isize),
            _ => done as isize,
        };
    }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn recvmmsg(
    fd: c_int,
    messages: *mut mmsghdr,
    count: c_uint,
    flags: c_int,
    timeout: *mut timespec,
) -> c_int {
    let Some(seen) = waits_for(fd, flags).filter(|_| count > 0) else {
        // SAFETY: as the caller vouches for.
        return int(unsafe { sys!(SYS_recvmmsg, fd, messages, count, flags, timeout) });
    };
    // SAFETY: as the caller vouches for.
    let after = unsafe { timeout.as_ref() }.and_then(|time| duration_of(*time));
    let waits = match after {
        Some(after) => Waits::until(seen, Direction::Read, deadline(Some(after))),
        None => Waits::new(seen, Direction::Read),
    };
    let enough = match flags & libc::MSG_WAITFORONE {
        0 => count as usize,
        _ => 1,
    };
    let none: *mut timespec = ptr::null_mut();
    let now = flags & !libc::MSG_WAITFORONE | libc::MSG_DONTWAIT;
    int(transfer(waits, (count as usize, enough), |done| {
        // SAFETY: as the caller vouches for; the rest of the messages.
        unsafe {
            sys!(
                SYS_recvmmsg,
                fd,
                messages.add(done),
                count as usize - done,
                now,
                none
            )
        }
    }))
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn sendmmsg(
    fd: c_int,
    messages: *mut mmsghdr,
    count: c_uint,
    flags: c_int,
) -> c_int {
    let Some(seen) = waits_for(fd, flags).filter(|_| count > 0) else {
        // SAFETY: as the caller vouches for.
        return int(unsafe { sys!(SYS_sendmmsg, fd, messages, count, flags) });
    };
    let waits = Waits::new(seen, Direction::Write);
    let count = count as usize;
    int(transfer(waits, (count, count), |done| {
        let now = flags | libc::MSG_DONTWAIT;
        // SAFETY: as the caller vouches for; the rest of the messages.
        unsafe { sys!(SYS_sendmmsg, fd, messages.add(done), count - done, now) }
    }))
}
