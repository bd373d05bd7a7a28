//! What C code waits for other threads with: mutexes, conditions, locks, semaphores, `pthread_once`; the ends of threads.
//!
//! A lock is libc's own, and OS threads that are not greenthreads wait for it in libc. A greenthread only tries it, and waits
//! [by the table](crate::futex) in between. So all that gives a lock back looks at the table, whoever calls it.

mod barrier;
mod bell;
mod c11;
mod condition;
mod mutex;
mod once;
mod rwlock;
mod semaphore;
mod shared;
mod thread;
mod user;

pub(crate) use barrier::{pthread_barrier_destroy, pthread_barrier_init, pthread_barrier_wait};
pub(crate) use c11::{
    call_once, cnd_broadcast, cnd_signal, cnd_timedwait, cnd_wait, mtx_lock, mtx_timedlock,
    mtx_unlock, thrd_create, thrd_join, thrd_sleep, thrd_yield, tss_create, tss_delete, tss_set,
};
pub(crate) use condition::{
    pthread_cond_broadcast, pthread_cond_clockwait, pthread_cond_signal, pthread_cond_timedwait,
    pthread_cond_wait,
};
pub(crate) use mutex::{
    pthread_mutex_clocklock, pthread_mutex_lock, pthread_mutex_timedlock, pthread_mutex_unlock,
};
pub(crate) use once::pthread_once;
pub(crate) use rwlock::{
    pthread_rwlock_clockrdlock, pthread_rwlock_clockwrlock, pthread_rwlock_rdlock,
    pthread_rwlock_timedrdlock, pthread_rwlock_timedwrlock, pthread_rwlock_unlock,
    pthread_rwlock_wrlock,
};
pub(crate) use semaphore::{real_post, sem_clockwait, sem_post, sem_timedwait, sem_wait};
pub(crate) use thread::{fork, pthread_create, pthread_join, sched_yield};
pub(crate) use user::answer_as_threads;

use std::ffi::c_int;
use std::time::Instant;

use green::layer;
use libc::{clockid_t, timespec};

use crate::active::is_armed;
use crate::futex::{Address, Woken, deadline_by, duration_of, may_wait, wait_until, wake};

/// When a call is to give up; an error is the number that it fails with.
///
/// # Safety
/// `time` points to a time.
unsafe fn deadline(clock: clockid_t, time: *const timespec) -> Result<Option<Instant>, c_int> {
    // SAFETY: as the caller vouches for.
    match duration_of(unsafe { time.read() }) {
        Some(time) => Ok(deadline_by(clock, time)),
        None => Err(libc::EINVAL),
    }
}

/// Waits for a lock that `attempt` has not got: `EBUSY` says so, all else is the result.
///
/// `at_once` is the same with a time that is over: it sees what an attempt does not, that the caller has the lock itself.
fn wait_for(
    what: &'static str,
    object: usize,
    by: Woken,
    deadline: Option<Instant>,
    at_once: impl FnOnce() -> c_int,
    mut attempt: impl FnMut() -> c_int,
) -> c_int {
    match at_once() {
        libc::ETIMEDOUT => {}
        said => return said,
    }
    let got = wait_until(what, Address::Object(object), by, deadline, || {
        let said = attempt();
        (said != libc::EBUSY && said != libc::EAGAIN).then_some(said)
    });
    got.unwrap_or(libc::ETIMEDOUT)
}

/// Wakes waiters of what was given back. A greenthread that always finds one lets the others run from time to time.
#[inline]
fn given_back(object: usize, most: usize) {
    if is_armed() && wake(Address::Object(object), most, u32::MAX) > 0 && may_wait() {
        layer::spend();
    }
}

/// A time that is over, by every clock.
const OVER: timespec = timespec {
    tv_sec: 0,
    tv_nsec: 0,
};
