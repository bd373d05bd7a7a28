//! What the scheduler costs. Run with `cargo bench -p green --bench scheduler`.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use green::{LightQueue, Timeout};

/// The time of `n` yields of each of `greenthreads`, divided so that it is for `n` switches.
fn yields(greenthreads: u64, n: u64) -> Duration {
    let rounds = n.div_ceil(greenthreads);
    let all: Vec<_> = (0..greenthreads)
        .map(|_| green::spawn(move || (0..rounds).for_each(|_| green::yield_now())))
        .collect();
    let start = Instant::now();
    for gt in all {
        gt.join().expect("nobody kills it");
    }
    start
        .elapsed()
        .mul_f64(n as f64 / (rounds * greenthreads) as f64)
}

fn switches(c: &mut Criterion) {
    c.bench_function("yield, 2 greenthreads", |b| b.iter_custom(|n| yields(2, n)));
    c.bench_function("yield, 1000 greenthreads", |b| {
        b.iter_custom(|n| yields(1000, n))
    });
}

fn spawns(c: &mut Criterion) {
    c.bench_function("spawn and join, one by one", |b| {
        b.iter(|| green::spawn(|| 1u64).join().expect("nobody kills it"))
    });
    c.bench_function("spawn and join, a thousand", |b| {
        b.iter(|| {
            let all: Vec<_> = (0..1000u64).map(|n| green::spawn(move || n)).collect();
            let sum: u64 = all
                .into_iter()
                .map(|gt| gt.join().expect("nobody kills it"))
                .sum();
            assert_eq!(sum, 999 * 500);
        })
    });
    c.bench_function("spawn_n, a thousand", |b| {
        b.iter(|| {
            let ran = Rc::new(Cell::new(0));
            for _ in 0..1000 {
                let ran = Rc::clone(&ran);
                green::spawn_n(move || ran.set(ran.get() + 1));
            }
            green::yield_now();
            assert_eq!(ran.get(), 1000);
        })
    });
}

/// The time of `n` items through a queue of this size.
fn hand_off(size: usize, n: u64) -> Duration {
    let queue = Rc::new(LightQueue::bounded(size));
    let items = Rc::clone(&queue);
    let start = Instant::now();
    let producer = green::spawn(move || {
        for item in 0..n {
            items.put(item).expect("nobody shuts it down");
        }
    });
    for item in 0..n {
        assert_eq!(queue.get().ok(), Some(item));
    }
    producer.join().expect("nobody kills it");
    start.elapsed()
}

fn hand_offs(c: &mut Criterion) {
    for size in [1, 128] {
        c.bench_function(&format!("hand-off, queue of {size}"), |b| {
            b.iter_custom(|n| hand_off(size, n))
        });
    }
}

fn timers(c: &mut Criterion) {
    c.bench_function("a timeout armed and cancelled", |b| {
        b.iter(|| Timeout::new(Duration::from_secs(5)).run(|| ()))
    });
    c.bench_function("10,000 sleepers of 0 to 100 ms", |b| {
        b.iter(|| {
            let all: Vec<_> = (0..10_000u64)
                .map(|n| green::spawn(move || green::sleep(Duration::from_micros(n * 10))))
                .collect();
            for gt in all {
                gt.join().expect("nobody kills it");
            }
        })
    });
}

criterion_group! {
    name = scheduler;
    config = Criterion::default().sample_size(20);
    targets = switches, spawns, hand_offs, timers
}
criterion_main!(scheduler);
