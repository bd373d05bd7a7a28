//! A clock that is cheap to read.

/// A number that grows at a steady rate on this processor, for differences of which a caller learns the rate itself.
///
/// On x86-64 it is the time stamp counter, which costs a third of a read of the system's clock; elsewhere it counts
/// nanoseconds of the system's monotonic clock. It is a hint: a difference may be wrong where the system moves a thread
/// to a processor whose counter differs.
///
/// ```
/// let start = greenlet::ticks();
/// let later = greenlet::ticks();
/// assert!(later.wrapping_sub(start) < u64::MAX / 2);
/// ```
#[inline(always)]
pub fn ticks() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 has the instruction; it reads a register and touches no memory.
    unsafe {
        std::arch::x86_64::_rdtsc()
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        use std::sync::OnceLock;
        use std::time::Instant;

        static EPOCH: OnceLock<Instant> = OnceLock::new();
        EPOCH.get_or_init(Instant::now).elapsed().as_nanos() as u64
    }
}
