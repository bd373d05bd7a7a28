//! The state of one OS thread: its greenthreads, its run queue, its reactor.
//!
//! Everything in `green` that waits goes through [`Runtime::park`]; everything that ends a wait goes through
//! [`Runtime::unpark`]. The reactor is never borrowed while a greenthread runs.

pub(crate) mod backoff;
mod close;
mod deadlines;
mod deadlock;
mod elapsed;
mod ends;
mod exit;
mod failure;
mod fork;
mod idle;
mod interrupt;
mod kill;
#[cfg(feature = "layer")]
mod layer;
mod life;
mod lock;
mod member;
mod observe;
pub(crate) mod once;
#[cfg(feature = "thread-locals")]
mod own_locals;
mod pace;
mod park;
mod parker;
pub(crate) mod per_process;
mod reactor;
pub(crate) mod readiness;
mod remote;
mod remote_wait;
mod room;
mod run_queue;
mod scheduler;
mod sent;
mod shortage;
mod spare;
mod task;
mod thread_handle;
mod turn;
mod wait;
mod waitlist;
mod watched;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::mem;
use std::os::fd::RawFd;
use std::panic::Location;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;
use std::time::Instant;

use hub_core::{Reactor, Wakeup};
use slab::Slab;

pub(crate) use deadlines::DeadlineId;
pub use elapsed::Elapsed;
pub(crate) use ends::{Hears, OnEnd};
pub use exit::{Exit, Panic};
pub use idle::idle;
pub use interrupt::resume_interrupt;
pub(crate) use interrupt::{
    ExitCode, Interrupt, Killed, Mask, PastDeadline, contain, is_control, message,
};
pub(crate) use lock::lock;
pub(crate) use member::Member;
pub(crate) use observe::Observer;
#[cfg(feature = "thread-locals")]
pub use own_locals::own_thread_locals;
use pace::Pace;
use park::WokenBy;
pub(crate) use park::{Waiter, Wake};
pub(crate) use parker::Parker;
pub(crate) use remote::{Remote, main_handle};
use remote_wait::RemotePark;
#[cfg(feature = "layer")]
pub(crate) use remote_wait::RemoteWaiter;
pub(crate) use room::{TaskState, ThreadState};
use run_queue::RunQueue;
use sent::Sent;
use task::Extra;
pub(crate) use task::{Reason, State, Task};
pub use thread_handle::{ThreadClosed, ThreadHandle};
pub(crate) use wait::{Anywhere, Ended, Here, Origin, Wait, Why};
pub(crate) use waitlist::{Place, WaitList, Waiting};
pub(crate) use watched::Watched;

/// What a timer does when its deadline passes, and what is parked at a descriptor does when that is ready.
pub(crate) enum Alarm {
    /// Ends one park.
    Park(Waiter),
    /// Elapses one deadline of one greenthread.
    Deadline(Rc<Task>, DeadlineId),
    /// Starts a greenthread that was spawned with a delay. In a box, since most alarms are waiters of descriptors, which
    /// have room for any.
    Start(Box<DelayedStart>),
    /// Wakes a future's task.
    Waker(Waker),
}

/// The start of a greenthread by a short piece of code that must not wait.
pub(crate) struct DelayedStart {
    pub(crate) task: Rc<Task>,
    pub(crate) call: Box<dyn FnOnce()>,
}

impl Alarm {
    pub(crate) fn start(task: Rc<Task>, call: impl FnOnce() + 'static) -> Alarm {
        let call = Box::new(call);
        Alarm::Start(Box::new(DelayedStart { task, call }))
    }

    /// Ends the wait of whoever is parked at a descriptor.
    pub(crate) fn wake(self) {
        match self {
            Alarm::Park(waiter) => drop(waiter.wake()),
            Alarm::Waker(waker) => contain("the waker of a future", || waker.wake()),
            Alarm::Deadline(..) | Alarm::Start(..) => {}
        }
    }
}

/// A number that no other thread's runtime has had.
static SERIAL: AtomicU64 = AtomicU64::new(0);

pub(crate) struct Runtime {
    serial: u64,
    /// The parent of every greenthread's greenlet.
    main: greenlet::AnyGreenlet,
    run_queue: RefCell<RunQueue>,
    /// `None` once the thread has ended.
    current: Cell<Option<Rc<Task>>>,
    /// Why the last park of the current greenthread ended, and whether something must be raised in it: copied from
    /// its task when it was resumed, so that it need not look there.
    cause: Cell<WokenBy>,
    interrupted: Cell<bool>,
    /// Every greenthread that is not dead, the root as the first. Owns those that nobody else holds.
    tasks: RefCell<Slab<Rc<Task>>>,
    /// For those to come.
    spare: RefCell<Vec<Rc<Task>>>,
    next_id: Cell<u64>,
    reactor: RefCell<Option<Reactor<Alarm>>>,
    /// The buffer of `turn`, kept for its capacity.
    woken: Cell<Vec<Wakeup<Alarm>>>,
    remote: RefCell<Option<Arc<Remote>>>,
    /// What other threads have sent and has not been spawned.
    sent: RefCell<Sent>,
    /// Those that wait for what other threads may bring.
    remote_parks: RefCell<Slab<RemotePark>>,
    /// Waits that could wake nobody else.
    background: Cell<usize>,
    /// Descriptors of sockets that were closed while `as_fd` had lent them: they stay open until the loan ends.
    closed_but_lent: RefCell<Vec<RawFd>>,
    watched: RefCell<HashMap<RawFd, Vec<Weak<Watched>>>>,
    allow_many: Cell<bool>,
    /// See `simulate`.
    simulated: Cell<bool>,
    /// What the order of the run queue is drawn from; zero if it is first in, first out.
    seed: Cell<u64>,
    pace: Pace,
    /// The end of the last turn of the reactor.
    last_turn: Cell<Instant>,
    /// When somebody last asked for a deadline.
    stamp: Cell<Instant>,
    /// Successful operations that the current greenthread may still do before it yields.
    budget: Cell<u32>,
    /// In which greenthread something was last raised, and how many switches there had been.
    raised: Cell<(u64, u64)>,
    /// What the root must raise: see `Task::failed`.
    report: RefCell<String>,
    /// Above zero nothing switches: see `cannot_switch`.
    held: Cell<u32>,
    /// True once the thread has ended: nothing is spawned and nothing switches any more.
    closed: Cell<bool>,
    /// What `greenlet::os::fork_count` said when the reactor became this process' own.
    forks: Cell<usize>,
    counters: Counters,
    /// What other parts of green keep here.
    rooms: RefCell<Vec<Rc<dyn ThreadState>>>,
    /// True while switches are to be reported to `observer`.
    observed: Cell<bool>,
    observer: RefCell<Option<Rc<dyn Observer>>>,
}

/// What the scheduler has done since the thread's first greenthread.
#[derive(Debug, Default)]
struct Counters {
    switches: Cell<u64>,
    spawns: Cell<u64>,
    turns: Cell<u64>,
    wakeups: Cell<u64>,
}

greenlet::per_thread! {
    /// No destructor: it must be reachable from the destructors of thread-locals. `close` empties it.
    static RUNTIME: OnceCell<Runtime> = OnceCell::new();
}

impl Runtime {
    /// The runtime of this thread, made on first use.
    #[inline]
    pub(crate) fn with<R>(f: impl FnOnce(&Runtime) -> R) -> R {
        RUNTIME.with(|cell| match cell.get() {
            Some(runtime) => f(runtime),
            None => f(Runtime::make(cell)),
        })
    }

    // Not inline: everybody who asks for the runtime would have a frame with room for a whole one.
    #[cold]
    #[inline(never)]
    fn make(cell: &OnceCell<Runtime>) -> &Runtime {
        cell.get_or_init(Runtime::new)
    }

    /// As `with`, for a thread that may have none.
    pub(crate) fn existing<R>(f: impl FnOnce(&Runtime) -> R) -> Option<R> {
        RUNTIME.with(|cell| cell.get().map(f))
    }

    /// As `with`, for a caller that brings a hub: what `GREEN_HUB` names does not matter then.
    pub(crate) fn with_chosen_hub<R>(f: impl FnOnce(&Runtime) -> R) -> R {
        RUNTIME.with(|cell| f(cell.get_or_init(Runtime::without_check)))
    }

    #[cold]
    fn new() -> Runtime {
        crate::registry::check();
        Runtime::without_check()
    }

    fn without_check() -> Runtime {
        let main = greenlet::main_greenlet();
        greenlet::at_thread_end(Runtime::at_thread_end);
        let now = Instant::now();
        let root = Rc::new(Task::new(0, Location::caller(), State::Running, now));
        let mut tasks = Slab::new();
        root.key.set(tasks.insert(Rc::clone(&root)));
        Runtime {
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            main,
            run_queue: RefCell::default(),
            current: Cell::new(Some(root)),
            cause: Cell::new(WokenBy::Event),
            interrupted: Cell::new(false),
            tasks: RefCell::new(tasks),
            spare: RefCell::default(),
            next_id: Cell::new(1),
            reactor: RefCell::new(None),
            woken: Cell::new(Vec::new()),
            remote: RefCell::new(None),
            sent: RefCell::default(),
            remote_parks: RefCell::new(Slab::new()),
            background: Cell::new(0),
            closed_but_lent: RefCell::default(),
            watched: RefCell::default(),
            allow_many: Cell::new(false),
            simulated: Cell::new(false),
            seed: Cell::new(0),
            pace: Pace::new(now),
            last_turn: Cell::new(now),
            stamp: Cell::new(now),
            budget: Cell::new(scheduler::BUDGET),
            raised: Cell::new((0, u64::MAX)),
            report: RefCell::new(String::new()),
            held: Cell::new(0),
            closed: Cell::new(false),
            forks: Cell::new(greenlet::os::fork_count()),
            counters: Counters::default(),
            rooms: RefCell::default(),
            observed: Cell::new(false),
            observer: RefCell::default(),
        }
    }

    /// Names this runtime, whatever thread asks.
    pub(crate) fn serial(&self) -> u64 {
        self.serial
    }

    #[inline]
    pub(crate) fn current(&self) -> Rc<Task> {
        self.with_current(Rc::clone)
    }

    pub(crate) fn current_id(&self) -> u64 {
        self.with_current(|task| task.id)
    }

    pub(crate) fn is_current(&self, task: &Rc<Task>) -> bool {
        self.with_current(|current| Rc::ptr_eq(current, task))
    }

    /// `f` must not run code of the user, nor ask for the current greenthread itself.
    #[inline(always)]
    fn with_current<R>(&self, f: impl FnOnce(&Rc<Task>) -> R) -> R {
        let Some(task) = self.current.take() else {
            return f(&self.stray());
        };
        let result = f(&task);
        // There is nothing in its place that would have to be dropped.
        mem::forget(self.current.replace(Some(task)));
        result
    }

    /// The greenthread that stands for a caller after the end of the thread.
    // Not inline: the frames of all who switch would be larger by a task, and with them the part of each stack that is hot.
    #[cold]
    #[inline(never)]
    fn stray(&self) -> Rc<Task> {
        let born = self.last_turn.get();
        Rc::new(Task::new(0, Location::caller(), State::Dead, born))
    }

    /// The greenthread with this place in the registry, if it still has this id.
    pub(crate) fn task(&self, key: usize, id: u64) -> Option<Rc<Task>> {
        let tasks = self.tasks.borrow();
        tasks.get(key).filter(|task| task.id == id).cloned()
    }

    /// The greenthread that is the thread itself.
    pub(crate) fn root(&self) -> Rc<Task> {
        match self.tasks.borrow().get(0) {
            Some(root) => Rc::clone(root),
            None => self.current(),
        }
    }

    /// The waiter for the next park of the current greenthread.
    #[inline]
    pub(crate) fn waiter(&self) -> Waiter {
        let task = self.current();
        let ticket = task.ticket.get();
        Waiter { task, ticket }
    }

    /// Every greenthread that is not dead, in the order of their spawn.
    pub(crate) fn tasks(&self) -> Vec<Rc<Task>> {
        let mut tasks: Vec<_> = self
            .tasks
            .borrow()
            .iter()
            .map(|(_, task)| Rc::clone(task))
            .collect();
        tasks.sort_by_key(|task| task.id);
        tasks
    }
}
