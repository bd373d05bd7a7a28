//! `pthread_create`, `pthread_join`, `fork`, `sched_yield`.

use std::ffi::{c_int, c_void};
use std::mem::{self, MaybeUninit};

use green::layer;
use greenlet::thread_locals::on_host;
use libc::{pid_t, pthread_attr_t, pthread_t};

use super::bell;
use super::user::answer_as_threads;
use crate::active::{Part, is_green, is_on, threads_are_allowed};
use crate::futex::{Address, Woken, across_fork, may_wait, wait_until, wake};
use crate::sys::{int, linked, next, sys};

type Begin = extern "C-unwind" fn(*mut c_void) -> *mut c_void;

unsafe extern "C" {
    /// Joins a thread that has ended, and says so if it has not.
    fn pthread_tryjoin_np(thread: pthread_t, result: *mut *mut c_void) -> c_int;
}

/// What a thread is to do.
struct Start {
    f: Begin,
    argument: *mut c_void,
}

/// The first function of a thread whose end wakes those who wait in `pthread_join`.
// A thread may leave it by `pthread_exit`, which unwinds: nothing here is dropped then.
extern "C-unwind" fn begin(start: *mut c_void) -> *mut c_void {
    // SAFETY: made by `pthread_create`, for this thread alone.
    let Start { f, argument } = *unsafe { Box::from_raw(start.cast::<Start>()) };
    let result = f(argument);
    // SAFETY: the call cannot fail.
    let thread = unsafe { libc::pthread_self() };
    wake(Address::Object(thread as usize), usize::MAX, u32::MAX);
    result
}

/// As libc's: it makes an OS thread.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_create(
    thread: *mut pthread_t,
    attributes: *const pthread_attr_t,
    f: Begin,
    argument: *mut c_void,
) -> c_int {
    type Create =
        unsafe extern "C" fn(*mut pthread_t, *const pthread_attr_t, Begin, *mut c_void) -> c_int;

    let create = match linked!("__interceptor_pthread_create") {
        0 => next!(c"pthread_create" as Create),
        // SAFETY: a sanitizer keeps a record of the threads, by a function of the same type that it has before libc's.
        theirs => unsafe { mem::transmute::<usize, Create>(theirs) },
    };
    let mut said = 0;
    if !is_on(Part::Thread) {
        // SAFETY: as the caller vouches for.
        on_host(&mut || said = unsafe { create(thread, attributes, f, argument) });
        if threads_are_allowed() {
            answer_as_threads();
        }
        return said;
    }
    let start = Box::into_raw(Box::new(Start { f, argument }));
    // SAFETY: as the caller vouches for.
    on_host(&mut || said = unsafe { create(thread, attributes, begin, start.cast()) });
    answer_as_threads();
    if said != 0 {
        // SAFETY: no thread has got it.
        drop(unsafe { Box::from_raw(start) });
    }
    said
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_join(thread: pthread_t, result: *mut *mut c_void) -> c_int {
    type Join = unsafe extern "C" fn(pthread_t, *mut *mut c_void) -> c_int;

    if !may_wait() {
        let join = match linked!("__interceptor_pthread_join") {
            0 => next!(c"pthread_join" as Join),
            // SAFETY: as in `pthread_create`.
            theirs => unsafe { mem::transmute::<usize, Join>(theirs) },
        };
        // SAFETY: as the caller vouches for.
        return unsafe { join(thread, result) };
    }
    let mut place = MaybeUninit::<*mut c_void>::uninit();
    let joined = wait_until(
        "the end of a thread",
        Address::Object(thread as usize),
        // Its last steps come after its function.
        Woken::Elsewhere,
        None,
        || {
            // SAFETY: as the caller vouches for.
            let said = unsafe { pthread_tryjoin_np(thread, place.as_mut_ptr()) };
            (said != libc::EBUSY).then_some(said)
        },
    );
    let said = joined.unwrap_or(libc::EBUSY);
    if said == 0 && !result.is_null() {
        // SAFETY: written by the call that has succeeded; the caller vouches for the other place.
        unsafe { result.write(place.assume_init()) };
    }
    said
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn fork() -> pid_t {
    type Fork = unsafe extern "C" fn() -> pid_t;

    let fork = next!(c"fork" as Fork);
    let mut said = 0;
    // SAFETY: as the caller vouches for.
    on_host(&mut || said = across_fork(|| unsafe { fork() }));
    if said == 0 {
        bell::after_fork();
    }
    said
}

/// As libc's: lets the other greenthreads of the thread run.
///
/// # Safety
/// None is needed.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn sched_yield() -> c_int {
    if is_green(Part::Thread) && may_wait() {
        layer::yield_now();
        return 0;
    }
    // SAFETY: takes nothing.
    int(unsafe { sys!(SYS_sched_yield) })
}
