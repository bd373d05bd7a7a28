use std::arch::asm;
use std::ffi::c_long;

/// Makes a system call and gives what the system says.
///
/// # Safety
/// As its manual says.
#[inline(always)]
pub(crate) unsafe fn call(number: c_long, arguments: [usize; 6]) -> isize {
    let said: isize;
    // SAFETY: the kernel's convention; it changes nothing but what is named here and what the caller vouches for.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") arguments[0] as isize => said,
            in("x1") arguments[1],
            in("x2") arguments[2],
            in("x3") arguments[3],
            in("x4") arguments[4],
            in("x5") arguments[5],
            options(nostack, preserves_flags),
        );
    }
    said
}
