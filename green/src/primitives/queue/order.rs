//! The orders in which a queue gives out what was put into it.

use std::cmp::Ordering;
use std::collections::VecDeque;

/// The items of a queue, in an order.
///
/// An order that asks code of the user does so in `plan_push` and `plan_pop`, which change nothing. A plan is used before
/// the items change again.
pub(crate) trait Order<T>: Default {
    /// True if plans ask code of the user.
    const ASKS: bool = false;

    /// Where `item` would go.
    fn plan_push(&self, _item: &T) -> usize {
        self.len()
    }

    /// What `pop` would move, and where to.
    fn plan_pop(&self) -> usize {
        0
    }

    fn push(&mut self, item: T, plan: usize);
    fn pop(&mut self, plan: usize) -> Option<T>;
    /// What `pop` would give.
    fn peek(&self) -> Option<&T>;
    fn len(&self) -> usize;
}

/// First in, first out.
#[derive(Clone, Debug)]
pub(crate) struct Fifo<T>(VecDeque<T>);

impl<T> Default for Fifo<T> {
    fn default() -> Fifo<T> {
        Fifo(VecDeque::new())
    }
}

impl<T> Order<T> for Fifo<T> {
    #[inline]
    fn push(&mut self, item: T, _: usize) {
        self.0.push_back(item);
    }

    #[inline]
    fn pop(&mut self, _: usize) -> Option<T> {
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
pub(crate) struct Lifo<T>(Vec<T>);

impl<T> Default for Lifo<T> {
    fn default() -> Lifo<T> {
        Lifo(Vec::new())
    }
}

impl<T> Order<T> for Lifo<T> {
    #[inline]
    fn push(&mut self, item: T, _: usize) {
        self.0.push(item);
    }

    #[inline]
    fn pop(&mut self, _: usize) -> Option<T> {
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
///
/// A heap whose comparisons come first and whose moves come after: one that panics has changed nothing.
#[derive(Clone, Debug)]
pub(crate) struct Lowest<T> {
    /// Each is behind the one at half its place.
    heap: Vec<Ranked<T>>,
    pushed: u64,
}

/// An item, and how many were put before it.
#[derive(Clone, Debug)]
struct Ranked<T> {
    item: T,
    rank: u64,
}

impl<T: Ord> Ranked<T> {
    fn precedes(&self, other: &Ranked<T>) -> bool {
        let by_item = self.item.cmp(&other.item);
        by_item.then_with(|| self.rank.cmp(&other.rank)) == Ordering::Less
    }
}

fn parent(place: usize) -> usize {
    (place - 1) / 2
}

impl<T: Ord> Default for Lowest<T> {
    fn default() -> Lowest<T> {
        Lowest {
            heap: Vec::new(),
            pushed: 0,
        }
    }
}

impl<T: Ord> Order<T> for Lowest<T> {
    const ASKS: bool = true;

    /// The place at which the way of the item up from the end stops.
    fn plan_push(&self, item: &T) -> usize {
        let mut place = self.heap.len();
        while place > 0 && item.cmp(&self.heap[parent(place)].item) == Ordering::Less {
            place = parent(place);
        }
        place
    }

    /// The place that the last item takes when the first has left, and those on the way to it have each moved up one.
    fn plan_pop(&self) -> usize {
        let Some((last, rest)) = self.heap.split_last() else {
            return 0;
        };
        let mut place = 0;
        // Down to the end first: the last item mostly belongs near it.
        while 2 * place + 1 < rest.len() {
            let left = 2 * place + 1;
            let right = rest.get(left + 1);
            let is_right = right.is_some_and(|right| right.precedes(&rest[left]));
            place = left + usize::from(is_right);
        }
        while place > 0 && last.precedes(&rest[place]) {
            place = parent(place);
        }
        place
    }

    fn push(&mut self, item: T, plan: usize) {
        let mut place = self.heap.len();
        let rank = self.pushed;
        self.pushed += 1;
        self.heap.push(Ranked { item, rank });
        while place > plan {
            self.heap.swap(place, parent(place));
            place = parent(place);
        }
    }

    fn pop(&mut self, plan: usize) -> Option<T> {
        let mut moved = self.heap.pop()?;
        if !self.heap.is_empty() {
            let mut place = plan;
            std::mem::swap(&mut self.heap[place], &mut moved);
            while place > 0 {
                place = parent(place);
                std::mem::swap(&mut self.heap[place], &mut moved);
            }
        }
        Some(moved.item)
    }

    fn peek(&self) -> Option<&T> {
        self.heap.first().map(|ranked| &ranked.item)
    }

    fn len(&self) -> usize {
        self.heap.len()
    }
}
