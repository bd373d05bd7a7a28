//! Who is woken by what, and in which order

use std::io::Write;
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::time::Duration;

use hub_core::{Cause, Direction, Event, Interest, NotReady, ParkError, Reactor, Ready, Trigger};

use crate::common::{drain, on_each_hub, pair, write};
use crate::scripted::Scripted;
use crate::{due, is_ready, nobody_due, try_read, waiters};

const READ: Direction = Direction::Read;
const WRITE: Direction = Direction::Write;

#[test]
fn a_reader_and_a_writer_wait_for_one_descriptor() {
    on_each_hub(|make| {
        let mut reactor = Reactor::new(make().unwrap());
        let (near, far) = pair();
        let far = Rc::new(far);
        let token = reactor.add(far.clone()).unwrap();
        while (&*far).write(&[0; 4096]).is_ok() {}
        reactor.clear_ready(token, WRITE, NotReady::WouldBlock);
        assert_eq!(try_read(&mut reactor, token, &far, &mut [0; 8]), None);
        nobody_due(&mut reactor);
        reactor.clear_ready(token, WRITE, NotReady::WouldBlock);
        reactor.park(token, READ, "reader").unwrap();
        reactor.park(token, WRITE, "writer").unwrap();
        assert_eq!((reactor.readers(), reactor.writers()), (1, 1));
        assert!(!reactor.is_ready(token, READ) && !reactor.is_ready(token, WRITE));
        nobody_due(&mut reactor);

        write(&near, "x");
        let woken = due(&mut reactor);
        assert!(woken.iter().all(is_ready));
        assert_eq!(waiters(woken), ["reader"]);
        assert!(reactor.is_ready(token, READ) && !reactor.is_ready(token, WRITE));
        assert!(reactor.has_waiters());

        drain(&near);
        assert_eq!(waiters(due(&mut reactor)), ["writer"]);
        assert!(reactor.is_ready(token, WRITE) && !reactor.has_waiters());
    });
}

#[test]
fn a_hang_up_wakes_both() {
    on_each_hub(|make| {
        let mut reactor = Reactor::new(make().unwrap());
        let (near, far) = pair();
        let far = Rc::new(far);
        let token = reactor.add(far.clone()).unwrap();
        while (&*far).write(&[0; 4096]).is_ok() {}
        nobody_due(&mut reactor);
        reactor.clear_ready(token, READ, NotReady::WouldBlock);
        reactor.clear_ready(token, WRITE, NotReady::WouldBlock);
        reactor.park(token, READ, "reader").unwrap();
        reactor.park(token, WRITE, "writer").unwrap();
        drop(near);
        let mut woken = waiters(due(&mut reactor));
        if woken.len() == 1 {
            woken.extend(waiters(due(&mut reactor)));
        }
        woken.sort();
        assert_eq!(woken, ["reader", "writer"]);
    });
}

#[test]
fn a_second_waiter_is_refused_and_comes_back() {
    on_each_hub(|make| {
        let mut reactor = Reactor::new(make().unwrap());
        let (near, far) = pair();
        let token = reactor.add(Rc::new(far)).unwrap();
        reactor.clear_ready(token, READ, NotReady::WouldBlock);
        reactor.park(token, READ, "first").unwrap();
        let refused = reactor.park(token, READ, "second");
        assert!(matches!(refused, Err(ParkError::Busy("second"))));
        assert_eq!(reactor.waiter(token, READ), Some(&"first"));
        write(&near, "x");
        assert_eq!(waiters(due(&mut reactor)), ["first"]);
    });
}

#[test]
fn many_readers_are_woken_one_at_a_time_in_their_order() {
    on_each_hub(|make| {
        let mut reactor = Reactor::new(make().unwrap());
        reactor.set_allow_many(true);
        let (near, far) = pair();
        let far = Rc::new(far);
        let token = reactor.add(far.clone()).unwrap();
        assert_eq!(try_read(&mut reactor, token, &far, &mut [0; 8]), None);
        for reader in ["first", "second", "third", "fourth", "fifth"] {
            reactor.park(token, READ, reader).unwrap();
        }
        assert_eq!(reactor.readers(), 5);
        write(&near, "x");
        assert_eq!(waiters(due(&mut reactor)), ["first"]);
        // The first reads it all and waits again, behind the others.
        assert_eq!(try_read(&mut reactor, token, &far, &mut [0; 8]), Some(1));
        assert_eq!(try_read(&mut reactor, token, &far, &mut [0; 8]), None);
        reactor.park(token, READ, "first").unwrap();
        nobody_due(&mut reactor);
        write(&near, "x");
        // The second is killed and reads nothing: no report will come again, the third is due.
        assert_eq!(waiters(due(&mut reactor)), ["second"]);
        assert_eq!(waiters(due(&mut reactor)), ["third"]);
        drain(&far);
        reactor.clear_ready(token, READ, NotReady::WouldBlock);
        // One in the middle gives up, then the one in front.
        assert_eq!(
            reactor.unpark(token, READ, |w| *w == "fifth"),
            Some("fifth")
        );
        nobody_due(&mut reactor);
        assert_eq!(
            reactor.unpark(token, READ, |w| *w == "fourth"),
            Some("fourth")
        );
        assert_eq!(reactor.unpark(token, READ, |w| *w == "nobody"), None);
        nobody_due(&mut reactor);
        write(&near, "x");
        assert_eq!(waiters(due(&mut reactor)), ["first"]);
        assert_eq!(reactor.readers(), 0);
    });
}

#[test]
fn who_gives_up_is_not_woken() {
    on_each_hub(|make| {
        let mut reactor = Reactor::new(make().unwrap());
        let (near, far) = pair();
        let token = reactor.add(Rc::new(far)).unwrap();
        reactor.clear_ready(token, READ, NotReady::WouldBlock);
        reactor.park(token, READ, 7).unwrap();
        assert_eq!(reactor.unpark(token, WRITE, |_| true), None);
        assert_eq!(reactor.unpark(token, READ, |waiter| *waiter == 7), Some(7));
        assert_eq!(reactor.unpark(token, READ, |_| true), None);
        assert!(!reactor.has_waiters());
        write(&near, "x");
        nobody_due(&mut reactor);
        assert!(reactor.is_ready(token, READ) || reactor.park(token, READ, 8).is_ok());
    });
}

#[test]
fn what_is_removed_gives_back_everyone_in_order() {
    on_each_hub(|make| {
        let mut reactor = Reactor::new(make().unwrap());
        reactor.set_allow_many(true);
        let (near, far) = pair();
        let far = Rc::new(far);
        let token = reactor.add(far.clone()).unwrap();
        for (direction, waiter) in [(WRITE, 1), (READ, 2), (READ, 3), (WRITE, 4), (READ, 5)] {
            reactor.clear_ready(token, direction, NotReady::WouldBlock);
            reactor.park(token, direction, waiter).unwrap();
        }
        let listed: Vec<_> = reactor.waiters().map(|(.., waiter)| *waiter).collect();
        assert_eq!(listed, [2, 3, 5, 1, 4]);
        let dump = reactor.waiters().next();
        assert_eq!(dump, Some((token, far.as_raw_fd(), READ, &2)));
        let removed = reactor.remove(token).unwrap();
        assert_eq!(
            removed.waiters,
            [(READ, 2), (READ, 3), (READ, 5), (WRITE, 1), (WRITE, 4)]
        );
        assert!(!reactor.has_waiters() && reactor.descriptors() == 0);
        assert!(reactor.remove(token).is_none());
        write(&near, "x");
        nobody_due(&mut reactor);
        drop(removed);
        assert_eq!(Rc::strong_count(&far), 1, "the reactor keeps nothing");
    });
}

#[test]
fn a_stale_token_reaches_nobody() {
    on_each_hub(|make| {
        let mut reactor = Reactor::new(make().unwrap());
        let (_near, far) = pair();
        let stale = reactor.add(Rc::new(far)).unwrap();
        reactor.remove(stale);
        let (near, far) = pair();
        let fresh = reactor.add(Rc::new(far)).unwrap();
        assert_eq!(fresh.index(), stale.index(), "the place is reused");
        reactor.clear_ready(fresh, READ, NotReady::WouldBlock);
        reactor.park(fresh, READ, "fresh").unwrap();
        assert!(
            reactor.is_ready(stale, READ),
            "the system call finds the error"
        );
        reactor.clear_ready(stale, WRITE, NotReady::WouldBlock);
        assert!(reactor.is_ready(fresh, WRITE));
        assert!(matches!(
            reactor.park(stale, READ, "stale"),
            Err(ParkError::Gone("stale"))
        ));
        assert_eq!(reactor.unpark(stale, READ, |_| true), None);
        assert_eq!(reactor.waiter(stale, READ), None);
        assert!(reactor.remove(stale).is_none());
        write(&near, "x");
        assert_eq!(waiters(due(&mut reactor)), ["fresh"]);
    });
}

#[test]
fn a_late_report_does_not_reach_the_next_owner() {
    let hub = Scripted::default();
    let mut reactor = Reactor::new(Box::new(hub.clone()));
    let stale = reactor.add(Rc::new(pair().0)).unwrap();
    reactor.remove(stale);
    let fresh = reactor.add(Rc::new(pair().0)).unwrap();
    reactor.clear_ready(fresh, READ, NotReady::WouldBlock);
    reactor.park(fresh, READ, "fresh").unwrap();
    let ready = Ready::READ;
    hub.0.borrow_mut().events.push(Event {
        token: stale,
        ready,
    });
    nobody_due(&mut reactor);
    assert!(!reactor.is_ready(fresh, READ));
}

#[test]
fn reports_wake_in_their_order() {
    let hub = Scripted::default();
    let mut reactor = Reactor::new(Box::new(hub.clone()));
    let tokens: Vec<_> = (0..5)
        .map(|_| reactor.add(Rc::new(pair().0)).unwrap())
        .collect();
    for (number, token) in tokens.iter().enumerate() {
        reactor.clear_ready(*token, READ, NotReady::WouldBlock);
        reactor.park(*token, READ, number).unwrap();
    }
    let both = Ready::READ | Ready::WRITE;
    let order = [3, 0, 4, 1, 2];
    let events = order.map(|number| Event {
        token: tokens[number],
        ready: both,
    });
    hub.0.borrow_mut().events.extend(events);
    assert_eq!(waiters(due(&mut reactor)), order);
}

#[test]
fn a_hub_that_cannot_arm_gives_the_waiter_back() {
    let hub = Scripted::default();
    let mut reactor = Reactor::new(Box::new(hub.clone()));
    let token = reactor.add(Rc::new(pair().0)).unwrap();
    reactor.clear_ready(token, READ, NotReady::WouldBlock);
    hub.0.borrow_mut().arm_fails = true;
    assert!(matches!(
        reactor.park(token, READ, 1),
        Err(ParkError::Io(_, 1))
    ));
    assert!(!reactor.has_waiters());
    hub.0.borrow_mut().arm_fails = false;
    reactor.park(token, READ, 2).unwrap();
    assert_eq!(hub.0.borrow().armed, [(token, Interest::READ)]);
}

#[test]
fn a_failing_wait_loses_nobody() {
    let hub = Scripted::default();
    let mut reactor = Reactor::new(Box::new(hub.clone()));
    let token = reactor.add(Rc::new(pair().0)).unwrap();
    reactor.clear_ready(token, READ, NotReady::WouldBlock);
    reactor.park(token, READ, "reader").unwrap();
    reactor.add_timer(reactor.now(), "timer");
    hub.0.borrow_mut().wait_fails = true;
    let mut woken = Vec::new();
    assert!(reactor.turn(None, &mut woken).is_err());
    assert!(woken.is_empty());
    hub.0.borrow_mut().wait_fails = false;
    hub.0.borrow_mut().events.push(Event {
        token,
        ready: Ready::READ,
    });
    assert_eq!(waiters(due(&mut reactor)), ["reader", "timer"]);
}

#[test]
fn a_refused_descriptor_leaves_nothing_behind() {
    let hub = Scripted::default();
    let mut reactor: Reactor<()> = Reactor::new(Box::new(hub.clone()));
    let source = Rc::new(pair().0);
    hub.0.borrow_mut().refused = Some(source.as_raw_fd());
    assert!(reactor.add(source.clone()).is_err());
    assert_eq!((reactor.descriptors(), Rc::strong_count(&source)), (0, 1));
    let level = reactor.add_with(Rc::new(pair().0), Trigger::Level);
    assert_eq!(level.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    hub.0.borrow_mut().refused = None;
    reactor.add(source).unwrap();
}

/// The flags, as edge-triggered reports need them: what a short transfer proves, and when not.
#[test]
fn a_short_transfer_proves_nothing_after_a_hang_up() {
    let hub = Scripted::default();
    let mut reactor: Reactor<()> = Reactor::new(Box::new(hub.clone()));
    let token = reactor.add(Rc::new(pair().0)).unwrap();
    let table = [
        (Ready::READ, [false, true]),
        (Ready::WRITE, [true, false]),
        (Ready::READ | Ready::RDHUP, [true, true]),
        (Ready::READ | Ready::WRITE | Ready::RDHUP, [true, false]),
        (Ready::READ | Ready::PRI, [true, false]),
        (Ready::HUP, [true, true]),
        (Ready::ERR, [true, true]),
        (Ready::NVAL, [true, true]),
    ];
    for (ready, after_short) in table {
        for direction in [READ, WRITE] {
            reactor.clear_ready(token, direction, NotReady::WouldBlock);
            assert!(
                !reactor.is_ready(token, direction),
                "it would block, whatever there was"
            );
        }
        hub.0.borrow_mut().events.push(Event { token, ready });
        nobody_due(&mut reactor);
        assert_eq!(reactor.is_ready(token, READ), ready.is_readable());
        assert_eq!(reactor.is_ready(token, WRITE), ready.is_writable());
        for (direction, is_sticky) in [READ, WRITE].into_iter().zip(after_short) {
            reactor.clear_ready(token, direction, NotReady::ShortTransfer);
            let expected = ready.is(direction) && is_sticky;
            assert_eq!(
                reactor.is_ready(token, direction),
                expected,
                "{direction:?} {ready:?}"
            );
        }
    }
}

/// Data and the end come together, in every way to cut them into reads; nobody waits in vain.
#[test]
fn the_end_of_a_stream_is_always_found() {
    on_each_hub(|make| {
        for size in 1..12 {
            for end in [Shutdown::Write, Shutdown::Both] {
                let mut reactor = Reactor::new(make().unwrap());
                let (near, far) = pair();
                let far = Rc::new(far);
                let token = reactor.add(far.clone()).unwrap();
                assert_eq!(try_read(&mut reactor, token, &far, &mut [0; 64]), None);
                reactor.park(token, READ, ()).unwrap();
                write(&near, "12345678");
                near.shutdown(end).unwrap();
                let (mut total, mut buffer) = (0, vec![0; size]);
                due(&mut reactor);
                loop {
                    match try_read(&mut reactor, token, &far, &mut buffer) {
                        Some(0) => break,
                        Some(count) => total += count,
                        None => {
                            reactor.park(token, READ, ()).unwrap();
                            due(&mut reactor);
                        }
                    }
                }
                assert_eq!(total, 8);
            }
        }
    });
}

/// A descriptor whose owner knows nothing of readiness flags: it parks whenever it likes.
#[test]
fn oneshot_sources_may_be_parked_at_any_time() {
    on_each_hub(|make| {
        let mut reactor = Reactor::new(make().unwrap());
        let (near, far) = pair();
        write(&near, "x");
        let token = reactor.add_with(Rc::new(far), Trigger::Oneshot).unwrap();
        for round in 0..5 {
            reactor.park(token, READ, round).unwrap();
            let woken = due(&mut reactor);
            let ready = |cause| matches!(cause, Cause::Ready(ready) if ready.is_readable());
            assert!(ready(woken[0].cause) && woken[0].waiter == round);
            nobody_due(&mut reactor);
        }
    });
}

/// The report of a direction that counts as ready has been: who parks all the same is not lost.
#[test]
fn who_parks_without_trying_is_due_at_once() {
    on_each_hub(|make| {
        let mut reactor = Reactor::new(make().unwrap());
        let (near, far) = pair();
        write(&near, "x");
        let token = reactor.add(Rc::new(far)).unwrap();
        nobody_due(&mut reactor);
        for round in 0..3 {
            reactor.park(token, READ, round).unwrap();
            assert_eq!(waiters(due(&mut reactor)), [round]);
        }
        assert!(!reactor.has_waiters());
    });
}

#[test]
fn nobody_sleeps_while_one_is_due() {
    let hub = Scripted::default();
    let mut reactor = Reactor::new(Box::new(hub.clone()));
    let token = reactor.add(Rc::new(pair().0)).unwrap();
    reactor.park(token, READ, "due").unwrap();
    let mut woken = Vec::new();
    reactor.turn(None, &mut woken).unwrap();
    assert_eq!(waiters(woken), ["due"]);
    assert_eq!(hub.0.borrow().waits, [Some(Duration::ZERO)]);
    assert_eq!(hub.0.borrow().armed, []);
}

#[test]
fn a_regular_file_is_ready_at_once() {
    on_each_hub(|make| {
        let mut reactor = Reactor::new(make().unwrap());
        let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
        let token = reactor.add(Rc::new(file)).unwrap();
        assert!(reactor.is_ready(token, READ));
        reactor.park(token, READ, "reader").unwrap();
        let mut woken = Vec::new();
        reactor
            .turn(Some(Duration::from_secs(10)), &mut woken)
            .unwrap();
        assert_eq!(waiters(woken), ["reader"]);
    });
}

/// Another was faster: who was woken for nothing is the first again.
#[test]
fn one_that_is_woken_in_vain_keeps_its_place() {
    on_each_hub(|make| {
        let mut reactor = Reactor::new(make().unwrap());
        reactor.set_allow_many(true);
        let (near, far) = pair();
        let far = Rc::new(far);
        let token = reactor.add(far.clone()).unwrap();
        reactor.clear_ready(token, READ, NotReady::WouldBlock);
        for waiter in ["first", "second", "third"] {
            reactor.park(token, READ, waiter).unwrap();
        }
        for _ in 0..3 {
            write(&near, "x");
            assert_eq!(waiters(due(&mut reactor)), ["first"]);
            drain(&far);
            reactor.clear_ready(token, READ, NotReady::InVain);
            reactor.park(token, READ, "first").unwrap();
        }
        // Not in vain: then it is the last.
        for waiter in ["first", "second", "third", "first"] {
            write(&near, "x");
            assert_eq!(waiters(due(&mut reactor)), [waiter]);
            drain(&far);
            reactor.clear_ready(token, READ, NotReady::WouldBlock);
            reactor.park(token, READ, waiter).unwrap();
        }
    });
}

/// A datagram socket after its own shutdown is ready for the system, and has nothing to read. The
/// one who waits for it has a deadline.
#[test]
fn a_deadline_is_seen_though_the_system_goes_on_saying_ready() {
    on_each_hub(|make| {
        for allow_many in [false, true] {
            let mut reactor = Reactor::new(make().unwrap());
            reactor.set_allow_many(allow_many);
            let socket = Rc::new(std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
            socket.set_nonblocking(true).unwrap();
            let address = socket.local_addr().unwrap();
            socket.connect(address).unwrap();
            rustix::net::shutdown(&socket, rustix::net::Shutdown::Read).unwrap();
            let token = reactor.add(socket.clone()).unwrap();
            reactor.clear_ready(token, READ, NotReady::WouldBlock);
            reactor.park(token, READ, "reader").unwrap();
            if allow_many {
                reactor.park(token, READ, "behind").unwrap();
            }
            let (mut turns, mut woken) = (0, Vec::new());
            reactor.add_timer(reactor.now() + Duration::from_millis(100), "deadline");
            'turns: loop {
                turns += 1;
                reactor.turn(None, &mut woken).unwrap();
                for wakeup in woken.drain(..) {
                    if !is_ready(&wakeup) {
                        break 'turns;
                    }
                    assert_eq!(wakeup.waiter, "reader");
                    reactor.clear_ready(token, READ, NotReady::InVain);
                    reactor.park(token, READ, wakeup.waiter).unwrap();
                }
            }
            assert!(turns < 60, "{turns} turns in a tenth of a second");
        }
    });
}

/// The poll of a future, which does not know why it is called, is told.
#[test]
fn the_first_call_after_a_wakeup_is_known() {
    on_each_hub(|make| {
        let mut reactor = Reactor::new(make().unwrap());
        let (near, far) = pair();
        let far = Rc::new(far);
        let token = reactor.add(far.clone()).unwrap();
        assert!(!reactor.take_woken(token, READ));
        reactor.clear_ready(token, READ, NotReady::WouldBlock);
        let wake = |reactor: &mut Reactor<_>| {
            reactor.park(token, READ, "reader").unwrap();
            write(&near, "x");
            assert_eq!(waiters(due(reactor)), ["reader"]);
            drain(&far);
        };
        wake(&mut reactor);
        assert!(!reactor.take_woken(token, WRITE));
        assert!(reactor.take_woken(token, READ));
        assert!(!reactor.take_woken(token, READ));
        // A call that is told of was the first.
        reactor.clear_ready(token, READ, NotReady::WouldBlock);
        wake(&mut reactor);
        reactor.clear_ready(token, READ, NotReady::WouldBlock);
        assert!(!reactor.take_woken(token, READ));
        // One that is taken back was not woken.
        reactor.park(token, READ, "reader").unwrap();
        assert_eq!(reactor.unpark(token, READ, |_| true), Some("reader"));
        assert!(!reactor.take_woken(token, READ));
    });
}

/// After the pause it is asked for again, and one report that was true ends the pauses.
#[test]
fn reports_in_vain_are_asked_for_after_a_pause() {
    let script = Rc::new(std::cell::RefCell::default());
    let mut reactor = Reactor::new(Box::new(Scripted(Rc::clone(&script))));
    reactor.set_clock(hub_core::Clock::Virtual(hub_core::VirtualClock::new()));
    let token = reactor.add(Rc::new(pair().0)).unwrap();
    reactor.clear_ready(token, READ, NotReady::WouldBlock);
    let (ready, mut pauses) = (Ready::READ, Vec::new());
    for vain in [true; 12].into_iter().chain([false, true]) {
        reactor.park(token, READ, "reader").unwrap();
        let (start, mut woken) = (reactor.now(), Vec::new());
        while script.borrow().armed.is_empty() {
            reactor.turn(None, &mut woken).unwrap();
            assert!(woken.is_empty());
        }
        pauses.push((reactor.now() - start).as_millis());
        script.borrow_mut().armed.clear();
        script.borrow_mut().events.push(Event { token, ready });
        reactor.turn(None, &mut woken).unwrap();
        assert_eq!(waiters(woken), ["reader"]);
        let why = match vain {
            true => NotReady::InVain,
            false => NotReady::WouldBlock,
        };
        reactor.clear_ready(token, READ, why);
    }
    assert_eq!(pauses, [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 32, 32, 32, 0]);
}
