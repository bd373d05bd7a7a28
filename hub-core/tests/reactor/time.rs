//! Deadlines, their order, and the clock that a test can move

use std::rc::Rc;
use std::time::{Duration, Instant};

use hub_core::{Cause, Clock, Direction, NotReady, Reactor, VirtualClock};

use crate::common::{on_each_hub, pair, write};
use crate::scripted::Scripted;
use crate::{due, is_ready, nobody_due, waiters};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn a_deadline_is_not_early_and_needs_few_turns() {
    on_each_hub(|make| {
        let mut reactor = Reactor::new(make().unwrap());
        for micros in [0, 10, 700, 1100, 10_500] {
            let deadline = Instant::now() + Duration::from_micros(micros);
            reactor.add_timer(deadline, micros);
            assert_eq!(reactor.next_deadline(), Some(deadline));
            let (mut woken, mut turns) = (Vec::new(), 0);
            while woken.is_empty() {
                reactor.turn(None, &mut woken).unwrap();
                turns += 1;
            }
            assert!(Instant::now() >= deadline, "{micros} us is early");
            assert!(turns <= 5, "{turns} turns for {micros} us");
            assert_eq!(woken[0].cause, Cause::Expired);
        }
    });
}

#[test]
fn equal_deadlines_expire_in_the_order_they_were_added() {
    on_each_hub(|make| {
        let mut reactor = Reactor::new(make().unwrap());
        let now = reactor.now();
        for number in 0..100 {
            reactor.add_timer(now + Duration::from_millis(number % 3), number);
        }
        let mut expected: Vec<u64> = (0..100).collect();
        expected.sort_by_key(|number| number % 3);
        let mut order = Vec::new();
        while order.len() < 100 {
            order.extend(waiters(due(&mut reactor)));
        }
        assert_eq!(order, expected);
    });
}

#[test]
fn readiness_comes_before_a_deadline_of_the_same_turn() {
    on_each_hub(|make| {
        let mut reactor = Reactor::new(make().unwrap());
        let (near, far) = pair();
        let token = reactor.add(Rc::new(far)).unwrap();
        nobody_due(&mut reactor);
        reactor.clear_ready(token, Direction::Read, NotReady::WouldBlock);
        reactor.park(token, Direction::Read, "reader").unwrap();
        reactor.add_timer(reactor.now(), "timer");
        write(&near, "x");
        let woken = due(&mut reactor);
        assert!(is_ready(&woken[0]) && woken[1].cause == Cause::Expired);
        assert_eq!(waiters(woken), ["reader", "timer"]);
    });
}

#[test]
fn a_cancelled_timer_comes_back_at_once_and_never_again() {
    let mut reactor = Reactor::new(Box::new(Scripted::default()));
    let clock = VirtualClock::new();
    reactor.set_clock(Clock::Virtual(clock.clone()));
    let first = reactor.add_timer(clock.now() + HOUR, "first");
    reactor.add_timer(clock.now() + HOUR, "second");
    assert_eq!(reactor.timer_count(), 2);
    assert_eq!(reactor.cancel_timer(first), Some("first"));
    assert_eq!(reactor.cancel_timer(first), None);
    assert_eq!(
        reactor.timers().collect::<Vec<_>>(),
        [(clock.now() + HOUR, &"second")]
    );
    assert_eq!(waiters(due(&mut reactor)), ["second"]);
    assert_eq!((reactor.timer_count(), reactor.next_deadline()), (0, None));
}

#[test]
fn the_wait_is_bounded_by_the_timeout_and_the_next_deadline() {
    let hub = Scripted::default();
    let mut reactor = Reactor::new(Box::new(hub.clone()));
    let mut woken = Vec::new();
    reactor.turn(None, &mut woken).unwrap();
    reactor.turn(Some(HOUR), &mut woken).unwrap();
    let key = reactor.add_timer(reactor.now() + 2 * HOUR, ());
    reactor.turn(None, &mut woken).unwrap();
    reactor.turn(Some(HOUR), &mut woken).unwrap();
    reactor.turn(Some(3 * HOUR), &mut woken).unwrap();
    reactor.turn(Some(Duration::ZERO), &mut woken).unwrap();
    reactor.cancel_timer(key);
    reactor.turn(None, &mut woken).unwrap();
    let waits = std::mem::take(&mut hub.0.borrow_mut().waits);
    let until = |wait: Option<Duration>| wait.is_some_and(|wait| wait > HOUR && wait <= 2 * HOUR);
    assert_eq!(
        (waits[0], waits[1], waits[3]),
        (None, Some(HOUR), Some(HOUR))
    );
    assert!(until(waits[2]) && until(waits[4]), "{waits:?}");
    assert_eq!((waits[5], waits[6]), (Some(Duration::ZERO), None));
    assert!(woken.is_empty());
}

#[test]
fn a_virtual_day_takes_no_time_and_happens_in_order() {
    on_each_hub(|make| {
        let mut reactor = Reactor::new(make().unwrap());
        let clock = VirtualClock::new();
        reactor.set_clock(Clock::Virtual(clock.clone()));
        let start = clock.now();
        let (near, far) = pair();
        let token = reactor.add(Rc::new(far)).unwrap();
        nobody_due(&mut reactor);
        reactor.clear_ready(token, Direction::Read, NotReady::WouldBlock);
        reactor.park(token, Direction::Read, 99).unwrap();
        for hour in [5, 2, 24, 1] {
            reactor.add_timer(start + hour * HOUR, hour);
        }
        for hour in [1, 2, 5] {
            assert_eq!(waiters(due_virtually(&mut reactor)), [hour]);
            assert_eq!(reactor.now(), start + hour * HOUR);
        }
        // What is ready comes before time goes on.
        write(&near, "x");
        assert_eq!(waiters(due_virtually(&mut reactor)), [99]);
        assert_eq!(reactor.now(), start + 5 * HOUR);
        assert_eq!(waiters(due_virtually(&mut reactor)), [24]);
        assert_eq!(reactor.now(), start + 24 * HOUR);
        // The timeout of a turn passes as well.
        reactor.turn(Some(HOUR), &mut Vec::new()).unwrap();
        assert_eq!(reactor.now(), start + 25 * HOUR);
    });
}

fn due_virtually(reactor: &mut Reactor<u32>) -> Vec<hub_core::Wakeup<u32>> {
    let mut woken = Vec::new();
    for _ in 0..10 {
        if woken.is_empty() {
            reactor.turn(None, &mut woken).unwrap();
        }
    }
    woken
}

#[test]
fn a_change_of_clocks_keeps_the_distance_of_timers() {
    let mut reactor = Reactor::new(Box::new(Scripted::default()));
    let clock = VirtualClock::new();
    clock.advance(1000 * HOUR);
    reactor.add_timer(reactor.now() + HOUR, "hour");
    reactor.set_clock(Clock::Virtual(clock.clone()));
    let left = reactor.next_deadline().unwrap() - clock.now();
    assert!(left <= HOUR && left > HOUR / 2, "{left:?}");
    let before = clock.now();
    assert_eq!(waiters(due(&mut reactor)), ["hour"]);
    assert!(clock.now() - before > HOUR / 2);
}

#[test]
fn the_ends_of_time_are_safe() {
    let mut reactor = Reactor::new(Box::new(Scripted::default()));
    let now = reactor.now();
    let far = (0..64)
        .filter_map(|bits| now.checked_add(Duration::from_secs(1 << bits)))
        .next_back();
    reactor.add_timer(far.unwrap(), "never");
    let past = now.checked_sub(HOUR).unwrap_or(now);
    reactor.add_timer(past, "past");
    assert_eq!(waiters(due(&mut reactor)), ["past"]);
    assert!(reactor.next_deadline().unwrap() > now + HOUR);
    let mut woken = Vec::new();
    reactor.turn(Some(Duration::MAX), &mut woken).unwrap();
    reactor.set_clock(Clock::Virtual(VirtualClock::new()));
    reactor.turn(Some(Duration::MAX), &mut woken).unwrap();
    assert_eq!(woken.len(), 1);
}
