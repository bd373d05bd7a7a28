//! tokio, one thread: `spawn` on the current_thread runtime, and `spawn_local` on a LocalSet inside it.

use std::future::{Future, pending};
use std::time::Instant;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, LocalSet, yield_now};
use tokio::time::{sleep_until, timeout};

use crate::figure::Run;
use crate::harness::{BATCH, NEVER, PARKED, SLEEPERS, Usage, delay, lateness, per_operation};

/// The loops, for one of the two ways to spawn.
macro_rules! runs {
    ($spawner:ty) => {
        &[
            ("yield-2", || yields::<$spawner>(2)),
            ("yield-1000", || yields::<$spawner>(BATCH)),
            ("spawn", spawn::<$spawner>),
            ("spawn-1000", spawn_batches::<$spawner>),
            ("channel-1", || channel::<$spawner>(1)),
            ("channel-128", || channel::<$spawner>(128)),
            ("timeout", timeouts::<$spawner>),
            ("sleepers", sleepers::<$spawner>),
            ("parked", parked::<$spawner>),
        ]
    };
}

pub const RUNS: &[(&str, Run)] = runs!(CurrentThread);
pub const LOCAL_RUNS: &[(&str, Run)] = runs!(Local);

pub trait Spawner {
    fn new() -> Self;
    fn block_on<T>(&self, future: impl Future<Output = T>) -> T;
    fn spawn<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> JoinHandle<T>;
}

fn runtime() -> Runtime {
    let runtime = Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime without I/O has nothing to fail")
}

pub struct CurrentThread(Runtime);

impl Spawner for CurrentThread {
    fn new() -> Self {
        CurrentThread(runtime())
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.0.block_on(future)
    }

    fn spawn<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        tokio::spawn(future)
    }
}

pub struct Local(Runtime, LocalSet);

impl Spawner for Local {
    fn new() -> Self {
        Local(runtime(), LocalSet::new())
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.1.block_on(&self.0, future)
    }

    fn spawn<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        tokio::task::spawn_local(future)
    }
}

pub async fn join<T>(task: JoinHandle<T>) -> T {
    task.await.expect("no task panics")
}

fn yields<S: Spawner>(tasks: usize) -> Vec<f64> {
    let runtime = S::new();
    per_operation(|count| {
        runtime.block_on(async {
            let spawn = |_| {
                S::spawn(async move {
                    for _ in 0..count / tasks {
                        yield_now().await;
                    }
                })
            };
            let tasks: Vec<_> = (0..tasks).map(spawn).collect();
            for task in tasks {
                join(task).await;
            }
        })
    })
}

fn spawn<S: Spawner>() -> Vec<f64> {
    let runtime = S::new();
    per_operation(|count| {
        runtime.block_on(async {
            for value in 0..count {
                assert_eq!(join(S::spawn(async move { value + 1 })).await, value + 1);
            }
        })
    })
}

fn spawn_batches<S: Spawner>() -> Vec<f64> {
    let runtime = S::new();
    let mut batch = Vec::with_capacity(BATCH);
    per_operation(|count| {
        runtime.block_on(async {
            for _ in 0..count / BATCH {
                batch.extend((0..BATCH).map(|value| S::spawn(async move { value + 1 })));
                for (value, task) in batch.drain(..).enumerate() {
                    assert_eq!(join(task).await, value + 1);
                }
            }
        })
    })
}

fn channel<S: Spawner>(capacity: usize) -> Vec<f64> {
    let runtime = S::new();
    per_operation(|count| {
        runtime.block_on(async {
            let (sender, mut receiver) = mpsc::channel(capacity);
            let producer = S::spawn(async move {
                for value in 0..count {
                    sender.send(value).await.expect("the receiver lives");
                }
            });
            let consumer = S::spawn(async move {
                for value in 0..count {
                    assert_eq!(receiver.recv().await, Some(value));
                }
            });
            join(producer).await;
            join(consumer).await;
        })
    })
}

fn timeouts<S: Spawner>() -> Vec<f64> {
    let runtime = S::new();
    per_operation(|count| {
        runtime.block_on(async {
            let task = S::spawn(async move {
                for _ in 0..count {
                    timeout(NEVER, yield_now()).await.expect("it is never late");
                }
            });
            join(task).await;
        })
    })
}

fn sleepers<S: Spawner>() -> Vec<f64> {
    let runtime = S::new();
    let usage = Usage::start();
    let late = runtime.block_on(async {
        let spawn = |sleeper| {
            S::spawn(async move {
                let deadline = Instant::now() + delay(sleeper);
                sleep_until(deadline.into()).await;
                lateness(deadline)
            })
        };
        let tasks: Vec<_> = (0..SLEEPERS).map(spawn).collect();
        let mut late = Vec::with_capacity(SLEEPERS);
        for task in tasks {
            late.push(join(task).await);
        }
        late
    });
    usage.of_sleepers(late)
}

fn parked<S: Spawner>() -> Vec<f64> {
    let runtime = S::new();
    let usage = Usage::start();
    runtime.block_on(async {
        for _ in 1..PARKED {
            S::spawn(pending::<()>());
        }
        // The last one ends, and tasks start in order: all others are parked then.
        join(S::spawn(async {})).await;
    });
    let values = usage.of_parked();
    std::mem::forget(runtime);
    values
}
