//! AddressSanitizer is told which range the stack is in.

use std::cell::Cell;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr;

use crate::block::Ptr;
use crate::stack::Stack;

unsafe extern "C" {
    fn __sanitizer_start_switch_fiber(save: *mut *mut c_void, bottom: *const c_void, size: usize);
    fn __sanitizer_finish_switch_fiber(
        save: *mut c_void,
        bottom: *mut *const c_void,
        size: *mut usize,
    );
    fn __asan_unpoison_memory_region(low: *const c_void, size: usize);
}

/// The thread's own stack, for its main greenlet. The others know theirs.
#[derive(Debug)]
pub(crate) struct Range {
    low: Cell<*const c_void>,
    size: Cell<usize>,
}

impl Range {
    pub(crate) const fn of_thread() -> Range {
        Range {
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

    /// For a greenlet on a stack that may have been used: the frames of the one before were left, not returned from, and
    /// so what is around them is still marked.
    pub(crate) fn new(stack: Stack) -> Range {
        // SAFETY: the stack is nobody else's.
        unsafe { __asan_unpoison_memory_region(stack.low.as_ptr().cast(), stack.size()) };
        Range::of_thread()
    }

    pub(crate) fn free(&self) {}
}

#[inline(always)]
pub(crate) fn leave(target: Ptr) {
    let (low, size) = match target.stack {
        Some(stack) => (stack.low.as_ptr().cast_const().cast(), stack.size()),
        None => (target.fiber.low.get(), target.fiber.size.get()),
    };
    // SAFETY: the range of the stack that is switched to. Without a place to save a fake stack there must be none,
    // which is so with `detect_stack_use_after_return=0`.
    unsafe { __sanitizer_start_switch_fiber(ptr::null_mut(), low, size) };
}

#[inline(always)]
pub(crate) fn arrive() {
    // SAFETY: nothing was saved, and nothing is asked for.
    unsafe { __sanitizer_finish_switch_fiber(ptr::null_mut(), ptr::null_mut(), ptr::null_mut()) };
}
