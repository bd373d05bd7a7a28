//! Ending greenthreads from outside.

use std::any::Any;
use std::rc::Rc;
use std::sync::Arc;

use super::park::WokenBy;
use super::{Runtime, State, Task};

impl Runtime {
    /// Kills `task`: its body unwinds from where it waits before this returns, and one that never ran is finished
    /// here and now. While the thread unwinds nothing is switched: the target is then the next to run.
    pub(crate) fn kill(&self, task: &Rc<Task>, why: Option<Arc<dyn Any + Send + Sync>>) {
        if self.kill_soon(task, why) && !self.cannot_switch() {
            if !self.is_current(task) {
                self.requeue();
                if self.observed.get() {
                    self.observe_stop();
                }
                // Not by way of the run queue, whose order may be another one.
                self.run_queue.borrow_mut().remove(task);
                self.switch(Rc::clone(task));
            }
            self.checkpoint();
        }
    }

    /// Kills all of them: when this returns, those that had not started are finished, and the others unwind, in this
    /// order. The caller is the last if it is one of them.
    pub(crate) fn kill_all(&self, tasks: &[Rc<Task>]) {
        if self.kill_all_soon(tasks) && !self.cannot_switch() {
            self.requeue();
            self.switch(self.next());
            self.checkpoint();
        }
    }

    /// Kills all of them without a switch: those that had not started are finished, and the others are the next to
    /// run, in this order. False if there is nothing to unwind.
    pub(crate) fn kill_all_soon(&self, tasks: &[Rc<Task>]) -> bool {
        for task in tasks {
            if matches!(task.state.get(), State::Delayed | State::Fresh) {
                self.kill_soon(task, None);
            }
        }
        // Each goes to the front of the run queue, so the first is put there last.
        let mut unwinding = false;
        for task in tasks.iter().rev() {
            unwinding |= self.kill_soon(task, None);
        }
        unwinding
    }

    /// Kills `task` without a switch: it becomes the next to run. False if there is nothing left to unwind.
    pub(crate) fn kill_soon(
        &self,
        task: &Rc<Task>,
        why: Option<Arc<dyn Any + Send + Sync>>,
    ) -> bool {
        let state = task.state.get();
        if state == State::Dead {
            return false;
        }
        task.set_killed(why);
        match state {
            State::Delayed | State::Fresh => {
                self.abandon(task);
                return false;
            }
            _ if task.masked.get() > 0 => return false,
            State::Running | State::Dead => return true,
            State::Parked => {
                task.ticket.set(task.ticket.get().wrapping_add(1));
                task.cause.set(WokenBy::Interrupt);
                task.state.set(State::Ready);
                self.note_wakeup(task);
            }
            State::Ready => self.run_queue.borrow_mut().remove(task),
        }
        self.run_queue.borrow_mut().push_urgent(Rc::clone(task));
        true
    }
}
