//! `nanosleep`, `clock_nanosleep`, `usleep`, `sleep`.
//!
//! A sleep that a kill or a deadline cuts short says that it is over: who asks how much is left and sleeps on, as std does,
//! would never end.

use std::ffi::{c_int, c_uint};
use std::time::Duration;

use green::layer;
use libc::{clockid_t, timespec, useconds_t};

use super::poll::{NO_TIME, duration_of, timespec_of};
use crate::active::{Part, is_green};
use crate::sys::{errno, int, set_errno, sys};

fn pause(time: Duration) {
    let errno = errno();
    if time.is_zero() {
        layer::yield_now();
    } else {
        let _over = layer::sleep_until(layer::deadline(time));
    }
    set_errno(errno);
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn nanosleep(time: *const timespec, left: *mut timespec) -> c_int {
    // SAFETY: as the caller vouches for.
    let wanted = unsafe { time.as_ref() }.and_then(|time| duration_of(*time));
    match wanted.filter(|_| is_green(Part::Time)) {
        // SAFETY: as the caller vouches for.
        None => int(unsafe { sys!(SYS_nanosleep, time, left) }),
        Some(wanted) => {
            pause(wanted);
            0
        }
    }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn clock_nanosleep(
    clock: clockid_t,
    flags: c_int,
    time: *const timespec,
    left: *mut timespec,
) -> c_int {
    // SAFETY: as the caller vouches for.
    let wanted = unsafe { time.as_ref() }.and_then(|time| duration_of(*time));
    let is_plain = [
        libc::CLOCK_MONOTONIC,
        libc::CLOCK_REALTIME,
        libc::CLOCK_BOOTTIME,
    ]
    .contains(&clock);
    let Some(wanted) = wanted.filter(|_| is_plain && is_green(Part::Time)) else {
        // SAFETY: as the caller vouches for.
        let said = unsafe { sys!(SYS_clock_nanosleep, clock, flags, time, left) };
        return -said as c_int;
    };
    if flags & libc::TIMER_ABSTIME == 0 {
        pause(wanted);
        return 0;
    }
    loop {
        let left = wanted.saturating_sub(now(clock));
        if left.is_zero() {
            return 0;
        }
        let errno = errno();
        let end = layer::sleep_until(layer::deadline(left));
        set_errno(errno);
        if !matches!(end, layer::WaitEnd::Expired) {
            return 0;
        }
    }
}

fn now(clock: clockid_t) -> Duration {
    let mut now = NO_TIME;
    // SAFETY: a clock that there is, and room for what it says.
    unsafe { libc::clock_gettime(clock, &mut now) };
    duration_of(now).unwrap_or_default()
}

/// As libc's.
///
/// # Safety
/// None is needed.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn usleep(microseconds: useconds_t) -> c_int {
    let time = timespec_of(Duration::from_micros(microseconds.into()));
    // SAFETY: a time, and nowhere to write what is left.
    unsafe { nanosleep(&time, std::ptr::null_mut()) }
}

/// As libc's.
///
/// # Safety
/// None is needed.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn sleep(seconds: c_uint) -> c_uint {
    let time = timespec_of(Duration::from_secs(seconds.into()));
    let mut left = NO_TIME;
    let before = errno();
    // SAFETY: a time, and room for what is left.
    match unsafe { nanosleep(&time, &mut left) } {
        0 => 0,
        _ => {
            set_errno(before);
            // At most what was asked for, rounded up.
            left.tv_sec as c_uint + c_uint::from(left.tv_nsec > 0)
        }
    }
}
