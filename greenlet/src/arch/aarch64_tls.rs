//! aarch64, AAPCS64, where greenlets may have thread-locals of their own: the thread pointer (TPIDR_EL0) is saved and
//! restored like a register, in the word of the frame that is unused without.
//!
//! A suspended stack, with `sp` in its control block:
//!
//! ```text
//!             |  frames of the body  |
//!     sp+24   |  thread pointer      |
//!     sp+16   |  where to resume     |
//!     sp+8    |  x19                 |
//!     sp+0    |  x29                 |
//! ```
//!
//! For the rest see `aarch64.rs`, whose switch this is but for the thread pointer, and `x86_64_tls.rs` for how that
//! changes. This file has been run under qemu's user-mode emulation, not on hardware.

use std::arch::{asm, naked_asm};
use std::cell::Cell;
use std::ffi::c_void;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering::Relaxed};

use super::{Entry, Message};

/// Where the C library's own thread-locals are, from the thread pointer, and how many bytes: at least 16.
static SEGMENT: AtomicIsize = AtomicIsize::new(0);
static SEGMENT_BYTES: AtomicUsize = AtomicUsize::new(16);

/// Says what [`change`] has to know. Called before the first greenlet with thread-locals of its own is made.
pub(crate) fn configure(segment: isize, bytes: usize) {
    SEGMENT.store(segment, Relaxed);
    SEGMENT_BYTES.store(bytes, Relaxed);
}

/// Writes the first frame below `top` and returns the stack pointer to switch to.
///
/// # Safety
/// `top` is aligned to 16 and at least 48 bytes below it are writable and unused. `pointer` is the thread pointer of this
/// thread, or one of a storage of its own for this stack.
#[inline(always)]
pub(crate) unsafe fn init(top: *mut u8, entry: Entry, pointer: *mut u8) -> *mut u8 {
    // SAFETY: the caller promises the room.
    unsafe {
        let sp = top.cast::<usize>().sub(4);
        sp.write(0);
        sp.add(1).write(0);
        sp.add(2).write(entry as usize);
        sp.add(3).cast::<*mut u8>().write(pointer);
        sp.cast()
    }
}

/// The thread pointer with which a suspended stack goes on.
///
/// # Safety
/// `sp` comes from [`init`], or from a switch that has left it in its `save`, and its stack is still there.
#[inline(always)]
pub(crate) unsafe fn pointer_at(sp: *mut u8) -> *mut u8 {
    // SAFETY: that is where `init` and `switch` put it.
    unsafe { sp.cast::<*mut u8>().add(3).read() }
}

/// The thread pointer now.
#[inline(always)]
pub(crate) fn pointer() -> *mut u8 {
    let pointer;
    // SAFETY: reads a register.
    unsafe {
        asm!("mrs {}, tpidr_el0", out(reg) pointer, options(nostack, readonly, preserves_flags));
    }
    pointer
}

/// Suspends the running stack, leaves its stack pointer in `save` and resumes the stack at `to` with `message`.
///
/// # Safety
/// `to` comes from [`init`] or from an earlier switch that left it in its `save`, it is used once, and its stack is
/// alive and belongs to this thread.
#[inline(always)]
pub(crate) unsafe fn switch(save: &Cell<*mut u8>, to: *mut u8, message: Message) -> Message {
    let (mut data, mut tag) = (message.data, message.tag);
    // SAFETY: x19, x29 and the thread pointer, which cannot be declared lost, are saved here and restored by the switch
    // back. The other registers are declared lost. The stack below sp is free: AAPCS64 has no red zone on these systems.
    unsafe {
        asm!(
            "adr x9, 2f",              // where this stack resumes
            "mrs x10, tpidr_el0",
            "stp x29, x19, [sp, #-32]!",
            "stp x9, x10, [sp, #16]",
            "mov x9, sp",
            "str x9, [x2]",            // suspended from here on
            "ldp x12, x11, [x3, #16]", // the other stack, suspended by this same code or fresh from `init`
            "ldp x29, x19, [x3], #32",
            "mov sp, x3",
            "cmp x10, x11",
            "b.ne 3f",
            "4:",
            "mov x30, xzr",            // the return address of an entry function; nobody else reads it
            "mov x16, x12",
            "br x16",
            "3:",
            "bl {change}",
            "b 4b",
            "2:",                      // the message of the switch back is in x0 and x1
            change = sym change,
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

/// Goes on with the thread pointer in x11 where the one in x10 was, and takes the C library's own thread-locals along.
///
/// Not a function of any calling convention: it leaves all registers but x9, x13 to x17, x30 and q0 as they are.
#[unsafe(naked)]
extern "C" fn change() {
    naked_asm!(
        "adrp x13, {segment}",
        "ldr x13, [x13, :lo12:{segment}]",
        "adrp x14, {bytes}",
        "ldr x14, [x14, :lo12:{bytes}]",
        "add x15, x10, x13",
        "add x13, x11, x13",
        // The last 16 bytes, then all whole 16 from the start: the number of bytes is any.
        "sub x9, x14, #16",
        "ldr q0, [x15, x9]",
        "str q0, [x13, x9]",
        "and x14, x14, #-16",
        "2:",
        "sub x14, x14, #16",
        "ldr q0, [x15, x14]",
        "str q0, [x13, x14]",
        "cbnz x14, 2b",
        "msr tpidr_el0, x11",
        "ret",
        segment = sym SEGMENT,
        bytes = sym SEGMENT_BYTES,
    )
}

/// Calls `f` with `data` while `pointer` is the thread pointer.
///
/// The calls are made by assembly, so that the code before, inside and after the call never shares an address of a
/// thread-local that a compiler has kept.
///
/// # Safety
/// `pointer` is a thread pointer of this thread that nothing suspended in the middle of `f` uses meanwhile; `f` does not
/// switch, and may be called with `data`.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn call_with(
    pointer: *mut u8,
    f: unsafe extern "C" fn(*mut c_void),
    data: *mut c_void,
) {
    naked_asm!(
        "stp x29, x30, [sp, #-32]!",
        "mov x29, sp",
        "stp x19, x20, [sp, #16]",
        "mov x19, x2",
        "mrs x10, tpidr_el0",
        "mov x20, x10",
        "mov x11, x0",
        "bl {change}",
        "mov x0, x19",
        "blr x1",
        "mrs x10, tpidr_el0",
        "mov x11, x20",
        "bl {change}",
        "ldp x19, x20, [sp, #16]",
        "ldp x29, x30, [sp], #32",
        "ret",
        change = sym change,
    )
}
