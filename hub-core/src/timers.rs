use std::fmt;

use slab::Slab;

/// Timers: values that come back at their deadlines, in order, the earlier added first among
/// equals.
///
/// A deadline is a number of nanoseconds on whatever clock the caller counts. Nothing here reads
/// a clock or waits. The [`Reactor`](crate::Reactor) has one of these; it is useful alone too.
///
/// A deadline is kept in a heap, the value beside it in a slab. To cancel is to empty the place in
/// the slab; the heap forgets the deadline later, at the latest when more than a thousand wait to
/// be forgotten and they are the greater part.
///
/// ```
/// use hub_core::Timers;
/// let mut timers = Timers::new();
/// let tea = timers.add(240, "tea");
/// timers.add(180, "egg");
/// assert_eq!(timers.cancel(tea), Some("tea"));
/// assert_eq!(timers.next_deadline(), Some(180));
/// assert_eq!(timers.expire(179), None);
/// assert_eq!(timers.expire(180), Some((180, "egg")));
/// assert!(timers.is_empty());
///
/// let mut timers = Timers::new();
/// for n in 0..4 {
///     timers.add(n, n);
/// }
/// assert_eq!(timers.take_if(|n| n % 2 == 0).len(), 2);
/// assert_eq!(timers.iter().map(|(deadline, _)| deadline).sum::<u64>(), 1 + 3);
/// assert!(timers.len() == 2 && timers.entries() >= 2, "some deadlines are still to be forgotten");
/// timers.clear();
/// assert_eq!(timers.next_deadline(), None);
/// ```
pub struct Timers<T> {
    heap: Vec<Node>,
    live: Slab<Entry<T>>,
    next_seq: u32,
}

/// Names a timer, to cancel it. A key outlives its timer harmlessly.
///
/// ```
/// use hub_core::{TimerKey, Timers};
/// let mut timers = Timers::new();
/// let raw = timers.add(5, "tea").into_raw();
/// assert_eq!(timers.cancel(TimerKey::from_raw(raw)), Some("tea"));
/// assert_eq!(timers.cancel(TimerKey::from_raw(raw)), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerKey {
    slot: u32,
    seq: u32,
}

impl TimerKey {
    /// The key as 64 bits, for callers that cannot hold it otherwise.
    pub const fn into_raw(self) -> u64 {
        (self.seq as u64) << 32 | self.slot as u64
    }

    /// The key from its 64 bits. Bits that never were a key cancel nothing.
    pub const fn from_raw(raw: u64) -> TimerKey {
        TimerKey {
            slot: raw as u32,
            seq: (raw >> 32) as u32,
        }
    }
}

struct Entry<T> {
    seq: u32,
    value: T,
}

/// Sixteen bytes, so that four siblings share a cache line.
#[derive(Clone, Copy)]
struct Node {
    deadline: u64,
    seq: u32,
    slot: u32,
}

impl Node {
    /// What the heap is ordered by: the deadline, then the age. The counter wraps, so an age is
    /// told by its distance from the next number: a smaller one is older. One number, so that a
    /// comparison needs no branch.
    #[inline]
    fn rank(&self, next_seq: u32) -> u128 {
        u128::from(self.deadline) << 64 | u128::from(self.seq.wrapping_sub(next_seq))
    }
}

/// Children per node. Four make the heap half as deep as two and still are one cache line.
const ARITY: usize = 4;

/// Fewer forgotten deadlines than this are not worth a pass over the heap.
const PURGE_ABOVE: usize = 1000;

impl<T> Timers<T> {
    /// A heap without timers.
    pub const fn new() -> Timers<T> {
        Timers {
            heap: Vec::new(),
            live: Slab::new(),
            next_seq: 0,
        }
    }

    /// Adds a timer.
    ///
    /// # Panics
    /// With 2^32 live timers.
    #[inline]
    pub fn add(&mut self, deadline: u64, value: T) -> TimerKey {
        let seq = self.next_seq;
        self.next_seq = seq.wrapping_add(1);
        let slot = self.live.insert(Entry { seq, value });
        let slot = u32::try_from(slot).expect("fewer than 2^32 timers");
        self.heap.push(Node {
            deadline,
            seq,
            slot,
        });
        self.rise(self.heap.len() - 1);
        TimerKey { slot, seq }
    }

    /// Takes a timer back before its deadline. `None` if it has expired or was cancelled.
    #[inline]
    pub fn cancel(&mut self, key: TimerKey) -> Option<T> {
        let slot = key.slot as usize;
        if self.live.get(slot)?.seq != key.seq {
            return None;
        }
        let value = self.live.remove(slot).value;
        let forgotten = self.heap.len() - self.live.len();
        if forgotten > PURGE_ABOVE && forgotten > self.live.len() {
            self.purge();
        }
        self.settle();
        Some(value)
    }

    /// The earliest deadline.
    #[inline]
    pub fn next_deadline(&self) -> Option<u64> {
        Some(self.heap.first()?.deadline)
    }

    /// Takes the earliest timer whose deadline is not after `now`, with its deadline.
    #[inline]
    pub fn expire(&mut self, now: u64) -> Option<(u64, T)> {
        let head = *self.heap.first()?;
        if head.deadline > now {
            return None;
        }
        let value = self.live.remove(head.slot as usize).value;
        self.pop();
        self.settle();
        Some((head.deadline, value))
    }

    /// Takes back every timer whose value matches, in no particular order.
    pub fn take_if(&mut self, mut matches: impl FnMut(&T) -> bool) -> Vec<T> {
        let slots: Vec<usize> = self
            .live
            .iter()
            .filter_map(|(slot, entry)| matches(&entry.value).then_some(slot))
            .collect();
        let taken = slots
            .into_iter()
            .map(|slot| self.live.remove(slot).value)
            .collect();
        self.purge();
        taken
    }

    /// How many timers are live.
    #[inline]
    pub fn len(&self) -> usize {
        self.live.len()
    }

    /// True if no timer is live.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// How many deadlines are held, cancelled ones that are not yet forgotten included.
    pub fn entries(&self) -> usize {
        self.heap.len()
    }

    /// Drops every timer.
    pub fn clear(&mut self) {
        self.heap.clear();
        self.live.clear();
    }

    /// Every live timer with its deadline, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.heap.iter().filter_map(|node| {
            let entry = self.live.get(node.slot as usize)?;
            (entry.seq == node.seq).then_some((node.deadline, &entry.value))
        })
    }

    /// Keeps the invariant that the head of the heap is live, so that `next_deadline` and
    /// `expire` need not look further.
    #[inline]
    fn settle(&mut self) {
        while let Some(head) = self.heap.first() {
            if self.is_live(head) {
                return;
            }
            self.pop();
        }
    }

    #[inline]
    fn is_live(&self, node: &Node) -> bool {
        let entry = self.live.get(node.slot as usize);
        entry.is_some_and(|entry| entry.seq == node.seq)
    }

    #[inline]
    fn pop(&mut self) {
        self.heap.swap_remove(0);
        if !self.heap.is_empty() {
            // What was last goes far down again: it is cheaper to follow the least children to
            // the bottom and let it rise from there than to ask at every step whether it fits.
            let bottom = self.dig(0);
            self.rise(bottom);
        }
    }

    /// Moves a node up to where it belongs.
    #[inline]
    fn rise(&mut self, mut child: usize) {
        let node = self.heap[child];
        let rank = node.rank(self.next_seq);
        while child > 0 {
            let parent = (child - 1) / ARITY;
            if rank >= self.heap[parent].rank(self.next_seq) {
                break;
            }
            self.heap[child] = self.heap[parent];
            child = parent;
        }
        self.heap[child] = node;
    }

    /// Moves a node down to the bottom along the least children; says where it is now.
    #[inline]
    fn dig(&mut self, mut parent: usize) -> usize {
        let node = self.heap[parent];
        while let Some(least) = self.least_child(parent) {
            self.heap[parent] = self.heap[least];
            parent = least;
        }
        self.heap[parent] = node;
        parent
    }

    /// Moves a node down to where it belongs.
    fn sink(&mut self, mut parent: usize) {
        let node = self.heap[parent];
        let rank = node.rank(self.next_seq);
        while let Some(least) = self.least_child(parent) {
            if rank <= self.heap[least].rank(self.next_seq) {
                break;
            }
            self.heap[parent] = self.heap[least];
            parent = least;
        }
        self.heap[parent] = node;
    }

    #[inline]
    fn least_child(&self, parent: usize) -> Option<usize> {
        let first = parent * ARITY + 1;
        let Some(children) = self.heap.get(first..first + ARITY) else {
            let rank = |child: &usize| self.heap[*child].rank(self.next_seq);
            return (first..self.heap.len()).min_by_key(rank);
        };
        let rank = |child: usize| children[child].rank(self.next_seq);
        let left = usize::from(rank(1) < rank(0));
        let right = 2 + usize::from(rank(3) < rank(2));
        Some(
            first
                + if rank(right) < rank(left) {
                    right
                } else {
                    left
                },
        )
    }

    #[cold]
    fn purge(&mut self) {
        let live = &self.live;
        self.heap.retain(|node| {
            let entry = live.get(node.slot as usize);
            entry.is_some_and(|entry| entry.seq == node.seq)
        });
        for parent in (0..self.heap.len().div_ceil(ARITY)).rev() {
            self.sink(parent);
        }
    }
}

impl<T> Default for Timers<T> {
    fn default() -> Timers<T> {
        Timers::new()
    }
}

impl<T> fmt::Debug for Timers<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timers")
            .field("len", &self.len())
            .field("next_deadline", &self.next_deadline())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Timers;

    #[test]
    fn equal_deadlines_keep_their_order_while_the_counter_wraps() {
        let mut timers = Timers::new();
        timers.next_seq = u32::MAX - 50;
        for number in 0..100 {
            timers.add(number % 2, number);
        }
        let order: Vec<u64> = std::iter::from_fn(|| timers.expire(1))
            .map(|(_, n)| n)
            .collect();
        let (even, odd) = ((0..100).step_by(2), (1..100).step_by(2));
        assert!(order.into_iter().eq(even.chain(odd)));
    }
}
