//! What a queue knows, and every change of it. Nothing here waits.

use crate::primitives::local_or_shared::Woken;
use crate::runtime::{Place, WaitList, Waiting, contain};

use super::GetError;
use super::Order;

/// What a getter waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    Take,
    /// To see the next item, and leave it where it is.
    Look,
}

/// How an attempt to put ended that did not wait.
pub(super) enum Refused<T> {
    Full(T),
    Shut(T),
}

/// The state of a queue.
///
/// A getter that waits is not given an item but the promise of one: it takes the item when it runs. So items leave in
/// the order of the queue whatever becomes of those who wait for them, and a getter that dies gives its promise to the
/// next. There are never fewer items than promises, but for a shutdown that drains the queue.
pub(super) struct Contents<T, O, W> {
    items: O,
    /// `usize::MAX` is unbounded. Zero is a rendezvous: items are not stored but stay with those who put them.
    capacity: usize,
    promised: usize,
    getters: WaitList<Want, W>,
    /// Each with its item. An item without a putter is one that may no longer be taken back.
    putters: WaitList<T, Option<W>>,
    pub(super) shut: bool,
    unfinished: usize,
    joiners: WaitList<(), W>,
}

impl<T, O: Order<T>, W: Waiting> Contents<T, O, W> {
    pub(super) fn new(items: O, capacity: Option<usize>) -> Contents<T, O, W> {
        Contents {
            unfinished: items.len(),
            items,
            capacity: capacity.unwrap_or(usize::MAX),
            promised: 0,
            getters: WaitList::new(),
            putters: WaitList::new(),
            shut: false,
            joiners: WaitList::new(),
        }
    }

    /// How many items there are for those who come now. What a putter still holds does not count.
    pub(super) fn len(&self) -> usize {
        let left = match self.capacity {
            0 => self
                .putters
                .iter()
                .filter(|(putter, _)| putter.is_none())
                .count(),
            _ => 0,
        };
        (self.items.len() + left).saturating_sub(self.promised)
    }

    pub(super) fn capacity(&self) -> Option<usize> {
        Some(self.capacity).filter(|&capacity| capacity != usize::MAX)
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.capacity == 0 || self.items.len() >= self.capacity.saturating_add(self.promised)
    }

    pub(super) fn putting(&self) -> usize {
        self.putters.parked()
    }

    pub(super) fn getting(&self) -> usize {
        self.getters.parked()
    }

    pub(super) fn unfinished(&self) -> usize {
        self.unfinished
    }

    /// Items that can be had: those stored and, of a rendezvous, those that wait to be.
    #[inline]
    fn available(&self) -> usize {
        match self.capacity {
            0 if !self.shut => self.items.len() + self.putters.len(),
            _ => self.items.len(),
        }
    }

    #[inline]
    fn add(&mut self, item: T, plan: usize) {
        self.unfinished += 1;
        self.items.push(item, plan);
    }

    /// Where the item would go of one who waits to put it. `None` if the order's code panics: that is no affair of the one
    /// for whom this is asked.
    #[inline]
    fn plan_for_another(items: &O, item: &T) -> Option<usize> {
        if !O::ASKS {
            return Some(items.plan_push(item));
        }
        let mut plan = None;
        contain("a comparison of the items of a queue", || {
            plan = Some(items.plan_push(item));
        });
        plan
    }

    /// Puts an item, if there is room for it.
    #[inline]
    pub(super) fn put(&mut self, item: T, woken: &mut Woken<W>) -> Result<(), Refused<T>> {
        if self.shut {
            return Err(Refused::Shut(item));
        }
        if self.is_full() {
            return Err(Refused::Full(item));
        }
        let plan = self.items.plan_push(&item);
        self.add(item, plan);
        self.serve(woken);
        Ok(())
    }

    /// True if somebody waits for an item that is not there.
    pub(super) fn is_wanted(&self) -> bool {
        let takes = |(getter, want): &(W, Want)| *want == Want::Take && getter.is_parked();
        self.getters.iter().any(takes)
    }

    /// As `put`, but a rendezvous has room for an item that somebody waits for: nobody will wait until it is taken.
    #[inline]
    pub(super) fn try_put(&mut self, item: T, woken: &mut Woken<W>) -> Result<(), Refused<T>> {
        if self.capacity == 0 && !self.shut && self.is_wanted() {
            self.putters.push(None, item);
            self.serve(woken);
            return Ok(());
        }
        self.put(item, woken)
    }

    /// As `put`, but an item for which there is no room waits in the line of putters. `Err` says shut down.
    pub(super) fn put_or_wait(
        &mut self,
        item: T,
        putter: W,
        woken: &mut Woken<W>,
    ) -> Result<Option<Place>, T> {
        match self.put(item, woken) {
            Ok(()) => Ok(None),
            Err(Refused::Shut(item)) => Err(item),
            Err(Refused::Full(item)) => {
                let place = self.putters.push(Some(putter), item);
                self.serve(woken);
                Ok(Some(place))
            }
        }
    }

    /// Takes a putter's item back from the line. `None` says that it is put: somebody has it, or was promised it.
    pub(super) fn withdraw(&mut self, place: Place, woken: &mut Woken<W>) -> Option<T> {
        if !self.shut && self.items.len() + self.putters.len() <= self.promised {
            self.putters.detach(place);
            return None;
        }
        let item = self.putters.leave(place);
        // It may have been in the way of others.
        self.refill(woken);
        item
    }

    /// True if an item can be had that is not promised.
    #[inline]
    pub(super) fn has_item(&self) -> bool {
        self.available() > self.promised
    }

    /// Takes the next item, if there is one that is not promised.
    #[inline]
    pub(super) fn get(&mut self, woken: &mut Woken<W>) -> Result<T, GetError> {
        let item = match self.has_item() {
            true => {
                let plan = self.items.plan_pop();
                self.take(plan, woken)
            }
            false => None,
        };
        item.ok_or(match self.shut {
            true => GetError::Shutdown,
            false => GetError::Empty,
        })
    }

    /// Takes the next item for one to whom it was promised. If it unwinds, the promise is still open.
    pub(super) fn redeem(&mut self, woken: &mut Woken<W>) -> Option<T> {
        let plan = self.items.plan_pop();
        self.promised -= 1;
        self.take(plan, woken)
    }

    /// Gives a promise to the next in line.
    pub(super) fn renounce(&mut self, woken: &mut Woken<W>) {
        self.promised -= 1;
        self.serve(woken);
    }

    pub(super) fn wait_for(&mut self, want: Want, getter: W) -> Place {
        self.getters.push(getter, want)
    }

    pub(super) fn leave(&mut self, place: Place) -> Option<Want> {
        self.getters.leave(place)
    }

    #[inline]
    fn take(&mut self, plan: usize, woken: &mut Woken<W>) -> Option<T> {
        if let Some(item) = self.items.pop(plan) {
            self.refill(woken);
            return Some(item);
        }
        if self.shut {
            return None;
        }
        let (putter, item) = self.putters.pop_any()?;
        self.unfinished += 1;
        woken.extend(putter);
        Some(item)
    }

    /// Stores the items of those who wait to put one, for as long as there is room.
    #[inline(always)]
    fn refill(&mut self, woken: &mut Woken<W>) {
        if !self.putters.is_empty() {
            self.store_waiting(woken);
        }
    }

    fn store_waiting(&mut self, woken: &mut Woken<W>) {
        while !self.shut
            && !self.is_full()
            && let Some((putter, item)) = self.putters.first()
        {
            let Some(plan) = Self::plan_for_another(&self.items, item) else {
                // It takes its item back and puts it itself, where the panic belongs.
                putter.wake();
                return;
            };
            let Some((putter, item)) = self.putters.pop_any() else {
                return;
            };
            self.add(item, plan);
            woken.extend(putter);
        }
    }

    /// Promises items to those who wait for one, for as long as there are both. What a putter holds is not there to be
    /// looked at: who only looks waits on, and those behind go ahead.
    #[inline(always)]
    pub(super) fn serve(&mut self, woken: &mut Woken<W>) {
        if !self.getters.is_empty() {
            self.serve_getters(woken);
        }
    }

    fn serve_getters(&mut self, woken: &mut Woken<W>) {
        while !self.getters.is_empty() && self.has_item() {
            let next = match self.items.len() > self.promised {
                true => self.getters.pop(),
                false => self.getters.pop_if(|want| *want == Want::Take),
            };
            let Some((getter, want)) = next else {
                return;
            };
            self.promised += usize::from(want == Want::Take);
            woken.push(getter);
        }
    }

    pub(super) fn resize(&mut self, capacity: Option<usize>, woken: &mut Woken<W>) {
        self.capacity = capacity.unwrap_or(usize::MAX);
        self.refill(woken);
        self.serve(woken);
    }

    /// Stores an item that nobody can take back. One that cannot be compared is behind the others.
    fn add_anyhow(&mut self, item: T) {
        let plan = Self::plan_for_another(&self.items, &item);
        self.add(item, plan.unwrap_or(self.items.len()));
    }

    /// Refuses all further items, and wakes everybody who waits. Gives what was drained.
    pub(super) fn shut_down(&mut self, drain: bool, woken: &mut Woken<W>) -> Option<O> {
        if !self.shut {
            while self.items.len() < self.promised
                && let Some((putter, item)) = self.putters.pop_any()
            {
                self.add_anyhow(item);
                woken.extend(putter);
            }
            while let Some(item) = self.putters.pop_detached() {
                self.add_anyhow(item);
            }
            self.shut = true;
            // They stay in their lists and so learn that they were not served.
            self.getters.iter().for_each(|(getter, _)| getter.wake());
            self.putters.iter().for_each(|(putter, _)| putter.wake());
        }
        drain.then(|| {
            let items = std::mem::take(&mut self.items);
            self.unfinished = self.unfinished.saturating_sub(items.len());
            self.end_join(woken);
            items
        })
    }

    /// One task less. False if there was none.
    pub(super) fn task_done(&mut self, woken: &mut Woken<W>) -> bool {
        let outstanding = self.unfinished > 0;
        if outstanding {
            self.unfinished -= 1;
            self.end_join(woken);
        }
        outstanding
    }

    fn end_join(&mut self, woken: &mut Woken<W>) {
        while self.unfinished == 0
            && let Some((joiner, ())) = self.joiners.pop()
        {
            woken.push(joiner);
        }
    }

    pub(super) fn join(&mut self, joiner: W) -> Option<Place> {
        (self.unfinished > 0).then(|| self.joiners.push(joiner, ()))
    }

    pub(super) fn leave_join(&mut self, place: Place) -> Option<()> {
        self.joiners.leave(place)
    }

    /// Stores what has come while this was elsewhere.
    pub(super) fn receive(&mut self, came: Vec<T>, woken: &mut Woken<W>) {
        for item in came {
            self.add_anyhow(item);
        }
        self.serve(woken);
    }

    pub(super) fn items(&self) -> &O {
        &self.items
    }

    /// What can be asked of it while it is elsewhere, for a change that may need `reserved` places.
    pub(super) fn facts(&self, reserved: usize) -> Facts {
        let size = match self.capacity {
            0 => 0,
            capacity => capacity.saturating_add(self.promised),
        };
        Facts {
            room: size.saturating_sub(self.items.len() + reserved),
            len: match self.capacity {
                0 => 0,
                _ => self.len(),
            },
            capacity: self.capacity(),
            full: self.is_full(),
            has_item: self.has_item(),
            putting: self.putters.len(),
            getting: self.getters.len(),
            unfinished: self.unfinished,
            shut: self.shut,
        }
    }
}

/// What a queue answers while code of the user runs in the middle of a change of it: as before that change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub(super) len: usize,
    /// How many more items code of the user may put.
    pub(super) room: usize,
    pub(super) capacity: Option<usize>,
    pub(super) full: bool,
    pub(super) has_item: bool,
    pub(super) putting: usize,
    pub(super) getting: usize,
    pub(super) unfinished: usize,
    pub(super) shut: bool,
}
