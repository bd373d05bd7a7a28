//! Greenthreads: their order, their ends, and who hears of them.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::common::{bounded, settle};
use green::{Exit, GreenThread, Timeout};

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn long() -> Duration {
    Duration::from_secs(3600)
}

/// A list that greenthreads write to.
#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    fn note(&self, what: impl ToString) {
        self.0.borrow_mut().push(what.to_string());
    }

    #[track_caller]
    fn expect(&self, what: &[&str]) {
        assert_eq!(*self.0.borrow(), what);
    }
}

/// Notes its end.
struct Ends(Log, &'static str);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.note(self.1);
    }
}

fn panics<T>(f: impl FnOnce() -> T) -> bool {
    catch_unwind(AssertUnwindSafe(f)).is_err()
}

// Order.

#[test]
fn a_turn_runs_what_was_spawned_before_it_and_nothing_that_is_spawned_in_it() {
    bounded(|| {
        let log = Log::default();
        for n in 0..3 {
            let log = log.clone();
            green::spawn_n(move || {
                log.note(n);
                green::spawn_n(move || log.note(n + 10));
            });
        }
        log.expect(&[]);
        green::yield_now();
        log.expect(&["0", "1", "2"]);
        green::yield_now();
        log.expect(&["0", "1", "2", "10", "11", "12"]);
    });
}

#[test]
fn two_that_yield_take_turns() {
    bounded(|| {
        let log = Log::default();
        let loops = ["a", "b"].map(|name| {
            let log = log.clone();
            green::spawn(move || {
                for _ in 0..3 {
                    log.note(name);
                    green::sleep(Duration::ZERO);
                }
            })
        });
        green::joinall(&loops);
        log.expect(&["a", "b", "a", "b", "a", "b"]);
    });
}

#[test]
fn a_delayed_one_starts_when_its_time_has_come_and_its_spawner_is_gone() {
    bounded(|| {
        let start = Instant::now();
        let log = Log::default();
        let inner = log.clone();
        let spawner = green::spawn(move || {
            let delays = [(9, "late"), (3, "early")];
            delays.map(|(delay, name)| {
                let log = inner.clone();
                green::spawn_after(millis(delay), move || {
                    log.note(name);
                    Instant::now()
                })
            })
        });
        let [late, early] = spawner.join().unwrap();
        assert!(!early.is_active() && !early.is_dead());
        assert!(late.join().unwrap() >= start + millis(9));
        assert!(early.join().unwrap() >= start + millis(3));
        log.expect(&["early", "late"]);
    });
}

#[test]
fn a_cancelled_delay_leaves_no_timer() {
    bounded(|| {
        let timers = green::debug::counters().timers;
        let cancelled = green::spawn_after(long(), || unreachable!());
        let killed = green::spawn_after(long(), || unreachable!());
        let local = green::spawn_after_local(long(), || unreachable!());
        assert_eq!(green::debug::counters().timers, timers + 3);
        assert!(cancelled.cancel());
        killed.kill();
        local.kill();
        assert_eq!(green::debug::counters().timers, timers);
        assert!(matches!(cancelled.join(), Err(Exit::Cancelled)));
        assert!(matches!(killed.join(), Err(Exit::Killed(None))));
    });
}

#[test]
fn a_local_delay_ends_with_its_creator() {
    bounded(|| {
        let log = Log::default();
        let inner = log.clone();
        let creator = green::spawn(move || {
            /// Waits while it is dropped, which the hub could not.
            struct Slow(Log);
            impl Drop for Slow {
                fn drop(&mut self) {
                    green::sleep(millis(1));
                    self.0.note("dropped");
                }
            }
            let slow = Slow(inner.clone());
            let local = green::spawn_after_local(millis(300), move || drop(slow));
            local.link(move |_| {
                green::yield_now();
                inner.note("linked");
            });
            let alive = green::spawn_after_local(millis(1), || 7);
            green::sleep(millis(1));
            assert_eq!(alive.join().unwrap(), 7);
            local
        });
        let local = creator.join().unwrap();
        assert!(matches!(local.join(), Err(Exit::Cancelled)));
        green::sleep(millis(4));
        let mut seen = log.0.take();
        seen.sort();
        assert_eq!(seen, ["dropped", "linked"]);
    });
}

#[test]
fn a_sleep_is_not_too_short() {
    bounded(|| {
        for nap in [0, 1, 300, 2000] {
            let nap = Duration::from_micros(nap);
            let start = Instant::now();
            green::sleep(nap);
            assert!(start.elapsed() >= nap);
        }
        let start = Instant::now();
        green::sleep_until(start);
        green::sleep_until(start + millis(2));
        assert!(start.elapsed() >= millis(2));
    });
}

// Results.

#[test]
fn a_result_is_there_for_all_who_wait_as_often_as_they_ask() {
    bounded(|| {
        let gt = Rc::new(green::spawn(|| {
            green::sleep(millis(1));
            "done"
        }));
        let waiters: Vec<_> = (0..5)
            .map(|_| {
                let gt = Rc::clone(&gt);
                green::spawn(move || gt.wait().unwrap())
            })
            .collect();
        assert!(gt.poll().is_none() && !gt.is_ready() && !gt.is_successful());
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), "done");
        }
        assert_eq!(gt.wait().unwrap(), "done");
        assert_eq!(gt.wait_timeout(Duration::ZERO).unwrap().unwrap(), "done");
        assert_eq!(gt.poll().unwrap().unwrap(), "done");
        assert!(gt.is_ready() && gt.is_successful() && gt.is_dead());
        assert!(gt.exit().is_none());
    });
}

#[test]
fn a_wait_can_be_given_up() {
    bounded(|| {
        let gate = Rc::new(green::Flag::new());
        let opened = Rc::clone(&gate);
        let gt = green::spawn(move || {
            opened.wait();
            5
        });
        assert!(gt.wait_timeout(millis(1)).is_none());
        assert!(Timeout::new(millis(1)).run(|| gt.wait()).is_err());
        gate.set();
        assert_eq!(gt.join().unwrap(), 5);
    });
}

#[test]
fn a_panic_goes_to_who_waits_and_no_further() {
    bounded(|| {
        let text = green::spawn(|| -> () { panic!("a {}", "text") });
        let other = green::spawn(|| -> () { std::panic::panic_any(77_u32) });
        let unharmed = green::spawn(|| {
            green::yield_now();
            1
        });
        let exit = text.wait().unwrap_err();
        assert_eq!(exit.to_string(), "the greenthread panicked: a text");
        assert!(matches!(text.exit(), Some(Exit::Panicked(_))));
        let Err(Exit::Panicked(panic)) = other.join() else {
            panic!("it has panicked");
        };
        assert_eq!(panic.message(), "a payload that is no text");
        assert_eq!(
            *panic.take_payload().unwrap().downcast::<u32>().unwrap(),
            77
        );
        assert!(panic.take_payload().is_none());
        assert_eq!(unharmed.join().unwrap(), 1);

        let raised = catch_unwind(AssertUnwindSafe(|| exit.raise())).unwrap_err();
        assert!(raised.is::<&str>() || raised.is::<String>());
    });
}

#[test]
fn a_result_that_nobody_takes_is_dropped_where_it_may_wait() {
    struct Slow(Log);
    impl Drop for Slow {
        fn drop(&mut self) {
            green::sleep(millis(1));
            self.0.note("dropped");
        }
    }
    bounded(|| {
        let log = Log::default();
        let (first, second) = (Slow(log.clone()), Slow(log.clone()));
        drop(green::spawn(move || first));
        let late = green::spawn(move || second);
        green::sleep(millis(5));
        log.expect(&["dropped"]);
        drop(late);
        log.expect(&["dropped", "dropped"]);
    });
}

#[test]
fn a_panic_in_the_destructor_of_a_result_is_contained() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }
    bounded(|| {
        drop(green::spawn(|| Bomb));
        drop(green::spawn(|| std::panic::panic_any(Bomb)));
        green::spawn_n(|| std::panic::panic_any(Bomb));
        green::sleep(millis(1));
        let late = green::spawn(|| Bomb);
        green::sleep(millis(1));
        drop(late);
        let kill = green::spawn(|| green::sleep(long()));
        green::yield_now();
        kill.kill_with(Bomb);
        drop(kill);
        assert_eq!(green::spawn(|| 1).join().unwrap(), 1);
    });
}

// Links.

#[test]
fn links_are_called_in_order_by_the_one_that_ends() {
    bounded(|| {
        let gt = green::spawn(|| 3);
        let id = gt.id();
        let seen = Rc::new(RefCell::new(Vec::new()));
        for n in 0..1000 {
            let seen = Rc::clone(&seen);
            gt.link(move |gt| {
                assert_eq!(green::current().id(), id);
                assert_eq!(gt.poll().unwrap().unwrap(), 3);
                seen.borrow_mut().push(n);
            });
        }
        gt.join().unwrap();
        green::yield_now();
        assert_eq!(*seen.borrow(), (0..1000).collect::<Vec<_>>());
    });
}

#[test]
fn a_link_to_one_that_has_ended_is_called_at_once() {
    bounded(|| {
        let gt = green::spawn(|| ());
        gt.wait().unwrap();
        let log = Log::default();
        let inner = log.clone();
        let me = green::current().id();
        gt.link(move |gt| {
            assert_eq!(green::current().id(), me);
            let innermost = inner.clone();
            gt.link(move |_| innermost.note("inner"));
            inner.note("outer");
        });
        log.expect(&["inner", "outer"]);
    });
}

#[test]
fn a_link_may_link() {
    bounded(|| {
        let log = Log::default();
        let gt = green::spawn(|| ());
        let inner = log.clone();
        gt.link(move |gt| {
            let innermost = inner.clone();
            gt.link(move |_| innermost.note("inner"));
            inner.note("outer");
        });
        gt.wait().unwrap();
        log.expect(&["inner", "outer"]);
    });
}

#[test]
fn a_link_can_be_taken_back() {
    bounded(|| {
        let log = Log::default();
        let gt = green::spawn(|| ());
        let links = [1, 2, 3].map(|n| {
            let log = log.clone();
            gt.link(move |_| log.note(n))
        });
        assert!(gt.unlink(links[1]));
        assert!(!gt.unlink(links[1]));
        gt.wait().unwrap();
        log.expect(&["1", "3"]);
        assert!(!gt.unlink(links[0]));
    });
}

#[test]
fn a_link_that_fails_keeps_no_other_from_being_called() {
    bounded(|| {
        let log = Log::default();
        for end in ["value", "panic", "kill", "cancel"] {
            let gt = green::spawn(move || match end {
                "value" => (),
                "panic" => panic!("on purpose"),
                _ => green::sleep(long()),
            });
            gt.link(|_| panic!("on purpose"));
            let inner = log.clone();
            gt.link(move |gt| {
                assert_eq!(gt.is_successful(), end == "value");
                inner.note(end);
            });
            match end {
                "kill" => {
                    green::yield_now();
                    gt.kill();
                }
                "cancel" => assert!(gt.cancel()),
                _ => {}
            }
            let _ = gt.wait();
        }
        log.expect(&["value", "panic", "kill", "cancel"]);
    });
}

#[test]
fn a_dropped_handle_takes_no_link_with_it() {
    bounded(|| {
        let log = Log::default();
        let inner = log.clone();
        let gt = green::spawn(|| 5);
        gt.link(move |gt| inner.note(gt.poll().unwrap().unwrap()));
        drop(gt);
        green::yield_now();
        log.expect(&["5"]);
    });
}

// Cancel and kill.

#[test]
fn a_cancel_works_before_the_start_only() {
    bounded(|| {
        let gt = green::spawn(|| 5);
        green::yield_now();
        assert!(!gt.cancel());
        assert_eq!(gt.join().unwrap(), 5);
        let started = green::spawn(|| {
            green::yield_now();
            6
        });
        green::yield_now();
        assert!(!started.cancel());
        assert_eq!(started.join().unwrap(), 6);
        let unstarted = green::spawn(|| unreachable!());
        assert!(unstarted.cancel());
        assert!(!unstarted.cancel());
        for _ in 0..2 {
            assert!(matches!(unstarted.wait(), Err(Exit::Cancelled)));
        }
    });
}

#[test]
fn one_that_is_killed_before_it_starts_never_runs() {
    bounded(|| {
        let log = Log::default();
        let ends = Ends(log.clone(), "dropped");
        let gt = green::spawn(move || {
            let _ends = ends;
            unreachable!()
        });
        let inner = log.clone();
        gt.link(move |_| inner.note("linked"));
        let gt: Rc<GreenThread<()>> = Rc::new(gt);
        let waited = Rc::clone(&gt);
        let waiter = green::spawn(move || waited.wait());
        gt.kill();
        log.expect(&["dropped", "linked"]);
        gt.kill();
        assert!(matches!(waiter.join().unwrap(), Err(Exit::Killed(None))));
        for _ in 0..2 {
            assert!(matches!(gt.wait(), Err(Exit::Killed(None))));
        }
        assert!(gt.is_dead() && gt.is_ready());
    });
}

#[test]
fn a_kill_unwinds_before_it_returns() {
    bounded(|| {
        let log = Log::default();
        let inner = log.clone();
        let gt = green::spawn(move || {
            let _outer = Ends(inner.clone(), "outer");
            let _inner = Ends(inner, "inner");
            green::sleep(long());
            unreachable!()
        });
        let other = log.clone();
        green::spawn_n(move || other.note("another"));
        green::yield_now();
        gt.kill();
        // The killer has gone to the end of the queue.
        log.expect(&["another", "inner", "outer"]);
        assert!(gt.is_dead());
        gt.kill();
        assert!(matches!(gt.join(), Err(Exit::Killed(None))));
    });
}

#[test]
fn a_killer_lets_those_run_who_came_before_it() {
    bounded(|| {
        let log = Log::default();
        let gt = green::spawn(|| green::sleep(long()));
        green::yield_now();
        let other = log.clone();
        green::spawn_n(move || other.note("another"));
        gt.kill();
        log.expect(&["another"]);
    });
}

#[test]
fn a_kill_does_not_wait_for_slow_cleanup_and_kill_wait_does() {
    bounded(|| {
        let slow = || {
            green::spawn(|| {
                let killed = catch_unwind(AssertUnwindSafe(|| green::sleep(long())));
                green::mask(|| green::sleep(millis(5)));
                std::panic::resume_unwind(killed.unwrap_err());
            })
        };
        let gt = slow();
        green::yield_now();
        gt.kill();
        assert!(!gt.is_dead());
        let start = Instant::now();
        assert!(matches!(gt.join(), Err::<(), _>(Exit::Killed(_))));
        assert!(start.elapsed() >= millis(3));

        let gt = slow();
        green::yield_now();
        assert!(!gt.kill_wait(millis(1)));
        assert!(gt.kill_wait(long()));
        assert!(gt.is_dead());
    });
}

#[test]
fn a_kill_may_have_a_reason() {
    bounded(|| {
        let gt = green::spawn(|| green::sleep(long()));
        green::yield_now();
        gt.kill_with(String::from("enough"));
        gt.kill_with(String::from("again"));
        let exit = gt.wait().unwrap_err();
        assert_eq!(exit.reason::<String>().unwrap(), "enough");
        assert!(exit.reason::<u32>().is_none());
        assert_eq!(exit.to_string(), "the greenthread was killed");

        let unstarted = green::spawn(|| ());
        unstarted.kill_with(5);
        assert_eq!(unstarted.join().unwrap_err().reason(), Some(&5));
    });
}

#[test]
fn one_that_kills_itself_unwinds_there() {
    bounded(|| {
        let log = Log::default();
        let inner = log.clone();
        let gt = green::spawn(move || {
            let _ends = Ends(inner, "ended");
            green::current().kill_with("suicide");
            unreachable!()
        });
        let exit = gt.join().unwrap_err();
        assert_eq!(exit.reason(), Some(&"suicide"));
        log.expect(&["ended"]);
    });
}

#[test]
fn one_that_was_woken_and_killed_in_one_turn_is_killed() {
    bounded(|| {
        let gate = Rc::new(green::Flag::new());
        let opened = Rc::clone(&gate);
        let target = Rc::new(green::spawn(move || {
            opened.wait();
            5
        }));
        let waited = Rc::clone(&target);
        let waiter = green::spawn(move || waited.wait());
        settle();
        // `target` ends and wakes `waiter`, which does not run before it is killed.
        gate.set();
        let killer = green::spawn(move || {
            waiter.kill();
            waiter.join()
        });
        assert!(matches!(killer.join().unwrap(), Err(Exit::Killed(_))));
        assert_eq!(target.wait().unwrap(), 5, "the value stays for the others");
    });
}

#[test]
fn a_kill_that_is_swallowed_comes_again_and_lets_the_others_live() {
    bounded(|| {
        let swallowed = Rc::new(Cell::new(0));
        let count = Rc::clone(&swallowed);
        let stubborn = green::spawn(move || {
            while count.get() < 100 {
                if panics(|| green::sleep(long())) {
                    count.set(count.get() + 1);
                }
            }
            "lived on"
        });
        green::yield_now();
        let others = Rc::new(Cell::new(0));
        let turns = Rc::clone(&others);
        green::spawn_n(move || {
            for _ in 0..50 {
                turns.set(turns.get() + 1);
                green::yield_now();
            }
        });
        stubborn.kill();
        assert_eq!(stubborn.join().unwrap(), "lived on");
        assert_eq!(swallowed.get(), 100);
        assert_eq!(others.get(), 50, "a loop of swallowed kills starves nobody");
    });
}

#[test]
fn a_kill_goes_on_through_code_that_catches_panics() {
    bounded(|| {
        let gt = green::spawn(|| {
            let caught = catch_unwind(AssertUnwindSafe(|| green::sleep(long())));
            let _mine = green::resume_interrupt(caught.unwrap_err());
            unreachable!("it is no panic of this code")
        });
        green::yield_now();
        gt.kill();
        assert!(matches!(gt.join(), Err::<(), _>(Exit::Killed(_))));
        let mine = green::resume_interrupt(Box::new("a panic of my own"));
        assert_eq!(*mine.downcast::<&str>().unwrap(), "a panic of my own");
    });
}

#[test]
fn a_greenthread_that_waits_in_a_generator_is_resumed_and_killed_there() {
    bounded(|| {
        let log = Log::default();
        let inner = log.clone();
        let numbers = move |nap: Duration| {
            let log = inner.clone();
            greenlet::Generator::new(move |y| {
                let _ends = Ends(log, "the generator has ended");
                for n in 0..3 {
                    green::sleep(nap);
                    y.give(n);
                }
            })
        };
        let make = numbers.clone();
        let sum = green::spawn(move || make(millis(1)).sum::<u32>());
        let other = green::spawn(|| {
            green::sleep(millis(1));
            10
        });
        assert_eq!(sum.join().unwrap() + other.join().unwrap(), 13);
        log.expect(&["the generator has ended"]);

        let outer = Ends(log.clone(), "the greenthread has ended");
        let stuck = green::spawn(move || {
            let _outer = outer;
            numbers(long()).sum::<u32>()
        });
        green::yield_now();
        stuck.kill();
        assert!(matches!(stuck.join(), Err(Exit::Killed(_))));
        log.expect(&[
            "the generator has ended",
            "the generator has ended",
            "the greenthread has ended",
        ]);
    });
}

// Unwinding.

#[test]
fn two_may_unwind_at_once() {
    /// Tries every way of waiting, in a destructor that a panic or a kill runs.
    struct Waits(Log, &'static str);
    impl Drop for Waits {
        fn drop(&mut self) {
            assert!(std::thread::panicking());
            green::sleep(long());
            green::yield_now();
            green::sleep_until(Instant::now() + long());
            let stuck = green::spawn(|| 1);
            assert!(matches!(stuck.wait(), Err(Exit::Unwinding)));
            assert!(matches!(
                stuck.wait_timeout(long()),
                Some(Err(Exit::Unwinding))
            ));
            assert!(!stuck.kill_wait(millis(1)) || stuck.is_dead());
            assert!(matches!(green::spawn(|| 1).join(), Err(Exit::Unwinding)));
            assert!(green::joinall([green::spawn(|| 1)]).is_empty());
            self.0.note(self.1);
        }
    }
    bounded(|| {
        let log = Log::default();
        let victims = ["first", "second"].map(|name| {
            let waits = Waits(log.clone(), name);
            green::spawn(move || {
                let _waits = waits;
                green::sleep(long());
            })
        });
        let panicker = Waits(log.clone(), "third");
        green::yield_now();
        let third = green::spawn(move || {
            let _waits = panicker;
            panic!("on purpose");
        });
        green::killall(&victims);
        for victim in victims {
            assert!(matches!(victim.join(), Err(Exit::Killed(_))));
        }
        assert!(matches!(third.join(), Err::<(), _>(Exit::Panicked(_))));
        log.expect(&["first", "second", "third"]);
        // Whoever runs after them panics and is caught as ever.
        assert!(panics(|| panic!("on purpose")));
    });
}

#[test]
fn a_kill_from_a_destructor_that_unwinds_happens_afterwards() {
    struct Killer(Option<GreenThread<()>>, Log);
    impl Drop for Killer {
        fn drop(&mut self) {
            let victim = self.0.take().unwrap();
            victim.kill();
            self.1
                .note(if victim.is_dead() { "dead" } else { "to die" });
        }
    }
    bounded(|| {
        let log = Log::default();
        let ends = Ends(log.clone(), "ended");
        let victim = green::spawn(move || {
            let _ends = ends;
            green::sleep(long());
        });
        green::yield_now();
        let killer = Killer(Some(victim), log.clone());
        let gt = green::spawn(move || {
            let _killer = killer;
            panic!("on purpose");
        });
        assert!(gt.join().is_err());
        log.expect(&["to die", "ended"]);
    });
}

#[test]
fn a_destructor_may_catch_its_own_panic_while_it_is_killed() {
    struct Careful(Log);
    impl Drop for Careful {
        fn drop(&mut self) {
            assert!(panics(|| panic!("on purpose")));
            self.0.note("careful");
        }
    }
    bounded(|| {
        let log = Log::default();
        let careful = Careful(log.clone());
        let gt = green::spawn(move || {
            let _careful = careful;
            green::sleep(long());
        });
        green::yield_now();
        gt.kill();
        log.expect(&["careful"]);
    });
}

#[test]
fn a_closure_may_panic_when_it_is_dropped() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }
    bounded(|| {
        let bomb = || {
            let bomb = Bomb;
            green::spawn(move || {
                let _bomb = bomb;
            })
        };
        let killed = bomb();
        killed.kill();
        assert!(matches!(killed.join(), Err(Exit::Killed(None))));
        let cancelled = bomb();
        assert!(cancelled.cancel());
        assert!(matches!(cancelled.join(), Err(Exit::Cancelled)));
        assert!(matches!(bomb().join(), Err(Exit::Panicked(_))));
        assert_eq!(green::spawn(|| 1).join().unwrap(), 1);
    });
}

// Several at once.

fn naps(naps: &[u64]) -> Vec<GreenThread<u64>> {
    let spawn = |&nap: &u64| {
        green::spawn(move || {
            green::sleep(millis(nap));
            nap
        })
    };
    naps.iter().map(spawn).collect()
}

fn ids<'a>(gts: impl IntoIterator<Item = &'a green::AnyGreenThread>) -> Vec<u64> {
    gts.into_iter().map(|gt| gt.id()).collect()
}

#[test]
fn joinall_gives_them_in_the_order_of_their_ends() {
    bounded(|| {
        let gts = naps(&[40, 0, 20]);
        let order = [1, 2, 0].map(|n| gts[n].id());
        assert_eq!(ids(&green::joinall(&gts)), order);
        // Those that have ended come as they are given.
        assert_eq!(ids(&green::joinall(&gts)), [0, 1, 2].map(|n| gts[n].id()));
        let nobody: [GreenThread<()>; 0] = [];
        assert!(green::joinall(&nobody).is_empty());
        assert!(green::wait_any(&nobody).is_none());
    });
}

#[test]
fn joinall_ends_with_its_time_or_its_count() {
    bounded(|| {
        let gts = naps(&[0, 3_600_000, 1]);
        let ended = green::joinall_timeout(&gts, millis(60));
        assert_eq!(ids(&ended), [gts[0].id(), gts[2].id()]);
        let gts = naps(&[20, 40, 0]);
        let first: Vec<_> = green::iwait(&gts).take(2).collect();
        assert_eq!(ids(&first), [gts[2].id(), gts[0].id()]);
        assert_eq!(green::wait_any(&gts[1..2]).unwrap().id(), gts[1].id());
        let endless = naps(&[3_600_000]);
        assert!(green::iwait(&endless).timeout(millis(1)).next().is_none());
        assert!(
            Timeout::new(millis(1))
                .run(|| green::joinall(&endless))
                .is_err()
        );
    });
}

#[test]
fn try_joinall_ends_with_the_first_failure() {
    bounded(|| {
        let fails = |after: u64, how: &'static str| {
            green::spawn(move || -> u64 {
                green::sleep(millis(after));
                panic!("{how}");
            })
        };
        let mut gts = naps(&[0, 3_600_000]);
        gts.push(fails(40, "later"));
        gts.push(fails(1, "first"));
        let Err(Exit::Panicked(panic)) = green::try_joinall(&gts) else {
            panic!("two of them fail");
        };
        assert_eq!(panic.message(), "first");
        assert!(!gts[1].is_dead(), "the others go on");
        gts[1].kill();
        assert_eq!(green::try_joinall(naps(&[1, 0])).unwrap().len(), 2);
    });
}

#[test]
fn killall_takes_greenthreads_in_any_state() {
    bounded(|| {
        let log = Log::default();
        let ends = |name| Ends(log.clone(), name);
        let dead = green::spawn(|| ());
        dead.wait().unwrap();
        let (parked, runnable, unstarted, late) = (
            ends("parked"),
            ends("runnable"),
            ends("unstarted"),
            ends("delayed"),
        );
        let parked = green::spawn(move || {
            let _ends = parked;
            green::sleep(long());
        });
        let runnable = green::spawn(move || {
            let _ends = runnable;
            loop {
                green::yield_now();
            }
        });
        green::yield_now();
        let unstarted = green::spawn(move || drop(unstarted));
        let delayed = green::spawn_after(long(), move || drop(late));
        let gts = [&dead, &parked, &runnable, &unstarted, &delayed];
        green::killall(gts);
        assert!(gts.iter().all(|gt| gt.is_dead()));
        let mut seen = log.0.take();
        seen.sort();
        assert_eq!(seen, ["delayed", "parked", "runnable", "unstarted"]);
        assert!(green::killall_wait(gts, millis(1)));
    });
}

#[test]
fn killall_keeps_their_order_and_the_caller_for_the_end() {
    bounded(|| {
        let log = Log::default();
        let gts: Vec<_> = ["a", "b", "c"]
            .into_iter()
            .map(|name| {
                let ends = Ends(log.clone(), name);
                green::spawn(move || {
                    let _ends = ends;
                    green::sleep(long());
                })
            })
            .collect();
        green::yield_now();
        let me = Ends(log.clone(), "me");
        let killer = green::spawn(move || {
            let _me = me;
            let current = green::current();
            green::killall(
                [&current]
                    .into_iter()
                    .chain(gts.iter().map(|gt| gt.as_any())),
            );
            unreachable!()
        });
        assert!(matches!(killer.join(), Err::<(), _>(Exit::Killed(_))));
        log.expect(&["a", "b", "c", "me"]);
    });
}

#[test]
fn killall_wait_waits_for_slow_ones() {
    bounded(|| {
        let slow = green::spawn(|| green::mask(|| green::sleep(millis(8))));
        let fast = green::spawn(|| green::sleep(long()));
        green::yield_now();
        assert!(!green::killall_wait([&slow, &fast], millis(1)));
        assert!(fast.is_dead() && !slow.is_dead());
        assert!(green::killall_wait([&slow, &fast], long()));
        assert!(slow.is_dead());
    });
}

#[test]
fn many_are_waited_for_at_once() {
    bounded(|| {
        let gts: Vec<_> = (0..10_000).map(|n| green::spawn(move || n)).collect();
        assert_eq!(green::joinall(&gts).len(), 10_000);
        let sum: u64 = gts.into_iter().map(|gt| gt.join().unwrap()).sum();
        assert_eq!(sum, 49_995_000);
    });
}

// What is known of them.

#[test]
fn a_greenthread_can_be_looked_at() {
    bounded(|| {
        let me = green::current();
        assert!(me.is_active() && !me.is_dead());
        assert_eq!((me.id(), me.spawned_by()), (0, None));
        let gt = green::Builder::new()
            .name("worker")
            .spawn(|| {
                assert_eq!(green::current().name().as_deref(), Some("worker"));
                green::spawn(|| ()).spawned_by()
            })
            .unwrap();
        assert_eq!(gt.spawned_by(), Some(0));
        assert!(gt.spawned_at().file().ends_with("greenthread.rs"));
        assert_eq!(gt.name().as_deref(), Some("worker"));
        assert!(!gt.is_active() && !gt.is_dead());
        assert_eq!(gt.as_any(), gt.as_any());
        assert_ne!(gt.as_any(), &me);
        let id = gt.id();
        assert_eq!(gt.wait().unwrap(), Some(id));
        assert!(gt.is_dead() && !gt.is_active());
        assert!(format!("{gt:?}").contains("Dead"), "{gt:?}");
        let small = green::Builder::new().stack_size(1).spawn(|| ());
        assert!(small.is_err(), "no stack is that small");
    });
}

#[test]
fn nothing_is_left_behind() {
    bounded(|| {
        let before = (greenlet::stats().greenlets, green::debug::counters());
        let value = Rc::new(());
        let keep = green::spawn(|| green::sleep(long()));
        for n in 0..100_u64 {
            let value = Rc::clone(&value);
            let gt = green::spawn(move || {
                green::sleep(Duration::from_micros(n % 3));
                value
            });
            gt.link(|_| ());
            match n % 4 {
                0 => drop(gt.join()),
                1 => gt.kill(),
                2 => drop(gt),
                _ => drop(
                    green::iwait([gt.as_any(), keep.as_any()])
                        .timeout(millis(1))
                        .next(),
                ),
            }
        }
        green::sleep(millis(5));
        keep.kill();
        let after = (greenlet::stats().greenlets, green::debug::counters());
        assert_eq!(after.0, before.0);
        assert_eq!(after.1.greenthreads, before.1.greenthreads);
        assert_eq!(after.1.timers, before.1.timers);
        assert_eq!(Rc::strong_count(&value), 1);
    });
}

#[test]
fn a_chain_of_spawns_keeps_no_stacks() {
    bounded(|| {
        fn next(left: u32, end: GreenThread<()>) {
            green::spawn_n(move || match left {
                0 => end.kill(),
                _ => next(left - 1, end),
            });
        }
        let end = green::spawn(|| green::sleep(long()));
        let waited = end.as_any().clone();
        next(10_000, end);
        green::joinall([waited]);
        let stats = greenlet::stats();
        assert!(stats.stacks + stats.free_stacks < 200, "{stats:?}");
    });
}
