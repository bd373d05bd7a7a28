//! An allocator that has a heap for each OS thread.

use std::alloc::{GlobalAlloc, Layout};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use greenlet::thread_locals::{are_own, on_host};

/// Lets an allocator see the OS thread, and not the greenthread, in a program whose greenthreads have thread-locals of
/// their own.
///
/// An allocator that keeps a heap in thread-locals, as mimalloc and jemalloc do, would make one for each greenthread, and
/// many never give the memory of those back. libc's own needs no wrapper.
///
/// ```
/// use std::alloc::System; // mimalloc::MiMalloc, tikv_jemallocator::Jemalloc, ...
/// use green_patch::HostAlloc;
///
/// #[global_allocator]
/// static ALLOCATOR: HostAlloc<System> = HostAlloc::new(System);
///
/// fn main() {
///     assert_eq!(vec![1, 2, 3].len(), 3);
/// }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct HostAlloc<A> {
    inner: A,
}

/// True once any was asked for memory.
static IS_USED: AtomicBool = AtomicBool::new(false);

/// True if the program's allocator is wrapped.
#[cfg(patchable)]
pub(crate) fn is_used() -> bool {
    IS_USED.load(Ordering::Relaxed)
}

impl<A> HostAlloc<A> {
    /// Wraps an allocator.
    pub const fn new(inner: A) -> HostAlloc<A> {
        HostAlloc { inner }
    }
}

impl<A: GlobalAlloc> HostAlloc<A> {
    #[inline]
    fn call(&self, f: impl Fn(&A) -> *mut u8) -> *mut u8 {
        if !IS_USED.load(Ordering::Relaxed) {
            IS_USED.store(true, Ordering::Relaxed);
        }
        if !are_own() {
            return f(&self.inner);
        }
        let mut result = ptr::null_mut();
        on_host(&mut || result = f(&self.inner));
        result
    }
}

// SAFETY: the inner allocator's own answers, asked for on the same OS thread.
unsafe impl<A: GlobalAlloc> GlobalAlloc for HostAlloc<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: passed on.
        self.call(|inner| unsafe { inner.alloc(layout) })
    }

    #[inline]
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        self.call(|inner| {
            // SAFETY: passed on.
            unsafe { inner.dealloc(at, layout) };
            ptr::null_mut()
        });
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: passed on.
        self.call(|inner| unsafe { inner.alloc_zeroed(layout) })
    }

    #[inline]
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: passed on.
        self.call(|inner| unsafe { inner.realloc(at, layout, size) })
    }
}
