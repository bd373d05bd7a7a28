//! Pools of resources that are made when they are needed and then used again.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::runtime::{Ended, Here, Reason, Runtime, Wait, WaitList, Why};

/// Resources of one kind, shared by greenthreads: connections, buffers, permits to do something.
///
/// A resource is made by the pool's function when one is asked for and none is idle, until there are as many as the
/// pool may have; then who asks waits for one to come back, first come, first served. A resource whose owner is killed
/// while it is handed over goes to the next.
///
/// Clones are handles of the same pool. Where making a resource can fail, see [`TryPool`].
///
/// ```
/// use green::pools::Pool;
///
/// let buffers = Pool::builder().max(2).create(|| Vec::<u8>::with_capacity(4096));
/// let mut buffer = buffers.item();
/// buffer.extend_from_slice(b"hello");
/// assert_eq!(buffers.free(), 1);
/// drop(buffer);
/// assert_eq!(buffers.free(), 2);
/// ```
pub struct Pool<T: 'static> {
    inner: TryPool<T, Infallible>,
}

/// A [`Pool`] whose function may fail.
///
/// Who asked for the resource gets the error, and the next who waits tries again.
///
/// ```
/// use std::io;
/// use green::net::{TcpListener, TcpStream};
/// use green::pools::Pool;
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let address = listener.local_addr()?;
/// let connections = Pool::builder().max(10).try_create(move || TcpStream::connect(address))?;
/// let connection = connections.item()?;
/// assert_eq!(connection.peer_addr()?, address);
/// # Ok::<(), io::Error>(())
/// ```
pub struct TryPool<T: 'static, E: 'static> {
    core: Rc<Core<T, E>>,
}

/// A pool to be: how many resources, and in which order they are used.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Builder {
    min: usize,
    max: usize,
    stack_order: bool,
}

impl Builder {
    /// Makes so many resources at once, and not more than the pool may have. Default: none.
    pub fn min(mut self, min: usize) -> Builder {
        self.min = min;
        self
    }

    /// How many resources there may be. Default: 4.
    pub fn max(mut self, max: usize) -> Builder {
        self.max = max;
        self
    }

    /// Uses the resource first that came back last, so that some stay idle when there is little to do. Default: the one
    /// that came back first, so that all are used alike.
    pub fn stack_order(mut self) -> Builder {
        self.stack_order = true;
        self
    }

    /// The pool whose resources `create` makes. `create` may wait.
    pub fn create<T: 'static>(self, create: impl Fn() -> T + 'static) -> Pool<T> {
        match self.try_create(move || Ok(create())) {
            Ok(inner) => Pool { inner },
        }
    }

    /// The pool whose resources `create` makes, if it can. `create` may wait.
    ///
    /// # Errors
    /// Of `create`, for one of the [`min`](Builder::min) first resources.
    pub fn try_create<T: 'static, E: 'static>(
        self,
        create: impl Fn() -> Result<T, E> + 'static,
    ) -> Result<TryPool<T, E>, E> {
        let first = self.min.min(self.max);
        let idle: VecDeque<T> = (0..first).map(|_| create()).collect::<Result<_, E>>()?;
        let core = Core {
            create: Box::new(create),
            stack_order: self.stack_order,
            max: Cell::new(self.max),
            made: Cell::new(first),
            idle: RefCell::new(idle),
            waiters: RefCell::new(WaitList::new()),
        };
        Ok(TryPool {
            core: Rc::new(core),
        })
    }
}

struct Core<T: 'static, E: 'static> {
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
    /// `None` says that the deadline has passed.
    fn get(&self, deadline: Option<Instant>) -> Option<Result<T, E>> {
        Runtime::with(|runtime| {
            runtime.spend();
            let idle = self.idle.borrow_mut().pop_front();
            if let Some(item) = idle {
                return Some(Ok(item));
            }
            // Who cannot wait makes one too many: it is dropped when it comes back.
            if self.made.get() < self.max.get() || runtime.cannot_switch() {
                self.made.set(self.made.get() + 1);
                return Some(Room(self).fill());
            }
            self.wait(runtime, deadline)
        })
    }

    fn wait(&self, runtime: &Runtime, deadline: Option<Instant>) -> Option<Result<T, E>> {
        let grant = Rc::new(Cell::new(None));
        loop {
            let ended = runtime.wait::<Here, _, _>(Wait {
                reason: Reason::Primitive("an item of the pool", std::ptr::from_ref(self).addr()),
                deadline,
                enter: |waiter| {
                    let mut waiters = self.waiters.borrow_mut();
                    Some(waiters.push(waiter, Rc::clone(&grant)))
                },
                leave: |place| self.waiters.borrow_mut().leave(place),
                pass_on: || match grant.take() {
                    Some(Grant::Item(item)) => self.put(item),
                    Some(Grant::Room) => self.lose(),
                    None => {}
                },
            });
            match ended {
                Ended::Served => match grant.take()? {
                    Grant::Item(item) => return Some(Ok(item)),
                    Grant::Room => return Some(Room(self).fill()),
                },
                Ended::NotServed(Why::Again, _) => {}
                Ended::NotServed(Why::Expired | Why::Unwinding, _) => return None,
            }
        }
    }

    /// There is one resource less, or was to be one: somebody else may make another.
    fn lose(&self) {
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

    fn resize(&self, max: usize) {
        self.max.set(max);
        self.offer_room();
        while self.made.get() > max {
            // The one that would be used last.
            let Some(surplus) = self.idle.borrow_mut().pop_back() else {
                return;
            };
            self.made.set(self.made.get() - 1);
            drop(surplus);
        }
    }

    fn free(&self) -> isize {
        let max = isize::try_from(self.max.get()).unwrap_or(isize::MAX);
        max.saturating_sub_unsigned(self.made.get())
            .saturating_add_unsigned(self.idle.borrow().len())
    }
}

/// Where an item belongs, whatever made it.
trait Home<T> {
    fn put(&self, item: T);
    fn lose(&self);
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

// For one type, so that nobody has to name it: the builder's last call says of what the pool is.
impl Pool<()> {
    /// A pool of up to 4 resources, to be changed.
    pub fn builder() -> Builder {
        Builder {
            min: 0,
            max: 4,
            stack_order: false,
        }
    }
}

impl<T: 'static> Pool<T> {
    /// A resource for as long as the guard lives; waits while all are in use.
    ///
    /// While the thread unwinds it cannot wait, and makes one more than the pool may have; that one is dropped when it
    /// comes back.
    pub fn item(&self) -> PoolItem<T> {
        match self.inner.item() {
            Ok(item) => item,
        }
    }

    /// As [`item`](Pool::item), for at most `timeout`.
    pub fn item_timeout(&self, timeout: Duration) -> Option<PoolItem<T>> {
        self.inner.item_timeout(timeout).map(|Ok(item)| item)
    }

    /// Takes a resource out; waits while all are in use. It still counts until it is [put](Pool::put) back.
    pub fn get(&self) -> T {
        match self.inner.get() {
            Ok(item) => item,
        }
    }

    /// As [`get`](Pool::get), for at most `timeout`.
    pub fn get_timeout(&self, timeout: Duration) -> Option<T> {
        self.inner.get_timeout(timeout).map(|Ok(item)| item)
    }

    /// See [`TryPool::put`].
    pub fn put(&self, item: T) {
        self.inner.put(item);
    }

    /// See [`TryPool::resize`].
    pub fn resize(&self, max: usize) {
        self.inner.resize(max);
    }

    /// See [`TryPool::free`].
    pub fn free(&self) -> isize {
        self.inner.free()
    }

    /// See [`TryPool::waiting`].
    pub fn waiting(&self) -> usize {
        self.inner.waiting()
    }
}

impl<T: 'static, E: 'static> TryPool<T, E> {
    /// A resource for as long as the guard lives; waits while all are in use.
    ///
    /// While the thread unwinds it cannot wait, and makes one more than the pool may have; that one is dropped when it
    /// comes back.
    ///
    /// # Errors
    /// Of the function that makes resources.
    pub fn item(&self) -> Result<PoolItem<T>, E> {
        self.get().map(|item| self.guard(item))
    }

    /// As [`item`](TryPool::item), for at most `timeout`. `None` says that all were in use until then. (The time that it
    /// takes to make one is not bounded by this: see [`Timeout`](crate::Timeout).)
    pub fn item_timeout(&self, timeout: Duration) -> Option<Result<PoolItem<T>, E>> {
        let item = self.get_timeout(timeout)?;
        Some(item.map(|item| self.guard(item)))
    }

    fn guard(&self, item: T) -> PoolItem<T> {
        PoolItem {
            item: Some(item),
            home: Rc::clone(&self.core) as Rc<dyn Home<T>>,
        }
    }

    /// Takes a resource out; waits while all are in use. It still counts until it is [put](TryPool::put) back.
    ///
    /// # Errors
    /// Of the function that makes resources.
    pub fn get(&self) -> Result<T, E> {
        match self.core.get(None) {
            Some(item) => item,
            None => unreachable!("a wait without a deadline has expired"),
        }
    }

    /// As [`get`](TryPool::get), for at most `timeout`. `None` says that all were in use until then.
    pub fn get_timeout(&self, timeout: Duration) -> Option<Result<T, E>> {
        let deadline = Runtime::with(|runtime| runtime.deadline(Some(timeout)));
        self.core.get(deadline)
    }

    /// Gives a resource back, to the one that has waited longest. Never waits.
    ///
    /// If the pool has shrunk meanwhile, and has too many, the resource is dropped.
    pub fn put(&self, item: T) {
        self.core.put(item);
    }

    /// Changes how many resources there may be. Idle ones that are too many are dropped now, others when they come back.
    pub fn resize(&self, max: usize) {
        self.core.resize(max);
    }

    /// How many can be had without waiting: idle ones, and those that may still be made. Zero or less says that the
    /// next who asks waits.
    pub fn free(&self) -> isize {
        self.core.free()
    }

    /// How many greenthreads wait for a resource.
    pub fn waiting(&self) -> usize {
        self.core.waiters.borrow().parked()
    }
}

impl<T> Clone for Pool<T> {
    fn clone(&self) -> Pool<T> {
        Pool {
            inner: self.inner.clone(),
        }
    }
}

impl<T, E> Clone for TryPool<T, E> {
    fn clone(&self) -> TryPool<T, E> {
        TryPool {
            core: Rc::clone(&self.core),
        }
    }
}

impl<T> fmt::Debug for Pool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.core.describe("Pool", f)
    }
}

impl<T, E> fmt::Debug for TryPool<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.describe("TryPool", f)
    }
}

impl<T, E> Core<T, E> {
    fn describe(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(name)
            .field("max", &self.max.get())
            .field("made", &self.made.get())
            .field("idle", &self.idle.borrow().len())
            .field("waiting", &self.waiters.borrow().parked())
            .finish()
    }
}

/// A resource of a pool; it goes back when this is dropped.
pub struct PoolItem<T> {
    /// `None` only while it is dropped.
    item: Option<T>,
    home: Rc<dyn Home<T>>,
}

impl<T> PoolItem<T> {
    /// Keeps the resource from going back, as one that is broken should be: the pool may make another in its place.
    ///
    /// ```
    /// use green::pools::Pool;
    ///
    /// let pool = Pool::builder().max(1).create(String::new);
    /// let broken = pool.item().discard();
    /// assert_eq!(pool.free(), 1);
    /// # drop(broken);
    /// ```
    pub fn discard(mut self) -> T {
        let Some(item) = self.item.take() else {
            unreachable!("the item is there until the guard is dropped");
        };
        self.home.lose();
        item
    }
}

impl<T> Deref for PoolItem<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.item {
            Some(item) => item,
            None => unreachable!("the item is there until the guard is dropped"),
        }
    }
}

impl<T> DerefMut for PoolItem<T> {
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.item {
            Some(item) => item,
            None => unreachable!("the item is there until the guard is dropped"),
        }
    }
}

impl<T> Drop for PoolItem<T> {
    fn drop(&mut self) {
        if let Some(item) = self.item.take() {
            self.home.put(item);
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for PoolItem<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// What a [`TokenPool`] gives out: the right to use something of which there is only so much.
#[derive(Debug, PartialEq, Eq)]
pub struct Token(());

/// A pool of nothing but permits.
///
/// ```
/// use green::pools::TokenPool;
///
/// let pool = TokenPool::new(2);
/// let first = pool.item();
/// let second = pool.item();
/// assert_eq!(pool.free(), 0);
/// # drop((first, second));
/// ```
pub type TokenPool = Pool<Token>;

impl TokenPool {
    /// A pool of `max` permits.
    pub fn new(max: usize) -> TokenPool {
        Pool::builder().max(max).create(|| Token(()))
    }
}
