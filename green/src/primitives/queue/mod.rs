//! Queues between greenthreads: first in first out, last in first out, lowest first, and the rendezvous.
//!
//! Those who wait are served in the order of their arrival, on both sides. Nothing is lost: an item that was meant for
//! a getter that is killed or runs out of time goes to the next one, and a putter that could not put gets its item
//! back with the error. `put` and `get` let the others run now and then even if they need not wait, so a loop of them
//! starves nobody; `try_put` and `try_get` never do.
//!
//! All four share one implementation, [`Ordered`]; [`sync::Queue`](crate::sync::Queue) is the same for all OS threads.

mod change;
mod error;
mod order;
mod peek;
mod state;
mod wait;

use std::fmt;
use std::time::Duration;

use crate::primitives::local_or_shared::{Local, Sharing, WaiterOf};

use change::Held;

pub use error::{GetError, PutError, TooManyDone};
pub(crate) use order::Items;
pub use order::{Fifo, Lifo, Lowest, Order};
use state::{Contents, Refused};

/// A queue that is first in, first out.
///
/// ```
/// use std::rc::Rc;
/// use green::Queue;
///
/// let queue = Rc::new(Queue::bounded(2));
/// let producer = Rc::clone(&queue);
/// green::spawn_n(move || {
///     for i in 0..5 {
///         producer.put(i).unwrap(); // waits while two are in the queue
///     }
///     producer.shutdown(false);
/// });
/// assert_eq!(queue.iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
/// ```
pub type Queue<T> = Ordered<T, Fifo<T>>;

/// eventlet's name for a queue that does not count tasks. Counting costs one addition, so it is [`Queue`] itself.
///
/// ```
/// let queue = green::LightQueue::bounded(1);
/// queue.put(1).unwrap();
/// assert!(queue.is_full());
/// ```
pub type LightQueue<T> = Queue<T>;

/// A queue that is last in, first out.
///
/// ```
/// let stack = green::LifoQueue::unbounded();
/// stack.put(1).unwrap();
/// stack.put(2).unwrap();
/// assert_eq!(stack.get(), Ok(2));
/// ```
pub type LifoQueue<T> = Ordered<T, Lifo<T>>;

/// A queue that gives out the lowest item first, and among equals the first that came.
///
/// For the highest first, put [`Reverse`](std::cmp::Reverse)d items. While items are compared nothing can wait, as while
/// the thread unwinds. What a comparison puts into this queue comes after the present change, but every other change by it
/// is refused ([`GetError::Busy`]). One that panics has changed nothing.
///
/// ```
/// let jobs = green::PriorityQueue::unbounded();
/// jobs.put((2, "later")).unwrap();
/// jobs.put((1, "soon")).unwrap();
/// assert_eq!(jobs.get(), Ok((1, "soon")));
/// ```
pub type PriorityQueue<T> = Ordered<T, Lowest<T>>;

/// A queue in the order `O`, shared as `S` says. [`Queue`], [`LifoQueue`], [`PriorityQueue`] and
/// [`sync::Queue`](crate::sync::Queue) are its names.
///
/// ```
/// let queue = green::Queue::bounded(2);
/// queue.put("first").unwrap();
/// queue.put("second").unwrap();
/// assert_eq!((queue.get(), queue.qsize()), (Ok("first"), 1));
/// ```
pub struct Ordered<T, O: Order<T>, S: Sharing = Local> {
    gate: S::Gate,
    state: S::Cell<Held<T, O, WaiterOf<S>>>,
}

impl<T, O: Order<T>, S: Sharing> Ordered<T, O, S> {
    /// A queue with room for `capacity` items. With none it is a rendezvous: see [`channel`](Self::channel).
    pub fn bounded(capacity: usize) -> Self {
        Self::with(O::default(), Some(capacity))
    }

    /// A queue that always has room.
    pub fn unbounded() -> Self {
        Self::with(O::default(), None)
    }

    /// A rendezvous: a queue without room, where each `put` returns only when a `get` has taken its item.
    ///
    /// It is always both empty and full. `try_put` succeeds if somebody waits in `get`, and `try_get` if somebody
    /// waits in `put`.
    ///
    /// ```
    /// use std::rc::Rc;
    ///
    /// let channel = Rc::new(green::Queue::channel());
    /// let sender = Rc::clone(&channel);
    /// green::spawn_n(move || sender.put("hello").unwrap());
    /// assert_eq!(channel.get(), Ok("hello"));
    /// assert!(channel.try_put("nobody waits").is_err());
    /// ```
    pub fn channel() -> Self {
        Self::bounded(0)
    }

    pub(crate) fn with(items: O, capacity: Option<usize>) -> Self {
        Ordered {
            gate: S::Gate::default(),
            state: S::cell(Held::Here(Contents::new(items, capacity))),
        }
    }

    /// Puts an item, and waits for room if there is none.
    ///
    /// # Errors
    /// [`PutError`], with the item: if the queue is shut down, or if there is no room and the thread unwinds, when
    /// nothing can wait.
    #[inline]
    pub fn put(&self, item: T) -> Result<(), PutError<T>> {
        self.put_for(item, None)
    }

    /// As [`put`](Self::put), but waits for at most `timeout`. Zero lets the others run once.
    ///
    /// # Errors
    /// As `put`, and [`PutError::Full`] if there was no room in that time.
    ///
    /// ```
    /// use std::time::Duration;
    /// use green::queue::{PutError, Queue};
    ///
    /// let queue = Queue::bounded(1);
    /// queue.put(1).unwrap();
    /// assert_eq!(queue.put_timeout(2, Duration::from_millis(1)), Err(PutError::Full(2)));
    /// ```
    #[inline]
    pub fn put_timeout(&self, item: T, timeout: Duration) -> Result<(), PutError<T>> {
        self.put_for(item, Some(timeout))
    }

    /// Puts an item if there is room. It never switches.
    ///
    /// # Errors
    /// [`PutError::Full`] or [`PutError::Shutdown`], with the item.
    #[inline]
    pub fn try_put(&self, item: T) -> Result<(), PutError<T>> {
        match self.change(item, Contents::try_put) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(Refused::Full(item))) => Err(PutError::Full(item)),
            Ok(Err(Refused::Shut(item))) => Err(PutError::Shutdown(item)),
            Err(item) => self.put_aside(item),
        }
    }

    /// Takes the next item, and waits for one if there is none.
    ///
    /// # Errors
    /// If the queue is shut down and empty, or if it is empty and the thread unwinds, when nothing can wait.
    #[inline]
    pub fn get(&self) -> Result<T, GetError> {
        self.get_for(None)
    }

    /// As [`get`](Self::get), but waits for at most `timeout`. Zero lets the others run once.
    ///
    /// # Errors
    /// As `get`, and [`GetError::Empty`] if there was no item in that time.
    ///
    /// ```
    /// use std::time::Duration;
    /// use green::queue::{GetError, Queue};
    ///
    /// let queue = Queue::<u8>::unbounded();
    /// assert_eq!(queue.get_timeout(Duration::from_millis(1)), Err(GetError::Empty));
    /// ```
    #[inline]
    pub fn get_timeout(&self, timeout: Duration) -> Result<T, GetError> {
        self.get_for(Some(timeout))
    }

    /// Takes the next item if there is one. It never switches.
    ///
    /// # Errors
    /// [`GetError::Empty`] or [`GetError::Shutdown`].
    #[inline]
    pub fn try_get(&self) -> Result<T, GetError> {
        let got = self.change((), |state, (), woken| state.get(woken));
        got.unwrap_or(Err(GetError::Busy))
    }

    /// The items as they come, until the queue is shut down and empty. Taking one may wait.
    ///
    /// It also ends if it would have to wait while the thread unwinds.
    pub fn iter(&self) -> Iter<'_, T, O, S> {
        Iter { queue: self }
    }

    /// How many items are in the queue. Those on their way to a getter that was woken do not count.
    ///
    /// This, [`is_empty`](Self::is_empty) and [`is_full`](Self::is_full) stay true until the next switch.
    pub fn qsize(&self) -> usize {
        self.read(|state| state.len(), |facts| facts.len)
    }

    /// True if no item is in the queue: always, if it is a rendezvous. For every other queue, the next `get` waits.
    pub fn is_empty(&self) -> bool {
        self.qsize() == 0
    }

    /// True if the next `put` waits.
    pub fn is_full(&self) -> bool {
        self.read(|state| state.is_full(), |facts| facts.full)
    }

    /// For how many items there is room; `None` if for any number.
    pub fn capacity(&self) -> Option<usize> {
        self.read(|state| state.capacity(), |facts| facts.capacity)
    }

    /// How many greenthreads wait in `put`.
    pub fn putting(&self) -> usize {
        self.read(|state| state.putting(), |facts| facts.putting)
    }

    /// How many greenthreads wait in `get` or `peek`.
    pub fn getting(&self) -> usize {
        self.read(|state| state.getting(), |facts| facts.getting)
    }

    /// Makes room for `capacity` items; `None` for any number, `Some(0)` makes it a rendezvous.
    ///
    /// Those who wait to put and now can are woken. Items that are above the new capacity stay.
    ///
    /// # Panics
    /// If it is called by a comparison or a clone of the queue's items.
    ///
    /// ```
    /// let queue = green::Queue::bounded(5);
    /// (0..5).for_each(|i| queue.put(i).unwrap());
    /// queue.resize(Some(1));
    /// assert_eq!((queue.qsize(), queue.is_full()), (5, true));
    /// ```
    pub fn resize(&self, capacity: Option<usize>) {
        self.change_or_panic(|state, woken| state.resize(capacity, woken));
    }

    /// Ends the queue: from now on `put` fails, and `get` does when the items are used up.
    ///
    /// Those who wait in `put` get their item back with [`PutError::Shutdown`], those who wait in `get`
    /// [`GetError::Shutdown`]. If `immediate`, the items that are in the queue are dropped, and taken off the number of
    /// unfinished tasks. It can be called again.
    ///
    /// # Panics
    /// As [`resize`](Self::resize).
    ///
    /// ```
    /// use green::queue::{GetError, PutError, Queue};
    ///
    /// let queue = Queue::unbounded();
    /// queue.put(1).unwrap();
    /// queue.shutdown(false);
    /// assert_eq!(queue.put(2), Err(PutError::Shutdown(2)));
    /// assert_eq!((queue.get(), queue.get()), (Ok(1), Err(GetError::Shutdown)));
    /// ```
    pub fn shutdown(&self, immediate: bool) {
        let drained = self.change_or_panic(|state, woken| state.shut_down(immediate, woken));
        drop(drained);
    }

    /// True if the queue was shut down.
    pub fn is_shutdown(&self) -> bool {
        self.read(|state| state.shut, |facts| facts.shut)
    }

    /// Reports that the work on one item that was got is done.
    ///
    /// # Errors
    /// If it was called more often than items were put.
    ///
    /// # Panics
    /// As [`resize`](Self::resize).
    ///
    /// ```
    /// let queue = green::Queue::unbounded();
    /// queue.put("work").unwrap();
    /// queue.get().unwrap();
    /// assert_eq!(queue.unfinished_tasks(), 1);
    /// queue.task_done().unwrap();
    /// assert!(queue.task_done().is_err());
    /// ```
    pub fn task_done(&self) -> Result<(), TooManyDone> {
        self.change_or_panic(Contents::task_done)
            .then_some(())
            .ok_or(TooManyDone)
    }

    /// How many items were put and not reported as done.
    pub fn unfinished_tasks(&self) -> usize {
        self.read(|state| state.unfinished(), |facts| facts.unfinished)
    }

    /// Waits until every item that was put has been reported as done; returns at once if there is none.
    ///
    /// True, but for a thread that unwinds, when nothing can wait and tasks may be unfinished.
    pub fn join(&self) -> bool {
        self.join_for(None)
    }

    /// As [`join`](Self::join), for at most `timeout`. False if the time was up first.
    pub fn join_timeout(&self, timeout: Duration) -> bool {
        self.join_for(Some(timeout))
    }

    /// True if the next `get` does not wait: also of a rendezvous.
    pub(crate) fn has_item(&self) -> bool {
        self.read(|state| state.has_item(), |facts| facts.has_item)
    }

    /// True if the next `try_put` succeeds, shutdown aside.
    pub(crate) fn has_room(&self) -> bool {
        self.read(
            |state| !state.is_full() || state.is_wanted(),
            |facts| !facts.full,
        )
    }
}

impl<T, O: Order<T>, S: Sharing> Default for Ordered<T, O, S> {
    /// [`unbounded`](Self::unbounded).
    fn default() -> Self {
        Self::unbounded()
    }
}

impl<T, O: Order<T>, S: Sharing> fmt::Debug for Ordered<T, O, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is written to is code of the user: the state is not borrowed meanwhile.
        f.debug_struct("Queue")
            .field("qsize", &self.qsize())
            .field("capacity", &self.capacity())
            .field("getting", &self.getting())
            .field("putting", &self.putting())
            .field("unfinished", &self.unfinished_tasks())
            .field("shut", &self.is_shutdown())
            .finish()
    }
}

impl<'a, T, O: Order<T>, S: Sharing> IntoIterator for &'a Ordered<T, O, S> {
    type Item = T;
    type IntoIter = Iter<'a, T, O, S>;

    fn into_iter(self) -> Iter<'a, T, O, S> {
        self.iter()
    }
}

/// The items of a queue, as they come: made by [`Ordered::iter`].
///
/// ```
/// let queue = green::Queue::unbounded();
/// (0..3).for_each(|n| queue.put(n).unwrap());
/// queue.shutdown(false);
/// assert_eq!(queue.iter().sum::<u32>(), 3);
/// ```
pub struct Iter<'a, T, O: Order<T>, S: Sharing> {
    queue: &'a Ordered<T, O, S>,
}

impl<T, O: Order<T>, S: Sharing> Iterator for Iter<'_, T, O, S> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.queue.get().ok()
    }
}

impl<T, O: Order<T>, S: Sharing> fmt::Debug for Iter<'_, T, O, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Iter").field(self.queue).finish()
    }
}
