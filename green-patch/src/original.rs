//! libc's own calls, for code that must block its thread although the program is patched.
//!
//! [`scope`] runs any code so. The functions are the system calls themselves.

use std::ffi::{c_int, c_void};
use std::time::Duration;

use libc::{nfds_t, pid_t, pollfd, size_t, ssize_t, timespec};

use crate::active;
use crate::sys::{int, outcome, sys};

/// Runs `f` with the calls of this greenthread as libc has them: they block the thread. The calls of others, and of those
/// that it spawns, are as they were.
///
/// ```
/// use std::time::Duration;
///
/// green_patch::monkey_patch()?;
/// let other = green::spawn(|| ());
/// green_patch::original::scope(|| std::thread::sleep(Duration::from_millis(1)));
/// assert!(!other.is_dead(), "nothing has run meanwhile");
/// # Ok::<(), green_patch::PatchError>(())
/// ```
pub fn scope<R>(f: impl FnOnce() -> R) -> R {
    active::unpatched(f)
}

/// Blocks the thread for `duration`: what `std::thread::sleep` is in a program that is not patched.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// green_patch::original::sleep(Duration::from_millis(2));
/// assert!(start.elapsed() >= Duration::from_millis(2));
/// ```
pub fn sleep(duration: Duration) {
    let mut left = timespec {
        tv_sec: duration.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    };
    loop {
        let at: *mut timespec = &mut left;
        // SAFETY: a time, which is also where what is left of it goes.
        let said = unsafe { sys!(SYS_nanosleep, at, at) };
        if !crate::sys::is(said, libc::EINTR) {
            return;
        }
    }
}

macro_rules! originals {
    ($($(#[$doc:meta])* fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty = $call:expr;)+) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        /// As its manual says.
        pub unsafe fn $name($($argument: $type),*) -> $result {
            // SAFETY: as the caller vouches for.
            unsafe { $call }
        }
    )+};
}

originals! {
    /// libc's `read`.
    fn read(fd: c_int, buf: *mut c_void, len: size_t) -> ssize_t = outcome(sys!(SYS_read, fd, buf, len));
    /// libc's `write`.
    fn write(fd: c_int, buf: *const c_void, len: size_t) -> ssize_t = outcome(sys!(SYS_write, fd, buf, len));
    /// libc's `recv`.
    fn recv(fd: c_int, buf: *mut c_void, len: size_t, flags: c_int) -> ssize_t =
        outcome(sys!(SYS_recvfrom, fd, buf, len, flags));
    /// libc's `send`.
    fn send(fd: c_int, buf: *const c_void, len: size_t, flags: c_int) -> ssize_t =
        outcome(sys!(SYS_sendto, fd, buf, len, flags));
    /// libc's `accept4`.
    fn accept4(fd: c_int, from: *mut libc::sockaddr, len: *mut libc::socklen_t, flags: c_int) -> c_int =
        int(sys!(SYS_accept4, fd, from, len, flags));
    /// libc's `connect`.
    fn connect(fd: c_int, to: *const libc::sockaddr, len: libc::socklen_t) -> c_int =
        int(sys!(SYS_connect, fd, to, len));
    /// libc's `ppoll`.
    fn ppoll(fds: *mut pollfd, count: nfds_t, timeout: *mut timespec, mask: *const libc::sigset_t) -> c_int =
        int(sys!(SYS_ppoll, fds, count, timeout, mask, 8));
    /// libc's `waitpid`.
    fn waitpid(process: pid_t, status: *mut c_int, options: c_int) -> pid_t =
        int(sys!(SYS_wait4, process, status, options));
}
