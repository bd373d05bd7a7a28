//! `pthread_rwlock_rdlock`, `pthread_rwlock_wrlock` and what goes with them.

use std::ffi::c_int;
use std::time::Instant;

use libc::{clockid_t, pthread_rwlock_t, timespec};

use super::{OVER, deadline, given_back, shared, wait_for};
use crate::futex::may_wait;
use crate::sys::next;

type Lock = unsafe extern "C" fn(*mut pthread_rwlock_t) -> c_int;
type TimedLock = unsafe extern "C" fn(*mut pthread_rwlock_t, *const timespec) -> c_int;
type ClockLock = unsafe extern "C" fn(*mut pthread_rwlock_t, clockid_t, *const timespec) -> c_int;

/// # Safety
/// A lock that there is, and libc's functions for one of its sides.
unsafe fn lock(
    lock: *mut pthread_rwlock_t,
    attempt: Lock,
    timed: TimedLock,
    deadline: Option<Instant>,
) -> c_int {
    // SAFETY: as the caller vouches for.
    unsafe {
        match attempt(lock) {
            libc::EBUSY | libc::EAGAIN => wait_for(
                "a read-write lock",
                lock.addr(),
                shared::rwlock(lock),
                deadline,
                || timed(lock, &OVER),
                || attempt(lock),
            ),
            said => said,
        }
    }
}

/// The three functions of one side.
macro_rules! side {
    ($plain:ident, $timed:ident, $clock:ident, $attempt:ident, $plain_name:literal, $timed_name:literal, $clock_name:literal) => {
        /// As libc's.
        ///
        /// # Safety
        /// As its manual says.
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $plain(it: *mut pthread_rwlock_t) -> c_int {
            // SAFETY: as the caller vouches for.
            unsafe {
                match may_wait() {
                    true => lock(it, libc::$attempt, next!($timed_name as TimedLock), None),
                    false => next!($plain_name as Lock)(it),
                }
            }
        }

        /// As libc's.
        ///
        /// # Safety
        /// As its manual says.
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $timed(
            it: *mut pthread_rwlock_t,
            time: *const timespec,
        ) -> c_int {
            let timed = next!($timed_name as TimedLock);
            // SAFETY: as the caller vouches for.
            unsafe {
                if !may_wait() {
                    return timed(it, time);
                }
                match deadline(libc::CLOCK_REALTIME, time) {
                    Ok(deadline) => lock(it, libc::$attempt, timed, deadline),
                    Err(errno) => errno,
                }
            }
        }

        /// As libc's.
        ///
        /// # Safety
        /// As its manual says.
        #[unsafe(no_mangle)]
        pub(crate) unsafe extern "C" fn $clock(
            it: *mut pthread_rwlock_t,
            clock: clockid_t,
            time: *const timespec,
        ) -> c_int {
            // SAFETY: as the caller vouches for.
            unsafe {
                if !may_wait() {
                    return next!($clock_name as ClockLock)(it, clock, time);
                }
                match deadline(clock, time) {
                    Ok(deadline) => lock(
                        it,
                        libc::$attempt,
                        next!($timed_name as TimedLock),
                        deadline,
                    ),
                    Err(errno) => errno,
                }
            }
        }
    };
}

side!(
    pthread_rwlock_rdlock,
    pthread_rwlock_timedrdlock,
    pthread_rwlock_clockrdlock,
    pthread_rwlock_tryrdlock,
    c"pthread_rwlock_rdlock",
    c"pthread_rwlock_timedrdlock",
    c"pthread_rwlock_clockrdlock"
);
side!(
    pthread_rwlock_wrlock,
    pthread_rwlock_timedwrlock,
    pthread_rwlock_clockwrlock,
    pthread_rwlock_trywrlock,
    c"pthread_rwlock_wrlock",
    c"pthread_rwlock_timedwrlock",
    c"pthread_rwlock_clockwrlock"
);

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_rwlock_unlock(it: *mut pthread_rwlock_t) -> c_int {
    let object = it.addr();
    // SAFETY: as the caller vouches for.
    let said = unsafe { next!(c"pthread_rwlock_unlock" as Lock)(it) };
    // All look: many readers may go on, or one writer.
    given_back(object, usize::MAX);
    said
}
