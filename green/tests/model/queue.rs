//! Queues of all orders against a model: nothing lost, nothing twice, order kept on both sides, counters true.

use std::cell::Cell;
use std::time::Duration;

use green::queue::{GetError, PutError};
use green::{CappedSemaphore, LifoQueue, PriorityQueue, Queue};
use proptest::prelude::*;

use crate::engine::{Model, Ready, Step, Subject, compare, scripts};
use crate::numbers::Numbers;
use crate::queue_ideal::Ideal;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Call {
    Put,
    Get,
    Peek,
    Join,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Direct {
    TryPut,
    TryGet,
    TryPeek,
    TaskDone,
    Resize(Option<usize>),
    Shutdown(bool),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Out {
    /// The put of this item.
    Put(u32, Result<(), PutError<u32>>),
    Got(Result<u32, GetError>),
    Done(bool),
}

/// Which item leaves first.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Kind {
    #[default]
    Fifo,
    Lifo,
    Lowest,
}

impl Kind {
    /// The item of that number: no two are the same, and of an order of their own if that matters.
    pub(crate) fn item(self, number: u32) -> u32 {
        match self {
            Kind::Fifo | Kind::Lifo => number,
            Kind::Lowest => number * 7 % 5 * 1000 + number,
        }
    }
}

/// A queue of numbers, given out in the order of the calls of `put`.
pub(crate) struct Numbered<Q> {
    kind: Kind,
    queue: Q,
    next: Cell<u32>,
}

impl<Q> Numbered<Q> {
    fn next(&self) -> u32 {
        self.kind.item(self.next.replace(self.next.get() + 1))
    }
}

impl<Q: Numbers> Subject for Numbered<Q> {
    type Call = Call;
    type Direct = Direct;
    type Out = Out;
    /// Size, full, putting, getting, unfinished.
    type Facts = (usize, bool, usize, usize, usize);

    fn call(&self, call: Call, timeout: Option<Duration>) -> Out {
        let queue = &self.queue;
        match call {
            Call::Put => {
                let item = self.next();
                Out::Put(item, queue.put(item, timeout))
            }
            Call::Get => Out::Got(queue.get(timeout)),
            Call::Peek => Out::Got(queue.peek(timeout)),
            Call::Join => Out::Done(queue.join(timeout)),
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
        self.queue.facts()
    }
}

fn capacities() -> impl Strategy<Value = Option<usize>> {
    prop_oneof![2 => Just(Some(0)), 3 => (1..3_usize).prop_map(Some), 1 => Just(None)]
}

fn steps() -> impl Strategy<Value = Vec<Step<Call, Direct>>> {
    let calls = prop_oneof![
        5 => Just(Call::Put),
        5 => Just(Call::Get),
        1 => Just(Call::Peek),
        1 => Just(Call::Join),
    ];
    let directs = prop_oneof![
        8 => Just(Direct::TryPut),
        8 => Just(Direct::TryGet),
        3 => Just(Direct::TryPeek),
        3 => Just(Direct::TaskDone),
        3 => capacities().prop_map(Direct::Resize),
        1 => any::<bool>().prop_map(Direct::Shutdown),
    ];
    scripts(calls, directs, 80)
}

fn check<Q: Numbers>(kind: Kind, capacity: Option<usize>, script: &[Step<Call, Direct>]) {
    let queue = move || Numbered::<Q> {
        kind,
        queue: Q::with_capacity(capacity),
        next: Cell::new(0),
    };
    let ideal = Ideal::new(kind, capacity, Vec::new());
    compare(queue, ideal, script);
}

/// The same script in other words: a unit is put by a release and got by an acquire.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    Acquire,
    Release,
}

impl Subject for CappedSemaphore {
    type Call = Unit;
    type Direct = Unit;
    type Out = bool;
    /// Counter, balance, locked.
    type Facts = (usize, isize, bool);

    fn call(&self, call: Unit, timeout: Option<Duration>) -> bool {
        match (call, timeout) {
            (Unit::Acquire, None) => self.acquire(),
            (Unit::Acquire, Some(timeout)) => self.acquire_timeout(timeout),
            (Unit::Release, None) => self.release(),
            (Unit::Release, Some(timeout)) => self.release_timeout(timeout),
        }
    }

    fn direct(&self, direct: Unit) -> bool {
        match direct {
            Unit::Acquire => self.try_acquire(),
            Unit::Release => self.try_release(),
        }
    }

    fn facts(&self) -> (usize, isize, bool) {
        (self.counter(), self.balance(), self.is_locked())
    }
}

struct Units {
    queue: Ideal,
    limit: usize,
}

fn is_done(out: Out) -> bool {
    matches!(out, Out::Put(_, Ok(())) | Out::Got(Ok(_)))
}

/// What a unit is to a queue that only counts.
type Counted = Numbered<Queue<u32>>;

impl Model<CappedSemaphore> for Units {
    fn start(&mut self, actor: usize, call: Unit, ready: &mut Ready) -> Option<bool> {
        let call = match call {
            Unit::Acquire => Call::Get,
            Unit::Release => Call::Put,
        };
        Model::<Counted>::start(&mut self.queue, actor, call, ready).map(is_done)
    }

    fn resume(&mut self, actor: usize, ready: &mut Ready) -> Option<bool> {
        Model::<Counted>::resume(&mut self.queue, actor, ready).map(is_done)
    }

    fn expire(&mut self, actor: usize, ready: &mut Ready) -> bool {
        is_done(Model::<Counted>::expire(&mut self.queue, actor, ready))
    }

    fn kill(&mut self, actor: usize, ready: &mut Ready) {
        Model::<Counted>::kill(&mut self.queue, actor, ready);
    }

    fn direct(&mut self, direct: Unit, ready: &mut Ready) -> bool {
        let direct = match direct {
            Unit::Acquire => Direct::TryGet,
            Unit::Release => Direct::TryPut,
        };
        is_done(Model::<Counted>::direct(&mut self.queue, direct, ready))
    }

    fn facts(&self) -> (usize, isize, bool) {
        let (size, _, putting, getting, _) = Model::<Counted>::facts(&self.queue);
        let count = (size + putting).cast_signed() - getting.cast_signed();
        // What can be acquired, less what can be released.
        let balance = count - (self.limit.cast_signed() - count);
        (size, balance, !self.queue.has_item())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(768))]

    #[test]
    fn a_queue_does_as_its_model(capacity in capacities(), script in steps()) {
        check::<Queue<u32>>(Kind::Fifo, capacity, &script);
    }

    #[test]
    fn a_lifo_queue_does_as_its_model(capacity in capacities(), script in steps()) {
        check::<LifoQueue<u32>>(Kind::Lifo, capacity, &script);
    }

    #[test]
    fn a_priority_queue_does_as_its_model(capacity in capacities(), script in steps()) {
        check::<PriorityQueue<u32>>(Kind::Lowest, capacity, &script);
    }

    #[test]
    fn a_capped_semaphore_does_as_a_queue_of_units(
        (count, limit) in (0..4_usize).prop_flat_map(|limit| (0..=limit, Just(limit))),
        script in scripts(
            prop_oneof![Just(Unit::Acquire), Just(Unit::Release)],
            prop_oneof![Just(Unit::Acquire), Just(Unit::Release)],
            60,
        ),
    ) {
        let semaphore = move || CappedSemaphore::new(count, limit).unwrap();
        let queue = Ideal::new(Kind::Fifo, Some(limit), vec![0; count]);
        compare(semaphore, Units { queue, limit }, &script);
    }
}
