//! Timeout: whose deadline it is, when it arrives, and what it leaves alone.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::common::{bounded, settle, tcp_pair};
use green::net::TcpStream;
use green::{Elapsed, GreenPool, GreenThread, Timeout, is_timeout, with_timeout};

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn long() -> Duration {
    Duration::from_secs(3600)
}

#[test]
fn code_is_left_where_it_waits() {
    bounded(|| {
        struct Ends(Rc<Cell<bool>>);
        impl Drop for Ends {
            fn drop(&mut self) {
                self.0.set(true);
            }
        }
        let ended = Rc::new(Cell::new(false));
        let ends = Ends(Rc::clone(&ended));
        let start = Instant::now();
        let elapsed = Timeout::new(millis(3)).run(move || {
            let _ends = ends;
            green::sleep(long());
        });
        assert_eq!(elapsed.unwrap_err().after(), millis(3));
        assert!(start.elapsed() >= millis(3));
        assert!(ended.get());
    });
}

#[test]
fn the_forms() {
    bounded(|| {
        let late = || green::sleep(long());
        assert_eq!(Timeout::silent(millis(1), late), None);
        assert_eq!(Timeout::silent(long(), || 1), Some(1));
        let own = Timeout::new(millis(1)).run_or(
            || {
                late();
                Ok(())
            },
            "own error",
        );
        assert_eq!(own, Err("own error"));
        assert_eq!(
            Timeout::new(long()).run_or(|| Err::<(), _>("its"), "own"),
            Err("its")
        );
        assert_eq!(
            with_timeout(
                millis(1),
                || {
                    late();
                    1
                },
                2
            ),
            2
        );
        assert_eq!(with_timeout(long(), || 1, 2), 1);
        assert!(green::time::timeout(millis(1), late).is_err());
        assert!(Timeout::from_secs(0.001).unwrap().run(late).is_err());
        for bad in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(Timeout::from_secs(bad).is_err());
        }
    });
}

#[test]
fn none_never_elapses() {
    bounded(|| {
        assert_eq!(Timeout::new(None).run(|| green::sleep(millis(2))), Ok(()));
        // Neither does one that the clock cannot hold.
        assert_eq!(
            Timeout::new(Duration::MAX).run(|| green::sleep(millis(2))),
            Ok(())
        );
    });
}

#[test]
fn zero_elapses_at_the_first_wait_and_not_before() {
    bounded(|| {
        let passed = Cell::new(0);
        let elapsed = Timeout::new(Duration::ZERO).run(|| {
            passed.set(1);
            drop(green::spawn(|| ()));
            passed.set(2);
            green::yield_now();
            passed.set(3);
        });
        assert!(elapsed.is_err());
        assert_eq!(passed.get(), 2);
        assert_eq!(Timeout::new(Duration::ZERO).run(|| 5), Ok(5));
        let tiny = Timeout::new(Duration::from_nanos(1)).run(|| green::sleep(long()));
        assert!(tiny.is_err());
    });
}

#[test]
fn nested_inner_first() {
    bounded(|| {
        let outer = Timeout::new(long()).run(|| {
            let inner = Timeout::new(millis(1)).run(|| green::sleep(long()));
            assert_eq!(inner.unwrap_err().after(), millis(1));
            green::sleep(millis(1));
            "after the inner one"
        });
        assert_eq!(outer, Ok("after the inner one"));
    });
}

#[test]
fn nested_outer_first() {
    bounded(|| {
        let reached = Cell::new(false);
        let outer = Timeout::silent(millis(1), || {
            let _ = Timeout::silent(long(), || green::sleep(long()));
            reached.set(true);
        });
        assert_eq!(outer, None);
        assert!(!reached.get(), "the inner scope does not consume it");
        let value = with_timeout(
            millis(1),
            || {
                with_timeout(
                    long(),
                    || {
                        green::sleep(long());
                        1
                    },
                    2,
                )
            },
            3,
        );
        assert_eq!(value, 3);
    });
}

#[test]
fn both_elapse_in_one_turn() {
    bounded(|| {
        for (outer, inner) in [(1, 2), (2, 1), (2, 2)] {
            let seen = RefCell::new(Vec::new());
            let elapsed = Timeout::new(millis(outer)).run(|| {
                let elapsed = Timeout::new(millis(inner)).run(|| {
                    std::thread::sleep(millis(4));
                    green::sleep(long());
                });
                seen.borrow_mut().push(elapsed);
                green::sleep(long());
            });
            assert_eq!(elapsed.unwrap_err().after(), millis(outer));
            assert!(seen.borrow().iter().all(Result::is_err));
        }
    });
}

#[test]
fn a_deadline_that_is_caught_below_comes_again() {
    bounded(|| {
        let caught = Cell::new(0);
        let elapsed = Timeout::new(millis(1)).run(|| {
            while caught.get() < 5 {
                let wait = catch_unwind(|| green::sleep(long()));
                assert!(wait.is_err());
                caught.set(caught.get() + 1);
            }
            green::sleep(long());
        });
        assert!(elapsed.is_err());
        assert_eq!(caught.get(), 5);
        // Its scope is over: it comes no more.
        green::sleep(millis(1));
    });
}

#[test]
fn a_deadline_can_be_cancelled_and_set_anew() {
    bounded(|| {
        let timers = green::debug::counters().timers;
        let done = Timeout::new(millis(1)).run_with(|deadline| {
            assert!(deadline.is_pending());
            deadline.cancel();
            assert!(!deadline.is_pending());
            deadline.cancel();
            green::sleep(millis(4));
            deadline.restart(long());
            assert!(deadline.is_pending());
            5
        });
        assert_eq!(done, Ok(5));
        let late = Timeout::new(None).run_with(|deadline| {
            assert!(!deadline.is_pending());
            deadline.restart(millis(1));
            deadline.restart(millis(2));
            green::sleep(long());
        });
        assert_eq!(late.unwrap_err().after(), millis(2));
        let now = Timeout::new(long()).run_with(|deadline| {
            deadline.restart(Duration::ZERO);
            green::yield_now();
        });
        assert!(now.is_err());
        // Also when it has passed and has not arrived.
        let rescued = Timeout::new(millis(1)).run_with(|deadline| {
            let caught = catch_unwind(AssertUnwindSafe(|| green::sleep(long())));
            assert!(caught.is_err() && !deadline.is_pending());
            deadline.cancel();
            green::sleep(millis(2));
            7
        });
        assert_eq!(rescued, Ok(7));
        assert_eq!(green::debug::counters().timers, timers);
    });
}

#[test]
fn the_deadline_of_one_that_has_ended_harms_nobody() {
    bounded(|| {
        let timers = green::debug::counters().timers;
        let gts: Vec<_> = (0..10)
            .map(|n| {
                green::spawn(move || {
                    Timeout::new(millis(3)).run(|| match n % 3 {
                        0 => (),
                        1 => panic!("on purpose"),
                        _ => green::sleep(long()),
                    })
                })
            })
            .collect();
        green::yield_now();
        green::killall(&gts);
        assert_eq!(green::debug::counters().timers, timers);
        green::sleep(millis(5));
    });
}

#[test]
fn it_is_a_timeout_for_those_who_ask() {
    bounded(|| {
        let elapsed = Timeout::new(Duration::ZERO)
            .run(green::yield_now)
            .unwrap_err();
        assert!(is_timeout(&elapsed));
        let error = io::Error::from(elapsed);
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(is_timeout(&error));
        assert_eq!(error.to_string(), "timed out after 0ns");

        let (mut near, _far) = tcp_pair();
        near.set_read_timeout(Some(millis(1))).unwrap();
        let error = near.read(&mut [0]).unwrap_err();
        assert!(is_timeout(&error));

        #[derive(Debug)]
        struct Wrapped(io::Error);
        impl std::fmt::Display for Wrapped {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("wrapped")
            }
        }
        impl Error for Wrapped {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(&self.0)
            }
        }
        assert!(is_timeout(&Wrapped(error)));
        assert!(!is_timeout(&io::Error::from(io::ErrorKind::NotFound)));
    });
}

#[test]
fn it_reaches_every_blocking_call() {
    bounded(|| {
        let short = || Timeout::new(millis(1));
        let (mut near, far) = tcp_pair();
        assert!(short().run(|| near.read(&mut [0])).is_err());
        crate::common::fill(&near);
        assert!(short().run(|| near.write(&[0])).is_err());
        assert!(
            short()
                .run(|| green::spawn(|| green::sleep(long())).join())
                .is_err()
        );
        let queue = green::Queue::<()>::unbounded();
        assert!(short().run(|| queue.get()).is_err());
        let semaphore = green::Semaphore::new(0);
        assert!(short().run(|| drop(semaphore.acquire())).is_err());
        let event = green::Event::<()>::new();
        assert!(short().run(|| event.wait()).is_err());
        let pool = GreenPool::new(0);
        assert!(short().run(|| pool.spawn(|| ())).is_err());
        assert!(
            short()
                .run(|| green::tpool::execute(|| std::thread::sleep(millis(20))))
                .is_err()
        );
        drop(far);
    });
}

#[test]
fn an_endless_loop_of_yields_is_ended() {
    bounded(|| {
        let elapsed = Timeout::silent(millis(2), || {
            loop {
                green::sleep(Duration::ZERO);
            }
        });
        assert_eq!(elapsed, None::<()>);
    });
}

#[test]
fn what_is_ready_in_the_same_turn_wins() {
    bounded(|| {
        // Again if the machine is so slow that the time is over before the byte is sent.
        let sends_late = |reader: &dyn Fn(TcpStream) -> GreenThread<bool>| {
            for _ in 0..100 {
                let (near, far) = tcp_pair();
                let reader = reader(far);
                settle();
                if reader.is_dead() {
                    continue;
                }
                near.try_write(b"x").unwrap();
                // A neighbour that computes keeps the hub from looking until the deadline has passed.
                std::thread::sleep(millis(15));
                return assert!(reader.join().unwrap());
            }
            panic!("never in time");
        };
        sends_late(&|mut far| {
            green::spawn(move || {
                let mut byte = [0];
                let read = Timeout::new(millis(5)).run(|| far.read(&mut byte));
                read.is_ok_and(|read| read.is_ok()) && byte == *b"x"
            })
        });
        // The same for the timeout of the call itself.
        sends_late(&|mut far| {
            green::spawn(move || {
                far.set_read_timeout(Some(millis(5))).unwrap();
                far.read(&mut [0]).is_ok_and(|count| count == 1)
            })
        });
    });
}

#[test]
fn a_kill_passes_through_a_timeout() {
    bounded(|| {
        let gt = green::spawn(|| Timeout::new(long()).run(|| green::sleep(long())));
        green::yield_now();
        gt.kill();
        assert!(matches!(gt.join(), Err(green::Exit::Killed(_))));
        let panicked = catch_unwind(|| Timeout::new(long()).run(|| panic!("on purpose")));
        assert!(panicked.is_err());
    });
}

#[test]
fn each_greenthread_has_its_own() {
    bounded(|| {
        let gts: Vec<_> = (1..=20)
            .map(|n| {
                green::spawn(move || {
                    let start = Instant::now();
                    let elapsed = Timeout::new(millis(n)).run(|| green::sleep(long()));
                    assert_eq!(elapsed.unwrap_err().after(), millis(n));
                    assert!(start.elapsed() >= millis(n));
                })
            })
            .collect();
        for gt in gts {
            gt.join().unwrap();
        }
    });
}

#[test]
fn it_can_be_used_while_unwinding() {
    struct Uses(Rc<RefCell<Option<Result<(), Elapsed>>>>);
    impl Drop for Uses {
        fn drop(&mut self) {
            // Nothing waits, so nothing elapses.
            *self.0.borrow_mut() = Some(Timeout::new(Duration::ZERO).run(|| green::sleep(long())));
        }
    }
    bounded(|| {
        let result = Rc::default();
        let uses = Uses(Rc::clone(&result));
        let caught = catch_unwind(AssertUnwindSafe(move || {
            let _uses = uses;
            panic!("on purpose");
        }));
        assert!(caught.is_err());
        assert_eq!(*result.borrow(), Some(Ok(())));
    });
}

#[test]
fn a_deadline_counts_from_where_its_scope_begins() {
    bounded(|| {
        let order = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&order);
        let sleeper = green::spawn(move || {
            green::sleep(millis(40));
            seen.borrow_mut().push("later");
        });
        green::yield_now();
        let late = Timeout::new(millis(20)).run(|| {
            // Nothing waits here, so nothing can be left from here.
            let start = Instant::now();
            while start.elapsed() < millis(30) {}
            // Its time is up: it does not begin anew with the first wait.
            green::sleep(long());
        });
        assert!(late.is_err());
        order.borrow_mut().push("elapsed");
        sleeper.join().unwrap();
        assert_eq!(*order.borrow(), ["elapsed", "later"]);
    });
}

#[test]
fn a_scope_that_never_waits_has_no_timer_and_one_that_waits_has_one() {
    bounded(|| {
        let timers = || green::debug::counters().timers;
        let before = timers();
        let done = Timeout::new(long()).run(|| timers() - before);
        assert_eq!(done, Ok(0));
        let done = Timeout::new(long()).run(|| {
            Timeout::new(long()).run(|| {
                green::yield_now();
                timers() - before
            })
        });
        assert_eq!(done, Ok(Ok(2)));
        assert_eq!(timers(), before);
    });
}

#[test]
fn the_deadline_of_a_scope_comes_before_an_equal_one_of_a_timer_made_in_it() {
    // On a clock that stands still while anything runs.
    green::sim::run_in_order(|| {
        let order = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&order);
        let late = Timeout::new(millis(5)).run(|| {
            green::spawn_after(millis(5), move || seen.borrow_mut().push("spawned"));
            green::sleep(long());
        });
        assert!(late.is_err());
        order.borrow_mut().push("elapsed");
        green::sleep(millis(10));
        assert_eq!(*order.borrow(), ["elapsed", "spawned"]);
    });
}
