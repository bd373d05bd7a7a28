//! Queues between greenthreads: first in first out, last in first out, lowest first, and the rendezvous.
//!
//! Those who wait are served in the order of their arrival, on both sides. Nothing is lost: an item that was meant for
//! a getter that is killed or runs out of time goes to the next one, and a putter that could not put gets its item
//! back with the error. `put` and `get` let the others run now and then even if they need not wait, so a loop of them
//! starves nobody; `try_put` and `try_get` never do.
//!
//! The queues of [`sync`](crate::sync) are the same for all OS threads.
//!
//! ```
//! use std::time::Duration;
//!
//! let queue = green::Queue::bounded(2);
//! queue.put("one").unwrap();
//! queue.try_put("two").unwrap();
//! assert!(queue.is_full() && queue.capacity() == Some(2));
//! assert_eq!((queue.putting(), queue.getting()), (0, 0)); // Nobody waits.
//!
//! assert_eq!(queue.get().unwrap(), "one");
//! queue.task_done().unwrap();
//! assert_eq!((queue.qsize(), queue.unfinished_tasks()), (1, 1));
//! assert!(!queue.join_timeout(Duration::from_millis(1))); // "two" is still there.
//! assert_eq!(queue.try_get().unwrap(), "two");
//! queue.task_done().unwrap();
//! assert!(queue.join() && queue.is_empty());
//!
//! queue.shutdown(false);
//! assert!(queue.is_shutdown() && queue.iter().next().is_none());
//! assert_eq!(green::Queue::<u8>::unbounded().capacity(), None);
//! ```

mod change;
mod error;
pub(crate) mod face;
mod order;
mod ordered;
mod peek;
mod state;
mod wait;

use crate::primitives::local_or_shared::OneThread;
use face::queue;

pub use error::{GetError, PutError, TooManyDone};
pub(crate) use order::{Fifo, Lifo, Lowest, Order};
pub(crate) use ordered::Ordered;

queue! {
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
    pub struct Queue<T>(Fifo<T>, OneThread);
}

/// eventlet's name for a queue that does not count tasks. Counting costs one addition, so it is [`Queue`] itself.
///
/// ```
/// let queue = green::LightQueue::bounded(1);
/// queue.put(1).unwrap();
/// assert!(queue.is_full());
/// ```
pub type LightQueue<T> = Queue<T>;

queue! {
    /// A queue that is last in, first out.
    ///
    /// ```
    /// let stack = green::LifoQueue::unbounded();
    /// stack.put(1).unwrap();
    /// stack.put(2).unwrap();
    /// assert_eq!(stack.get(), Ok(2));
    /// ```
    pub struct LifoQueue<T>(Lifo<T>, OneThread);
}

queue! {
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
    pub struct PriorityQueue<T: Ord>(Lowest<T>, OneThread);
}

/// The items of a queue, as they come: made by [`Queue::iter`].
///
/// ```
/// let queue = green::Queue::unbounded();
/// (0..3).for_each(|n| queue.put(n).unwrap());
/// queue.shutdown(false);
/// assert_eq!(queue.iter().sum::<u32>(), 3);
/// ```
#[derive(Debug)]
pub struct Iter<'a, Q>(pub(crate) &'a Q);
