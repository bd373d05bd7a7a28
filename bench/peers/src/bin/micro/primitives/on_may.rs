//! may with one worker. It has no timeout around code that does not wait.

use std::mem::{replace, take};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex as Plain};

use may::coroutine::yield_now;
use may::sync::{Mutex, Semphore, SyncFlag};

use super::CROWD;
use crate::figure::Run;
use crate::harness::per_operation;
use crate::on_may::{block_on, join};

pub const RUNS: &[(&str, Run)] = &[
    ("lock", lock),
    ("lock-2", locks),
    ("semaphore", semaphore),
    ("semaphore-2", semaphores),
    ("event", event),
    ("event-100", events),
];

fn lock() -> Vec<f64> {
    per_operation(|count| {
        block_on(move || {
            let total = Mutex::new(0);
            for _ in 0..count {
                *total.lock().expect("nobody panics") += 1;
            }
            assert_eq!(total.into_inner().expect("nobody panics"), count);
        });
    })
}

fn locks() -> Vec<f64> {
    per_operation(|count| {
        block_on(move || {
            let total = Arc::new(Mutex::new(0));
            let tasks = [(); 2].map(|()| {
                let total = total.clone();
                may::go!(move || {
                    for _ in 0..count / 2 {
                        let mut total = total.lock().expect("nobody panics");
                        yield_now();
                        *total += 1;
                    }
                })
            });
            tasks.into_iter().for_each(join);
            assert_eq!(*total.lock().expect("nobody panics"), count);
        });
    })
}

fn semaphore() -> Vec<f64> {
    per_operation(|count| {
        block_on(move || {
            let semaphore = Semphore::new(1);
            for _ in 0..count {
                semaphore.wait();
                assert_eq!(semaphore.get_value(), 0);
                semaphore.post();
            }
        });
    })
}

fn semaphores() -> Vec<f64> {
    per_operation(|count| {
        block_on(move || {
            let semaphores = [0, 1].map(|permits| Arc::new(Semphore::new(permits)));
            let total = Arc::new(AtomicUsize::new(0));
            let tasks = [0, 1].map(|at| {
                let (mine, other) = (semaphores[at].clone(), semaphores[1 - at].clone());
                let total = total.clone();
                may::go!(move || {
                    for _ in 0..count / 2 {
                        mine.wait();
                        total.store(total.load(Relaxed) + 1, Relaxed);
                        other.post();
                    }
                })
            });
            tasks.into_iter().for_each(join);
            assert_eq!(total.load(Relaxed), count);
        });
    })
}

/// A flag, and the number that is sent.
#[derive(Default)]
struct Event {
    flag: SyncFlag,
    value: AtomicUsize,
}

impl Event {
    fn send(&self, value: usize) {
        self.value.store(value, Relaxed);
        self.flag.fire();
    }

    fn wait(&self) -> usize {
        self.flag.wait();
        self.value.load(Relaxed)
    }
}

fn event() -> Vec<f64> {
    per_operation(|count| {
        block_on(move || {
            let shown: Arc<Plain<Option<Arc<Event>>>> = Arc::default();
            let place = shown.clone();
            let waiter = may::go!(move || {
                for value in 0..count {
                    let event = Arc::new(Event::default());
                    *place.lock().expect("nobody panics") = Some(event.clone());
                    assert_eq!(event.wait(), value);
                }
            });
            let sender = may::go!(move || {
                let mut value = 0;
                while value < count {
                    if let Some(event) = take(&mut *shown.lock().expect("nobody panics")) {
                        event.send(value);
                        value += 1;
                    }
                    yield_now();
                }
            });
            join(sender);
            join(waiter);
        });
    })
}

fn events() -> Vec<f64> {
    per_operation(|count| {
        block_on(move || {
            let rounds = count / CROWD;
            let shown = Arc::new(Plain::new(Arc::new(Event::default())));
            let seen = Arc::new(AtomicUsize::new(0));
            let waiters = [(); CROWD].map(|()| {
                let (shown, seen) = (shown.clone(), seen.clone());
                may::go!(move || {
                    for value in 0..rounds {
                        let event = shown.lock().expect("nobody panics").clone();
                        assert_eq!(event.wait(), value);
                        seen.store(seen.load(Relaxed) + 1, Relaxed);
                    }
                })
            });
            let sender = may::go!(move || {
                for value in 0..rounds {
                    let next = Arc::new(Event::default());
                    let event = replace(&mut *shown.lock().expect("nobody panics"), next);
                    event.send(value);
                    while seen.load(Relaxed) < (value + 1) * CROWD {
                        yield_now();
                    }
                }
            });
            join(sender);
            waiters.into_iter().for_each(join);
        });
    })
}
