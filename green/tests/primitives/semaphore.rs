//! Semaphores: order, hand-off, timeouts, kills, misuse.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::common::primitive::{
    Log, MS, assert_idle, bounded, settle, spawn_settled, while_two_unwind, while_unwinding,
};
use green::{BoundedSemaphore, Semaphore, Timeout};

/// Greenthreads that each take a permit, note it, and keep it.
fn acquirers(semaphore: &Rc<Semaphore>, log: &Log<u32>, n: u32) -> Vec<green::GreenThread<()>> {
    let acquirers = (0..n)
        .map(|i| {
            let (semaphore, log) = (Rc::clone(semaphore), log.clone());
            spawn_settled(move || {
                semaphore.acquire().forget();
                log.add(i);
            })
        })
        .collect();
    settle();
    acquirers
}

#[test]
fn permits_are_counted() {
    bounded(|| {
        let semaphore = Semaphore::new(2);
        let first = semaphore.acquire();
        assert!(first.is_held());
        assert_eq!(
            (
                semaphore.counter(),
                semaphore.balance(),
                semaphore.is_locked()
            ),
            (1, 1, false)
        );
        let second = semaphore.try_acquire().unwrap();
        assert_eq!(
            (
                semaphore.counter(),
                semaphore.balance(),
                semaphore.is_locked()
            ),
            (0, 0, true)
        );
        assert!(semaphore.try_acquire().is_none());
        drop((first, second));
        assert_eq!(semaphore.counter(), 2);
        semaphore.release();
        semaphore.add_permits(3);
        assert_eq!(semaphore.counter(), 6);
        assert_eq!(Semaphore::default().counter(), 1);
    });
}

#[test]
fn waiters_are_served_in_the_order_of_their_arrival() {
    bounded(|| {
        let (semaphore, log) = (Rc::new(Semaphore::new(0)), Log::new());
        acquirers(&semaphore, &log, 12);
        assert_eq!(semaphore.balance(), -12);
        for _ in 0..12 {
            semaphore.release();
        }
        // Handed over already, though none of them has run.
        assert_eq!((semaphore.balance(), log.take()), (0, vec![]));
        assert!(semaphore.try_acquire().is_none());
        settle();
        assert_eq!(log.take(), (0..12).collect::<Vec<_>>());
    });
}

#[test]
fn nobody_overtakes_one_who_waits() {
    bounded(|| {
        let (semaphore, log) = (Rc::new(Semaphore::new(0)), Log::new());
        acquirers(&semaphore, &log, 1);
        semaphore.release();
        // The permit belongs to the waiter: neither of these gets it.
        assert!(semaphore.try_acquire().is_none());
        assert!(semaphore.acquire_timeout(Duration::ZERO).is_none());
        assert_eq!(log.take(), [0]);
    });
}

#[test]
fn two_workers_that_hold_and_sleep_get_equal_shares() {
    bounded(|| {
        let semaphore = Rc::new(Semaphore::new(1));
        let shares: Vec<_> = (0..2).map(|_| Rc::new(Cell::new(0_u32))).collect();
        let workers: Vec<_> = shares
            .iter()
            .map(|share| {
                let (semaphore, share) = (Rc::clone(&semaphore), Rc::clone(share));
                green::spawn(move || {
                    loop {
                        let _permit = semaphore.acquire();
                        share.set(share.get() + 1);
                        green::sleep(MS);
                    }
                })
            })
            .collect();
        green::sleep(60 * MS);
        for worker in workers {
            worker.kill();
        }
        let (a, b) = (shares[0].get(), shares[1].get());
        assert!(a > 1 && a.abs_diff(b) <= 1, "{a} against {b}");
        assert_eq!(semaphore.counter(), 1);
    });
}

#[test]
fn a_timeout_is_kept_and_leaves_nothing_behind() {
    bounded(|| {
        let semaphore = Semaphore::new(0);
        let start = Instant::now();
        assert!(semaphore.acquire_timeout(100 * MS).is_none());
        assert!(start.elapsed() >= 100 * MS);
        assert_eq!((semaphore.balance(), semaphore.counter()), (0, 0));
        semaphore.release();
        assert!(semaphore.acquire_timeout(100 * MS).is_some());
    });
}

#[test]
fn a_timeout_of_zero_lets_the_others_run_once() {
    bounded(|| {
        let semaphore = Rc::new(Semaphore::new(0));
        let releaser = Rc::clone(&semaphore);
        green::spawn_n(move || releaser.release());
        assert!(semaphore.acquire_timeout(Duration::ZERO).is_some());
    });
}

#[test]
fn works_under_a_timeout_scope() {
    bounded(|| {
        let semaphore = Semaphore::new(0);
        assert!(
            Timeout::new(MS)
                .run(|| semaphore.acquire().forget())
                .is_err()
        );
        assert_eq!((semaphore.balance(), semaphore.counter()), (0, 0));
    });
}

#[test]
fn a_killed_waiter_is_passed_over() {
    bounded(|| {
        let (semaphore, log) = (Rc::new(Semaphore::new(0)), Log::new());
        let waiters = acquirers(&semaphore, &log, 3);
        waiters[1].kill();
        assert_eq!(semaphore.balance(), -2);
        semaphore.add_permits(2);
        settle();
        assert_eq!(log.take(), [0, 2]);
    });
}

#[test]
fn one_that_is_killed_with_a_permit_in_hand_passes_it_on() {
    bounded(|| {
        let (semaphore, log) = (Rc::new(Semaphore::new(0)), Log::new());
        let waiters = acquirers(&semaphore, &log, 2);
        semaphore.release();
        waiters[0].kill();
        settle();
        assert_eq!(log.take(), [1]);
        let last = acquirers(&semaphore, &log, 1);
        semaphore.release();
        last[0].kill();
        assert_eq!(semaphore.counter(), 1);
    });
}

#[test]
fn one_whose_time_is_up_in_the_same_turn_loses_nothing() {
    bounded(|| {
        let semaphore = Rc::new(Semaphore::new(0));
        let releaser = Rc::clone(&semaphore);
        // Both are due in one turn; whichever comes first, the permit is with one of the two or free.
        let waiter = {
            let semaphore = Rc::clone(&semaphore);
            green::spawn(move || {
                semaphore
                    .acquire_timeout(2 * MS)
                    .map(|permit| permit.forget())
            })
        };
        green::spawn_after(2 * MS, move || releaser.release());
        let got = waiter.join().unwrap();
        green::sleep(3 * MS);
        assert_eq!(semaphore.counter(), usize::from(got.is_none()));
    });
}

#[test]
fn a_kill_under_a_mask_lets_the_wait_end_first() {
    bounded(|| {
        let semaphore = Rc::new(Semaphore::new(0));
        let log = Log::new();
        let waiter = {
            let (semaphore, log) = (Rc::clone(&semaphore), log.clone());
            green::spawn(move || {
                green::mask(|| {
                    let permit = semaphore.acquire();
                    log.add(permit.is_held());
                });
                green::yield_now();
                log.add(false);
            })
        };
        settle();
        semaphore.release();
        waiter.kill();
        assert!(waiter.join().is_err());
        assert_eq!((log.take(), semaphore.counter()), (vec![true], 1));
    });
}

#[test]
fn while_unwinding_a_free_permit_is_taken_and_no_other_waited_for() {
    bounded(|| {
        let semaphore = Rc::new(Semaphore::new(1));
        let unwinding = Rc::clone(&semaphore);
        while_unwinding(move || {
            let first = unwinding.acquire();
            let second = unwinding.acquire();
            assert!(first.is_held() && !second.is_held());
            assert!(unwinding.acquire_timeout(60_000 * MS).is_none());
            drop(second);
            assert_eq!(unwinding.counter(), 0);
        });
        assert_eq!(semaphore.counter(), 1);
    });
}

#[test]
fn two_that_unwind_at_once_never_switch() {
    bounded(|| {
        let semaphore = Semaphore::new(0);
        while_two_unwind(move || {
            assert!(!semaphore.acquire().is_held());
            semaphore.release();
            assert!(semaphore.acquire().is_held());
            drop(semaphore.try_acquire());
            semaphore.acquire().forget();
        });
    });
}

#[test]
fn nobody_runs_while_all_wait() {
    bounded(|| {
        let (semaphore, log) = (Rc::new(Semaphore::new(0)), Log::new());
        let waiters = acquirers(&semaphore, &log, 10);
        assert_idle();
        for waiter in waiters {
            waiter.kill();
        }
    });
}

#[test]
fn a_bounded_semaphore_takes_back_no_more_than_it_gave() {
    bounded(|| {
        let semaphore = BoundedSemaphore::new(1);
        assert!(semaphore.release().is_err());
        let permit = semaphore.acquire();
        assert!(semaphore.try_acquire().is_none());
        assert!(semaphore.acquire_timeout(MS).is_none());
        assert_eq!((semaphore.counter(), semaphore.is_locked()), (0, true));
        drop(permit);
        assert!(semaphore.release().is_err());
        assert_eq!((semaphore.counter(), semaphore.balance()), (1, 1));
        semaphore.acquire().forget();
        assert!(semaphore.release().is_ok());
        // Released by hand under a permit that is still held: giving that back is refused, and logged.
        let permit = semaphore.acquire();
        assert!(semaphore.release().is_ok());
        drop(permit);
        assert_eq!(semaphore.counter(), 1);
    });
}
