//! The places of a pool: who has one, and who waits for one.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use slab::Slab;

use crate::runtime::{Here, Member, Reason, Runtime, Task, Wait, WaitList, Why};

pub(super) struct Places {
    size: Cell<usize>,
    /// Places that are taken: by members, and by spawners that were given one and have not run since.
    taken: Cell<usize>,
    /// `None` while a member is being made.
    members: RefCell<Slab<Option<Rc<Task>>>>,
    /// Greenthreads that wait for a place.
    spawners: RefCell<WaitList>,
    /// Greenthreads that wait until a place is free, without taking it.
    onlookers: RefCell<WaitList>,
    /// Greenthreads that wait until no place is taken.
    idlers: RefCell<WaitList>,
}

impl Places {
    pub(super) fn new(size: usize) -> Rc<Places> {
        Rc::new(Places {
            size: Cell::new(size),
            taken: Cell::new(0),
            members: RefCell::new(Slab::new()),
            spawners: RefCell::new(WaitList::new()),
            onlookers: RefCell::new(WaitList::new()),
            idlers: RefCell::new(WaitList::new()),
        })
    }

    /// Names this pool in reports and memberships.
    pub(super) fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    fn is_full(&self) -> bool {
        self.taken.get() >= self.size.get()
    }

    pub(super) fn size(&self) -> usize {
        self.size.get()
    }

    pub(super) fn resize(&self, size: usize) {
        self.size.set(size);
        self.pass_on();
    }

    pub(super) fn free(&self) -> isize {
        let size = isize::try_from(self.size.get()).unwrap_or(isize::MAX);
        size.saturating_sub_unsigned(self.taken.get())
    }

    pub(super) fn running(&self) -> usize {
        self.members.borrow().len()
    }

    pub(super) fn waiting(&self) -> usize {
        self.spawners.borrow().parked()
    }

    /// In the order of their spawn.
    pub(super) fn members(&self) -> Vec<Rc<Task>> {
        let members = self.members.borrow();
        let mut tasks: Vec<_> = members
            .iter()
            .filter_map(|(_, task)| task.clone())
            .collect();
        tasks.sort_by_key(|task| task.id);
        tasks
    }

    /// Gives what is free to those who wait, and tells those who wait for just that.
    fn pass_on(&self) {
        while !self.is_full() {
            let Some((spawner, ())) = self.spawners.borrow_mut().pop() else {
                break;
            };
            self.taken.set(self.taken.get() + 1);
            spawner.wake();
        }
        if !self.is_full() {
            self.onlookers.borrow_mut().wake_all();
        }
        if self.taken.get() == 0 {
            self.idlers.borrow_mut().wake_all();
        }
    }
}

/// A place that is taken; dropped, it goes to the next who waits.
pub(super) struct TakenPlace(Rc<Places>);

impl TakenPlace {
    /// Takes one whether there is one or not.
    fn take(places: &Rc<Places>) -> TakenPlace {
        places.taken.set(places.taken.get() + 1);
        TakenPlace(Rc::clone(places))
    }
}

impl Drop for TakenPlace {
    fn drop(&mut self) {
        self.0.taken.set(self.0.taken.get() - 1);
        self.0.pass_on();
    }
}

/// The membership of one greenthread, owned by its closure.
pub(super) struct Membership {
    key: usize,
    member: Rc<Member>,
    place: TakenPlace,
}

impl Membership {
    pub(super) fn new(place: TakenPlace) -> Membership {
        let outer = Runtime::with(|runtime| runtime.current().member());
        let member = Member::new(place.0.address(), outer);
        let key = place.0.members.borrow_mut().insert(None);
        Membership { key, member, place }
    }

    /// What makes a greenthread the member, once it is there.
    pub(super) fn begin(&self) -> impl FnOnce(&Rc<Task>) + use<> {
        let (key, member) = (self.key, Rc::clone(&self.member));
        let places = Rc::clone(&self.place.0);
        move |task| {
            task.set_member(Some(member));
            places.members.borrow_mut()[key] = Some(Rc::clone(task));
        }
    }

    /// Calls `f`, then gives up the place.
    pub(super) fn run<T>(self, f: impl FnOnce() -> T) -> T {
        f()
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.member.leave();
        let task = self.place.0.members.borrow_mut().remove(self.key);
        drop(task);
    }
}

/// How a spawner may go on.
pub(super) enum Admission {
    Place(TakenPlace),
    /// On the place of the member for which it works.
    AsPart,
}

/// Waiting.
impl Places {
    pub(super) fn try_enter(self: &Rc<Self>) -> Option<Admission> {
        (!self.is_full()).then(|| Admission::Place(TakenPlace::take(self)))
    }

    /// Waits for a place. `None` says that the deadline has passed.
    pub(super) fn enter(self: &Rc<Self>, deadline: Option<Instant>) -> Option<Admission> {
        Runtime::with(|runtime| {
            runtime.spend();
            self.try_enter().or_else(|| self.queue(runtime, deadline))
        })
    }

    fn queue(self: &Rc<Self>, runtime: &Runtime, deadline: Option<Instant>) -> Option<Admission> {
        if runtime.cannot_switch() {
            return Some(Admission::Place(TakenPlace::take(self)));
        }
        if runtime.current().works_for(self.address()) {
            return Some(Admission::AsPart);
        }
        loop {
            let mut early = None;
            let ended = runtime.wait::<Here, _, _>(Wait {
                reason: Reason::Pool("a place in the pool", self.address()),
                deadline,
                enter: |waiter| {
                    early = self.try_enter();
                    let full = early.is_none();
                    full.then(|| self.spawners.borrow_mut().push(waiter, ()))
                },
                leave: |place| self.spawners.borrow_mut().leave(place),
                pass_on: || drop(TakenPlace(Rc::clone(self))),
            });
            match ended.served() {
                // The place was counted when the waiter was taken out.
                Ok(()) => {
                    return early.or_else(|| Some(Admission::Place(TakenPlace(Rc::clone(self)))));
                }
                Err(Why::Again) => {}
                Err(Why::Expired | Why::Unwinding) => return None,
            }
        }
    }

    /// False if the time was up first, or the thread unwinds.
    pub(super) fn wait_idle(&self, runtime: &Runtime, timeout: Option<Duration>) -> bool {
        let reason = Reason::Pool("the members of the pool", self.address());
        let busy = || self.taken.get() > 0;
        let deadline = runtime.deadline(timeout);
        while busy() {
            let ended = runtime.wait_while(&self.idlers, reason, deadline, busy);
            if !ended.is_served() {
                return false;
            }
        }
        true
    }

    /// False if the time was up first, or the thread unwinds.
    pub(super) fn wait_available(&self, runtime: &Runtime, timeout: Option<Duration>) -> bool {
        let reason = Reason::Pool("a free place in the pool", self.address());
        let full = || self.is_full() && !runtime.current().works_for(self.address());
        let deadline = runtime.deadline(timeout);
        while full() {
            let ended = runtime.wait_while(&self.onlookers, reason, deadline, full);
            if !ended.is_served() {
                return false;
            }
        }
        true
    }
}
