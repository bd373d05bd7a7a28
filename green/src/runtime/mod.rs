//! The state of one OS thread: its greenthreads, its run queue, its reactor.
//!
//! Everything in `green` that waits goes through [`Runtime::park`]; everything that ends a wait goes through
//! [`Runtime::unpark`]. The reactor is never borrowed while a greenthread runs.

mod deadlock;
mod fork;
mod interrupt;
mod member;
mod observe;
mod parker;
pub(crate) mod per_process;
mod remote;
mod scheduler;
mod scope;
mod task;
mod waitlist;
mod watched;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::os::fd::RawFd;
use std::panic::Location;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;
use std::time::{Duration, Instant};

use greenlet::ThreadEnd;
use hub_core::{Direction, Hub, Reactor, TimerKey, Wakeup};
use slab::Slab;

pub use interrupt::resume_if_control;
pub(crate) use interrupt::{Elapsed, Interrupt, Killed, contain, is_control, message};
pub(crate) use member::Member;
use observe::Observer;
pub(crate) use parker::Parker;
use parker::Unparker;
pub use remote::{HubClosed, HubHandle};
pub(crate) use remote::{Remote, RemoteWaiter};
pub(crate) use scope::ScopeId;
use task::Cause;
pub(crate) use task::{Reason, State, Task, Waiter};
pub(crate) use waitlist::{Place, WaitList, Waiting};
pub(crate) use watched::Watched;

/// What a timer does when its deadline passes, and what is parked at a descriptor does when that is ready.
pub(crate) enum Alarm {
    /// Ends one park.
    Park(Waiter),
    /// Marks one deadline scope as elapsed.
    Scope(Rc<Task>, ScopeId),
    /// Starts a greenthread that was spawned with a delay, by a short piece of code that must not wait.
    Start(Rc<Task>, Box<dyn FnOnce()>),
    /// Wakes a future's task.
    Waker(Waker),
}

impl Alarm {
    /// Ends the wait of whoever is parked at a descriptor.
    pub(crate) fn wake(self) {
        match self {
            Alarm::Park(waiter) => drop(waiter.wake()),
            Alarm::Waker(waker) => contain("the waker of a future", || waker.wake()),
            Alarm::Scope(..) | Alarm::Start(..) => {}
        }
    }
}

/// A number that no other thread's runtime has had.
static SERIAL: AtomicU64 = AtomicU64::new(0);

/// How a park ended.
#[must_use]
#[derive(Debug)]
pub(crate) enum Wake {
    /// Somebody woke this park.
    Event,
    /// The deadline given to the park passed.
    Expired,
    /// The greenthread is being killed or a deadline scope has elapsed: clean up, then raise.
    Interrupted(Interrupt),
    /// Nothing was waited for: the thread is unwinding, and a switch would show its panic to other greenthreads.
    Unwinding,
}

/// How a wait ended for which [`Runtime::wait_in`] did the rest.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    Woken,
    Expired,
    /// Nothing was waited for: the thread is unwinding.
    Unwinding,
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

pub(crate) struct Runtime {
    serial: u64,
    /// The parent of every greenthread's greenlet.
    main: greenlet::AnyGreenlet,
    run_queue: RefCell<VecDeque<Rc<Task>>>,
    /// `None` once the thread has ended.
    current: Cell<Option<Rc<Task>>>,
    /// Why the last park of the current greenthread ended, and whether something must be raised in it: copied from
    /// its task when it was resumed, so that it need not look there.
    cause: Cell<Cause>,
    interrupted: Cell<bool>,
    /// Every greenthread that is not dead, the root as the first. Owns those that nobody else holds.
    tasks: RefCell<Slab<Rc<Task>>>,
    next_id: Cell<u64>,
    reactor: RefCell<Option<Reactor<Alarm>>>,
    /// The buffer of `turn`, kept for its capacity.
    woken: Cell<Vec<Wakeup<Alarm>>>,
    remote: RefCell<Option<Arc<Remote>>>,
    remote_waiters: RefCell<Slab<Waiter>>,
    /// Those that wait for a future.
    parked: RefCell<Slab<Arc<Unparker>>>,
    /// What is read for hyper. Not a thread-local of its own: greenthreads that run at the end of the thread read too.
    #[cfg(feature = "hyper")]
    pub(crate) scratch: Cell<Vec<u8>>,
    /// Descriptors that `trampoline` waits for.
    pub(crate) trampolines: RefCell<Vec<(RawFd, Direction)>>,
    /// Waits that could wake nobody else.
    background: Cell<usize>,
    /// Numbers that are open for those only who were lent them.
    closed_but_lent: RefCell<Vec<RawFd>>,
    watched: RefCell<HashMap<RawFd, Vec<Weak<Watched>>>>,
    allow_many: Cell<bool>,
    /// What sockets start with: see `net::set_default_timeout`.
    pub(crate) default_timeout: Cell<Option<Duration>>,
    /// Who waits for a descriptor to be closed because there were none left.
    pub(crate) lacking: RefCell<WaitList>,
    /// What the order of the run queue is drawn from; zero if it is first in, first out.
    seed: Cell<u64>,
    /// Switches since the last look at the clock.
    switches: Cell<u32>,
    last_poll: Cell<Instant>,
    /// How long runnable greenthreads may keep the hub from being polled.
    poll_interval: Cell<Duration>,
    /// Successful operations that the current greenthread may still do before it yields.
    budget: Cell<u32>,
    /// What the root must raise: see `Task::failed`.
    report: RefCell<String>,
    /// True once the thread has ended: nothing is spawned and nothing switches any more.
    closed: Cell<bool>,
    /// What `greenlet::os::fork_count` said when the reactor became this process' own.
    forks: Cell<usize>,
    counters: Counters,
    /// True while switches are to be reported to `observer`.
    observed: Cell<bool>,
    observer: Observer,
}

/// What the scheduler has done since the thread's first greenthread.
#[derive(Debug, Default)]
struct Counters {
    switches: Cell<u64>,
    spawns: Cell<u64>,
    turns: Cell<u64>,
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
            None => f(cell.get_or_init(Runtime::new)),
        })
    }

    /// As `with`, for a thread that may have none.
    pub(crate) fn existing<R>(f: impl FnOnce(&Runtime) -> R) -> Option<R> {
        RUNTIME.with(|cell| cell.get().map(f))
    }

    #[cold]
    fn new() -> Runtime {
        let main = greenlet::main_greenlet();
        greenlet::at_thread_end(|end| {
            contain("the end of a thread's greenthreads", || {
                Runtime::with(|runtime| match end {
                    ThreadEnd::Unwind => runtime.close(),
                    // What still waits is left as it is, and nothing waits any more.
                    ThreadEnd::Abandon => runtime.closed.set(true),
                });
            });
        });
        let now = Instant::now();
        let root = Rc::new(Task::new(0, Location::caller(), State::Running, now));
        let mut tasks = Slab::new();
        root.key.set(tasks.insert(Rc::clone(&root)));
        Runtime {
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            main,
            run_queue: RefCell::new(VecDeque::new()),
            current: Cell::new(Some(root)),
            cause: Cell::new(Cause::Event),
            interrupted: Cell::new(false),
            tasks: RefCell::new(tasks),
            next_id: Cell::new(1),
            reactor: RefCell::new(None),
            woken: Cell::new(Vec::new()),
            remote: RefCell::new(None),
            remote_waiters: RefCell::new(Slab::new()),
            parked: RefCell::new(Slab::new()),
            #[cfg(feature = "hyper")]
            scratch: Cell::new(Vec::new()),
            trampolines: RefCell::new(Vec::new()),
            background: Cell::new(0),
            closed_but_lent: RefCell::default(),
            watched: RefCell::default(),
            allow_many: Cell::new(false),
            default_timeout: Cell::new(None),
            lacking: RefCell::new(WaitList::new()),
            seed: Cell::new(0),
            switches: Cell::new(0),
            last_poll: Cell::new(now),
            poll_interval: Cell::new(scheduler::POLL_INTERVAL),
            budget: Cell::new(scheduler::BUDGET),
            report: RefCell::new(String::new()),
            closed: Cell::new(false),
            forks: Cell::new(greenlet::os::fork_count()),
            counters: Counters::default(),
            observed: Cell::new(false),
            observer: Observer::new(now),
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
        self.current.set(Some(task));
        result
    }

    /// Who calls after the end of the thread.
    // Not inline: the frames of all who switch would be larger by a task, and with them the part of each stack that is hot.
    #[cold]
    #[inline(never)]
    fn stray(&self) -> Rc<Task> {
        let born = self.last_poll.get();
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

    /// Runs `f` on the reactor, made on first use with the hub that was chosen.
    ///
    /// `f` must neither switch nor run code of the user.
    pub(crate) fn reactor<R>(&self, f: impl FnOnce(&mut Reactor<Alarm>) -> R) -> R {
        if self.is_forked() {
            self.refuse_fork();
        }
        let mut slot = self.reactor.borrow_mut();
        if let Some(reactor) = slot.as_mut() {
            return f(reactor);
        }
        f(slot.insert(self.new_reactor(crate::hubs::first())))
    }

    fn new_reactor(&self, hub: Box<dyn Hub>) -> Reactor<Alarm> {
        let mut reactor = Reactor::new(hub);
        reactor.set_allow_many(self.allow_many.get());
        reactor
    }

    pub(crate) fn allows_many(&self) -> bool {
        self.allow_many.get()
    }

    /// Lets several greenthreads wait for one direction of one descriptor, in turn.
    pub(crate) fn set_allow_many(&self, allow: bool) {
        self.allow_many.set(allow);
        let _ = self.with_reactor(|reactor| {
            reactor.set_allow_many(allow);
            Some(())
        });
    }

    /// As `reactor`, but does not make one: `None` says that there is none yet, or no more.
    pub(crate) fn with_reactor<R>(
        &self,
        f: impl FnOnce(&mut Reactor<Alarm>) -> Option<R>,
    ) -> Option<R> {
        self.reactor.borrow_mut().as_mut().and_then(f)
    }

    /// Puts `hub` in the place of the present one and gives that back, if there was one yet.
    pub(crate) fn replace_hub(&self, hub: Box<dyn Hub>) -> std::io::Result<()> {
        let mut slot = self.reactor.borrow_mut();
        match slot.as_mut() {
            Some(reactor) => drop(reactor.replace_hub(hub)?),
            None => *slot = Some(self.new_reactor(hub)),
        }
        Ok(())
    }

    pub(crate) fn now(&self) -> Instant {
        self.reactor(|reactor| reactor.now())
    }

    pub(crate) fn deadline(&self, timeout: Option<Duration>) -> Option<Instant> {
        // A deadline beyond what the clock can say never comes.
        timeout.and_then(|timeout| self.now().checked_add(timeout))
    }

    pub(crate) fn add_timer(&self, deadline: Instant, alarm: Alarm) -> TimerKey {
        // Among equal deadlines, that of a scope was first.
        self.arm_current();
        self.reactor(|reactor| reactor.add_timer(deadline, alarm))
    }

    pub(crate) fn cancel_timer(&self, key: TimerKey) -> bool {
        // Dropped here, outside the reactor's borrow: it may hold code of the user.
        let alarm = self.reactor(|reactor| reactor.cancel_timer(key));
        alarm.is_some()
    }

    /// Opens a deadline scope in the current greenthread. `None` never elapses.
    pub(crate) fn open_scope(
        &self,
        timeout: Option<Duration>,
        place: &'static Location<'static>,
    ) -> (Rc<Task>, ScopeId) {
        let task = self.current();
        let zero = timeout.is_some_and(|timeout| timeout.is_zero());
        let id = task.open_scope(place, self.deadline(timeout.filter(|_| !zero)));
        if zero {
            task.elapse(id);
        }
        (task, id)
    }

    /// As `arm_scopes`, for the current greenthread.
    fn arm_current(&self) {
        if self.with_current(|task| task.unarmed.get()) {
            self.arm_scopes(&self.current());
        }
    }

    /// Gives the deadlines of a greenthread that is about to wait their timers.
    #[inline(never)]
    fn arm_scopes(&self, task: &Rc<Task>) {
        task.unarmed.set(false);
        task.extra().scopes.arm_all(|id, deadline| {
            let alarm = Alarm::Scope(Rc::clone(task), id);
            self.reactor(|reactor| reactor.add_timer(deadline, alarm))
        });
    }

    /// Gives an open scope another deadline, which begins now; `None` takes the one that it has.
    pub(crate) fn rearm_scope(&self, task: &Rc<Task>, id: ScopeId, timeout: Option<Duration>) {
        if let Some(timer) = task.disarm_scope(id) {
            self.cancel_timer(timer);
        }
        if timeout.is_some_and(|timeout| timeout.is_zero()) {
            self.elapse_scope(task, id);
        } else if let Some(deadline) = self.deadline(timeout) {
            let timer = self.add_timer(deadline, Alarm::Scope(Rc::clone(task), id));
            task.extra().scopes.arm(id, timer);
        }
    }

    /// The deadline of a scope has passed. False if the scope is closed.
    pub(crate) fn elapse_scope(&self, task: &Rc<Task>, id: ScopeId) -> bool {
        let open = task.elapse(id);
        if open && task.masked.get() == 0 {
            self.unpark(task, task.ticket.get(), Cause::Interrupt);
        }
        open
    }

    /// Closes a scope of `task`.
    pub(crate) fn close_scope(&self, task: &Task, id: ScopeId) {
        if let Some(timer) = task.close_scope(id) {
            self.cancel_timer(timer);
        }
    }

    /// Runs `f` with kills and deadlines held back: they arrive at the first wait after it.
    pub(crate) fn mask<R>(&self, f: impl FnOnce() -> R) -> R {
        let _mask = Mask::new(self.current());
        f()
    }

    /// Unwinds every greenthread but the root, then lets go of the hub, its timers and its descriptors.
    fn close(&self) {
        let remote = self.remote.take();
        if let Some(remote) = &remote {
            remote.close();
        }
        // What was thrown at the root and not raised has nobody to reach any more.
        let root = self.root();
        root.masked.set(1);
        crate::greenthread::local::free(&root);
        // Cleanup may spawn more, or wait under a mask, or swallow the kill: a bounded number of rounds.
        for _ in 0..1000 {
            let tasks = self.tasks();
            if tasks.len() <= 1 {
                break;
            }
            for task in &tasks[1..] {
                self.kill(task, None);
            }
            drop(tasks);
            self.yield_now();
        }
        self.closed.set(true);
        let refusing: Vec<_> = self.tasks.take().into_iter().skip(1).collect();
        if !refusing.is_empty() {
            refusing
                .iter()
                .for_each(|(_, task)| crate::greenthread::drop_links(task));
            log::error!(
                "{} greenthreads of an ended thread refuse to end; their stacks are abandoned",
                refusing.len()
            );
            std::mem::forget(refusing);
        }
        drop(self.run_queue.take());
        drop(self.remote_waiters.take());
        drop(self.parked.take());
        #[cfg(feature = "hyper")]
        drop(self.scratch.take());
        drop(self.trampolines.take());
        self.watched.take();
        drop(self.lacking.replace(WaitList::new()));
        drop(self.woken.take());
        let reactor = self.reactor.take();
        drop(reactor);
        drop(self.current.take());
    }
}
