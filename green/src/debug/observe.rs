//! A view of the scheduler at work: accounts of single greenthreads, the heartbeat for the watchdog, a line for
//! every switch, recordings, logs of runs, and observers of the program.

use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hub_core::Direction;

use super::account::Account;
use super::record::{Recorder, StepKind};
use super::runs::Log;
use super::{Heartbeat, Profile, SwitchObserver};
use crate::runtime::{Observer, Runtime, Task, ThreadState, contain};

/// What is watched in one thread.
#[derive(Default)]
pub(super) struct Watch {
    /// How many want accounts.
    accounting: Cell<u32>,
    /// Counts the times that accounts were begun, and when that was last.
    period: Cell<u64>,
    period_began: Cell<Option<Instant>>,
    /// What `debug::accounting` said last.
    accounting_on: Cell<bool>,
    heartbeat: RefCell<Option<Arc<Heartbeat>>>,
    spew: Cell<bool>,
    recorders: RefCell<Vec<Rc<Recorder>>>,
    logs: RefCell<Vec<Rc<Log>>>,
    switches: RefCell<Vec<Rc<dyn SwitchObserver>>>,
    /// What those have used that have ended.
    ended: RefCell<HashMap<&'static Location<'static>, Profile>>,
    /// When the current greenthread began to run; `None` once it has stopped and turns the reactor.
    since: Cell<Option<Instant>>,
}

impl ThreadState for Watch {
    fn at_end(&self) {
        self.heartbeat.take();
        self.recorders.take();
        self.logs.take();
        let switches = self.switches.take();
        drop(switches);
    }
}

impl Observer for Watch {
    fn stops(&self, runtime: &Runtime, task: &Rc<Task>) {
        let now = Instant::now();
        let Some(since) = self.since.take() else {
            return;
        };
        let ran = now - since;
        for recorder in &*self.recorders.borrow() {
            recorder.stops(now, task);
        }
        if self.accounting.get() > 0 {
            let account = task.state_of::<Account>();
            account.stops(ran, now, self.period.get());
            if task.is_dead() {
                let mut ended = self.ended.borrow_mut();
                let place = task.spawned_at;
                account.add_to(ended.entry(place).or_insert_with(|| Profile::new(place)));
            }
        }
        if self.spew.get() {
            eprintln!("{} after {ran:?}", runtime.describe(task));
        }
        if let Some(heartbeat) = &*self.heartbeat.borrow() {
            heartbeat.waits();
            if heartbeat.take_overdue() {
                let (id, stack) = (task.id, Backtrace::force_capture());
                log::warn!("greenthread {id} ran for {ran:?} until it came here:\n{stack}");
            }
        }
        for log in &*self.logs.borrow() {
            log.note(task, ran, now);
        }
        self.tell(runtime, |observer| observer.stops(task.id));
    }

    fn starts(&self, runtime: &Runtime, task: &Rc<Task>) {
        let now = Instant::now();
        self.since.set(Some(now));
        for recorder in &*self.recorders.borrow() {
            recorder.push(now, task.id, StepKind::Runs);
        }
        if self.accounting.get() > 0 {
            task.state_of::<Account>().runs(now, self.period.get());
        }
        if self.spew.get() {
            eprintln!("{}", runtime.describe(task));
        }
        if let Some(heartbeat) = &*self.heartbeat.borrow() {
            heartbeat.runs(task.id, task.spawned_at);
        }
        self.tell(runtime, |observer| observer.starts(task.id));
    }

    fn spawns(&self, task: &Task) {
        self.record(|recorder, now| recorder.spawns(now, task));
    }

    fn wakes(&self, runtime: &Runtime, task: &Task) {
        // While the reactor turns nobody runs.
        let by = self.since.get().map(|_| runtime.current_id());
        self.record(|recorder, now| recorder.push(now, task.id, StepKind::Woken { by }));
    }

    fn cancels(&self, task: &Task) {
        self.record(|recorder, now| recorder.stops(now, task));
    }

    fn transfers(&self, task: &Rc<Task>, direction: Direction, bytes: usize) {
        if self.accounting.get() > 0 {
            let account = task.state_of::<Account>();
            let sum = match direction {
                Direction::Read => &account.bytes_read,
                Direction::Write => &account.bytes_written,
            };
            sum.set(sum.get() + bytes as u64);
        }
    }
}

impl Watch {
    /// That of this thread.
    pub(super) fn with<R>(f: impl FnOnce(&Runtime, &Rc<Watch>) -> R) -> R {
        Runtime::with(|runtime| f(runtime, &runtime.state::<Watch>()))
    }

    pub(super) fn set_heartbeat(
        self: &Rc<Watch>,
        runtime: &Runtime,
        heartbeat: Option<Arc<Heartbeat>>,
    ) {
        if let Some(heartbeat) = &heartbeat {
            let current = runtime.current();
            heartbeat.runs(current.id, current.spawned_at);
        }
        self.heartbeat.replace(heartbeat);
        self.observe(runtime);
    }

    pub(super) fn set_accounting(self: &Rc<Watch>, runtime: &Runtime, on: bool) {
        if self.accounting_on.replace(on) != on {
            self.want_accounts(runtime, if on { 1 } else { -1 });
        }
    }

    /// So many more want accounts.
    pub(super) fn want_accounts(self: &Rc<Watch>, runtime: &Runtime, more: i32) {
        if self.accounting.get() == 0 {
            self.period.set(self.period.get() + 1);
            self.period_began.set(Some(Instant::now()));
        }
        self.accounting
            .set(self.accounting.get().saturating_add_signed(more));
        self.observe(runtime);
    }

    /// Since when a greenthread that does not run has not run, at least; `None` without accounts.
    pub(super) fn stopped(&self, task: &Task) -> Option<Instant> {
        if self.accounting.get() == 0 {
            return None;
        }
        let account = task.existing_state_of::<Account>();
        let stopped = account.and_then(|account| account.stopped(self.period.get()));
        stopped.or(self.period_began.get())
    }

    pub(super) fn set_spew(self: &Rc<Watch>, runtime: &Runtime, on: bool) {
        self.spew.set(on);
        self.observe(runtime);
    }

    pub(super) fn add_recorder(self: &Rc<Watch>, runtime: &Runtime, recorder: Rc<Recorder>) {
        self.recorders.borrow_mut().push(recorder);
        self.observe(runtime);
    }

    pub(super) fn remove_recorder(self: &Rc<Watch>, runtime: &Runtime, recorder: &Rc<Recorder>) {
        let differs = |other: &Rc<Recorder>| !Rc::ptr_eq(other, recorder);
        self.recorders.borrow_mut().retain(differs);
        self.observe(runtime);
    }

    pub(super) fn add_log(self: &Rc<Watch>, runtime: &Runtime, log: Rc<Log>) {
        self.logs.borrow_mut().push(log);
        self.observe(runtime);
    }

    pub(super) fn remove_log(self: &Rc<Watch>, runtime: &Runtime, log: &Rc<Log>) {
        self.logs
            .borrow_mut()
            .retain(|other| !Rc::ptr_eq(other, log));
        self.observe(runtime);
    }

    pub(super) fn add_switch_observer(
        self: &Rc<Watch>,
        runtime: &Runtime,
        observer: Rc<dyn SwitchObserver>,
    ) {
        self.switches.borrow_mut().push(observer);
        self.observe(runtime);
    }

    /// The caller has another reference to it: its destructor does not run here.
    pub(super) fn remove_switch_observer(
        self: &Rc<Watch>,
        runtime: &Runtime,
        observer: &Rc<dyn SwitchObserver>,
    ) {
        let differs = |other: &Rc<dyn SwitchObserver>| !Rc::ptr_eq(other, observer);
        self.switches.borrow_mut().retain(differs);
        self.observe(runtime);
    }

    fn record(&self, note: impl Fn(&Recorder, Instant)) {
        let recorders = self.recorders.borrow();
        if !recorders.is_empty() {
            let now = Instant::now();
            recorders.iter().for_each(|recorder| note(recorder, now));
        }
    }

    /// Tells the observers of the program. They may come and go meanwhile.
    fn tell(&self, runtime: &Runtime, what: impl Fn(&dyn SwitchObserver)) {
        if self.switches.borrow().is_empty() {
            return;
        }
        let observers = self.switches.borrow().clone();
        for observer in observers {
            contain("an observer of switches", || {
                runtime.without_switch(|| what(&*observer));
            });
        }
    }

    fn observe(self: &Rc<Watch>, runtime: &Runtime) {
        if !runtime.is_observed() {
            self.since.set(Some(Instant::now()));
        }
        let watched = self.heartbeat.borrow().is_some();
        let wanted = watched
            || self.accounting.get() > 0
            || self.spew.get()
            || !self.recorders.borrow().is_empty()
            || !self.logs.borrow().is_empty()
            || !self.switches.borrow().is_empty();
        runtime.set_observer(wanted.then(|| Rc::clone(self) as Rc<dyn Observer>));
    }

    /// What greenthreads have used, by the place of their spawn, in no order.
    pub(super) fn profile(&self, runtime: &Runtime) -> Vec<Profile> {
        let mut profile = self.ended.borrow().clone();
        for task in runtime.tasks() {
            let account = task.existing_state_of::<Account>();
            if let Some(account) = account.filter(|account| account.switches.get() > 0) {
                let place = task.spawned_at;
                account.add_to(profile.entry(place).or_insert_with(|| Profile::new(place)));
            }
        }
        profile.into_values().collect()
    }

    /// Runs `f` and gives the longest time for which this greenthread ran in it without a switch.
    pub(super) fn longest_run<T>(
        self: &Rc<Watch>,
        runtime: &Runtime,
        f: impl FnOnce() -> T,
    ) -> (T, Duration) {
        struct Done<'a>(&'a Rc<Watch>, &'a Runtime);
        impl Drop for Done<'_> {
            fn drop(&mut self) {
                self.0.want_accounts(self.1, -1);
            }
        }
        let account = runtime.current().state_of::<Account>();
        self.want_accounts(runtime, 1);
        let done = Done(self, runtime);
        let before = account.longest.replace(Duration::ZERO);
        let value = f();
        let since = self.since.get();
        let last = since.map_or(Duration::ZERO, |since| since.elapsed());
        let longest = account.longest.get().max(last);
        account.longest.set(before.max(longest));
        drop(done);
        (value, longest)
    }
}
