//! What happens at the end of a greenthread: wake-ups, links, wakers.

use std::any::Any;
use std::rc::Rc;
use std::task::Waker;

use super::{Exit, Place, Task, WaitList, Waiter, contain};

/// Something that happens at the end of a greenthread.
pub(crate) enum OnEnd {
    /// A park ends.
    Wake(Waiter),
    /// A wait for several greenthreads is told.
    Tell(Rc<dyn Hears>),
    /// Code of the user is called, in the greenthread that ends.
    Call(Box<dyn FnOnce()>),
    /// The task is woken whose waker [`Task::await_end`] was given last.
    Waker,
}

/// One who waits for the end of several greenthreads.
pub(crate) trait Hears {
    /// One of them has ended.
    fn hear(&self, task: &Rc<Task>);
}

impl Task {
    /// Has something happen at the end, after what was put here before.
    #[inline]
    pub(crate) fn on_end(&self, what: OnEnd) -> Place {
        self.ends.borrow_mut().push((), what)
    }

    /// Has a park end then. As `on_end`, which would move the waiter through memory once more.
    #[inline]
    pub(crate) fn wake_at_end(&self, waiter: Waiter) -> Place {
        let mut ends = self.ends.borrow_mut();
        ends.push_made(|| ((), OnEnd::Wake(waiter)))
    }

    /// Takes it back. `None` if it has happened.
    // Who has waited for the end mostly finds that all of it has.
    #[inline(always)]
    pub(crate) fn leave_end(&self, place: Place) -> Option<()> {
        if self.ends.borrow().is_empty() {
            return None;
        }
        self.drop_end(place)
    }

    #[inline(never)]
    fn drop_end(&self, place: Place) -> Option<()> {
        let left = self.ends.borrow_mut().leave(place);
        left.map(drop)
    }

    /// Has `waker` woken at the end, in the place of the one that it was given before.
    pub(crate) fn await_end(&self, waker: &Waker) {
        let awaiter = &self.extra().awaiter;
        let known = awaiter.take();
        if known.is_none() {
            self.on_end(OnEnd::Waker);
        }
        // Dropped after it is replaced: that is code of the user.
        awaiter.set(Some(match &known {
            Some(known) if known.will_wake(waker) => known.clone(),
            _ => waker.clone(),
        }));
    }

    /// Forgets the task of the future that awaited it.
    pub(crate) fn forget_awaiter(&self) {
        if let Some(extra) = self.has_extra() {
            drop(extra.awaiter.take());
        }
    }

    /// Stores the result, and tells those who wait for it.
    #[inline(always)]
    pub(crate) fn complete(self: &Rc<Task>, result: Result<Box<dyn Any>, Exit>) {
        let nothing = self.result.replace(Some(result));
        debug_assert!(nothing.is_none(), "a greenthread ends once");
        drop(nothing);
        self.complete.set(true);
        self.tell_end();
    }

    /// Does what is to happen at the end, in order.
    // It is called more than once for each greenthread, and as a rule finds one waiter in all.
    #[inline(always)]
    pub(super) fn tell_end(self: &Rc<Task>) {
        // One at a time: each may add others, or take them back.
        while !self.ends.borrow().is_empty() {
            self.tell_next();
        }
    }

    #[inline(never)]
    fn tell_next(self: &Rc<Task>) {
        let next = self.ends.borrow_mut().pop_any();
        match next {
            Some(((), OnEnd::Wake(waiter))) => drop(waiter.wake()),
            Some(((), what)) => self.tell(what),
            None => {}
        }
    }

    #[cold]
    fn tell(self: &Rc<Task>, what: OnEnd) {
        match what {
            OnEnd::Wake(waiter) => drop(waiter.wake()),
            OnEnd::Tell(several) => several.hear(self),
            OnEnd::Call(link) => contain("a link of a greenthread", link),
            OnEnd::Waker => {
                if let Some(waker) = self.extra().awaiter.take() {
                    contain("the waker of a future", || waker.wake());
                }
            }
        }
    }

    /// Drops what was to happen at the end of a greenthread that will never come to it.
    pub(super) fn drop_ends(&self) {
        let ends = self.ends.replace(WaitList::new());
        contain("the destructor of a link", || drop(ends));
    }

    /// True if `several`, by its address, hears of the end.
    pub(super) fn is_heard_by(&self, several: usize) -> bool {
        let ends = self.ends.borrow();
        ends.iter().any(|(_, what)| {
            matches!(what, OnEnd::Tell(other) if Rc::as_ptr(other).cast::<()>().addr() == several)
        })
    }
}
