//! Rings from other threads

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hub_core::Reactor;

use crate::common::on_each_hub;
use crate::nobody_due;

/// Longer than a ring takes.
const LONG: Option<Duration> = Some(Duration::from_secs(10));

#[test]
fn nothing_put_in_before_a_ring_is_missed() {
    const THREADS: usize = 4;
    const EACH: usize = 2000;
    on_each_hub(|make| {
        let mut reactor: Reactor<()> = Reactor::new(make().unwrap());
        let waker = reactor.waker().unwrap();
        let inbox = Mutex::new(Vec::new());
        let rings = AtomicUsize::new(0);
        let mut received = 0;
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (waker, inbox, rings) = (waker.clone(), &inbox, &rings);
                scope.spawn(move || {
                    for number in 0..EACH {
                        inbox.lock().unwrap().push((thread, number));
                        waker.wake();
                        rings.fetch_add(1, Ordering::Relaxed);
                        if number % 64 == 0 {
                            std::thread::sleep(Duration::from_micros(50));
                        }
                    }
                });
            }
            let mut woken = Vec::new();
            let end = Instant::now() + Duration::from_secs(60);
            while received < THREADS * EACH {
                assert!(Instant::now() < end, "a ring was lost");
                let turn = reactor.turn(LONG, &mut woken).unwrap();
                if turn.rang {
                    received += std::mem::take(&mut *inbox.lock().unwrap()).len();
                }
            }
        });
        assert_eq!(received, rings.load(Ordering::Relaxed));
        // The last ones may have rung for what was found before.
        reactor.turn(Some(Duration::ZERO), &mut Vec::new()).unwrap();
        assert!(
            !reactor
                .turn(Some(Duration::ZERO), &mut Vec::new())
                .unwrap()
                .rang
        );
    });
}

#[test]
fn many_rings_are_one() {
    on_each_hub(|make| {
        let mut reactor: Reactor<()> = Reactor::new(make().unwrap());
        let waker = reactor.waker().unwrap();
        let mut woken = Vec::new();
        for _ in 0..3 {
            // More than a wire could hold.
            for _ in 0..1_000_000 {
                waker.wake();
            }
            assert!(reactor.turn(LONG, &mut woken).unwrap().rang);
            assert!(!reactor.turn(Some(Duration::ZERO), &mut woken).unwrap().rang);
        }
        assert!(woken.is_empty());
    });
}

#[test]
fn the_reactor_knows_whether_it_can_be_woken() {
    on_each_hub(|make| {
        let mut reactor: Reactor<()> = Reactor::new(make().unwrap());
        assert!(!reactor.is_wakeable());
        let waker = reactor.waker().unwrap();
        assert!(reactor.is_wakeable() && !reactor.has_waiters());
        assert_eq!(reactor.descriptors(), 0, "that of the waker is not counted");
        let other = reactor.waker().unwrap();
        drop(waker);
        assert!(reactor.is_wakeable());
        std::thread::spawn(move || other.wake()).join().unwrap();
        assert!(!reactor.is_wakeable());
        assert!(
            reactor
                .turn(Some(Duration::ZERO), &mut Vec::new())
                .unwrap()
                .rang
        );
        nobody_due(&mut reactor);
        let again = reactor.waker().unwrap();
        again.wake();
        assert!(reactor.turn(LONG, &mut Vec::new()).unwrap().rang);
    });
}

#[test]
fn a_waker_outlives_its_reactor() {
    on_each_hub(|make| {
        let mut reactor: Reactor<()> = Reactor::new(make().unwrap());
        let waker = reactor.waker().unwrap();
        drop(reactor);
        for _ in 0..3 {
            waker.wake();
        }
    });
}
