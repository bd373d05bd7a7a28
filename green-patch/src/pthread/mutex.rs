//! `pthread_mutex_lock` and what goes with it.

use std::ffi::c_int;
use std::time::Instant;

use libc::{clockid_t, pthread_mutex_t, timespec};

use super::{OVER, deadline, given_back, shared, wait_for};
use crate::futex::may_wait;
use crate::sys::next;

type Lock = unsafe extern "C" fn(*mut pthread_mutex_t) -> c_int;
type TimedLock = unsafe extern "C" fn(*mut pthread_mutex_t, *const timespec) -> c_int;

/// # Safety
/// A mutex that there is.
unsafe fn wait(mutex: *mut pthread_mutex_t, deadline: Option<Instant>) -> c_int {
    let timed = next!(c"pthread_mutex_timedlock" as TimedLock);
    // SAFETY: as the caller vouches for.
    unsafe {
        wait_for(
            "a mutex",
            mutex.addr(),
            shared::mutex(mutex),
            deadline,
            || timed(mutex, &OVER),
            || libc::pthread_mutex_trylock(mutex),
        )
    }
}

/// Tries, and waits if it is had by another.
///
/// # Safety
/// As for [`wait`].
unsafe fn lock(mutex: *mut pthread_mutex_t, deadline: Option<Instant>) -> c_int {
    // SAFETY: as the caller vouches for.
    match unsafe { libc::pthread_mutex_trylock(mutex) } {
        // SAFETY: as the caller vouches for.
        libc::EBUSY => unsafe { wait(mutex, deadline) },
        said => said,
    }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_mutex_lock(mutex: *mut pthread_mutex_t) -> c_int {
    if !may_wait() {
        // SAFETY: as the caller vouches for.
        return unsafe { next!(c"pthread_mutex_lock" as Lock)(mutex) };
    }
    // SAFETY: as the caller vouches for.
    unsafe { lock(mutex, None) }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_mutex_timedlock(
    mutex: *mut pthread_mutex_t,
    time: *const timespec,
) -> c_int {
    if !may_wait() {
        // SAFETY: as the caller vouches for.
        return unsafe { next!(c"pthread_mutex_timedlock" as TimedLock)(mutex, time) };
    }
    // SAFETY: as the caller vouches for.
    match unsafe { deadline(libc::CLOCK_REALTIME, time) } {
        // SAFETY: as the caller vouches for.
        Ok(deadline) => unsafe { lock(mutex, deadline) },
        Err(errno) => errno,
    }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_mutex_clocklock(
    mutex: *mut pthread_mutex_t,
    clock: clockid_t,
    time: *const timespec,
) -> c_int {
    type ClockLock =
        unsafe extern "C" fn(*mut pthread_mutex_t, clockid_t, *const timespec) -> c_int;

    if !may_wait() {
        // SAFETY: as the caller vouches for.
        return unsafe { next!(c"pthread_mutex_clocklock" as ClockLock)(mutex, clock, time) };
    }
    // SAFETY: as the caller vouches for.
    match unsafe { deadline(clock, time) } {
        // SAFETY: as the caller vouches for.
        Ok(deadline) => unsafe { lock(mutex, deadline) },
        Err(errno) => errno,
    }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_mutex_unlock(mutex: *mut pthread_mutex_t) -> c_int {
    let object = mutex.addr();
    // SAFETY: as the caller vouches for.
    let said = unsafe { next!(c"pthread_mutex_unlock" as Lock)(mutex) };
    // Another thread may have destroyed it by now: only its address is used.
    given_back(object, 1);
    said
}
