//! `syscall`, by which std, parking_lot and C++ wait for and wake each other: `futex`. Others end and give out numbers by it.

mod place;
mod table;

use std::ffi::{c_int, c_long};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use green::layer;
use libc::timespec;

use crate::active::{Part, is_armed, is_green};
use crate::hooks::{after, before};
use crate::sys::{self, outcome, sys};

use place::{Ended, Place};
pub(crate) use place::{Woken, wait_between, wait_taken, wait_until};
use table::Waiting;
pub(crate) use table::{Address, across_fork, wake, wake_of_this_thread};

/// As libc's. It is declared with as many arguments as any call takes: that is how those are passed of which libc's
/// takes any number.
///
/// # Safety
/// As its manual says, and that of the system call.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn syscall(
    number: c_long,
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
    f: usize,
) -> c_long {
    let arguments = [a, b, c, d, e, f];
    if number == libc::SYS_futex && is_armed() {
        // SAFETY: as the caller vouches for.
        return outcome(unsafe { futex(arguments) }) as c_long;
    }
    if is_armed() {
        before(number, arguments);
    }
    // SAFETY: as the caller vouches for.
    let said = unsafe { sys::call(number, arguments) };
    if said >= 0 && is_armed() {
        // SAFETY: it was called, and has succeeded.
        unsafe { after(number, arguments, said) };
    }
    outcome(said) as c_long
}

/// # Safety
/// As the manual of the system call says.
unsafe fn futex(arguments: [usize; 6]) -> isize {
    let [address, operation, value, time, second, mask] = arguments;
    let operation = operation as c_int;
    let plain = operation & !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME);
    // SAFETY: as the caller vouches for.
    let system =
        |value: usize| unsafe { sys!(SYS_futex, address, operation, value, time, second, mask) };
    match plain {
        libc::FUTEX_WAIT | libc::FUTEX_WAIT_BITSET => {
            let mask = if plain == libc::FUTEX_WAIT {
                u32::MAX
            } else {
                mask as u32
            };
            if mask == 0 || address == 0 || address % 4 != 0 || !may_wait() {
                return system(value);
            }
            // SAFETY: the caller vouches for the address, and for the time.
            unsafe {
                wait(
                    address,
                    operation,
                    value as u32,
                    time as *const timespec,
                    mask,
                )
            }
        }
        libc::FUTEX_WAKE | libc::FUTEX_WAKE_BITSET => {
            let mask = if plain == libc::FUTEX_WAKE {
                u32::MAX
            } else {
                mask as u32
            };
            let wanted = (value as c_int).max(1) as usize;
            let woken = wake(Address::Futex(address), wanted, mask);
            if woken == wanted {
                return woken as isize;
            }
            let said = system(wanted - woken);
            if said < 0 && woken > 0 {
                woken as isize
            } else {
                said + woken as isize
            }
        }
        // Those of ours that wait at either place look for themselves: to wake one for nothing is allowed.
        libc::FUTEX_REQUEUE | libc::FUTEX_CMP_REQUEUE | libc::FUTEX_WAKE_OP => {
            let woken = wake(Address::Futex(address), usize::MAX, u32::MAX)
                + wake(Address::Futex(second), usize::MAX, u32::MAX);
            let said = system(value);
            if said < 0 {
                said
            } else {
                said + woken as isize
            }
        }
        _ => system(value),
    }
}

/// True if the caller is a greenthread that may wait for another thread. While it has been lent the thread-locals of the
/// OS thread, as by an allocator, it may not: another greenthread could come there meanwhile.
#[inline]
pub(crate) fn may_wait() -> bool {
    is_green(Part::Thread) && !greenlet::thread_locals::is_host_lent()
}

/// # Safety
/// There is an aligned word at `address` that lives while anybody may wait for it; `time` is null or a time.
unsafe fn wait(
    address: usize,
    operation: c_int,
    expected: u32,
    time: *const timespec,
    mask: u32,
) -> isize {
    // SAFETY: as the caller vouches for: another thread may write it, by atomic operations.
    let word = unsafe { AtomicU32::from_ptr(address as *mut u32) };
    // SAFETY: as the caller vouches for.
    let time = unsafe { time.as_ref() };
    let deadline = match time.map(|time| duration_of(*time)) {
        Some(None) => return -(libc::EINVAL as isize),
        Some(Some(time)) => until(operation, time),
        None => None,
    };
    let waiting = Waiting::new("a futex", Address::Futex(address), mask);
    let place = Place::enter(&waiting);
    let is_same = || word.load(Ordering::SeqCst) == expected;
    if !is_same() {
        drop(place);
        return -(libc::EAGAIN as isize);
    }
    // What other processes do is not seen here.
    let ended = match operation & libc::FUTEX_PRIVATE_FLAG {
        0 => place.wait_and_look(deadline, || !is_same()),
        _ => place.wait(deadline),
    };
    match ended {
        Ended::Woken => 0,
        Ended::Expired => -(libc::ETIMEDOUT as isize),
    }
}

/// What the time of a wait means: from now on, or by the clock that is named.
fn until(operation: c_int, time: Duration) -> Option<Instant> {
    let clock = match operation & libc::FUTEX_CLOCK_REALTIME {
        0 => libc::CLOCK_MONOTONIC,
        _ => libc::CLOCK_REALTIME,
    };
    let is_relative =
        operation & !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME) == libc::FUTEX_WAIT;
    match is_relative {
        true => layer::deadline(time),
        false => deadline_by(clock, time),
    }
}

/// The deadline that is `time` on `clock`.
pub(crate) fn deadline_by(clock: libc::clockid_t, time: Duration) -> Option<Instant> {
    let mut now = timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: room for a time.
    unsafe { libc::clock_gettime(clock, &mut now) };
    layer::deadline(time.saturating_sub(duration_of(now).unwrap_or_default()))
}

/// `None` for what is no time.
pub(crate) fn duration_of(time: timespec) -> Option<Duration> {
    let nanoseconds = u32::try_from(time.tv_nsec)
        .ok()
        .filter(|n| *n < 1_000_000_000)?;
    // One before the clock's beginning is over.
    Some(match u64::try_from(time.tv_sec) {
        Ok(seconds) => Duration::new(seconds, nanoseconds),
        Err(_) => Duration::ZERO,
    })
}
