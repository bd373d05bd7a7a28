//! Hints to the processor.

use crate::block::Ptr;

/// Starts to load the first cache line of a value that will be looked at soon. See [`AnyGreenlet::prefetch`] for the
/// lines of a greenlet.
///
/// ```
/// let tasks = [Box::new(1), Box::new(2)];
/// for (at, task) in tasks.iter().enumerate() {
///     if let Some(next) = tasks.get(at + 1) {
///         greenlet::hint::prefetch(&**next);
///     }
///     assert_eq!(**task, at + 1);
/// }
/// ```
///
/// [`AnyGreenlet::prefetch`]: crate::AnyGreenlet::prefetch
#[inline(always)]
pub fn prefetch<T>(value: &T) {
    line(std::ptr::from_ref(value).cast());
}

/// The control block, and the lines at the saved stack pointer.
#[inline(always)]
pub(crate) fn prefetch_block(block: Ptr) {
    line(block.as_ptr().cast());
    let sp = block.sp.get().cast_const();
    line(sp);
    line(sp.wrapping_add(64));
    line(sp.wrapping_add(128));
}

#[inline(always)]
fn line(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch touches nothing, whatever the address.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: a prefetch touches nothing, whatever the address.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{0}]", in(reg) address, options(nostack, readonly, preserves_flags));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = address;
}
