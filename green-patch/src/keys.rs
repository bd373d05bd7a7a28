//! `pthread_key_create`, `pthread_key_delete`, `pthread_setspecific`.
//!
//! libc keeps the values in the thread's description, so a greenthread with thread-locals of its own has its own values. But
//! libc destroys them only when an OS thread ends: for a greenthread that is done here.

use std::ffi::{c_int, c_uint, c_void};
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};

use greenlet::thread_locals;
use libc::pthread_key_t;

use crate::sys::next;

type Destructor = unsafe extern "C" fn(*mut c_void);
type Create = unsafe extern "C" fn(*mut pthread_key_t, Option<Destructor>) -> c_int;

/// As many as glibc has.
const KEYS: usize = 1024;

/// The destructors, by key; zero is none.
static DESTRUCTORS: [AtomicUsize; KEYS] = [const { AtomicUsize::new(0) }; KEYS];

/// How often the values are destroyed that destructors have set: as often as libc does.
const ROUNDS: usize = 4;

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_key_create(
    key: *mut pthread_key_t,
    destructor: Option<Destructor>,
) -> c_int {
    // SAFETY: as the caller vouches for.
    let said = unsafe { next!(c"pthread_key_create" as Create)(key, destructor) };
    if said == 0 {
        // SAFETY: just written.
        note(unsafe { key.read() }, destructor);
    }
    said
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_key_delete(key: pthread_key_t) -> c_int {
    type Delete = unsafe extern "C" fn(pthread_key_t) -> c_int;

    note(key, None);
    // SAFETY: as the caller vouches for.
    unsafe { next!(c"pthread_key_delete" as Delete)(key) }
}

fn note(key: c_uint, destructor: Option<Destructor>) {
    if let Some(place) = DESTRUCTORS.get(key as usize) {
        let address = destructor.map_or(0, |destructor| destructor as usize);
        place.store(address, Ordering::SeqCst);
    }
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_setspecific(
    key: pthread_key_t,
    value: *const c_void,
) -> c_int {
    type Set = unsafe extern "C" fn(pthread_key_t, *const c_void) -> c_int;

    if !value.is_null() && thread_locals::are_own() {
        thread_locals::at_last(destroy);
    }
    // SAFETY: as the caller vouches for.
    unsafe { next!(c"pthread_setspecific" as Set)(key, value) }
}

/// Destroys the values of the greenthread that ends.
fn destroy() {
    for _ in 0..ROUNDS {
        let mut any = false;
        for (key, place) in DESTRUCTORS.iter().enumerate() {
            let address = place.load(Ordering::SeqCst);
            if address == 0 {
                continue;
            }
            let key = key as pthread_key_t;
            // SAFETY: a key that there was: libc gives null if it was deleted meanwhile.
            let value = unsafe { libc::pthread_getspecific(key) };
            if value.is_null() {
                continue;
            }
            any = true;
            // SAFETY: the destructor that the key was made with, for a value of this greenthread, which is no more its own.
            unsafe {
                libc::pthread_setspecific(key, std::ptr::null());
                mem::transmute::<usize, Destructor>(address)(value);
            }
        }
        if !any {
            return;
        }
    }
}
