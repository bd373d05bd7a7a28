//! x86-64, System V ABI, where greenlets may have thread-locals of their own: the thread pointer (the base of FS) is saved
//! and restored like a register.
//!
//! A suspended stack, with `sp` in its control block:
//!
//! ```text
//!             |  frames of the body  |
//!     sp+24   |  where to resume     |
//!     sp+16   |  rbx                 |
//!     sp+8    |  rbp                 |
//!     sp+0    |  thread pointer      |
//! ```
//!
//! A stack that has never run looks the same, with 0 in the place of rbx and rbp, and of the return address above.
//!
//! For the rest see `x86_64.rs`, whose switch this is but for the thread pointer. That changes between two instructions,
//! where no compiler can have kept an address of a thread-local: each side of the switch finds the pointer that it had.
//! Two stacks with the same one pay for a load, a store and a comparison.

use std::arch::{asm, naked_asm};
use std::cell::Cell;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicUsize, Ordering::Relaxed};

use super::{Entry, Message};

/// True if the processor and the system let a program set the base of FS by itself. Else a system call does it.
static FAST: AtomicBool = AtomicBool::new(false);

/// Where the C library's own thread-locals are, from the thread pointer, and how many bytes: at least 16.
static SEGMENT: AtomicIsize = AtomicIsize::new(0);
static SEGMENT_BYTES: AtomicUsize = AtomicUsize::new(16);

/// Says what [`change`] has to know. Called before the first greenlet with thread-locals of its own is made.
pub(crate) fn configure(segment: isize, bytes: usize) {
    /// The system lets programs use the instructions: Linux 5.9 and later, and not valgrind.
    const HWCAP2_FSGSBASE: libc::c_ulong = 2;
    SEGMENT.store(segment, Relaxed);
    SEGMENT_BYTES.store(bytes, Relaxed);
    // SAFETY: asks a number; 0 if it is not known.
    let allowed = unsafe { libc::getauxval(libc::AT_HWCAP2) };
    FAST.store(allowed & HWCAP2_FSGSBASE != 0, Relaxed);
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
        let sp = top.cast::<usize>().sub(5);
        sp.cast::<*mut u8>().write(pointer);
        sp.add(1).write(0);
        sp.add(2).write(0);
        sp.add(3).write(entry as usize);
        sp.add(4).write(0);
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
    unsafe { sp.cast::<*mut u8>().read() }
}

/// The thread pointer now.
#[inline(always)]
pub(crate) fn pointer() -> *mut u8 {
    let pointer;
    // SAFETY: the first word of the block that FS points to is its own address: so says the ABI.
    unsafe {
        asm!("mov {}, fs:[0]", out(reg) pointer, options(nostack, readonly, preserves_flags));
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
    // SAFETY: rbx, rbp and the thread pointer, which cannot be declared lost, are saved here and restored by the switch
    // back. The other registers are declared lost. The stack below rsp is free: without `nostack` the compiler keeps no
    // red zone.
    unsafe {
        asm!(
            "lea rax, [rip + 2f]", // where this stack resumes
            "push rax",
            "push rbx",
            "push rbp",
            "mov rax, fs:[0]",
            "push rax",
            "mov [rcx], rsp",      // suspended from here on
            "mov rsp, rdx",        // the other stack, suspended by this same code or fresh from `init`
            "pop r8",
            "cmp r8, rax",
            "jne 3f",
            "4:",
            "pop rbp",
            "pop rbx",
            "pop rax",
            "jmp rax",
            "3:",
            "call {change}",
            "jmp 4b",
            "2:",                  // the message of the switch back is in rdi and rsi
            change = sym change,
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

/// Goes on with the thread pointer in r8 where the one in rax was, and takes the C library's own thread-locals along.
///
/// Not a function of any calling convention: it leaves rdi, rsi, rbx, rbp, r8 and r12 to r15 as they are.
#[unsafe(naked)]
extern "C" fn change() {
    naked_asm!(
        "mov r9, [rip + {segment}]",
        "mov r10, [rip + {bytes}]",
        "lea rdx, [rax + r9]",
        "lea r9, [r8 + r9]",
        // The last 16 bytes, then all whole 16 from the start: the number of bytes is any.
        "movups xmm0, [rdx + r10 - 16]",
        "movups [r9 + r10 - 16], xmm0",
        "and r10, -16",
        "2:",
        "movups xmm0, [rdx + r10 - 16]",
        "movups [r9 + r10 - 16], xmm0",
        "sub r10, 16",
        "jnz 2b",
        "cmp byte ptr [rip + {fast}], 0",
        "je 3f",
        "wrfsbase r8",
        "ret",
        "3:",
        "push rdi",
        "push rsi",
        "mov edi, 0x1002", // ARCH_SET_FS
        "mov rsi, r8",
        "mov eax, 158",    // arch_prctl
        "syscall",         // loses rcx and r11, and cannot fail: the address is one of a program
        "pop rsi",
        "pop rdi",
        "ret",
        segment = sym SEGMENT,
        bytes = sym SEGMENT_BYTES,
        fast = sym FAST,
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
        ".cfi_startproc",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "push rbx",
        "push r12",
        ".cfi_offset rbx, -24",
        ".cfi_offset r12, -32",
        "mov r12, rdx",
        "mov rax, fs:[0]",
        "mov rbx, rax",
        "mov r8, rdi",
        "call {change}",
        "mov rdi, r12",
        "call rsi",
        "mov rax, fs:[0]",
        "mov r8, rbx",
        "call {change}",
        "pop r12",
        "pop rbx",
        "pop rbp",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
        change = sym change,
    )
}
