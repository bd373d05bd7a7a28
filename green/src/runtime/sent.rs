//! Greenthreads that other threads have sent: some at a time, however many come at once.

use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::Location;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Alarm, Runtime, State, contain};

/// How many of them have a stack and have not begun to run.
const UNSTARTED: usize = 256;

/// When another stack is asked for after there was none.
const RETRY: Duration = Duration::from_millis(50);

type Body = Box<dyn FnOnce() + Send>;

#[derive(Default)]
pub(super) struct Sent {
    waiting: VecDeque<Body>,
    /// Spawned and not begun to run.
    unstarted: usize,
    /// Spawned and not ended.
    running: usize,
    /// How many may be.
    limit: Option<usize>,
    /// There was no stack for the next one.
    stalled: bool,
}

impl Sent {
    pub(super) fn push(&mut self, body: Body) {
        self.waiting.push_back(body);
    }

    fn pop(&mut self) -> Option<Body> {
        let full = self.limit.is_some_and(|limit| self.running >= limit);
        if full || self.unstarted >= UNSTARTED || self.stalled {
            return None;
        }
        let body = self.waiting.pop_front()?;
        self.unstarted += 1;
        self.running += 1;
        Some(body)
    }
}

/// One that was spawned, counted until it has ended.
struct Counted {
    started: Cell<bool>,
}

impl Counted {
    fn start(&self) {
        Runtime::with(|runtime| {
            self.started.set(true);
            runtime.sent.borrow_mut().unstarted -= 1;
            runtime.has_begun(1);
            runtime.spawn_sent();
        });
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        Runtime::with(|runtime| {
            let mut sent = runtime.sent.borrow_mut();
            sent.running -= 1;
            if !self.started.get() {
                sent.unstarted -= 1;
                runtime.has_begun(1);
            }
            drop(sent);
            runtime.spawn_sent();
        });
    }
}

impl Runtime {
    /// Spawns what was sent, as far as it may begin.
    pub(super) fn spawn_sent(&self) {
        while !self.closed.get() {
            let Some(body) = self.sent.borrow_mut().pop() else {
                return;
            };
            self.spawn_one(body);
        }
    }

    fn spawn_one(&self, body: Body) {
        let counted = Counted {
            started: Cell::new(false),
        };
        // Shared, so that it comes back if there is no stack for it.
        let body = Rc::new(Cell::new(Some((body, counted))));
        let run = {
            let body = Rc::clone(&body);
            move || {
                if let Some((body, counted)) = body.take() {
                    counted.start();
                    body();
                }
            }
        };
        match self.spawn_detached(None, Location::caller(), State::Delayed, run) {
            Ok(task) => {
                // It works for nobody here: the greenthread that happens to run is not its spawner.
                task.set_member(None);
                task.set_spawner(None);
                self.start(&task);
            }
            Err(error) => {
                if let Some((body, counted)) = body.take() {
                    self.stall(body, counted, &error);
                }
            }
        }
    }

    /// Puts back what there was no stack for, to be spawned later.
    #[cold]
    fn stall(&self, body: Body, counted: Counted, error: &std::io::Error) {
        log::warn!("what another thread has sent must wait for a stack: {error}");
        let mut sent = self.sent.borrow_mut();
        sent.waiting.push_front(body);
        sent.unstarted -= 1;
        sent.running -= 1;
        sent.stalled = true;
        drop(sent);
        std::mem::forget(counted);
        let again = || {
            Runtime::with(|runtime| {
                runtime.sent.borrow_mut().stalled = false;
                runtime.spawn_sent();
            });
        };
        self.add_timer(self.now() + RETRY, Alarm::start(self.root(), again));
    }

    /// Bounds how many run at a time. `None` is no bound.
    pub(crate) fn set_spawn_limit(&self, limit: Option<usize>) {
        self.sent.borrow_mut().limit = limit;
        self.spawn_sent();
    }

    /// Drops what has not been spawned.
    pub(super) fn drop_sent(&self) {
        let waiting = std::mem::take(&mut self.sent.borrow_mut().waiting);
        self.has_begun(waiting.len());
        contain(
            "the destructor of a closure sent to a closed thread",
            || {
                drop(waiting);
            },
        );
    }

    fn has_begun(&self, count: usize) {
        if let Some(remote) = &*self.remote.borrow() {
            remote.pending.fetch_sub(count, Ordering::Relaxed);
        }
    }
}
