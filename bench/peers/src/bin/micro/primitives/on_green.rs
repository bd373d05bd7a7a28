//! green.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use green::lock::Mutex;
use green::time::timeout;
use green::{Event, GreenThread, Semaphore};

use super::CROWD;
use crate::figure::Run;
use crate::harness::{NEVER, per_operation};

pub const RUNS: &[(&str, Run)] = &[
    ("lock", lock),
    ("lock-2", locks),
    ("semaphore", semaphore),
    ("semaphore-2", semaphores),
    ("event", event),
    ("event-100", events),
    ("timeout-idle", timeouts),
];

fn join<T: 'static>(greenthread: GreenThread<T>) -> T {
    greenthread.join().expect("no greenthread panics")
}

fn lock() -> Vec<f64> {
    per_operation(|count| {
        let total = Mutex::new(0);
        for _ in 0..count {
            *total.lock().expect("nothing unwinds") += 1;
        }
        assert_eq!(total.into_inner(), count);
    })
}

fn locks() -> Vec<f64> {
    per_operation(|count| {
        let total = Rc::new(Mutex::new(0));
        let tasks = [(); 2].map(|()| {
            let total = total.clone();
            green::spawn(move || {
                for _ in 0..count / 2 {
                    let mut total = total.lock().expect("nothing unwinds");
                    green::yield_now();
                    *total += 1;
                }
            })
        });
        tasks.into_iter().for_each(join);
        assert_eq!(*total.lock().expect("nothing unwinds"), count);
    })
}

fn semaphore() -> Vec<f64> {
    per_operation(|count| {
        let semaphore = Semaphore::new(1);
        let mut total = 0;
        for _ in 0..count {
            total += usize::from(semaphore.acquire().is_held());
        }
        assert_eq!(total, count);
    })
}

fn semaphores() -> Vec<f64> {
    per_operation(|count| {
        let semaphores = [0, 1].map(|permits| Rc::new(Semaphore::new(permits)));
        let total = Rc::new(Cell::new(0));
        let tasks = [0, 1].map(|at| {
            let (mine, other) = (semaphores[at].clone(), semaphores[1 - at].clone());
            let total = total.clone();
            green::spawn(move || {
                for _ in 0..count / 2 {
                    mine.acquire().forget();
                    total.set(total.get() + 1);
                    other.release();
                }
            })
        });
        tasks.into_iter().for_each(join);
        assert_eq!(total.get(), count);
    })
}

fn event() -> Vec<f64> {
    per_operation(|count| {
        let shown: Rc<Cell<Option<Rc<Event<usize>>>>> = Rc::default();
        let place = shown.clone();
        let waiter = green::spawn(move || {
            for value in 0..count {
                let event = Rc::new(Event::new());
                place.set(Some(event.clone()));
                assert_eq!(event.wait().expect("a number is sent"), value);
            }
        });
        let sender = green::spawn(move || {
            for value in 0..count {
                let event = shown.take().expect("the waiter ran before");
                event.send(value).expect("it is sent once");
                green::yield_now();
            }
        });
        join(sender);
        join(waiter);
    })
}

fn events() -> Vec<f64> {
    per_operation(|count| {
        let rounds = count / CROWD;
        let shown = Rc::new(RefCell::new(Rc::new(Event::new())));
        let waiters = [(); CROWD].map(|()| {
            let shown = shown.clone();
            green::spawn(move || {
                for value in 0..rounds {
                    let event = shown.borrow().clone();
                    assert_eq!(event.wait().expect("a number is sent"), value);
                }
            })
        });
        let sender = green::spawn(move || {
            for value in 0..rounds {
                let event = shown.replace(Rc::new(Event::new()));
                event.send(value).expect("it is sent once");
                green::yield_now();
            }
        });
        join(sender);
        waiters.into_iter().for_each(join);
    })
}

fn timeouts() -> Vec<f64> {
    per_operation(|count| {
        join(green::spawn(move || {
            for value in 0..count {
                assert_eq!(timeout(NEVER, || value), Ok(value));
            }
        }));
    })
}
