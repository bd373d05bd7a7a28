//! Descriptors that are watched for others, by a number that a socket of green may close meanwhile.
//!
//! A wait holds a duplicate, so nothing breaks; but it would wait for what can never come.

use std::cell::{Cell, RefCell};
use std::os::fd::RawFd;
use std::rc::Rc;

use super::{Runtime, Waiter};

/// One number that is watched, for as long as somebody holds this.
#[derive(Debug)]
pub(crate) struct Watched {
    number: RawFd,
    closed: Cell<bool>,
    /// Those that wait for it at this moment.
    waiters: RefCell<Vec<Waiter>>,
}

impl Watched {
    pub(crate) fn number(&self) -> RawFd {
        self.number
    }

    /// True once the socket of green to which the number belonged was closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// `waiter` is woken by a close, until `leave`.
    pub(crate) fn enter(&self, waiter: &Waiter) {
        self.waiters.borrow_mut().push(waiter.clone());
    }

    pub(crate) fn leave(&self, waiter: &Waiter) {
        let mut waiters = self.waiters.borrow_mut();
        waiters.retain(|other| !other.is_same(waiter));
    }
}

impl Runtime {
    pub(crate) fn watch(&self, number: RawFd) -> Rc<Watched> {
        let watched = Rc::new(Watched {
            number,
            closed: Cell::new(self.closed_but_lent.borrow().contains(&number)),
            waiters: RefCell::default(),
        });
        let mut all = self.watched.borrow_mut();
        all.entry(number).or_default().push(Rc::downgrade(&watched));
        watched
    }

    /// A socket of green that has this number was closed. If somebody was lent the descriptor, it stays open for now.
    pub(crate) fn descriptor_closing(&self, number: RawFd, is_lent: bool) {
        if is_lent {
            self.closed_but_lent.borrow_mut().push(number);
        }
        let mut all = self.watched.borrow_mut();
        if all.is_empty() {
            return;
        }
        let watched = all.remove(&number);
        drop(all);
        for watched in watched.iter().flatten().filter_map(|weak| weak.upgrade()) {
            watched.closed.set(true);
            for waiter in watched.waiters.take() {
                waiter.wake();
            }
        }
    }

    /// The descriptor of a socket that was closed while it was lent is closed now, too.
    pub(crate) fn descriptor_gone(&self, number: RawFd) {
        let mut lent = self.closed_but_lent.borrow_mut();
        lent.retain(|&other| other != number);
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        Runtime::with(|runtime| {
            let mut all = runtime.watched.borrow_mut();
            if let Some(others) = all.get_mut(&self.number) {
                others.retain(|weak| weak.strong_count() > 0);
                if others.is_empty() {
                    all.remove(&self.number);
                }
            }
        });
    }
}
