//! Every wait that green has, in a list, and what holds for each of them: it leaves nothing behind when it is killed or
//! runs out of time, and wakes nobody while nothing happens.

mod outside;
mod within;

use std::rc::Rc;
use std::time::Duration;

use crate::common::primitive::{MS, bounded, settle};
use green::debug::counters;
use green::{GreenThread, Timeout};

/// Something to wait at. It is called in greenthreads of its own and waits for what never comes.
type Wait = Rc<dyn Fn()>;

/// The name of a wait, what makes one, and how many greenthreads are to wait there at once.
type Entry = (&'static str, fn() -> Wait, usize);

fn all() -> impl Iterator<Item = Entry> {
    within::ALL.iter().chain(outside::ALL).copied()
}

fn spawn(wait: &Wait) -> GreenThread<()> {
    let wait = Rc::clone(wait);
    green::spawn(move || wait())
}

#[derive(Debug, PartialEq)]
struct Held {
    greenthreads: usize,
    stacks: usize,
    readers: usize,
    writers: usize,
    descriptors: usize,
    timers: usize,
    remote_waiters: usize,
}

fn held() -> Held {
    let now = counters();
    Held {
        greenthreads: now.greenthreads,
        stacks: greenlet::stats().stacks,
        readers: now.readers,
        writers: now.writers,
        descriptors: now.descriptors,
        timers: now.timers,
        remote_waiters: now.remote_waiters,
    }
}

/// Of `count` greenthreads at one wait a third is killed before it runs, a third while it waits, and a third runs out
/// of time.
fn burst(name: &str, wait: &Wait, count: usize) {
    let (mut to_kill, mut out_of_time) = (Vec::new(), Vec::new());
    for number in 0..count {
        match number % 3 {
            0 => spawn(wait).kill(),
            1 => to_kill.push(spawn(wait)),
            _ => {
                let wait = Rc::clone(wait);
                let elapses = move || assert!(Timeout::new(2 * MS).run(|| wait()).is_err());
                out_of_time.push(green::spawn(elapses));
            }
        }
    }
    settle();
    for gt in to_kill {
        assert!(gt.is_active(), "{name}: somebody does not wait");
        gt.kill();
    }
    for gt in out_of_time {
        gt.join().unwrap();
    }
    settle();
}

#[test]
fn kills_and_timeouts_leave_nothing_behind() {
    for (name, make, count) in all() {
        bounded(|| {
            // What is made once for good, such as the descriptor for signals, is there after the first.
            burst(name, &make(), 3);
            let before = held();
            burst(name, &make(), count);
            assert_eq!(held(), before, "{name}");
        });
    }
}

#[test]
fn nobody_wakes_while_nothing_happens() {
    for (name, make, count) in all() {
        bounded(|| {
            let wait = make();
            let waiting: Vec<_> = (0..count.min(5)).map(|_| spawn(&wait)).collect();
            settle();
            // A busy machine may be late with what ends before the quiet. Who looks time and again is never quiet.
            let mut seen = (0, 0);
            let is_quiet = (0..5).any(|_| {
                green::sleep(MS);
                let before = counters();
                green::sleep(Duration::from_millis(30));
                let after = counters();
                seen = (after.turns - before.turns, after.switches - before.switches);
                seen.0 <= 2 && seen.1 <= 2
            });
            let (turns, switches) = seen;
            assert!(
                is_quiet,
                "{name}: {turns} turns and {switches} switches while all wait"
            );
            for gt in waiting {
                assert!(gt.is_active(), "{name}: somebody does not wait");
                gt.kill();
            }
        });
    }
}

#[test]
fn a_short_sleep_is_one_turn_or_two() {
    bounded(|| {
        green::sleep(MS);
        let before = counters();
        for _ in 0..20 {
            green::sleep(Duration::from_micros(300));
        }
        let turns = counters().turns - before.turns;
        assert!((20..=60).contains(&turns), "{turns} turns for 20 sleeps");
    });
}
