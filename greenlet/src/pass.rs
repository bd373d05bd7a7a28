//! The switch itself, without what happens on either side of it.

use std::cell::Cell;

use crate::arch;
use crate::block::Ptr;
use crate::message::{Message, Type};
use crate::sanitizer;
use crate::thread::Thread;

/// Suspends the running greenlet and resumes `target`, which must be suspended or unstarted.
///
/// # Safety
/// What `message` points to is what `target` expects and stays where it is until this returns.
#[inline(always)]
pub(crate) unsafe fn pass(
    thread: &Thread,
    me: Ptr,
    target: Ptr,
    expects: &'static Type,
    message: Message,
) -> Message {
    debug_assert!(target.expects.get().is_some() && target != me);
    me.expects.set(Some(expects));
    target.expects.set(None);
    thread.set_current(target);
    // SAFETY: a greenlet that expects something is suspended or fresh, so its `sp` is good for one switch. The block
    // of `me` outlives its suspension.
    unsafe { switch(me, target, message) }
}

/// Ends the running greenlet, which is dead, and resumes `target`, an ancestor that is suspended or unstarted.
///
/// # Safety
/// As for [`pass`]; nothing refers to the stack of `me` but the message.
// Inline, since a call that never returns puts the processor's stack of return addresses out of step with the code: every
// return on the resumed side would be mispredicted.
#[inline(always)]
pub(crate) unsafe fn pass_for_good(
    thread: &Thread,
    me: Ptr,
    target: Ptr,
    message: Message,
) -> Message {
    target.expects.set(None);
    thread.set_current(target);
    // SAFETY: as for `pass`. This stack lives until the receiver has looked at it.
    unsafe { switch(me, target, message) }
}

/// # Safety
/// The stack pointer of `target` is good for one switch, and the block of `me` outlives this.
#[inline(always)]
unsafe fn switch(me: Ptr, target: Ptr, message: Message) -> Message {
    sanitizer::leave(target);
    // SAFETY: passed on.
    let message = unsafe { arch::switch(sp_of(&me), target.sp.get(), message) };
    sanitizer::arrive();
    message
}

/// The cell as something that does not borrow from a `Ptr` on the stack.
#[inline(always)]
fn sp_of(block: &Ptr) -> &Cell<*mut u8> {
    &block.sp
}
