//! smol: a LocalExecutor under async-io's `block_on`.

use std::time::Instant;

use smol::future::{or, pending, yield_now};
use smol::{LocalExecutor, Task, Timer, channel};

use crate::figure::Run;
use crate::harness::{BATCH, NEVER, PARKED, SLEEPERS, Usage, delay, lateness, per_operation};

pub const RUNS: &[(&str, Run)] = &[
    ("yield-2", || yields(2)),
    ("yield-1000", || yields(BATCH)),
    ("spawn", spawn),
    ("spawn-1000", spawn_batches),
    ("channel-1", || bounded(1)),
    ("channel-128", || bounded(128)),
    ("timeout", timeouts),
    ("sleepers", sleepers),
    ("parked", parked),
];

fn yields(tasks: usize) -> Vec<f64> {
    let executor = LocalExecutor::new();
    per_operation(|count| {
        smol::block_on(executor.run(async {
            let spawn = |_| {
                executor.spawn(async move {
                    for _ in 0..count / tasks {
                        yield_now().await;
                    }
                })
            };
            let tasks: Vec<Task<()>> = (0..tasks).map(spawn).collect();
            for task in tasks {
                task.await;
            }
        }))
    })
}

fn spawn() -> Vec<f64> {
    let executor = LocalExecutor::new();
    per_operation(|count| {
        smol::block_on(executor.run(async {
            for value in 0..count {
                assert_eq!(executor.spawn(async move { value + 1 }).await, value + 1);
            }
        }))
    })
}

fn spawn_batches() -> Vec<f64> {
    let executor = LocalExecutor::new();
    let mut batch = Vec::with_capacity(BATCH);
    per_operation(|count| {
        smol::block_on(executor.run(async {
            for _ in 0..count / BATCH {
                batch.extend((0..BATCH).map(|value| executor.spawn(async move { value + 1 })));
                for (value, task) in batch.drain(..).enumerate() {
                    assert_eq!(task.await, value + 1);
                }
            }
        }))
    })
}

fn bounded(capacity: usize) -> Vec<f64> {
    let executor = LocalExecutor::new();
    per_operation(|count| {
        smol::block_on(executor.run(async {
            let (sender, receiver) = channel::bounded(capacity);
            let producer = executor.spawn(async move {
                for value in 0..count {
                    sender.send(value).await.expect("the receiver lives");
                }
            });
            let consumer = executor.spawn(async move {
                for value in 0..count {
                    assert_eq!(receiver.recv().await, Ok(value));
                }
            });
            producer.await;
            consumer.await;
        }))
    })
}

fn timeouts() -> Vec<f64> {
    let executor = LocalExecutor::new();
    per_operation(|count| {
        smol::block_on(executor.run(executor.spawn(async move {
            for _ in 0..count {
                let late = async {
                    Timer::after(NEVER).await;
                    panic!("it is never late");
                };
                or(yield_now(), late).await;
            }
        })))
    })
}

fn sleepers() -> Vec<f64> {
    let executor = LocalExecutor::new();
    let usage = Usage::start();
    let late = smol::block_on(executor.run(async {
        let spawn = |sleeper| {
            executor.spawn(async move {
                let deadline = Instant::now() + delay(sleeper);
                Timer::at(deadline).await;
                lateness(deadline)
            })
        };
        let tasks: Vec<Task<f64>> = (0..SLEEPERS).map(spawn).collect();
        let mut late = Vec::with_capacity(SLEEPERS);
        for task in tasks {
            late.push(task.await);
        }
        late
    }));
    usage.of_sleepers(late)
}

fn parked() -> Vec<f64> {
    let executor = LocalExecutor::new();
    let usage = Usage::start();
    smol::block_on(executor.run(async {
        for _ in 1..PARKED {
            executor.spawn(pending::<()>()).detach();
        }
        // The last one ends, and tasks start in order: all others are parked then.
        executor.spawn(async {}).await;
    }));
    let values = usage.of_parked();
    std::mem::forget(executor);
    values
}
