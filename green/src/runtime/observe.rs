//! What the scheduler counts, and the observer that it tells of every switch.
//!
//! Off by default; a switch then costs one look at a flag.

use std::rc::Rc;
use std::time::Duration;

use super::{Runtime, Task};

/// Told of every switch. It must not wait.
pub(crate) trait Observer {
    /// The current greenthread stops running: it is about to wait, or has ended. Told once more if it is the one that turns
    /// the reactor.
    fn stops(&self, runtime: &Runtime, task: &Rc<Task>);

    /// The current greenthread begins to run.
    fn starts(&self, runtime: &Runtime, task: &Rc<Task>);
}

/// What the scheduler has done, and what it holds.
pub(crate) struct Counts {
    pub(crate) switches: u64,
    pub(crate) spawns: u64,
    pub(crate) turns: u64,
    pub(crate) greenthreads: usize,
    pub(crate) runnable: usize,
    pub(crate) remote_waiters: usize,
}

impl Runtime {
    /// Has every switch told to `observer` from now on.
    pub(crate) fn set_observer(&self, observer: Option<Rc<dyn Observer>>) {
        self.observed.set(observer.is_some());
        self.observer.replace(observer);
    }

    #[cold]
    pub(super) fn observe_stop(&self) {
        let observer = self.observer.borrow().clone();
        if let Some(observer) = observer {
            observer.stops(self, &self.current());
        }
    }

    #[cold]
    pub(super) fn observe_start(&self) {
        let observer = self.observer.borrow().clone();
        if let Some(observer) = observer {
            observer.starts(self, &self.current());
        }
    }

    /// How often one greenthread has taken over from another.
    pub(crate) fn switches(&self) -> u64 {
        self.counters.switches.get()
    }

    pub(crate) fn age(&self, task: &Task) -> Duration {
        task.born.elapsed()
    }

    pub(crate) fn count(&self) -> Counts {
        Counts {
            switches: self.counters.switches.get(),
            spawns: self.counters.spawns.get(),
            turns: self.counters.turns.get(),
            greenthreads: self.tasks.borrow().len(),
            runnable: self.run_queue.borrow().len(),
            remote_waiters: self.remote_parks.borrow().len(),
        }
    }
}
