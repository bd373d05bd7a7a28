//! One coarse clock for all deadlines of a server: a look at a cell instead of a timer for each request.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;
use std::time::{Duration, Instant};

use slab::Slab;

use crate::limits::Timeouts;

/// Between two ticks, at least and at most.
const SHORTEST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_millis(500);

/// Its time stands still between two ticks. What is due is due up to two ticks late and never early.
#[derive(Debug)]
pub(crate) struct CoarseClock {
    tick: Duration,
    now: Cell<Instant>,
    watched: RefCell<Slab<Rc<Deadlines>>>,
    ticks: Cell<bool>,
}

/// The deadlines of one connection, and whom to wake when one has passed.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    pub(crate) read: Cell<Option<Instant>>,
    pub(crate) write: Cell<Option<Instant>>,
    pub(crate) request: Cell<Option<Instant>>,
    waker: RefCell<Option<Waker>>,
}

impl Deadlines {
    /// Has the task woken when a deadline has passed.
    pub(crate) fn wake_by(&self, waker: &Waker) {
        let known = matches!(&*self.waker.borrow(), Some(known) if known.will_wake(waker));
        if !known {
            let former = self.waker.replace(Some(waker.clone()));
            drop(former);
        }
    }

    fn has_passed(&self, now: Instant) -> bool {
        let passed = |deadline: &Cell<Option<Instant>>| deadline.get().is_some_and(|at| at <= now);
        passed(&self.read) || passed(&self.write) || passed(&self.request)
    }
}

impl CoarseClock {
    pub(crate) fn new(timeouts: &Timeouts) -> Rc<CoarseClock> {
        let all = [
            timeouts.head,
            timeouts.body,
            timeouts.keep_alive,
            timeouts.write,
            timeouts.request,
        ];
        let shortest = all.into_iter().flatten().min().unwrap_or(LONGEST);
        Rc::new(CoarseClock {
            tick: (shortest / 8).clamp(SHORTEST, LONGEST),
            now: Cell::new(green::time::now()),
            watched: RefCell::default(),
            ticks: Cell::new(false),
        })
    }

    /// The time of the last tick.
    pub(crate) fn now(&self) -> Instant {
        self.now.get()
    }

    /// When `timeout` from now has certainly passed.
    pub(crate) fn after(&self, timeout: Option<Duration>) -> Option<Instant> {
        self.now.get().checked_add(timeout?)?.checked_add(self.tick)
    }

    /// So much later is certainly another tick.
    pub(crate) fn grace(&self) -> Duration {
        2 * self.tick
    }

    /// Watches the deadlines of a connection until what it gives is dropped.
    pub(crate) fn watch(self: &Rc<Self>, deadlines: Rc<Deadlines>) -> Watched {
        if !self.ticks.get() {
            self.now.set(green::time::now());
            self.start();
        }
        let key = self.watched.borrow_mut().insert(Rc::clone(&deadlines));
        Watched {
            clock: Rc::clone(self),
            deadlines,
            key,
        }
    }

    /// It ticks while there are connections.
    fn start(self: &Rc<Self>) {
        /// However the greenthread ends, another one may begin.
        struct Ticking(Rc<CoarseClock>);
        impl Drop for Ticking {
            fn drop(&mut self) {
                self.0.ticks.set(false);
            }
        }
        self.ticks.set(true);
        let ticking = Ticking(Rc::clone(self));
        green::spawn_n(move || {
            let clock = &ticking.0;
            loop {
                green::sleep(clock.tick);
                if clock.watched.borrow().is_empty() {
                    break;
                }
                clock.tick();
            }
        });
    }

    fn tick(&self) {
        let now = green::time::now();
        self.now.set(now);
        // A waker is woken outside the borrow: it may be code of others.
        let passed: Vec<Waker> = {
            let watched = self.watched.borrow();
            let passed = watched
                .iter()
                .filter(|(_, deadlines)| deadlines.has_passed(now));
            passed
                .filter_map(|(_, deadlines)| deadlines.waker.borrow().clone())
                .collect()
        };
        for waker in passed {
            waker.wake();
        }
    }
}

/// A connection that the clock looks at.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) clock: Rc<CoarseClock>,
    pub(crate) deadlines: Rc<Deadlines>,
    key: usize,
}

#[cfg(feature = "http2")]
impl Watched {
    /// True if a deadline has passed.
    pub(crate) fn is_late(&self) -> bool {
        self.deadlines.has_passed(self.clock.now())
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let deadlines = self.clock.watched.borrow_mut().remove(self.key);
        drop(deadlines);
    }
}
