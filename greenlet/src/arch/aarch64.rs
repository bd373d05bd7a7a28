//! aarch64, AAPCS64.
//!
//! A suspended stack, with `sp` in its control block:
//!
//! ```text
//!             |  frames of the body  |
//!     sp+24   |  unused              |   the stack pointer stays aligned to 16
//!     sp+16   |  where to resume     |
//!     sp+8    |  x19                 |
//!     sp+0    |  x29                 |
//! ```
//!
//! A stack that has never run looks the same, so that its first switch is a switch like any other:
//!
//! ```text
//!             |  control block, closure  |   `top`, aligned to 16
//!     sp+24   |  0                       |
//!     sp+16   |  the entry function      |   begins as if just called, with 0 in x30: a walk up the stack ends there
//!     sp+8    |  0  (x19)                |
//!     sp+0    |  0  (x29)                |   ends a walk along frame pointers
//! ```
//!
//! Every other register is declared lost, so the compiler spills what it still needs and nothing else. The exception
//! is FPCR: rounding modes and exception masks belong to the thread, and a body that changes them changes them back
//! before it switches.
//!
//! The switch leaves by `br`: a `ret` would be predicted to go where the last `bl` of the other stack came from.
//!
//! This file has been run under qemu's user-mode emulation, not on hardware.

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
    // SAFETY: x19 and x29, which cannot be declared lost, are saved here and restored by the switch back. The other
    // registers are declared lost. The stack below sp is free: AAPCS64 has no red zone on these systems.
    unsafe {
        asm!(
            "adr x9, 2f",              // where this stack resumes
            "stp x29, x19, [sp, #-32]!",
            "str x9, [sp, #16]",
            "mov x9, sp",
            "str x9, [x2]",            // suspended from here on
            "ldr x16, [x3, #16]",      // the other stack, suspended by this same code or fresh from `init`
            "ldp x29, x19, [x3], #32",
            "mov sp, x3",
            "mov x30, xzr",            // the return address of an entry function; nobody else reads it
            "br x16",
            "2:",                      // the message of the switch back is in x0 and x1
            inout("x0") data,
            inout("x1") tag,
            inout("x2") save.as_ptr() => _,
            inout("x3") to => _,
            out("x20") _, out("x21") _, out("x22") _, out("x23") _, out("x24") _,
            out("x25") _, out("x26") _, out("x27") _, out("x28") _,
            clobber_abi("C"),
        );
    }
    Message { data, tag }
}
