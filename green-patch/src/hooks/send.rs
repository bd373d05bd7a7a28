//! `send`, `sendto`, `sendmsg`.

use std::ffi::{c_int, c_void};
use std::ptr;

use green::layer::Direction;
use libc::{iovec, msghdr, size_t, sockaddr, socklen_t, ssize_t};

use super::receive::waits_for;
use crate::known::Seen;
use crate::sys::{self, outcome, sys};
use crate::wait::{Waits, begins, retry};

/// Sends all of `wanted` bytes on a stream, as a socket does that blocks. `op` makes the call, which must not wait, for what
/// is left after so many bytes.
#[inline]
pub(super) fn send_all(seen: Seen, wanted: usize, mut op: impl FnMut(usize) -> isize) -> isize {
    if !begins(seen) {
        return -(libc::EBADF as isize);
    }
    let mut waits = Waits::new(seen, Direction::Write);
    let mut done = 0;
    let mut tries = waits.is_worth_a_try();
    loop {
        if tries {
            let said = op(done);
            if said >= 0 {
                done += said as usize;
                if done >= wanted {
                    return done as isize;
                }
                continue;
            }
            if !sys::is(said, libc::EAGAIN) {
                return if done > 0 { done as isize } else { said };
            }
        }
        tries = true;
        if let Err(errno) = waits.wait() {
            return if done > 0 {
                done as isize
            } else {
                -(errno as isize)
            };
        }
    }
}

/// The flags of a call that goes on where another has stopped: what is sent by then is not made good by a signal.
pub(super) fn flags_after(done: usize, flags: c_int) -> c_int {
    match done {
        0 => flags | libc::MSG_DONTWAIT,
        _ => flags | libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
    }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn send(
    fd: c_int,
    buf: *const c_void,
    len: size_t,
    flags: c_int,
) -> ssize_t {
    // SAFETY: as the caller vouches for.
    unsafe { sendto(fd, buf, len, flags, ptr::null(), 0) }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn sendto(
    fd: c_int,
    buf: *const c_void,
    len: size_t,
    flags: c_int,
    to: *const sockaddr,
    to_len: socklen_t,
) -> ssize_t {
    let Some(seen) = waits_for(fd, flags) else {
        // SAFETY: as the caller vouches for.
        return outcome(unsafe { sys!(SYS_sendto, fd, buf, len, flags, to, to_len) });
    };
    let op = |done: usize| {
        let (left, flags) = (len - done, flags_after(done, flags));
        // SAFETY: as the caller vouches for; what is left of the buffer is a part of it.
        unsafe { sys!(SYS_sendto, fd, buf.byte_add(done), left, flags, to, to_len) }
    };
    outcome(match seen.mode.kind.is_stream() {
        true => send_all(seen, len, op),
        false => retry(seen, Direction::Write, || op(0)),
    })
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn sendmsg(
    fd: c_int,
    message: *const msghdr,
    flags: c_int,
) -> ssize_t {
    let Some(seen) = waits_for(fd, flags).filter(|_| !message.is_null()) else {
        // SAFETY: as the caller vouches for.
        return outcome(unsafe { sys!(SYS_sendmsg, fd, message, flags) });
    };
    // SAFETY: as the caller vouches for.
    outcome(unsafe { send_message(seen, &*message, flags) })
}

/// # Safety
/// As for `sendmsg`.
pub(super) unsafe fn send_message(seen: Seen, message: &msghdr, flags: c_int) -> isize {
    let whole = || {
        let flags = flags | libc::MSG_DONTWAIT;
        // SAFETY: as the caller vouches for.
        unsafe { sys!(SYS_sendmsg, seen.fd, ptr::from_ref(message), flags) }
    };
    if !seen.mode.kind.is_stream() {
        return retry(seen, Direction::Write, whole);
    }
    // SAFETY: as the caller vouches for.
    let parts = unsafe { Parts::new(message.msg_iov, message.msg_iovlen) };
    send_all(seen, parts.len(), |done| {
        if done == 0 {
            return whole();
        }
        let mut left = parts.after(done);
        // What goes with the message went with its first byte.
        let mut rest = *message;
        rest.msg_iov = left.as_mut_ptr();
        rest.msg_iovlen = left.len() as _;
        rest.msg_control = ptr::null_mut();
        rest.msg_controllen = 0;
        let flags = flags_after(done, flags);
        // SAFETY: parts of what the caller vouches for.
        unsafe { sys!(SYS_sendmsg, seen.fd, &raw const rest, flags) }
    })
}

/// Several buffers that one call transfers.
pub(super) struct Parts<'a>(&'a [iovec]);

impl Parts<'_> {
    /// # Safety
    /// So many buffers are there for as long as this is used.
    pub(super) unsafe fn new<'a>(parts: *const iovec, count: usize) -> Parts<'a> {
        match parts.is_null() || count > 1024 {
            // The system says what is wrong.
            true => Parts(&[]),
            // SAFETY: as the caller vouches for.
            false => Parts(unsafe { std::slice::from_raw_parts(parts, count) }),
        }
    }

    pub(super) fn len(&self) -> usize {
        let lengths = self.0.iter().map(|part| part.iov_len);
        lengths.fold(0, usize::saturating_add)
    }

    pub(super) fn all(&self) -> &[iovec] {
        self.0
    }

    /// What is left of them after so many bytes.
    pub(super) fn after(&self, mut done: usize) -> Vec<iovec> {
        let mut left = Vec::with_capacity(self.0.len());
        for part in self.0 {
            let skipped = done.min(part.iov_len);
            done -= skipped;
            if skipped < part.iov_len || part.iov_len == 0 {
                left.push(iovec {
                    // Inside of this buffer.
                    iov_base: part.iov_base.wrapping_byte_add(skipped),
                    iov_len: part.iov_len - skipped,
                });
            }
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_begins_in_the_middle_of_a_buffer() {
        let bytes = [0u8; 10];
        let part = |at: usize, len| iovec {
            iov_base: bytes[at..].as_ptr().cast_mut().cast(),
            iov_len: len,
        };
        let all = [part(0, 3), part(3, 0), part(3, 4)];
        // SAFETY: they are there.
        let parts = unsafe { Parts::new(all.as_ptr(), all.len()) };
        assert_eq!(parts.len(), 7);
        let left = parts.after(4);
        let shown: Vec<_> = left
            .iter()
            .map(|part| {
                (
                    part.iov_base as usize - bytes.as_ptr() as usize,
                    part.iov_len,
                )
            })
            .collect();
        assert_eq!(shown.last(), Some(&(4, 3)));
        assert_eq!(left.iter().map(|part| part.iov_len).sum::<usize>(), 3);
        assert_eq!(parts.after(0).len(), 3);
    }
}
