//! What all queues are made of.

use super::change::Held;
use super::order::Order;
use super::state::{Contents, Refused};
use super::{GetError, PutError, TooManyDone};
use crate::primitives::local_or_shared::{OneThread, Sharing, WaiterOf};

/// A queue in the order `O`, shared as `S` says. The public queues are faces of it: see `face.rs`.
pub(crate) struct Ordered<T, O: Order<T>, S: Sharing = OneThread> {
    pub(super) gate: S::Gate,
    pub(super) state: S::Cell<Held<T, O, WaiterOf<S>>>,
}

impl<T, O: Order<T>, S: Sharing> Ordered<T, O, S> {
    /// With room for any number of items if no `capacity` is given.
    pub(crate) fn new(capacity: Option<usize>) -> Self {
        Self::with(O::default(), capacity)
    }

    pub(crate) fn with(items: O, capacity: Option<usize>) -> Self {
        Ordered {
            gate: S::Gate::default(),
            state: S::cell(Held::Here(Contents::new(items, capacity))),
        }
    }

    #[inline]
    pub(crate) fn try_put(&self, item: T) -> Result<(), PutError<T>> {
        match self.change(item, Contents::try_put) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(Refused::Full(item))) => Err(PutError::Full(item)),
            Ok(Err(Refused::Shut(item))) => Err(PutError::Shutdown(item)),
            Err(item) => self.put_aside(item),
        }
    }

    #[inline]
    pub(crate) fn try_get(&self) -> Result<T, GetError> {
        let got = self.change((), |state, (), woken| state.get(woken));
        got.unwrap_or(Err(GetError::Busy))
    }

    pub(crate) fn len(&self) -> usize {
        self.read(|state| state.len(), |facts| facts.len)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.read(|state| state.is_full(), |facts| facts.full)
    }

    pub(crate) fn capacity(&self) -> Option<usize> {
        self.read(|state| state.capacity(), |facts| facts.capacity)
    }

    pub(crate) fn putting(&self) -> usize {
        self.read(|state| state.putting(), |facts| facts.putting)
    }

    pub(crate) fn getting(&self) -> usize {
        self.read(|state| state.getting(), |facts| facts.getting)
    }

    pub(crate) fn resize(&self, capacity: Option<usize>) {
        self.change_or_panic(|state, woken| state.resize(capacity, woken));
    }

    pub(crate) fn shut_down(&self, immediate: bool) {
        let drained = self.change_or_panic(|state, woken| state.shut_down(immediate, woken));
        drop(drained);
    }

    pub(crate) fn is_shut(&self) -> bool {
        self.read(|state| state.shut, |facts| facts.shut)
    }

    pub(crate) fn task_done(&self) -> Result<(), TooManyDone> {
        self.change_or_panic(Contents::task_done)
            .then_some(())
            .ok_or(TooManyDone)
    }

    pub(crate) fn unfinished(&self) -> usize {
        self.read(|state| state.unfinished(), |facts| facts.unfinished)
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
