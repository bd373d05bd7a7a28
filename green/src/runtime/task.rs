//! A greenthread as the scheduler sees it.

use std::any::Any;
use std::backtrace::Backtrace;
use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::os::fd::RawFd;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use greenlet::Greenlet;
use hub_core::TimerKey;

use super::deadlines::{DeadlineId, Deadlines};
use super::interrupt::CUT;
use super::park::WokenBy;
use super::room::TaskState;
use super::{Elapsed, Exit, Member, OnEnd, WaitList};

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
    /// The first end among the greenthreads of a group, by the group's address.
    Group(usize),
    /// What the members of a pool could give, and the pool's address.
    Pool(&'static str, usize),
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
            Reason::Primitive(kind, address) | Reason::Pool(kind, address) => {
                write!(f, "{kind} at {address:#x}")
            }
            Reason::Group(_) => write!(f, "one of several greenthreads"),
            Reason::Outside(what) => write!(f, "{what}"),
        }
    }
}

/// Something is thrown at it and not raised yet. A kill is never cleared: one that user code swallows comes again.
const KILLED: u8 = 1;
/// A deadline has elapsed and is still open.
const ELAPSED: u8 = 2;
/// Nothing can ever wake this root: it must raise the runtime's report.
pub(super) const FAILED: u8 = 4;

/// No id that is ever given out.
pub(super) const NOBODY: u64 = u64::MAX;
const NOWHERE: usize = usize::MAX;

/// A greenthread: its place to resume, its state, and what was thrown at it.
///
/// What a park and a resume touch stands first, beside the counts of its `Rc`: a cache line, or two.
#[repr(C)]
pub(crate) struct Task {
    /// The greenlet to resume; `None` while it runs. Usually the greenthread's own; while a greenlet that it created
    /// blocks, that one.
    pub(super) greenlet: Cell<Option<Greenlet<(), ()>>>,
    /// Counts parks. A wake-up that names an older ticket is stale and does nothing.
    pub(super) ticket: Cell<u32>,
    /// Depth of `mask`: above zero no interrupt is raised.
    pub(super) masked: Cell<u32>,
    pub(super) state: Cell<State>,
    pub(super) cause: Cell<WokenBy>,
    pub(super) thrown: Cell<u8>,
    /// A deadline may be open that has no timer yet.
    pub(super) unarmed: Cell<bool>,
    /// True once its result is there.
    pub(super) complete: Cell<bool>,
    /// True once nobody can take the result.
    pub(super) detached: Cell<bool>,
    /// See `layer::mark`.
    pub(crate) layer: Cell<u8>,
    pub(super) reason: Cell<Reason>,
    /// What happens at the end, in the order in which it was asked for.
    pub(super) ends: RefCell<WaitList<OnEnd, ()>>,
    /// What it ended with, until somebody takes it.
    pub(crate) result: RefCell<Option<Result<Box<dyn Any>, Exit>>>,
    /// Place in the runtime's registry; `NOWHERE` before it has one, and once all that is left is this.
    pub(super) key: Cell<usize>,
    pub(crate) id: u64,
    /// The id of the greenthread that spawned it; `NOBODY` if none did.
    pub(super) spawner: Cell<u64>,
    pub(crate) spawned_at: &'static Location<'static>,
    /// On whose behalf it works.
    pub(super) member: Cell<Option<Rc<Member>>>,
    /// The time of its spawn, as of the scheduler's last look at the clock.
    pub(super) born: Instant,
    pub(super) extra: OnceCell<Box<Extra>>,
}

/// What few greenthreads have.
#[derive(Default)]
pub(crate) struct Extra {
    pub(super) deadlines: Deadlines,
    /// What starts it, if it was spawned with a delay.
    pub(crate) start: Cell<Option<TimerKey>>,
    pub(super) kill_reason: RefCell<Option<Arc<dyn Any + Send + Sync>>>,
    /// A deadline that had cut a call short and then was dropped, with nobody told of it.
    pub(super) cut_by: Cell<Option<Elapsed>>,
    /// The task of the future that its handle is.
    pub(super) awaiter: Cell<Option<Waker>>,
    pub(crate) name: RefCell<Option<Rc<str>>>,
    /// The holder of the lock that it waits for.
    pub(super) held_up_by: RefCell<Option<Rc<Cell<Option<u64>>>>>,
    /// What other parts of green keep here.
    pub(super) rooms: RefCell<Vec<Rc<dyn TaskState>>>,
}

impl Task {
    #[inline]
    pub(super) fn new(
        id: u64,
        spawned_at: &'static Location<'static>,
        state: State,
        born: Instant,
    ) -> Task {
        Task {
            greenlet: Cell::new(None),
            state: Cell::new(state),
            cause: Cell::new(WokenBy::Event),
            thrown: Cell::new(0),
            unarmed: Cell::new(false),
            complete: Cell::new(false),
            detached: Cell::new(false),
            layer: Cell::new(0),
            ticket: Cell::new(0),
            masked: Cell::new(0),
            reason: Cell::new(Reason::Nothing),
            key: Cell::new(NOWHERE),
            id,
            spawner: Cell::new(NOBODY),
            spawned_at,
            member: Cell::new(None),
            born,
            result: RefCell::new(None),
            ends: RefCell::new(WaitList::new()),
            extra: OnceCell::new(),
        }
    }

    pub(crate) fn extra(&self) -> &Extra {
        self.extra.get_or_init(Box::default)
    }

    /// As `extra`, for those who only look.
    #[inline]
    pub(crate) fn has_extra(&self) -> Option<&Extra> {
        self.extra.get().map(|extra| &**extra)
    }

    /// Starts to load what the switch to it will touch.
    #[inline]
    pub(super) fn prefetch_stack(&self) {
        self.suspended(Greenlet::prefetch);
    }

    /// Looks at the greenlet of one that does not run.
    #[inline(always)]
    fn suspended<R>(&self, look: impl FnOnce(&Greenlet<(), ()>) -> R) -> Option<R> {
        let greenlet = self.greenlet.take()?;
        let seen = look(&greenlet);
        self.greenlet.set(Some(greenlet));
        Some(seen)
    }

    pub(crate) fn trim_stack(&self) {
        self.suspended(Greenlet::trim_stack);
    }

    pub(crate) fn stack_in_memory(&self) -> usize {
        self.suspended(Greenlet::stack_high_water).unwrap_or(0)
    }

    pub(crate) fn spawner(&self) -> Option<u64> {
        Some(self.spawner.get()).filter(|&id| id != NOBODY)
    }

    pub(crate) fn set_spawner(&self, id: Option<u64>) {
        self.spawner.set(id.unwrap_or(NOBODY));
    }

    /// What [`Runtime::task`](super::Runtime::task) finds it by.
    pub(crate) fn name_in_thread(&self) -> (usize, u64) {
        (self.key.get(), self.id)
    }

    pub(crate) fn state(&self) -> State {
        self.state.get()
    }

    /// Its stack, captured by running on it for a moment. `None` for one that never ran.
    pub(crate) fn stack(&self) -> Option<Backtrace> {
        match self.state.get() {
            State::Running => Some(Backtrace::force_capture()),
            State::Ready | State::Parked => self.suspended(Greenlet::backtrace)?,
            State::Fresh | State::Delayed | State::Dead => None,
        }
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.state.get() == State::Dead
    }

    /// Gives up its place in the registry.
    #[inline]
    pub(super) fn leave_registry(&self) -> usize {
        self.key.replace(NOWHERE)
    }

    /// True once it is dead and nothing of its closure is left either.
    pub(crate) fn is_buried(&self) -> bool {
        self.is_dead() && self.key.get() == NOWHERE
    }

    /// True from the first run to the end.
    pub(crate) fn is_active(&self) -> bool {
        matches!(
            self.state.get(),
            State::Ready | State::Running | State::Parked
        )
    }

    /// True if something must be raised before the greenthread waits.
    #[inline]
    pub(super) fn is_interrupted(&self) -> bool {
        let thrown = self.thrown.get() & !CUT;
        thrown != 0 && (self.masked.get() == 0 || thrown & FAILED != 0)
    }

    pub(crate) fn is_killed(&self) -> bool {
        self.thrown.get() & KILLED != 0
    }

    pub(super) fn set_killed(&self, why: Option<Arc<dyn Any + Send + Sync>>) {
        if !self.is_killed() {
            self.thrown.set(self.thrown.get() | KILLED);
            if why.is_some() {
                *self.extra().kill_reason.borrow_mut() = why;
            }
        }
    }

    pub(crate) fn kill_reason(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        self.has_extra()?.kill_reason.borrow().clone()
    }

    pub(super) fn set_failed(&self) {
        self.thrown.set(self.thrown.get() | FAILED);
    }

    pub(super) fn take_failed(&self) -> bool {
        let thrown = self.thrown.get();
        self.thrown.set(thrown & !FAILED);
        thrown & FAILED != 0
    }

    /// True if the deadline has a time that has not passed.
    pub(crate) fn is_pending(&self, id: DeadlineId) -> bool {
        self.extra().deadlines.is_pending(id)
    }

    pub(super) fn open_deadline(
        &self,
        place: &'static Location<'static>,
        after: Option<Duration>,
        time: Option<Instant>,
    ) -> DeadlineId {
        if time.is_some() {
            self.unarmed.set(true);
        }
        self.extra().deadlines.open(place, after, time)
    }

    /// Closes a deadline; its timer, if it has not fired, is the caller's to cancel.
    pub(super) fn close_deadline(&self, id: DeadlineId) -> Option<TimerKey> {
        let deadlines = &self.extra().deadlines;
        if deadlines.take_cut(id) {
            self.note_cut_by(deadlines.after(id));
        }
        let timer = deadlines.close(id);
        self.forget_elapsed();
        timer
    }

    /// See [`Deadlines::disarm`].
    pub(super) fn disarm_deadline(&self, id: DeadlineId) -> Option<TimerKey> {
        let timer = self.extra().deadlines.disarm(id);
        self.forget_elapsed();
        timer
    }

    fn forget_elapsed(&self) {
        if self.thrown.get() & ELAPSED != 0 && self.extra().deadlines.elapsed().is_none() {
            self.thrown.set(self.thrown.get() & !ELAPSED);
        }
    }

    /// Notes that the time of a deadline has passed. False if it is closed.
    pub(super) fn elapse(&self, id: DeadlineId) -> bool {
        let open = self.extra().deadlines.elapse(id);
        if open {
            self.thrown.set(self.thrown.get() | ELAPSED);
        }
        open
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.complete.get()
    }

    /// Notes that nobody will take the result. True if it is there already.
    #[inline]
    pub(crate) fn detach(&self) -> bool {
        self.detached.set(true);
        self.complete.get()
    }

    #[inline]
    pub(crate) fn is_detached(&self) -> bool {
        self.detached.get()
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
