//! A queue's state, and how it is changed where its order asks code of the user.
//!
//! Code of the user runs under no lock and no borrow of ours. The state is taken out for it: who asks meanwhile gets the
//! facts from before the change, and another thread that wants to change it waits at the gate. Nothing can wait in that
//! code, so no other greenthread of the thread comes by. If it comes back to the queue itself, what it puts is stored after
//! the change, and every other change is refused.

use super::order::Order;
use super::state::{Contents, Facts};
use super::{Ordered, PutError, error};
use crate::primitives::local_or_shared::{Sharing, WaiterOf, Woken, change};
use crate::runtime::Runtime;

/// What the cell of a queue holds.
pub(super) enum Held<T, O, W> {
    Here(Contents<T, O, W>),
    /// It is being changed by code of the user.
    Away {
        facts: Facts,
        /// What that code has put meanwhile. `None` if it may not any more.
        came: Option<Vec<T>>,
    },
}

/// The state of a queue, taken out. It goes back when this is dropped.
struct Out<'a, T, O: Order<T>, S: Sharing> {
    queue: &'a Ordered<T, O, S>,
    /// `None` only while it is dropped.
    state: Option<Contents<T, O, WaiterOf<S>>>,
    /// Woken when the state is in its place.
    woken: Woken<WaiterOf<S>>,
}

impl<'a, T, O: Order<T>, S: Sharing> Out<'a, T, O, S> {
    /// Takes it out. The change itself may need `reserved` places. `None` says that it is out.
    fn of(queue: &'a Ordered<T, O, S>, reserved: usize) -> Option<Self> {
        let state = S::with(&queue.state, |held| {
            let Held::Here(state) = &*held else {
                return None;
            };
            let away = Held::Away {
                facts: state.facts(reserved),
                came: Some(Vec::new()),
            };
            match std::mem::replace(held, away) {
                Held::Here(state) => Some(state),
                Held::Away { .. } => None,
            }
        })?;
        Some(Out {
            queue,
            state: Some(state),
            woken: Woken::new(),
        })
    }
}

impl<T, O: Order<T>, S: Sharing> Drop for Out<'_, T, O, S> {
    fn drop(&mut self) {
        let Some(mut state) = self.state.take() else {
            return;
        };
        // Code of the user once more, which may put nothing this time: else this need not come to an end.
        let came = S::with(&self.queue.state, |held| match held {
            Held::Away { came, .. } => came.take(),
            Held::Here(_) => None,
        });
        if let Some(came) = came.filter(|came| !came.is_empty()) {
            let receive = || state.receive(came, &mut self.woken);
            Runtime::with(|runtime| runtime.without_switch(receive));
        }
        S::with(&self.queue.state, |held| *held = Held::Here(state));
    }
}

impl<T, O: Order<T>, S: Sharing> Ordered<T, O, S> {
    /// Asks something of the state, or of what is known of it while it is out.
    #[inline]
    pub(super) fn read<R>(
        &self,
        here: impl FnOnce(&Contents<T, O, WaiterOf<S>>) -> R,
        away: impl FnOnce(&Facts) -> R,
    ) -> R {
        S::with(&self.state, |held| match held {
            Held::Here(state) => here(state),
            Held::Away { facts, .. } => away(facts),
        })
    }

    /// Changes the state, and then wakes those whom that has served. `Err` gives `with` back: the caller is code that a
    /// change runs.
    #[inline]
    pub(super) fn change<A, R>(
        &self,
        with: A,
        f: impl FnOnce(&mut Contents<T, O, WaiterOf<S>>, A, &mut Woken<WaiterOf<S>>) -> R,
    ) -> Result<R, A> {
        if O::ASKS {
            return self.change_out(1, with, f);
        }
        change::<S, _, _>(&self.state, |held, woken| match held {
            Held::Here(state) => Ok(f(state, with, woken)),
            Held::Away { .. } => Err(with),
        })
    }

    #[inline(never)]
    fn change_out<A, R>(
        &self,
        reserved: usize,
        with: A,
        f: impl FnOnce(&mut Contents<T, O, WaiterOf<S>>, A, &mut Woken<WaiterOf<S>>) -> R,
    ) -> Result<R, A> {
        let Some(_past) = S::enter(&self.gate) else {
            return Err(with);
        };
        let Some(mut out) = Out::of(self, reserved) else {
            return Err(with);
        };
        let Out { state, woken, .. } = &mut out;
        let Some(state) = state else {
            return Err(with);
        };
        Ok(Runtime::with(|runtime| {
            runtime.without_switch(|| f(state, with, woken))
        }))
    }

    /// Puts an item for code that a change runs: it comes into the queue after that change.
    pub(super) fn put_aside(&self, item: T) -> Result<(), PutError<T>> {
        S::with(&self.state, |held| match held {
            Held::Away { facts, .. } if facts.shut => Err(PutError::Shutdown(item)),
            Held::Away {
                facts,
                came: Some(came),
            } if facts.room > 0 => {
                facts.room -= 1;
                facts.len += 1;
                facts.unfinished += 1;
                came.push(item);
                Ok(())
            }
            _ => Err(PutError::Busy(item)),
        })
    }

    /// Has code of the user look at the state. `None` says that the caller is such code.
    pub(super) fn look<R>(&self, f: impl FnOnce(&Contents<T, O, WaiterOf<S>>) -> R) -> Option<R> {
        self.change_out(0, (), |state, (), _| f(state)).ok()
    }

    /// As `change`, for those who can tell the caller by a panic only.
    pub(super) fn change_or_panic<R>(
        &self,
        f: impl FnOnce(&mut Contents<T, O, WaiterOf<S>>, &mut Woken<WaiterOf<S>>) -> R,
    ) -> R {
        match self.change((), |state, (), woken| f(state, woken)) {
            Ok(result) => result,
            Err(()) => panic!("{}", error::BUSY),
        }
    }

    /// As `change`, at the beginning and the end of a wait.
    pub(super) fn change_in_wait<R>(
        &self,
        f: impl FnOnce(&mut Contents<T, O, WaiterOf<S>>, &mut Woken<WaiterOf<S>>) -> R,
    ) -> R {
        match self.change((), |state, (), woken| f(state, woken)) {
            Ok(result) => result,
            Err(()) => unreachable!("code that a queue runs does not wait for that queue"),
        }
    }
}
