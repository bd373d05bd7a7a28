//! Primitives that all OS threads share: `Send`, `Sync`, and waking greenthreads in any of them.
//!
//! They have the interface of those at the root of the crate, which serve one OS thread and cost less. A greenthread
//! that waits here parks; the call that ends the wait wakes its thread's hub. A plain OS thread may use them as well:
//! it is the root greenthread of its own hub.
//!
//! ```
//! use std::sync::Arc;
//! use green::sync::Semaphore;
//!
//! let ready = Arc::new(Semaphore::new(0));
//! let thread = std::thread::spawn({
//!     let ready = Arc::clone(&ready);
//!     move || ready.release()
//! });
//! ready.acquire().forget(); // other greenthreads of this thread run meanwhile
//! thread.join().unwrap();
//! ```
//!
//! What can be asked of each of the queues:
//!
//! ```
//! use std::time::Duration;
//!
//! let queue = green::sync::Queue::bounded(2);
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
//! assert_eq!(green::sync::Queue::<u8>::unbounded().capacity(), None);
//! ```

use crate::event::OneShot;
pub use crate::primitives::local_or_shared::{OneThread, Shared, Sharing};
use crate::queue::face::queue;
use crate::queue::{Fifo, Lifo, Lowest, Ordered};
use crate::semaphore::Counting;

/// A semaphore for the greenthreads of all OS threads: see [`Counting`].
///
/// ```
/// fn shared<T: Send + Sync>() {}
/// shared::<green::sync::Semaphore>();
/// ```
pub type Semaphore = Counting<Shared>;

queue! {
    /// A queue, first in and first out, for the greenthreads of all OS threads: see [`green::Queue`](crate::Queue).
    ///
    /// ```
    /// use std::sync::Arc;
    /// use green::sync::Queue;
    ///
    /// let queue = Arc::new(Queue::bounded(1));
    /// let producer = Arc::clone(&queue);
    /// let thread = std::thread::spawn(move || {
    ///     for i in 0..3 {
    ///         producer.put(i).unwrap();
    ///     }
    ///     producer.shutdown(false);
    /// });
    /// assert_eq!(queue.iter().collect::<Vec<_>>(), [0, 1, 2]);
    /// thread.join().unwrap();
    /// ```
    pub struct Queue<T>(Fifo<T>, Shared);
}

queue! {
    /// As [`Queue`], last in and first out.
    ///
    /// ```
    /// let stack = green::sync::LifoQueue::unbounded();
    /// stack.put(1).unwrap();
    /// stack.put(2).unwrap();
    /// assert_eq!(stack.get(), Ok(2));
    /// ```
    pub struct LifoQueue<T>(Lifo<T>, Shared);
}

queue! {
    /// As [`Queue`], the lowest first: see [`PriorityQueue`](crate::PriorityQueue).
    ///
    /// ```
    /// use std::sync::Arc;
    /// use green::sync::PriorityQueue;
    ///
    /// let jobs = Arc::new(PriorityQueue::unbounded());
    /// let sender = Arc::clone(&jobs);
    /// let thread = std::thread::spawn(move || [3, 1, 2].map(|n| sender.put(n).unwrap()));
    /// thread.join().unwrap();
    /// assert_eq!(jobs.get(), Ok(1));
    /// ```
    pub struct PriorityQueue<T: Ord>(Lowest<T>, Shared);
}

/// An event for the greenthreads of all OS threads: see [`OneShot`].
///
/// ```
/// use std::sync::Arc;
/// use green::sync::Event;
///
/// let done = Arc::new(Event::new());
/// let sender = Arc::clone(&done);
/// let thread = std::thread::spawn(move || sender.send(42).unwrap());
/// assert_eq!(done.wait().unwrap(), 42);
/// thread.join().unwrap();
/// ```
pub type Event<T> = OneShot<T, Shared>;
