//! The greenthreads of one scope, and how it ends.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;

use greenlet::GreenletExit;

use crate::greenthread::join::{Joined, join_as_part};
use crate::greenthread::timeout::{Stop, stoppable};
use crate::greenthread::{AnyGreenThread, Exit};
use crate::runtime::{Runtime, Task, contain, is_control};

/// Those that were spawned in one scope.
#[derive(Default)]
pub(super) struct Children {
    /// In the order of their spawn; some of them have ended.
    tasks: RefCell<VecDeque<Rc<Task>>>,
    /// How long the list may get before those that have ended are swept out.
    sweep_at: Cell<usize>,
    /// How the first that failed did.
    failure: RefCell<Option<Exit>>,
    /// All are killed, and whoever comes is cancelled.
    pub(super) ending: Cell<bool>,
    /// Ends the scope's own closure.
    body: OnceCell<Stop>,
}

/// The shortest list that is swept.
const SWEEP: usize = 16;

impl Children {
    pub(super) fn run<R>(&self, body: impl FnOnce() -> R) -> Result<R, Exit> {
        let body = panic::catch_unwind(AssertUnwindSafe(|| {
            stoppable(|stop| {
                let _ = self.body.set(stop);
                body()
            })
        }));
        let failed_first = self.failure.borrow().is_some();
        if body.is_err() {
            self.end();
        }
        let joined = join_as_part(|| self.next(), |_| self.end());
        let cancelled = joined == Joined::Unwinding && self.cancel();
        let value = match body {
            Ok(value) => value,
            Err(payload) if is_control(&*payload) || !failed_first => panic::resume_unwind(payload),
            Err(payload) => {
                contain("the destructor of a panic's payload", || drop(payload));
                None
            }
        };
        if joined == Joined::Interrupted {
            Runtime::with(Runtime::checkpoint);
        }
        match (self.failure.take(), value) {
            (Some(exit), _) => Err(exit),
            (None, Some(value)) if !cancelled => Ok(value),
            (None, _) => Err(Exit::Unwinding),
        }
    }

    pub(super) fn add(&self, task: &Rc<Task>) {
        let mut tasks = self.tasks.borrow_mut();
        tasks.push_back(Rc::clone(task));
        let crowded = tasks.len() > self.sweep_at.get().max(SWEEP);
        drop(tasks);
        if crowded {
            let (ended, left): (VecDeque<_>, VecDeque<_>) = self
                .tasks
                .take()
                .into_iter()
                .partition(|task| task.is_buried());
            self.sweep_at.set(2 * left.len());
            self.tasks.replace(left);
            drop(ended);
        }
        if self.ending.get() {
            AnyGreenThread::new(Rc::clone(task)).cancel();
        }
    }

    /// The first of those that have not ended, all traces of them included.
    fn next(&self) -> Option<Rc<Task>> {
        loop {
            let first = self.tasks.borrow().front().cloned()?;
            if !first.is_buried() {
                return Some(first);
            }
            self.tasks.borrow_mut().pop_front();
        }
    }

    /// Those that can be killed.
    pub(super) fn left(&self) -> Vec<Rc<Task>> {
        let tasks = self.tasks.borrow();
        tasks
            .iter()
            .filter(|task| !task.is_dead())
            .cloned()
            .collect()
    }

    /// True if any has not ended.
    pub(super) fn any_left(&self) -> bool {
        self.next().is_some()
    }

    /// One of them has ended like this.
    pub(super) fn note(&self, exit: &Exit) {
        if !matches!(exit, Exit::Panicked(_)) {
            return;
        }
        self.failure
            .borrow_mut()
            .get_or_insert_with(|| exit.clone());
        if !self.ending.get() {
            // Before the others, whose ends it may wait for.
            self.body.get().map(Stop::stop);
            self.end();
        }
    }

    /// Kills all but the caller.
    fn end(&self) {
        self.ending.set(true);
        let mut tasks = self.left();
        Runtime::with(|runtime| {
            tasks.retain(|task| !runtime.is_current(task));
            runtime.kill_all_soon(&tasks);
        });
    }

    /// Ends those that have never run, as nothing can switch. True if there were any.
    fn cancel(&self) -> bool {
        let tasks = self.left();
        for task in &tasks {
            AnyGreenThread::new(Rc::clone(task)).cancel();
        }
        if self.any_left() {
            // The thread has ended around those that refuse to. They are unwound with their stacks, and so is this.
            panic::resume_unwind(Box::new(GreenletExit));
        }
        !tasks.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scope;

    #[test]
    fn those_that_have_ended_are_swept_out() {
        let result = scope(|s| {
            let stays =
                s.spawn(|| crate::Event::<()>::new().wait_timeout(std::time::Duration::MAX));
            for _ in 0..1000 {
                s.spawn(|| ());
                crate::yield_now();
                assert!(s.children.tasks.borrow().len() <= SWEEP + 1);
            }
            assert_eq!(s.children.left().len(), 1);
            stays.kill();
        });
        assert!(result.is_ok());
    }
}
