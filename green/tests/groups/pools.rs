//! Pools of resources: how many, in which order, and nobody forgotten.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use crate::common::{bounded, settle, spawn_settled};
use green::pools::{Pool, TokenPool};
use green::{Exit, Flag, Timeout};

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A pool of numbered resources, and how many were made.
fn numbers(max: usize) -> (Pool<u32>, Rc<Cell<u32>>) {
    let made = Rc::new(Cell::new(0));
    let counter = Rc::clone(&made);
    let pool = Pool::builder().max(max).create(move || {
        counter.set(counter.get() + 1);
        counter.get() - 1
    });
    (pool, made)
}

#[test]
fn resources_are_made_when_needed_and_used_again() {
    bounded(|| {
        let (pool, made) = numbers(3);
        assert_eq!((made.get(), pool.free()), (0, 3));
        for _ in 0..5 {
            assert_eq!(*pool.item(), 0);
        }
        assert_eq!((made.get(), pool.free()), (1, 3));
        let both = (pool.item(), pool.item());
        assert_eq!((*both.0, *both.1, pool.free()), (0, 1, 1));
        drop(both);
        assert_eq!((made.get(), pool.free()), (2, 3));
    });
}

#[test]
fn some_can_be_made_in_advance() {
    bounded(|| {
        let made = Rc::new(Cell::new(0));
        let counter = Rc::clone(&made);
        let create = move || counter.set(counter.get() + 1);
        let pool = Pool::builder().min(2).max(3).create(create.clone());
        assert_eq!((made.get(), pool.free()), (2, 3));
        let pool = Pool::builder().min(9).max(3).create(create);
        assert_eq!((made.get(), pool.free()), (5, 3));
        assert!(
            Pool::builder()
                .min(1)
                .try_create(|| Err::<(), _>("no"))
                .is_err()
        );
    });
}

#[test]
fn all_are_used_alike_or_the_last_one_first() {
    bounded(|| {
        let create = || {
            let next = Cell::new(0);
            move || next.replace(next.get() + 1)
        };
        let queue = Pool::builder().min(3).max(3).create(create());
        let used: Vec<_> = (0..6).map(|_| *queue.item()).collect();
        assert_eq!(used, [0, 1, 2, 0, 1, 2]);
        let stack = Pool::builder().min(3).max(3).stack_order().create(create());
        let first = *stack.item();
        let used: Vec<_> = (0..6).map(|_| *stack.item()).collect();
        assert_eq!(used, [first; 6]);
    });
}

#[test]
fn who_asks_for_too_many_waits_in_line() {
    bounded(|| {
        let (pool, made) = numbers(2);
        let order = Rc::new(RefCell::new(Vec::new()));
        let all_are_here = Rc::new(Flag::new());
        let users: Vec<_> = (0..6)
            .map(|n| {
                let (pool, order) = (pool.clone(), Rc::clone(&order));
                let all_are_here = Rc::clone(&all_are_here);
                spawn_settled(move || {
                    let _item = pool.item();
                    order.borrow_mut().push(n);
                    all_are_here.wait();
                    green::sleep(millis(1));
                })
            })
            .collect();
        assert_eq!((pool.waiting(), pool.free()), (4, 0));
        all_are_here.set();
        for user in users {
            user.join().unwrap();
        }
        assert_eq!(*order.borrow(), [0, 1, 2, 3, 4, 5]);
        assert_eq!((made.get(), pool.free(), pool.waiting()), (2, 2, 0));
    });
}

#[test]
fn a_function_that_waits_makes_no_more_than_there_may_be() {
    bounded(|| {
        let made = Rc::new(Cell::new(0));
        let counter = Rc::clone(&made);
        let pool = Pool::builder().max(4).create(move || {
            green::sleep(millis(1));
            counter.set(counter.get() + 1);
        });
        let users: Vec<_> = (0..20)
            .map(|_| {
                let pool = pool.clone();
                green::spawn(move || {
                    let _item = pool.item();
                    green::sleep(millis(1));
                })
            })
            .collect();
        for user in users {
            user.join().unwrap();
        }
        assert_eq!((made.get(), pool.free()), (4, 4));
    });
}

#[test]
fn a_resource_comes_back_however_its_user_ends() {
    bounded(|| {
        let (pool, _) = numbers(1);
        let user = pool.clone();
        let panicked = green::spawn(move || {
            let _item = user.item();
            panic!("on purpose");
        });
        assert!(matches!(panicked.join(), Err(Exit::Panicked(_))));
        assert_eq!(pool.free(), 1);
        let user = pool.clone();
        let killed = green::spawn(move || {
            let _item = user.item();
            green::sleep(Duration::from_secs(3600));
        });
        settle();
        assert_eq!(pool.free(), 0);
        killed.kill();
        assert_eq!(pool.free(), 1);
        let late = Timeout::new(millis(1)).run(|| {
            let _item = pool.item();
            green::sleep(Duration::from_secs(3600));
        });
        assert!(late.is_err());
        assert_eq!(pool.free(), 1);
    });
}

#[test]
fn when_one_cannot_be_made_the_next_tries_again() {
    bounded(|| {
        let attempts = Rc::new(Cell::new(0));
        let counter = Rc::clone(&attempts);
        let pool = Pool::builder()
            .max(1)
            .try_create(move || {
                counter.set(counter.get() + 1);
                green::sleep(millis(1));
                match counter.get() {
                    1 => Err("refused"),
                    2 => panic!("on purpose"),
                    3 => {
                        green::current().kill();
                        unreachable!()
                    }
                    _ => Ok(()),
                }
            })
            .unwrap();
        let users: Vec<_> = (0..5)
            .map(|_| {
                let pool = pool.clone();
                spawn_settled(move || pool.item().map(drop))
            })
            .collect();
        let ends: Vec<_> = users.into_iter().map(|user| user.join()).collect();
        assert!(matches!(ends[0], Ok(Err("refused"))));
        assert!(matches!(ends[1], Err(Exit::Panicked(_))));
        assert!(matches!(ends[2], Err(Exit::Killed(_))));
        assert!(matches!(ends[3..], [Ok(Ok(())), Ok(Ok(()))]));
        assert_eq!((attempts.get(), pool.free(), pool.waiting()), (4, 1, 0));
    });
}

#[test]
fn who_has_given_up_is_given_nothing() {
    bounded(|| {
        let (pool, made) = numbers(1);
        let item = pool.get();
        assert!(pool.get_timeout(millis(1)).is_none());
        assert!(Timeout::new(millis(1)).run(|| pool.get()).is_err());
        pool.put(item);
        // Again if the machine is so slow that a time is over before both wait.
        for _ in 0..100 {
            let item = pool.get();
            let late = pool.clone();
            let putter = green::spawn({
                let pool = pool.clone();
                move || {
                    green::sleep(millis(10));
                    pool.put(item);
                }
            });
            let late = green::spawn(move || late.item_timeout(millis(11)).is_none());
            settle();
            let both_wait = !putter.is_dead() && !late.is_dead();
            // Out of time, but it has not run since.
            std::thread::sleep(millis(15));
            let has_given_up = late.join().unwrap();
            putter.join().unwrap();
            assert_eq!((pool.free(), made.get()), (1, 1));
            if both_wait {
                return assert!(has_given_up);
            }
        }
        panic!("never in time");
    });
}

#[test]
fn what_is_given_to_one_who_is_killed_goes_to_the_next() {
    bounded(|| {
        let (pool, made) = numbers(1);
        let item = pool.get();
        let user = || {
            let pool = pool.clone();
            green::spawn(move || pool.get())
        };
        let (first, second) = (user(), user());
        settle();
        pool.put(item);
        first.kill();
        assert!(first.join().is_err());
        assert_eq!(second.join().unwrap(), 0);
        assert_eq!((pool.free(), made.get()), (0, 1));

        // The right to make one as well.
        let (third, fourth) = (user(), user());
        settle();
        pool.resize(2);
        third.kill();
        assert!(third.join().is_err());
        assert_eq!(fourth.join().unwrap(), 1);
        assert_eq!((pool.free(), made.get()), (0, 2));
    });
}

#[test]
fn a_pool_grows_and_shrinks() {
    bounded(|| {
        let (pool, made) = numbers(1);
        let first = pool.item();
        let user = pool.clone();
        let waiting = green::spawn(move || user.get());
        settle();
        assert_eq!(pool.waiting(), 1);
        pool.resize(3);
        assert_eq!(pool.waiting(), 0);
        assert_eq!(waiting.join().unwrap(), 1);
        let third = pool.item();
        assert_eq!((made.get(), pool.free()), (3, 0));

        pool.resize(1);
        assert_eq!(pool.free(), -2);
        pool.put(1);
        drop(third);
        assert_eq!(pool.free(), 0);
        drop(first);
        assert_eq!((pool.free(), *pool.item()), (1, 0));

        let (pool, _) = numbers(3);
        drop((pool.item(), pool.item(), pool.item()));
        pool.resize(1);
        assert_eq!(pool.free(), 1);
        pool.resize(0);
        assert_eq!(pool.free(), 0);
        assert!(pool.get_timeout(millis(1)).is_none());
    });
}

#[test]
fn a_broken_resource_is_replaced() {
    bounded(|| {
        let (pool, made) = numbers(1);
        let item = pool.item();
        let user = pool.clone();
        let waiting = green::spawn(move || *user.item());
        settle();
        assert_eq!(item.discard(), 0);
        assert_eq!(waiting.join().unwrap(), 1);
        assert_eq!((made.get(), pool.free()), (2, 1));
    });
}

#[test]
fn who_unwinds_does_not_wait() {
    struct User(Pool<u32>);
    impl Drop for User {
        fn drop(&mut self) {
            assert_eq!(*self.0.item(), 1, "one too many");
        }
    }
    bounded(|| {
        let (pool, made) = numbers(1);
        let first = pool.item();
        let user = User(pool.clone());
        let caught = catch_unwind(AssertUnwindSafe(move || {
            let _user = user;
            panic!("on purpose");
        }));
        assert!(caught.is_err());
        assert_eq!((made.get(), pool.free()), (2, 0));
        drop(first);
        assert_eq!((pool.free(), *pool.item()), (1, 0));
    });
}

#[test]
fn permits_are_counted() {
    bounded(|| {
        let pool = TokenPool::new(2);
        let most = Rc::new(Cell::new((0, 0)));
        let users: Vec<_> = (0..10)
            .map(|_| {
                let (pool, most) = (pool.clone(), Rc::clone(&most));
                green::spawn(move || {
                    let _permit = pool.item();
                    let (now, max) = most.get();
                    most.set((now + 1, max.max(now + 1)));
                    green::yield_now();
                    let (now, max) = most.get();
                    most.set((now - 1, max));
                })
            })
            .collect();
        for user in users {
            user.join().unwrap();
        }
        assert_eq!((most.get(), pool.free()), ((0, 2), 2));
    });
}

#[test]
fn nothing_is_left_behind() {
    bounded(|| {
        let before = greenlet::stats().greenlets;
        let value = Rc::new(());
        let copy = Rc::clone(&value);
        let pool = Pool::builder().max(2).create(move || Rc::clone(&copy));
        let users: Vec<_> = (0..6)
            .map(|n| {
                let pool = pool.clone();
                green::spawn(move || {
                    let _item = pool.item();
                    green::sleep(millis(n));
                })
            })
            .collect();
        settle();
        for user in users {
            user.kill();
        }
        assert_eq!((pool.free(), pool.waiting()), (2, 0));
        drop(pool);
        assert_eq!(Rc::strong_count(&value), 1);
        assert_eq!(greenlet::stats().greenlets, before);
    });
}
