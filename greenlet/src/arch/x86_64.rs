//! x86-64, System V ABI.
//!
//! A suspended stack, with `sp` in its control block:
//!
//! ```text
//!             |  frames of the body  |
//!     sp+16   |  where to resume     |
//!     sp+8    |  rbx                 |
//!     sp+0    |  rbp                 |
//! ```
//!
//! A stack that has never run looks the same, so that its first switch is a switch like any other:
//!
//! ```text
//!             |  control block, closure  |   `top`, aligned to 16
//!     sp+24   |  0                       |   the entry function's return address: a walk up the stack ends here
//!     sp+16   |  the entry function      |   begins as if just called, with rsp 8 off a multiple of 16
//!     sp+8    |  0  (rbx)                |
//!     sp+0    |  0  (rbp)                |   ends a walk along frame pointers
//! ```
//!
//! Every other register is declared lost, so the compiler spills what it still needs and nothing else. The exceptions
//! are MXCSR and the x87 control word: rounding modes and exception masks belong to the thread, and a body that changes
//! them changes them back before it switches.
//!
//! The switch leaves by `jmp`: a `ret` would be predicted to go where the last `call` of the other stack came from, and
//! mispredict every time.

use std::arch::asm;
use std::cell::Cell;

use super::{Entry, Message};

/// Writes the first frame below `top` and returns the stack pointer to switch to.
///
/// # Safety
/// `top` is aligned to 16 and at least 48 bytes below it are writable and unused.
#[inline(always)]
pub(crate) unsafe fn init(top: *mut u8, entry: Entry) -> *mut u8 {
    // SAFETY: the caller promises the room.
    unsafe {
        let sp = top.cast::<usize>().sub(4);
        sp.write(0);
        sp.add(1).write(0);
        sp.add(2).write(entry as usize);
        sp.add(3).write(0);
        sp.cast()
    }
}

/// Suspends the running stack, leaves its stack pointer in `save` and resumes the stack at `to` with `message`.
///
/// # Safety
/// `to` comes from [`init`] or from an earlier switch that left it in its `save`, it is used once, and its stack is
/// alive and belongs to this thread.
#[inline(always)]
pub(crate) unsafe fn switch(save: &Cell<*mut u8>, to: *mut u8, message: Message) -> Message {
    let (mut data, mut tag) = (message.data, message.tag);
    // SAFETY: rbx and rbp, which cannot be declared lost, are saved here and restored by the switch back. The other
    // registers are declared lost. The stack below rsp is free: without `nostack` the compiler keeps no red zone.
    unsafe {
        asm!(
            "lea rax, [rip + 2f]", // where this stack resumes
            "push rax",
            "push rbx",
            "push rbp",
            "mov [rcx], rsp",      // suspended from here on
            "mov rsp, rdx",        // the other stack, suspended by this same code or fresh from `init`
            "pop rbp",
            "pop rbx",
            "pop rax",
            "jmp rax",
            "2:",                  // the message of the switch back is in rdi and rsi
            in("rcx") save.as_ptr(),
            in("rdx") to,
            inout("rdi") data,
            inout("rsi") tag,
            out("r12") _, out("r13") _, out("r14") _, out("r15") _,
            clobber_abi("sysv64"),
        );
    }
    Message { data, tag }
}
