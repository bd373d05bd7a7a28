//! Idle connections that are too old are closed even if nobody uses the pool.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Instant;

use super::{Driver, Shared};
use crate::greenthread::{Builder, GreenThread};
use crate::runtime::Runtime;

/// When connections are closed next, and what does it then.
#[derive(Default)]
pub(super) struct Expiry {
    due: Cell<Option<Instant>>,
    timer: RefCell<Option<GreenThread<()>>>,
}

impl Expiry {
    fn set(&self, due: Instant, timer: GreenThread<()>) {
        self.cancel();
        self.due.set(Some(due));
        *self.timer.borrow_mut() = Some(timer);
    }

    pub(super) fn cancel(&self) {
        self.due.set(None);
        let timer = self.timer.borrow_mut().take();
        if let Some(timer) = timer {
            timer.cancel();
        }
    }
}

impl<D: Driver> Shared<D> {
    /// Sees to it that idle connections are closed in time.
    pub(super) fn watch_idle(self: &Rc<Self>) {
        let first = self.core.first_idle(|live| live.end(&self.limits));
        let Some(first) = first else {
            return;
        };
        if self.expiry.due.get().is_some_and(|due| due <= first) {
            return;
        }
        let delay = first.saturating_duration_since(Runtime::with(Runtime::now));
        let pool: Weak<Self> = Rc::downgrade(self);
        let timer = Builder::new()
            .name("expiry of a pool's connections")
            .spawn_after(delay, move || {
                if let Some(pool) = pool.upgrade() {
                    pool.expire();
                }
            });
        match timer {
            Ok(timer) => self.expiry.set(first, timer),
            Err(error) => log::debug!("idle connections of a pool stay open: {error}"),
        }
    }

    fn expire(self: &Rc<Self>) {
        // This greenthread runs already: nothing is left to cancel.
        self.expiry.due.set(None);
        drop(self.expiry.timer.borrow_mut().take());
        let now = Runtime::with(Runtime::now);
        let over = |end: Option<Instant>| end.is_some_and(|end| end <= now);
        drop(self.core.take_idle(|live| over(live.end(&self.limits))));
        self.watch_idle();
    }
}
