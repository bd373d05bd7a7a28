//! The body of a greenlet: its first function, and its last switch.

use std::any::Any;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::block::{Ptr, State};
use crate::error::{GreenletExit, SwitchError};
use crate::message::{Control, Kind, Message, Take, Type, take};
use crate::pass::pass_for_good;
use crate::sanitizer;
use crate::switch::receive;
use crate::thread::thread;
use crate::thread_locals;

/// The first function on a greenlet's stack.
///
/// # Safety
/// Entered by the first switch to a greenlet that was made with a closure `F`.
pub(crate) unsafe extern "C" fn entry<F, In, Out>(data: *mut (), tag: *mut ()) -> !
where
    F: FnOnce(In) -> Out + 'static,
    In: 'static,
    Out: 'static,
{
    sanitizer::arrive();
    let me = thread().current();
    me.state.set(State::Active);
    // SAFETY: the maker put the closure there, and it is moved out once.
    let body = unsafe { closure::<F>(me).read() };
    let outcome = catch_unwind(AssertUnwindSafe(move || {
        // SAFETY: this is the message of the first switch, which was made to wait for an `In`.
        let value = unsafe { receive::<In>(Message { data, tag }) }?;
        Ok(body(value))
    }));
    let mut result = MaybeUninit::<Out>::uninit();
    let end = match outcome {
        Ok(Ok(value)) => {
            result.write(value);
            None
        }
        Ok(Err::<_, SwitchError>(_)) => Some(Kind::Exit),
        Err(payload) => Some(unwound(payload)),
    };
    // SAFETY: the result is there if there is no other end.
    unsafe {
        finish(
            result.as_mut_ptr().cast(),
            Type::of::<Out>(),
            take::<Out>,
            end,
        )
    }
}

/// How a body has ended that was unwound.
#[cold]
#[inline(never)]
fn unwound(payload: Box<dyn Any + Send>) -> Kind {
    if payload.is::<GreenletExit>() {
        Kind::Exit
    } else {
        Kind::Throw(payload)
    }
}

/// Gives the outcome of the running greenlet to its nearest living ancestor, and is gone.
///
/// # Safety
/// Called by [`entry`]; without `end`, `result` points to a value of type `found`, and `take` moves it out.
#[inline(always)]
unsafe fn finish(result: *mut (), found: &'static Type, take: Take, end: Option<Kind>) -> ! {
    let thread = thread();
    let me = thread.current();
    if me.has_values() {
        me.drop_values();
    }
    if me.has_own_locals {
        thread_locals::destroy();
    }
    me.state.set(State::Dead);
    thread.living.set(thread.living.get() - 1);
    let ancestor = me.living_ancestor();
    let kind = match (end, ancestor.expects.get()) {
        (None, Some(expected)) if expected.is(found) => None,
        (None, _) => Some(Kind::WrongType { found, take }),
        (end, _) => end,
    };
    let mut control;
    let message = match kind {
        None => Message::value_from(result, me),
        Some(kind) => {
            control = ManuallyDrop::new(Control { sender: me, kind });
            Message::control(result, &raw mut control)
        }
    };
    // SAFETY: an ancestor of the running greenlet is suspended or unstarted.
    unsafe { pass_for_good(thread, me, ancestor, message) };
    unreachable!("a dead greenlet was resumed")
}

/// Where the maker of a greenlet has put its closure: below the control block.
pub(crate) fn closure<F>(block: Ptr) -> *mut F {
    let end = block.as_ptr().cast::<u8>();
    let down = (end.addr() - size_of::<F>()) % align_of::<F>();
    end.wrapping_sub(size_of::<F>() + down).cast()
}

/// # Safety
/// The block has a closure of type `F` in its place, and it is not used again.
pub(crate) unsafe fn drop_closure<F>(block: Ptr) {
    // SAFETY: as promised by the caller.
    unsafe { closure::<F>(block).drop_in_place() }
}
