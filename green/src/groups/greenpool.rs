//! A bounded number of greenthreads: [`GreenPool`].

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt;
use std::io;
use std::panic::Location;
use std::rc::Rc;
use std::time::{Duration, Instant};

use slab::Slab;

use crate::greenthread::{AnyGreenThread, Builder, Exit, GreenThread, expect, spawn_detached};
use crate::runtime::{Ended, Here, Member, Reason, Runtime, State, Task, Wait, WaitList, Why};

/// Runs greenthreads, and no more than its size of them at a time.
///
/// [`spawn`](GreenPool::spawn) waits while the pool is full: back-pressure without a line of code. Those who wait get
/// their places in the order in which they came. A place comes back however its greenthread ends.
///
/// Clones are handles of the same pool.
///
/// ```
/// let pool = green::GreenPool::new(2);
/// let squares: Vec<_> = (0..5u32).map(|n| pool.spawn(move || n * n)).collect();
/// let squares: Result<Vec<_>, _> = squares.into_iter().map(|gt| gt.join()).collect();
/// assert_eq!(squares.unwrap(), [0, 1, 4, 9, 16]);
/// ```
///
/// # Members that spawn into their own pool
/// A member keeps its place until it ends, so a full pool cannot make it wait for a place: all members might wait for
/// each other. What a member spawns into its own full pool therefore runs on the member's place: it starts at once, in
/// a greenthread of its own that is not counted, and the member waits until it has ended, as if it had called a
/// function. The same holds for every greenthread that works on behalf of a member: those that a member has spawned in
/// any way, for as long as the member lives. (Such a helper has no place of its own, so what helpers spawn can exceed
/// the size.)
///
/// ```
/// use green::GreenPool;
///
/// fn count_down(pool: GreenPool, n: u32) {
///     if n > 0 {
///         let inner = pool.clone();
///         pool.spawn_n(move || count_down(inner, n - 1));
///     }
/// }
/// let pool = GreenPool::new(1);
/// let inner = pool.clone();
/// pool.spawn_n(move || count_down(inner, 5));
/// pool.waitall().unwrap();
/// ```
#[derive(Clone)]
pub struct GreenPool {
    shared: Rc<Shared>,
}

struct Shared {
    size: Cell<usize>,
    /// Places that are taken: by members, and by spawners that were given one and have not run since.
    taken: Cell<usize>,
    /// `None` while a member is being made.
    members: RefCell<Slab<Option<Rc<Task>>>>,
    /// Who waits for a place.
    spawners: RefCell<WaitList>,
    /// Who waits until a place is free, without taking it.
    onlookers: RefCell<WaitList>,
    /// Who waits until no place is taken.
    idlers: RefCell<WaitList>,
}

impl Shared {
    /// Names this pool in reports and memberships.
    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    fn is_full(&self) -> bool {
        self.taken.get() >= self.size.get()
    }

    fn occupy(&self, key: usize, member: Rc<Member>, task: &Rc<Task>) {
        task.set_member(Some(member));
        self.members.borrow_mut()[key] = Some(Rc::clone(task));
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
struct Place(Rc<Shared>);

impl Place {
    /// Takes one whether there is one or not.
    fn take(shared: &Rc<Shared>) -> Place {
        shared.taken.set(shared.taken.get() + 1);
        Place(Rc::clone(shared))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.set(self.0.taken.get() - 1);
        self.0.pass_on();
    }
}

/// The membership of one greenthread, owned by its closure.
struct Seat {
    key: usize,
    member: Rc<Member>,
    place: Place,
}

impl Seat {
    fn new(place: Place) -> Seat {
        let outer = Runtime::with(|runtime| runtime.current().member());
        let member = Member::new(place.0.address(), outer);
        let key = place.0.members.borrow_mut().insert(None);
        Seat { key, member, place }
    }

    /// Calls `f`, then gives up the seat.
    fn run<T>(self, f: impl FnOnce() -> T) -> T {
        f()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.member.leave();
        let task = self.place.0.members.borrow_mut().remove(self.key);
        drop(task);
    }
}

/// How a spawner may go on.
enum Entry {
    Place(Place),
    /// On the place of the member for which it works.
    Guest,
}

impl GreenPool {
    /// A pool of `size` places. A pool of none lets nobody in until it is [resized](GreenPool::resize).
    pub fn new(size: usize) -> GreenPool {
        GreenPool {
            shared: Rc::new(Shared {
                size: Cell::new(size),
                taken: Cell::new(0),
                members: RefCell::new(Slab::new()),
                spawners: RefCell::new(WaitList::new()),
                onlookers: RefCell::new(WaitList::new()),
                idlers: RefCell::new(WaitList::new()),
            }),
        }
    }

    /// Runs `f` in a greenthread of the pool; waits while the pool is full.
    ///
    /// Called on behalf of a member while the pool is full, it returns when `f` has ended (see [above](GreenPool)); a
    /// kill or a deadline that arrives meanwhile ends `f` too. Called while the thread unwinds, it cannot wait, and
    /// takes a place that is not there: [`free`](GreenPool::free) is then negative.
    ///
    /// # Panics
    /// As [`green::spawn`](crate::spawn).
    ///
    /// ```
    /// let pool = green::GreenPool::new(10);
    /// assert_eq!(pool.spawn(|| 6 * 7).join().unwrap(), 42);
    /// ```
    #[track_caller]
    pub fn spawn<T: 'static>(&self, f: impl FnOnce() -> T + 'static) -> GreenThread<T> {
        self.spawn_at(Location::caller(), f)
    }

    pub(crate) fn spawn_at<T: 'static>(
        &self,
        spawned_at: &'static Location<'static>,
        f: impl FnOnce() -> T + 'static,
    ) -> GreenThread<T> {
        match self.enter(None) {
            Some(entry) => self.admit(entry, spawned_at, f),
            None => unreachable!("a wait without a deadline has expired"),
        }
    }

    /// As [`spawn`](GreenPool::spawn), for at most `timeout`.
    ///
    /// # Errors
    /// `f`, if no place was free by then.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let pool = green::GreenPool::new(0);
    /// assert!(pool.spawn_timeout(Duration::from_millis(1), || 1).is_err());
    /// ```
    #[track_caller]
    pub fn spawn_timeout<T: 'static, F: FnOnce() -> T + 'static>(
        &self,
        timeout: Duration,
        f: F,
    ) -> Result<GreenThread<T>, F> {
        let spawned_at = Location::caller();
        let deadline = Runtime::with(|runtime| runtime.deadline(Some(timeout)));
        match self.enter(deadline) {
            Some(entry) => Ok(self.admit(entry, spawned_at, f)),
            None => Err(f),
        }
    }

    /// As [`spawn`](GreenPool::spawn), but never waits.
    ///
    /// # Errors
    /// `f`, if the pool is full.
    ///
    /// ```
    /// let pool = green::GreenPool::new(1);
    /// let first = pool.try_spawn(|| 1).ok().unwrap();
    /// assert!(pool.try_spawn(|| 2).is_err());
    /// assert_eq!(first.join().unwrap(), 1);
    /// ```
    #[track_caller]
    pub fn try_spawn<T: 'static, F: FnOnce() -> T + 'static>(
        &self,
        f: F,
    ) -> Result<GreenThread<T>, F> {
        match self.try_enter() {
            Some(place) => Ok(self.admit(Entry::Place(place), Location::caller(), f)),
            None => Err(f),
        }
    }

    /// As [`spawn`](GreenPool::spawn), for a greenthread whose end nobody waits for.
    ///
    /// # Panics
    /// As [`green::spawn`](crate::spawn). A panic of `f` is printed by the panic hook and goes no further.
    ///
    /// ```
    /// let pool = green::GreenPool::default();
    /// for n in 0..3 {
    ///     pool.spawn_n(move || println!("{n}"));
    /// }
    /// pool.waitall().unwrap();
    /// ```
    #[track_caller]
    pub fn spawn_n(&self, f: impl FnOnce() + 'static) {
        expect(self.spawn_n_at(Location::caller(), f));
    }

    /// As `spawn_n`, with an error if no stack can be had.
    pub(crate) fn spawn_n_at(
        &self,
        spawned_at: &'static Location<'static>,
        f: impl FnOnce() + 'static,
    ) -> io::Result<()> {
        match self.enter(None) {
            Some(Entry::Place(place)) => {
                let seat = Seat::new(place);
                let (key, member) = (seat.key, Rc::clone(&seat.member));
                let task = spawn_detached(spawned_at, move || seat.run(f))?;
                self.shared.occupy(key, member, &task);
            }
            Some(Entry::Guest) => {
                AnyGreenThread::new(spawn_detached(spawned_at, f)?).join_as_part();
            }
            None => unreachable!("a wait without a deadline has expired"),
        }
        Ok(())
    }

    fn try_enter(&self) -> Option<Place> {
        (!self.shared.is_full()).then(|| Place::take(&self.shared))
    }

    /// Waits for a place. `None` says that the deadline has passed.
    fn enter(&self, deadline: Option<Instant>) -> Option<Entry> {
        match self.try_enter() {
            Some(place) => Some(Entry::Place(place)),
            None => Runtime::with(|runtime| self.queue(runtime, deadline)),
        }
    }

    fn queue(&self, runtime: &Runtime, deadline: Option<Instant>) -> Option<Entry> {
        let shared = &self.shared;
        if runtime.cannot_switch() {
            return Some(Entry::Place(Place::take(shared)));
        }
        if runtime.current().works_for(shared.address()) {
            return Some(Entry::Guest);
        }
        loop {
            let ended = runtime.wait::<Here, _, _>(Wait {
                reason: Reason::Pool("a place in the pool", shared.address()),
                deadline,
                enter: |waiter| Some(shared.spawners.borrow_mut().push(waiter, ())),
                leave: |place| shared.spawners.borrow_mut().leave(place),
                pass_on: || drop(Place(Rc::clone(shared))),
            });
            match ended {
                Ended::Served => return Some(Entry::Place(Place(Rc::clone(shared)))),
                Ended::NotServed(Why::Again, ()) => {}
                Ended::NotServed(Why::Expired | Why::Unwinding, ()) => return None,
            }
        }
    }

    #[track_caller]
    fn admit<T: 'static>(
        &self,
        entry: Entry,
        spawned_at: &'static Location<'static>,
        f: impl FnOnce() -> T + 'static,
    ) -> GreenThread<T> {
        match entry {
            Entry::Place(place) => {
                let seat = Seat::new(place);
                let (key, member) = (seat.key, Rc::clone(&seat.member));
                let body = move || seat.run(f);
                let gt = expect(Builder::new().make(spawned_at, State::Fresh, body));
                self.shared.occupy(key, member, gt.as_any().task());
                gt
            }
            Entry::Guest => {
                let guest = expect(Builder::new().make(spawned_at, State::Fresh, f));
                guest.as_any().join_as_part();
                guest
            }
        }
    }

    /// How many places are free: zero or less says that the next `spawn` waits. Negative after the pool has shrunk
    /// below what runs.
    ///
    /// ```
    /// let pool = green::GreenPool::new(3);
    /// pool.spawn_n(|| ());
    /// pool.spawn_n(|| ());
    /// assert_eq!(pool.free(), 1);
    /// pool.resize(1);
    /// assert_eq!(pool.free(), -1);
    /// pool.waitall().unwrap();
    /// assert_eq!(pool.free(), 1);
    /// ```
    pub fn free(&self) -> isize {
        let (size, taken) = (self.shared.size.get(), self.shared.taken.get());
        let size = isize::try_from(size).unwrap_or(isize::MAX);
        size.saturating_sub_unsigned(taken)
    }

    /// The number of places, free or not.
    pub fn size(&self) -> usize {
        self.shared.size.get()
    }

    /// How many members there are: spawned and not ended, whether they have started or not.
    pub fn running(&self) -> usize {
        self.shared.members.borrow().len()
    }

    /// How many greenthreads wait in `spawn` for a place.
    pub fn waiting(&self) -> usize {
        self.shared.spawners.borrow().parked()
    }

    /// Changes the number of places.
    ///
    /// More places go to those who wait, at once. With fewer, those that run are left alone, and nobody gets a place
    /// until their number has fallen below the new size.
    pub fn resize(&self, size: usize) {
        self.shared.size.set(size);
        self.shared.pass_on();
    }

    /// Waits until nothing runs in the pool, what its members spawn meanwhile included.
    ///
    /// While the thread unwinds it returns at once, as nothing can be waited for.
    ///
    /// # Errors
    /// [`InsidePool`] from a member, or from a greenthread that works on behalf of one: it would wait for itself.
    pub fn waitall(&self) -> Result<(), InsidePool> {
        self.wait_idle(None).map(|_| ())
    }

    /// As [`waitall`](GreenPool::waitall), for at most `timeout`. True if nothing runs.
    ///
    /// # Errors
    /// As [`waitall`](GreenPool::waitall).
    pub fn waitall_timeout(&self, timeout: Duration) -> Result<bool, InsidePool> {
        self.wait_idle(Some(timeout))
    }

    fn wait_idle(&self, timeout: Option<Duration>) -> Result<bool, InsidePool> {
        let shared = &self.shared;
        Runtime::with(|runtime| {
            if runtime.current().works_for(shared.address()) {
                return Err(InsidePool);
            }
            let deadline = runtime.deadline(timeout);
            let reason = Reason::Pool("the members of the pool", shared.address());
            while shared.taken.get() > 0 {
                let ended = runtime.wait_in(&shared.idlers, reason, deadline);
                if let Err(Why::Expired | Why::Unwinding) = ended.served() {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    /// Waits until a `spawn` would not wait, for at most `timeout`. True if it would not.
    ///
    /// Nothing is reserved: who spawns first has the place.
    pub fn wait_available(&self, timeout: impl Into<Option<Duration>>) -> bool {
        let shared = &self.shared;
        Runtime::with(|runtime| {
            let deadline = runtime.deadline(timeout.into());
            let reason = Reason::Pool("a free place in the pool", shared.address());
            while shared.is_full() && !runtime.current().works_for(shared.address()) {
                let ended = runtime.wait_in(&shared.onlookers, reason, deadline);
                if let Err(Why::Expired | Why::Unwinding) = ended.served() {
                    return false;
                }
            }
            true
        })
    }

    /// The members, in the order of their spawn.
    pub fn members(&self) -> Vec<AnyGreenThread> {
        self.tasks().into_iter().map(AnyGreenThread::new).collect()
    }

    fn tasks(&self) -> Vec<Rc<Task>> {
        let members = self.shared.members.borrow();
        let mut tasks: Vec<_> = members
            .iter()
            .filter_map(|(_, task)| task.clone())
            .collect();
        tasks.sort_by_key(|task| task.id);
        tasks
    }

    /// Kills every member, as [`AnyGreenThread::kill`]; the caller as the last, if it is one.
    ///
    /// Who waits in `spawn` is not a member yet, and gets its place.
    pub fn kill(&self) {
        let tasks = self.tasks();
        Runtime::with(|runtime| runtime.kill_all(&tasks));
    }

    /// Kills every member and waits until they have ended, for at most `timeout`. True if they have.
    pub fn kill_wait(&self, timeout: Duration) -> bool {
        let members = self.members();
        self.kill();
        Runtime::with(|runtime| {
            let deadline = runtime.deadline(Some(timeout));
            members
                .iter()
                .all(|member| member.wait_end(deadline).is_ok())
        })
    }

    /// Runs `f` in the pool and waits for its value.
    ///
    /// # Errors
    /// How it ended, if without a value.
    #[track_caller]
    pub fn apply<T: 'static>(&self, f: impl FnOnce() -> T + 'static) -> Result<T, Exit> {
        self.spawn(f).join()
    }
}

impl Default for GreenPool {
    /// A pool of 1000 places.
    fn default() -> GreenPool {
        GreenPool::new(1000)
    }
}

impl fmt::Debug for GreenPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GreenPool")
            .field("size", &self.size())
            .field("running", &self.running())
            .field("waiting", &self.waiting())
            .finish()
    }
}

/// Something waited for all members of a pool, and was one of them or worked for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InsidePool;

impl fmt::Display for InsidePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member of the pool cannot wait until the pool has no members")
    }
}

impl Error for InsidePool {}
