//! tokio, one thread.

use std::mem::{replace, take};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex as Plain};

use tokio::sync::{Mutex, Semaphore, oneshot, watch};
use tokio::task::yield_now;
use tokio::time::timeout;

use super::CROWD;
use crate::figure::Run;
use crate::harness::{NEVER, per_operation};
use crate::on_tokio::{CurrentThread, Local, Spawner, join};

macro_rules! runs {
    ($spawner:ty) => {
        &[
            ("lock", lock::<$spawner>),
            ("lock-2", locks::<$spawner>),
            ("semaphore", semaphore::<$spawner>),
            ("semaphore-2", semaphores::<$spawner>),
            ("event", event::<$spawner>),
            ("event-100", events::<$spawner>),
            ("timeout-idle", timeouts::<$spawner>),
        ]
    };
}

pub const RUNS: &[(&str, Run)] = runs!(CurrentThread);
pub const LOCAL_RUNS: &[(&str, Run)] = runs!(Local);

fn lock<S: Spawner>() -> Vec<f64> {
    let runtime = S::new();
    per_operation(|count| {
        runtime.block_on(async {
            let total = Mutex::new(0);
            for _ in 0..count {
                *total.lock().await += 1;
            }
            assert_eq!(total.into_inner(), count);
        })
    })
}

fn locks<S: Spawner>() -> Vec<f64> {
    let runtime = S::new();
    per_operation(|count| {
        runtime.block_on(async {
            let total = Arc::new(Mutex::new(0));
            let tasks = [(); 2].map(|()| {
                let total = total.clone();
                S::spawn(async move {
                    for _ in 0..count / 2 {
                        let mut total = total.lock().await;
                        yield_now().await;
                        *total += 1;
                    }
                })
            });
            for task in tasks {
                join(task).await;
            }
            assert_eq!(*total.lock().await, count);
        })
    })
}

fn semaphore<S: Spawner>() -> Vec<f64> {
    let runtime = S::new();
    per_operation(|count| {
        runtime.block_on(async {
            let semaphore = Semaphore::new(1);
            let mut total = 0;
            for _ in 0..count {
                total += usize::from(semaphore.acquire().await.is_ok());
            }
            assert_eq!(total, count);
        })
    })
}

fn semaphores<S: Spawner>() -> Vec<f64> {
    let runtime = S::new();
    per_operation(|count| {
        runtime.block_on(async {
            let semaphores = [0, 1].map(|permits| Arc::new(Semaphore::new(permits)));
            let total = Arc::new(AtomicUsize::new(0));
            let tasks = [0, 1].map(|at| {
                let (mine, other) = (semaphores[at].clone(), semaphores[1 - at].clone());
                let total = total.clone();
                S::spawn(async move {
                    for _ in 0..count / 2 {
                        mine.acquire().await.expect("it stays open").forget();
                        total.store(total.load(Relaxed) + 1, Relaxed);
                        other.add_permits(1);
                    }
                })
            });
            for task in tasks {
                join(task).await;
            }
            assert_eq!(total.load(Relaxed), count);
        })
    })
}

/// The event is a oneshot channel.
fn event<S: Spawner>() -> Vec<f64> {
    let runtime = S::new();
    per_operation(|count| {
        runtime.block_on(async {
            let shown: Arc<Plain<Option<oneshot::Sender<usize>>>> = Arc::default();
            let place = shown.clone();
            let waiter = S::spawn(async move {
                for value in 0..count {
                    let (sender, receiver) = oneshot::channel();
                    let before = replace(&mut *place.lock().expect("nobody panics"), Some(sender));
                    assert!(before.is_none());
                    assert_eq!(receiver.await, Ok(value));
                }
            });
            let sender = S::spawn(async move {
                for value in 0..count {
                    let event = take(&mut *shown.lock().expect("nobody panics"));
                    let event = event.expect("the waiter ran before");
                    event.send(value).expect("the waiter lives");
                    yield_now().await;
                }
            });
            join(sender).await;
            join(waiter).await;
        })
    })
}

/// The event is a new value in a watch channel.
fn events<S: Spawner>() -> Vec<f64> {
    let runtime = S::new();
    per_operation(|count| {
        runtime.block_on(async {
            let rounds = count / CROWD;
            let (sender, receiver) = watch::channel(0);
            let waiters = [(); CROWD].map(|()| {
                let mut receiver = receiver.clone();
                S::spawn(async move {
                    for value in 0..rounds {
                        receiver.changed().await.expect("the sender lives");
                        assert_eq!(*receiver.borrow(), value);
                    }
                })
            });
            let sender = S::spawn(async move {
                for value in 0..rounds {
                    sender.send(value).expect("the waiters live");
                    yield_now().await;
                }
            });
            join(sender).await;
            for waiter in waiters {
                join(waiter).await;
            }
        })
    })
}

fn timeouts<S: Spawner>() -> Vec<f64> {
    let runtime = S::new();
    per_operation(|count| {
        runtime.block_on(async {
            let task = S::spawn(async move {
                for value in 0..count {
                    assert_eq!(timeout(NEVER, async { value }).await, Ok(value));
                }
            });
            join(task).await;
        })
    })
}
