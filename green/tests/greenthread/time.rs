//! Time beyond the clock, and work for when there is none.

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::rc::Rc;
use std::time::{Duration, Instant};

use green::Timeout;
use green::hubs::idle;
use green::time::interval;

use crate::common::{SHORT, bounded};

#[test]
fn an_interval_beyond_the_clock_has_one_tick() {
    bounded(|| {
        for period in [
            Duration::MAX,
            Duration::MAX / 2,
            Duration::from_secs(u64::MAX),
        ] {
            let mut ticks = interval(period);
            let start = Instant::now();
            ticks.tick();
            assert!(Timeout::new(SHORT).run(|| ticks.tick()).is_err());
            // It stays so.
            assert!(Timeout::new(SHORT).run(|| ticks.tick()).is_err());
            assert!(start.elapsed() >= 2 * SHORT);
        }
    });
}

#[test]
fn missed_ticks_are_skipped_however_many() {
    green::sim::run(1, || {
        let start = green::time::now();
        let mut ticks = interval(Duration::from_nanos(1));
        ticks.tick();
        // More of them than 32 bits can count.
        green::sleep(Duration::from_secs(100));
        ticks.tick();
        let tick = ticks.tick();
        assert!(tick - start >= Duration::from_secs(100));
        assert!(tick - green::time::now() <= Duration::from_nanos(1));
    });
}

#[test]
fn idle_comes_after_all_that_can_run() {
    bounded(|| {
        let order = Rc::new(RefCell::new(Vec::new()));
        let note = |what: &'static str| {
            let order = Rc::clone(&order);
            move || order.borrow_mut().push(what)
        };
        let (mut near, far) = std::os::unix::net::UnixStream::pair().unwrap();
        let ready = green::spawn({
            let note = note("ready");
            move || {
                green::hubs::trampoline(&far, green::hubs::Direction::Read, None).unwrap();
                note();
            }
        });
        let due = green::spawn({
            let note = note("due");
            move || {
                green::sleep(Duration::from_millis(1));
                note();
            }
        });
        green::yield_now();
        let idler = green::spawn({
            let note = note("idle");
            move || {
                idle();
                note();
            }
        });
        let busy = green::spawn({
            let note = note("busy");
            move || {
                (0..100).for_each(|_| green::yield_now());
                note();
            }
        });
        near.write_all(b"x").unwrap();
        // Computes past the deadline of the sleeper.
        std::thread::sleep(Duration::from_millis(5));
        green::joinall(&[ready, due, idler, busy]);
        assert_eq!(order.borrow().last(), Some(&"idle"), "{:?}", order.borrow());
        assert_eq!(order.borrow().len(), 4);
    });
}

#[test]
fn several_idlers_take_turns_and_do_not_wait_for_each_other() {
    bounded(|| {
        let pieces = Rc::new(RefCell::new(Vec::new()));
        let idlers: Vec<_> = (0..3)
            .map(|n| {
                let pieces = Rc::clone(&pieces);
                green::spawn(move || {
                    for _ in 0..4 {
                        idle();
                        pieces.borrow_mut().push(n);
                    }
                })
            })
            .collect();
        green::joinall(&idlers);
        let pieces = pieces.borrow();
        assert_eq!(pieces.len(), 12);
        for n in 0..3 {
            assert!(pieces[..6].contains(&n), "{pieces:?}");
        }
    });
}

#[test]
fn an_idler_of_a_busy_thread_can_be_ended() {
    bounded(|| {
        let stop = Rc::new(Cell::new(false));
        let seen = Rc::clone(&stop);
        let busy = green::spawn(move || {
            while !seen.get() {
                green::yield_now();
            }
        });
        assert!(Timeout::new(SHORT).run(idle).is_err());
        let killed = green::spawn(idle);
        green::yield_now();
        killed.kill();
        assert!(killed.is_dead());
        stop.set(true);
        // Those who have left are not counted.
        idle();
        assert!(busy.is_dead());
    });
}
