//! Waiting for greenthreads as if they were a part of the caller.

use std::rc::Rc;

use crate::runtime::{Mask, Reason, Runtime, Task, Wake};

/// How such a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attended {
    Ended,
    /// They have ended, and what ended them is pending in the caller.
    Interrupted,
    /// Nothing was waited for: the thread is unwinding, or has ended.
    Unwinding,
}

/// Waits for one after the other, as long as `next` gives one. What interrupts the wait has `kill` kill them, is held
/// back until they have ended, and is pending then.
///
/// If nothing can ever wake one of them that holds its kill back, the report of the deadlock is raised there as well.
pub(super) fn attend(next: impl Fn() -> Option<Rc<Task>>, kill: impl Fn(&Runtime)) -> Attended {
    Runtime::with(|runtime| {
        let mut mask = None;
        let mut report = None;
        while let Some(task) = next() {
            match park(runtime, &task) {
                Wake::Event | Wake::Expired => {}
                Wake::Unwinding => return Attended::Unwinding,
                Wake::Interrupted(_) => {
                    // A report would break every further wait.
                    if let Some(new) = runtime.take_report() {
                        if mask.is_some() {
                            runtime.fail_in(&task, new.clone());
                        }
                        report.get_or_insert(new);
                    }
                    if mask.is_none() {
                        mask = Some(Mask::new(runtime.current()));
                        kill(runtime);
                    }
                }
            }
        }
        if let Some(report) = report {
            runtime.put_report(report);
        }
        match mask {
            Some(_) => Attended::Interrupted,
            None => Attended::Ended,
        }
    })
}

fn park(runtime: &Runtime, task: &Rc<Task>) -> Wake {
    let place = task.joiners.borrow_mut().push(runtime.waiter(), ());
    let wake = runtime.park(Reason::Join(task.id), None);
    if !matches!(wake, Wake::Event) {
        task.joiners.borrow_mut().leave(place);
    }
    wake
}
