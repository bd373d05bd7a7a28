//! mask: kills and deadlines wait outside.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use crate::common::bounded;
use green::{Exit, Timeout};

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn long() -> Duration {
    Duration::from_secs(3600)
}

#[test]
fn a_kill_arrives_at_the_first_wait_after_it() {
    bounded(|| {
        let reached = Rc::new(Cell::new(0));
        let inner = Rc::clone(&reached);
        let gt = green::spawn(move || {
            green::mask(|| {
                green::sleep(millis(2));
                inner.set(1);
                green::yield_now();
                inner.set(2);
            });
            inner.set(3);
            green::yield_now();
            inner.set(4);
        });
        green::yield_now();
        gt.kill();
        assert_eq!(reached.get(), 0);
        assert!(!gt.is_dead());
        assert!(matches!(gt.join(), Err(Exit::Killed(_))));
        assert_eq!(reached.get(), 3);
    });
}

#[test]
fn a_deadline_arrives_at_the_first_wait_after_it() {
    bounded(|| {
        let reached = Cell::new(0);
        let elapsed = Timeout::new(millis(1)).run(|| {
            green::mask(|| {
                green::sleep(millis(5));
                reached.set(1);
            });
            reached.set(2);
            green::sleep(long());
        });
        assert!(elapsed.is_err());
        assert_eq!(reached.get(), 2);
        // One that ends before the next wait keeps its value.
        let value = Timeout::new(millis(1)).run(|| {
            green::mask(|| green::sleep(millis(3)));
            5
        });
        assert_eq!(value, Ok(5));
    });
}

#[test]
fn what_is_waited_for_under_a_mask_arrives_as_ever() {
    bounded(|| {
        let gt = green::spawn(|| {
            green::mask(|| {
                let other = green::spawn(|| {
                    green::sleep(millis(3));
                    7
                });
                let value = other.join().unwrap();
                assert!(other_thing_in_time());
                value
            })
        });
        fn other_thing_in_time() -> bool {
            let slow = green::spawn(|| green::sleep(long()));
            let late = slow.wait_timeout(millis(1)).is_none();
            slow.kill();
            late
        }
        green::yield_now();
        gt.kill();
        assert_eq!(gt.join().unwrap(), 7, "killed, and it never waited again");
    });
}

#[test]
fn masks_nest() {
    bounded(|| {
        let reached = Rc::new(Cell::new(0));
        let inner = Rc::clone(&reached);
        let gt = green::spawn(move || {
            green::mask(|| {
                green::mask(green::yield_now);
                inner.set(1);
                green::yield_now();
                inner.set(2);
            });
            green::yield_now();
            inner.set(3);
        });
        green::yield_now();
        gt.kill();
        assert!(gt.join().is_err());
        assert_eq!(reached.get(), 2);
    });
}

#[test]
fn a_mask_ends_with_a_panic() {
    bounded(|| {
        let gt = green::spawn(|| {
            let caught = catch_unwind(AssertUnwindSafe(|| green::mask(|| panic!("on purpose"))));
            assert!(caught.is_err());
            green::sleep(long());
        });
        green::yield_now();
        gt.kill();
        assert!(gt.is_dead());
    });
}

#[test]
fn a_mask_belongs_to_one_greenthread() {
    bounded(|| {
        green::mask(|| {
            let gt = green::spawn(|| green::sleep(long()));
            green::yield_now();
            gt.kill();
            assert!(gt.is_dead());
        });
    });
}

#[test]
fn a_kill_before_it_starts_is_not_held_back() {
    bounded(|| {
        let gt = green::spawn(|| green::mask(|| 1));
        gt.kill();
        assert!(matches!(gt.join(), Err(Exit::Killed(_))));
    });
}
