//! The two ends of every wait: a greenthread stops running, and becomes runnable again.

use std::rc::Rc;
use std::time::Instant;

use hub_core::TimerKey;

use super::{Alarm, Interrupt, Reason, Runtime, State, Task, Waiting};

/// How a park ended, as the waker left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WokenBy {
    Event,
    Expired,
    Interrupt,
}

/// How a park ended.
#[must_use]
#[derive(Debug)]
pub(crate) enum Wake {
    /// What was waited for has come.
    Event,
    /// The deadline given to the park passed.
    Expired,
    /// The greenthread is being killed or a deadline has elapsed: clean up, then raise.
    Interrupted(Interrupt),
    /// What had interrupted it is no longer pending: look again.
    Again,
    /// Nothing was waited for: see [`Runtime::cannot_switch`].
    Unwinding,
}

/// One park of one greenthread, for the waker: it ends that park, once, and no later one.
#[derive(Clone, Debug)]
pub(crate) struct Waiter {
    pub(super) task: Rc<Task>,
    pub(super) ticket: u32,
}

impl Waiter {
    /// Makes the greenthread runnable. False if that park is over already.
    pub(crate) fn wake(&self) -> bool {
        Runtime::with(|runtime| runtime.unpark(&self.task, self.ticket, WokenBy::Event))
    }

    pub(crate) fn is_same(&self, other: &Waiter) -> bool {
        self.ticket == other.ticket && Rc::ptr_eq(&self.task, &other.task)
    }

    pub(crate) fn task(&self) -> &Rc<Task> {
        &self.task
    }
}

impl Waiting for Waiter {
    #[inline]
    fn is_parked(&self) -> bool {
        self.task.ticket.get() == self.ticket && self.task.state.get() == State::Parked
    }

    #[inline]
    fn wake(&self) {
        Waiter::wake(self);
    }
}

impl Runtime {
    /// Parks the current greenthread until its present ticket is woken, or `deadline` passes.
    ///
    /// The caller has put [`Runtime::waiter`] where the waker will find it, and takes it out again unless the
    /// result is [`Wake::Event`].
    #[inline(always)]
    pub(crate) fn park(&self, reason: Reason, deadline: Option<Instant>) -> Wake {
        if self.cannot_switch() {
            return Wake::Unwinding;
        }
        if !self.with_current(|task| task.begin_park(reason, deadline.is_some())) {
            return self.park_with_care(deadline);
        }
        self.switch(self.next());
        self.woken()
    }

    /// As `park`, for a park that may have a deadline or may not be allowed. What it keeps during the switch would be kept
    /// on the stack of every other one as well.
    #[inline(never)]
    fn park_with_care(&self, deadline: Option<Instant>) -> Wake {
        let timer = match self.begin_with_care(deadline) {
            Ok(timer) => timer,
            Err(interrupt) => return Wake::Interrupted(interrupt),
        };
        self.switch(self.next());
        if let Some(timer) = timer.filter(|_| self.cause.get() != WokenBy::Expired) {
            self.cancel_timer(timer);
        }
        self.woken()
    }

    /// How the park of the current greenthread has ended.
    #[inline(always)]
    fn woken(&self) -> Wake {
        let cause = self.cause.get();
        // A kill beats the event that came with it, an event beats a deadline. A mask holds back both.
        if self.interrupted.get() {
            let task = self.current();
            if cause != WokenBy::Event || task.is_killed() {
                return Wake::Interrupted(Interrupt::new(task));
            }
        }
        match cause {
            WokenBy::Event => Wake::Event,
            WokenBy::Expired => Wake::Expired,
            // Somebody has taken a deadline back before this ran.
            WokenBy::Interrupt => Wake::Again,
        }
    }

    /// Begins a park that may have a deadline or may not be allowed. Gives the timer of the deadline.
    #[inline(always)]
    fn begin_with_care(&self, deadline: Option<Instant>) -> Result<Option<TimerKey>, Interrupt> {
        let task = self.current();
        if task.is_interrupted() {
            return Err(Interrupt::new(task));
        }
        if task.unarmed.get() {
            self.arm_deadlines(&task);
        }
        let timer = deadline.map(|deadline| {
            let waiter = Waiter {
                task: Rc::clone(&task),
                ticket: task.ticket.get(),
            };
            self.add_timer(deadline, Alarm::Park(waiter))
        });
        task.state.set(State::Parked);
        Ok(timer)
    }

    /// Ends the park that `ticket` names. False if it is over already.
    #[inline(always)]
    pub(super) fn unpark(&self, task: &Rc<Task>, ticket: u32, cause: WokenBy) -> bool {
        let parked = task.end_park(ticket, cause);
        if parked {
            self.run_queue.borrow_mut().push(Rc::clone(task));
            self.note_wakeup(task);
        }
        parked
    }

    /// As `unpark`, for the reactor.
    #[inline]
    pub(super) fn unpark_due(&self, task: &Rc<Task>, ticket: u32, cause: WokenBy) -> bool {
        let parked = task.end_park(ticket, cause);
        if parked {
            self.run_queue.borrow_mut().push_due(Rc::clone(task));
            self.note_wakeup(task);
        }
        parked
    }
}

impl Task {
    /// Begins a park, if nothing is thrown at it and no deadline needs a timer. False if there may be.
    #[inline(always)]
    fn begin_park(&self, reason: Reason, has_deadline: bool) -> bool {
        // In any case, so that nobody else needs it: it would be passed in memory.
        self.reason.set(reason);
        let at_once = !has_deadline && self.thrown.get() == 0 && !self.unarmed.get();
        if at_once {
            self.state.set(State::Parked);
        }
        at_once
    }

    /// True if it waited with this ticket: it is runnable now, and no other wake-up can claim to have ended that park.
    #[inline(always)]
    fn end_park(&self, ticket: u32, cause: WokenBy) -> bool {
        let parked = self.ticket.get() == ticket && self.state.get() == State::Parked;
        if parked {
            self.ticket.set(ticket.wrapping_add(1));
            self.cause.set(cause);
            self.state.set(State::Ready);
        }
        parked
    }
}
