//! `read`, `write`, `readv`, `writev`.

use std::ffi::{c_int, c_void};
use std::ptr;

use green::layer::Direction;
use libc::{iovec, size_t, ssize_t};

use super::poll::is_ready_now;
use super::receive::receive;
use super::send::{Parts, flags_after, send_all, send_message};
use crate::active::{Part, parts, threads_are_allowed};
use crate::known::{self, Kind, Seen};
use crate::sys::{self, outcome, sys};
use crate::wait::{Waits, retry};

/// A pipe that says that there is room has room for this much at least (`PIPE_BUF`).
const ALWAYS_ROOM: usize = 4096;

/// What the calls that take an offset are given for where the file stands: -1.
const NO_OFFSET: usize = usize::MAX;

/// The descriptor, if a transfer of it is to wait on the hub.
#[inline]
fn waits_for(fd: c_int) -> Option<Seen> {
    let parts = parts();
    let has = |part: Part| parts & part as u8 != 0;
    let (os, socket) = (has(Part::Os), has(Part::Socket));
    if !os && !socket {
        return None;
    }
    if is_standard(fd) && !threads_are_allowed() {
        return None;
    }
    known::look(fd).filter(|seen| {
        !seen.mode.nonblocking
            && match seen.mode.kind {
                Kind::File => false,
                kind if kind.is_socket() => socket,
                _ => os,
            }
    })
}

/// True for what std guards by locks, which it holds during a transfer: no greenthread may be left in the middle of one
/// whose neighbours would then wait for the lock as threads do.
fn is_standard(fd: c_int) -> bool {
    (0..=2).contains(&fd)
}

/// True if the system cannot be asked to transfer without a wait on this descriptor.
fn knows_no_nowait(said: isize) -> bool {
    [libc::EOPNOTSUPP, libc::ENOSYS, libc::EINVAL]
        .iter()
        .any(|&errno| sys::is(said, errno))
}

/// Reads from what is no socket, without a wait.
///
/// # Safety
/// As for `readv`.
unsafe fn read_now(seen: Seen, parts: *const iovec, count: c_int) -> isize {
    if seen.mode.kind == Kind::Pipe {
        // SAFETY: as the caller vouches for; there is no offset, as for `readv`.
        let said = unsafe {
            sys!(
                SYS_preadv2,
                seen.fd,
                parts,
                count,
                NO_OFFSET,
                0,
                libc::RWF_NOWAIT
            )
        };
        if !knows_no_nowait(said) {
            return said;
        }
    }
    if !is_ready_now(seen.fd, Direction::Read) {
        return -(libc::EAGAIN as isize);
    }
    // SAFETY: as the caller vouches for.
    unsafe { sys!(SYS_readv, seen.fd, parts, count) }
}

/// Writes to what is no socket, without a wait: as much as there is room for.
///
/// # Safety
/// As for `writev`.
unsafe fn write_now(seen: Seen, parts: &[iovec]) -> isize {
    if seen.mode.kind == Kind::Pipe {
        let (at, count) = (parts.as_ptr(), parts.len());
        // SAFETY: as the caller vouches for; there is no offset, as for `writev`.
        let said = unsafe {
            sys!(
                SYS_pwritev2,
                seen.fd,
                at,
                count,
                NO_OFFSET,
                0,
                libc::RWF_NOWAIT
            )
        };
        if !knows_no_nowait(said) {
            return said;
        }
    }
    let Some(&(mut part)) = parts.iter().find(|part| part.iov_len > 0) else {
        return 0;
    };
    if seen.mode.kind == Kind::Pipe {
        part.iov_len = part.iov_len.min(ALWAYS_ROOM);
    }
    if !is_ready_now(seen.fd, Direction::Write) {
        return -(libc::EAGAIN as isize);
    }
    // SAFETY: as the caller vouches for.
    unsafe { sys!(SYS_writev, seen.fd, &raw const part, 1) }
}

/// Writes all of it, as what blocks does.
///
/// # Safety
/// As for `writev`.
unsafe fn write_all(seen: Seen, parts: &Parts<'_>) -> isize {
    let wanted = parts.len();
    let mut waits = Waits::new(seen, Direction::Write);
    let mut done = 0;
    loop {
        let said = match done {
            // SAFETY: as the caller vouches for.
            0 => unsafe { write_now(seen, parts.all()) },
            // SAFETY: as the caller vouches for.
            _ => unsafe { write_now(seen, &parts.after(done)) },
        };
        if said >= 0 {
            done += said as usize;
            if said == 0 || done >= wanted || !is_filled(seen.mode.kind) {
                return done as isize;
            }
            continue;
        }
        let errno = match sys::is(said, libc::EAGAIN) {
            false => -said as c_int,
            true => match waits.wait() {
                Ok(()) => continue,
                Err(errno) => errno,
            },
        };
        return match done {
            0 => -(errno as isize),
            _ => done as isize,
        };
    }
}

/// True if a write that blocks goes on until all is written.
fn is_filled(kind: Kind) -> bool {
    matches!(kind, Kind::Pipe | Kind::Device)
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn read(fd: c_int, buf: *mut c_void, len: size_t) -> ssize_t {
    let Some(seen) = waits_for(fd).filter(|_| len > 0) else {
        // SAFETY: as the caller vouches for.
        return outcome(unsafe { sys!(SYS_read, fd, buf, len) });
    };
    if seen.mode.kind.is_socket() {
        return outcome(receive(seen, 0, len, |_| {
            let none: *mut c_void = ptr::null_mut();
            // SAFETY: as the caller vouches for.
            unsafe { sys!(SYS_recvfrom, fd, buf, len, libc::MSG_DONTWAIT, none, none) }
        }));
    }
    let part = iovec {
        iov_base: buf,
        iov_len: len,
    };
    // SAFETY: as the caller vouches for.
    let op = || unsafe { read_now(seen, &raw const part, 1) };
    outcome(retry(seen, Direction::Read, op))
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn readv(fd: c_int, parts: *const iovec, count: c_int) -> ssize_t {
    let Some(seen) = waits_for(fd).filter(|_| !parts.is_null() && count > 0) else {
        // SAFETY: as the caller vouches for.
        return outcome(unsafe { sys!(SYS_readv, fd, parts, count) });
    };
    if !seen.mode.kind.is_socket() {
        // SAFETY: as the caller vouches for.
        let op = || unsafe { read_now(seen, parts, count) };
        return outcome(retry(seen, Direction::Read, op));
    }
    // SAFETY: as the caller vouches for.
    let wanted = unsafe { Parts::new(parts, count as usize) }.len();
    // SAFETY: a message of zeros is an empty one.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = parts.cast_mut();
    message.msg_iovlen = count as _;
    outcome(receive(seen, 0, wanted, |_| {
        // SAFETY: as the caller vouches for.
        unsafe { sys!(SYS_recvmsg, fd, &raw mut message, libc::MSG_DONTWAIT) }
    }))
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn write(fd: c_int, buf: *const c_void, len: size_t) -> ssize_t {
    let Some(seen) = waits_for(fd).filter(|_| len > 0) else {
        // SAFETY: as the caller vouches for.
        return outcome(unsafe { sys!(SYS_write, fd, buf, len) });
    };
    let none: *const c_void = ptr::null();
    outcome(match seen.mode.kind {
        Kind::Tcp | Kind::Stream => send_all(seen, len, |done| {
            let (left, flags) = (len - done, flags_after(done, 0));
            // SAFETY: as the caller vouches for; what is left of the buffer is a part of it.
            unsafe { sys!(SYS_sendto, fd, buf.byte_add(done), left, flags, none, 0) }
        }),
        Kind::Datagram => retry(seen, Direction::Write, || {
            // SAFETY: as the caller vouches for.
            unsafe { sys!(SYS_sendto, fd, buf, len, libc::MSG_DONTWAIT, none, 0) }
        }),
        _ => {
            let part = iovec {
                iov_base: buf.cast_mut(),
                iov_len: len,
            };
            // SAFETY: as the caller vouches for.
            unsafe { write_all(seen, &Parts::new(&raw const part, 1)) }
        }
    })
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn writev(fd: c_int, parts: *const iovec, count: c_int) -> ssize_t {
    let Some(seen) = waits_for(fd).filter(|_| !parts.is_null() && count > 0) else {
        // SAFETY: as the caller vouches for.
        return outcome(unsafe { sys!(SYS_writev, fd, parts, count) });
    };
    if !seen.mode.kind.is_socket() {
        // SAFETY: as the caller vouches for.
        return outcome(unsafe { write_all(seen, &Parts::new(parts, count as usize)) });
    }
    // SAFETY: a message of zeros is an empty one.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = parts.cast_mut();
    message.msg_iovlen = count as _;
    // SAFETY: as the caller vouches for.
    outcome(unsafe { send_message(seen, &message, 0) })
}
