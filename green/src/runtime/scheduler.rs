//! How a greenthread stops running and the next one takes over.

use std::cell::Cell;
use std::rc::Rc;
use std::task::Waker;
use std::thread::panicking;

use greenlet::Greenlet;

use super::run_queue::Entry;
use super::{Interrupt, Runtime, State, Task};

/// Operations after which a greenthread whose calls all succeed lets the others run: one more than this.
pub(super) const BUDGET: u32 = 63;

impl Runtime {
    /// True while nothing may switch: the thread unwinds, and a switch would show its panic to other greenthreads; or it
    /// has ended; or code of the user runs in the middle of a change of ours.
    #[inline]
    pub(crate) fn cannot_switch(&self) -> bool {
        (self.held.get() > 0 && self.stays()) || panicking()
    }

    /// A greenthread that waits after the thread's end was told to exit and has caught that. It is suspended, so that one
    /// that does so for ever does not hold the thread, and told again, or left for good. True, in any case.
    #[cold]
    #[inline(never)]
    fn stays(&self) -> bool {
        if self.closed.get() && self.held.get() == 1 && !panicking() {
            // An error says that this is not a greenthread but the thread itself.
            let _ = greenlet::suspend();
        }
        true
    }

    /// Runs code of the user in which nothing can wait, as while the thread unwinds: others would see a change of ours
    /// half done.
    pub(crate) fn without_switch<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Over<'a>(&'a Cell<u32>);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.set(self.0.get() - 1);
            }
        }
        self.held.set(self.held.get() + 1);
        let _over = Over(&self.held);
        f()
    }

    /// Raises what is pending in the current greenthread.
    pub(crate) fn checkpoint(&self) {
        if !self.cannot_switch() && self.with_current(|task| task.is_interrupted()) {
            Interrupt::new(self.current()).raise();
        }
    }

    /// True if others than the current greenthread can run now.
    pub(crate) fn is_busy(&self) -> bool {
        self.run_queue.borrow().len() > 0
    }

    /// Goes to the end of the run queue. Does nothing while the thread unwinds.
    #[inline(always)]
    pub(crate) fn yield_now(&self) {
        if self.cannot_switch() {
            return;
        }
        let task = self.current();
        if task.is_interrupted() {
            Interrupt::new(task).raise();
        }
        self.queue_current(task);
        self.switch(self.next());
        if self.interrupted.get() {
            self.checkpoint();
        }
    }

    /// Puts the current greenthread at the end of the run queue.
    pub(super) fn requeue(&self) {
        self.queue_current(self.current());
    }

    #[inline(always)]
    fn queue_current(&self, task: Rc<Task>) {
        if task.unarmed.get() {
            self.arm_deadlines(&task);
        }
        task.state.set(State::Ready);
        self.run_queue.borrow_mut().push(task);
    }

    /// As `yield_now`, but raises nothing.
    #[cold]
    pub(crate) fn let_others_run(&self) {
        if !self.cannot_switch() {
            self.requeue();
            self.switch(self.next());
        }
    }

    /// Notes a call that may succeed without waiting. Every such call does so: who is always served lets the others run
    /// when it has used up its budget, or has run for long.
    #[inline]
    pub(crate) fn spend(&self) {
        let left = self.budget.get();
        if self.pace.is_check_due(left) {
            self.spend_slowly(left);
        } else {
            self.budget.set(left - 1);
        }
    }

    #[inline(never)]
    fn spend_slowly(&self, left: u32) {
        if left == 0 || self.has_had_its_share() {
            self.yield_now();
        } else {
            self.budget.set(left - 1);
        }
    }

    /// True if the current greenthread has run for long. A simulated run must not depend on how fast the machine is.
    pub(super) fn has_had_its_share(&self) -> bool {
        !self.simulated.get() && self.pace.is_slice_over()
    }

    /// As `spend`, for what must not wait: false says that the task has had its share, and was woken to go on later. Its
    /// share is counted, and not measured: of several futures of one task it would be the same one that always comes late.
    #[inline]
    pub(crate) fn spend_or_wake(&self, waker: &Waker) -> bool {
        match self.budget.get() {
            0 => {
                // Here, since nothing says that its executor will switch.
                self.budget.set(BUDGET);
                waker.wake_by_ref();
                false
            }
            left => {
                self.budget.set(left - 1);
                true
            }
        }
    }

    /// Leaves the current greenthread, which is queued or parked, for `next`.
    #[inline(always)]
    pub(super) fn switch(&self, next: Rc<Task>) {
        let greenlet = self.prepare(&next);
        let Some(current) = self.current.replace(Some(next)) else {
            unreachable!("a switch after the end of the thread");
        };
        if self.observed.get() {
            self.observe_start();
        }
        let Some(greenlet) = greenlet else {
            // The next one is this one, which was never left.
            return;
        };
        self.counters.switches.set(self.counters.switches.get() + 1);
        // Asked for anew each time: a greenthread may run greenlets of its own, and the one that blocks is to be
        // resumed.
        current.greenlet.set(Some(greenlet::current().into_typed()));
        drop(current);
        // An `Err` would say that this thread unwinds, which all callers have excluded.
        let _ = greenlet.switch_into::<()>(());
    }

    /// Makes `task` the one that runs, but for the switch to its greenlet; `None` if that runs already.
    #[inline(always)]
    pub(super) fn prepare(&self, task: &Task) -> Option<Greenlet<(), ()>> {
        task.state.set(State::Running);
        self.cause.set(task.cause.get());
        self.interrupted.set(task.is_interrupted());
        self.budget.set(BUDGET);
        task.greenlet.take()
    }

    /// Waits for the next greenthread that can run and takes it out of the run queue.
    #[inline(always)]
    pub(super) fn next(&self) -> Rc<Task> {
        if self.observed.get() {
            self.observe_stop();
        }
        if self.pace.is_look_due() {
            self.look();
        }
        if let Some(task) = self.pop() {
            return task;
        }
        self.wait_for_next()
    }

    /// Takes the next one out of the run queue.
    #[inline(always)]
    pub(super) fn pop(&self) -> Option<Rc<Task>> {
        loop {
            let entry = match self.seed.get() {
                0 => self.run_queue.borrow_mut().pop(),
                _ => self.pop_any(),
            };
            match entry?.into_task() {
                Ok(task) => return Some(task),
                Err(stale) => self.skip(stale),
            }
        }
    }

    /// Drops the entry of one that was taken out of the run queue before its turn.
    #[cold]
    fn skip(&self, stale: Entry) {
        self.run_queue.borrow_mut().skip();
        // Outside the borrow: it may be the last trace of a greenthread.
        drop(stale);
    }

    /// Draws one from the run queue.
    #[cold]
    #[inline(never)]
    fn pop_any(&self) -> Option<Entry> {
        self.run_queue.borrow_mut().pop_any(|len| self.draw(len))
    }

    /// From now on nothing depends on how fast the machine is.
    pub(crate) fn simulate(&self) {
        self.simulated.set(true);
    }

    /// From now on the order of the run queue is drawn from `seed`.
    pub(crate) fn shuffle(&self, seed: u64) {
        // Zero stands for no shuffling, and is the one state that the generator cannot leave.
        self.seed.set(seed.wrapping_mul(2).wrapping_add(1));
        for _ in 0..8 {
            self.draw(1);
        }
    }

    /// A number below `bound`, from Marsaglia's xorshift with 64 bits ("Xorshift RNGs", 2003).
    #[cold]
    fn draw(&self, bound: usize) -> Option<usize> {
        let mut seed = self.seed.get();
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        self.seed.set(seed);
        ((seed >> 32) as usize).checked_rem(bound)
    }
}
