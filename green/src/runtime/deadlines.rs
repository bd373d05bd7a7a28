//! The deadlines of one greenthread: of which `Timeout`s it runs code, and which of them have elapsed.

use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hub_core::TimerKey;

use super::park::WokenBy;
use super::{Alarm, Runtime, Task};

/// Names one deadline of one greenthread.
pub(crate) type DeadlineId = u64;

#[derive(Debug)]
struct Deadline {
    id: DeadlineId,
    /// Where it was opened.
    place: &'static Location<'static>,
    /// What was asked for.
    after: Option<Duration>,
    due: Due,
}

/// When it elapses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// It has no deadline, or that has passed.
    Never,
    /// The greenthread has not waited since: one that is closed before it does needs no timer.
    At(Instant),
    Armed(TimerKey),
}

impl Due {
    fn timer(self) -> Option<TimerKey> {
        match self {
            Due::Armed(timer) => Some(timer),
            Due::Never | Due::At(_) => None,
        }
    }
}

/// The open ones, outermost first, and the elapsed ones in the order in which they elapsed.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    next: Cell<DeadlineId>,
    open: RefCell<Vec<Deadline>>,
    elapsed: RefCell<Vec<DeadlineId>>,
    /// Those that have cut short a wait that nothing may unwind through.
    cut: RefCell<Vec<DeadlineId>>,
    /// How often one has elapsed that was open.
    times: Cell<u64>,
}

impl Deadlines {
    pub(super) fn open(
        &self,
        place: &'static Location<'static>,
        after: Option<Duration>,
        time: Option<Instant>,
    ) -> DeadlineId {
        let id = self.next.get();
        self.next.set(id + 1);
        let due = time.map_or(Due::Never, Due::At);
        let deadline = Deadline {
            id,
            place,
            after,
            due,
        };
        self.open.borrow_mut().push(deadline);
        id
    }

    pub(super) fn place(&self, id: DeadlineId) -> Option<&'static Location<'static>> {
        let open = self.open.borrow();
        open.iter()
            .find(|deadline| deadline.id == id)
            .map(|deadline| deadline.place)
    }

    /// How long after it was opened, or set anew, it elapses.
    pub(super) fn after(&self, id: DeadlineId) -> Option<Duration> {
        let open = self.open.borrow();
        open.iter().find(|deadline| deadline.id == id)?.after
    }

    fn set_after(&self, id: DeadlineId, after: Option<Duration>) {
        let mut open = self.open.borrow_mut();
        if let Some(deadline) = open.iter_mut().rfind(|deadline| deadline.id == id) {
            deadline.after = after;
        }
    }

    /// Gives each that has no timer the one that `add` makes for it, outermost first.
    pub(super) fn arm_all(&self, mut add: impl FnMut(DeadlineId, Instant) -> TimerKey) {
        for deadline in &mut *self.open.borrow_mut() {
            if let Due::At(time) = deadline.due {
                deadline.due = Due::Armed(add(deadline.id, time));
            }
        }
    }

    /// Closes one; its timer, if it has not fired, is the caller's to cancel.
    pub(super) fn close(&self, id: DeadlineId) -> Option<TimerKey> {
        let mut open = self.open.borrow_mut();
        let at = open.iter().rposition(|deadline| deadline.id == id)?;
        let deadline = open.remove(at);
        self.elapsed.borrow_mut().retain(|&other| other != id);
        deadline.due.timer()
    }

    /// Takes the time from an open deadline, also if it has passed; its timer is the caller's to cancel.
    pub(super) fn disarm(&self, id: DeadlineId) -> Option<TimerKey> {
        self.elapsed.borrow_mut().retain(|&other| other != id);
        self.cut.borrow_mut().retain(|&other| other != id);
        let mut open = self.open.borrow_mut();
        let deadline = open.iter_mut().rfind(|deadline| deadline.id == id)?;
        std::mem::replace(&mut deadline.due, Due::Never).timer()
    }

    pub(super) fn arm(&self, id: DeadlineId, timer: TimerKey) {
        let mut open = self.open.borrow_mut();
        if let Some(deadline) = open.iter_mut().rfind(|deadline| deadline.id == id) {
            deadline.due = Due::Armed(timer);
        }
    }

    /// True if it has a time that has not passed.
    pub(super) fn is_pending(&self, id: DeadlineId) -> bool {
        let open = self.open.borrow();
        open.iter()
            .any(|deadline| deadline.id == id && deadline.due != Due::Never)
    }

    /// Notes that its time has passed. False if it is closed.
    pub(super) fn elapse(&self, id: DeadlineId) -> bool {
        let mut open = self.open.borrow_mut();
        let Some(deadline) = open.iter_mut().rfind(|deadline| deadline.id == id) else {
            return false;
        };
        deadline.due = Due::Never;
        self.elapsed.borrow_mut().push(id);
        self.times.set(self.times.get() + 1);
        true
    }

    /// The one that would be raised has cut short a wait instead.
    #[cfg(feature = "layer")]
    pub(super) fn note_cut(&self) {
        if let Some(id) = self.elapsed() {
            let mut cut = self.cut.borrow_mut();
            if !cut.contains(&id) {
                cut.push(id);
            }
        }
    }

    /// True if it has cut one short since this was last asked.
    #[inline]
    pub(super) fn take_cut(&self, id: DeadlineId) -> bool {
        let mut cut = self.cut.borrow_mut();
        let at = cut.iter().position(|&other| other == id);
        at.is_some_and(|at| {
            cut.remove(at);
            true
        })
    }

    /// The one that elapsed first among those still open.
    pub(super) fn elapsed(&self) -> Option<DeadlineId> {
        self.elapsed.borrow().first().copied()
    }
}

impl Task {
    /// Grows with everything that is thrown at the greenthread, be it raised already or not.
    pub(crate) fn interrupts(&self) -> u64 {
        let elapsed = self
            .has_extra()
            .map_or(0, |extra| extra.deadlines.times.get());
        elapsed + u64::from(self.is_killed())
    }
}

impl Task {
    /// Where an open deadline was opened.
    pub(crate) fn deadline_place(&self, id: DeadlineId) -> Option<&'static Location<'static>> {
        self.extra().deadlines.place(id)
    }
}

impl Runtime {
    /// Opens a deadline in the current greenthread. `None` never elapses.
    pub(crate) fn open_deadline(
        &self,
        timeout: Option<Duration>,
        place: &'static Location<'static>,
    ) -> (Rc<Task>, DeadlineId) {
        let task = self.current();
        let zero = timeout.is_some_and(|timeout| timeout.is_zero());
        let time = self.deadline(timeout.filter(|_| !zero));
        let id = task.open_deadline(place, timeout, time);
        if zero {
            task.elapse(id);
        }
        (task, id)
    }

    /// As `arm_deadlines`, for the current greenthread.
    pub(super) fn arm_current(&self) {
        if self.with_current(|task| task.unarmed.get()) {
            self.arm_deadlines(&self.current());
        }
    }

    /// Gives the deadlines of a greenthread that is about to wait their timers.
    #[inline(never)]
    pub(super) fn arm_deadlines(&self, task: &Rc<Task>) {
        task.unarmed.set(false);
        task.extra().deadlines.arm_all(|id, time| {
            let alarm = Alarm::Deadline(Rc::clone(task), id);
            self.reactor(|reactor| reactor.add_timer(time, alarm))
        });
    }

    /// Gives an open deadline another time, which begins now; `None` takes the one that it has.
    pub(crate) fn rearm_deadline(
        &self,
        task: &Rc<Task>,
        id: DeadlineId,
        timeout: Option<Duration>,
    ) {
        if let Some(timer) = task.disarm_deadline(id) {
            self.cancel_timer(timer);
        }
        task.extra().deadlines.set_after(id, timeout);
        if timeout.is_some_and(|timeout| timeout.is_zero()) {
            self.elapse(task, id);
        } else if let Some(time) = self.deadline(timeout) {
            let timer = self.add_timer(time, Alarm::Deadline(Rc::clone(task), id));
            task.extra().deadlines.arm(id, timer);
        }
    }

    /// The time of a deadline has passed. False if it is closed.
    pub(crate) fn elapse(&self, task: &Rc<Task>, id: DeadlineId) -> bool {
        let open = task.elapse(id);
        if open && task.masked.get() == 0 {
            self.unpark_due(task, task.ticket.get(), WokenBy::Interrupt);
        }
        open
    }

    /// Closes a deadline of `task`.
    pub(crate) fn close_deadline(&self, task: &Task, id: DeadlineId) {
        if let Some(timer) = task.close_deadline(id) {
            self.cancel_timer(timer);
        }
    }
}
