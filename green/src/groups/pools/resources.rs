//! The resources of a pool, and who waits for one.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::time::Instant;

use super::item::Home;
use crate::runtime::{Here, Reason, Runtime, Wait, WaitList, Why};

pub(super) struct Core<T: 'static, E: 'static> {
    create: Box<dyn Fn() -> Result<T, E>>,
    stack_order: bool,
    max: Cell<usize>,
    /// Resources that exist or are being made. More than `max` for a while after the pool has shrunk.
    made: Cell<usize>,
    /// The next to be used first.
    idle: RefCell<VecDeque<T>>,
    /// While anybody waits here, nothing is idle and nothing may be made.
    waiters: RefCell<WaitList<Handover<T>>>,
}

/// Where somebody who waits finds what it was given.
type Handover<T> = Rc<Cell<Option<Grant<T>>>>;

/// What somebody who waits is given.
enum Grant<T> {
    Item(T),
    /// To make one: it is counted already.
    Room,
}

/// The room for a resource that is being made. Dropped without one, it goes to the next.
struct Room<'a, T: 'static, E: 'static>(&'a Core<T, E>);

impl<T, E> Room<'_, T, E> {
    fn fill(self) -> Result<T, E> {
        let item = (self.0.create)()?;
        std::mem::forget(self);
        Ok(item)
    }
}

impl<T, E> Drop for Room<'_, T, E> {
    fn drop(&mut self) {
        self.0.lose();
    }
}

impl<T: 'static, E: 'static> Core<T, E> {
    pub(super) fn new(
        create: Box<dyn Fn() -> Result<T, E>>,
        stack_order: bool,
        max: usize,
        idle: VecDeque<T>,
    ) -> Core<T, E> {
        Core {
            create,
            stack_order,
            max: Cell::new(max),
            made: Cell::new(idle.len()),
            idle: RefCell::new(idle),
            waiters: RefCell::new(WaitList::new()),
        }
    }

    /// `None` says that the deadline has passed.
    pub(super) fn get(&self, deadline: Option<Instant>) -> Option<Result<T, E>> {
        Runtime::with(|runtime| {
            runtime.spend();
            let grant = match self.take(runtime.cannot_switch()) {
                Some(grant) => Some(grant),
                None => self.wait(runtime, deadline),
            };
            Some(match grant? {
                Grant::Item(item) => Ok(item),
                Grant::Room => Room(self).fill(),
            })
        })
    }

    /// Takes what can be had without waiting.
    fn take(&self, cannot_wait: bool) -> Option<Grant<T>> {
        if let Some(item) = self.idle.borrow_mut().pop_front() {
            return Some(Grant::Item(item));
        }
        // A caller that cannot wait makes one too many: it is dropped when it comes back.
        let room = self.made.get() < self.max.get() || cannot_wait;
        room.then(|| {
            self.made.set(self.made.get() + 1);
            Grant::Room
        })
    }

    fn wait(&self, runtime: &Runtime, deadline: Option<Instant>) -> Option<Grant<T>> {
        let grant = Rc::new(Cell::new(None));
        loop {
            let ended = runtime.wait::<Here, _, _>(Wait {
                reason: Reason::Primitive("an item of the pool", std::ptr::from_ref(self).addr()),
                deadline,
                enter: |waiter| match self.take(false) {
                    Some(early) => {
                        grant.set(Some(early));
                        None
                    }
                    None => Some(self.waiters.borrow_mut().push(waiter, Rc::clone(&grant))),
                },
                leave: |place| self.waiters.borrow_mut().leave(place),
                pass_on: || match grant.take() {
                    Some(Grant::Item(item)) => self.put(item),
                    Some(Grant::Room) => self.lose(),
                    None => {}
                },
            });
            match ended.served() {
                Ok(()) => return grant.take(),
                Err(Why::Again) => {}
                Err(Why::Expired | Why::Unwinding) => return None,
            }
        }
    }

    /// Makes a resource in the place of one that was taken out and is gone.
    pub(super) fn renew(&self) -> Result<T, E> {
        Room(self).fill()
    }

    /// Takes out, for good, those idle ones that `wanted` names.
    pub(super) fn take_idle(&self, wanted: impl Fn(&T) -> bool) -> Vec<T> {
        let taken: Vec<T> = {
            let mut idle = self.idle.borrow_mut();
            let (taken, kept): (VecDeque<T>, _) = idle.drain(..).partition(wanted);
            *idle = kept;
            taken.into()
        };
        self.made.set(self.made.get() - taken.len());
        self.offer_room();
        taken
    }

    /// The least of what `time` says of idle ones.
    pub(super) fn first_idle<K: Ord>(&self, time: impl Fn(&T) -> Option<K>) -> Option<K> {
        self.idle.borrow().iter().filter_map(time).min()
    }

    /// There is one resource less, or was to be one: somebody else may make another.
    pub(super) fn lose(&self) {
        self.made.set(self.made.get() - 1);
        self.offer_room();
    }

    fn offer_room(&self) {
        while self.made.get() < self.max.get() {
            let Some((waiter, grant)) = self.waiters.borrow_mut().pop() else {
                return;
            };
            self.made.set(self.made.get() + 1);
            grant.set(Some(Grant::Room));
            waiter.wake();
        }
    }

    pub(super) fn resize(&self, max: usize) {
        self.max.set(max);
        self.offer_room();
        let surplus = {
            let mut idle = self.idle.borrow_mut();
            let too_many = self.made.get().saturating_sub(max).min(idle.len());
            self.made.set(self.made.get() - too_many);
            // Those that would be used last.
            let kept = idle.len() - too_many;
            idle.split_off(kept)
        };
        // Each of them, also if the destructor of one panics.
        drop(surplus);
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiters.borrow().parked()
    }

    pub(super) fn idle(&self) -> usize {
        self.idle.borrow().len()
    }

    pub(super) fn free(&self) -> isize {
        let max = isize::try_from(self.max.get()).unwrap_or(isize::MAX);
        max.saturating_sub_unsigned(self.made.get())
            .saturating_add_unsigned(self.idle.borrow().len())
    }
}

impl<T: 'static, E: 'static> Home<T> for Core<T, E> {
    fn put(&self, item: T) {
        if self.made.get() > self.max.get() {
            self.made.set(self.made.get() - 1);
            drop(item);
            return;
        }
        let waiter = self.waiters.borrow_mut().pop();
        if let Some((waiter, grant)) = waiter {
            grant.set(Some(Grant::Item(item)));
            waiter.wake();
        } else if self.stack_order {
            self.idle.borrow_mut().push_front(item);
        } else {
            self.idle.borrow_mut().push_back(item);
        }
    }

    fn lose(&self) {
        Core::lose(self);
    }
}

impl<T, E> Core<T, E> {
    pub(super) fn describe(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("max", &self.max.get())
            .field("made", &self.made.get())
            .field("idle", &self.idle.borrow().len())
            .field("waiting", &self.waiters.borrow().parked())
            .finish()
    }
}
