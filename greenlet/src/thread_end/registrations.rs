//! Sees the registrations of thread-local destructors.
//!
//! std, and C++, register each with `__cxa_thread_atexit_impl` of the C library. The function of this name that is
//! defined here stands before that one in a program, as the linker takes the first it finds, and passes everything on.

use crate::thread::Thread;

#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    not(target_feature = "crt-static")
))]
pub(super) use hook::put_end;

/// Where there is nothing to see.
#[cfg(not(all(
    target_os = "linux",
    target_env = "gnu",
    not(target_feature = "crt-static")
)))]
pub(super) fn put_end() {}

/// True if what std registers comes by here. It does not if this code is in a library that was loaded late: then the C
/// library is found first. Nor on other systems.
pub(super) fn are_seen(thread: &Thread) -> bool {
    use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

    const UNKNOWN: u8 = 0;
    const SEEN: u8 = 1;
    const UNSEEN: u8 = 2;
    static KNOWN: AtomicU8 = AtomicU8::new(UNKNOWN);

    struct Probe;
    impl Drop for Probe {
        fn drop(&mut self) {}
    }
    thread_local! {
        static PROBE: Probe = const { Probe };
    }

    match KNOWN.load(Relaxed) {
        UNKNOWN => {
            thread.registered.set(false);
            if PROBE.try_with(|_| ()).is_err() {
                return false;
            }
            let seen = thread.registered.get();
            KNOWN.store(if seen { SEEN } else { UNSEEN }, Relaxed);
            seen
        }
        known => known == SEEN,
    }
}

#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    not(target_feature = "crt-static")
))]
mod hook {
    use std::ffi::{c_int, c_void};
    use std::mem;
    use std::ptr;
    use std::sync::atomic::{AtomicPtr, Ordering::Relaxed};

    use crate::thread::{ThreadEnd, existing};

    type Destructor = unsafe extern "C" fn(*mut c_void);
    type Register = unsafe extern "C" fn(Destructor, *mut c_void, *mut c_void) -> c_int;

    /// What is put behind each thread-local.
    unsafe extern "C" fn end(_: *mut c_void) {
        if let Some(thread) = existing() {
            super::super::end(thread, ThreadEnd::Unwind);
        }
    }

    /// Puts the end of the thread's greenlets on the list, before all that are there.
    pub(in crate::thread_end) fn put_end() {
        // Any address in this program or library names it: it must not be unloaded before.
        static HERE: u8 = 0;
        if let Some(register) = next() {
            let here = (&raw const HERE).cast_mut().cast();
            // SAFETY: the function of the C library, with a destructor that may be called on this thread at any time.
            unsafe { register(end, ptr::null_mut(), here) };
        }
    }

    /// Registers a destructor, and the end of the thread's greenlets behind it.
    ///
    /// # Safety
    /// As for the function of the C library.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn __cxa_thread_atexit_impl(
        destructor: Destructor,
        object: *mut c_void,
        library: *mut c_void,
    ) -> c_int {
        #[cfg(own_thread_locals)]
        if crate::thread_locals::adopt(destructor, object) {
            return 0;
        }
        let Some(register) = next() else {
            return -1;
        };
        // SAFETY: passed on as it came.
        let status = unsafe { register(destructor, object, library) };
        if let Some(thread) = existing() {
            thread.registered.set(true);
            if thread.end_is_next.get() {
                put_end();
            }
        }
        status
    }

    /// The function of this name that the program would have without this one.
    fn next() -> Option<Register> {
        static NEXT: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
        let mut next = NEXT.load(Relaxed);
        if next.is_null() {
            // SAFETY: a C string, in a program that is linked dynamically.
            next = unsafe { libc::dlsym(libc::RTLD_NEXT, c"__cxa_thread_atexit_impl".as_ptr()) };
            NEXT.store(next, Relaxed);
        }
        // SAFETY: null is no function; else it is the one of this name, of this type.
        unsafe { mem::transmute::<*mut c_void, Option<Register>>(next) }
    }
}
