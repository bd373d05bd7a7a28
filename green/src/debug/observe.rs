//! A view of the scheduler at work: accounts of single greenthreads, the heartbeat for the watchdog, a line for
//! every switch.

use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Heartbeat, Profile};
use crate::runtime::{Observer, Runtime, Task, TaskState, ThreadState};

/// How long one greenthread has run and waited.
#[derive(Debug, Default)]
pub(super) struct Account {
    ran: Cell<Duration>,
    waited: Cell<Duration>,
    switches: Cell<u64>,
    longest: Cell<Duration>,
    /// When it last stopped running.
    stopped: Cell<Option<Instant>>,
}

impl TaskState for Account {}

impl Account {
    /// Ran, waited, switches.
    pub(super) fn read(&self) -> (Duration, Duration, u64) {
        (self.ran.get(), self.waited.get(), self.switches.get())
    }

    /// Adds this to what others of the same place have used.
    fn add_to(&self, profile: &mut Profile) {
        profile.greenthreads += 1;
        profile.switches += self.switches.get();
        profile.ran += self.ran.get();
        profile.waited += self.waited.get();
        profile.longest = profile.longest.max(self.longest.get());
    }

    fn runs(&self, now: Instant) {
        self.switches.set(self.switches.get() + 1);
        if let Some(stopped) = self.stopped.take() {
            self.waited.set(self.waited.get() + (now - stopped));
        }
    }

    fn stops(&self, ran: Duration, now: Instant) {
        self.ran.set(self.ran.get() + ran);
        self.longest.set(self.longest.get().max(ran));
        self.stopped.set(Some(now));
    }
}

/// What is watched in one thread.
#[derive(Default)]
pub(super) struct Watch {
    /// How many want accounts.
    accounting: Cell<u32>,
    /// What `debug::accounting` said last.
    accounting_on: Cell<bool>,
    heartbeat: RefCell<Option<Arc<Heartbeat>>>,
    spew: Cell<bool>,
    /// What those have used that have ended.
    ended: RefCell<HashMap<&'static Location<'static>, Profile>>,
    /// When the current greenthread began to run; `None` once it has stopped and turns the reactor.
    since: Cell<Option<Instant>>,
}

impl ThreadState for Watch {
    fn at_end(&self) {
        self.heartbeat.take();
    }
}

impl Observer for Watch {
    fn stops(&self, runtime: &Runtime, task: &Rc<Task>) {
        let now = Instant::now();
        let Some(since) = self.since.take() else {
            return;
        };
        let ran = now - since;
        if self.accounting.get() > 0 {
            let account = task.state_of::<Account>();
            account.stops(ran, now);
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
    }

    fn starts(&self, runtime: &Runtime, task: &Rc<Task>) {
        let now = Instant::now();
        self.since.set(Some(now));
        if self.accounting.get() > 0 {
            task.state_of::<Account>().runs(now);
        }
        if self.spew.get() {
            eprintln!("{}", runtime.describe(task));
        }
        if let Some(heartbeat) = &*self.heartbeat.borrow() {
            heartbeat.runs(task.id, task.spawned_at);
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
            let users = self.accounting.get();
            self.want_accounts(runtime, if on { users + 1 } else { users - 1 });
        }
    }

    fn want_accounts(self: &Rc<Watch>, runtime: &Runtime, users: u32) {
        self.accounting.set(users);
        self.observe(runtime);
    }

    pub(super) fn set_spew(self: &Rc<Watch>, runtime: &Runtime, on: bool) {
        self.spew.set(on);
        self.observe(runtime);
    }

    fn observe(self: &Rc<Watch>, runtime: &Runtime) {
        self.since.set(Some(Instant::now()));
        let watched = self.heartbeat.borrow().is_some();
        let wanted = watched || self.accounting.get() > 0 || self.spew.get();
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
                self.0.want_accounts(self.1, self.0.accounting.get() - 1);
            }
        }
        let account = runtime.current().state_of::<Account>();
        self.want_accounts(runtime, self.accounting.get() + 1);
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
