//! What unwinds a greenthread from outside: kill, an elapsed deadline, a deadlock.
//!
//! Each travels as a private panic payload, raised by `resume_unwind`, so that no panic hook prints it. They
//! arrive only where a greenthread waits.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::time::Duration;

use super::deadlines::DeadlineId;
use super::task::Task;
use super::{Elapsed, Exit, Runtime};

/// The reason of a kill of main's greenthread that is to end the process with this code.
pub(crate) struct ExitCode(pub(crate) i32);

/// The payload of a kill.
pub(crate) struct Killed {
    /// Of main's greenthread, if the process is to end by it: see `greenthread::leave`.
    exit: Option<i32>,
}

impl Killed {
    fn of(task: &Task) -> Box<Killed> {
        let is_main = task.id == 0 && greenlet::os::is_main_thread();
        let reason = task.kill_reason().filter(|_| is_main);
        let exit = reason.and_then(|reason| reason.downcast_ref().map(|ExitCode(code)| *code));
        if is_main && exit.is_none() {
            // std says nothing of what no panic hook has seen.
            eprintln!(
                "the greenthread of main was killed: unless it catches that, the process ends with code 101"
            );
        }
        Box::new(Killed { exit })
    }

    /// Unwinds the current greenthread, whatever it holds back.
    pub(crate) fn raise(task: &Task) -> ! {
        panic::resume_unwind(Killed::of(task))
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        if let Some(code) = self.exit {
            std::process::exit(code);
        }
    }
}

/// The payload of an elapsed deadline: only its owner may consume it.
pub(crate) struct PastDeadline {
    pub(crate) task: u64,
    pub(crate) deadline: DeadlineId,
    /// What was to be exceeded by nothing.
    pub(crate) after: Option<Duration>,
}

/// Something waits to be raised in the current greenthread. Whoever gets it undoes what it had begun, then raises.
#[must_use = "an interrupt that is not raised leaves the greenthread alive"]
#[derive(Debug)]
pub(crate) struct Interrupt {
    pub(super) task: Rc<Task>,
}

impl Interrupt {
    pub(super) fn new(task: Rc<Task>) -> Interrupt {
        Interrupt { task }
    }

    /// The kill of a greenthread that is none.
    #[cfg(test)]
    pub(crate) fn of_a_kill() -> Interrupt {
        let task = Runtime::with(Runtime::stray);
        task.set_killed(None);
        Interrupt::new(task)
    }

    /// True if this ends the greenthread, rather than what one of its deadlines bounds.
    pub(crate) fn is_kill(&self) -> bool {
        self.task.is_killed()
    }

    /// Unwinds the current greenthread.
    pub(crate) fn raise(self) -> ! {
        let task = self.task;
        Runtime::with(|runtime| runtime.raise_in_turn(task.id));
        if task.take_failed() {
            drop(task);
            panic!("{}", Runtime::with(|runtime| runtime.report.take()));
        }
        let payload: Box<dyn Any + Send> = if task.is_killed() {
            Killed::of(&task)
        } else {
            let Some(deadline) = task.extra().deadlines.elapsed() else {
                unreachable!("an interrupt without a kill, a deadlock or an elapsed deadline");
            };
            Box::new(PastDeadline {
                task: task.id,
                deadline,
                after: task.extra().deadlines.after(deadline),
            })
        };
        drop(task);
        panic::resume_unwind(payload);
    }
}

/// Among what is thrown at a task: its kill, or a deadline of all the rest of it, has cut short a wait that nothing may
/// unwind through. It is not raised.
pub(super) const CUT: u8 = 8;

impl Task {
    /// True if its kill or such a deadline has cut short such a wait, and what it returns is what came of that.
    #[inline]
    pub(crate) fn is_cut(&self) -> bool {
        self.thrown.get() & CUT != 0
    }

    /// What has cut it.
    #[cold]
    pub(crate) fn exit_by_cut(&self) -> Exit {
        let cut_by = self.has_extra().and_then(|extra| extra.cut_by.get());
        match cut_by.filter(|_| !self.is_killed()) {
            Some(elapsed) => Exit::Elapsed(elapsed),
            None => Exit::Killed(self.kill_reason()),
        }
    }

    /// Notes that a deadline which had cut short such a wait is no more, and that nobody was told.
    #[cold]
    pub(super) fn note_cut_by(&self, after: Option<Duration>) {
        self.thrown.set(self.thrown.get() | CUT);
        let cut_by = &self.extra().cut_by;
        cut_by.set(cut_by.get().or(Some(Elapsed::new(after))));
    }

    /// True if this deadline has cut short such a wait; whoever asks says so to those who are concerned.
    #[inline]
    pub(crate) fn take_cut(&self, id: DeadlineId) -> bool {
        self.extra().deadlines.take_cut(id)
    }
}

/// Kills and deadlines are held back from a greenthread until this is dropped.
pub(crate) struct Mask(Rc<Task>);

impl Mask {
    pub(crate) fn new(task: Rc<Task>) -> Mask {
        task.masked.set(task.masked.get() + 1);
        Mask(task)
    }
}

impl Drop for Mask {
    fn drop(&mut self) {
        self.0.masked.set(self.0.masked.get() - 1);
    }
}

impl Runtime {
    /// Runs `f` with kills and deadlines held back: they arrive at the first wait after it.
    pub(crate) fn mask<R>(&self, f: impl FnOnce() -> R) -> R {
        let _mask = Mask::new(self.current());
        f()
    }
}

impl Runtime {
    /// Lets the others run if this greenthread was the last in which something was raised, and nobody has run since: a
    /// loop that catches what is raised in it, or whose deadlines have passed before it waits, keeps nobody from running.
    pub(super) fn raise_in_turn(&self, id: u64) {
        if self.raised.get() == (id, self.counters.switches.get()) {
            self.let_others_run();
        }
        self.raised.set((id, self.counters.switches.get()));
    }
}

/// Passes on a panic payload that belongs to green (a kill, somebody else's deadline) and gives every other back.
///
/// Code that catches panics around blocking calls hands the payload to this function first; otherwise a kill or a
/// timeout ends there instead of where it belongs. (A swallowed kill comes again at the next blocking call, and so
/// does an elapsed deadline.)
///
/// ```
/// use std::panic::{AssertUnwindSafe, catch_unwind};
/// use std::time::Duration;
///
/// let worker = green::spawn(|| {
///     let caught = catch_unwind(AssertUnwindSafe(|| green::sleep(Duration::from_secs(60))));
///     if let Err(payload) = caught {
///         let _mine = green::resume_interrupt(payload);
///     }
///     unreachable!("the kill went on");
/// });
/// green::yield_now();
/// worker.kill();
/// assert!(worker.join().is_err());
/// ```
#[doc(alias = "resume_if_control")]
pub fn resume_interrupt(payload: Box<dyn Any + Send>) -> Box<dyn Any + Send> {
    if is_control(&*payload) {
        panic::resume_unwind(payload);
    }
    payload
}

pub(crate) fn is_control(payload: &(dyn Any + Send)) -> bool {
    payload.is::<Killed>() || payload.is::<PastDeadline>() || payload.is::<greenlet::GreenletExit>()
}

/// Runs code that is not ours to trust (a destructor, a link, a callback) and keeps its panic to itself.
pub(crate) fn contain(what: &str, f: impl FnOnce()) {
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(f)) {
        if is_control(&*payload) {
            // It comes again at the next wait. Until then it must not be dropped: the process might end by that.
            std::mem::forget(payload);
            return;
        }
        log::error!("{what} panicked: {}", message(&*payload));
        // A payload may panic when dropped; nothing is left to tell anybody about that.
        std::mem::forget(payload);
    }
}

/// The text of a panic payload, as `panic!` makes them.
pub(crate) fn message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a payload that is no text")
}
