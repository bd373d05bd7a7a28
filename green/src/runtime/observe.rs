//! What `debug` sees of the scheduler: accounts of single greenthreads, the heartbeat for the watchdog.
//!
//! Off by default; a switch then costs one look at a flag.

use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Runtime, Task};
use crate::debug::{Counters, Heartbeat, Profile};

/// How long one greenthread has run and waited.
#[derive(Debug, Default)]
pub(crate) struct Account {
    ran: Cell<Duration>,
    waited: Cell<Duration>,
    switches: Cell<u64>,
    longest: Cell<Duration>,
    /// When it last stopped running.
    stopped: Cell<Option<Instant>>,
}

impl Account {
    /// Ran, waited, switches.
    pub(crate) fn read(&self) -> (Duration, Duration, u64) {
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

pub(super) struct Observer {
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

impl Observer {
    pub(super) fn new(now: Instant) -> Observer {
        Observer {
            accounting: Cell::new(0),
            accounting_on: Cell::new(false),
            heartbeat: RefCell::new(None),
            spew: Cell::new(false),
            ended: RefCell::default(),
            since: Cell::new(Some(now)),
        }
    }
}

impl Runtime {
    /// The current greenthread stops running: it is about to wait, or to end.
    #[cold]
    pub(super) fn observe_stop(&self) {
        let now = Instant::now();
        let Some(since) = self.observer.since.take() else {
            return;
        };
        let ran = now - since;
        let current = self.current();
        if self.observer.accounting.get() > 0 {
            let account = &current.extra().account;
            account.stops(ran, now);
            if current.is_dead() {
                let mut ended = self.observer.ended.borrow_mut();
                let place = current.spawned_at;
                account.add_to(ended.entry(place).or_insert_with(|| Profile::new(place)));
            }
        }
        if self.observer.spew.get() {
            eprintln!("{} after {ran:?}", self.describe(&current));
        }
        if let Some(heartbeat) = &*self.observer.heartbeat.borrow() {
            heartbeat.waits();
            if heartbeat.take_overdue() {
                let (id, stack) = (current.id, Backtrace::force_capture());
                log::warn!("greenthread {id} ran for {ran:?} until it came here:\n{stack}");
            }
        }
    }

    /// The current greenthread begins to run.
    #[cold]
    pub(super) fn observe_start(&self) {
        let now = Instant::now();
        self.observer.since.set(Some(now));
        let current = self.current();
        if self.observer.accounting.get() > 0 {
            current.extra().account.runs(now);
        }
        if self.observer.spew.get() {
            eprintln!("{}", self.describe(&current));
        }
        if let Some(heartbeat) = &*self.observer.heartbeat.borrow() {
            heartbeat.runs(current.id, current.spawned_at);
        }
    }

    pub(crate) fn set_heartbeat(&self, heartbeat: Option<Arc<Heartbeat>>) {
        if let Some(heartbeat) = &heartbeat {
            let current = self.current();
            heartbeat.runs(current.id, current.spawned_at);
        }
        *self.observer.heartbeat.borrow_mut() = heartbeat;
        self.set_observed();
    }

    pub(crate) fn set_accounting(&self, on: bool) {
        if self.observer.accounting_on.replace(on) != on {
            let users = self.observer.accounting.get();
            self.want_accounts(if on { users + 1 } else { users - 1 });
        }
    }

    fn want_accounts(&self, users: u32) {
        self.observer.accounting.set(users);
        self.observer.since.set(Some(Instant::now()));
        self.set_observed();
    }

    fn set_observed(&self) {
        let watched = self.observer.heartbeat.borrow().is_some();
        self.observed
            .set(watched || self.observer.accounting.get() > 0 || self.observer.spew.get());
    }

    pub(crate) fn set_spew(&self, on: bool) {
        self.observer.spew.set(on);
        self.observer.since.set(Some(Instant::now()));
        self.set_observed();
    }

    /// What greenthreads have used, by the place of their spawn, in no order.
    pub(crate) fn profile(&self) -> Vec<Profile> {
        let mut profile = self.observer.ended.borrow().clone();
        for task in self.tasks() {
            let account = task.has_extra().map(|extra| &extra.account);
            if let Some(account) = account.filter(|account| account.switches.get() > 0) {
                let place = task.spawned_at;
                account.add_to(profile.entry(place).or_insert_with(|| Profile::new(place)));
            }
        }
        profile.into_values().collect()
    }

    /// Runs `f` and gives the longest time for which this greenthread ran in it without a switch.
    pub(crate) fn longest_run<T>(&self, f: impl FnOnce() -> T) -> (T, Duration) {
        struct Done<'a>(&'a Runtime);
        impl Drop for Done<'_> {
            fn drop(&mut self) {
                let users = self.0.observer.accounting.get();
                self.0.want_accounts(users - 1);
            }
        }
        let task = self.current();
        self.want_accounts(self.observer.accounting.get() + 1);
        let done = Done(self);
        let before = task.extra().account.longest.replace(Duration::ZERO);
        let value = f();
        let last = self
            .observer
            .since
            .get()
            .map_or(Duration::ZERO, |since| since.elapsed());
        let longest = task.extra().account.longest.get().max(last);
        task.extra().account.longest.set(before.max(longest));
        drop(done);
        (value, longest)
    }

    pub(crate) fn age(&self, task: &Task) -> Duration {
        task.born.elapsed()
    }

    /// The scheduler's share of the counters.
    pub(crate) fn count(&self) -> Counters {
        Counters {
            switches: self.counters.switches.get(),
            spawns: self.counters.spawns.get(),
            turns: self.counters.turns.get(),
            greenthreads: self.tasks.borrow().len(),
            runnable: self.run_queue.borrow().len(),
            remote_waiters: self.remote_parks.borrow().len(),
            ..Counters::default()
        }
    }
}
