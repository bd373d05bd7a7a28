//! Scopes: greenthreads that borrow, and end before the one that spawned them goes on.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{bounded, settle};
use green::{Builder, Event, Exit, Timeout, hubs, scope};

const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(5);

/// Writes down when it is dropped.
struct Tell<'a>(&'a RefCell<Vec<&'static str>>, &'static str);

impl Drop for Tell<'_> {
    fn drop(&mut self) {
        self.0.borrow_mut().push(self.1);
    }
}

fn panics(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("it must panic");
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&str>().unwrap()).to_owned(),
    }
}

#[test]
fn children_borrow_and_the_scope_waits_for_all() {
    bounded(|| {
        let mut numbers = [1, 2, 3];
        let seen = Cell::new(0);
        let last = scope(|s| {
            for n in &mut numbers {
                s.spawn(|| {
                    green::sleep(SHORT);
                    *n *= 10;
                    seen.set(seen.get() + 1);
                });
            }
            assert_eq!(seen.get(), 0, "nothing has run");
            "of the closure"
        });
        assert_eq!(last.unwrap(), "of the closure");
        assert_eq!((numbers, seen.get()), ([10, 20, 30], 3));
    });
}

#[test]
fn a_value_may_borrow_and_is_joined_through_the_handle() {
    bounded(|| {
        let text = String::from("a long text");
        let longest = scope(|s| {
            let words: Vec<_> = text.split(' ').map(|word| s.spawn(move || word)).collect();
            assert_eq!(green::joinall(&words).len(), 3);
            assert!(words.iter().all(|word| word.is_ready() && word.is_dead()));
            let words = words.into_iter().map(|word| word.join().unwrap());
            words.max_by_key(|word| word.len()).map(str::len)
        });
        assert_eq!(longest.unwrap(), Some(4));
    });
}

#[test]
fn the_first_panic_kills_the_siblings_and_the_closure_and_is_the_error() {
    bounded(|| {
        let log = RefCell::new(Vec::new());
        let start = Instant::now();
        let result = scope(|s| {
            s.spawn(|| {
                let _tell = Tell(&log, "sibling");
                green::sleep(LONG);
            });
            s.spawn(|| {
                green::sleep(SHORT);
                panic!("the first");
            });
            s.spawn(|| {
                // It unwinds and then fails as well.
                let _ = catch_unwind(AssertUnwindSafe(|| green::sleep(LONG)));
                panic!("the second");
            });
            let _tell = Tell(&log, "closure");
            green::sleep(LONG);
            unreachable!();
        });
        let exit: Exit = result.unwrap_err();
        assert!(matches!(&exit, Exit::Panicked(panic) if panic.message() == "the first"));
        assert_eq!(*log.borrow(), ["sibling", "closure"]);
        assert!(start.elapsed() < LONG / 2);
        assert_eq!(panics(|| exit.raise()), "the first");
    });
}

#[test]
fn a_panic_after_the_closure_has_returned_is_the_error_too() {
    bounded(|| {
        let dropped = RefCell::new(Vec::new());
        let result = scope(|s| {
            s.spawn(|| {
                green::yield_now();
                panic!("late");
            });
            Tell(&dropped, "the value that nobody gets")
        });
        assert!(matches!(result, Err(Exit::Panicked(_))));
        drop(result);
        assert_eq!(dropped.borrow().len(), 1);
    });
}

#[test]
fn a_panic_of_the_closure_goes_on_when_all_have_ended() {
    bounded(|| {
        let log = RefCell::new(Vec::new());
        let text = panics(|| {
            let _outside = Tell(&log, "outside");
            let _ = scope(|s| {
                s.spawn(|| {
                    let _tell = Tell(&log, "child");
                    let _ = catch_unwind(AssertUnwindSafe(|| green::sleep(LONG)));
                    panic!("in return");
                });
                green::yield_now();
                let never_runs = Tell(&log, "not run");
                s.spawn(move || {
                    let _tell = never_runs;
                    unreachable!("it never runs");
                });
                panic!("of the closure");
            });
        });
        assert_eq!(text, "of the closure");
        assert_eq!(*log.borrow(), ["not run", "child", "outside"]);
    });
}

#[test]
fn a_panic_of_the_closure_that_comes_second_is_not_the_error() {
    bounded(|| {
        let result = scope(|s| {
            let gt = s.spawn(|| panic!("the child"));
            let _ = catch_unwind(AssertUnwindSafe(|| green::sleep(LONG)));
            // It has ended, so nothing is waited for here.
            gt.join().unwrap()
        });
        let Err(Exit::Panicked(panic)) = result else {
            panic!("{result:?}");
        };
        assert_eq!(panic.message(), "the child");
    });
}

#[test]
fn a_kill_of_the_parent_reaches_the_children_first() {
    for waits_in_closure in [true, false] {
        bounded(|| {
            let log = Rc::new(RefCell::new(Vec::new()));
            let parent = green::spawn({
                let log = Rc::clone(&log);
                move || {
                    let _tell = Tell(&log, "parent");
                    let _ = scope(|s| {
                        s.spawn(|| {
                            let _tell = Tell(&log, "first");
                            green::sleep(LONG);
                        });
                        s.spawn(|| {
                            let _tell = Tell(&log, "second");
                            // Cleanup that waits.
                            struct Waits;
                            impl Drop for Waits {
                                fn drop(&mut self) {
                                    green::sleep(SHORT);
                                }
                            }
                            let _waits = Waits;
                            green::sleep(LONG);
                        });
                        s.spawn(|| green::mask(|| green::sleep(SHORT)));
                        if waits_in_closure {
                            green::sleep(LONG);
                        }
                    });
                    unreachable!("the kill goes on");
                }
            });
            settle();
            parent.kill_with("enough");
            let exit = parent.join().unwrap_err();
            assert_eq!(exit.reason(), Some(&"enough"));
            assert_eq!(*log.borrow(), ["first", "second", "parent"]);
        });
    }
}

#[test]
fn a_timeout_around_the_scope_reaches_the_children() {
    for waits_in_closure in [true, false] {
        bounded(|| {
            let log = RefCell::new(Vec::new());
            let inner = Timeout::new(LONG);
            let outcome = Timeout::new(SHORT).run(|| {
                inner.run(|| {
                    scope(|s| {
                        s.spawn(|| {
                            let _tell = Tell(&log, "child");
                            green::sleep(LONG);
                        });
                        if waits_in_closure {
                            green::sleep(LONG);
                        }
                    })
                })
            });
            assert_eq!(outcome.unwrap_err().after(), SHORT);
            assert_eq!(*log.borrow(), ["child"]);
        });
    }
}

#[test]
fn a_timeout_in_the_closure_is_its_own() {
    bounded(|| {
        let result = scope(|s| {
            let gt = s.spawn(|| {
                green::sleep(4 * SHORT);
                7
            });
            assert!(Timeout::new(SHORT).run(|| green::sleep(LONG)).is_err());
            gt.join()
        });
        assert_eq!(result.unwrap().unwrap(), 7);
    });
}

#[test]
fn a_child_that_catches_its_kill_gets_it_again() {
    bounded(|| {
        let caught = Cell::new(0);
        let result = scope(|s| {
            s.spawn(|| {
                while caught.get() < 3 {
                    let wait = catch_unwind(AssertUnwindSafe(|| green::sleep(LONG)));
                    caught.set(caught.get() + 1);
                    assert!(wait.is_err());
                }
            });
            green::yield_now();
            s.spawn(|| panic!("on purpose"));
        });
        assert!(result.is_err());
        assert_eq!(caught.get(), 3);
    });
}

#[test]
fn a_kill_of_one_is_no_failure() {
    bounded(|| {
        let log = RefCell::new(Vec::new());
        let result = scope(|s| {
            let killed = s.spawn(|| {
                let _tell = Tell(&log, "killed");
                green::sleep(LONG);
            });
            let cancelled = s.spawn(|| unreachable!());
            let other = s.spawn(|| {
                green::sleep(SHORT);
                let _tell = Tell(&log, "other");
            });
            assert!(cancelled.cancel());
            green::yield_now();
            killed.kill();
            assert!(matches!(killed.join(), Err(Exit::Killed(None))));
            assert!(matches!(cancelled.join(), Err(Exit::Cancelled)));
            drop(other);
            5
        });
        assert_eq!(result.unwrap(), 5);
        assert_eq!(*log.borrow(), ["killed", "other"]);
    });
}

#[test]
fn killall_ends_those_who_are_there_and_not_the_scope() {
    bounded(|| {
        let result = scope(|s| {
            let gts = [1, 2].map(|_| s.spawn(|| green::sleep(LONG)));
            green::yield_now();
            s.killall();
            assert!(gts.iter().all(|gt| gt.is_dead()));
            s.spawn(|| 1).join().unwrap()
        });
        assert_eq!(result.unwrap(), 1);
    });
}

#[test]
fn children_spawn_siblings_for_as_long_as_they_live() {
    fn chain<'scope>(s: &'scope green::Scope<'scope, '_>, n: u32, sum: &'scope Cell<u32>) {
        s.spawn(move || {
            green::yield_now();
            sum.set(sum.get() + n);
            if n > 0 {
                chain(s, n - 1, sum);
            }
        });
    }
    bounded(|| {
        let sum = Cell::new(0);
        scope(|s| chain(s, 100, &sum)).unwrap();
        assert_eq!(sum.get(), 5050);
    });
}

#[test]
fn what_is_spawned_into_an_ending_scope_never_runs() {
    struct Spawns<'scope, 'env>(&'scope green::Scope<'scope, 'env>, &'scope Cell<u32>);
    impl Drop for Spawns<'_, '_> {
        fn drop(&mut self) {
            let gt = self.0.spawn(|| unreachable!("it never runs"));
            assert!(gt.is_dead());
            assert!(matches!(gt.join(), Err(Exit::Cancelled)));
            self.1.set(self.1.get() + 1);
        }
    }
    bounded(|| {
        let tried = Cell::new(0);
        let result = scope(|s| {
            s.spawn(|| {
                let _spawns = Spawns(s, &tried);
                green::sleep(LONG);
            });
            let never_runs = Spawns(s, &tried);
            green::yield_now();
            s.spawn(|| panic!("on purpose"));
            s.spawn(move || drop(never_runs));
        });
        assert!(result.is_err());
        assert_eq!(tried.get(), 2);
    });
}

#[test]
fn in_a_destructor_that_unwinds_nothing_runs() {
    struct Opens<'a>(&'a RefCell<Vec<String>>);
    impl Drop for Opens<'_> {
        fn drop(&mut self) {
            let log = |text: String| self.0.borrow_mut().push(text);
            assert!(thread::panicking());
            assert_eq!(scope(|_| 1).unwrap(), 1);
            let witness = Rc::new(());
            let result = scope(|s| {
                let kept = Rc::clone(&witness);
                let gt = s.spawn(move || {
                    drop(kept);
                    log(String::from("a child ran"));
                });
                log(gt.join().unwrap_err().to_string());
                s.spawn(|| log(String::from("a child ran")));
            });
            assert_eq!(Rc::strong_count(&witness), 1);
            log(result.unwrap_err().to_string());
        }
    }
    bounded(|| {
        let log = RefCell::new(Vec::new());
        let bystander = green::spawn(|| assert!(!thread::panicking()));
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            let _opens = Opens(&log);
            resume_unwind(Box::new(1));
        }));
        assert!(unwound.is_err());
        let refused = "cannot wait for a greenthread while unwinding";
        assert_eq!(*log.borrow(), [refused, refused]);
        bystander.join().unwrap();
        // A kill runs destructors as well.
        log.borrow_mut().clear();
        let log = Rc::new(log);
        let gt = green::spawn({
            let log = Rc::clone(&log);
            move || {
                let _opens = Opens(&log);
                green::sleep(LONG);
            }
        });
        green::yield_now();
        gt.kill();
        assert!(matches!(gt.join(), Err(Exit::Killed(_))));
        assert_eq!(*log.borrow(), [refused, refused]);
    });
}

#[test]
fn a_deadlock_ends_the_children_before_it_is_raised() {
    for waits_in_closure in [true, false] {
        bounded(|| {
            let log = RefCell::new(Vec::new());
            let event = Event::<()>::new();
            let report = panics(|| {
                let _ = scope(|s| {
                    s.spawn(|| {
                        let _tell = Tell(&log, "child");
                        event.wait()
                    });
                    if waits_in_closure {
                        let _tell = Tell(&log, "closure");
                        let _ = event.wait();
                    }
                });
            });
            assert!(report.starts_with("deadlock:"), "{report}");
            assert!(log.borrow().ends_with(&["child"]));
        });
    }
}

#[test]
fn a_deadlock_also_ends_a_child_that_holds_its_kill_back() {
    bounded(|| {
        let log = RefCell::new(Vec::new());
        let event = Event::<()>::new();
        let report = panics(|| {
            let _ = scope(|s| {
                for _ in 0..2 {
                    s.spawn(|| {
                        let text = panics(|| green::mask(|| drop(event.wait())));
                        assert!(text.starts_with("deadlock:"), "{text}");
                        log.borrow_mut().push("child");
                    });
                }
            });
        });
        assert!(report.starts_with("deadlock:"), "{report}");
        assert_eq!(*log.borrow(), ["child", "child"]);
    });
}

#[test]
fn scopes_nest_and_the_outer_one_ends_the_inner() {
    bounded(|| {
        let log = RefCell::new(Vec::new());
        let mut after_inner = false;
        let result = scope(|outer| {
            outer.spawn(|| {
                green::sleep(SHORT);
                panic!("outer");
            });
            let inner = scope(|inner| {
                inner.spawn(|| {
                    let _tell = Tell(&log, "inner child");
                    let _ = scope(|s| {
                        s.spawn(|| {
                            let _tell = Tell(&log, "innermost child");
                            green::sleep(LONG);
                        });
                    });
                });
            });
            let _: Result<(), Exit> = inner;
            after_inner = true;
        });
        assert!(matches!(result, Err(Exit::Panicked(p)) if p.message() == "outer"));
        assert_eq!(*log.borrow(), ["innermost child", "inner child"]);
        assert!(!after_inner);
        // The failure of an inner scope is the outer closure's to deal with.
        let result = scope(|outer| {
            let other = outer.spawn(|| {
                green::sleep(SHORT);
                1
            });
            let inner = scope(|s| drop(s.spawn(|| panic!("inner"))));
            assert!(inner.is_err());
            other.join().unwrap()
        });
        assert_eq!(result.unwrap(), 1);
    });
}

#[test]
fn a_closure_that_never_runs_is_waited_for_until_it_is_dropped() {
    struct Slow<'a>(&'a RefCell<Vec<&'static str>>);
    impl Drop for Slow<'_> {
        fn drop(&mut self) {
            green::sleep(SHORT);
            self.0.borrow_mut().push("dropped");
        }
    }
    bounded(|| {
        let name = Rc::new(RefCell::new(None::<green::AnyGreenThread>));
        let canceller = green::spawn({
            let name = Rc::clone(&name);
            move || name.take().unwrap().cancel()
        });
        let log = RefCell::new(Vec::new());
        let result = scope(|s| {
            let slow = Slow(&log);
            let gt = s.spawn(move || {
                let _slow = slow;
                unreachable!("it never runs");
            });
            name.replace(Some(gt.as_any().clone()));
            green::yield_now();
            // It is dead, and somebody else is about to drop its closure.
            assert!(gt.is_dead() && log.borrow().is_empty());
        });
        assert!(result.is_ok());
        assert_eq!(*log.borrow(), ["dropped"]);
        assert!(canceller.join().unwrap());
    });
}

#[test]
fn a_forgotten_handle_changes_nothing() {
    bounded(|| {
        let ran = Cell::new(false);
        scope(|s| {
            std::mem::forget(s.spawn(|| {
                green::sleep(SHORT);
                ran.set(true);
            }));
        })
        .unwrap();
        assert!(ran.get());
    });
}

#[test]
fn a_value_is_dropped_once_by_whoever_has_it() {
    bounded(|| {
        let log = RefCell::new(Vec::new());
        scope(|s| {
            drop(s.spawn(|| Tell(&log, "nobody took it")));
            let kept = s.spawn(|| Tell(&log, "kept"));
            let taken = s.spawn(|| Tell(&log, "taken")).join();
            assert_eq!(*log.borrow(), ["nobody took it"]);
            drop(taken);
            drop(kept);
        })
        .unwrap();
        assert_eq!(*log.borrow(), ["nobody took it", "taken", "kept"]);
        // One whose destructor panics is a failure of the child.
        struct Panics;
        impl Drop for Panics {
            fn drop(&mut self) {
                panic!("of the value");
            }
        }
        let result = scope(|s| drop(s.spawn(|| Panics)));
        assert!(matches!(result, Err(Exit::Panicked(p)) if p.message() == "of the value"));
    });
}

#[test]
fn the_hub_may_be_swapped_meanwhile() {
    bounded(|| {
        let before = hubs::get_hub();
        let n = Cell::new(0);
        scope(|s| {
            for (at, name) in hubs::hub_names().enumerate() {
                let n = &n;
                s.spawn(move || {
                    green::sleep(SHORT * at as u32);
                    hubs::use_hub(name).unwrap();
                    n.set(n.get() + 1);
                    green::sleep(SHORT);
                });
            }
        })
        .unwrap();
        assert_eq!(n.get(), hubs::hub_names().count());
        hubs::use_hub(before).unwrap();
    });
}

#[test]
fn a_closed_hub_ends_the_children_and_the_scope_goes_on() {
    bounded(|| {
        let (sender, receiver) = channel();
        let hub = thread::spawn(move || {
            let ended = Cell::new(0);
            let result = scope(|s| {
                for _ in 0..3 {
                    s.spawn(|| {
                        struct Ends<'a>(&'a Cell<u32>);
                        impl Drop for Ends<'_> {
                            fn drop(&mut self) {
                                self.0.set(self.0.get() + 1);
                            }
                        }
                        let _ends = Ends(&ended);
                        green::sleep(LONG);
                    });
                }
                // They have begun: what has not is cancelled.
                green::yield_now();
                sender.send(hubs::handle().unwrap()).unwrap();
            });
            result.unwrap();
            ended.get()
        });
        receiver.recv().unwrap().close().unwrap();
        assert_eq!(hub.join().unwrap(), 3);
    });
}

/// Counts itself when it is dropped, from any thread.
struct Count(Arc<AtomicUsize>);

impl Drop for Count {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn the_end_of_the_thread_unwinds_children_and_parents() {
    type Wait = fn();
    let waits: [(&str, Wait); 3] = [
        ("plain", || green::sleep(LONG)),
        // The kill never arrives: what unwinds them in the end is greenlet.
        ("masked", || green::mask(|| green::sleep(LONG))),
        ("stubborn", || {
            for _ in 0..2000 {
                let caught = catch_unwind(|| green::sleep(LONG));
                assert!(caught.is_err());
            }
        }),
    ];
    for (parent_catches, children_first) in [(false, false), (false, true), (true, false)] {
        for (name, wait) in waits {
            let ended = Arc::new(AtomicUsize::new(0));
            let went_on = Arc::new(AtomicUsize::new(0));
            let (count, on) = (Arc::clone(&ended), Arc::clone(&went_on));
            thread::spawn(move || {
                // The end goes by the places of the stacks.
                let places = if children_first { 2 } else { 0 };
                let places: Vec<_> = (0..places).map(|_| green::spawn(|| ())).collect();
                green::spawn_n(move || {
                    let text = vec![7_u8; 1000];
                    let _parent = Count(Arc::clone(&count));
                    for gt in places {
                        gt.join().unwrap();
                    }
                    let _ = scope(|s| {
                        for _ in 0..2 {
                            let child = Count(Arc::clone(&count));
                            s.spawn(|| {
                                let _child = child;
                                struct Looks<'a>(&'a [u8]);
                                impl Drop for Looks<'_> {
                                    fn drop(&mut self) {
                                        assert!(self.0.iter().all(|&n| n == 7));
                                    }
                                }
                                let _looks = Looks(&text);
                                wait();
                            });
                        }
                        if parent_catches {
                            let _ = catch_unwind(wait);
                        }
                    });
                    on.fetch_add(1, Ordering::SeqCst);
                });
                settle();
            })
            .join()
            .unwrap();
            let case = format!("{name}, {parent_catches}, {children_first}");
            assert_eq!(ended.load(Ordering::SeqCst), 3, "{case}");
            assert_eq!(went_on.load(Ordering::SeqCst), 0, "{case}");
        }
    }
}

#[test]
fn a_scope_may_be_left_while_its_children_are_named_elsewhere() {
    bounded(|| {
        let mut kept = Vec::new();
        scope(|s| kept.push(s.spawn(|| ()).as_any().clone())).unwrap();
        assert!(kept[0].is_dead());
        kept[0].kill();
        assert!(kept[0].exit().is_none());
    });
}

#[test]
fn a_builder_names_them_and_refuses_what_it_cannot_have() {
    bounded(|| {
        let n = 1;
        let result = scope(|s| {
            let refused = Builder::new().stack_size(1).spawn_scoped(s, || n);
            assert!(refused.is_err());
            let gt = Builder::new().name("named").spawn_scoped(s, || n).unwrap();
            assert_eq!(gt.as_any().name().as_deref(), Some("named"));
            gt.join().unwrap()
        });
        assert_eq!(result.unwrap(), 1);
    });
}

#[test]
fn a_masked_parent_is_interrupted_by_nothing() {
    bounded(|| {
        let done = Rc::new(Cell::new(0));
        let parent = green::spawn({
            let done = Rc::clone(&done);
            move || {
                green::mask(|| {
                    scope(|s| {
                        s.spawn(|| {
                            green::sleep(SHORT);
                            done.set(done.get() + 1);
                        });
                    })
                    .unwrap();
                    done.set(done.get() + 1);
                });
                green::yield_now();
                unreachable!();
            }
        });
        green::yield_now();
        parent.kill();
        assert!(matches!(parent.join(), Err(Exit::Killed(_))));
        assert_eq!(done.get(), 2);
    });
}
