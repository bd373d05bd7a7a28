//! A hook that sees every switch of the thread.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::handle::{AnyGreenlet, current};
use crate::thread::{TRACE, Thread, enter};

/// What brought control to the greenlet in which the hook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceEvent {
    /// A value, or the end of a child.
    Switch,
    /// Something to raise.
    Throw,
}

/// Called with the event, the greenlet that control comes from, and the one that it has come to.
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
    let attention = thread.attention.get();
    thread.attention.set(if hook.is_some() {
        attention | TRACE
    } else {
        attention & !TRACE
    });
    thread.trace_version.set(thread.trace_version.get() + 1);
    thread.trace.replace(hook)
}

/// Removes the hook of a thread that ends.
pub(crate) fn forget(thread: &Thread) {
    thread.attention.set(thread.attention.get() & !TRACE);
    drop(thread.trace.take());
}

/// Runs the hook, if there is one, in the greenlet that has just been resumed.
#[inline]
pub(crate) fn run(thread: &Thread, event: TraceEvent, origin: &AnyGreenlet) {
    if thread.attention.get() & TRACE != 0 {
        run_hook(thread, event, origin);
    }
}

#[cold]
fn run_hook(thread: &Thread, event: TraceEvent, origin: &AnyGreenlet) {
    let version = thread.trace_version.get();
    thread.attention.set(thread.attention.get() & !TRACE);
    let Some(mut hook) = thread.trace.take() else {
        return;
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| hook(event, origin, &current())));
    if outcome.is_ok() && thread.trace_version.get() == version {
        thread.trace.set(Some(hook));
        thread.attention.set(thread.attention.get() | TRACE);
    }
}
