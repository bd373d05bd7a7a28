//! The model of a queue.

use std::collections::VecDeque;

use green::queue::{GetError, PutError};

use crate::engine::{Model, Ready};
use crate::numbers::Numbers;
use crate::queue::{Call, Direct, Kind, Numbered, Out};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Waits {
    Get,
    Look,
    /// With its item.
    Put(u32),
    Join,
    /// A getter that was woken and has yet to take its item.
    Promised,
    /// One who looks, and was woken to do so.
    Looks,
    /// A getter that was woken by a shutdown, and looks once more.
    Again,
    /// Was woken, and has only to say so.
    Ends(Out),
}

/// A queue as one would explain it. Who waits for an item is promised one, and takes the next when it runs.
#[derive(Default)]
pub(crate) struct Ideal {
    kind: Kind,
    capacity: Option<usize>,
    stored: Vec<u32>,
    /// Items in the hands of those who put them, in line. `None` is the hand of one that is gone.
    held: VecDeque<(Option<usize>, u32)>,
    /// Each with whether it takes the item or only looks.
    getters: VecDeque<(usize, bool)>,
    joiners: VecDeque<usize>,
    promised: usize,
    unfinished: usize,
    shut: bool,
    next: u32,
    waits: Vec<(usize, Waits)>,
    /// All that came out, in order.
    out: Vec<u32>,
}

impl Ideal {
    pub(crate) fn new(kind: Kind, capacity: Option<usize>, stored: Vec<u32>) -> Ideal {
        Ideal {
            kind,
            capacity,
            stored,
            ..Ideal::default()
        }
    }

    fn next(&mut self) -> u32 {
        self.next += 1;
        self.kind.item(self.next - 1)
    }

    /// Where the item stands that leaves next.
    fn first(&self) -> Option<usize> {
        match self.kind {
            Kind::Fifo => (!self.stored.is_empty()).then_some(0),
            Kind::Lifo => self.stored.len().checked_sub(1),
            Kind::Lowest => (0..self.stored.len()).min_by_key(|&at| self.stored[at]),
        }
    }

    fn look(&self) -> Result<u32, GetError> {
        self.first().map(|at| self.stored[at]).ok_or(self.nothing())
    }

    fn has_room(&self) -> bool {
        match self.capacity {
            None => true,
            Some(0) => false,
            Some(capacity) => self.stored.len() < capacity + self.promised,
        }
    }

    fn available(&self) -> usize {
        let held = if self.capacity == Some(0) && !self.shut {
            self.held.len()
        } else {
            0
        };
        self.stored.len() + held
    }

    pub(crate) fn has_item(&self) -> bool {
        self.available() > self.promised
    }

    fn set(&mut self, actor: usize, waits: Waits) {
        self.waits.retain(|(other, _)| *other != actor);
        self.waits.push((actor, waits));
    }

    fn waits(&self, actor: usize) -> Waits {
        self.waits
            .iter()
            .find(|(other, _)| *other == actor)
            .unwrap()
            .1
    }

    fn wake(&mut self, actor: usize, waits: Waits, ready: &mut Ready) {
        self.set(actor, waits);
        ready.push_back(actor);
    }

    fn store(&mut self, item: u32) {
        self.stored.push(item);
        self.unfinished += 1;
    }

    fn serve(&mut self, ready: &mut Ready) {
        while self.has_item() {
            // What a putter holds cannot be looked at.
            let stored = self.stored.len() > self.promised;
            let next = self.getters.iter().position(|&(_, takes)| takes || stored);
            let Some((getter, takes)) = next.and_then(|at| self.getters.remove(at)) else {
                return;
            };
            self.promised += usize::from(takes);
            let waits = if takes { Waits::Promised } else { Waits::Looks };
            self.wake(getter, waits, ready);
        }
    }

    fn refill(&mut self, ready: &mut Ready) {
        while self.has_room()
            && !self.shut
            && let Some((putter, item)) = self.held.pop_front()
        {
            self.store(item);
            if let Some(putter) = putter {
                self.wake(putter, Waits::Ends(Out::Put(item, Ok(()))), ready);
            }
        }
    }

    fn take(&mut self, ready: &mut Ready) -> Result<u32, GetError> {
        if let Some(at) = self.first() {
            let item = self.stored.remove(at);
            self.refill(ready);
            self.out.push(item);
            return Ok(item);
        }
        if let Some((putter, item)) = self.held.pop_front().filter(|_| !self.shut) {
            self.unfinished += 1;
            if let Some(putter) = putter {
                self.wake(putter, Waits::Ends(Out::Put(item, Ok(()))), ready);
            }
            self.out.push(item);
            return Ok(item);
        }
        Err(self.nothing())
    }

    fn nothing(&self) -> GetError {
        if self.shut {
            GetError::Shutdown
        } else {
            GetError::Empty
        }
    }

    fn end_join(&mut self, ready: &mut Ready) {
        while self.unfinished == 0
            && let Some(joiner) = self.joiners.pop_front()
        {
            self.wake(joiner, Waits::Ends(Out::Done(true)), ready);
        }
    }

    fn shut_down(&mut self, immediate: bool, ready: &mut Ready) {
        let mut put = Vec::new();
        if !self.shut {
            while self.stored.len() < self.promised
                && let Some((putter, item)) = self.held.pop_front()
            {
                self.store(item);
                put.extend(putter.map(|putter| (putter, item)));
            }
            for (putter, item) in std::mem::take(&mut self.held) {
                match putter {
                    None => self.store(item),
                    Some(_) => self.held.push_back((putter, item)),
                }
            }
            for (getter, takes) in std::mem::take(&mut self.getters) {
                let waits = if takes { Waits::Again } else { Waits::Looks };
                self.wake(getter, waits, ready);
            }
            for (putter, item) in std::mem::take(&mut self.held) {
                let out = Out::Put(item, Err(PutError::Shutdown(item)));
                self.wake(putter.unwrap(), Waits::Ends(out), ready);
            }
            self.shut = true;
        }
        for (putter, item) in put {
            self.wake(putter, Waits::Ends(Out::Put(item, Ok(()))), ready);
        }
        if immediate {
            self.unfinished -= self.stored.len().min(self.unfinished);
            self.stored.clear();
            self.end_join(ready);
        }
    }

    /// What can be had at once by those who come now.
    fn size(&self) -> usize {
        let gone = match self.capacity {
            Some(0) => self.held.iter().filter(|held| held.0.is_none()).count(),
            _ => 0,
        };
        (self.stored.len() + gone).saturating_sub(self.promised)
    }

    /// One who came to look and saw nothing.
    fn look_or_wait(&mut self, actor: usize) -> Option<Out> {
        if self.shut {
            return Some(Out::Got(Err(GetError::Shutdown)));
        }
        self.getters.push_back((actor, false));
        self.set(actor, Waits::Look);
        None
    }

    fn leave(&mut self, actor: usize) {
        self.getters.retain(|&(other, _)| other != actor);
        self.joiners.retain(|&other| other != actor);
        self.held.retain(|&(putter, _)| putter != Some(actor));
    }
}

impl<Q: Numbers> Model<Numbered<Q>> for Ideal {
    fn start(&mut self, actor: usize, call: Call, ready: &mut Ready) -> Option<Out> {
        match call {
            Call::Put => {
                let item = self.next();
                if self.shut {
                    return Some(Out::Put(item, Err(PutError::Shutdown(item))));
                }
                let room = self.has_room();
                match room {
                    true => self.store(item),
                    false => {
                        self.held.push_back((Some(actor), item));
                        self.set(actor, Waits::Put(item));
                    }
                }
                self.serve(ready);
                room.then_some(Out::Put(item, Ok(())))
            }
            Call::Get if self.has_item() => Some(Out::Got(self.take(ready))),
            Call::Get if self.shut => Some(Out::Got(Err(GetError::Shutdown))),
            Call::Get => {
                self.getters.push_back((actor, true));
                self.set(actor, Waits::Get);
                None
            }
            Call::Peek if self.size() > 0 && self.look().is_ok() => Some(Out::Got(self.look())),
            Call::Peek => self.look_or_wait(actor),
            Call::Join if self.unfinished == 0 => Some(Out::Done(true)),
            Call::Join => {
                self.joiners.push_back(actor);
                self.set(actor, Waits::Join);
                None
            }
        }
    }

    fn resume(&mut self, actor: usize, ready: &mut Ready) -> Option<Out> {
        match self.waits(actor) {
            Waits::Promised => {
                self.promised -= 1;
                Some(Out::Got(self.take(ready)))
            }
            Waits::Again if self.has_item() => Some(Out::Got(self.take(ready))),
            Waits::Again => Some(Out::Got(Err(GetError::Shutdown))),
            Waits::Looks => match self.look() {
                Err(GetError::Empty) => self.look_or_wait(actor),
                seen => Some(Out::Got(seen)),
            },
            Waits::Ends(out) => Some(out),
            waits => panic!("{actor} runs though it {waits:?}"),
        }
    }

    fn expire(&mut self, actor: usize, _: &mut Ready) -> Out {
        self.leave(actor);
        match self.waits(actor) {
            Waits::Get | Waits::Look => Out::Got(Err(GetError::Empty)),
            Waits::Put(item) => Out::Put(item, Err(PutError::Full(item))),
            Waits::Join => Out::Done(false),
            waits => panic!("{actor} expires though it {waits:?}"),
        }
    }

    fn kill(&mut self, actor: usize, ready: &mut Ready) {
        match self.waits(actor) {
            Waits::Promised => {
                self.promised -= 1;
                self.serve(ready);
            }
            Waits::Put(_) if self.available() <= self.promised => {
                // Its item is promised: only the hand is gone.
                let held = self
                    .held
                    .iter_mut()
                    .find(|(putter, _)| *putter == Some(actor));
                held.unwrap().0 = None;
            }
            _ => self.leave(actor),
        }
    }

    fn direct(&mut self, direct: Direct, ready: &mut Ready) -> Out {
        match direct {
            Direct::TryPut => {
                let item = self.next();
                if self.shut {
                    return Out::Put(item, Err(PutError::Shutdown(item)));
                }
                if self.has_room() {
                    self.store(item);
                } else if self.capacity == Some(0) && self.getters.iter().any(|&(_, takes)| takes) {
                    self.held.push_back((None, item));
                } else {
                    return Out::Put(item, Err(PutError::Full(item)));
                }
                self.serve(ready);
                return Out::Put(item, Ok(()));
            }
            Direct::TryGet if self.has_item() => {
                return Out::Got(self.take(ready));
            }
            Direct::TryGet => return Out::Got(Err(self.nothing())),
            Direct::TryPeek if self.size() > 0 => return Out::Got(self.look()),
            Direct::TryPeek => return Out::Got(Err(self.nothing())),
            Direct::TaskDone if self.unfinished == 0 => return Out::Done(false),
            Direct::TaskDone => {
                self.unfinished -= 1;
                self.end_join(ready);
            }
            Direct::Resize(capacity) => {
                self.capacity = capacity;
                self.refill(ready);
                self.serve(ready);
            }
            Direct::Shutdown(immediate) => self.shut_down(immediate, ready),
        }
        Out::Done(true)
    }

    /// Each item comes out once at most, and in order.
    fn check(&self) {
        let mut out = self.out.clone();
        let in_order = out.is_sorted_by(|a, b| a < b);
        assert!(self.kind != Kind::Fifo || in_order, "not in order: {out:?}");
        out.sort_unstable();
        assert!(out.is_sorted_by(|a, b| a < b), "twice: {out:?}");
    }

    fn facts(&self) -> (usize, bool, usize, usize, usize) {
        let putting = self.held.iter().filter(|(putter, _)| putter.is_some());
        (
            self.size(),
            !self.has_room(),
            putting.count(),
            self.getters.len(),
            self.unfinished,
        )
    }
}
