//! What a timer costs, beside the two obvious ways to keep timers
//!
//! `arm and cancel` is a timeout around an operation that succeeds; `arm and expire` a sleeper.
//! The figures are per timer.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashSet};
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hub_core::{TimerKey, Timers};

/// A set of timers, in nanoseconds.
trait Set: Default {
    type Key;
    fn add(&mut self, deadline: u64, value: u64) -> Self::Key;
    fn cancel(&mut self, key: Self::Key);
    fn expire(&mut self, now: u64) -> Option<u64>;
}

impl Set for Timers<u64> {
    type Key = TimerKey;
    fn add(&mut self, deadline: u64, value: u64) -> TimerKey {
        Timers::add(self, deadline, value)
    }
    fn cancel(&mut self, key: TimerKey) {
        Timers::cancel(self, key);
    }
    fn expire(&mut self, now: u64) -> Option<u64> {
        Timers::expire(self, now).map(|(_, value)| value)
    }
}

/// An ordered map by deadline and number.
#[derive(Default)]
struct Tree {
    map: BTreeMap<(u64, u64), u64>,
    next: u64,
}

impl Set for Tree {
    type Key = (u64, u64);
    fn add(&mut self, deadline: u64, value: u64) -> (u64, u64) {
        self.next += 1;
        self.map.insert((deadline, self.next), value);
        (deadline, self.next)
    }
    fn cancel(&mut self, key: (u64, u64)) {
        self.map.remove(&key);
    }
    fn expire(&mut self, now: u64) -> Option<u64> {
        let head = self.map.first_entry()?;
        (head.key().0 <= now).then(|| head.remove())
    }
}

/// The heap of the standard library, with a set of what was cancelled.
#[derive(Default)]
struct StdHeap {
    heap: BinaryHeap<Reverse<(u64, u64, u64)>>,
    cancelled: HashSet<u64>,
    next: u64,
}

impl Set for StdHeap {
    type Key = u64;
    fn add(&mut self, deadline: u64, value: u64) -> u64 {
        self.next += 1;
        self.heap.push(Reverse((deadline, self.next, value)));
        self.next
    }
    fn cancel(&mut self, key: u64) {
        self.cancelled.insert(key);
        if self.cancelled.len() > 1000 && self.cancelled.len() > self.heap.len() / 2 {
            let cancelled = std::mem::take(&mut self.cancelled);
            self.heap
                .retain(|Reverse((_, number, _))| !cancelled.contains(number));
        }
    }
    fn expire(&mut self, now: u64) -> Option<u64> {
        while let Some(Reverse((deadline, number, value))) = self.heap.peek().copied() {
            if deadline > now {
                return None;
            }
            self.heap.pop();
            if !self.cancelled.remove(&number) {
                return Some(value);
            }
        }
        None
    }
}

const SECOND: u64 = 1_000_000_000;

/// Numbers that look random and are the same each time.
fn scattered() -> impl FnMut() -> u64 {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % SECOND
    }
}

/// One timeout of 30 s a microsecond, each cancelled soon, beside others that stay.
fn arm_cancel<S: Set>(criterion: &mut Criterion, name: &str) {
    let mut group = criterion.benchmark_group("arm and cancel");
    for live in [0, 1000, 100_000] {
        group.bench_function(BenchmarkId::new(name, live), |bencher| {
            let (mut set, mut random, mut now) = (S::default(), scattered(), 0);
            for value in 0..live {
                set.add(random() * 60, value);
            }
            bencher.iter(|| {
                now += 1000;
                let key = set.add(black_box(now + 30 * SECOND), now);
                set.cancel(key);
            });
        });
    }
    group.finish();
}

/// As many sleepers with delays up to a second: all are armed, then all expire in order.
fn arm_expire<S: Set>(criterion: &mut Criterion, name: &str) {
    let mut group = criterion.benchmark_group("arm and expire");
    for count in [1000, 100_000] {
        group.throughput(Throughput::Elements(count));
        group.sample_size(10);
        group.bench_function(BenchmarkId::new(name, count), |bencher| {
            let mut set = S::default();
            let mut random = scattered();
            bencher.iter(|| {
                for value in 0..count {
                    set.add(random(), value);
                }
                let mut expired = 0;
                while let Some(value) = set.expire(SECOND) {
                    black_box(value);
                    expired += 1;
                }
                assert_eq!(expired, count);
            });
        });
    }
    group.finish();
}

fn timers(criterion: &mut Criterion) {
    arm_cancel::<Timers<u64>>(criterion, "hub-core");
    arm_cancel::<Tree>(criterion, "BTreeMap");
    arm_cancel::<StdHeap>(criterion, "BinaryHeap");
    arm_expire::<Timers<u64>>(criterion, "hub-core");
    arm_expire::<Tree>(criterion, "BTreeMap");
    arm_expire::<StdHeap>(criterion, "BinaryHeap");
}

criterion_group!(benches, timers);
criterion_main!(benches);
