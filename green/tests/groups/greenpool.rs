//! GreenPool: places, their order, and what happens to them when greenthreads end early.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use green::{Exit, GreenPool, Timeout, WaitsForItself};

use crate::common::{settle, spawn_settled};

/// Runs a test that must not hang.
#[track_caller]
fn bounded<T>(f: impl FnOnce() -> T) -> T {
    Timeout::new(Duration::from_secs(60))
        .run(f)
        .expect("the test hangs")
}

fn long() -> Duration {
    Duration::from_secs(3600)
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
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

#[test]
fn results_come_from_more_jobs_than_places() {
    bounded(|| {
        let pool = GreenPool::new(4);
        let jobs: Vec<_> = (0..10)
            .map(|n| {
                pool.spawn(move || {
                    green::sleep(millis(1));
                    n
                })
            })
            .collect();
        for (n, job) in jobs.into_iter().enumerate() {
            assert_eq!(job.join().unwrap(), n);
        }
        assert_eq!((pool.free(), pool.running(), pool.waiting()), (4, 0, 0));
    });
}

#[test]
fn never_more_run_than_there_are_places() {
    bounded(|| {
        let pool = GreenPool::new(3);
        let running = Rc::new(Cell::new(0));
        let most = Rc::new(Cell::new(0));
        for n in 0..50 {
            let (running, most) = (Rc::clone(&running), Rc::clone(&most));
            pool.spawn_n(move || {
                running.set(running.get() + 1);
                most.set(most.get().max(running.get()));
                green::sleep(millis(n % 3));
                running.set(running.get() - 1);
            });
        }
        pool.waitall().unwrap();
        assert_eq!(most.get(), 3);
    });
}

#[test]
fn spawners_that_wait_are_counted() {
    bounded(|| {
        let pool = GreenPool::new(1);
        let gate = pool.spawn(|| green::sleep(long()));
        assert_eq!((pool.running(), pool.waiting()), (1, 0));
        for waiting in 1..=2 {
            let spawner = pool.clone();
            green::spawn_n(move || spawner.spawn_n(|| ()));
            settle();
            assert_eq!((pool.running(), pool.waiting()), (1, waiting));
        }
        gate.kill();
        pool.waitall().unwrap();
        assert_eq!((pool.running(), pool.waiting()), (0, 0));
    });
}

#[test]
fn a_spawn_into_a_full_pool_lets_the_others_run() {
    bounded(|| {
        let pool = GreenPool::new(2);
        let log = Log::default();
        let note = |n| {
            let log = log.clone();
            move || log.note(n)
        };
        for (n, free) in [(0, 1), (1, 0)] {
            assert!(pool.try_spawn(note(n)).is_ok());
            assert_eq!(pool.free(), free);
        }
        pool.spawn_n(note(2));
        assert_eq!(pool.free(), 1);
        log.expect(&["0", "1"]);
        pool.waitall().unwrap();
        log.expect(&["0", "1", "2"]);
    });
}

#[test]
fn spawners_get_their_places_in_order() {
    bounded(|| {
        let pool = GreenPool::new(1);
        let log = Log::default();
        let gate = pool.spawn(|| green::sleep(long()));
        for n in 0..10 {
            let (pool, log) = (pool.clone(), log.clone());
            spawn_settled(move || {
                let inner = log.clone();
                pool.spawn_n(move || inner.note(n));
            });
        }
        settle();
        gate.kill();
        // Whoever comes now goes behind those who wait.
        let last = log.clone();
        pool.spawn_n(move || last.note("last"));
        pool.waitall().unwrap();
        log.expect(&["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "last"]);
    });
}

#[test]
fn a_place_comes_back_however_the_greenthread_ends() {
    bounded(|| {
        let pool = GreenPool::new(1);
        assert!(matches!(
            pool.spawn(|| panic!("on purpose")).join(),
            Err(Exit::Panicked(_))
        ));
        assert_eq!(pool.free(), 1);

        let unstarted = pool.spawn(|| unreachable!());
        unstarted.kill();
        assert!(matches!(unstarted.join(), Err(Exit::Killed(None))));
        assert_eq!(pool.free(), 1);

        let cancelled = pool.spawn(|| unreachable!());
        assert!(cancelled.cancel());
        assert_eq!(pool.free(), 1);

        let started = pool.spawn(|| green::sleep(long()));
        settle();
        started.kill();
        assert_eq!(pool.free(), 1);

        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("on purpose");
            }
        }
        let bomb = Bomb;
        let unstarted = pool.spawn(move || drop(bomb));
        unstarted.kill();
        assert!(matches!(unstarted.join(), Err(Exit::Killed(None))));
        assert_eq!(pool.free(), 1);

        pool.spawn_n(|| panic!("on purpose"));
        pool.waitall().unwrap();
        assert_eq!((pool.free(), pool.running()), (1, 0));
    });
}

#[test]
fn a_place_is_free_when_the_result_is_there() {
    bounded(|| {
        let pool = GreenPool::new(1);
        for _ in 0..3 {
            pool.spawn(|| ()).join().unwrap();
            assert!(pool.try_spawn(|| ()).is_ok());
            pool.waitall().unwrap();
        }
    });
}

#[test]
fn a_pool_of_none_lets_nobody_in() {
    bounded(|| {
        let pool = GreenPool::new(0);
        assert_eq!(pool.free(), 0);
        assert!(pool.try_spawn(|| ()).is_err());
        assert!(pool.spawn_timeout(millis(1), || ()).is_err());
        pool.waitall().unwrap();
        let spawner = pool.clone();
        let spawned = green::spawn(move || spawner.spawn(|| 5).join().unwrap());
        green::sleep(millis(2));
        assert_eq!(pool.waiting(), 1);
        pool.resize(1);
        assert_eq!(spawned.join().unwrap(), 5);
    });
}

#[test]
fn growth_wakes_those_who_wait() {
    bounded(|| {
        let pool = GreenPool::new(1);
        let gate = pool.spawn(|| green::sleep(long()));
        let started = Rc::new(Cell::new(0));
        for _ in 0..4 {
            let (pool, started) = (pool.clone(), Rc::clone(&started));
            green::spawn_n(move || {
                pool.spawn_n(move || {
                    started.set(started.get() + 1);
                    green::sleep(long());
                });
            });
        }
        settle();
        assert_eq!(pool.waiting(), 4);
        pool.resize(3);
        assert_eq!((pool.free(), pool.waiting()), (0, 2));
        settle();
        settle();
        assert_eq!(started.get(), 2);
        gate.kill();
        settle();
        settle();
        assert_eq!((started.get(), pool.waiting()), (3, 1));
        while pool.running() > 0 || pool.waiting() > 0 {
            pool.kill();
            green::yield_now();
        }
    });
}

#[test]
fn a_pool_that_shrinks_lets_nobody_in_until_it_is_below() {
    bounded(|| {
        let pool = GreenPool::new(3);
        let members: Vec<_> = (0..3)
            .map(|_| pool.spawn(|| green::sleep(long())))
            .collect();
        settle();
        pool.resize(1);
        assert_eq!((pool.free(), pool.running()), (-2, 3));
        let spawner = pool.clone();
        let blocked = green::spawn(move || spawner.spawn(|| 7).join().unwrap());
        settle();
        for (left, member) in [-1, 0].into_iter().zip(&members) {
            member.kill();
            assert_eq!((pool.free(), pool.waiting()), (left, 1));
        }
        members[2].kill();
        assert_eq!(blocked.join().unwrap(), 7);
        assert_eq!(pool.free(), 1);
    });
}

#[test]
fn a_spawner_that_gives_up_takes_no_place() {
    bounded(|| {
        let pool = GreenPool::new(1);
        let gate = pool.spawn(|| green::sleep(long()));
        let given_up = Timeout::new(millis(1)).run(|| pool.spawn(|| unreachable!()));
        assert!(given_up.is_err());
        let spawner = pool.clone();
        let killed = green::spawn(move || spawner.spawn(|| unreachable!()));
        settle();
        assert_eq!(pool.waiting(), 1);
        killed.kill();
        assert_eq!(pool.waiting(), 0);
        gate.kill();
        assert_eq!((pool.free(), pool.running()), (1, 0));
    });
}

#[test]
fn a_place_given_to_one_who_is_killed_goes_to_the_next() {
    bounded(|| {
        let pool = GreenPool::new(1);
        let gate = pool.spawn(|| green::sleep(long()));
        let spawner = |n| {
            let pool = pool.clone();
            spawn_settled(move || pool.spawn(move || n).join().unwrap())
        };
        let (first, second) = (spawner(1), spawner(2));
        assert_eq!(pool.waiting(), 2);
        // Both in one turn: the place is free and goes to the first, which is killed before it runs.
        gate.kill();
        first.kill();
        assert!(matches!(first.join(), Err(Exit::Killed(_))));
        assert_eq!(second.join().unwrap(), 2);
        assert_eq!(pool.free(), 1);
    });
}

#[test]
fn a_place_never_goes_to_one_who_has_given_up_in_the_same_turn() {
    bounded(|| {
        // Again if the machine is so slow that a time is over before both wait.
        for _ in 0..100 {
            let pool = GreenPool::new(1);
            let gate = pool.spawn(|| green::sleep(long()));
            let spawner = pool.clone();
            let killer = green::spawn(move || {
                green::sleep(millis(10));
                gate.kill();
            });
            let late = green::spawn(move || spawner.spawn_timeout(millis(11), || ()).is_err());
            settle();
            let both_wait = !killer.is_dead() && !late.is_dead();
            // Both times pass while nobody looks. The place comes free when the spawner has run out of time, but has
            // not run since.
            std::thread::sleep(millis(15));
            let has_given_up = late.join().unwrap();
            killer.join().unwrap();
            pool.waitall().unwrap();
            assert_eq!((pool.free(), pool.running()), (1, 0));
            if both_wait {
                return assert!(has_given_up);
            }
        }
        panic!("never in time");
    });
}

#[test]
fn waitall_waits_for_what_members_spawn() {
    bounded(|| {
        fn spawn(pool: GreenPool, depth: usize, ended: Rc<Cell<usize>>) {
            if depth > 0 {
                for _ in 0..2 {
                    let (inner, ended) = (pool.clone(), Rc::clone(&ended));
                    pool.spawn_n(move || spawn(inner, depth - 1, ended));
                }
                green::sleep(millis(1));
            }
            ended.set(ended.get() + 1);
        }
        for size in [1, 2, 1000] {
            let pool = GreenPool::new(size);
            let ended = Rc::new(Cell::new(0));
            let (inner, counter) = (pool.clone(), Rc::clone(&ended));
            pool.spawn_n(move || spawn(inner, 4, counter));
            pool.waitall().unwrap();
            assert_eq!(ended.get(), 31);
        }
        GreenPool::new(5).waitall().unwrap();
    });
}

#[test]
fn waitall_from_inside_is_an_error() {
    bounded(|| {
        let pool = GreenPool::new(2);
        let inner = pool.clone();
        let member = pool.spawn(move || {
            assert_eq!(inner.waitall(), Err(WaitsForItself));
            let helper = inner.clone();
            green::spawn(move || helper.waitall()).join().unwrap()
        });
        assert_eq!(member.join().unwrap(), Err(WaitsForItself));
        assert_eq!(pool.waitall(), Ok(()));
        pool.spawn_n(|| green::sleep(long()));
        assert_eq!(pool.waitall_timeout(millis(1)), Ok(false));
        pool.kill();
        assert_eq!(pool.waitall_timeout(millis(1)), Ok(true));
    });
}

#[test]
fn a_member_spawns_into_its_own_full_pool() {
    bounded(|| {
        let pool = GreenPool::new(1);
        let inner = pool.clone();
        let sum = pool.spawn(move || {
            let outcome = inner.spawn(|| 1).join().unwrap();
            assert!(matches!(
                inner.spawn(|| panic!("on purpose")).join(),
                Err(Exit::Panicked(_))
            ));
            assert_eq!((inner.free(), inner.running()), (0, 1));
            inner.spawn_n(|| ());
            outcome
        });
        assert_eq!(sum.join().unwrap(), 1);
        assert_eq!((pool.free(), pool.running()), (1, 0));
    });
}

#[test]
fn a_helper_of_a_member_does_not_wait_for_its_place() {
    bounded(|| {
        let pool = GreenPool::new(1);
        let inner = pool.clone();
        let member = pool.spawn(move || {
            let helper = green::spawn(move || {
                let helper_of_helper = green::spawn(move || inner.spawn(|| 3).join().unwrap());
                helper_of_helper.join().unwrap()
            });
            helper.join().unwrap()
        });
        assert_eq!(member.join().unwrap(), 3);
    });
}

#[test]
fn pools_inside_each_other_do_not_wait_for_each_other() {
    bounded(|| {
        let (a, b) = (GreenPool::new(1), GreenPool::new(1));
        let (outer, inner) = (a.clone(), b.clone());
        let member = a.spawn(move || {
            let outer = outer.clone();
            inner
                .spawn(move || outer.spawn(|| 4).join().unwrap())
                .join()
                .unwrap()
        });
        assert_eq!(member.join().unwrap(), 4);
        assert_eq!((a.free(), b.free()), (1, 1));
    });
}

#[test]
fn a_helper_whose_member_has_ended_waits_like_everybody() {
    bounded(|| {
        let pool = GreenPool::new(1);
        let inner = pool.clone();
        let helper = pool
            .spawn(move || {
                green::spawn(move || {
                    green::sleep(millis(2));
                    inner.spawn(|| 1).join().unwrap()
                })
            })
            .join()
            .unwrap();
        let gate = pool.spawn(|| green::sleep(long()));
        green::sleep(millis(5));
        assert_eq!(pool.waiting(), 1);
        gate.kill();
        assert_eq!(helper.join().unwrap(), 1);
    });
}

#[test]
fn members_that_spawn_go_deep_without_the_stack() {
    fn down(pool: GreenPool, depth: usize) -> usize {
        if depth == 0 {
            return 0;
        }
        let inner = pool.clone();
        pool.spawn(move || down(inner, depth - 1)).join().unwrap() + 1
    }
    bounded(|| {
        let pool = GreenPool::new(1);
        let inner = pool.clone();
        assert_eq!(pool.spawn(move || down(inner, 2000)).join().unwrap(), 2000);
    });
}

#[test]
fn a_kill_of_a_member_reaches_what_runs_on_its_place() {
    bounded(|| {
        struct Note(Log);
        impl Drop for Note {
            fn drop(&mut self) {
                self.0.note("ended");
            }
        }
        let pool = GreenPool::new(1);
        let log = Log::default();
        let (inner, note) = (pool.clone(), Note(log.clone()));
        let member = pool.spawn(move || {
            inner.spawn_n(move || {
                let _note = note;
                green::sleep(long());
            });
            unreachable!("the kill ends this wait");
        });
        green::sleep(millis(1));
        log.expect(&[]);
        assert!(member.kill_wait(long()));
        log.expect(&["ended"]);
        assert_eq!(pool.free(), 1);

        let (inner, note) = (pool.clone(), Note(log.clone()));
        let member = pool.spawn(move || {
            Timeout::new(millis(1)).run(|| {
                inner
                    .spawn(move || {
                        let _note = note;
                        green::sleep(long());
                    })
                    .join()
            })
        });
        assert!(member.join().unwrap().is_err());
        log.expect(&["ended", "ended"]);
    });
}

#[test]
fn a_spawn_while_unwinding_does_not_wait() {
    struct Spawner(GreenPool, Log);
    impl Drop for Spawner {
        fn drop(&mut self) {
            let log = self.1.clone();
            self.0.spawn_n(move || log.note("spawned while unwinding"));
            assert_eq!(self.0.free(), -1);
            self.0.waitall().unwrap();
        }
    }
    bounded(|| {
        let pool = GreenPool::new(1);
        let log = Log::default();
        pool.spawn_n(|| green::sleep(millis(1)));
        let spawner = Spawner(pool.clone(), log.clone());
        let caught = catch_unwind(AssertUnwindSafe(move || {
            let _spawner = spawner;
            panic!("on purpose");
        }));
        assert!(caught.is_err());
        pool.waitall().unwrap();
        log.expect(&["spawned while unwinding"]);
        assert_eq!(pool.free(), 1);
    });
}

#[test]
fn members_can_be_listed_and_killed() {
    bounded(|| {
        let pool = GreenPool::new(10);
        let log = Log::default();
        let members: Vec<_> = (0..5)
            .map(|n| {
                let log = log.clone();
                pool.spawn(move || {
                    if n == 4 {
                        unreachable!("killed before it starts");
                    }
                    struct Ended(Log, i32);
                    impl Drop for Ended {
                        fn drop(&mut self) {
                            self.0.note(self.1);
                        }
                    }
                    let _ended = Ended(log, n);
                    if n > 0 {
                        green::sleep(long());
                    }
                })
            })
            .take(4)
            .collect();
        settle();
        let unstarted = pool.spawn(|| unreachable!("killed before it starts"));
        let ids: Vec<_> = pool.members().iter().map(|member| member.id()).collect();
        let expected: Vec<_> = members[1..].iter().map(|gt| gt.id()).collect();
        assert_eq!(ids[..3], expected);
        assert_eq!(ids[3], unstarted.id());
        assert!(pool.kill_wait(long()));
        log.expect(&["0", "1", "2", "3"]);
        assert!(members.iter().all(|member| member.is_dead()));
        assert_eq!((pool.running(), pool.free()), (0, 10));
    });
}

#[test]
fn a_member_may_kill_its_pool() {
    bounded(|| {
        let pool = GreenPool::new(3);
        let other = pool.spawn(|| green::sleep(long()));
        let inner = pool.clone();
        let killer = pool.spawn(move || {
            inner.kill();
            unreachable!("it is a member itself");
        });
        assert!(matches!(killer.join(), Err(Exit::Killed(_))));
        assert!(other.is_dead());
        assert_eq!(pool.free(), 3);
    });
}

#[test]
fn wait_available_waits_for_a_place() {
    bounded(|| {
        let pool = GreenPool::new(1);
        assert!(pool.wait_available(None));
        let gate = pool.spawn(|| green::sleep(long()));
        assert!(!pool.wait_available(millis(1)));
        let onlooker = pool.clone();
        let waiting = green::spawn(move || onlooker.wait_available(None));
        settle();
        assert!(!waiting.is_dead());
        gate.kill();
        assert!(waiting.join().unwrap());
        assert_eq!(pool.apply(|| 3).unwrap(), 3);
    });
}

#[test]
fn five_hundred_jobs_with_delays_and_panics_keep_their_places_straight() {
    bounded(|| {
        let pool = GreenPool::new(7);
        let mut seed = 12345_u64;
        let mut random = move || {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1);
            seed >> 33
        };
        let jobs: Vec<_> = (0..500)
            .map(|n| {
                let (delay, fails) = (random() % 3, random() % 5 == 0);
                let job = pool.spawn(move || {
                    green::sleep(Duration::from_micros(delay * 100));
                    if fails {
                        std::panic::resume_unwind(Box::new(n));
                    }
                    n
                });
                (n, fails, job)
            })
            .collect();
        for (n, fails, job) in jobs {
            match job.join() {
                Ok(value) => assert!(value == n && !fails),
                Err(Exit::Panicked(panic)) => {
                    assert!(fails);
                    assert_eq!(*panic.take_payload().unwrap().downcast::<i32>().unwrap(), n);
                }
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!((pool.free(), pool.running()), (7, 0));
    });
}

#[test]
fn nothing_is_left_behind() {
    bounded(|| {
        let before = greenlet::stats().greenlets;
        let pool = GreenPool::new(3);
        let value = Rc::new(());
        for n in 0..30 {
            let value = Rc::clone(&value);
            let job = pool.spawn(move || {
                green::sleep(millis(n % 2));
                value
            });
            if n % 3 == 0 {
                job.kill();
            }
        }
        pool.waitall().unwrap();
        drop(pool);
        assert_eq!(greenlet::stats().greenlets, before);
        assert_eq!(Rc::strong_count(&value), 1);
    });
}

#[test]
fn a_deadlocked_pool_is_reported() {
    let pool = GreenPool::new(0);
    let stuck = catch_unwind(AssertUnwindSafe(|| pool.spawn(|| ())));
    let report = *stuck.unwrap_err().downcast::<String>().unwrap();
    assert!(report.contains("a place in the pool"), "{report}");
    assert_eq!(pool.waiting(), 0);
}
