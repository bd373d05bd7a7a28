//! The calls of a map: a greenthread starts them as there is room, and another takes their results.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic::{self, AssertUnwindSafe, Location};
use std::rc::Rc;
use std::time::Instant;

use crate::greenthread::{AnyGreenThread, Builder, Exit, GreenThread, expect};
use crate::groups::greenpool::GreenPool;
use crate::runtime::{Reason, Runtime, State, WaitList, Why};

/// What the one that starts the calls and the one that takes their results have in common.
pub(super) struct Feed<E> {
    /// What nobody has taken yet, in the order in which it is to be taken.
    pub(super) queue: RefCell<VecDeque<E>>,
    /// Calls started whose results nobody has taken.
    open: Cell<usize>,
    /// No more calls are started.
    ended: Cell<bool>,
    consumer: RefCell<WaitList>,
    feeder: RefCell<WaitList>,
}

impl<E> Feed<E> {
    fn new() -> Rc<Feed<E>> {
        Rc::new(Feed {
            queue: RefCell::new(VecDeque::new()),
            open: Cell::new(0),
            ended: Cell::new(false),
            consumer: RefCell::new(WaitList::new()),
            feeder: RefCell::new(WaitList::new()),
        })
    }

    fn reason(&self, kind: &'static str) -> Reason {
        Reason::Primitive(kind, std::ptr::from_ref(self).addr())
    }

    /// Waits until the results that nobody has taken are fewer than the pool is large. False if it cannot.
    fn wait_for_room(&self, pool: &GreenPool) -> bool {
        let reason = self.reason("a result of imap to be taken");
        while self.open.get() >= pool.size().max(1) {
            let full = || self.open.get() >= pool.size().max(1);
            let ended =
                Runtime::with(|runtime| runtime.wait_while(&self.feeder, reason, None, full));
            if !ended.is_served() {
                return false;
            }
        }
        true
    }

    /// Waits for another entry, or the end, while `open` says that there is none.
    pub(super) fn wait_for_entry(
        &self,
        deadline: Option<Instant>,
        open: impl Fn() -> bool,
    ) -> Result<(), Why> {
        let reason = self.reason("a result of imap");
        Runtime::with(|runtime| {
            let waited = runtime.wait_while(&self.consumer, reason, deadline, open);
            waited.served()
        })
    }

    /// True if there is nothing to take and something may come.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.borrow().is_empty() && !self.is_over()
    }

    /// True if no more calls are started.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.get()
    }

    /// True if nothing more will come.
    pub(super) fn is_over(&self) -> bool {
        self.ended.get() && self.open.get() == 0
    }

    /// Calls started whose results nobody has taken.
    pub(super) fn open(&self) -> usize {
        self.open.get()
    }

    pub(super) fn push(&self, entry: E) {
        self.queue.borrow_mut().push_back(entry);
        wake_first(&self.consumer);
    }

    /// Takes the first entry and lets another call start.
    pub(super) fn pop(&self) -> Option<E> {
        let entry = self.queue.borrow_mut().pop_front();
        if entry.is_some() {
            self.open.set(self.open.get() - 1);
            wake_first(&self.feeder);
        }
        entry
    }
}

fn wake_first(list: &RefCell<WaitList>) {
    if let Some((waiter, ())) = list.borrow_mut().pop() {
        waiter.wake();
    }
}

/// Ends the feed however the feeder ends, also if it never runs.
struct End<E>(Rc<Feed<E>>);

impl<E> Drop for End<E> {
    fn drop(&mut self) {
        self.0.ended.set(true);
        wake_first(&self.0.consumer);
    }
}

/// A feed, and the greenthread that takes the inputs and starts the calls.
pub(super) struct Calls<E> {
    pub(super) feed: Rc<Feed<E>>,
    feeder: AnyGreenThread,
}

impl<E: 'static> Calls<E> {
    /// `deliver` is given every call when it has been started, `fail` what the inputs have panicked with.
    pub(super) fn start<I, T, F>(
        pool: &GreenPool,
        spawned_at: &'static Location<'static>,
        f: F,
        mut inputs: I,
        deliver: fn(&Rc<Feed<E>>, GreenThread<T>),
        fail: fn(Exit) -> E,
    ) -> Calls<E>
    where
        I: Iterator + 'static,
        T: 'static,
        F: Fn(I::Item) -> T + 'static,
    {
        let feed = Feed::new();
        let end = End(Rc::clone(&feed));
        let pool = pool.clone();
        let f = Rc::new(f);
        let body = move || {
            let feed = &end.0;
            let fed = panic::catch_unwind(AssertUnwindSafe(|| {
                while feed.wait_for_room(&pool)
                    && let Some(input) = inputs.next()
                {
                    let f = Rc::clone(&f);
                    let call = pool.spawn_at(spawned_at, move || f(input));
                    feed.open.set(feed.open.get() + 1);
                    deliver(feed, call);
                }
            }));
            if let Err(payload) = fed {
                feed.open.set(feed.open.get() + 1);
                feed.push(fail(Exit::of(payload)));
            }
        };
        let feeder = Builder::new().name("imap");
        let feeder = expect(feeder.make(spawned_at, State::Fresh, body));
        Calls {
            feed,
            feeder: feeder.as_any().clone(),
        }
    }
}

impl<E> Drop for Calls<E> {
    fn drop(&mut self) {
        Runtime::with(|runtime| runtime.kill_soon(self.feeder.task(), None));
        let unwanted = self.feed.queue.take();
        drop(unwanted);
    }
}
