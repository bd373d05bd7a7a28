//! How greenlets end: the last handle, the graveyard, the end of the thread.

use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::ptr;
use std::thread::panicking;

use crate::block::{Ptr, State};
use crate::error::GreenletExit;
use crate::handle::AnyGreenlet;
use crate::message::{Content, Message, Notice, Type};
use crate::switch::pass;
use crate::thread::{GRAVES, Thread, thread};

/// How often a greenlet is told to exit that catches the exit and suspends itself again.
const EXITS: usize = 8;

/// The nearest ancestor that is not dead. The main greenlet never is.
pub(crate) fn living_ancestor(block: Ptr) -> Ptr {
    let mut block = block;
    while block.state.get() == State::Dead {
        match block.parent.get() {
            Some(parent) => block = parent,
            None => unreachable!("{block} has no parent"),
        }
    }
    block
}

/// Does what the end of the last handle asks for, of `block` and of every ancestor that only its child kept.
#[inline(never)]
pub(crate) fn unowned(mut block: Ptr) {
    let thread = thread();
    loop {
        let mut raised = None;
        match block.state.get() {
            State::Dead => {}
            State::Unstarted => {
                thread.living.set(thread.living.get() - 1);
                raised = drop_body(block).err();
            }
            // The running greenlet needs no handle: it is looked at when it suspends itself.
            State::Active if thread.current() == block => return,
            State::Active if panicking() => return bury(thread, block),
            State::Active => return reap(thread, block),
            State::Free => unreachable!("a handle of a greenlet that was freed"),
        }
        let parent = block.parent.take();
        free(thread, block);
        if let Some(payload) = raised {
            if let Some(parent) = parent {
                drop(AnyGreenlet::adopt(parent));
            }
            resume_unwind(payload);
        }
        match parent {
            Some(parent) if parent.release() => block = parent,
            _ => return,
        }
    }
}

/// Drops the closure of an unstarted greenlet, which is dead after that.
fn drop_body(block: Ptr) -> std::thread::Result<()> {
    block.state.set(State::Dead);
    block.expects.set(None);
    // SAFETY: the greenlet was unstarted, so its closure is still in its place, and nobody else will take it.
    catch_unwind(AssertUnwindSafe(|| unsafe { (block.body.drop)(block) }))
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
                thread.pool.borrow_mut().release(stack);
            }
        }
    }
}

/// Keeps a suspended greenlet without handles until a switch is possible.
#[cold]
fn bury(thread: &Thread, block: Ptr) {
    block.retain();
    block.next_grave.set(thread.graves.replace(Some(block)));
    thread.attention.set(thread.attention.get() | GRAVES);
}

/// Unwinds those whose last handle was dropped by an unwinding destructor.
pub(crate) fn visit_graves(thread: &Thread) {
    while let Some(block) = thread.graves.get() {
        thread.graves.set(block.next_grave.take());
        if thread.graves.get().is_none() {
            thread.attention.set(thread.attention.get() & !GRAVES);
        }
        drop(AnyGreenlet::adopt(block));
    }
}

/// Throws `GreenletExit` into a suspended greenlet that has no handle left, with the running one as its parent for that
/// time, and frees it.
#[cold]
fn reap(thread: &Thread, block: Ptr) {
    block.retain();
    match unwind(thread, block) {
        Ok(()) => {
            // One that refuses to end keeps this reference, and is tried once more at the end of the thread.
            if block.state.get() == State::Dead || block.refs.get() > 1 {
                drop(AnyGreenlet::adopt(block));
            }
        }
        Err(payload) => {
            bury(thread, block);
            block.release();
            resume_unwind(payload);
        }
    }
}

/// What waits for the end of a greenlet takes no value.
struct Reaping;

/// Tells a suspended greenlet to exit until it is dead. An error is what somebody else has thrown into the running
/// greenlet meanwhile.
fn unwind(thread: &Thread, block: Ptr) -> std::thread::Result<()> {
    let me = thread.current();
    me.retain();
    let old_parent = block.parent.replace(Some(me));
    let old_reaping = me.reaping.replace(Some(block));
    let mut result = Ok(());
    for _ in 0..EXITS {
        let mut notice = ManuallyDrop::new(Notice {
            origin: me,
            content: Content::Throw(Box::new(GreenletExit)),
        });
        let message = Message {
            data: ptr::null_mut(),
            notice: (&raw mut notice).cast(),
        };
        // SAFETY: the greenlet is suspended; the notice stays on this stack.
        let answer = unsafe { pass(thread, me, block, Type::of::<Reaping>(), message) };
        // SAFETY: nobody sends a `Reaping`, so there is a notice.
        result = unsafe { take_answer(answer, block) };
        if result.is_err() || block.state.get() == State::Dead || block.refs.get() > 1 {
            break;
        }
    }
    me.reaping.set(old_reaping);
    if block.state.get() != State::Dead && block.parent.get() == Some(me) {
        block.parent.set(old_parent);
        drop(AnyGreenlet::adopt(me));
    } else if let Some(old_parent) = old_parent {
        drop(AnyGreenlet::adopt(old_parent));
    }
    result
}

/// What the one that is told to exit gives or raises goes no further. What others do is for the running greenlet.
///
/// # Safety
/// `answer` has just come with a notice.
unsafe fn take_answer(answer: Message, block: Ptr) -> std::thread::Result<()> {
    // SAFETY: the sender left it for us to move out.
    let notice = unsafe { answer.notice.read() };
    let from_block = notice.origin == block;
    let origin = AnyGreenlet::new(notice.origin);
    match notice.content {
        Content::Foreign { found, drop } => {
            // SAFETY: the sender left the value for us to drop.
            unsafe { drop(answer.data) };
            if from_block {
                return Ok(());
            }
            catch_unwind(AssertUnwindSafe(|| {
                panic_any(format!(
                    "{} has ended with a value of type `{}`, but its parent waits for the end of {block}",
                    origin.ptr(),
                    found.name()
                ))
            }))
        }
        Content::Throw(payload) if !from_block => Err(payload),
        _ => Ok(()),
    }
}

/// Unwinds what is suspended and frees the stacks.
#[cold]
pub(crate) fn end_of_thread(thread: &'static Thread) {
    if is_main_thread() || thread.current() != thread.main() {
        // The process ends: everything is left as it is.
        return;
    }
    thread.trace.set(None);
    let mut rounds = 0;
    while thread.living.get() > 0 && rounds < 3 {
        rounds += 1;
        let blocks = thread.pool.borrow().blocks();
        for block in blocks {
            let handle = AnyGreenlet::new(block);
            match block.state.get() {
                State::Unstarted => {
                    thread.living.set(thread.living.get() - 1);
                    let _ = drop_body(block);
                }
                State::Active => {
                    let _ = unwind(thread, block);
                }
                State::Dead | State::Free => {}
            }
            drop(handle);
        }
    }
    thread.closed.set(true);
    let pool = thread.pool.replace(crate::stack::Pool::new());
    pool.close();
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
