//! Calls on the stack of another greenlet.

use std::mem::ManuallyDrop;

use crate::block::Ptr;
use crate::message::{Control, Kind, Message, Type};
use crate::pass::pass;
use crate::thread::thread;

/// Calls `f` on the stack of a suspended greenlet, which stays suspended. `f` must neither switch nor unwind. `None` if
/// the greenlet is not suspended.
pub(crate) fn call_on<T>(target: Ptr, f: fn() -> T) -> Option<T> {
    /// What waits for the end of a call takes no value.
    struct Called;

    /// What `data` points to.
    struct Task<T> {
        f: fn() -> T,
        result: Option<T>,
    }

    unsafe fn call<T>(data: *mut ()) {
        // SAFETY: the sender's task, which waits for us.
        let task = unsafe { &mut *data.cast::<Task<T>>() };
        task.result = Some((task.f)());
    }

    target.expects.get()?;
    let thread = thread();
    let me = thread.current();
    let mut task = Task { f, result: None };
    let mut control = ManuallyDrop::new(Control {
        sender: me,
        kind: Kind::Call(call::<T>),
    });
    let message = Message::control((&raw mut task).cast(), &raw mut control);
    // SAFETY: what is sent stays where it is until the receiver switches back, which it does at once.
    unsafe {
        pass(thread, me, target, Type::of::<Called>(), message);
    }
    task.result
}
