//! The calls of a queue that may wait.

use std::time::Duration;

use super::state::{Contents, Refused, Want};
use super::{GetError, Order, Ordered, PutError};
use crate::primitives::local_or_shared::Sharing;
use crate::runtime::{Ended, Reason, Runtime, Wait, Why};

impl<T, O: Order<T>, S: Sharing> Ordered<T, O, S> {
    pub(super) fn reason(&self, what: &'static str) -> Reason {
        Reason::Primitive(what, std::ptr::from_ref(self).addr())
    }

    #[inline]
    pub(crate) fn put_for(&self, item: T, timeout: Option<Duration>) -> Result<(), PutError<T>> {
        Runtime::with(|runtime| {
            runtime.spend();
            match self.change(item, Contents::put) {
                Ok(Ok(())) => Ok(()),
                Ok(Err(Refused::Full(item))) => self.wait_to_put(runtime, item, timeout),
                Ok(Err(Refused::Shut(item))) => Err(PutError::Shutdown(item)),
                Err(item) => self.put_aside(item),
            }
        })
    }

    #[inline(never)]
    fn wait_to_put(
        &self,
        runtime: &Runtime,
        mut item: T,
        timeout: Option<Duration>,
    ) -> Result<(), PutError<T>> {
        let deadline = runtime.deadline(timeout);
        loop {
            let mut refused = None;
            let ended = runtime.wait::<S::From, _, _>(Wait {
                reason: self.reason("room in a queue"),
                deadline,
                enter: |putter| {
                    let entered =
                        self.change_in_wait(|state, woken| state.put_or_wait(item, putter, woken));
                    entered.unwrap_or_else(|item| {
                        refused = Some(item);
                        None
                    })
                },
                leave: |place| self.change_in_wait(|state, woken| state.withdraw(place, woken)),
                pass_on: || (),
            });
            match ended {
                Ended::Served => {
                    return refused.map_or(Ok(()), |item| Err(PutError::Shutdown(item)));
                }
                Ended::NotServed(Why::Again, back) => item = back,
                Ended::NotServed(Why::Expired, item) => return Err(PutError::Full(item)),
                Ended::NotServed(Why::Unwinding, item) => return Err(PutError::Unwinding(item)),
            }
        }
    }

    #[inline]
    pub(crate) fn get_for(&self, timeout: Option<Duration>) -> Result<T, GetError> {
        Runtime::with(|runtime| {
            runtime.spend();
            match self.try_get() {
                Err(GetError::Empty) => self.wait_to_get(runtime, timeout),
                result => result,
            }
        })
    }

    #[inline(never)]
    fn wait_to_get(&self, runtime: &Runtime, timeout: Option<Duration>) -> Result<T, GetError> {
        let deadline = runtime.deadline(timeout);
        loop {
            let mut early = Err(GetError::Empty);
            let ended = runtime.wait::<S::From, _, _>(Wait {
                reason: self.reason("an item in a queue"),
                deadline,
                enter: |getter| {
                    self.change_in_wait(|state, woken| {
                        early = state.get(woken);
                        matches!(early, Err(GetError::Empty))
                            .then(|| state.wait_for(Want::Take, getter))
                    })
                },
                leave: |place| self.change_in_wait(|state, _| state.leave(place)),
                pass_on: || self.change_in_wait(Contents::renounce),
            });
            match ended {
                Ended::Served if !matches!(early, Err(GetError::Empty)) => return early,
                Ended::Served => {
                    if let Some(item) = Promise(self).redeem() {
                        return Ok(item);
                    }
                }
                Ended::NotServed(Why::Again, _) => {}
                Ended::NotServed(Why::Expired, _) => return Err(GetError::Empty),
                Ended::NotServed(Why::Unwinding, _) => return Err(GetError::Unwinding),
            }
        }
    }

    pub(crate) fn join_for(&self, timeout: Option<Duration>) -> bool {
        Runtime::with(|runtime| {
            runtime.spend();
            if self.unfinished() == 0 {
                return true;
            }
            if runtime.cannot_switch() {
                return false;
            }
            let deadline = runtime.deadline(timeout);
            loop {
                let ended = runtime.wait::<S::From, _, _>(Wait {
                    reason: self.reason("the end of the tasks of a queue"),
                    deadline,
                    enter: |joiner| self.change_in_wait(|state, _| state.join(joiner)),
                    leave: |place| self.change_in_wait(|state, _| state.leave_join(place)),
                    pass_on: || (),
                });
                match ended {
                    Ended::Served => return true,
                    Ended::NotServed(Why::Again, ()) => {}
                    Ended::NotServed(Why::Expired | Why::Unwinding, ()) => return false,
                }
            }
        })
    }
}

/// The promise of an item that somebody was woken with. Dropped, it goes to the next.
struct Promise<'a, T, O: Order<T>, S: Sharing>(&'a Ordered<T, O, S>);

impl<T, O: Order<T>, S: Sharing> Promise<'_, T, O, S> {
    /// `None` if a shutdown has drained the queue.
    fn redeem(self) -> Option<T> {
        let item = self.0.change_in_wait(Contents::redeem);
        std::mem::forget(self);
        item
    }
}

impl<T, O: Order<T>, S: Sharing> Drop for Promise<'_, T, O, S> {
    fn drop(&mut self) {
        self.0.change_in_wait(Contents::renounce);
    }
}
