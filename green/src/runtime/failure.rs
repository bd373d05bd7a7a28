//! What ends the root greenthread: a deadlock, a hub that cannot wait.

use std::rc::Rc;

use super::park::WokenBy;
use super::{Interrupt, Runtime, State, Task};

impl Runtime {
    /// Raises `report` as a panic in the root greenthread: where it waits, or the next time it runs.
    pub(super) fn fail(&self, report: String) {
        let root = self.root();
        if !self.fail_in(&root, report) && root.state.get() == State::Running {
            // It turns the reactor itself, in a call that never waits.
            Interrupt::new(root).raise();
        }
    }

    /// Has `task` raise `report` where it is parked, under a mask as well. False if it is not parked.
    pub(crate) fn fail_in(&self, task: &Rc<Task>, report: String) -> bool {
        self.report.replace(report);
        task.set_failed();
        self.unpark(task, task.ticket.get(), WokenBy::Interrupt)
    }

    /// Takes back the report that the current greenthread is to raise.
    pub(crate) fn take_report(&self) -> Option<String> {
        let failed = self.with_current(|task| task.take_failed());
        failed.then(|| self.report.take())
    }

    /// Has the current greenthread raise `report` after all, at its next wait.
    pub(crate) fn put_report(&self, report: String) {
        self.report.replace(report);
        self.with_current(|task| task.set_failed());
    }
}
