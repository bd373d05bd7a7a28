//! One coarse clock for all deadlines of a server: a look at a cell instead of a timer for each request. It also sees
//! which connections are idle.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;
use std::time::{Duration, Instant};

use green::AnyGreenThread;
use slab::Slab;

use crate::limits::Timeouts;
use crate::rest::{Due, Held, Rest};

/// Between two ticks, at least and at most.
const SHORTEST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_millis(500);
/// So many stacks are trimmed before the others run.
const TRIMMED: usize = 64;

/// Its time stands still between two ticks. What is due is due up to two ticks late and never early.
#[derive(Debug)]
pub(crate) struct CoarseClock {
    tick: Duration,
    now: Cell<Instant>,
    watched: RefCell<Slab<Rc<Deadlines>>>,
    ticks: Cell<bool>,
    pub(crate) held: Held,
}

/// The deadlines of one connection, and whom to wake when one has passed or it has been idle for long.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    pub(crate) read: Cell<Option<Instant>>,
    pub(crate) write: Cell<Option<Instant>>,
    pub(crate) request: Cell<Option<Instant>>,
    pub(crate) rest: Cell<Rest>,
    waker: RefCell<Option<Waker>>,
    /// The greenthread that has the connection.
    greenthread: Option<AnyGreenThread>,
}

impl Deadlines {
    /// Those of the connection that the calling greenthread has.
    pub(crate) fn of_connection() -> Rc<Deadlines> {
        Rc::new(Deadlines {
            greenthread: Some(green::current()),
            ..Deadlines::default()
        })
    }

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
            held: Held::default(),
        })
    }

    #[cfg(test)]
    pub(crate) fn is_unused(&self) -> bool {
        self.watched.borrow().is_empty()
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
                for (at, greenthread) in clock.tick().iter().enumerate() {
                    greenthread.trim_stack();
                    if (at + 1).is_multiple_of(TRIMMED) {
                        green::yield_now();
                    }
                }
            }
        });
    }

    /// Wakes whom there is something for, and gives those whose stacks can be trimmed.
    fn tick(&self) -> Vec<AnyGreenThread> {
        let now = green::time::now();
        self.now.set(now);
        let (mut wake, mut trim) = (Vec::new(), Vec::new());
        for (_, deadlines) in &*self.watched.borrow() {
            let (rest, due) = deadlines.rest.get().after_tick();
            deadlines.rest.set(rest);
            if due == Due::Wake || deadlines.has_passed(now) {
                wake.extend(deadlines.waker.borrow().clone());
            } else if due == Due::Trim {
                trim.extend(deadlines.greenthread.clone());
            }
        }
        // Outside the borrow: a waker may be code of others.
        for waker in wake {
            waker.wake();
        }
        trim
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
