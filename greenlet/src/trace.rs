//! A hook that sees every switch of the thread.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::block::Ptr;
use crate::contain::drop_payload;
use crate::handle::{AnyGreenlet, current};
pub use crate::thread::TraceEvent;
use crate::thread::{TRACED, Thread};
use crate::thread_end::{ThreadEnd, at_thread_end, enter};

/// Called with the event, the greenlet that control comes from, and the one that it has come to.
///
/// ```
/// use greenlet::{Greenlet, TraceHook};
///
/// let hook: TraceHook = Box::new(|event, from, to| println!("{event:?}: {from:?} -> {to:?}"));
/// let before = greenlet::set_trace(Some(hook));
/// Greenlet::new(|()| ()).switch(()).unwrap();
/// greenlet::set_trace(before);
/// ```
pub type TraceHook = Box<dyn FnMut(TraceEvent, &AnyGreenlet, &AnyGreenlet)>;

/// Sets or removes the hook of this thread and returns the one before.
///
/// The hook runs in the target of each switch, before the switch returns. What the hook itself switches is not traced. A
/// hook that panics is removed; the switch that it has seen goes on undisturbed.
///
/// ```
/// use std::{cell::Cell, rc::Rc};
/// use greenlet::{Greenlet, set_trace};
///
/// let switches = Rc::new(Cell::new(0));
/// let count = switches.clone();
/// set_trace(Some(Box::new(move |_, _, _| count.set(count.get() + 1))));
/// Greenlet::new(|()| ()).switch(()).unwrap();
/// set_trace(None);
/// assert_eq!(switches.get(), 2, "there and back");
/// ```
pub fn set_trace(hook: Option<TraceHook>) -> Option<TraceHook> {
    let thread = enter();
    TRACE.with(|trace| {
        if thread.on_switch.replace(Some(run)).is_none() {
            at_thread_end(forget);
        }
        mark(thread, hook.is_some());
        trace.version.set(trace.version.get() + 1);
        trace.hook.replace(hook)
    })
}

struct Trace {
    hook: ManuallyDrop<Cell<Option<TraceHook>>>,
    /// Counts calls of `set_trace`: a hook that was replaced while it ran is not put back.
    version: Cell<u64>,
}

crate::per_thread! {
    static TRACE: Trace = Trace {
        hook: ManuallyDrop::new(Cell::new(None)),
        version: Cell::new(0),
    };
}

/// Says whether switches are to be traced.
fn mark(thread: &Thread, traced: bool) {
    let others = thread.attention.get() & !TRACED;
    thread
        .attention
        .set(if traced { others | TRACED } else { others });
}

/// Removes the hook of a thread that ends.
fn forget(end: ThreadEnd) {
    let thread = enter();
    mark(thread, false);
    thread.on_switch.set(None);
    if end == ThreadEnd::Unwind {
        drop(TRACE.with(|trace| trace.hook.take()));
    }
}

/// Runs the hook in the greenlet that has just been resumed.
#[cold]
fn run(event: TraceEvent, sender: Ptr) {
    let thread = enter();
    mark(thread, false);
    let (hook, version) = TRACE.with(|trace| (trace.hook.take(), trace.version.get()));
    let Some(mut hook) = hook else {
        return;
    };
    let sender = AnyGreenlet::new(sender);
    let outcome = catch_unwind(AssertUnwindSafe(|| hook(event, &sender, &current())));
    if let Err(payload) = outcome {
        drop_payload(payload);
    } else if TRACE.with(|trace| trace.version.get()) == version {
        TRACE.with(|trace| trace.hook.set(Some(hook)));
        mark(thread, true);
    }
}
