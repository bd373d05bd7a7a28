//! What the scheduler counts, and the observer that it tells of every switch and wake-up.
//!
//! Off by default; each of them then costs one look at a flag.

use std::rc::Rc;
use std::time::Duration;

use hub_core::Direction;

use super::{Reason, Runtime, Task};

/// Told of every spawn, switch, wake-up and transfer. It must not wait. Of spawns and wake-ups it is told in the middle of
/// a change: there it runs no code of the user.
pub(crate) trait Observer {
    /// The current greenthread stops running: it is about to wait, or has ended. Told once more if it is the one that turns
    /// the reactor.
    fn stops(&self, runtime: &Runtime, task: &Rc<Task>);

    /// The current greenthread begins to run.
    fn starts(&self, runtime: &Runtime, task: &Rc<Task>);

    /// A greenthread was made.
    fn spawns(&self, task: &Task);

    /// A greenthread that waited, or was to start later, has become runnable.
    fn wakes(&self, runtime: &Runtime, task: &Task);

    /// A greenthread that has never run will not run any more.
    fn cancels(&self, task: &Task);

    /// The current greenthread has read or written so many bytes.
    fn transfers(&self, task: &Rc<Task>, direction: Direction, bytes: usize);
}

/// What the scheduler has done, and what it holds.
pub(crate) struct Counts {
    pub(crate) switches: u64,
    pub(crate) spawns: u64,
    pub(crate) turns: u64,
    pub(crate) wakeups: u64,
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

    /// True while switches are told to an observer.
    pub(crate) fn is_observed(&self) -> bool {
        self.observed.get()
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

    /// A greenthread was made.
    #[inline(always)]
    pub(super) fn note_spawn(&self, task: &Task) {
        self.counters.spawns.set(self.counters.spawns.get() + 1);
        if self.observed.get() {
            self.observe_spawn(task);
        }
    }

    #[cold]
    #[inline(never)]
    fn observe_spawn(&self, task: &Task) {
        let observer = self.observer.borrow().clone();
        if let Some(observer) = observer {
            observer.spawns(task);
        }
    }

    /// A greenthread that has never run will not run any more.
    pub(super) fn note_cancel(&self, task: &Task) {
        let observer = self.observer.borrow().clone();
        if let Some(observer) = observer {
            observer.cancels(task);
        }
    }

    /// A greenthread that waited has become runnable.
    #[inline(always)]
    pub(super) fn note_wakeup(&self, task: &Task) {
        self.counters.wakeups.set(self.counters.wakeups.get() + 1);
        if self.observed.get() {
            self.observe_wakeup(task);
        }
    }

    #[cold]
    #[inline(never)]
    fn observe_wakeup(&self, task: &Task) {
        let observer = self.observer.borrow().clone();
        if let Some(observer) = observer {
            observer.wakes(self, task);
        }
    }

    /// The current greenthread has read or written so many bytes.
    #[inline]
    pub(crate) fn transferred(&self, direction: Direction, bytes: usize) {
        if self.observed.get() {
            self.observe_transfer(direction, bytes);
        }
    }

    #[cold]
    #[inline(never)]
    fn observe_transfer(&self, direction: Direction, bytes: usize) {
        let observer = self.observer.borrow().clone();
        if let Some(observer) = observer {
            observer.transfers(&self.current(), direction, bytes);
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
            wakeups: self.counters.wakeups.get(),
            greenthreads: self.tasks.borrow().len(),
            runnable: self.run_queue.borrow().len(),
            remote_waiters: self.remote_waiters(),
        }
    }
}

impl Task {
    pub(crate) fn name(&self) -> Option<Rc<str>> {
        self.has_extra()?.name.borrow().clone()
    }

    /// What it waits for, if it is parked.
    pub(crate) fn reason(&self) -> Reason {
        self.reason.get()
    }
}
