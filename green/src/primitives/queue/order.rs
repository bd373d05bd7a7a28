//! The orders in which a queue gives out what was put into it.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

/// The order of a queue: [`Fifo`], [`Lifo`] or [`Lowest`]. It cannot be implemented elsewhere.
#[allow(
    private_bounds,
    reason = "how items are stored is no part of the interface"
)]
pub trait Order<T>: Items<T> {}

impl<T> Order<T> for Fifo<T> {}
impl<T> Order<T> for Lifo<T> {}
impl<T: Ord> Order<T> for Lowest<T> {}

/// The items of a queue. None is lost if comparing them panics.
pub(crate) trait Items<T>: Default {
    fn push(&mut self, item: T);
    fn pop(&mut self) -> Option<T>;
    /// What `pop` would give.
    fn peek(&self) -> Option<&T>;
    fn len(&self) -> usize;
}

/// First in, first out.
#[derive(Clone, Debug)]
pub struct Fifo<T>(VecDeque<T>);

impl<T> Default for Fifo<T> {
    fn default() -> Fifo<T> {
        Fifo(VecDeque::new())
    }
}

impl<T> Items<T> for Fifo<T> {
    #[inline]
    fn push(&mut self, item: T) {
        self.0.push_back(item);
    }

    #[inline]
    fn pop(&mut self) -> Option<T> {
        self.0.pop_front()
    }

    fn peek(&self) -> Option<&T> {
        self.0.front()
    }

    #[inline]
    fn len(&self) -> usize {
        self.0.len()
    }
}

/// Last in, first out.
#[derive(Clone, Debug)]
pub struct Lifo<T>(Vec<T>);

impl<T> Default for Lifo<T> {
    fn default() -> Lifo<T> {
        Lifo(Vec::new())
    }
}

impl<T> Items<T> for Lifo<T> {
    #[inline]
    fn push(&mut self, item: T) {
        self.0.push(item);
    }

    #[inline]
    fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }

    fn peek(&self) -> Option<&T> {
        self.0.last()
    }

    #[inline]
    fn len(&self) -> usize {
        self.0.len()
    }
}

/// The lowest first; among equals, the first in.
#[derive(Clone, Debug)]
pub struct Lowest<T> {
    heap: BinaryHeap<Ranked<T>>,
    pushed: u64,
}

impl<T: Ord> Default for Lowest<T> {
    fn default() -> Lowest<T> {
        Lowest {
            heap: BinaryHeap::new(),
            pushed: 0,
        }
    }
}

impl<T: Ord> Items<T> for Lowest<T> {
    fn push(&mut self, item: T) {
        let rank = self.pushed;
        self.pushed += 1;
        self.heap.push(Ranked { item, rank });
    }

    fn pop(&mut self) -> Option<T> {
        self.heap.pop().map(|ranked| ranked.item)
    }

    fn peek(&self) -> Option<&T> {
        self.heap.peek().map(|ranked| &ranked.item)
    }

    fn len(&self) -> usize {
        self.heap.len()
    }
}

/// An item of a [`Lowest`], in the order of a heap: the greatest is the next.
#[derive(Clone, Debug)]
struct Ranked<T> {
    item: T,
    rank: u64,
}

impl<T: Ord> Ord for Ranked<T> {
    fn cmp(&self, other: &Ranked<T>) -> Ordering {
        let by_item = other.item.cmp(&self.item);
        by_item.then_with(|| other.rank.cmp(&self.rank))
    }
}

impl<T: Ord> PartialOrd for Ranked<T> {
    fn partial_cmp(&self, other: &Ranked<T>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T: Ord> PartialEq for Ranked<T> {
    fn eq(&self, other: &Ranked<T>) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T: Ord> Eq for Ranked<T> {}
