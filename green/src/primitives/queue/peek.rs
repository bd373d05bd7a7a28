//! Looking at the items of a queue without taking them.

use std::time::Duration;

use super::state::Want;
use super::{GetError, LifoQueue, Order, Ordered, PriorityQueue, Queue};
use crate::runtime::{Ended, Here, Runtime, Wait, Why};

/// Looking at items without taking them. It clones them; a clone that waits is refused that, as while the thread
/// unwinds: to all others it is as if looking took no time.
///
/// It is for queues of one thread.
macro_rules! looks {
    ($name:ident $(: $bound:ident)?) => {
        impl<T: Clone $(+ $bound)?> $name<T> {
            /// A clone of the next item, which stays in the queue. Waits for one if there is none.
            ///
            /// A rendezvous holds no items: there this waits until it gets room, or is shut down.
            ///
            /// # Errors
            /// As [`get`](Self::get).
            ///
            /// ```
            /// use std::time::Duration;
            ///
            /// let queue = green::Queue::unbounded();
            /// assert!(queue.peek_timeout(Duration::from_millis(1)).is_err());
            /// queue.put("first").unwrap();
            /// assert_eq!((queue.peek(), queue.get()), (Ok("first"), Ok("first")));
            /// ```
            pub fn peek(&self) -> Result<T, $crate::queue::GetError> {
                self.0.peek_for(None)
            }

            /// As [`peek`](Self::peek), but waits for at most `timeout`.
            ///
            /// # Errors
            /// As [`get_timeout`](Self::get_timeout).
            ///
            /// ```
            /// use std::time::Duration;
            ///
            /// let queue = green::Queue::<u8>::unbounded();
            /// let nothing = queue.peek_timeout(Duration::from_millis(1));
            /// assert_eq!(nothing, Err(green::queue::GetError::Empty));
            /// ```
            pub fn peek_timeout(&self, timeout: Duration) -> Result<T, $crate::queue::GetError> {
                self.0.peek_for(Some(timeout))
            }

            /// A clone of the next item, if there is one.
            ///
            /// # Errors
            /// As [`try_get`](Self::try_get).
            ///
            /// ```
            /// let queue = green::Queue::unbounded();
            /// queue.put("first").unwrap();
            /// assert_eq!(queue.try_peek(), Ok("first"));
            /// assert_eq!(queue.qsize(), 1);
            /// ```
            pub fn try_peek(&self) -> Result<T, $crate::queue::GetError> {
                self.0.try_peek()
            }

            /// A queue of its own with the same capacity and clones of the items.
            ///
            /// ```
            /// let queue = green::Queue::bounded(2);
            /// queue.put(1).unwrap();
            /// let copy = queue.copy();
            /// queue.get().unwrap();
            /// assert_eq!((queue.qsize(), copy.qsize()), (0, 1));
            /// ```
            ///
            /// # Panics
            /// If it is called by a comparison or a clone of the queue's items.
            #[must_use]
            pub fn copy(&self) -> Self {
                $name(self.0.copy())
            }
        }
    };
}

looks!(Queue);
looks!(LifoQueue);
looks!(PriorityQueue: Ord);

impl<T: Clone, O: Order<T>> Ordered<T, O> {
    pub(super) fn try_peek(&self) -> Result<T, GetError> {
        match self.len() {
            0 => Err(self.nothing()),
            _ => self.look_at_next(),
        }
    }

    fn nothing(&self) -> GetError {
        match self.is_shut() {
            true => GetError::Shutdown,
            false => GetError::Empty,
        }
    }

    /// Sees the next item, even one that is promised to a getter.
    fn look_at_next(&self) -> Result<T, GetError> {
        match self.look(|state| state.items().peek().cloned()) {
            Some(item) => item.ok_or_else(|| self.nothing()),
            None => Err(GetError::Busy),
        }
    }

    fn peek_for(&self, timeout: Option<Duration>) -> Result<T, GetError> {
        Runtime::with(|runtime| {
            runtime.spend();
            let deadline = runtime.deadline(timeout);
            let mut seen = self.try_peek();
            while matches!(seen, Err(GetError::Empty)) {
                let ended = runtime.wait::<Here, _, _>(Wait {
                    reason: self.reason("an item in a queue"),
                    deadline,
                    enter: |looker| {
                        self.change_in_wait(|state, _| {
                            let nothing = state.len() == 0 || state.items().len() == 0;
                            let waits = nothing && !state.shut;
                            waits.then(|| state.wait_for(Want::Look, looker))
                        })
                    },
                    leave: |place| self.change_in_wait(|state, _| state.leave(place)),
                    pass_on: || (),
                });
                seen = match ended {
                    Ended::Served | Ended::NotServed(Why::Again, _) => self.look_at_next(),
                    Ended::NotServed(Why::Expired, _) => return Err(GetError::Empty),
                    Ended::NotServed(Why::Unwinding, _) => return Err(GetError::Unwinding),
                };
            }
            seen
        })
    }

    fn copy(&self) -> Self
    where
        O: Clone,
    {
        match self.look(|state| state.items().clone()) {
            Some(items) => Self::with(items, self.capacity()),
            None => panic!("{}", super::error::BUSY),
        }
    }
}
