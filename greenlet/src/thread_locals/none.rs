//! Where greenlets have no thread-locals of their own.

use std::io;

use crate::arch;
use crate::arch::Entry;

/// None can be made.
pub(crate) struct NoStorage;

impl NoStorage {
    #[inline(always)]
    pub(crate) fn new(own: bool) -> io::Result<NoStorage> {
        if own {
            super::check()?;
        }
        Ok(NoStorage)
    }

    #[inline(always)]
    pub(crate) fn is_own(&self) -> bool {
        false
    }

    /// # Safety
    /// As for `arch::init`.
    #[inline(always)]
    pub(crate) unsafe fn init(self, top: *mut u8, entry: Entry) -> *mut u8 {
        // SAFETY: passed on.
        unsafe { arch::init(top, entry) }
    }

    /// # Safety
    /// Never called: no greenlet has any.
    pub(crate) unsafe fn free(_sp: *mut u8) {}
}

pub(super) fn check() -> Result<(), &'static str> {
    Err(
        "this needs the feature `thread-locals`, Linux on x86-64 or aarch64 and the GNU C library, linked dynamically, \
         and it does not go with the feature `context`",
    )
}

#[inline(always)]
pub(super) fn are_own() -> bool {
    false
}

#[inline(always)]
pub(super) fn have_destructors() -> bool {
    false
}

#[inline(always)]
pub(super) fn is_host_lent() -> bool {
    false
}

#[inline(always)]
pub(super) fn at_last(_f: fn()) {}

#[inline(always)]
pub(super) fn destroy() {}

pub(super) fn on_host(f: &mut dyn FnMut()) {
    f();
}
