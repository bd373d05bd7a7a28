//! Waiting for greenthreads as if they were a part of the caller.

use std::rc::Rc;

use super::any::end_of;
use crate::runtime::{Ended, Here, Mask, Runtime, Task, Why};

/// How such a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joined {
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
pub(crate) fn join_as_part(next: impl Fn() -> Option<Rc<Task>>, kill: impl Fn(&Runtime)) -> Joined {
    Runtime::with(|runtime| {
        let mut mask = None;
        let mut report = None;
        while let Some(task) = next() {
            match runtime.try_wait::<Here, _, _>(end_of(&task, None, || true)) {
                Ok(Ended::NotServed(Why::Unwinding, _)) => return Joined::Unwinding,
                Ok(_) => {}
                Err(_interrupt) => {
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
            Some(_) => Joined::Interrupted,
            None => Joined::Ended,
        }
    })
}
