//! `sem_wait` and what goes with it.

use std::ffi::c_int;
use std::time::Instant;

use libc::{clockid_t, sem_t, timespec};

use super::bell::{Listening, ring};
use super::{deadline, shared};
use crate::futex::{Address, Woken, may_wait, wait_until};
use crate::sys::{errno, next, set_errno};

type Call = unsafe extern "C" fn(*mut sem_t) -> c_int;
type TimedWait = unsafe extern "C" fn(*mut sem_t, *const timespec) -> c_int;
type ClockWait = unsafe extern "C" fn(*mut sem_t, clockid_t, *const timespec) -> c_int;

/// What reports call it.
pub(super) const WHAT: &str = "a semaphore";

/// # Safety
/// A semaphore that there is.
unsafe fn wait(semaphore: *mut sem_t, deadline: Option<Instant>) -> c_int {
    let before = errno();
    let attempt = || {
        // SAFETY: as the caller vouches for.
        let said = unsafe { libc::sem_trywait(semaphore) };
        (said == 0 || errno() != libc::EAGAIN).then_some(said)
    };
    let got = attempt().or_else(|| {
        let listening = Listening::new();
        // SAFETY: as the caller vouches for.
        let by = match unsafe { shared::semaphore(semaphore) } {
            Woken::Here => listening.by(),
            Woken::Elsewhere => Woken::Elsewhere,
        };
        wait_until(
            WHAT,
            Address::Object(semaphore.addr()),
            by,
            deadline,
            || {
                // Here, since somebody else may have had to listen in the child of a fork.
                let _by = listening.by();
                attempt()
            },
        )
    });
    match got {
        Some(0) => {
            set_errno(before);
            0
        }
        Some(said) => said,
        None => {
            set_errno(libc::ETIMEDOUT);
            -1
        }
    }
}

/// # Safety
/// A semaphore and a time that there are.
unsafe fn wait_by(semaphore: *mut sem_t, clock: clockid_t, time: *const timespec) -> c_int {
    // SAFETY: as the caller vouches for.
    match unsafe { deadline(clock, time) } {
        // SAFETY: as the caller vouches for.
        Ok(deadline) => unsafe { wait(semaphore, deadline) },
        Err(errno) => {
            set_errno(errno);
            -1
        }
    }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn sem_wait(semaphore: *mut sem_t) -> c_int {
    // SAFETY: as the caller vouches for.
    unsafe {
        match may_wait() {
            true => wait(semaphore, None),
            false => next!(c"sem_wait" as Call)(semaphore),
        }
    }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn sem_timedwait(
    semaphore: *mut sem_t,
    time: *const timespec,
) -> c_int {
    // SAFETY: as the caller vouches for.
    unsafe {
        match may_wait() {
            true => wait_by(semaphore, libc::CLOCK_REALTIME, time),
            false => next!(c"sem_timedwait" as TimedWait)(semaphore, time),
        }
    }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn sem_clockwait(
    semaphore: *mut sem_t,
    clock: clockid_t,
    time: *const timespec,
) -> c_int {
    // SAFETY: as the caller vouches for.
    unsafe {
        match may_wait() {
            true => wait_by(semaphore, clock, time),
            false => next!(c"sem_clockwait" as ClockWait)(semaphore, clock, time),
        }
    }
}

/// libc's `sem_post`. Looked for before a handler of signals may want it, which must not look for anything.
pub(crate) fn real_post() -> unsafe extern "C" fn(*mut sem_t) -> c_int {
    next!(c"sem_post" as Call)
}

/// As libc's. It may be called in a handler of signals.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn sem_post(semaphore: *mut sem_t) -> c_int {
    // SAFETY: as the caller vouches for.
    let said = unsafe { real_post()(semaphore) };
    ring();
    said
}
