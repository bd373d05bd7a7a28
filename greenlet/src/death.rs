//! How greenlets end: the last handle, the graveyard, the end of the thread.

use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::ptr;
use std::thread::panicking;

use crate::block::{Ptr, State};
use crate::error::GreenletExit;
use crate::handle::AnyGreenlet;
use crate::local;
use crate::message::{Content, Message, Notice, Sign, Type};
use crate::switch::pass;
use crate::thread::{GRAVES, Thread, thread};
use crate::trace;

/// How often a greenlet is told to exit that catches the exit and suspends itself again.
const EXITS: usize = 8;

/// The nearest ancestor that is not dead. The main greenlet never is.
pub(crate) fn living_ancestor(block: Ptr) -> Ptr {
    let mut block = block;
    loop {
        match block.parent.get() {
            Some(parent) => block = parent,
            None => return block,
        }
        if block.state.get() != State::Dead {
            return block;
        }
    }
}

/// Does what the end of the last handle asks for, of `block` and of every ancestor that only its child kept.
#[inline(never)]
pub(crate) fn unowned(mut block: Ptr) {
    let thread = thread();
    loop {
        if block.state.get() != State::Dead {
            if block.state.get() != State::Unstarted {
                return suspended_unowned(thread, block);
            }
            drop_body(thread, block);
        }
        let parent = block.parent.take();
        free(thread, block);
        match parent {
            Some(parent) if parent.release() => block = parent,
            _ => return,
        }
    }
}

#[cold]
fn suspended_unowned(thread: &Thread, block: Ptr) {
    if thread.current() == block {
        // The running greenlet needs no handle: it is looked at when it suspends itself.
    } else if panicking() {
        bury(thread, block);
    } else {
        reap(thread, block);
        visit_graves(thread);
    }
}

/// Drops the closure of an unstarted greenlet, which is dead after that.
#[cold]
fn drop_body(thread: &Thread, block: Ptr) {
    thread.living.set(thread.living.get() - 1);
    block.state.set(State::Dead);
    block.expects.set(None);
    // A panic has been reported; here is nobody whom it concerns.
    // SAFETY: the greenlet was unstarted, so its closure is still in its place, and nobody else will take it.
    let _ = catch_unwind(AssertUnwindSafe(|| unsafe { (block.body.drop)(block) }));
}

/// Gives the stack back, and with it the block.
#[inline]
fn free(thread: &Thread, block: Ptr) {
    block.state.set(State::Free);
    if let Some(stack) = block.stack {
        // SAFETY: the greenlet is dead and has no handle: nobody comes back to its stack.
        unsafe {
            if thread.closed.get() {
                stack.discard();
            } else {
                stack.class().release(block);
            }
        }
    }
}

/// Keeps a suspended greenlet without handles until a switch is possible.
fn bury(thread: &Thread, block: Ptr) {
    block.retain();
    block.next.set(thread.graves.replace(Some(block)));
    thread.attention.set(thread.attention.get() | GRAVES);
}

/// Unwinds those whose last handle was dropped by an unwinding destructor.
pub(crate) fn visit_graves(thread: &Thread) {
    /// One visit at a time: greenlets that keep each other in a long row are unwound one after the other, not one inside
    /// the other.
    struct Visit<'a>(&'a Thread);

    impl Drop for Visit<'_> {
        fn drop(&mut self) {
            self.0.visiting.set(false);
        }
    }

    if thread.graves.get().is_none() || thread.visiting.replace(true) {
        return;
    }
    let visit = Visit(thread);
    while let Some(block) = thread.graves.get() {
        thread.graves.set(block.next.take());
        if thread.graves.get().is_none() {
            thread.attention.set(thread.attention.get() & !GRAVES);
        }
        drop(AnyGreenlet::adopt(block));
    }
    drop(visit);
}

/// Tells a suspended greenlet that has no handle to exit, until it is dead, and frees it.
fn reap(thread: &Thread, block: Ptr) {
    block.retain();
    for _ in 0..EXITS {
        if let Err(payload) = tell_to_exit(thread, block) {
            // What somebody else has thrown into the running greenlet meanwhile.
            bury(thread, block);
            block.release();
            resume_unwind(payload);
        }
        // It may also have got a new handle, and goes on.
        if block.state.get() == State::Dead || block.refs.get() > 1 {
            drop(AnyGreenlet::adopt(block));
            return;
        }
    }
    // It refuses. It is left as it is until the thread ends.
    block.next.set(thread.refused.replace(Some(block)));
}

/// What waits for the end of a greenlet takes no value.
struct Reaping;

/// Throws `GreenletExit` into a suspended greenlet, with the running one as its parent meanwhile, and waits until
/// somebody switches back. An error is what somebody else has thrown.
fn tell_to_exit(thread: &Thread, block: Ptr) -> std::thread::Result<()> {
    let me = thread.current();
    me.retain();
    let old_parent = block.parent.replace(Some(me));
    let old_reaping = me.reaping.replace(Some(block));

    let mut notice = ManuallyDrop::new(Notice {
        origin: me,
        content: Content::Throw(Box::new(GreenletExit)),
    });
    let message = Message::notice(ptr::null_mut(), &raw mut notice);
    // SAFETY: the greenlet is suspended, and the notice stays on this stack.
    let answer = unsafe { pass(thread, me, block, Type::of::<Reaping>(), message) };
    let result = take_answer(answer, block);

    me.reaping.set(old_reaping);
    if block.state.get() != State::Dead && block.parent.get() == Some(me) {
        block.parent.set(old_parent);
        me.release();
    } else if let Some(old_parent) = old_parent {
        drop(AnyGreenlet::adopt(old_parent));
    }
    result
}

/// What the one that is told to exit gives or raises goes no further. What others do is for the running greenlet.
fn take_answer(answer: Message, block: Ptr) -> std::thread::Result<()> {
    // SAFETY: the answer has just come, and nobody can send a `Reaping`, so it has a sign.
    let Sign::Notice(notice) = (unsafe { answer.sign() }) else {
        unreachable!("{block} has been given a value while it was reaped");
    };
    // SAFETY: the sender left it for us to move out.
    let Notice { origin, content } = unsafe { notice.read() };
    let from_block = origin == block;
    let origin = AnyGreenlet::new(origin);
    match content {
        Content::Foreign { found, drop } => {
            // SAFETY: the sender left the value for us to drop.
            unsafe { drop(answer.data) };
            if from_block {
                return Ok(());
            }
            catch_unwind(AssertUnwindSafe(|| {
                panic_any(format!(
                    "{origin} has ended with a value of type `{}`, but its parent waits for the end of {block}",
                    found.name()
                ))
            }))
        }
        Content::Throw(payload) if !from_block => Err(payload),
        _ => Ok(()),
    }
}

/// How often the greenlets that are left are told to exit when their thread ends.
const ROUNDS: usize = 3;

/// Unwinds what is suspended and gives the memory back.
///
/// What a greenlet that refuses to end has on its stack may be in use by others, so that stack stays mapped for good;
/// and so does that of one whose handles were forgotten.
#[cold]
pub(crate) fn end_of_thread(thread: &'static Thread) {
    if is_main_thread() || thread.current() != thread.main() {
        // The process ends, or the thread does from inside a greenlet: everything is left as it is.
        return;
    }
    trace::forget(thread);
    local::clear(thread.main());
    visit_graves(thread);
    for _ in 0..ROUNDS {
        if thread.living.get() == 0 {
            break;
        }
        let blocks = thread.pool.blocks();
        let left: Vec<AnyGreenlet> = blocks.into_iter().map(AnyGreenlet::new).collect();
        for greenlet in &left {
            let block = greenlet.ptr();
            match block.state.get() {
                State::Unstarted => drop_body(thread, block),
                // What others throw into the main greenlet has nobody left to go to.
                State::Active => drop(tell_to_exit(thread, block)),
                State::Dead | State::Free => {}
            }
        }
        // Dropping the handles must not do what the rounds do.
        for greenlet in left {
            let block = greenlet.ptr();
            if block.state.get() == State::Active && block.refs.get() == 1 {
                block.retain();
                block.next.set(thread.refused.replace(Some(block)));
            }
        }
        visit_graves(thread);
    }
    let mut refused = thread.refused.take();
    while let Some(block) = refused {
        refused = block.next.take();
        if block.state.get() == State::Dead {
            drop(AnyGreenlet::adopt(block));
        }
    }
    thread.closed.set(true);
    thread.pool.close();
    if let Some(stack) = thread.signal_stack.take() {
        stack.remove();
    }
}

/// Whether this OS thread is the one that runs `main`, whose end is the end of the process.
///
/// ```
/// assert!(!std::thread::spawn(greenlet::is_main_thread).join().unwrap());
/// ```
pub fn is_main_thread() -> bool {
    #[cfg(target_os = "linux")]
    // SAFETY: neither call can fail.
    unsafe {
        libc::syscall(libc::SYS_gettid) == libc::c_long::from(libc::getpid())
    }
    #[cfg(not(target_os = "linux"))]
    // SAFETY: the call cannot fail.
    unsafe {
        libc::pthread_main_np() != 0
    }
}
