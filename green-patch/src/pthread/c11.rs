//! The threads of C11. libc's are those of pthread under other names, and call each other within libc.

use std::ffi::{c_int, c_void};
use std::ptr;

use greenlet::thread_locals::on_host;
use libc::{pthread_cond_t, pthread_key_t, pthread_mutex_t, pthread_once_t, pthread_t, timespec};

use super::{
    answer_as_threads, pthread_cond_broadcast, pthread_cond_signal, pthread_cond_timedwait,
    pthread_cond_wait, pthread_join, pthread_mutex_lock, pthread_mutex_timedlock,
    pthread_mutex_unlock, pthread_once,
};
use crate::active::threads_are_allowed;
use crate::hooks::nanosleep;
use crate::keys;
use crate::sys::{errno, next};

type Begin = extern "C" fn(*mut c_void) -> c_int;
type Destructor = unsafe extern "C" fn(*mut c_void);

/// What C11 says for a number of an error: success, busy, error, no memory, out of time.
fn said(errno: c_int) -> c_int {
    match errno {
        0 => 0,
        libc::EBUSY => 1,
        libc::ENOMEM => 3,
        libc::ETIMEDOUT => 4,
        _ => 2,
    }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn mtx_lock(mutex: *mut pthread_mutex_t) -> c_int {
    // SAFETY: as the caller vouches for.
    said(unsafe { pthread_mutex_lock(mutex) })
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn mtx_timedlock(
    mutex: *mut pthread_mutex_t,
    time: *const timespec,
) -> c_int {
    // SAFETY: as the caller vouches for.
    said(unsafe { pthread_mutex_timedlock(mutex, time) })
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn mtx_unlock(mutex: *mut pthread_mutex_t) -> c_int {
    // SAFETY: as the caller vouches for.
    said(unsafe { pthread_mutex_unlock(mutex) })
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn cnd_wait(
    condition: *mut pthread_cond_t,
    mutex: *mut pthread_mutex_t,
) -> c_int {
    // SAFETY: as the caller vouches for.
    said(unsafe { pthread_cond_wait(condition, mutex) })
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn cnd_timedwait(
    condition: *mut pthread_cond_t,
    mutex: *mut pthread_mutex_t,
    time: *const timespec,
) -> c_int {
    // SAFETY: as the caller vouches for.
    said(unsafe { pthread_cond_timedwait(condition, mutex, time) })
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn cnd_signal(condition: *mut pthread_cond_t) -> c_int {
    // SAFETY: as the caller vouches for.
    said(unsafe { pthread_cond_signal(condition) })
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn cnd_broadcast(condition: *mut pthread_cond_t) -> c_int {
    // SAFETY: as the caller vouches for.
    said(unsafe { pthread_cond_broadcast(condition) })
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn call_once(
    once: *mut pthread_once_t,
    f: Option<unsafe extern "C-unwind" fn()>,
) {
    // SAFETY: as the caller vouches for.
    unsafe { pthread_once(once, f) };
}

/// As libc's: it makes an OS thread.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn thrd_create(
    thread: *mut pthread_t,
    f: Begin,
    argument: *mut c_void,
) -> c_int {
    type Create = unsafe extern "C" fn(*mut pthread_t, Begin, *mut c_void) -> c_int;

    let create = next!(c"thrd_create" as Create);
    let mut said = 0;
    // SAFETY: as the caller vouches for.
    on_host(&mut || said = unsafe { create(thread, f, argument) });
    if threads_are_allowed() {
        answer_as_threads();
    }
    said
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn thrd_join(thread: pthread_t, result: *mut c_int) -> c_int {
    let mut value = ptr::null_mut();
    // SAFETY: as the caller vouches for.
    let said = said(unsafe { pthread_join(thread, &mut value) });
    if said == 0 && !result.is_null() {
        // SAFETY: as the caller vouches for. The function of the thread has returned an `int`.
        unsafe { result.write(value.addr() as c_int) };
    }
    said
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn thrd_sleep(time: *const timespec, left: *mut timespec) -> c_int {
    // SAFETY: as the caller vouches for.
    match unsafe { nanosleep(time, left) } {
        0 => 0,
        _ if errno() == libc::EINTR => -1,
        _ => -2,
    }
}

/// As libc's: lets the other greenthreads of the thread run.
///
/// # Safety
/// None is needed.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn thrd_yield() {
    // SAFETY: takes nothing.
    unsafe { super::sched_yield() };
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn tss_create(
    key: *mut pthread_key_t,
    destructor: Option<Destructor>,
) -> c_int {
    // SAFETY: as the caller vouches for.
    said(unsafe { keys::pthread_key_create(key, destructor) })
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn tss_delete(key: pthread_key_t) {
    // SAFETY: as the caller vouches for.
    unsafe { keys::pthread_key_delete(key) };
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn tss_set(key: pthread_key_t, value: *mut c_void) -> c_int {
    // SAFETY: as the caller vouches for.
    said(unsafe { keys::pthread_setspecific(key, value) })
}
