//! Locks, conditions, barriers, wait groups: order, exclusion, timeouts, kills, misuse.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::common::primitive::{
    Log, MS, assert_idle, bounded, settle, spawn_settled, while_two_unwind, while_unwinding,
};
use green::lock::{Condition, Lock, Mutex, RLock, RwLock};
use green::{Barrier, Flag, Timeout, Unwinding, WaitGroup};

/// A greenthread that runs `f` on something shared, and goes as far as it gets.
fn with<S: 'static, R: 'static>(
    shared: &Rc<S>,
    f: impl FnOnce(&S) -> R + 'static,
) -> green::GreenThread<R> {
    let shared = Rc::clone(shared);
    spawn_settled(move || f(&shared))
}

#[test]
fn a_lock_is_handed_on_in_order() {
    bounded(|| {
        let (lock, log) = (Rc::new(Lock::new()), Log::new());
        assert!(lock.release().is_err());
        let held = lock.acquire();
        for i in 0..5 {
            let log = log.clone();
            drop(with(&lock, move |lock| {
                let _held = lock.acquire();
                log.add(i);
                green::yield_now();
            }));
        }
        settle();
        assert!(lock.is_locked() && lock.try_acquire().is_none());
        assert!(lock.acquire_timeout(MS).is_none());
        drop(held);
        // Handed on: the one that let it go does not get in between.
        assert!(lock.try_acquire().is_none());
        settle();
        assert_eq!((log.take(), lock.is_locked()), ((0..5).collect(), false));
        lock.acquire().forget();
        assert!(lock.release().is_ok() && lock.release().is_err());
    });
}

#[test]
fn an_rlock_is_reentrant_for_its_greenthread_only() {
    bounded(|| {
        let lock = Rc::new(RLock::new());
        assert!(lock.release().is_err() && !lock.is_locked());
        let outer = lock.acquire();
        let inner = lock.try_acquire().unwrap();
        lock.acquire_timeout(Duration::ZERO).unwrap().forget();
        assert!(lock.is_owned());
        let other = with(&lock, |lock| {
            assert!(lock.is_locked() && !lock.is_owned());
            assert!(lock.release().is_err());
            assert!(lock.try_acquire().is_none());
            assert!(lock.acquire_timeout(Duration::ZERO).is_none());
            lock.acquire().is_held()
        });
        // Long enough that the timeout of zero is seen to have passed: a few yields need not poll.
        green::sleep(MS);
        drop(inner);
        assert!(lock.release().is_ok());
        settle();
        assert!(!other.is_dead());
        drop(outer);
        assert!(other.join().unwrap());
        assert!(!lock.is_locked());
    });
}

#[test]
fn an_rlock_passes_over_the_killed() {
    bounded(|| {
        let (lock, log) = (Rc::new(RLock::new()), Log::new());
        let held = lock.acquire();
        let waiters: Vec<_> = (0..3)
            .map(|i| {
                let log = log.clone();
                with(&lock, move |lock| {
                    let _held = lock.acquire();
                    log.add((i, lock.is_owned()));
                })
            })
            .collect();
        settle();
        waiters[0].kill();
        drop(held);
        waiters[1].kill(); // with the lock in hand
        settle();
        assert_eq!((log.take(), lock.is_locked()), (vec![(2, true)], false));
    });
}

#[test]
fn a_mutex_keeps_others_out_over_waits() {
    bounded(|| {
        let mutex = Rc::new(Mutex::new(0));
        let held = mutex.lock().unwrap();
        let workers: Vec<_> = (0..10)
            .map(|_| {
                with(&mutex, |mutex| {
                    let mut value = mutex.lock().unwrap();
                    let seen = *value;
                    green::sleep(MS / 10);
                    *value = seen + 1;
                })
            })
            .collect();
        settle();
        assert!(mutex.is_locked() && mutex.try_lock().is_none());
        assert!(mutex.lock_timeout(Duration::ZERO).is_none());
        assert!(
            Timeout::new(Duration::ZERO)
                .run(|| mutex.lock().is_ok())
                .is_err()
        );
        assert!(format!("{mutex:?}").contains("locked"));
        drop(held);
        workers
            .into_iter()
            .for_each(|worker| worker.join().unwrap());
        assert_eq!(*mutex.lock().unwrap(), 10);
        assert!(format!("{mutex:?}").contains("10"));
        let mutex = Rc::into_inner(mutex).unwrap();
        assert_eq!(mutex.into_inner(), 10);
    });
}

#[test]
fn a_mutex_is_not_poisoned_by_a_kill_or_a_panic() {
    bounded(|| {
        let mutex = Rc::new(Mutex::new(0));
        let killed = with(&mutex, |mutex| {
            *mutex.lock().unwrap() += 1;
            let _guard = mutex.lock().unwrap();
            green::sleep(Duration::from_secs(60));
        });
        let waiter = with(&mutex, |mutex| *mutex.lock().unwrap());
        settle();
        killed.kill();
        assert_eq!(waiter.join().unwrap(), 1);
        let panicked = with(&mutex, |mutex| {
            let _guard = mutex.lock().unwrap();
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        assert_eq!(*mutex.try_lock().unwrap(), 1);
    });
}

#[test]
fn readers_share_and_writers_do_not() {
    bounded(|| {
        let lock = Rc::new(RwLock::new(0));
        let (one, two) = (lock.read().unwrap(), lock.try_read().unwrap());
        assert_eq!(*one + *two, 0);
        assert!(lock.try_write().is_none() && lock.write_timeout(MS).is_none());
        drop((one, two));
        let mut writer = lock.write().unwrap();
        *writer = 1;
        assert!(
            lock.try_read().is_none()
                && lock.try_write().is_none()
                && lock.read_timeout(MS).is_none()
        );
        assert!(format!("{lock:?}").contains("locked"));
        drop(writer);
        assert_eq!(*lock.read().unwrap(), 1);
        *lock.try_write().unwrap() = 2;
        let mut lock = Rc::into_inner(lock).unwrap();
        *lock.get_mut() += 1;
        assert_eq!(lock.into_inner(), 3);
    });
}

/// Readers and writers by letter, each of which notes its turn and keeps it until the flag is set.
fn queue_up(
    lock: &Rc<RwLock<()>>,
    log: &Log<char>,
    who: &str,
) -> (Vec<green::GreenThread<()>>, Rc<Flag>) {
    let go_on = Rc::new(Flag::new());
    let turns = who
        .chars()
        .map(|name| {
            let (log, go_on) = (log.clone(), Rc::clone(&go_on));
            with(lock, move |lock| {
                let read = name.is_lowercase().then(|| lock.read().unwrap());
                let write = name.is_uppercase().then(|| lock.write().unwrap());
                log.add(name);
                go_on.wait();
                drop((read, write));
            })
        })
        .collect();
    (turns, go_on)
}

#[test]
fn readers_and_writers_go_in_the_order_in_which_they_came() {
    bounded(|| {
        let (lock, log) = (Rc::new(RwLock::new(())), Log::new());
        let (turns, go_on) = queue_up(&lock, &log, "abCdeFG");
        assert_eq!(log.take(), ['a', 'b']);
        assert!(
            lock.try_read().is_none(),
            "a reader overtakes a waiting writer"
        );
        go_on.set();
        turns.into_iter().for_each(|turn| turn.join().unwrap());
        assert_eq!(log.take(), ['C', 'd', 'e', 'F', 'G']);
    });
}

#[test]
fn a_writer_that_gives_up_is_no_longer_in_the_way() {
    bounded(|| {
        let (lock, log) = (Rc::new(RwLock::new(())), Log::new());
        let reader = lock.read().unwrap();
        let writer = with(&lock, |lock| lock.write_timeout(100 * MS).is_some());
        settle();
        let (_, first) = queue_up(&lock, &log, "a");
        let mut turns = log.take();
        assert!(turns.is_empty() || writer.is_dead());
        assert!(!writer.join().unwrap());
        settle();
        turns.extend(log.take());
        assert_eq!(turns, ['a']);
        // And one that is killed.
        let writer = with(&lock, |lock| drop(lock.write()));
        settle();
        let (_, second) = queue_up(&lock, &log, "b");
        assert!(log.take().is_empty());
        writer.kill();
        settle();
        assert_eq!(log.take(), ['b']);
        first.set();
        second.set();
        settle();
        drop(reader);
        assert!(lock.try_write().is_some());
    });
}

#[test]
fn a_turn_given_to_the_killed_goes_on() {
    bounded(|| {
        let (lock, log) = (Rc::new(RwLock::new(())), Log::new());
        let held = lock.write().unwrap();
        let (turns, go_on) = queue_up(&lock, &log, "ABc");
        go_on.set();
        drop(held);
        turns[0].kill();
        turns[1].kill();
        settle();
        assert_eq!(log.take(), ['c']);
        turns.into_iter().for_each(|turn| drop(turn.join()));
        assert!(lock.try_write().is_some());
    });
}

#[test]
fn a_condition_wakes_in_order_and_locks_again() {
    bounded(|| {
        let (shared, log) = (Rc::new((Mutex::new(0), Condition::new())), Log::new());
        let waiters: Vec<_> = (0..4)
            .map(|i| {
                let log = log.clone();
                with(&shared, move |(value, changed)| {
                    let guard = changed.wait(value.lock().unwrap()).unwrap();
                    log.add((i, *guard));
                })
            })
            .collect();
        settle();
        let guard = shared.0.try_lock().unwrap();
        shared.1.notify_one();
        settle();
        assert_eq!(log.take(), [], "it has not locked again");
        drop(guard);
        settle();
        assert_eq!(log.take(), [(0, 0)]);
        *shared.0.lock().unwrap() = 1;
        shared.1.notify_one();
        settle();
        assert_eq!(log.take(), [(1, 1)]);
        shared.1.notify_all();
        settle();
        // Which of them is the first to have the lock again is not said.
        assert_eq!(log.take().len(), 2);
        shared.1.notify_one(); // nobody waits: it is not kept
        let (guard, notified) = shared.1.wait_timeout(shared.0.lock().unwrap(), MS).unwrap();
        assert!(!notified);
        drop(guard);
        waiters
            .into_iter()
            .for_each(|waiter| waiter.join().unwrap());
    });
}

#[test]
fn a_condition_is_waited_for_until_it_holds() {
    bounded(|| {
        let shared = Rc::new((Mutex::new(3), Condition::new()));
        let counts = Rc::clone(&shared);
        let counter = green::spawn(move || {
            let (value, changed) = &*counts;
            for _ in 0..3 {
                green::yield_now();
                *value.lock().unwrap() -= 1;
                changed.notify_all();
            }
        });
        let (value, changed) = &*shared;
        let guard = changed
            .wait_while(value.lock().unwrap(), |value| *value > 0)
            .unwrap();
        assert_eq!(*guard, 0);
        let start = Instant::now();
        let (guard, holds) = changed
            .wait_timeout_while(guard, 5 * MS, |value| *value == 0)
            .unwrap();
        assert!(!holds && start.elapsed() >= 5 * MS);
        let (_guard, holds) = changed
            .wait_timeout_while(guard, MS, |value| *value == 1)
            .unwrap();
        assert!(holds);
        counter.join().unwrap();
    });
}

#[test]
fn a_notification_is_not_lost_with_the_killed() {
    bounded(|| {
        let (shared, log) = (Rc::new((Mutex::new(()), Condition::new())), Log::new());
        let waiters: Vec<_> = (0..3)
            .map(|i| {
                let log = log.clone();
                with(&shared, move |(value, changed)| {
                    let _guard = changed.wait(value.lock().unwrap()).unwrap();
                    log.add(i);
                })
            })
            .collect();
        settle();
        shared.1.notify_one();
        waiters[0].kill(); // notified, and has not run
        let guard = shared.0.try_lock().unwrap();
        settle();
        waiters[1].kill(); // notified, and waits for the lock
        drop(guard);
        settle();
        assert_eq!(log.take(), [2]);
        assert!(!shared.0.is_locked());
    });
}

#[test]
fn a_barrier_lets_all_go_at_once_and_again() {
    bounded(|| {
        let (barrier, log) = (Rc::new(Barrier::new(4)), Log::new());
        for round in 0..3 {
            let others: Vec<_> = (0..3)
                .map(|i| {
                    let log = log.clone();
                    with(&barrier, move |barrier| {
                        let leader = barrier.wait().unwrap().is_leader();
                        log.add((round, i));
                        leader
                    })
                })
                .collect();
            settle();
            assert_eq!((barrier.waiting(), log.take()), (3, vec![]));
            assert!(barrier.wait().unwrap().is_leader());
            assert!(others.into_iter().all(|other| !other.join().unwrap()));
            assert_eq!(log.take(), (0..3).map(|i| (round, i)).collect::<Vec<_>>());
        }
        assert!(Barrier::new(0).wait().unwrap().is_leader());
        assert!(Barrier::new(1).wait().unwrap().is_leader());
    });
}

#[test]
fn one_that_gives_up_at_a_barrier_does_not_count() {
    bounded(|| {
        let barrier = Rc::new(Barrier::new(2));
        assert!(barrier.wait_timeout(MS).is_none());
        let killed = with(&barrier, |barrier| {
            let _ = barrier.wait();
        });
        settle();
        killed.kill();
        assert_eq!(barrier.waiting(), 0);
        let other = with(&barrier, |barrier| barrier.wait().is_ok());
        settle();
        assert!(
            barrier
                .wait_timeout(Duration::from_secs(60))
                .unwrap()
                .is_leader()
        );
        assert!(other.join().unwrap());
    });
}

#[test]
fn a_wait_group_is_waited_for_until_it_is_at_zero() {
    bounded(|| {
        let (group, log) = (Rc::new(WaitGroup::new()), Log::new());
        assert!(group.wait());
        group.dec();
        assert_eq!(group.count(), 0, "below zero");
        group.inc();
        group.add(2);
        let waiters: Vec<_> = (0..3)
            .map(|i| {
                let log = log.clone();
                with(&group, move |group| log.add((i, group.wait())))
            })
            .collect();
        settle();
        assert!(!group.wait_timeout(MS));
        group.dec();
        settle();
        assert_eq!((group.count(), log.take()), (2, vec![]));
        group.sub(5);
        group.inc(); // who was woken goes on all the same
        settle();
        assert_eq!(log.take(), [(0, true), (1, true), (2, true)]);
        group.dec();
        waiters
            .into_iter()
            .for_each(|waiter| waiter.join().unwrap());
    });
}

#[test]
fn a_member_that_is_killed_leaves_its_group() {
    bounded(|| {
        let group = Rc::new(WaitGroup::new());
        let members: Vec<_> = (0..3)
            .map(|i| {
                let member = group.enter();
                green::spawn(move || {
                    let _member = member;
                    match i {
                        0 => green::sleep(Duration::from_secs(60)),
                        1 => panic!("on purpose"),
                        _ => {}
                    }
                })
            })
            .collect();
        settle();
        assert_eq!(group.count(), 1);
        let waiter = with(&group, |group| group.wait());
        settle();
        members[0].kill();
        assert!(waiter.join().unwrap());
    });
}

#[test]
fn while_unwinding_nothing_waits() {
    bounded(|| {
        let mutex = Rc::new(Mutex::new(1));
        let rwlock = Rc::new(RwLock::new(1));
        let (held, read) = (mutex.lock().unwrap(), rwlock.read().unwrap());
        let (inner, inner_rw) = (Rc::clone(&mutex), Rc::clone(&rwlock));
        while_unwinding(move || {
            assert_eq!(inner.lock().err(), Some(Unwinding));
            assert!(inner.lock_timeout(60_000 * MS).is_none());
            assert_eq!(inner_rw.write().err(), Some(Unwinding));
            assert_eq!(*inner_rw.read().unwrap(), 1);
            assert!(inner_rw.write_timeout(60_000 * MS).is_none());
            let own = Mutex::new(2);
            assert_eq!(*own.lock().unwrap(), 2);
            let condition = Condition::new();
            assert_eq!(condition.wait(own.lock().unwrap()).err(), Some(Unwinding));
            assert!(!own.is_locked());
            let barrier = Barrier::new(2);
            assert_eq!((barrier.wait(), barrier.waiting()), (Err(Unwinding), 0));
            let group = WaitGroup::new();
            group.inc();
            assert!(!group.wait());
        });
        drop((held, read));
        assert!(!mutex.is_locked() && rwlock.try_write().is_some());
        let lock = Rc::new(Lock::new());
        let rlock = Rc::new(RLock::new());
        let owner = with(&rlock, |rlock| {
            rlock.acquire().forget();
            green::sleep(Duration::from_secs(60));
        });
        settle();
        let (inner, inner_r) = (Rc::clone(&lock), Rc::clone(&rlock));
        while_unwinding(move || {
            let (first, second) = (inner.acquire(), inner.acquire());
            assert!(first.is_held() && !second.is_held());
            assert!(!inner_r.acquire().is_held());
        });
        assert!(!lock.is_locked());
        owner.kill();
    });
}

#[test]
fn two_that_unwind_at_once_never_switch() {
    bounded(|| {
        let (mutex, rlock, condition) = (Mutex::new(()), RLock::new(), Condition::new());
        let (held, barrier) = (Rc::new(Lock::new()), Barrier::new(2));
        held.acquire().forget();
        while_two_unwind(move || {
            let guard = mutex.lock().unwrap();
            assert!(mutex.lock().is_err());
            assert!(condition.wait(guard).is_err());
            let (_outer, _inner) = (rlock.acquire(), rlock.acquire());
            assert!(!held.acquire().is_held());
            assert!(barrier.wait().is_err());
        });
    });
}

#[test]
fn nobody_runs_while_all_wait() {
    bounded(|| {
        let shared = Rc::new((
            Mutex::new(0),
            Condition::new(),
            RwLock::new(0),
            Barrier::new(9),
            Lock::new(),
        ));
        let guards = (shared.2.write().unwrap(), shared.4.acquire());
        let group = Rc::new(WaitGroup::new());
        group.inc();
        let all = [
            with(&shared, |shared| {
                drop(shared.1.wait(shared.0.lock().unwrap()))
            }),
            with(&shared, |shared| drop(shared.2.read())),
            with(&shared, |shared| drop(shared.2.write())),
            with(&shared, |shared| {
                let _ = shared.3.wait();
            }),
            with(&shared, |shared| drop(shared.4.acquire())),
            with(&group, |group| {
                group.wait();
            }),
        ];
        assert_idle();
        all.iter().for_each(|one| one.kill());
        drop(guards);
    });
}

#[test]
fn a_lock_held_by_the_root_is_waited_for_under_a_timeout() {
    bounded(|| {
        let (lock, tries) = (Rc::new(Lock::new()), Rc::new(Cell::new(0)));
        let _held = lock.acquire();
        let count = Rc::clone(&tries);
        let waiter = with(&lock, move |lock| {
            while lock.acquire_timeout(MS).is_none() {
                count.set(count.get() + 1);
                if count.get() == 3 {
                    return;
                }
            }
        });
        waiter.join().unwrap();
        assert_eq!(tries.get(), 3);
    });
}
