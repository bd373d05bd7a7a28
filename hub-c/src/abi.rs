use std::ffi::{CStr, c_char, c_int};
use std::mem::MaybeUninit;
use std::ptr;
use std::slice;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use crate::errno::{self, Errno, Result, answer, contain};
use crate::event::{HubEvent, Wanted, version};
use crate::fork;
use crate::output::Output;
use crate::slot::{self, Access, Handle};
use crate::wait;
use crate::watch::Watch;

/// A hub: one set of watched descriptors. It is a name, never a pointer to follow.
#[derive(Debug)]
pub struct Hub {
    _opaque: (),
}

/// Makes a hub: "epoll", "poll", "select" or "polling", or "" for the best of this system.
///
/// NULL with errno EINVAL for a name that is not known here (or NULL), EMFILE, ENFILE or ENOMEM
/// if the system has no more to give.
///
/// # Safety
/// `name` is NULL or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hub_create(name: *const c_char) -> *mut Hub {
    let created = contain(|| {
        if name.is_null() {
            return Err(Errno(libc::EINVAL));
        }
        fork::observe();
        // SAFETY: the caller's promise.
        let name = unsafe { CStr::from_ptr(name) };
        slot::insert(Watch::new(name)?)
    });
    match created {
        Ok(handle) => ptr::without_provenance_mut(handle.bits()),
        Err(error) => {
            errno::set(error);
            ptr::null_mut()
        }
    }
}

/// The version of the library: major, minor and patch number as 0xMMmmpp. HUB_VERSION is that of
/// this header.
#[unsafe(no_mangle)]
pub extern "C" fn hub_version() -> c_int {
    version()
}

/// Ends a hub and closes its own descriptors, not those it watches. A thread that waits in it
/// gets -EBADF, and so does every later call.
#[unsafe(no_mangle)]
pub extern "C" fn hub_destroy(hub: *mut Hub) -> c_int {
    answer(|| {
        let handle = handle(hub);
        handle.slot_in_any_process()?.destroy(handle)?;
        Ok(0)
    })
}

/// The name of a hub, also of one made with ""; a string that is never freed. NULL if it is none.
#[unsafe(no_mangle)]
pub extern "C" fn hub_name(hub: *const Hub) -> *const c_char {
    let name = contain(|| Ok(handle(hub).slot_in_any_process()?.name()));
    name.unwrap_or(ptr::null())
}

/// Watches a descriptor for `interest`, a set of HUB_READ and HUB_WRITE; the empty set reports
/// nothing. Do not close it before hub_remove.
///
/// Reports come as long as it is ready (level-triggered), unless the interest has HUB_ONESHOT or
/// HUB_EDGE. HUB_RDHUP and HUB_PRI beside HUB_READ have these details shown. Urgent data makes
/// reading ready.
///
/// -EEXIST if it is watched already, -EBADF if it is not open, -EINVAL for another interest, and
/// what the system says. A number that was closed without hub_remove and belongs to another file
/// now is no -EEXIST: the old registration ends.
#[unsafe(no_mangle)]
pub extern "C" fn hub_add(hub: *mut Hub, fd: c_int, interest: u32) -> c_int {
    hub_add_with(hub, fd, interest, 0)
}

/// As hub_add; each report brings `data` back, a number or an address. It is never followed.
#[unsafe(no_mangle)]
pub extern "C" fn hub_add_with(hub: *mut Hub, fd: c_int, interest: u32, data: u64) -> c_int {
    answer(|| {
        let wanted = Wanted::from_bits(interest)?;
        access(hub)?.watch().add(fd, wanted, data)?;
        Ok(0)
    })
}

/// Has the reports of a descriptor bring other data back. -ENOENT if it is not watched.
#[unsafe(no_mangle)]
pub extern "C" fn hub_set_data(hub: *mut Hub, fd: c_int, data: u64) -> c_int {
    answer(|| {
        access(hub)?.watch().set_data(fd, data)?;
        Ok(0)
    })
}

/// Watches a descriptor for another interest. Its data stays.
///
/// -ENOENT if it is not watched, or was closed without hub_remove, whether or not another file
/// has its number now. Then it is no longer registered, and may be added.
#[unsafe(no_mangle)]
pub extern "C" fn hub_modify(hub: *mut Hub, fd: c_int, interest: u32) -> c_int {
    answer(|| {
        let wanted = Wanted::from_bits(interest)?;
        access(hub)?.watch().modify(fd, wanted)?;
        Ok(0)
    })
}

/// Ends watching a descriptor: no later wait reports it. -ENOENT if it is not watched. It may
/// have been closed.
#[unsafe(no_mangle)]
pub extern "C" fn hub_remove(hub: *mut Hub, fd: c_int) -> c_int {
    answer(|| {
        access(hub)?.watch().remove(fd)?;
        Ok(0)
    })
}

/// Waits until a descriptor is ready, and writes up to `capacity` reports to `out`, one for each
/// descriptor. What does not fit comes with the next call, before what is reported again.
///
/// `timeout_ns` is in nanoseconds: 0 only looks, a negative one waits for ever.
///
/// The number of reports. 0 if the time is over or hub_notify was called. -EINTR if a signal
/// arrived. -EBUSY if another thread waits in this hub: there is one hub for a thread. -EINVAL if
/// `out` is NULL or `capacity` 0. -EBADF if the hub is destroyed meanwhile.
///
/// # Safety
/// `out` has room for `capacity` events.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hub_wait(
    hub: *mut Hub,
    timeout_ns: i64,
    out: *mut HubEvent,
    capacity: u32,
) -> c_int {
    answer(|| {
        let handle = handle(hub);
        let slot = handle.slot()?;
        // SAFETY: the caller's promise.
        let mut output = Output::new(unsafe { slots(out, capacity)? });
        let timeout = u64::try_from(timeout_ns).ok().map(Duration::from_nanos);
        Ok(wait::wait(slot, handle, timeout, &mut output)? as c_int)
    })
}

/// Makes the hub_wait that is going on return, or the next one, with what is ready or 0. Any
/// number of calls before that count as one. From any thread, and from a signal handler: alone of
/// all functions it takes no lock, and it leaves errno alone.
#[unsafe(no_mangle)]
pub extern "C" fn hub_notify(hub: *mut Hub) -> c_int {
    // Neither `answer` nor anything else that touches a thread-local value of this library: in a
    // library that was loaded at run time the first touch allocates.
    errno::preserved(|| match handle(hub).slot() {
        Ok(slot) => {
            slot.is_notified.store(true, SeqCst);
            slot.wake();
            0
        }
        Err(error) => -error.0,
    })
}

/// A descriptor that is readable while hub_wait would return at once, with which a hub is nested
/// in another event loop. It belongs to the hub. Regular files, which are always ready, do not
/// count. -ENOTSUP if there is none (poll and select).
#[unsafe(no_mangle)]
pub extern "C" fn hub_fd(hub: *mut Hub) -> c_int {
    use std::os::fd::AsRawFd;
    answer(|| {
        let mut access = access(hub)?;
        let fd = access.watch().as_fd().map(|fd| fd.as_raw_fd());
        fd.ok_or(Errno(libc::ENOTSUP))
    })
}

/// After fork, in the child: gives it a hub of its own with the same registrations and timers,
/// under the same handle. hub_fd changes. Until then every function but this, hub_destroy and
/// hub_name says -ECHILD, since what the child did would happen to the parent's hub.
///
/// 0 if there is nothing to do. -EBUSY if a thread of the parent was about to change the hub: then
/// only hub_destroy is left.
#[unsafe(no_mangle)]
pub extern "C" fn hub_after_fork(hub: *mut Hub) -> c_int {
    answer(|| {
        let slot = handle(hub).slot_in_any_process()?;
        if slot.is_inherited() {
            slot.inherit()?;
        }
        Ok(0)
    })
}

/// Adds a timer. Times are nanoseconds on whatever clock the caller counts; a hub reads none, and
/// hub_wait knows no timers: give it the time that is left until hub_timer_next.
///
/// -EEXIST if a timer with this token is pending.
#[unsafe(no_mangle)]
pub extern "C" fn hub_timer_add(hub: *mut Hub, deadline_ns: i64, token: u64) -> c_int {
    answer(|| {
        access(hub)?.watch().timers.add(deadline_ns, token)?;
        Ok(0)
    })
}

/// Takes a timer back. -ENOENT if none with this token is pending.
#[unsafe(no_mangle)]
pub extern "C" fn hub_timer_cancel(hub: *mut Hub, token: u64) -> c_int {
    answer(|| {
        access(hub)?.watch().timers.cancel(token)?;
        Ok(0)
    })
}

/// The earliest deadline: 1 if there is one, which is written to `deadline_ns`, or 0.
///
/// # Safety
/// `deadline_ns` is NULL or has room for an integer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hub_timer_next(hub: *mut Hub, deadline_ns: *mut i64) -> c_int {
    answer(|| {
        let Some(deadline) = access(hub)?.watch().timers.next_deadline() else {
            return Ok(0);
        };
        if !deadline_ns.is_null() {
            // SAFETY: the caller's promise.
            unsafe { deadline_ns.write_unaligned(deadline) };
        }
        Ok(1)
    })
}

/// Takes up to `capacity` timers whose deadline is not after `now_ns`, and writes their tokens,
/// the earliest first, among equals in the order they were added. The number of them.
///
/// # Safety
/// `tokens` has room for `capacity` integers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hub_timer_expired(
    hub: *mut Hub,
    now_ns: i64,
    tokens: *mut u64,
    capacity: u32,
) -> c_int {
    answer(|| {
        let mut access = access(hub)?;
        // SAFETY: the caller's promise.
        let room = unsafe { slots(tokens, capacity)? };
        let mut count = 0;
        for slot in room {
            let Some(token) = access.watch().timers.expire(now_ns) else {
                break;
            };
            slot.write(token);
            count += 1;
        }
        Ok(count)
    })
}

/// Forgets every timer. The number of them.
#[unsafe(no_mangle)]
pub extern "C" fn hub_timer_clear(hub: *mut Hub) -> c_int {
    answer(|| {
        let count = access(hub)?.watch().timers.clear();
        Ok(c_int::try_from(count).unwrap_or(c_int::MAX))
    })
}

fn handle(hub: *const Hub) -> Handle {
    Handle::from_bits(hub.addr())
}

fn access(hub: *mut Hub) -> Result<Access> {
    let handle = handle(hub);
    handle.slot()?.enter(handle)
}

/// The caller's room for results, as much of it as an `int` can count.
///
/// # Safety
/// `out` is NULL or has room for `capacity`.
unsafe fn slots<'a, T>(out: *mut T, capacity: u32) -> Result<&'a mut [MaybeUninit<T>]> {
    if out.is_null() || !out.is_aligned() || capacity == 0 {
        return Err(Errno(libc::EINVAL));
    }
    let most = c_int::MAX as usize / size_of::<T>();
    let length = usize::try_from(capacity).map_or(most, |capacity| capacity.min(most));
    // SAFETY: the caller's promise; less than half of memory.
    Ok(unsafe { slice::from_raw_parts_mut(out.cast::<MaybeUninit<T>>(), length) })
}
