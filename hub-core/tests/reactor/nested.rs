//! A reactor in another loop: its descriptor, and when that loop may wait

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hub_core::{Direction, Hub, Interest, NotReady, Reactor, Ready, Token, Trigger};

use crate::common::{on_each_hub, pair, write};
use crate::scripted::{Script, Scripted};
use crate::waiters;

const LOOK: Option<Duration> = Some(Duration::ZERO);

/// The loop outside.
fn outside<W>(reactor: &mut Reactor<W>) -> Option<hub_poll::Poll> {
    let mut hub = hub_poll::Poll::new().unwrap();
    let token = Token::from_raw(0);
    hub.add(reactor.as_fd()?, token, Trigger::Level).unwrap();
    hub.arm(reactor.as_fd()?, token, Interest::READ).unwrap();
    Some(hub)
}

fn is_readable(outside: &mut hub_poll::Poll, timeout: Duration) -> bool {
    let mut events = Vec::new();
    outside.wait(Some(timeout), &mut events).unwrap();
    !events.is_empty()
}

#[test]
fn its_descriptor_is_readable_while_there_is_something_to_report() {
    on_each_hub(|make| {
        let hub = make().unwrap();
        let is_nestable = ["epoll", "polling"].contains(&hub.name());
        let mut reactor = Reactor::new(hub);
        assert_eq!(reactor.as_fd().is_some(), is_nestable);
        let Some(mut outside) = outside(&mut reactor) else {
            return;
        };
        let (near, far) = pair();
        let token = reactor.add(Rc::new(near)).unwrap();
        reactor.clear_ready(token, Direction::Read, NotReady::WouldBlock);
        reactor.park(token, Direction::Read, "reader").unwrap();
        let waker = reactor.waker().unwrap();
        assert!(!is_readable(&mut outside, Duration::ZERO));

        let mut woken = Vec::new();
        let long = Duration::from_secs(10);
        write(&far, "x");
        assert!(is_readable(&mut outside, long));
        let turn = reactor.turn(LOOK, &mut woken).unwrap();
        assert_eq!((turn.reports, waiters(woken)), (1, vec!["reader"]));
        assert!(!is_readable(&mut outside, Duration::ZERO));

        waker.wake();
        assert!(is_readable(&mut outside, long));
        let turn = reactor.turn(LOOK, &mut Vec::new()).unwrap();
        assert_eq!((turn.rang, turn.reports), (true, 1));
        assert!(!is_readable(&mut outside, Duration::ZERO));
        assert_eq!(reactor.turn(LOOK, &mut Vec::new()).unwrap().reports, 0);

        let (start, pause) = (Instant::now(), Duration::from_millis(20));
        reactor.add_timer(start + pause, "timer");
        let rest = reactor.next_deadline().unwrap() - start;
        assert!(!is_readable(&mut outside, rest), "it tells of no deadline");
        let mut woken = Vec::new();
        reactor.turn(LOOK, &mut woken).unwrap();
        assert_eq!(waiters(woken), ["timer"]);
    });
}

/// An edge-triggered loop outside hears of news only: it must not wait while the hub holds back
/// reports, even if those it has told were for nobody.
#[test]
fn a_turn_counts_the_reports_that_nobody_waits_for() {
    let script = Rc::new(RefCell::new(Script::default()));
    let mut reactor: Reactor<()> = Reactor::new(Box::new(Scripted(script.clone())));
    let token = reactor.add(Rc::new(pair().0)).unwrap();
    let ready = Ready::READ;
    let stale = Token::new(token.index(), token.generation() + 1);
    script.borrow_mut().events = vec![
        hub_core::Event { token, ready },
        hub_core::Event {
            token: stale,
            ready,
        },
    ];
    let mut woken = Vec::new();
    assert_eq!(reactor.turn(LOOK, &mut woken).unwrap().reports, 2);
    assert_eq!(reactor.turn(LOOK, &mut woken).unwrap().reports, 0);
    assert!(woken.is_empty());
    reactor.remove(token);
}

#[test]
fn the_descriptor_is_that_of_the_hub_in_charge() {
    let mut reactor: Reactor<()> = Reactor::new(Box::new(hub_polling::Polling::new().unwrap()));
    assert!(reactor.as_fd().is_some());
    reactor
        .replace_hub(Box::new(hub_poll::Poll::new().unwrap()))
        .unwrap();
    assert!(reactor.as_fd().is_none());
}

/// The loop outside sleeps until the deadline that it was told; whatever comes before that ends
/// its sleep.
#[test]
fn what_is_added_outside_of_a_turn_ends_the_sleep_of_the_loop_outside() {
    on_each_hub(|make| {
        let mut reactor = Reactor::new(make().unwrap());
        let Some(mut outside) = outside(&mut reactor) else {
            return;
        };
        let (_near, far) = pair();
        let token = reactor.add(Rc::new(far)).unwrap();
        let (long, far_off) = (Duration::from_secs(10), Duration::from_secs(3600));
        let rest = |reactor: &mut Reactor<&'static str>| {
            let mut woken = Vec::new();
            while reactor.turn(LOOK, &mut woken).unwrap().reports > 0 {}
            waiters(woken)
        };
        for told in [None, Some(far_off)] {
            let timer = told.map(|told| reactor.add_timer(Instant::now() + told, "late"));
            assert!(rest(&mut reactor).is_empty());
            assert_eq!(reactor.next_deadline().is_some(), told.is_some());
            assert!(!is_readable(&mut outside, Duration::ZERO));
            reactor.add_timer(Instant::now(), "timer");
            assert!(is_readable(&mut outside, long));
            assert_eq!(rest(&mut reactor), ["timer"]);

            reactor.next_deadline();
            // It counts as ready: nothing was read yet.
            reactor.park(token, Direction::Read, "waiter").unwrap();
            assert!(is_readable(&mut outside, long));
            assert_eq!(rest(&mut reactor), ["waiter"]);
            assert!(!is_readable(&mut outside, Duration::ZERO));

            reactor.next_deadline();
            let later = Instant::now() + 2 * far_off;
            let key = reactor.add_timer(later, "later than it was told");
            let is_told = is_readable(&mut outside, Duration::ZERO);
            assert_eq!(is_told, told.is_none(), "{told:?}");
            rest(&mut reactor);
            for key in timer.into_iter().chain([key]) {
                reactor.cancel_timer(key);
            }
        }
    });
}

/// Who was parked before anybody asked for the descriptor is due as well.
#[test]
fn what_was_due_before_it_was_nested_is_told_of() {
    on_each_hub(|make| {
        let mut reactor = Reactor::new(make().unwrap());
        let token = reactor.add(Rc::new(pair().0)).unwrap();
        reactor.park(token, Direction::Write, "waiter").unwrap();
        if let Some(mut outside) = outside(&mut reactor) {
            assert!(is_readable(&mut outside, Duration::from_secs(10)));
        }
    });
}
