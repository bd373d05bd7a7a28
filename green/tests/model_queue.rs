//! Queues against a model: nothing lost, nothing twice, order kept on both sides, counters true.

mod model;

use std::cell::Cell;
use std::collections::VecDeque;
use std::time::Duration;

use green::Queue;
use green::queue::{GetError, PutError};
use model::{Model, Ready, Subject, compare, scripts};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Call {
    Put,
    Get,
    Join,
}

#[derive(Clone, Copy, Debug)]
enum Direct {
    TryPut,
    TryGet,
    TryPeek,
    TaskDone,
    Resize(Option<usize>),
    Shutdown(bool),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Out {
    /// The put of this item.
    Put(u32, Result<(), PutError<u32>>),
    Got(Result<u32, GetError>),
    Done(bool),
}

/// A queue of numbers, given out in the order of the calls of `put`.
struct Numbered {
    queue: Queue<u32>,
    next: Cell<u32>,
}

impl Numbered {
    fn next(&self) -> u32 {
        self.next.replace(self.next.get() + 1)
    }
}

impl Subject for Numbered {
    type Call = Call;
    type Direct = Direct;
    type Out = Out;
    /// Size, full, putting, getting, unfinished.
    type Facts = (usize, bool, usize, usize, usize);

    fn call(&self, call: Call, timeout: Option<Duration>) -> Out {
        let queue = &self.queue;
        match (call, timeout) {
            (Call::Put, timeout) => {
                let item = self.next();
                Out::Put(
                    item,
                    match timeout {
                        Some(timeout) => queue.put_timeout(item, timeout),
                        None => queue.put(item),
                    },
                )
            }
            (Call::Get, Some(timeout)) => Out::Got(queue.get_timeout(timeout)),
            (Call::Get, None) => Out::Got(queue.get()),
            (Call::Join, Some(timeout)) => Out::Done(queue.join_timeout(timeout)),
            (Call::Join, None) => Out::Done(queue.join()),
        }
    }

    fn direct(&self, direct: Direct) -> Out {
        match direct {
            Direct::TryPut => {
                let item = self.next();
                return Out::Put(item, self.queue.try_put(item));
            }
            Direct::TryGet => return Out::Got(self.queue.try_get()),
            Direct::TryPeek => return Out::Got(self.queue.try_peek()),
            Direct::TaskDone => return Out::Done(self.queue.task_done().is_ok()),
            Direct::Resize(capacity) => self.queue.resize(capacity),
            Direct::Shutdown(immediate) => self.queue.shutdown(immediate),
        }
        Out::Done(true)
    }

    fn facts(&self) -> Self::Facts {
        let queue = &self.queue;
        (
            queue.qsize(),
            queue.is_full(),
            queue.putting(),
            queue.getting(),
            queue.unfinished_tasks(),
        )
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Waits {
    Get,
    /// With its item.
    Put(u32),
    Join,
    /// A getter that was woken and has yet to take its item.
    Promised,
    /// Was woken, and has only to say so.
    Ends(Out),
}

#[derive(Default)]
struct Ideal {
    capacity: Option<usize>,
    stored: VecDeque<u32>,
    /// Items in the hands of those who put them, in line. `None` is the hand of one that is gone.
    held: VecDeque<(Option<usize>, u32)>,
    getters: VecDeque<usize>,
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
    fn next(&mut self) -> u32 {
        self.next += 1;
        self.next - 1
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
        self.stored.push_back(item);
        self.unfinished += 1;
    }

    fn serve(&mut self, ready: &mut Ready) {
        while self.available() > self.promised
            && let Some(getter) = self.getters.pop_front()
        {
            self.promised += 1;
            self.wake(getter, Waits::Promised, ready);
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
        if let Some(item) = self.stored.pop_front() {
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
            for getter in std::mem::take(&mut self.getters) {
                self.wake(
                    getter,
                    Waits::Ends(Out::Got(Err(GetError::Shutdown))),
                    ready,
                );
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

    fn leave(&mut self, actor: usize) {
        self.getters.retain(|&other| other != actor);
        self.joiners.retain(|&other| other != actor);
        self.held.retain(|&(putter, _)| putter != Some(actor));
    }
}

impl Model<Numbered> for Ideal {
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
            Call::Get if self.available() > self.promised => Some(Out::Got(self.take(ready))),
            Call::Get if self.shut => Some(Out::Got(Err(GetError::Shutdown))),
            Call::Get => {
                self.getters.push_back(actor);
                self.set(actor, Waits::Get);
                None
            }
            Call::Join if self.unfinished == 0 => Some(Out::Done(true)),
            Call::Join => {
                self.joiners.push_back(actor);
                self.set(actor, Waits::Join);
                None
            }
        }
    }

    fn resume(&mut self, actor: usize, ready: &mut Ready) -> Out {
        match self.waits(actor) {
            Waits::Promised => {
                self.promised -= 1;
                Out::Got(self.take(ready))
            }
            Waits::Ends(out) => out,
            waits => panic!("{actor} runs though it {waits:?}"),
        }
    }

    fn expire(&mut self, actor: usize, _: &mut Ready) -> Out {
        self.leave(actor);
        match self.waits(actor) {
            Waits::Get => Out::Got(Err(GetError::Empty)),
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
                } else if self.capacity == Some(0) && !self.getters.is_empty() {
                    self.held.push_back((None, item));
                } else {
                    return Out::Put(item, Err(PutError::Full(item)));
                }
                self.serve(ready);
                return Out::Put(item, Ok(()));
            }
            Direct::TryGet if self.available() > self.promised => {
                return Out::Got(self.take(ready));
            }
            Direct::TryGet => return Out::Got(Err(self.nothing())),
            Direct::TryPeek => {
                let next = self.stored.front().filter(|_| self.facts().0 > 0);
                return Out::Got(next.copied().ok_or(self.nothing()));
            }
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
        assert!(
            self.out.is_sorted_by(|a, b| a < b),
            "not in order: {:?}",
            self.out
        );
    }

    fn facts(&self) -> (usize, bool, usize, usize, usize) {
        let gone = match self.capacity {
            Some(0) => self
                .held
                .iter()
                .filter(|(putter, _)| putter.is_none())
                .count(),
            _ => 0,
        };
        (
            (self.stored.len() + gone).saturating_sub(self.promised),
            !self.has_room(),
            self.held
                .iter()
                .filter(|(putter, _)| putter.is_some())
                .count(),
            self.getters.len(),
            self.unfinished,
        )
    }
}

fn capacities() -> impl Strategy<Value = Option<usize>> {
    prop_oneof![2 => Just(Some(0)), 3 => (1..3_usize).prop_map(Some), 1 => Just(None)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn a_queue_does_as_its_model(
        capacity in capacities(),
        script in scripts(
            prop_oneof![5 => Just(Call::Put), 5 => Just(Call::Get), 1 => Just(Call::Join)],
            prop_oneof![
                8 => Just(Direct::TryPut),
                8 => Just(Direct::TryGet),
                3 => Just(Direct::TryPeek),
                3 => Just(Direct::TaskDone),
                3 => capacities().prop_map(Direct::Resize),
                // Immediate ones only: of a graceful one the model does not know that the item of a getter which was
                // served and then killed goes to the getter behind it.
                1 => Just(Direct::Shutdown(true)),
            ],
            80,
        ),
    ) {
        let queue = move || Numbered {
            queue: capacity.map_or_else(Queue::unbounded, Queue::bounded),
            next: Cell::new(0),
        };
        let ideal = Ideal { capacity, ..Ideal::default() };
        compare(queue, ideal, &script);
    }
}
