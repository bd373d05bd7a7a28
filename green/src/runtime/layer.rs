//! What `layer` asks of the runtime: nothing here unwinds.

use std::thread::panicking;

use super::interrupt::CUT;
use super::task::FAILED;
use super::{Interrupt, Runtime, State, Task};

impl Runtime {
    /// As `spend`, but raises nothing.
    #[inline]
    pub(crate) fn spend_quietly(&self) {
        let left = self.budget.get();
        if !self.pace.is_check_due(left) {
            self.budget.set(left - 1);
        } else if left == 0 || self.has_had_its_share() {
            greenlet::mask_exit(|| self.let_others_run());
        } else {
            self.budget.set(left - 1);
        }
    }

    /// True if the current greenthread can wait, whoever asks and when: see `layer::may_park`.
    #[inline]
    pub(crate) fn may_park(&self) -> bool {
        self.layer_mark().is_some()
    }

    /// What a layer keeps with the current greenthread; `None` if that cannot wait now.
    #[inline]
    pub(crate) fn layer_mark(&self) -> Option<u8> {
        if self.held.get() > 0 || panicking() || self.is_forked() || !self.is_reactor_free() {
            return None;
        }
        // Without `with_current`, which makes a stand-in: this may be a handler of signals that has come in the middle of one.
        let task = self.current.take()?;
        let mark = (task.state.get() == State::Running).then(|| task.layer.get());
        self.current.set(Some(task));
        mark
    }

    /// False while the reactor is at work, or something is asked of it.
    #[inline]
    pub(crate) fn is_reactor_free(&self) -> bool {
        self.reactor.try_borrow_mut().is_ok()
    }

    /// As `Interrupt::raise`, for a wait that nothing may unwind through: what interrupts it stays pending, and comes of it
    /// at the end of its scope.
    #[cold]
    pub(crate) fn cut(&self, interrupt: Interrupt) {
        let task = interrupt.task;
        self.raise_in_turn(task.id);
        if task.thrown.get() & FAILED != 0 {
            log::error!(
                "a call that cannot unwind is cut short: {}",
                self.report.borrow()
            );
        }
        task.note_cut();
    }
}

impl Task {
    /// A wait that nothing may unwind through was cut short by what is thrown at this.
    pub(super) fn note_cut(&self) {
        if self.is_killed() {
            self.thrown.set(self.thrown.get() | CUT);
        } else if let Some(extra) = self.has_extra() {
            extra.deadlines.note_cut();
        }
    }
}
