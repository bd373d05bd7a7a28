//! The run queue: who runs next, and how a greenthread stops running.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::io;
use std::panic::Location;
use std::rc::Rc;
use std::sync::atomic::{Ordering, fence};
use std::task::Waker;
use std::thread::panicking;
use std::time::{Duration, Instant};

use greenlet::Greenlet;
use hub_core::Cause as Ready;

use super::task::Cause;
use super::{
    Alarm, Interrupt, Reason, Runtime, State, Task, WaitList, Waited, Waiter, Wake, contain,
};

/// Successful operations in a row after which a greenthread lets the others run.
pub(super) const BUDGET: u32 = 64;

/// The clock is read once in this many switches, and I/O polled if `POLL_INTERVAL` has passed.
const SWITCHES_PER_LOOK: u32 = 32;

/// Places in the run queue whose greenthreads are loaded into the cache: first the task, then the stack that it names.
const SOON: usize = 8;
const NEXT: usize = 4;

/// How long runnable greenthreads may keep the hub from being polled, in whole looks.
pub(super) const POLL_INTERVAL: Duration = Duration::from_micros(50);

impl Runtime {
    /// Makes a greenthread that will run what `body` gives, on a stack of `stack_size` bytes. It must not unwind.
    #[inline]
    pub(crate) fn spawn<B>(
        &self,
        stack_size: Option<usize>,
        spawned_at: &'static Location<'static>,
        state: State,
        body: impl FnOnce(&Rc<Task>) -> B,
    ) -> io::Result<Rc<Task>>
    where
        B: FnOnce() + 'static,
    {
        if self.closed.get() {
            return Err(io::Error::other(
                "cannot spawn a greenthread: this thread is ending",
            ));
        }
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        let task = Rc::new(Task::new(id, spawned_at, state, self.last_poll.get()));
        self.with_current(|spawner| {
            task.set_spawner(Some(spawner.id));
            task.set_member(spawner.member());
        });
        let mut builder = greenlet::Builder::new()
            .label("greenthread")
            .id(id)
            .location(spawned_at);
        if let Some(size) = stack_size {
            builder = builder.stack_size(size);
        }
        let body = body(&task);
        let greenlet = builder.build({
            let task = Rc::clone(&task);
            move |()| {
                body();
                Runtime::with(|runtime| runtime.finish(task));
            }
        })?;
        // Not the spawner: a parent's stack lives as long as its children, and the child may outlive it by far.
        let adopted = greenlet.set_parent(&self.main);
        debug_assert!(adopted.is_ok(), "the main greenlet has no ancestors");
        task.greenlet.set(Some(greenlet));
        task.key
            .set(self.tasks.borrow_mut().insert(Rc::clone(&task)));
        self.counters.spawns.set(self.counters.spawns.get() + 1);
        if state == State::Fresh {
            self.run_queue.borrow_mut().push_back(Rc::clone(&task));
        }
        Ok(task)
    }

    /// Puts a delayed greenthread into the run queue. False if it is not waiting for that any more.
    pub(crate) fn start(&self, task: &Rc<Task>) -> bool {
        let delayed = task.state.get() == State::Delayed;
        if delayed {
            task.extra().start.set(None);
            task.state.set(State::Fresh);
            self.run_queue.borrow_mut().push_back(Rc::clone(task));
        }
        delayed
    }

    /// True while a switch would show this thread's panic to other greenthreads, and after the thread's end.
    #[inline]
    pub(crate) fn cannot_switch(&self) -> bool {
        panicking() || (self.closed.get() && self.refuses_to_end())
    }

    /// A greenthread that waits after the thread's end was told to exit and has caught that. It is suspended, so that one
    /// that does so for ever does not hold the thread, and told again, or left for good. True when it is resumed.
    #[cold]
    #[inline(never)]
    fn refuses_to_end(&self) -> bool {
        // An error says that this is not a greenthread but the thread itself.
        let _ = greenlet::suspend();
        true
    }

    /// Parks the current greenthread until its present ticket is woken, or `deadline` passes.
    ///
    /// The caller has put [`Runtime::waiter`] where the waker will find it, and takes it out again unless the
    /// result is [`Wake::Event`].
    #[inline(always)]
    pub(crate) fn park(&self, reason: Reason, deadline: Option<Instant>) -> Wake {
        if self.cannot_switch() {
            return Wake::Unwinding;
        }
        let task = self.current();
        if task.is_interrupted() {
            return Wake::Interrupted(Interrupt::new(task));
        }
        if task.unarmed.get() {
            self.arm_scopes(&task);
        }
        let timer = deadline.map(|deadline| {
            let waiter = Waiter {
                task: Rc::clone(&task),
                ticket: task.ticket.get(),
            };
            self.add_timer(deadline, Alarm::Park(waiter))
        });
        task.state.set(State::Parked);
        task.reason.set(reason);
        drop(task);
        self.switch(self.next());
        let cause = self.cause.get();
        if let Some(timer) = timer.filter(|_| cause != Cause::Expired) {
            self.cancel_timer(timer);
        }
        // A kill beats the event that came with it, an event beats a deadline. A mask holds back both.
        if self.interrupted.get() {
            let task = self.current();
            if cause != Cause::Event || task.is_killed() {
                return Wake::Interrupted(Interrupt::new(task));
            }
        }
        match cause {
            Cause::Event => Wake::Event,
            Cause::Expired => Wake::Expired,
            Cause::Interrupt => {
                unreachable!("what interrupts a greenthread is pending until that has run")
            }
        }
    }

    /// Raises what is pending in the current greenthread.
    pub(crate) fn checkpoint(&self) {
        if !self.cannot_switch() && self.with_current(|task| task.is_interrupted()) {
            Interrupt::new(self.current()).raise();
        }
    }

    /// Goes to the end of the run queue. Does nothing while the thread unwinds.
    #[inline]
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
    fn requeue(&self) {
        self.queue_current(self.current());
    }

    #[inline(always)]
    fn queue_current(&self, task: Rc<Task>) {
        if task.unarmed.get() {
            self.arm_scopes(&task);
        }
        task.state.set(State::Ready);
        self.run_queue.borrow_mut().push_back(task);
    }

    /// As `yield_now`, but raises nothing.
    #[cold]
    pub(super) fn let_others_run(&self) {
        if !self.cannot_switch() {
            self.requeue();
            self.switch(self.next());
        }
    }

    /// Notes a successful operation that did not wait; the last of a budget yields.
    #[inline]
    pub(crate) fn spend(&self) {
        match self.budget.get() {
            0 => self.yield_now(),
            left => self.budget.set(left - 1),
        }
    }

    /// As `spend`, for what must not wait: false says that the task has had its share, and was woken to go on later.
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

    /// Ends the park that `ticket` names. False if it is over already.
    #[inline(always)]
    pub(super) fn unpark(&self, task: &Rc<Task>, ticket: u32, cause: Cause) -> bool {
        if task.ticket.get() != ticket || task.state.get() != State::Parked {
            return false;
        }
        task.ticket.set(ticket.wrapping_add(1));
        task.cause.set(cause);
        task.state.set(State::Ready);
        self.run_queue.borrow_mut().push_back(Rc::clone(task));
        true
    }

    /// As `unpark`, for a greenthread that is named by its place in the registry and its id.
    pub(super) fn unpark_by_id(&self, key: usize, id: u64, ticket: u32) {
        if let Some(task) = self.tasks.borrow().get(key)
            && task.id == id
        {
            self.unpark(task, ticket, Cause::Event);
        }
    }

    /// Leaves the current greenthread, which is queued or parked, for `next`.
    #[inline(always)]
    fn switch(&self, next: Rc<Task>) {
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
    fn prepare(&self, task: &Task) -> Option<Greenlet<(), ()>> {
        task.state.set(State::Running);
        self.cause.set(task.cause.get());
        self.interrupted.set(task.is_interrupted());
        self.budget.set(BUDGET);
        task.greenlet.take()
    }

    /// Waits for the next greenthread that can run and takes it out of the run queue.
    #[inline(always)]
    fn next(&self) -> Rc<Task> {
        if self.observed.get() {
            self.observe_stop();
        }
        let switches = self.switches.get() + 1;
        self.switches.set(switches);
        if switches >= SWITCHES_PER_LOOK {
            self.look();
        }
        if let Some(task) = self.pop() {
            return task;
        }
        self.wait()
    }

    /// Takes the next one out of the run queue.
    #[inline(always)]
    fn pop(&self) -> Option<Rc<Task>> {
        if self.seed.get() != 0 {
            return self.pop_any();
        }
        let mut queue = self.run_queue.borrow_mut();
        if let Some(soon) = queue.get(SOON) {
            greenlet::hint::prefetch(&**soon);
            if let Some(next) = queue.get(NEXT) {
                next.prefetch_stack();
            }
        }
        queue.pop_front()
    }

    /// Draws one from the run queue.
    #[cold]
    #[inline(never)]
    fn pop_any(&self) -> Option<Rc<Task>> {
        let mut queue = self.run_queue.borrow_mut();
        let at = self.draw(queue.len())?;
        queue.swap_remove_front(at)
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

    /// Polls I/O without waiting if it has not been polled for a while.
    #[cold]
    fn look(&self) {
        self.switches.set(0);
        let start = Instant::now();
        let interval = self.poll_interval.get();
        // In a seeded run it must not depend on how fast the machine is.
        if self.seed.get() != 0 || start.saturating_duration_since(self.last_poll.get()) >= interval
        {
            self.turn(Some(Duration::ZERO));
            // A hub that asks for every descriptor may take long with many: it gets a share of the time, no more.
            let took = self.last_poll.get().saturating_duration_since(start);
            self.poll_interval.set(POLL_INTERVAL.max(took * 8));
        }
    }

    #[inline(never)]
    fn wait(&self) -> Rc<Task> {
        loop {
            if self.can_wake() {
                self.turn(None);
            } else {
                self.deadlock();
            }
            if let Some(task) = self.pop() {
                return task;
            }
        }
    }

    /// True if anything outside the run queue can still make a greenthread runnable.
    fn can_wake(&self) -> bool {
        let by_hub = match (&*self.reactor.borrow(), self.background.get()) {
            (None, _) => false,
            (Some(reactor), 0) => reactor.has_waiters() || reactor.timer_count() > 0,
            (Some(reactor), background) => {
                reactor.readers() + reactor.writers() + reactor.timer_count() > background
            }
        };
        by_hub
            || !self.remote_waiters.borrow().is_empty()
            || matches!(&*self.remote.borrow(), Some(remote) if remote.has_handles())
            || self.has_unparkers()
            || self.has_messages()
    }

    /// True if another thread has sent something: also one that has let go of its handle or waker since.
    fn has_messages(&self) -> bool {
        // After those: who sees that they are gone also sees what was sent through them.
        fence(Ordering::Acquire);
        matches!(&*self.remote.borrow(), Some(remote) if remote.has_messages())
    }

    /// Runs a wait of the current greenthread for one descriptor and nothing else, which does not count as something that
    /// could wake the others.
    pub(crate) fn in_background<T>(&self, wait: impl FnOnce() -> T) -> T {
        struct Over<'a>(&'a Cell<usize>);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.set(self.0.get() - 1);
            }
        }
        let over = Over(&self.background);
        over.0.set(over.0.get() + 1);
        wait()
    }

    /// One turn of the reactor: I/O first, then timers, then what other threads sent.
    pub(crate) fn turn(&self, timeout: Option<Duration>) {
        if self.is_forked() {
            return self.fail_fork();
        }
        self.arm_current();
        let mut woken = self.woken.take();
        let turned = self.reactor(|reactor| reactor.turn(timeout, &mut woken));
        self.counters.turns.set(self.counters.turns.get() + 1);
        for wakeup in woken.drain(..) {
            let cause = match wakeup.cause {
                Ready::Ready(_) => Cause::Event,
                Ready::Expired => Cause::Expired,
            };
            match wakeup.waiter {
                Alarm::Park(waiter) => {
                    self.unpark(&waiter.task, waiter.ticket, cause);
                }
                Alarm::Scope(task, scope) => {
                    self.elapse_scope(&task, scope);
                }
                Alarm::Start(_, call) => contain("a delayed start", call),
                waker @ Alarm::Waker(_) => waker.wake(),
            }
        }
        self.woken.set(woken);
        self.last_poll.set(Instant::now());
        self.switches.set(0);
        match turned {
            Ok(turn) if turn.rang => self.empty_inbox(),
            Ok(_) => {}
            Err(error) => self.hub_failed(&error),
        }
    }

    #[cold]
    fn hub_failed(&self, error: &io::Error) {
        let name = self.reactor(|reactor| reactor.hub_name());
        self.fail(format!(
            "the {name} hub cannot wait: {error}; choose another one with use_hub or GREEN_HUB"
        ));
    }

    /// Raises `report` as a panic in the root greenthread.
    pub(super) fn fail(&self, report: String) {
        let root = self.root();
        if !self.fail_in(&root, report) {
            Interrupt::new(root).raise();
        }
    }

    /// Has `task` raise `report` where it is parked, under a mask as well. False if it is not parked.
    pub(crate) fn fail_in(&self, task: &Rc<Task>, report: String) -> bool {
        self.report.replace(report);
        task.set_failed();
        self.unpark(task, task.ticket.get(), Cause::Interrupt)
    }

    /// Takes back the report that the current greenthread is to raise.
    pub(crate) fn take_report(&self) -> Option<String> {
        let failed = self.with_current(|task| task.take_failed());
        failed.then(|| self.report.take())
    }

    /// Has the current greenthread raise `report` after all, at its next wait.
    pub(crate) fn put_report(&self, report: String) {
        self.report.replace(report);
        self.with_current(|task| task.set_failed());
    }

    /// Kills `task`: its body unwinds from where it waits before this returns, and one that never ran is finished
    /// here and now. While the thread unwinds nothing is switched: the target is then the next to run.
    pub(crate) fn kill(&self, task: &Rc<Task>, why: Option<Rc<dyn Any>>) {
        if self.kill_soon(task, why) && !self.cannot_switch() {
            if !self.is_current(task) {
                self.requeue();
                if self.observed.get() {
                    self.observe_stop();
                }
                // Not by way of the run queue, whose order may be another one.
                self.unqueue(task);
                self.switch(Rc::clone(task));
            }
            self.checkpoint();
        }
    }

    /// Kills all of them: when this returns, those that had not started are finished, and the others unwind, in this
    /// order. The caller is the last if it is one of them.
    pub(crate) fn kill_all(&self, tasks: &[Rc<Task>]) {
        if self.kill_all_soon(tasks) && !self.cannot_switch() {
            self.requeue();
            self.switch(self.next());
            self.checkpoint();
        }
    }

    /// Kills all of them without a switch: those that had not started are finished, and the others are the next to
    /// run, in this order. False if there is nothing to unwind.
    pub(crate) fn kill_all_soon(&self, tasks: &[Rc<Task>]) -> bool {
        for task in tasks {
            if matches!(task.state.get(), State::Delayed | State::Fresh) {
                self.kill_soon(task, None);
            }
        }
        // Each goes to the front of the run queue, so the first is put there last.
        let mut unwinding = false;
        for task in tasks.iter().rev() {
            unwinding |= self.kill_soon(task, None);
        }
        unwinding
    }

    /// Waits in a list for one of its wake-ups, with nothing to pass on if that comes in vain.
    #[inline(always)]
    pub(crate) fn wait_in(
        &self,
        list: &RefCell<WaitList>,
        reason: Reason,
        deadline: Option<Instant>,
    ) -> Waited {
        let place = list.borrow_mut().push(self.waiter(), ());
        let wake = self.park(reason, deadline);
        if !matches!(wake, Wake::Event) {
            list.borrow_mut().leave(place);
        }
        match wake {
            Wake::Event => Waited::Woken,
            Wake::Expired => Waited::Expired,
            Wake::Unwinding => Waited::Unwinding,
            Wake::Interrupted(interrupt) => interrupt.raise(),
        }
    }

    /// Kills `task` without a switch: it becomes the next to run. False if there is nothing left to unwind.
    pub(crate) fn kill_soon(&self, task: &Rc<Task>, why: Option<Rc<dyn Any>>) -> bool {
        let state = task.state.get();
        if state == State::Dead {
            return false;
        }
        task.set_killed(why);
        match state {
            State::Delayed | State::Fresh => {
                self.abandon(task);
                return false;
            }
            _ if task.masked.get() > 0 => return false,
            State::Running | State::Dead => return true,
            State::Parked => {
                task.ticket.set(task.ticket.get().wrapping_add(1));
                task.cause.set(Cause::Interrupt);
                task.state.set(State::Ready);
            }
            State::Ready => self.unqueue(task),
        }
        self.run_queue.borrow_mut().push_front(Rc::clone(task));
        true
    }

    fn unqueue(&self, task: &Rc<Task>) {
        let mut queue = self.run_queue.borrow_mut();
        if let Some(at) = queue.iter().position(|other| Rc::ptr_eq(other, task)) {
            queue.remove(at);
        }
    }

    /// Ends a greenthread that has never run: its closure is dropped, nothing of it is called.
    pub(crate) fn abandon(&self, task: &Rc<Task>) {
        let fresh = task.state.get() == State::Fresh;
        task.state.set(State::Dead);
        if fresh {
            self.unqueue(task);
        } else if let Some(timer) = task.extra().start.take() {
            self.cancel_timer(timer);
        }
        let greenlet = task.greenlet.take();
        contain("the destructor of a closure that never ran", || {
            drop(greenlet)
        });
        if let Some(extra) = task.has_extra() {
            contain("the destructor of a kill's reason", || {
                drop(extra.kill_reason.take());
            });
        }
        self.bury(task);
    }

    /// The end of a greenthread's body, on its own stack: the next one takes over when its greenlet returns.
    fn finish(&self, task: Rc<Task>) {
        // What user code can be in the leavings runs now, while this still is a greenthread that may wait.
        if let Some(extra) = task.has_extra() {
            crate::greenthread::local::free(&task);
            contain("the destructor of a kill's reason", || {
                drop(extra.kill_reason.take());
            });
        }
        task.state.set(State::Dead);
        self.bury(&task);
        drop(task);
        if self.closed.get() {
            // One that had refused to end was unwound with its stack: who did that goes on.
            return;
        }
        let next = self.next();
        let greenlet = self.prepare(&next);
        drop(self.current.replace(Some(next)));
        if self.observed.get() {
            self.observe_start();
        }
        let Some(greenlet) = greenlet else {
            unreachable!("a greenthread in the run queue has no stack");
        };
        let handed_on = greenlet::current().set_parent(greenlet.as_any());
        debug_assert!(
            handed_on.is_ok(),
            "the next greenthread descends from this one"
        );
    }

    /// Takes a dead greenthread out of the registry and wakes those who wait for its end.
    fn bury(&self, task: &Rc<Task>) {
        let owned = self.tasks.borrow_mut().try_remove(task.bury());
        drop(owned);
        // The end of its body has done so, unless there was none to hear of.
        if !task.is_complete() {
            task.wake_joiners();
        }
    }
}
