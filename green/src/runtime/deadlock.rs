//! The report when nothing can ever run again.

use std::fmt::Write;

use super::{Runtime, Task};

impl Runtime {
    /// Ends the wait of the root greenthread with a report of who waits for what.
    #[cold]
    pub(super) fn deadlock(&self) {
        let mut report = String::from(
            "deadlock: every greenthread of this thread waits, and nothing is left that could wake one",
        );
        for task in self.tasks() {
            report.push_str("\n  ");
            describe(&task, &mut report);
        }
        self.fail(report);
    }
}

/// One line about one greenthread: who it is, what it does, where it came from.
pub(crate) fn describe(task: &Task, out: &mut String) {
    let written = match task.id {
        0 => write!(out, "the thread's own greenthread"),
        id => write!(out, "greenthread {id} (spawned at {})", task.spawned_at),
    };
    let name = task
        .has_extra()
        .and_then(|extra| extra.name.borrow().clone());
    let written = written
        .and_then(|()| match &name {
            Some(name) => write!(out, " \"{name}\""),
            None => Ok(()),
        })
        .and_then(|()| match task.state() {
            super::State::Parked => write!(out, " waits for {}", task.reason()),
            state => write!(out, " is {}", format!("{state:?}").to_lowercase()),
        });
    debug_assert!(written.is_ok(), "a String takes all that is written to it");
}
