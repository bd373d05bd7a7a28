//! A greenthread as the scheduler sees it.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::os::fd::RawFd;
use std::panic::Location;
use std::rc::Rc;

use greenlet::Greenlet;

use super::{Runtime, scope::Scopes};

/// Where a greenthread stands between its spawn and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Spawned with a delay that has not passed yet.
    Delayed,
    /// In the run queue, has never run.
    Fresh,
    /// In the run queue.
    Ready,
    /// On the processor.
    Running,
    /// Waits to be woken.
    Parked,
    /// Finished, cancelled or killed.
    Dead,
}

/// What a parked greenthread waits for: for reports, never for decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Nothing,
    Sleep,
    Readable(RawFd),
    Writable(RawFd),
    /// The end of the greenthread with this id.
    Join(u64),
    /// A primitive, by its kind and its address.
    Primitive(&'static str, usize),
    /// Something outside this thread.
    Outside(&'static str),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Reason::Nothing => write!(f, "nothing"),
            Reason::Sleep => write!(f, "the end of a sleep"),
            Reason::Readable(fd) => write!(f, "descriptor {fd} to become readable"),
            Reason::Writable(fd) => write!(f, "descriptor {fd} to become writable"),
            Reason::Join(id) => write!(f, "the end of greenthread {id}"),
            Reason::Primitive(kind, address) => write!(f, "{kind} at {address:#x}"),
            Reason::Outside(what) => write!(f, "{what}"),
        }
    }
}

/// How a park ended, as the waker left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Event,
    Expired,
    Interrupt,
}

/// A greenthread: its place to resume, its state, and what was thrown at it.
pub(crate) struct Task {
    pub(crate) id: u64,
    pub(crate) spawned_at: &'static Location<'static>,
    /// The greenlet to resume. Usually the greenthread's own; while a greenlet that it created blocks, that one.
    pub(super) greenlet: RefCell<Option<Greenlet<(), ()>>>,
    /// Place in the runtime's registry.
    pub(super) key: Cell<usize>,
    pub(super) state: Cell<State>,
    /// Counts parks. A wake-up that names an older ticket is stale and does nothing.
    pub(super) ticket: Cell<u32>,
    pub(super) cause: Cell<Cause>,
    pub(super) reason: Cell<Reason>,
    /// Set by a kill and never cleared: a kill that user code swallows comes again.
    pub(super) killed: Cell<bool>,
    pub(super) kill_reason: RefCell<Option<Rc<dyn Any>>>,
    /// Set in the root when it must raise the runtime's report: nothing can ever wake it.
    pub(super) failed: Cell<bool>,
    /// How often something was raised here. From the second time on the others run first.
    pub(super) raised: Cell<u32>,
    pub(super) scopes: Scopes,
    /// Depth of `mask`: above zero no interrupt is raised.
    pub(super) masked: Cell<u32>,
    /// True once its result is there.
    complete: Cell<bool>,
    /// Who waits for the end.
    pub(crate) joiners: RefCell<WaitList>,
    pub(crate) name: RefCell<Option<Rc<str>>>,
    pub(crate) locals: RefCell<Vec<(usize, Rc<dyn Any>)>>,
}

impl Task {
    pub(super) fn new(id: u64, spawned_at: &'static Location<'static>, state: State) -> Task {
        Task {
            id,
            spawned_at,
            greenlet: RefCell::new(None),
            key: Cell::new(usize::MAX),
            state: Cell::new(state),
            ticket: Cell::new(0),
            cause: Cell::new(Cause::Event),
            reason: Cell::new(Reason::Nothing),
            killed: Cell::new(false),
            kill_reason: RefCell::new(None),
            failed: Cell::new(false),
            raised: Cell::new(0),
            scopes: Scopes::default(),
            masked: Cell::new(0),
            complete: Cell::new(false),
            joiners: RefCell::new(WaitList::new()),
            name: RefCell::new(None),
            locals: RefCell::new(Vec::new()),
        }
    }

    pub(crate) fn state(&self) -> State {
        self.state.get()
    }

    pub(crate) fn reason(&self) -> Reason {
        self.reason.get()
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.state.get() == State::Dead
    }

    /// True from the first run to the end.
    pub(crate) fn is_active(&self) -> bool {
        matches!(
            self.state.get(),
            State::Ready | State::Running | State::Parked
        )
    }

    pub(crate) fn is_killed(&self) -> bool {
        self.killed.get()
    }

    pub(crate) fn kill_reason(&self) -> Option<Rc<dyn Any>> {
        self.kill_reason.borrow().clone()
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.complete.get()
    }

    /// Notes that the result is there and wakes those who wait for it.
    #[inline]
    pub(crate) fn complete(&self) {
        self.complete.set(true);
        if !self.joiners.borrow().is_empty() {
            self.wake_joiners();
        }
    }

    pub(super) fn wake_joiners(&self) {
        let mut joiners = self.joiners.borrow_mut().take();
        while let Some((joiner, ())) = joiners.pop() {
            joiner.wake();
        }
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Greenthread")
            .field("id", &self.id)
            .field("state", &self.state.get())
            .field("spawned_at", &self.spawned_at.to_string())
            .finish_non_exhaustive()
    }
}

/// One park of one greenthread: who holds it may wake that park once, and no later one.
#[derive(Clone, Debug)]
pub(crate) struct Waiter {
    pub(super) task: Rc<Task>,
    pub(super) ticket: u32,
}

impl Waiter {
    /// Makes the greenthread runnable. False if that park is over already.
    pub(crate) fn wake(&self) -> bool {
        Runtime::with(|runtime| runtime.unpark(&self.task, self.ticket, Cause::Event))
    }

    /// True while the park that this waiter stands for goes on.
    pub(crate) fn is_parked(&self) -> bool {
        self.task.ticket.get() == self.ticket && self.task.state.get() == State::Parked
    }

    pub(crate) fn is_same(&self, other: &Waiter) -> bool {
        self.ticket == other.ticket && Rc::ptr_eq(&self.task, &other.task)
    }

    pub(crate) fn task(&self) -> &Rc<Task> {
        &self.task
    }
}

/// Waiters in the order of their arrival, each with what it brought along.
#[derive(Debug)]
pub(crate) struct WaitList<T = ()> {
    queue: VecDeque<(Waiter, T)>,
}

impl<T> WaitList<T> {
    pub(crate) const fn new() -> WaitList<T> {
        WaitList {
            queue: VecDeque::new(),
        }
    }

    /// Empties the list and gives what was in it.
    pub(crate) fn take(&mut self) -> WaitList<T> {
        std::mem::replace(self, WaitList::new())
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn push(&mut self, waiter: Waiter, with: T) {
        self.queue.push_back((waiter, with));
    }

    /// How many wait at this moment: those who were interrupted but have not left yet do not count.
    pub(crate) fn parked(&self) -> usize {
        self.queue.iter().filter(|(waiter, _)| waiter.is_parked()).count()
    }

    /// Takes the one that has waited longest.
    pub(crate) fn pop(&mut self) -> Option<(Waiter, T)> {
        self.queue.pop_front()
    }

    /// Takes out a waiter that leaves unserved. `None` says that it was served, that is popped, before.
    pub(crate) fn remove(&mut self, waiter: &Waiter) -> Option<T> {
        let at = self
            .queue
            .iter()
            .position(|(other, _)| other.is_same(waiter))?;
        self.queue.remove(at).map(|(_, with)| with)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Waiter, T)> {
        self.queue.iter()
    }
}
