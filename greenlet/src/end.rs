//! How a greenlet ends: its last handle, and the exit that it is told.

use std::mem::{self, ManuallyDrop};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::ptr;
use std::thread::panicking;

use crate::block::{Ptr, State};
use crate::contain::{contain, drop_payload};
use crate::error::GreenletExit;
use crate::message::{Control, Kind, Message, Tag, Type};
use crate::pass::pass;
use crate::thread::{POSTPONED, Thread, thread};
use crate::thread_end::enter;
use crate::thread_locals::Storage;

/// How often a greenlet is told to exit that catches the exit and suspends itself again.
const EXITS: usize = 8;

/// A handle: one of those that are counted.
pub(crate) struct Handle(Ptr);

impl Handle {
    /// One more.
    #[inline(always)]
    pub(crate) fn new(ptr: Ptr) -> Handle {
        ptr.retain();
        Handle(ptr)
    }

    /// One that has been counted already.
    #[inline(always)]
    pub(crate) fn adopt(ptr: Ptr) -> Handle {
        Handle(ptr)
    }

    #[inline(always)]
    pub(crate) fn ptr(&self) -> Ptr {
        self.0
    }

    /// Lets go of a handle on the greenlet that runs next, which needs none.
    #[inline(always)]
    pub(crate) fn release(self) {
        self.0.release();
        mem::forget(self);
    }
}

impl Drop for Handle {
    #[inline]
    fn drop(&mut self) {
        if self.0.release() {
            last_handle_dropped(self.0);
        }
    }
}

/// Does what the end of the last handle asks for, of `block` and of every ancestor that only its child kept.
#[inline(never)]
pub(crate) fn last_handle_dropped(block: Ptr) {
    match block.state.get() {
        State::Active => suspended_without_handle(thread(), block),
        _ => free_with_ancestors(block),
    }
}

#[inline(never)]
fn free_with_ancestors(mut block: Ptr) {
    let thread = thread();
    let mut exit = false;
    loop {
        match block.state.get() {
            State::Dead => {}
            State::Unstarted => exit |= drop_body(thread, block),
            State::Active => {
                suspended_without_handle(thread, block);
                break;
            }
        }
        let parent = block.parent.take();
        free(block);
        match parent {
            Some(parent) if parent.release() => block = parent,
            _ => break,
        }
    }
    if exit {
        resume_unwind(Box::new(GreenletExit));
    }
}

#[inline]
fn suspended_without_handle(thread: &Thread, block: Ptr) {
    // The running greenlet needs no handle: it is looked at when it suspends itself.
    if thread.current() != block {
        end_suspended(thread, block);
    }
}

#[cold]
#[inline(never)]
fn end_suspended(thread: &Thread, block: Ptr) {
    if panicking() {
        postpone(thread, block);
    } else {
        unwind(thread, block);
        end_postponed(thread);
    }
}

/// Drops the closure of an unstarted greenlet, which is dead from now on. True if the running greenlet was told to exit
/// meanwhile.
#[cold]
pub(crate) fn drop_body(thread: &Thread, block: Ptr) -> bool {
    thread.living.set(thread.living.get() - 1);
    block.state.set(State::Dead);
    block.expects.set(None);
    // SAFETY: the greenlet was unstarted, so its closure is still in its place, and nobody else will take it. It may stay
    // there while a destructor waits: the stack is free only after this.
    contain(|| unsafe { (block.body.drop)(block) })
}

/// Gives the stack back, and with it the block.
#[inline]
fn free(block: Ptr) {
    block.fiber.free();
    if block.has_own_locals {
        // SAFETY: the greenlet is dead and was suspended for the last time, or never ran.
        unsafe { Storage::free(block.sp.get()) };
    }
    if let Some(stack) = block.stack {
        // SAFETY: the greenlet is dead and has no handle: nobody comes back to its stack.
        unsafe { stack.release(block.top()) };
    }
}

/// Keeps a suspended greenlet without handles until a switch is possible.
fn postpone(thread: &Thread, block: Ptr) {
    block.retain();
    block.next.set(thread.postponed.replace(Some(block)));
    thread.attention.set(thread.attention.get() | POSTPONED);
}

/// Unwinds those whose last handle was dropped by an unwinding destructor.
pub(crate) fn end_postponed(thread: &Thread) {
    /// One at a time: greenlets that keep each other in a long row are unwound one after the other, not one inside the
    /// other.
    struct Over<'a>(&'a Thread);

    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.ends_postponed.set(false);
        }
    }

    if thread.postponed.get().is_none() || thread.ends_postponed.replace(true) {
        return;
    }
    let over = Over(thread);
    while let Some(block) = thread.postponed.get() {
        thread.postponed.set(block.next.take());
        if thread.postponed.get().is_none() {
            thread.attention.set(thread.attention.get() & !POSTPONED);
        }
        drop(Handle::adopt(block));
    }
    drop(over);
}

/// Tells a suspended greenlet that has no handle to exit, until it is dead, and frees it.
fn unwind(thread: &Thread, block: Ptr) {
    block.retain();
    // Nobody is left to switch to one that cannot be unwound where it waits.
    let exits = if block.exit_masked.get() > 0 {
        0
    } else {
        EXITS
    };
    for _ in 0..exits {
        if let Err(payload) = tell_to_exit(thread, block) {
            // What somebody else has thrown into the running greenlet meanwhile.
            postpone(thread, block);
            block.release();
            resume_unwind(payload);
        }
        // It may also have got a new handle, and goes on.
        if block.state.get() == State::Dead || block.refs.get() > 1 {
            drop(Handle::adopt(block));
            return;
        }
    }
    keep_refused(thread, block);
}

/// Runs `f`, during which the running greenlet is not told to exit: for code that cannot be unwound, such as a destructor
/// or what C has called.
///
/// If it loses its last handle where it is suspended in `f`, or its thread ends, it is left as it is, for good, as one
/// that refuses to end. What is [thrown](crate::Greenlet::throw) into it is raised.
///
/// ```
/// use greenlet::{Greenlet, main_greenlet};
///
/// let g = Greenlet::new(|()| greenlet::mask_exit(|| main_greenlet().switch::<(), ()>(())));
/// g.switch_as::<()>(()).unwrap();
/// drop(g); // It stays suspended: its stack is leaked.
/// ```
pub fn mask_exit<R>(f: impl FnOnce() -> R) -> R {
    struct Over(Ptr);

    impl Drop for Over {
        fn drop(&mut self) {
            self.0.exit_masked.set(self.0.exit_masked.get() - 1);
        }
    }

    let me = enter().current();
    me.exit_masked.set(me.exit_masked.get().saturating_add(1));
    let _over = Over(me);
    f()
}

/// Leaves one that refuses to end as it is until the thread ends. It has been retained for that.
pub(crate) fn keep_refused(thread: &Thread, block: Ptr) {
    block.next.set(thread.refused.replace(Some(block)));
}

/// What waits for the end of a greenlet takes no value.
struct EndOfAnother;

/// What came to one that waits for the end of another, moved out of the stack of whoever sent it.
enum Answer {
    Nothing,
    Value(&'static Type, Box<dyn std::any::Any>),
    Raised(Box<dyn std::any::Any + Send>),
}

/// Throws `GreenletExit` into a suspended greenlet, with the running one as its parent meanwhile, and waits until
/// somebody switches back. An error is what somebody else has thrown.
pub(crate) fn tell_to_exit(thread: &Thread, block: Ptr) -> std::thread::Result<()> {
    let me = thread.current();
    me.retain();
    let old_parent = block.parent.replace(Some(me));
    let before = me.awaits_end.replace(Some(block));
    let (sender, answer) = throw_exit(thread, me, block);
    me.awaits_end.set(before);
    let old_parent = restore_parent(me, block, old_parent);
    // Code of the user may run from here on: all is in its place.
    let result = settle(answer, &sender, block);
    drop((old_parent, sender));
    result
}

/// Throws `GreenletExit` into `block` and returns what comes then, and from whom.
fn throw_exit(thread: &Thread, me: Ptr, block: Ptr) -> (Handle, Answer) {
    let mut exit = ManuallyDrop::new(Control {
        sender: me,
        kind: Kind::Throw(Box::new(GreenletExit)),
    });
    let mut message = Message::control(ptr::null_mut(), &raw mut exit);
    let mut target = block;
    loop {
        // SAFETY: the greenlet is suspended, and what the message names stays on this stack.
        let answer = unsafe { pass(thread, me, target, Type::of::<EndOfAnother>(), message) };
        // SAFETY: the answer has just come, and nobody can send an `EndOfAnother`, so it has a tag.
        let Tag::Control(control) = (unsafe { answer.tag() }) else {
            unreachable!("{me} has been given a value while it waits for the end of {block}");
        };
        // SAFETY: the sender left it for us to move out.
        let Control { sender, kind } = unsafe { control.read() };
        let answered = match kind {
            Kind::Call(call) => {
                // SAFETY: the sender keeps the data alive until we are back.
                unsafe { call(answer.data) };
                message = Message::value(ptr::null_mut::<()>());
                target = sender;
                continue;
            }
            Kind::Exit => Answer::Nothing,
            Kind::Throw(payload) => Answer::Raised(payload),
            // SAFETY: the sender left the value for us to move out.
            Kind::WrongType { found, take } => Answer::Value(found, unsafe { take(answer.data) }),
        };
        return (Handle::new(sender), answered);
    }
}

/// Gives `block`, which `me` has told to exit and which lives on, the parent back that it had. Returns what is to be
/// dropped.
fn restore_parent(me: Ptr, block: Ptr, old_parent: Option<Ptr>) -> Option<Handle> {
    let old_parent = old_parent.map(Handle::adopt)?;
    let lives_on = block.state.get() != State::Dead && block.parent.get() == Some(me);
    // It may have become the parent of its old parent meanwhile, and then keeps the one that it has.
    if !lives_on || old_parent.ptr().descends_from(block) {
        return Some(old_parent);
    }
    block.parent.set(Some(old_parent.ptr()));
    mem::forget(old_parent);
    Some(Handle::adopt(me))
}

/// What the one that is told to exit gives or raises goes no further. What others do is for the running greenlet.
fn settle(answer: Answer, sender: &Handle, block: Ptr) -> std::thread::Result<()> {
    let from_block = sender.ptr() == block;
    match answer {
        Answer::Nothing => Ok(()),
        Answer::Raised(payload) if from_block => {
            drop_payload(payload);
            Ok(())
        }
        Answer::Raised(payload) => Err(payload),
        Answer::Value(found, value) => {
            if contain(|| drop(value)) {
                return Err(Box::new(GreenletExit));
            }
            if from_block {
                return Ok(());
            }
            catch_unwind(AssertUnwindSafe(|| {
                panic_any(format!(
                    "{} has ended with a value of type `{}`, but its parent waits for the end of {block}",
                    sender.ptr(),
                    found.name()
                ))
            }))
        }
    }
}
