//! Looking at the items of a queue without taking them.

use std::time::Duration;

use super::order::Order;
use super::state::Want;
use super::{GetError, Ordered};
use crate::primitives::sharing::{Local, Reach, change};
use crate::runtime::{Ended, Here, Runtime, Wait, Why};

/// Looking at items without taking them. It clones them, which is code of the user, so it is not for queues that
/// threads share under a lock.
impl<T: Clone, O: Order<T>> Ordered<T, O> {
    /// A clone of the next item, which stays in the queue. Waits for one if there is none.
    ///
    /// A rendezvous holds no items: there this waits until it gets room, or is shut down.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn peek(&self) -> Result<T, GetError> {
        self.peek_for(None)
    }

    /// As [`peek`](Self::peek), but waits for at most `timeout`.
    ///
    /// # Errors
    /// As [`get_timeout`](Self::get_timeout).
    pub fn peek_timeout(&self, timeout: Duration) -> Result<T, GetError> {
        self.peek_for(Some(timeout))
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
    pub fn try_peek(&self) -> Result<T, GetError> {
        match self.qsize() {
            0 => Err(self.nothing()),
            _ => self.look(),
        }
    }

    fn nothing(&self) -> GetError {
        match self.is_shutdown() {
            true => GetError::Shutdown,
            false => GetError::Empty,
        }
    }

    /// Sees the next item, even one that is promised to a getter.
    fn look(&self) -> Result<T, GetError> {
        let lent = Lent::of(self);
        lent.items.peek().cloned().ok_or_else(|| self.nothing())
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
                        Local::with(&self.state, |state| {
                            Some(state.wait_for(Want::Look, looker))
                        })
                    },
                    leave: |place| Local::with(&self.state, |state| state.leave(place)),
                    pass_on: || (),
                });
                seen = match ended {
                    Ended::Served | Ended::NotServed(Why::Again, _) => self.look(),
                    Ended::NotServed(Why::Expired, _) => return Err(GetError::Empty),
                    Ended::NotServed(Why::Unwinding, _) => return Err(GetError::Unwinding),
                };
            }
            seen
        })
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
    #[must_use]
    pub fn copy(&self) -> Self
    where
        O: Clone,
    {
        let items = Lent::of(self).items.clone();
        Self::with(items, self.capacity())
    }
}

/// The items of a queue, lent for as long as code of the user looks at them: it may wait, panic or use the queue, and
/// still none is lost.
struct Lent<'a, T, O: Order<T>> {
    queue: &'a Ordered<T, O>,
    items: O,
}

impl<'a, T, O: Order<T>> Lent<'a, T, O> {
    fn of(queue: &'a Ordered<T, O>) -> Lent<'a, T, O> {
        let items = Local::with(&queue.state, |state| state.lend());
        Lent { queue, items }
    }
}

impl<T, O: Order<T>> Drop for Lent<'_, T, O> {
    fn drop(&mut self) {
        let items = std::mem::take(&mut self.items);
        change::<Local, _, _>(&self.queue.state, |state, woken| {
            state.restore(items, woken)
        });
    }
}
