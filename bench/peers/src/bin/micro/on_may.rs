//! may with one worker.
//!
//! It has no bounded channel: a semaphore with as many permits as the channel has room stands beside its mpsc queue. A
//! hundred thousand sleepers or a million parked coroutines are more than it can map: two mappings a stack.

use std::sync::Arc;

use may::coroutine::{JoinHandle, yield_now};
use may::sync::{Semphore, mpsc};

use crate::figure::Run;
use crate::harness::{BATCH, NEVER, per_operation};

pub const RUNS: &[(&str, Run)] = &[
    ("yield-2", || yields(2)),
    ("yield-1000", || yields(BATCH)),
    ("spawn", spawn),
    ("spawn-1000", spawn_batches),
    ("channel-1", || channel(1)),
    ("channel-128", || channel(128)),
    ("timeout", timeouts),
];

/// Runs on the one worker, until it has ended.
pub fn block_on<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    // The process is bound to a processor already.
    may::config().set_workers(1).set_worker_pin(false);
    join(may::go!(run))
}

pub fn join<T>(coroutine: JoinHandle<T>) -> T {
    coroutine.join().expect("no coroutine panics")
}

fn yields(tasks: usize) -> Vec<f64> {
    per_operation(|count| {
        block_on(move || {
            let spawn = |_| {
                may::go!(move || {
                    for _ in 0..count / tasks {
                        yield_now();
                    }
                })
            };
            let tasks: Vec<_> = (0..tasks).map(spawn).collect();
            tasks.into_iter().for_each(join);
        });
    })
}

fn spawn() -> Vec<f64> {
    per_operation(|count| {
        block_on(move || {
            for value in 0..count {
                assert_eq!(join(may::go!(move || value + 1)), value + 1);
            }
        });
    })
}

fn spawn_batches() -> Vec<f64> {
    per_operation(|count| {
        block_on(move || {
            let mut batch = Vec::with_capacity(BATCH);
            for _ in 0..count / BATCH {
                batch.extend((0..BATCH).map(|value| may::go!(move || value + 1)));
                for (value, task) in batch.drain(..).enumerate() {
                    assert_eq!(join(task), value + 1);
                }
            }
        });
    })
}

fn channel(capacity: usize) -> Vec<f64> {
    per_operation(|count| {
        block_on(move || {
            let (sender, receiver) = mpsc::channel();
            let room = Arc::new(Semphore::new(capacity));
            let freed = room.clone();
            let producer = may::go!(move || {
                for value in 0..count {
                    room.wait();
                    sender.send(value).expect("the receiver lives");
                }
            });
            let consumer = may::go!(move || {
                for value in 0..count {
                    assert_eq!(receiver.recv(), Ok(value));
                    freed.post();
                }
            });
            join(producer);
            join(consumer);
        });
    })
}

/// A yield cannot stand under a timeout here: one coroutine waits with a timeout, and a second one ends that.
fn timeouts() -> Vec<f64> {
    per_operation(|count| {
        block_on(move || {
            let semaphore = Arc::new(Semphore::new(0));
            let given = semaphore.clone();
            let waiter = may::go!(move || {
                for _ in 0..count {
                    assert!(semaphore.wait_timeout(NEVER), "it is never late");
                }
            });
            for _ in 0..count {
                given.post();
                yield_now();
            }
            join(waiter);
        });
    })
}
