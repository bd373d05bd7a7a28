//! GreenPool::imap and its kin: order, look-ahead, failures.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use green::{Exit, Flag, GreenPool, Timeout};

use crate::common::settle;

/// Runs a test that must not hang.
#[track_caller]
fn bounded<T>(f: impl FnOnce() -> T) -> T {
    Timeout::new(Duration::from_secs(60))
        .run(f)
        .expect("the test hangs")
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn results_come_in_the_order_of_the_inputs() {
    bounded(|| {
        let pool = GreenPool::new(4);
        let naps = [5, 1, 4, 1, 3, 9, 2];
        let results: Vec<u64> = pool
            .imap(
                |n| {
                    green::sleep(millis(n));
                    n
                },
                naps,
            )
            .map(Result::unwrap)
            .collect();
        assert_eq!(results, naps);
        assert_eq!(pool.imap(|n: i32| n, []).count(), 0);
    });
}

#[test]
fn the_unordered_form_gives_what_is_there_first() {
    bounded(|| {
        let pool = GreenPool::new(4);
        let results: Vec<u64> = pool
            .imap_unordered(
                |n| {
                    green::sleep(millis(n * 20));
                    n
                },
                [3, 1, 2, 0],
            )
            .map(Result::unwrap)
            .collect();
        assert_eq!(results, [0, 1, 2, 3]);
        assert_eq!(pool.imap_unordered(|n: i32| n, []).count(), 0);
        let gate = Rc::new(Flag::new());
        let wait = |gate: Rc<Flag>| assert!(gate.wait());
        let mut late = pool.imap_unordered(wait, [Rc::clone(&gate)]);
        assert!(late.next_timeout(millis(1)).is_err());
        gate.set();
        assert!(matches!(late.next(), Some(Ok(()))));
        assert!(late.next().is_none());
    });
}

#[test]
fn an_endless_input_is_taken_as_far_as_the_pool_is_large() {
    bounded(|| {
        let pool = GreenPool::new(2);
        let started = Rc::new(Cell::new(0));
        let counter = Rc::clone(&started);
        let mut results = pool.imap(
            move |n| {
                counter.set(counter.get() + 1);
                n
            },
            0..,
        );
        assert_eq!(results.next().unwrap().unwrap(), 0);
        settle();
        assert_eq!(started.get(), 3, "one taken, two waiting");
        assert_eq!(results.next().unwrap().unwrap(), 1);
        settle();
        assert_eq!(started.get(), 4);
        drop(results);
        settle();
        assert_eq!((started.get(), pool.running()), (4, 0));
    });
}

#[test]
fn the_unordered_form_looks_no_further_ahead() {
    bounded(|| {
        let pool = GreenPool::new(2);
        let started = Rc::new(Cell::new(0));
        let counter = Rc::clone(&started);
        let mut results = pool.imap_unordered(
            move |n| {
                counter.set(counter.get() + 1);
                n
            },
            0..,
        );
        assert!(results.next().is_some());
        green::sleep(millis(5));
        assert_eq!(started.get(), 3);
    });
}

#[test]
fn failures_stand_at_their_place() {
    bounded(|| {
        let pool = GreenPool::new(3);
        let results: Vec<_> = pool
            .imap(
                |n| {
                    if n == 1 || n == 7 {
                        panic!("no {n}");
                    }
                    n
                },
                0..10,
            )
            .collect();
        for (n, result) in results.into_iter().enumerate() {
            match result {
                Ok(value) => assert_eq!(value, n),
                Err(exit) => {
                    assert!(n == 1 || n == 7);
                    assert_eq!(
                        exit.to_string(),
                        format!("the greenthread panicked: no {n}")
                    );
                }
            }
        }
    });
}

#[test]
fn inputs_that_panic_are_the_last_result() {
    fn inputs() -> impl Iterator<Item = i32> {
        (0..10).inspect(|&n| {
            if n == 2 {
                panic!("no more inputs");
            }
        })
    }
    fn check(results: Vec<Result<i32, Exit>>) {
        assert_eq!(results.len(), 3);
        assert_eq!(*results[0].as_ref().unwrap(), 0);
        assert_eq!(*results[1].as_ref().unwrap(), 1);
        let exit = results[2].as_ref().unwrap_err().to_string();
        assert_eq!(exit, "the greenthread panicked: no more inputs");
    }
    bounded(|| {
        let pool = GreenPool::new(2);
        check(pool.imap(|n| n, inputs()).collect());
        check(pool.imap_unordered(|n| n, inputs()).collect());
        assert_eq!(pool.free(), 2);
    });
}

#[test]
fn the_calls_are_members_of_the_pool() {
    bounded(|| {
        let pool = GreenPool::new(3);
        let mut results = pool.imap(|()| green::sleep(millis(5)), [(), (), (), ()]);
        green::sleep(millis(1));
        assert_eq!((pool.running(), pool.free()), (3, 0));
        assert!(results.next().unwrap().is_ok());
        pool.waitall().unwrap();
        assert_eq!(results.filter(Result::is_ok).count(), 3);
    });
}

#[test]
fn a_member_may_map_over_its_own_full_pool() {
    bounded(|| {
        let pool = GreenPool::new(1);
        let inner = pool.clone();
        let sum = pool.spawn(move || {
            inner
                .imap(|n| n, [1, 2, 3])
                .map(Result::unwrap)
                .sum::<i32>()
        });
        assert_eq!(sum.join().unwrap(), 6);
    });
}

#[test]
fn inputs_may_wait() {
    bounded(|| {
        let pool = GreenPool::new(2);
        let inputs = (0..4).inspect(|n| green::sleep(millis(3 * n)));
        let mut results = pool.imap(|n| n, inputs);
        // The first result is there long before the last input.
        assert_eq!(results.next().unwrap().unwrap(), 0);
        assert_eq!(results.map(Result::unwrap).collect::<Vec<_>>(), [1, 2, 3]);
    });
}

#[test]
fn a_timeout_loses_no_result() {
    bounded(|| {
        let pool = GreenPool::new(2);
        let gate = Rc::new(Flag::new());
        let opens = Rc::clone(&gate);
        let mut results = pool.imap(
            move |n| {
                gate.wait();
                green::sleep(millis(10));
                n
            },
            0..4,
        );
        assert!(results.next_timeout(millis(1)).is_err());
        assert!(Timeout::new(millis(1)).run(|| results.next()).is_err());
        opens.set();
        let mut all = Vec::new();
        loop {
            match results.next_timeout(millis(3)) {
                Ok(Some(result)) => all.push(result.unwrap()),
                Ok(None) => break,
                Err(_) => {}
            }
        }
        assert_eq!(all, [0, 1, 2, 3]);
    });
}

#[test]
fn a_result_may_be_anything() {
    bounded(|| {
        let pool = GreenPool::new(2);
        let results: Vec<Option<i32>> = pool
            .imap(|n| (n != 1).then_some(n), 0..3)
            .map(Result::unwrap)
            .collect();
        assert_eq!(results, [Some(0), None, Some(2)]);
    });
}

#[test]
fn a_killed_call_is_an_error_at_its_place() {
    bounded(|| {
        let pool = GreenPool::new(2);
        let results = pool.imap(|n| green::sleep(Duration::from_secs(n)), [3600, 0]);
        green::sleep(millis(1));
        pool.members()[0].kill();
        let results: Vec<_> = results.collect();
        assert!(matches!(results[0], Err(Exit::Killed(_))));
        assert!(results[1].is_ok());
    });
}

#[test]
fn a_dropped_map_takes_no_more_inputs() {
    struct Inputs(Rc<Cell<i32>>);
    impl Iterator for Inputs {
        type Item = i32;
        fn next(&mut self) -> Option<i32> {
            self.0.set(self.0.get() + 1);
            Some(self.0.get())
        }
    }
    bounded(|| {
        let before = greenlet::stats().greenlets;
        let pool = GreenPool::new(1);
        let taken = Rc::new(Cell::new(0));
        drop(pool.imap(|n| n, Inputs(Rc::clone(&taken))));
        assert_eq!(
            Rc::strong_count(&taken),
            1,
            "the inputs are dropped at once"
        );
        let gate = pool.spawn(|| green::sleep(Duration::from_secs(3600)));
        let results = pool.imap(|n| n, Inputs(Rc::clone(&taken)));
        settle();
        assert_eq!((taken.get(), pool.waiting()), (1, 1));
        drop(results);
        settle();
        assert_eq!(Rc::strong_count(&taken), 1);
        gate.kill();
        pool.waitall().unwrap();
        assert_eq!((taken.get(), pool.free()), (1, 1));
        assert_eq!(greenlet::stats().greenlets, before);
    });
}

#[test]
fn results_that_nobody_takes_are_dropped_with_the_map() {
    bounded(|| {
        let pool = GreenPool::new(4);
        let value = Rc::new(());
        let copy = Rc::clone(&value);
        let results = pool.imap(move |_| Rc::clone(&copy), 0..4);
        pool.waitall().unwrap();
        green::sleep(millis(1));
        assert!(Rc::strong_count(&value) > 2);
        drop(results);
        settle();
        assert_eq!(Rc::strong_count(&value), 1);
    });
}

#[test]
fn an_iteration_while_unwinding_ends() {
    struct Drain(Option<green::Imap<i32>>, Rc<RefCell<Vec<i32>>>);
    impl Drop for Drain {
        fn drop(&mut self) {
            let results = self.0.take().unwrap().map(Result::unwrap);
            self.1.borrow_mut().extend(results);
        }
    }
    bounded(|| {
        let pool = GreenPool::new(2);
        let results = pool.imap(
            |n| {
                green::sleep(millis(n));
                n as i32
            },
            [0, 1000],
        );
        let drained = Rc::default();
        green::sleep(millis(2));
        let drain = Drain(Some(results), Rc::clone(&drained));
        let caught = catch_unwind(AssertUnwindSafe(move || {
            let _drain = drain;
            panic!("on purpose");
        }));
        assert!(caught.is_err());
        assert_eq!(*drained.borrow(), [0]);
    });
}

#[test]
fn the_other_forms() {
    bounded(|| {
        let pool = GreenPool::default();
        let powers: Vec<_> = pool
            .starmap(i64::pow, [(2, 5), (3, 2), (10, 3)])
            .map(Result::unwrap)
            .collect();
        assert_eq!(powers, [32, 9, 1000]);
        let doubled = pool.map(|n| n * 2, [1, 2]);
        assert!(matches!(doubled[..], [Ok(2), Ok(4)]));
        let later = pool.map_async(|n| n * 2, [1, 2]);
        assert!(matches!(later.join().unwrap()[..], [Ok(2), Ok(4)]));
    });
}
