//! GreenPile: results in the order of spawns, shared pools, readers elsewhere.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use crate::common::{bounded, settle};
use green::sim::run_in_order;
use green::{Exit, GreenPile, GreenPool, Timeout};

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn long() -> Duration {
    Duration::from_secs(3600)
}

#[test]
fn results_come_in_the_order_of_the_spawns() {
    bounded(|| {
        let pile = GreenPile::new(4);
        for n in [3, 0, 2, 1, 0] {
            pile.spawn(move || {
                green::sleep(millis(n));
                n
            });
        }
        assert_eq!(pile.len(), 5);
        let results: Vec<_> = (&pile).map(Result::unwrap).collect();
        assert_eq!(results, [3, 0, 2, 1, 0]);
        assert!(pile.is_empty());
        // And once more.
        pile.spawn(|| 7);
        assert_eq!(pile.map(Result::unwrap).collect::<Vec<_>>(), [7]);
    });
}

#[test]
fn a_pile_without_tasks_is_empty() {
    bounded(|| {
        assert!(GreenPile::<()>::new(1).next().is_none());
        assert!(GreenPile::<()>::new(0).next().is_none());
    });
}

#[test]
fn failures_stand_at_their_place() {
    bounded(|| {
        let pile = GreenPile::new(3);
        for n in 0..4 {
            pile.spawn(move || match n {
                1 => panic!("no {n}"),
                2 => {
                    green::current().kill();
                    unreachable!()
                }
                _ => n,
            });
        }
        let results: Vec<_> = pile.collect();
        assert!(matches!(results[0], Ok(0)));
        assert!(matches!(&results[1], Err(Exit::Panicked(panic)) if panic.message() == "no 1"));
        assert!(matches!(results[2], Err(Exit::Killed(None))));
        assert!(matches!(results[3], Ok(3)));
    });
}

#[test]
fn piles_may_share_a_pool() {
    bounded(|| {
        let pool = GreenPool::new(2);
        let piles = [GreenPile::with_pool(&pool), GreenPile::with_pool(&pool)];
        for n in 0..5 {
            for (side, pile) in piles.iter().enumerate() {
                pile.spawn(move || {
                    green::sleep(millis((n * 7 + side as u64) % 3));
                    (side, n)
                });
                assert!(pool.running() <= 2);
            }
        }
        for (side, pile) in piles.into_iter().enumerate() {
            let expected: Vec<_> = (0..5).map(|n| (side, n)).collect();
            assert_eq!(pile.map(Result::unwrap).collect::<Vec<_>>(), expected);
        }
    });
}

#[test]
fn a_result_that_was_waited_for_is_kept_through_a_timeout() {
    run_in_order(|| {
        let mut pile = GreenPile::new(4);
        for n in 0..3 {
            pile.spawn(move || {
                green::sleep(millis(6));
                n
            });
        }
        assert!(pile.next_timeout(millis(1)).is_err());
        assert!(Timeout::new(millis(1)).run(|| pile.next()).is_err());
        let mut reader = pile.clone();
        let killed = green::spawn(move || reader.next());
        settle();
        killed.kill();
        assert_eq!(pile.map(Result::unwrap).collect::<Vec<_>>(), [0, 1, 2]);
    });
}

#[test]
fn an_interrupted_spawn_leaves_the_pile_as_it_was() {
    run_in_order(|| {
        let pile = GreenPile::new(1);
        pile.spawn(|| {
            green::sleep(millis(5));
            0
        });
        assert!(Timeout::new(millis(1)).run(|| pile.spawn(|| 1)).is_err());
        assert_eq!(pile.len(), 1);
        let spawner = pile.clone();
        let killed = green::spawn(move || spawner.spawn(|| 2));
        settle();
        assert_eq!((pile.len(), pile.pool().waiting()), (2, 1));
        killed.kill();
        assert_eq!(pile.len(), 1);
        pile.spawn(|| 3);
        assert_eq!(pile.map(Result::unwrap).collect::<Vec<_>>(), [0, 3]);
    });
}

#[test]
fn a_reader_knows_of_spawns_that_wait() {
    bounded(|| {
        let pile = GreenPile::new(0);
        let spawner = pile.clone();
        let blocked = green::spawn(move || spawner.spawn(|| 1));
        settle();
        let mut reader = pile.clone();
        let read = green::spawn(move || reader.next().map(Result::unwrap));
        settle();
        assert!(!read.is_dead(), "something is to come");
        pile.pool().resize(1);
        assert_eq!(read.join().unwrap(), Some(1));
        blocked.join().unwrap();

        // And notices when it does not come.
        pile.pool().resize(0);
        let spawner = pile.clone();
        let blocked = green::spawn(move || spawner.spawn(|| 2));
        settle();
        let mut reader = pile.clone();
        let read = green::spawn(move || reader.next().is_none());
        settle();
        blocked.kill();
        assert!(read.join().unwrap());
    });
}

#[test]
fn a_reader_elsewhere_waits_until_the_pile_is_closed() {
    bounded(|| {
        let pile = GreenPile::new(2);
        let mut results = pile.results();
        let all = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&all);
        let reader = green::spawn(move || {
            for result in results.by_ref() {
                seen.borrow_mut().push(result.unwrap());
            }
            results.next().is_none()
        });
        for n in 0..4 {
            pile.spawn(move || n);
            green::sleep(millis(1));
        }
        assert_eq!(*all.borrow(), [0, 1, 2, 3]);
        assert!(!reader.is_dead());
        pile.close();
        assert!(reader.join().unwrap());

        let caught = catch_unwind(AssertUnwindSafe(|| pile.spawn(|| 5)));
        let message = *caught.unwrap_err().downcast::<&str>().unwrap();
        assert_eq!(message, "cannot spawn into a closed pile");
    });
}

#[test]
fn the_end_of_the_last_spawner_closes_the_pile() {
    bounded(|| {
        let pile = GreenPile::new(2);
        let results = pile.results();
        assert!(results.next_timeout(millis(1)).is_err());
        let spawner = green::spawn(move || {
            pile.spawn(|| 1);
            let copy = pile.clone();
            drop(pile);
            copy.spawn(|| 2);
            green::sleep(long());
        });
        settle();
        spawner.kill();
        assert_eq!(results.map(Result::unwrap).collect::<Vec<_>>(), [1, 2]);
    });
}

#[test]
fn two_readers_share_the_results() {
    bounded(|| {
        let pile = GreenPile::new(3);
        for n in 0..20 {
            pile.spawn(move || {
                green::sleep(Duration::from_micros(n % 3 * 300));
                n
            });
        }
        let all = Rc::new(RefCell::new(Vec::new()));
        let readers: Vec<_> = (0..3)
            .map(|_| {
                let (pile, all) = (pile.clone(), Rc::clone(&all));
                green::spawn(move || {
                    for result in pile {
                        all.borrow_mut().push(result.unwrap());
                        green::yield_now();
                    }
                })
            })
            .collect();
        for reader in readers {
            reader.join().unwrap();
        }
        assert_eq!(*all.borrow(), (0..20).collect::<Vec<_>>());
    });
}

#[test]
fn the_fastest_of_two_readers_takes_the_first() {
    bounded(|| {
        let mut pile = GreenPile::new(1);
        pile.spawn(|| green::sleep(millis(2)));
        let mut other = pile.clone();
        let other = green::spawn(move || other.next().is_none());
        let is_first = pile.next().is_some_and(|result| result.is_ok());
        assert_eq!(other.join().unwrap(), is_first, "one of them has it");
    });
}

#[test]
fn a_member_may_fill_a_pile_on_its_own_full_pool() {
    bounded(|| {
        let pool = GreenPool::new(1);
        let inner = pool.clone();
        let member = pool.spawn(move || {
            let pile = GreenPile::with_pool(&inner);
            for n in 0..3 {
                pile.spawn(move || n);
            }
            pile.map(Result::unwrap).sum::<i32>()
        });
        assert_eq!(member.join().unwrap(), 3);
    });
}

#[test]
fn nothing_is_left_behind() {
    bounded(|| {
        let before = greenlet::stats().greenlets;
        let value = Rc::new(Cell::new(0));
        let pile = GreenPile::new(2);
        for n in 0..6 {
            let value = Rc::clone(&value);
            pile.spawn(move || {
                green::sleep(millis(n % 2));
                value
            });
        }
        let mut results = pile.clone();
        assert!(results.next().is_some());
        pile.pool().waitall().unwrap();
        drop((pile, results));
        assert_eq!(greenlet::stats().greenlets, before);
        assert_eq!(Rc::strong_count(&value), 1);
    });
}
