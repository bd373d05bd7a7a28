//! A queue's state, and how it is changed where its order asks code of the user.
//!
//! Code of the user runs under no lock and no borrow of ours. The state is taken out for it: who asks meanwhile gets the
//! facts from before the change, who wants to change it waits at the gate if that is another thread, and is refused if it
//! is that very code. Nothing can wait in it, so no other greenthread of the thread comes by.

use super::order::Order;
use super::state::{Facts, QueueState};
use super::{Ordered, error};
use crate::primitives::local_or_shared::{Sharing, WaiterOf, Woken, change};
use crate::runtime::Runtime;

/// What the cell of a queue holds.
pub(super) enum Held<T, O, W> {
    Here(QueueState<T, O, W>),
    /// It is being changed by code of the user.
    Away(Facts),
}

/// The state of a queue, taken out. It goes back when this is dropped.
struct Out<'a, T, O: Order<T>, S: Sharing> {
    queue: &'a Ordered<T, O, S>,
    /// `None` only while it is dropped.
    state: Option<QueueState<T, O, WaiterOf<S>>>,
}

impl<'a, T, O: Order<T>, S: Sharing> Out<'a, T, O, S> {
    /// `None` says that it is out.
    fn of(queue: &'a Ordered<T, O, S>) -> Option<Self> {
        S::with(&queue.state, |held| match held {
            Held::Here(state) => {
                let away = Held::Away(state.facts());
                match std::mem::replace(held, away) {
                    Held::Here(state) => Some(state),
                    Held::Away(_) => None,
                }
            }
            Held::Away(_) => None,
        })
        .map(|state| Out {
            queue,
            state: Some(state),
        })
    }
}

impl<T, O: Order<T>, S: Sharing> Drop for Out<'_, T, O, S> {
    fn drop(&mut self) {
        if let Some(state) = self.state.take() {
            S::with(&self.queue.state, |held| *held = Held::Here(state));
        }
    }
}

impl<T, O: Order<T>, S: Sharing> Ordered<T, O, S> {
    /// Asks something of the state, or of what is known of it while it is out.
    #[inline]
    pub(super) fn read<R>(
        &self,
        here: impl FnOnce(&QueueState<T, O, WaiterOf<S>>) -> R,
        away: impl FnOnce(&Facts) -> R,
    ) -> R {
        S::with(&self.state, |held| match held {
            Held::Here(state) => here(state),
            Held::Away(facts) => away(facts),
        })
    }

    /// Changes the state, and then wakes those whom that has served. `Err` gives `with` back: the caller is code that a
    /// change runs.
    #[inline]
    pub(super) fn change<A, R>(
        &self,
        with: A,
        f: impl FnOnce(&mut QueueState<T, O, WaiterOf<S>>, A, &mut Woken<WaiterOf<S>>) -> R,
    ) -> Result<R, A> {
        if O::ASKS {
            return self.change_out(with, f);
        }
        change::<S, _, _>(&self.state, |held, woken| match held {
            Held::Here(state) => Ok(f(state, with, woken)),
            Held::Away(_) => Err(with),
        })
    }

    #[inline(never)]
    fn change_out<A, R>(
        &self,
        with: A,
        f: impl FnOnce(&mut QueueState<T, O, WaiterOf<S>>, A, &mut Woken<WaiterOf<S>>) -> R,
    ) -> Result<R, A> {
        // Dropped as the last: who is woken finds the state in its place.
        let mut woken = Woken::new();
        let Some(_past) = S::enter(&self.gate) else {
            return Err(with);
        };
        let Some(mut out) = Out::of(self) else {
            return Err(with);
        };
        let Some(state) = &mut out.state else {
            return Err(with);
        };
        Ok(Runtime::with(|runtime| {
            runtime.without_switch(|| f(state, with, &mut woken))
        }))
    }

    /// Has code of the user look at the state. `None` says that the caller is such code.
    pub(super) fn look<R>(&self, f: impl FnOnce(&QueueState<T, O, WaiterOf<S>>) -> R) -> Option<R> {
        self.change_out((), |state, (), _| f(state)).ok()
    }

    /// As `change`, for those who can tell the caller by a panic only.
    pub(super) fn change_or_panic<R>(
        &self,
        f: impl FnOnce(&mut QueueState<T, O, WaiterOf<S>>, &mut Woken<WaiterOf<S>>) -> R,
    ) -> R {
        match self.change((), |state, (), woken| f(state, woken)) {
            Ok(result) => result,
            Err(()) => panic!("{}", error::BUSY),
        }
    }

    /// As `change`, at the beginning and the end of a wait.
    pub(super) fn change_in_wait<R>(
        &self,
        f: impl FnOnce(&mut QueueState<T, O, WaiterOf<S>>, &mut Woken<WaiterOf<S>>) -> R,
    ) -> R {
        match self.change((), |state, (), woken| f(state, woken)) {
            Ok(result) => result,
            Err(()) => unreachable!("code that a queue runs does not wait for that queue"),
        }
    }
}
