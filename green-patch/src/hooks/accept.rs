//! `accept`, `accept4`.

use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use green::layer::{self, Direction};
use libc::{sockaddr, socklen_t};

use super::poll::is_ready_now;
use super::receive::waits_for;
use crate::active::is_armed;
use crate::known::{self, Seen, is_contended};
use crate::sys::{int, sys};
use crate::wait::retry;

/// One lock for some numbers, held for the length of two system calls.
static FLIPS: [AtomicBool; 64] = [const { AtomicBool::new(false) }; 64];

/// Makes a call that must not wait on a descriptor that blocks, and that knows no flag for that: in non-blocking mode for
/// the length of the call. Another thread that does the same waits meanwhile.
pub(super) fn without_blocking(fd: c_int, call: impl FnOnce() -> isize) -> isize {
    let lock = &FLIPS[fd as usize % FLIPS.len()];
    while lock.swap(true, Ordering::Acquire) {
        std::hint::spin_loop();
    }
    // SAFETY: asks for the flags.
    let flags = unsafe { sys!(SYS_fcntl, fd, libc::F_GETFL) };
    let said = match flags {
        0.. => {
            // SAFETY: sets flags that were asked for, and one that is taken back below.
            unsafe {
                sys!(
                    SYS_fcntl,
                    fd,
                    libc::F_SETFL,
                    flags | libc::O_NONBLOCK as isize
                )
            };
            let said = call();
            // SAFETY: as they were.
            unsafe { sys!(SYS_fcntl, fd, libc::F_SETFL, flags) };
            said
        }
        failed => failed,
    };
    lock.store(false, Ordering::Release);
    said
}

/// A number for this thread that no other has had.
fn thread() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    greenlet::per_thread! {
        static MINE: std::cell::Cell<u32> = std::cell::Cell::new(0);
    }
    MINE.with(|mine| {
        if mine.get() == 0 {
            mine.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        mine.get()
    })
}

/// # Safety
/// As for `accept4`.
unsafe fn accept_now(seen: Seen, from: *mut sockaddr, len: *mut socklen_t, flags: c_int) -> isize {
    if !is_ready_now(seen.fd, Direction::Read) {
        return -(libc::EAGAIN as isize);
    }
    // SAFETY: as the caller vouches for.
    let call = || unsafe { sys!(SYS_accept4, seen.fd, from, len, flags) };
    match is_contended(seen.fd, thread()) {
        // Another may take the connection between the look and the call.
        true => without_blocking(seen.fd, call),
        false => call(),
    }
}

/// It is of the kind of its listener, and has that one's timeouts.
fn accepted(listener: c_int, fd: c_int, flags: c_int) {
    let seen = match layer::may_park() {
        true => known::look(listener),
        false => None,
    };
    match seen {
        Some(seen) => {
            let nonblocking = flags & libc::SOCK_NONBLOCK != 0;
            known::born(fd, seen.mode.accepted(nonblocking));
        }
        None => known::closed(fd),
    }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn accept4(
    fd: c_int,
    from: *mut sockaddr,
    len: *mut socklen_t,
    flags: c_int,
) -> c_int {
    let said = match waits_for(fd, 0) {
        // SAFETY: as the caller vouches for.
        None => unsafe { sys!(SYS_accept4, fd, from, len, flags) },
        // SAFETY: as the caller vouches for.
        Some(seen) => retry(seen, Direction::Read, || unsafe {
            accept_now(seen, from, len, flags)
        }),
    };
    if said >= 0 && is_armed() {
        accepted(fd, said as c_int, flags);
    }
    int(said)
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn accept(
    fd: c_int,
    from: *mut sockaddr,
    len: *mut socklen_t,
) -> c_int {
    // SAFETY: as the caller vouches for.
    unsafe { accept4(fd, from, len, 0) }
}
