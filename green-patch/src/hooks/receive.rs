//! `recv`, `recvfrom`, `recvmsg`.

use std::ffi::{c_int, c_void};

use green::layer::{self, Direction, NotReady};
use libc::{msghdr, size_t, sockaddr, socklen_t, ssize_t};

use super::poll::is_read_shut;
use crate::active::{Part, is_green};
use crate::known::{self, Kind, Seen};
use crate::sys::{self, outcome, sys};
use crate::wait::{Waits, begins, retry};

/// Calls that never wait, whatever the socket is.
const NEVER_WAIT: c_int = libc::MSG_DONTWAIT | libc::MSG_OOB | libc::MSG_ERRQUEUE;

/// The socket, if a call with these flags is to wait for it on the hub.
#[inline]
pub(super) fn waits_for(fd: c_int, flags: c_int) -> Option<Seen> {
    if flags & NEVER_WAIT != 0 || !is_green(Part::Socket) {
        return None;
    }
    known::look(fd).filter(|seen| seen.mode.kind.is_socket() && !seen.mode.nonblocking)
}

/// Receives from a socket. `op` makes the call, which must not wait, for what is left of the buffer after so many bytes.
#[inline]
pub(super) fn receive(
    seen: Seen,
    flags: c_int,
    wanted: usize,
    mut op: impl FnMut(usize) -> isize,
) -> isize {
    if flags & libc::MSG_WAITALL != 0 && seen.mode.kind.is_stream() {
        return receive_all(seen, flags, wanted, op);
    }
    let said = retry(seen, Direction::Read, || or_end(seen, op(0)));
    if seen.mode.kind == Kind::Tcp
        && said > 0
        && (said as usize) < wanted
        && flags & libc::MSG_PEEK == 0
    {
        note_short(seen);
    }
    said
}

/// The last call has emptied the system's buffer.
#[inline]
fn note_short(seen: Seen) {
    if let Some(token) = seen.token {
        layer::used_up(token, Direction::Read, NotReady::ShortTransfer);
    }
}

/// Until the buffer is full, or the stream ends.
fn receive_all(
    seen: Seen,
    flags: c_int,
    wanted: usize,
    mut op: impl FnMut(usize) -> isize,
) -> isize {
    if !begins(seen) {
        return -(libc::EBADF as isize);
    }
    let mut waits = Waits::new(seen, Direction::Read);
    let peeks = flags & libc::MSG_PEEK != 0;
    let mut done = 0;
    loop {
        let said = op(if peeks { 0 } else { done });
        match said {
            1.. if peeks => {
                let more = said as usize > done;
                done = said as usize;
                if done < wanted && more {
                    continue;
                }
            }
            1.. => {
                done += said as usize;
                if done < wanted {
                    continue;
                }
            }
            0 => return done as isize,
            _ if !sys::is(said, libc::EAGAIN) => {
                return if done > 0 { done as isize } else { said };
            }
            _ => {}
        }
        if done >= wanted {
            return done as isize;
        }
        // Only what has found nothing waits: the end of a stream may have been reported with its last bytes.
        if let Err(errno) = waits.wait() {
            return if done > 0 {
                done as isize
            } else {
                -(errno as isize)
            };
        }
    }
}

/// A socket of messages that nothing will come to any more says so to those only who wait.
#[inline]
fn or_end(seen: Seen, said: isize) -> isize {
    match seen.mode.kind == Kind::Datagram && sys::is(said, libc::EAGAIN) && is_read_shut(seen.fd) {
        true => 0,
        false => said,
    }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn recv(
    fd: c_int,
    buf: *mut c_void,
    len: size_t,
    flags: c_int,
) -> ssize_t {
    // SAFETY: as the caller vouches for.
    unsafe {
        recvfrom(
            fd,
            buf,
            len,
            flags,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
        )
    }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn recvfrom(
    fd: c_int,
    buf: *mut c_void,
    len: size_t,
    flags: c_int,
    from: *mut sockaddr,
    from_len: *mut socklen_t,
) -> ssize_t {
    let Some(seen) = waits_for(fd, flags) else {
        // SAFETY: as the caller vouches for.
        return outcome(unsafe { sys!(SYS_recvfrom, fd, buf, len, flags, from, from_len) });
    };
    let flags_now = flags & !libc::MSG_WAITALL | libc::MSG_DONTWAIT;
    outcome(receive(seen, flags, len, |done| {
        // SAFETY: as the caller vouches for; what is left of the buffer is a part of it.
        unsafe {
            sys!(
                SYS_recvfrom,
                fd,
                buf.byte_add(done),
                len - done,
                flags_now,
                from,
                from_len
            )
        }
    }))
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t {
    let Some(seen) = waits_for(fd, flags) else {
        // SAFETY: as the caller vouches for.
        return outcome(unsafe { sys!(SYS_recvmsg, fd, message, flags) });
    };
    // What comes with a message belongs to its first byte: more than one piece is not put together here.
    let flags_now = flags & !libc::MSG_WAITALL | libc::MSG_DONTWAIT;
    // SAFETY: as the caller vouches for. The kernel writes the lengths only if it succeeds.
    let op = || or_end(seen, unsafe { sys!(SYS_recvmsg, fd, message, flags_now) });
    outcome(retry(seen, Direction::Read, op))
}
