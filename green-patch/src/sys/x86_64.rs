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
            "syscall",
            inlateout("rax") number as isize => said,
            in("rdi") arguments[0],
            in("rsi") arguments[1],
            in("rdx") arguments[2],
            in("r10") arguments[3],
            in("r8") arguments[4],
            in("r9") arguments[5],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack, preserves_flags),
        );
    }
    said
}
