//! Events, flags and results: order, values, errors, resets, kills.

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::common::primitive::{
    Log, MS, assert_idle, bounded, settle, spawn_settled, while_two_unwind, while_unwinding,
};
use green::{AsyncResult, Event, Flag, Timeout, Unwinding};

#[derive(Debug, PartialEq)]
struct Mine(u32);

impl fmt::Display for Mine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mine {}", self.0)
    }
}

impl Error for Mine {}

/// Greenthreads that wait and note their number and what they got.
fn waiters(
    event: &Rc<Event<u32>>,
    log: &Log<(u32, Result<u32, String>)>,
    n: u32,
) -> Vec<green::GreenThread<()>> {
    let waiters = (0..n)
        .map(|i| {
            let (event, log) = (Rc::clone(event), log.clone());
            spawn_settled(move || log.add((i, event.wait().map_err(|error| error.to_string()))))
        })
        .collect();
    settle();
    waiters
}

#[test]
fn a_value_reaches_those_who_wait_and_those_who_come_later() {
    bounded(|| {
        let (event, log) = (Rc::new(Event::new()), Log::new());
        waiters(&event, &log, 12);
        let switches = green::debug::counters().switches;
        event.send(7).unwrap();
        assert_eq!(
            (green::debug::counters().switches, log.take()),
            (switches, vec![])
        );
        settle();
        // In the order in which they came.
        assert_eq!(log.take(), (0..12).map(|i| (i, Ok(7))).collect::<Vec<_>>());
        let switches = green::debug::counters().switches;
        assert_eq!(event.wait().unwrap(), 7);
        assert_eq!(event.wait_timeout(MS).unwrap().unwrap(), 7);
        assert_eq!(green::debug::counters().switches, switches);
    });
}

#[test]
fn a_second_send_is_refused_and_keeps_its_value() {
    bounded(|| {
        let event = Event::new();
        event.send("first".to_owned()).unwrap();
        assert_eq!(event.send("second".to_owned()).unwrap_err().0, "second");
        let refused = event.send_exception(Mine(1)).unwrap_err().0;
        assert_eq!(refused.downcast_ref(), Some(&Mine(1)));
        assert_eq!(event.wait().unwrap(), "first");
    });
}

#[test]
fn a_timeout_is_told_from_every_value() {
    bounded(|| {
        let event = Event::<Option<u8>>::new();
        let start = Instant::now();
        assert!(event.wait_timeout(10 * MS).is_none());
        assert!(start.elapsed() >= 10 * MS);
        assert!(event.wait_timeout(Duration::ZERO).is_none());
        assert!(Timeout::new(MS).run(|| event.wait()).is_err());
        assert!(format!("{event:?}").contains("waiting: 0"));
        event.send(None).unwrap();
        assert_eq!(event.wait_timeout(10 * MS).unwrap().unwrap(), None);
    });
}

#[test]
fn a_timeout_that_is_not_needed_leaves_no_timer() {
    bounded(|| {
        let event = Rc::new(Event::new());
        let sender = Rc::clone(&event);
        green::spawn_n(move || sender.send(1).unwrap());
        assert_eq!(
            event
                .wait_timeout(Duration::from_secs(600))
                .unwrap()
                .unwrap(),
            1
        );
    });
}

#[test]
fn an_error_comes_out_of_every_wait() {
    bounded(|| {
        let (event, log) = (Rc::new(Event::new()), Log::new());
        waiters(&event, &log, 3);
        event.send_exception(Mine(2)).unwrap();
        settle();
        assert_eq!(
            log.take(),
            (0..3)
                .map(|i| (i, Err("mine 2".into())))
                .collect::<Vec<_>>()
        );
        let (first, second) = (event.wait().unwrap_err(), event.wait().unwrap_err());
        assert!(Rc::ptr_eq(&first, &second));
        assert_eq!(first.downcast_ref(), Some(&Mine(2)));
        assert!(event.wait_timeout(MS).unwrap().is_err());
    });
}

#[test]
fn a_waiter_that_fails_does_not_stop_the_others() {
    bounded(|| {
        let (event, log) = (Rc::new(Event::<u32>::new()), Log::new());
        let failing = {
            let event = Rc::clone(&event);
            green::spawn(move || assert_eq!(event.wait().unwrap(), 0, "on purpose"))
        };
        waiters(&event, &log, 2);
        event.send(1).unwrap();
        assert!(failing.join().is_err());
        settle();
        assert_eq!(log.take(), [(0, Ok(1)), (1, Ok(1))]);
    });
}

#[test]
fn its_state_can_be_asked_for() {
    bounded(|| {
        let event = Event::<u32>::new();
        let facts = |event: &Event<u32>| (event.ready(), event.has_result(), event.has_exception());
        assert_eq!(facts(&event), (false, false, false));
        assert!(
            event.poll().is_none()
                && event.poll_result().is_none()
                && event.poll_exception().is_none()
        );
        event.send(1).unwrap();
        assert_eq!(facts(&event), (true, true, false));
        assert_eq!(
            (event.poll().unwrap().unwrap(), event.poll_result()),
            (1, Some(1))
        );
        assert!(event.poll_exception().is_none());
        event.reset().unwrap();
        assert_eq!(facts(&event), (false, false, false));
        event.send_exception("no").unwrap();
        assert_eq!(facts(&event), (true, false, true));
        assert_eq!(
            (
                event.poll_result(),
                event.poll_exception().unwrap().to_string()
            ),
            (None, "no".into())
        );
    });
}

#[test]
fn a_reset_takes_nothing_from_those_who_were_woken() {
    bounded(|| {
        let (event, log) = (Rc::new(Event::new()), Log::new());
        assert!(event.reset().is_err());
        waiters(&event, &log, 2);
        event.send(1).unwrap();
        event.reset().unwrap();
        assert!(event.reset().is_err());
        event.send_exception(Mine(3)).unwrap();
        event.reset().unwrap();
        event.send(2).unwrap();
        settle();
        assert_eq!(log.take(), [(0, Ok(1)), (1, Ok(1))]);
        assert_eq!(event.wait().unwrap(), 2);
        event.reset().unwrap();
        event.send_exception(Mine(4)).unwrap();
        assert_eq!(event.wait().unwrap_err().to_string(), "mine 4");
    });
}

#[test]
fn one_that_is_killed_after_the_send_dies_and_the_value_stays() {
    bounded(|| {
        let (event, log) = (Rc::new(Event::new()), Log::new());
        let waiters = waiters(&event, &log, 3);
        event.send(1).unwrap();
        waiters[1].kill();
        settle();
        assert_eq!(log.take(), [(0, Ok(1)), (2, Ok(1))]);
        assert!(waiters[1].is_dead());
        assert_eq!(event.wait().unwrap(), 1);
    });
}

#[test]
fn one_that_is_killed_before_the_send_is_gone() {
    bounded(|| {
        let (event, log) = (Rc::new(Event::new()), Log::new());
        let waiters = waiters(&event, &log, 3);
        waiters[0].kill();
        waiters[2].kill();
        assert!(format!("{event:?}").contains("waiting: 1"));
        event.send(1).unwrap();
        settle();
        assert_eq!(log.take(), [(1, Ok(1))]);
    });
}

/// Notes its clones, and uses its event from within them.
#[derive(Debug)]
struct Busy(Rc<Event<Busy>>, Rc<Cell<u32>>);

impl Clone for Busy {
    fn clone(&self) -> Busy {
        self.1.set(self.1.get() + 1);
        let _ = self.0.reset();
        let _ = self.0.send_exception("sent by a clone");
        Busy(Rc::clone(&self.0), Rc::clone(&self.1))
    }
}

#[test]
fn a_clone_that_uses_the_event_harms_nobody() {
    bounded(|| {
        let (event, clones) = (Rc::new(Event::new()), Rc::new(Cell::new(0)));
        let waiters: Vec<_> = (0..2)
            .map(|_| {
                let event = Rc::clone(&event);
                green::spawn(move || event.wait().is_ok())
            })
            .collect();
        settle();
        event
            .send(Busy(Rc::clone(&event), Rc::clone(&clones)))
            .unwrap();
        assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap()));
        assert_eq!(
            (clones.get(), event.wait().unwrap_err().to_string()),
            (2, "sent by a clone".into())
        );
        event.reset().unwrap();
    });
}

#[test]
fn while_unwinding_nothing_waits() {
    bounded(|| {
        let event = Rc::new(Event::<u32>::new());
        let unwinding = Rc::clone(&event);
        while_unwinding(move || {
            assert!(unwinding.wait().unwrap_err().is::<Unwinding>());
            assert!(
                unwinding
                    .wait_timeout(60_000 * MS)
                    .unwrap()
                    .unwrap_err()
                    .is::<Unwinding>()
            );
            unwinding.send(1).unwrap();
            assert_eq!(unwinding.wait().unwrap(), 1);
        });
        let flag = Flag::new();
        while_unwinding(move || {
            assert!(!flag.wait());
            assert!(!flag.wait_timeout(60_000 * MS));
            flag.set();
            assert!(flag.wait());
        });
    });
}

#[test]
fn two_that_unwind_at_once_never_switch() {
    bounded(|| {
        let event = Event::<()>::new();
        while_two_unwind(move || {
            assert!(event.wait().is_err());
            event.send(()).unwrap();
            event.reset().unwrap();
        });
    });
}

#[test]
fn nobody_runs_while_all_wait() {
    bounded(|| {
        let (event, log, flag) = (Rc::new(Event::new()), Log::new(), Rc::new(Flag::new()));
        let mut all = waiters(&event, &log, 5);
        all.push(green::spawn(move || {
            flag.wait();
        }));
        assert_idle();
        for one in all {
            one.kill();
        }
    });
}

#[test]
fn a_flag_is_set_and_cleared_any_number_of_times() {
    bounded(|| {
        let (flag, log) = (Rc::new(Flag::new()), Log::new());
        for round in 0..3 {
            let waiters: Vec<_> = (0..3)
                .map(|i| {
                    let (flag, log) = (Rc::clone(&flag), log.clone());
                    spawn_settled(move || log.add((round, i, flag.wait())))
                })
                .collect();
            settle();
            assert!(!flag.is_set() && !flag.wait_timeout(Duration::ZERO));
            flag.set();
            flag.clear();
            settle();
            // Who was woken goes on, though the flag is off again.
            assert_eq!(
                log.take(),
                (0..3).map(|i| (round, i, true)).collect::<Vec<_>>()
            );
            waiters
                .into_iter()
                .for_each(|waiter| waiter.join().unwrap());
        }
        flag.set();
        assert!(flag.is_set() && flag.wait() && flag.wait_timeout(Duration::ZERO));
        flag.clear();
        let start = Instant::now();
        assert!(!flag.wait_timeout(5 * MS));
        assert!(start.elapsed() >= 5 * MS);
    });
}

#[test]
fn a_flag_passes_over_the_killed() {
    bounded(|| {
        let (flag, log) = (Rc::new(Flag::new()), Log::new());
        let waiters: Vec<_> = (0..3)
            .map(|i| {
                let (flag, log) = (Rc::clone(&flag), log.clone());
                spawn_settled(move || {
                    flag.wait();
                    log.add(i);
                })
            })
            .collect();
        settle();
        waiters[0].kill();
        flag.set();
        waiters[2].kill();
        settle();
        assert_eq!(log.take(), [1]);
    });
}

#[test]
fn an_async_result_can_be_set_again() {
    bounded(|| {
        let result = Rc::new(AsyncResult::new());
        assert!(!result.ready() && result.try_get().is_none());
        assert!(result.get_timeout(MS).is_none() && !result.wait_timeout(MS));
        let waiter = {
            let result = Rc::clone(&result);
            green::spawn(move || result.get().unwrap())
        };
        settle();
        result.set(1);
        result.set(2);
        assert_eq!(waiter.join().unwrap(), 1);
        assert_eq!(
            (result.get().unwrap(), result.value(), result.wait()),
            (2, Some(2), true)
        );
        result.set_exception(Mine(5));
        assert!(result.ready() && !result.successful());
        assert_eq!(result.get().unwrap_err().downcast_ref(), Some(&Mine(5)));
        assert_eq!(result.exception().unwrap().to_string(), "mine 5");
        result.set(3);
        assert_eq!((result.successful(), result.value()), (true, Some(3)));
    });
}
