//! Tells AddressSanitizer and ThreadSanitizer of switches, in builds with `--cfg greenlet_sanitize="address"` or
//! `"thread"` beside the compiler's option. In all others nothing of this is left.

#[cfg(not(greenlet_sanitize))]
mod none {
    use crate::block::Ptr;

    #[derive(Debug)]
    pub(crate) struct Fiber;

    impl Fiber {
        pub(crate) const fn of_thread() -> Fiber {
            Fiber
        }

        #[inline(always)]
        pub(crate) fn begin_thread(&self) {}

        #[inline(always)]
        pub(crate) fn new() -> Fiber {
            Fiber
        }

        #[inline(always)]
        pub(crate) fn free(&self) {}
    }

    /// Right before the stack pointer goes to the stack of `target`.
    #[inline(always)]
    pub(crate) fn leave(_target: Ptr) {}

    /// Right after a stack goes on, or begins.
    #[inline(always)]
    pub(crate) fn arrive() {}
}
#[cfg(not(greenlet_sanitize))]
pub(crate) use none::{Fiber, arrive, leave};

#[cfg(greenlet_sanitize = "address")]
mod address {
    use std::cell::Cell;
    use std::ffi::c_void;
    use std::mem::MaybeUninit;
    use std::ptr;

    use crate::block::Ptr;

    unsafe extern "C" {
        fn __sanitizer_start_switch_fiber(
            save: *mut *mut c_void,
            bottom: *const c_void,
            size: usize,
        );
        fn __sanitizer_finish_switch_fiber(
            save: *mut c_void,
            bottom: *mut *const c_void,
            size: *mut usize,
        );
    }

    /// The thread's own stack, for its main greenlet. The others know theirs.
    #[derive(Debug)]
    pub(crate) struct Fiber {
        low: Cell<*const c_void>,
        size: Cell<usize>,
    }

    impl Fiber {
        pub(crate) const fn of_thread() -> Fiber {
            Fiber {
                low: Cell::new(ptr::null()),
                size: Cell::new(0),
            }
        }

        pub(crate) fn begin_thread(&self) {
            let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
            let (mut low, mut size) = (ptr::null_mut(), 0);
            // SAFETY: asks about the calling thread; the attributes are initialised by the first call if it succeeds.
            unsafe {
                if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) == 0 {
                    libc::pthread_attr_getstack(attributes.as_ptr(), &mut low, &mut size);
                    libc::pthread_attr_destroy(attributes.as_mut_ptr());
                }
            }
            self.low.set(low);
            self.size.set(size);
        }

        pub(crate) fn new() -> Fiber {
            Fiber::of_thread()
        }

        pub(crate) fn free(&self) {}
    }

    pub(crate) fn leave(target: Ptr) {
        let (low, size) = match target.stack {
            Some(stack) => (stack.low.as_ptr().cast_const().cast(), stack.size()),
            None => (target.fiber.low.get(), target.fiber.size.get()),
        };
        // SAFETY: the range of the stack that is switched to. Without a place to save a fake stack there must be none,
        // which is so with `detect_stack_use_after_return=0`.
        unsafe { __sanitizer_start_switch_fiber(ptr::null_mut(), low, size) };
    }

    pub(crate) fn arrive() {
        // SAFETY: nothing was saved, and nothing is asked for.
        unsafe {
            __sanitizer_finish_switch_fiber(ptr::null_mut(), ptr::null_mut(), ptr::null_mut())
        };
    }
}
#[cfg(greenlet_sanitize = "address")]
pub(crate) use address::{Fiber, arrive, leave};

#[cfg(greenlet_sanitize = "thread")]
mod thread {
    use std::cell::Cell;
    use std::ffi::c_void;
    use std::ptr;

    use crate::block::Ptr;

    unsafe extern "C" {
        fn __tsan_get_current_fiber() -> *mut c_void;
        fn __tsan_create_fiber(flags: u32) -> *mut c_void;
        fn __tsan_destroy_fiber(fiber: *mut c_void);
        fn __tsan_switch_to_fiber(fiber: *mut c_void, flags: u32);
    }

    #[derive(Debug)]
    pub(crate) struct Fiber(Cell<*mut c_void>);

    impl Fiber {
        pub(crate) const fn of_thread() -> Fiber {
            Fiber(Cell::new(ptr::null_mut()))
        }

        pub(crate) fn begin_thread(&self) {
            // SAFETY: asks for a pointer.
            self.0.set(unsafe { __tsan_get_current_fiber() });
        }

        pub(crate) fn new() -> Fiber {
            // SAFETY: makes a fiber, which `free` ends.
            Fiber(Cell::new(unsafe { __tsan_create_fiber(0) }))
        }

        /// Nothing runs on the stack of the fiber any more.
        pub(crate) fn free(&self) {
            let fiber = self.0.replace(ptr::null_mut());
            if !fiber.is_null() {
                // SAFETY: made by `new`, not destroyed before, and not the current one.
                unsafe { __tsan_destroy_fiber(fiber) };
            }
        }
    }

    pub(crate) fn leave(target: Ptr) {
        // SAFETY: the fiber of a greenlet that is not dead; its stack is switched to next.
        unsafe { __tsan_switch_to_fiber(target.fiber.0.get(), 0) };
    }

    pub(crate) fn arrive() {}
}
#[cfg(greenlet_sanitize = "thread")]
pub(crate) use thread::{Fiber, arrive, leave};
