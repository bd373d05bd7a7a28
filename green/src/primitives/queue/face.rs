//! The public face of a queue, the same for each order and for one thread or all.
//!
//! A macro, so that each is a type of its own: documents and messages of the compiler call it by its name.

/// Declares a queue over [`Ordered`](super::ordered::Ordered), in an order and for one thread or all.
macro_rules! queue {
    (
        $(#[$doc:meta])*
        pub struct $name:ident<T $(: $bound:ident)?>($order:ident<T>, $sharing:ident);
    ) => {
        $(#[$doc])*
        pub struct $name<T $(: $bound)?>(Ordered<T, $order<T>, $sharing>);

        impl<T $(: $bound)?> $name<T> {
            /// A queue with room for `capacity` items. With none it is a rendezvous: see [`channel`](Self::channel).
            pub fn bounded(capacity: usize) -> Self {
                $name(Ordered::new(Some(capacity)))
            }

            /// A queue that always has room.
            pub fn unbounded() -> Self {
                $name(Ordered::new(None))
            }

            /// A rendezvous: a queue without room, where each `put` returns only when a `get` has taken its item.
            ///
            /// It is always both empty and full. `try_put` succeeds if somebody waits in `get`, and `try_get` if
            /// somebody
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

            /// Puts an item, and waits for room if there is none.
            ///
            /// # Errors
            /// [`PutError`](crate::queue::PutError), with the item: if the queue is shut down, or if there is no room
            /// and the thread unwinds, when
            /// nothing can wait.
            #[inline]
            pub fn put(&self, item: T) -> Result<(), $crate::queue::PutError<T>> {
                self.0.put_for(item, None)
            }

            /// As [`put`](Self::put), but waits for at most `timeout`. Zero lets the others run once.
            ///
            /// # Errors
            /// As `put`, and [`PutError::Full`](crate::queue::PutError::Full) if there was no room in that time.
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
            pub fn put_timeout(&self, item: T, timeout: ::std::time::Duration) -> Result<(), $crate::queue::PutError<T>> {
                self.0.put_for(item, Some(timeout))
            }

            /// Puts an item if there is room. It never switches.
            ///
            /// # Errors
            /// [`PutError::Full`](crate::queue::PutError::Full) or
            /// [`PutError::Shutdown`](crate::queue::PutError::Shutdown), with the item.
            #[inline]
            pub fn try_put(&self, item: T) -> Result<(), $crate::queue::PutError<T>> {
                self.0.try_put(item)
            }

            /// Takes the next item, and waits for one if there is none.
            ///
            /// # Errors
            /// If the queue is shut down and empty, or if it is empty and the thread unwinds, when nothing can wait.
            #[inline]
            pub fn get(&self) -> Result<T, $crate::queue::GetError> {
                self.0.get_for(None)
            }

            /// As [`get`](Self::get), but waits for at most `timeout`. Zero lets the others run once.
            ///
            /// # Errors
            /// As `get`, and [`GetError::Empty`](crate::queue::GetError::Empty) if there was no item in that time.
            ///
            /// ```
            /// use std::time::Duration;
            /// use green::queue::{GetError, Queue};
            ///
            /// let queue = Queue::<u8>::unbounded();
            /// assert_eq!(queue.get_timeout(Duration::from_millis(1)), Err(GetError::Empty));
            /// ```
            #[inline]
            pub fn get_timeout(&self, timeout: ::std::time::Duration) -> Result<T, $crate::queue::GetError> {
                self.0.get_for(Some(timeout))
            }

            /// Takes the next item if there is one. It never switches.
            ///
            /// # Errors
            /// [`GetError::Empty`](crate::queue::GetError::Empty) or
            /// [`GetError::Shutdown`](crate::queue::GetError::Shutdown).
            #[inline]
            pub fn try_get(&self) -> Result<T, $crate::queue::GetError> {
                self.0.try_get()
            }

            /// The items as they come, until the queue is shut down and empty. Taking one may wait.
            ///
            /// It also ends if it would have to wait while the thread unwinds.
            pub fn iter(&self) -> $crate::queue::Iter<'_, Self> {
                $crate::queue::Iter(self)
            }

            /// How many items are in the queue. Those on their way to a getter that was woken do not count.
            ///
            /// This, [`is_empty`](Self::is_empty) and [`is_full`](Self::is_full) stay true until the next switch.
            pub fn qsize(&self) -> usize {
                self.0.len()
            }

            /// True if no item is in the queue: always, if it is a rendezvous. For every other queue, the next `get`
            /// waits.
            pub fn is_empty(&self) -> bool {
                self.qsize() == 0
            }

            /// True if the next `put` waits.
            pub fn is_full(&self) -> bool {
                self.0.is_full()
            }

            /// For how many items there is room; `None` if for any number.
            pub fn capacity(&self) -> Option<usize> {
                self.0.capacity()
            }

            /// How many greenthreads wait in `put`.
            pub fn putting(&self) -> usize {
                self.0.putting()
            }

            /// How many greenthreads wait in `get` or `peek`.
            pub fn getting(&self) -> usize {
                self.0.getting()
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
                self.0.resize(capacity);
            }

            /// Ends the queue: from now on `put` fails, and `get` does when the items are used up.
            ///
            /// Those who wait in `put` get their item back with
            /// [`PutError::Shutdown`](crate::queue::PutError::Shutdown), those who wait in `get`
            /// [`GetError::Shutdown`](crate::queue::GetError::Shutdown). If `immediate`, the items that are in the
            /// queue are dropped, and taken off the number of
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
                self.0.shut_down(immediate);
            }

            /// True if the queue was shut down.
            pub fn is_shutdown(&self) -> bool {
                self.0.is_shut()
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
            pub fn task_done(&self) -> Result<(), $crate::queue::TooManyDone> {
                self.0.task_done()
            }

            /// How many items were put and not reported as done.
            pub fn unfinished_tasks(&self) -> usize {
                self.0.unfinished()
            }

            /// Waits until every item that was put has been reported as done; returns at once if there is none.
            ///
            /// True, but for a thread that unwinds, when nothing can wait and tasks may be unfinished.
            pub fn join(&self) -> bool {
                self.0.join_for(None)
            }

            /// As [`join`](Self::join), for at most `timeout`. False if the time was up first.
            pub fn join_timeout(&self, timeout: ::std::time::Duration) -> bool {
                self.0.join_for(Some(timeout))
            }
        }

        impl<T $(: $bound)?> Default for $name<T> {
            /// [`unbounded`](Self::unbounded).
            fn default() -> Self {
                Self::unbounded()
            }
        }

        impl<T $(: $bound)?> ::std::fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                // What is written to is code of the user: the state is not borrowed meanwhile.
                f.debug_struct(stringify!($name))
                    .field("qsize", &self.qsize())
                    .field("capacity", &self.capacity())
                    .field("getting", &self.getting())
                    .field("putting", &self.putting())
                    .field("unfinished", &self.unfinished_tasks())
                    .field("shut", &self.is_shutdown())
                    .finish()
            }
        }

        impl<'a, T $(: $bound)?> IntoIterator for &'a $name<T> {
            type Item = T;
            type IntoIter = $crate::queue::Iter<'a, $name<T>>;

            fn into_iter(self) -> Self::IntoIter {
                self.iter()
            }
        }

        impl<T $(: $bound)?> Iterator for $crate::queue::Iter<'_, $name<T>> {
            type Item = T;

            fn next(&mut self) -> Option<T> {
                self.0.get().ok()
            }
        }
    };
}

pub(crate) use queue;
