//! green: greenthreads of the main thread's hub.

use std::rc::Rc;
use std::time::Instant;

use green::{GreenThread, Queue};

use crate::figure::Run;
use crate::harness::{BATCH, NEVER, PARKED, SLEEPERS, Usage, delay, lateness, per_operation};

pub const RUNS: &[(&str, Run)] = &[
    ("yield-2", || yields(2)),
    ("yield-1000", || yields(BATCH)),
    ("spawn", spawn),
    ("spawn-1000", spawn_batches),
    ("channel-1", || queue(1)),
    ("channel-128", || queue(128)),
    ("timeout", timeouts),
    ("sleepers", sleepers),
    ("parked", parked),
];

fn join<T: 'static>(greenthread: GreenThread<T>) -> T {
    greenthread.join().expect("no greenthread panics")
}

fn yields(tasks: usize) -> Vec<f64> {
    per_operation(|count| {
        let spawn = |_| {
            green::spawn(move || {
                for _ in 0..count / tasks {
                    green::yield_now();
                }
            })
        };
        let tasks: Vec<_> = (0..tasks).map(spawn).collect();
        tasks.into_iter().for_each(join);
    })
}

fn spawn() -> Vec<f64> {
    per_operation(|count| {
        for value in 0..count {
            assert_eq!(join(green::spawn(move || value + 1)), value + 1);
        }
    })
}

fn spawn_batches() -> Vec<f64> {
    let mut batch = Vec::with_capacity(BATCH);
    per_operation(|count| {
        for _ in 0..count / BATCH {
            batch.extend((0..BATCH).map(|value| green::spawn(move || value + 1)));
            for (value, task) in batch.drain(..).enumerate() {
                assert_eq!(join(task), value + 1);
            }
        }
    })
}

fn queue(capacity: usize) -> Vec<f64> {
    per_operation(|count| {
        let queue = Rc::new(Queue::bounded(capacity));
        let source = queue.clone();
        let producer = green::spawn(move || {
            for value in 0..count {
                queue.put(value).expect("nobody shuts the queue down");
            }
        });
        let consumer = green::spawn(move || {
            for value in 0..count {
                assert_eq!(source.get(), Ok(value));
            }
        });
        join(producer);
        join(consumer);
    })
}

fn timeouts() -> Vec<f64> {
    per_operation(|count| {
        join(green::spawn(move || {
            for _ in 0..count {
                green::time::timeout(NEVER, green::yield_now).expect("it is never late");
            }
        }));
    })
}

fn sleepers() -> Vec<f64> {
    let usage = Usage::start();
    let spawn = |sleeper| {
        green::spawn(move || {
            let deadline = Instant::now() + delay(sleeper);
            green::sleep_until(deadline);
            lateness(deadline)
        })
    };
    let tasks: Vec<_> = (0..SLEEPERS).map(spawn).collect();
    usage.of_sleepers(tasks.into_iter().map(join).collect())
}

fn parked() -> Vec<f64> {
    let usage = Usage::start();
    let never = Rc::new(green::spawn(|| green::sleep(NEVER)));
    for _ in 2..PARKED {
        let never = never.clone();
        green::spawn_n(move || drop(never.wait()));
    }
    // The last one ends, and greenthreads start in order: all others are parked then.
    join(green::spawn(|| ()));
    let values = usage.of_parked();
    println!("{} {}", values[0], values[1]);
    std::process::exit(0);
}
