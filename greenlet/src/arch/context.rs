//! Any processor that the `context` crate (Boost.Context) has assembly for.
//!
//! It serves where this crate has no assembly of its own, and everywhere with the feature `context`. Its `resume` hands
//! one word over and tells the resumed side, not the suspended one, where the suspended stack is. So the word is the
//! address of a [`Handover`] on the suspended stack, and whoever is resumed first puts the stack pointer where
//! [`switch`] was told to.
//!
//! `resume_ontop`, which runs a function on the stack that it resumes, is not used: it is declared not to unwind, and a
//! throw that came in that way would abort.

use std::cell::Cell;
use std::mem;

use context::stack::Stack;
use context::{Context, Transfer};

use super::{Entry, Message};

/// What a suspending stack leaves for the one that it resumes.
struct Handover {
    save: *const Cell<*mut u8>,
    message: Message,
}

/// Writes the first frame below `top` and returns the stack pointer to switch to.
///
/// # Safety
/// `top` is aligned to 16 and at least 1 KiB below it are writable and unused. The control block of the stack names the
/// entry function.
#[inline(always)]
pub(crate) unsafe fn init(top: *mut u8, _entry: Entry) -> *mut u8 {
    // SAFETY: the caller promises the room.
    unsafe {
        let stack = Stack::new(top.cast(), top.sub(1024).cast());
        pointer(Context::new(&stack, begin))
    }
}

/// Suspends the running stack, leaves its stack pointer in `save` and resumes the stack at `to` with `message`.
///
/// # Safety
/// `to` comes from [`init`] or from an earlier switch that left it in its `save`, it is used once, and its stack is
/// alive and belongs to this thread.
#[inline(always)]
pub(crate) unsafe fn switch(save: &Cell<*mut u8>, to: *mut u8, message: Message) -> Message {
    let handover = Handover { save, message };
    // SAFETY: a `Context` is one pointer, and `to` was one before `pointer` made it plain.
    let to = unsafe { mem::transmute::<*mut u8, Context>(to) };
    // SAFETY: the caller promises a stack that can be resumed; `handover` lives until this stack is resumed.
    unsafe { accept(to.resume(&raw const handover as usize)) }
}

/// Says where the stack that we came from is suspended, and returns the message that came along.
///
/// # Safety
/// `transfer` is what a `resume` by [`switch`] has just brought.
#[inline(always)]
unsafe fn accept(transfer: Transfer) -> Message {
    // SAFETY: the word is the address of a `Handover` on a stack that is suspended now, and `save` is a cell in a
    // control block, which outlives its stack's last switch.
    unsafe {
        let handover = &*(transfer.data as *const Handover);
        (*handover.save).set(pointer(transfer.context));
        handover.message
    }
}

fn pointer(context: Context) -> *mut u8 {
    // SAFETY: a `Context` is one pointer.
    unsafe { mem::transmute(context) }
}

extern "C" fn begin(transfer: Transfer) -> ! {
    // SAFETY: this is the first switch to a new stack, and its control block is the current one.
    unsafe {
        let message = accept(transfer);
        let entry = crate::thread::thread().current().body.run;
        entry(message.data, message.tag)
    }
}
