//! ThreadSanitizer has a fiber for each stack.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;

use crate::block::Ptr;
use crate::stack::Stack;

unsafe extern "C" {
    fn __tsan_get_current_fiber() -> *mut c_void;
    fn __tsan_create_fiber(flags: u32) -> *mut c_void;
    fn __tsan_destroy_fiber(fiber: *mut c_void);
    fn __tsan_switch_to_fiber(fiber: *mut c_void, flags: u32);
}

#[derive(Debug)]
pub(crate) struct FiberOfStack(Cell<*mut c_void>);

impl FiberOfStack {
    pub(crate) const fn of_thread() -> FiberOfStack {
        FiberOfStack(Cell::new(ptr::null_mut()))
    }

    pub(crate) fn begin_thread(&self) {
        // SAFETY: asks for a pointer.
        self.0.set(unsafe { __tsan_get_current_fiber() });
    }

    pub(crate) fn new(_stack: Stack) -> FiberOfStack {
        // SAFETY: makes a fiber, which `free` ends.
        FiberOfStack(Cell::new(unsafe { __tsan_create_fiber(0) }))
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

// Inline: a function that is entered on one fiber and left on another would confuse both.
#[inline(always)]
pub(crate) fn leave(target: Ptr) {
    // SAFETY: the fiber of a greenlet that is not dead; its stack is switched to next.
    unsafe { __tsan_switch_to_fiber(target.fiber.0.get(), 0) };
}

#[inline(always)]
pub(crate) fn arrive() {}
