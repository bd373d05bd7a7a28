//! A pool of resources against a model: never more than its maximum, first come first served, nothing lost.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use green::pools::{Pool, PoolItem, TryPool};
use proptest::prelude::*;

use crate::engine::{Model, Ready, Subject, compare, scripts};

#[derive(Clone, Copy, Debug)]
struct Get;

#[derive(Clone, Copy, Debug)]
enum Direct {
    /// Gives one back, by its number modulo how many are out.
    Put(usize),
    /// Gives up one.
    Discard(usize),
    Resize(usize),
    /// Lets so many of the next creations fail.
    Fail(usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Out {
    Got(u32),
    Failed,
    Elapsed,
    Done,
}

/// Makes numbers, unless it is to fail.
#[derive(Default)]
struct Maker {
    next: Cell<u32>,
    failures: Cell<usize>,
}

impl Maker {
    fn make(&self) -> Result<u32, ()> {
        if let Some(left) = self.failures.get().checked_sub(1) {
            self.failures.set(left);
            return Err(());
        }
        Ok(self.next.replace(self.next.get() + 1))
    }
}

struct Resources {
    pool: TryPool<u32, ()>,
    maker: Rc<Maker>,
    out: RefCell<Vec<PoolItem<u32>>>,
}

impl Resources {
    fn new(max: usize, stack_order: bool) -> Resources {
        let maker = Rc::new(Maker::default());
        let create = Rc::clone(&maker);
        let mut builder = Pool::builder().max(max);
        if stack_order {
            builder = builder.stack_order();
        }
        Resources {
            pool: builder.try_create(move || create.make()).unwrap(),
            maker,
            out: RefCell::default(),
        }
    }

    fn pick(&self, number: usize) -> Option<PoolItem<u32>> {
        let mut out = self.out.borrow_mut();
        let at = number.checked_rem(out.len())?;
        Some(out.remove(at))
    }
}

impl Subject for Resources {
    type Call = Get;
    type Direct = Direct;
    type Out = Out;
    /// Free, waiting, and what is out.
    type Facts = (isize, usize, Vec<u32>);

    fn call(&self, _: Get, timeout: Option<Duration>) -> Out {
        let got = match timeout {
            Some(timeout) => self.pool.item_timeout(timeout),
            None => Some(self.pool.item()),
        };
        match got {
            Some(Ok(item)) => {
                let number = *item;
                self.out.borrow_mut().push(item);
                Out::Got(number)
            }
            Some(Err(())) => Out::Failed,
            None => Out::Elapsed,
        }
    }

    fn direct(&self, direct: Direct) -> Out {
        match direct {
            Direct::Put(number) => drop(self.pick(number)),
            Direct::Discard(number) => drop(self.pick(number).map(PoolItem::discard)),
            Direct::Resize(max) => self.pool.resize(max),
            Direct::Fail(times) => self.maker.failures.set(times),
        }
        Out::Done
    }

    fn facts(&self) -> (isize, usize, Vec<u32>) {
        let out = self.out.borrow().iter().map(|item| **item).collect();
        (self.pool.free(), self.pool.waiting(), out)
    }
}

/// What a waiter was given.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Grant {
    Item(u32),
    /// The right to make one.
    Room,
}

#[derive(Default)]
struct Ideal {
    max: usize,
    stack_order: bool,
    /// Those that exist, and those that are to be made.
    made: usize,
    most: usize,
    next: u32,
    failures: usize,
    idle: VecDeque<u32>,
    out: Vec<u32>,
    waiting: VecDeque<usize>,
    granted: Vec<(usize, Grant)>,
}

impl Ideal {
    fn make(&mut self, ready: &mut Ready) -> Out {
        if self.failures > 0 {
            self.failures -= 1;
            self.lose(ready);
            return Out::Failed;
        }
        self.next += 1;
        self.hand_out(self.next - 1)
    }

    fn hand_out(&mut self, item: u32) -> Out {
        self.out.push(item);
        Out::Got(item)
    }

    fn lose(&mut self, ready: &mut Ready) {
        self.made -= 1;
        self.offer_room(ready);
    }

    fn offer_room(&mut self, ready: &mut Ready) {
        while self.made < self.max
            && let Some(first) = self.waiting.pop_front()
        {
            self.made += 1;
            self.granted.push((first, Grant::Room));
            ready.push_back(first);
        }
    }

    fn put(&mut self, item: u32, ready: &mut Ready) {
        if self.made > self.max {
            self.made -= 1;
        } else if let Some(first) = self.waiting.pop_front() {
            self.granted.push((first, Grant::Item(item)));
            ready.push_back(first);
        } else if self.stack_order {
            self.idle.push_front(item);
        } else {
            self.idle.push_back(item);
        }
    }

    fn pick(&mut self, number: usize) -> Option<u32> {
        let at = number.checked_rem(self.out.len())?;
        Some(self.out.remove(at))
    }

    fn grant(&mut self, actor: usize) -> Option<Grant> {
        let at = self.granted.iter().position(|&(other, _)| other == actor)?;
        Some(self.granted.remove(at).1)
    }
}

impl Model<Resources> for Ideal {
    fn start(&mut self, actor: usize, _: Get, ready: &mut Ready) -> Option<Out> {
        if let Some(item) = self.idle.pop_front() {
            return Some(self.hand_out(item));
        }
        if self.made < self.max {
            self.made += 1;
            return Some(self.make(ready));
        }
        self.waiting.push_back(actor);
        None
    }

    fn resume(&mut self, actor: usize, ready: &mut Ready) -> Option<Out> {
        Some(match self.grant(actor)? {
            Grant::Item(item) => self.hand_out(item),
            Grant::Room => self.make(ready),
        })
    }

    fn expire(&mut self, actor: usize, _: &mut Ready) -> Out {
        self.waiting.retain(|&other| other != actor);
        Out::Elapsed
    }

    fn kill(&mut self, actor: usize, ready: &mut Ready) {
        self.waiting.retain(|&other| other != actor);
        match self.grant(actor) {
            Some(Grant::Item(item)) => self.put(item, ready),
            Some(Grant::Room) => self.lose(ready),
            None => {}
        }
    }

    fn direct(&mut self, direct: Direct, ready: &mut Ready) -> Out {
        match direct {
            Direct::Put(number) => {
                if let Some(item) = self.pick(number) {
                    self.put(item, ready);
                }
            }
            Direct::Discard(number) => {
                if self.pick(number).is_some() {
                    self.lose(ready);
                }
            }
            Direct::Resize(max) => {
                self.max = max;
                self.most = self.most.max(max);
                self.offer_room(ready);
                while self.made > max && self.idle.pop_back().is_some() {
                    self.made -= 1;
                }
            }
            Direct::Fail(times) => self.failures = times,
        }
        Out::Done
    }

    fn facts(&self) -> (isize, usize, Vec<u32>) {
        let granted = |(_, grant): &&(usize, Grant)| matches!(grant, Grant::Item(_));
        let items = self.idle.len() + self.out.len() + self.granted.iter().filter(granted).count();
        assert!(self.made >= items && self.made <= self.most.max(self.max));
        let free = self.max.cast_signed() - self.made.cast_signed();
        (
            free + self.idle.len().cast_signed(),
            self.waiting.len(),
            self.out.clone(),
        )
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(768))]

    #[test]
    fn a_pool_of_resources_does_as_its_model(
        max in 0..4_usize,
        stack_order in any::<bool>(),
        script in scripts(
            Just(Get),
            prop_oneof![
                6 => any::<usize>().prop_map(Direct::Put),
                2 => any::<usize>().prop_map(Direct::Discard),
                1 => (0..4_usize).prop_map(Direct::Resize),
                1 => (0..3_usize).prop_map(Direct::Fail),
            ],
            80,
        ),
    ) {
        let ideal = Ideal { max, most: max, stack_order, ..Ideal::default() };
        compare(move || Resources::new(max, stack_order), ideal, &script);
    }
}
