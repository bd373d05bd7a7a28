//! `pthread_cond_wait` and what goes with it.
//!
//! A greenthread that waits is in the table and not in the condition: who signals looks at the table first.

use std::ffi::{CStr, c_int, c_void};
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use libc::{clockid_t, pthread_cond_t, pthread_mutex_t, timespec};

use super::{deadline, pthread_mutex_lock, pthread_mutex_unlock, shared};
use crate::active::is_armed;
use crate::futex::{Address, may_wait, wait_between, wake};

type Signal = unsafe extern "C" fn(*mut pthread_cond_t) -> c_int;
type Wait = unsafe extern "C" fn(*mut pthread_cond_t, *mut pthread_mutex_t) -> c_int;
type TimedWait =
    unsafe extern "C" fn(*mut pthread_cond_t, *mut pthread_mutex_t, *const timespec) -> c_int;
type ClockWait = unsafe extern "C" fn(
    *mut pthread_cond_t,
    *mut pthread_mutex_t,
    clockid_t,
    *const timespec,
) -> c_int;

/// libc's own. It has each of these twice, since old programs have smaller conditions: the plain search may find those.
struct Newer {
    name: &'static CStr,
    found: AtomicUsize,
}

impl Newer {
    const fn new(name: &'static CStr) -> Newer {
        Newer {
            name,
            found: AtomicUsize::new(0),
        }
    }

    fn address(&self) -> *const c_void {
        let mut found = self.found.load(Ordering::Acquire);
        if found == 0 {
            // SAFETY: names that end with a zero.
            unsafe {
                let name = self.name.as_ptr();
                found = libc::dlvsym(libc::RTLD_NEXT, name, c"GLIBC_2.3.2".as_ptr()) as usize;
                if found == 0 {
                    found = libc::dlsym(libc::RTLD_NEXT, name) as usize;
                }
                if found == 0 {
                    libc::abort();
                }
            }
            self.found.store(found, Ordering::Release);
        }
        found as *const c_void
    }
}

macro_rules! newer {
    ($name:literal as $kind:ty) => {{
        static NEWER: Newer = Newer::new($name);
        #[allow(unused_unsafe, reason = "it may stand in a larger block")]
        // SAFETY: libc declares it so.
        let newer = unsafe { mem::transmute::<*const c_void, $kind>(NEWER.address()) };
        newer
    }};
}

/// True if the caller waits by the table. Signals of other processes do not come there.
///
/// # Safety
/// A condition that there is.
unsafe fn is_ours(condition: *const pthread_cond_t) -> bool {
    // SAFETY: as the caller vouches for.
    may_wait() && !unsafe { shared::is_condition_shared(condition) }
}

/// # Safety
/// A condition and a mutex that there are; the caller has that.
unsafe fn wait(
    condition: *mut pthread_cond_t,
    mutex: *mut pthread_mutex_t,
    deadline: Option<Instant>,
) -> c_int {
    // It is in the table before the mutex is free: who has that and signals finds it there.
    let ended = wait_between(
        "a condition",
        Address::Object(condition.addr()),
        deadline,
        || {
            // SAFETY: as the caller vouches for.
            match unsafe { pthread_mutex_unlock(mutex) } {
                0 => Ok(()),
                errno => Err(errno),
            }
        },
    );
    let woken = match ended {
        Ok(woken) => woken,
        Err(errno) => return errno,
    };
    // SAFETY: as the caller vouches for.
    match unsafe { pthread_mutex_lock(mutex) } {
        0 if !woken => libc::ETIMEDOUT,
        said => said,
    }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_cond_wait(
    condition: *mut pthread_cond_t,
    mutex: *mut pthread_mutex_t,
) -> c_int {
    // SAFETY: as the caller vouches for.
    unsafe {
        match is_ours(condition) {
            true => wait(condition, mutex, None),
            false => newer!(c"pthread_cond_wait" as Wait)(condition, mutex),
        }
    }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_cond_timedwait(
    condition: *mut pthread_cond_t,
    mutex: *mut pthread_mutex_t,
    time: *const timespec,
) -> c_int {
    // SAFETY: as the caller vouches for.
    unsafe {
        if !is_ours(condition) {
            return newer!(c"pthread_cond_timedwait" as TimedWait)(condition, mutex, time);
        }
        match deadline(shared::clock(condition), time) {
            Ok(deadline) => wait(condition, mutex, deadline),
            Err(errno) => errno,
        }
    }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_cond_clockwait(
    condition: *mut pthread_cond_t,
    mutex: *mut pthread_mutex_t,
    clock: clockid_t,
    time: *const timespec,
) -> c_int {
    // SAFETY: as the caller vouches for.
    unsafe {
        if !is_ours(condition) {
            return newer!(c"pthread_cond_clockwait" as ClockWait)(condition, mutex, clock, time);
        }
        match deadline(clock, time) {
            Ok(deadline) => wait(condition, mutex, deadline),
            Err(errno) => errno,
        }
    }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_cond_signal(condition: *mut pthread_cond_t) -> c_int {
    if is_armed() && wake(Address::Object(condition.addr()), 1, u32::MAX) > 0 {
        return 0;
    }
    // SAFETY: as the caller vouches for.
    unsafe { newer!(c"pthread_cond_signal" as Signal)(condition) }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_cond_broadcast(condition: *mut pthread_cond_t) -> c_int {
    if is_armed() {
        wake(Address::Object(condition.addr()), usize::MAX, u32::MAX);
    }
    // SAFETY: as the caller vouches for.
    unsafe { newer!(c"pthread_cond_broadcast" as Signal)(condition) }
}
