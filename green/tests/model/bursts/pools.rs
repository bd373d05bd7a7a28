//! Pools, piles, graphs, timeouts, locals: what makes greenthreads, or keeps something for each.

use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::time::Duration;

use green::dagpool::DagPool;
use green::pools::{Pool, Token, TokenPool};
use green::{GreenPile, GreenPool, LocalKey, Timeout};

use super::burst::{Burst, ignore};

const MS: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(600);

fn bursts<S: Debug + 'static>(subject: S, wait: fn(&S), serve: fn(&S), clear: fn(&S)) {
    Burst {
        waiters: 40,
        hold: |_| (),
        wait,
        serve,
        clear,
    }
    .leaves_nothing(|| subject);
}

fn nothing<S>(_: &S) {}

#[test]
fn spawners_of_a_pool() {
    bursts(
        GreenPool::new(3),
        |pool| pool.spawn_n(|| green::sleep(MS)),
        nothing,
        |pool| ignore(pool.waitall()),
    );
    bursts(
        GreenPool::new(0),
        |pool| pool.spawn_n(|| ()),
        |pool| {
            pool.resize(4);
            green::yield_now();
            pool.resize(0);
        },
        nothing,
    );
}

#[test]
fn those_who_wait_for_a_pool() {
    bursts(
        GreenPool::new(50),
        |pool| {
            if pool.running() < 2 {
                pool.spawn_n(|| green::sleep(LONG));
            }
            ignore(pool.waitall());
        },
        GreenPool::kill,
        GreenPool::kill,
    );
    bursts(
        GreenPool::new(0),
        |pool| ignore(pool.wait_available(None)),
        |pool| {
            pool.resize(1);
            pool.resize(0);
        },
        |pool| {
            pool.resize(1);
            green::yield_now();
            pool.resize(0);
        },
    );
}

#[test]
fn maps_over_a_pool() {
    bursts(
        GreenPool::new(2),
        |pool| {
            let squares = pool.imap(
                |n: u64| {
                    green::sleep(MS);
                    n * n
                },
                0..4,
            );
            ignore(squares.take(3).collect::<Vec<_>>());
            let squares = pool.imap_unordered(|n: u64| n * n, 0..4);
            ignore(squares.collect::<Vec<_>>());
        },
        nothing,
        |pool| ignore(pool.waitall()),
    );
}

#[test]
fn spawners_and_readers_of_piles() {
    bursts(
        GreenPool::new(3),
        |pool| {
            let pile = GreenPile::with_pool(pool);
            for n in 0..3 {
                pile.spawn(move || {
                    green::sleep(MS);
                    n
                });
            }
            let _first = pile.next_timeout(MS);
            ignore(pile.results().collect::<Vec<_>>());
        },
        nothing,
        |pool| ignore(pool.waitall()),
    );
}

#[test]
fn users_of_a_pool_of_resources() {
    let made = Cell::new(0);
    bursts(
        Pool::builder().max(2).create(move || {
            green::yield_now();
            made.set(made.get() + 1);
            made.get()
        }),
        |pool| {
            let _item = pool.item();
            green::yield_now();
        },
        nothing,
        |pool| {
            assert_eq!(pool.free(), 2, "some are lost");
            pool.resize(0);
            assert_eq!(pool.free(), 0, "some are there still");
            pool.resize(2);
        },
    );
    let tries = Cell::new(0);
    bursts(
        Pool::builder()
            .max(2)
            .try_create(move || {
                green::yield_now();
                tries.set(tries.get() + 1);
                if tries.get() % 3 == 0 {
                    Err("no")
                } else {
                    Ok(())
                }
            })
            .unwrap(),
        |pool| {
            let _item = pool.item();
            green::yield_now();
        },
        nothing,
        |pool| {
            assert_eq!(pool.free(), 2, "some are lost");
            pool.resize(0);
            assert_eq!(pool.free(), 0, "some are there still");
            pool.resize(2);
        },
    );
}

/// One of those who get one is killed before it runs.
#[test]
fn those_who_are_given_a_resource_and_killed() {
    Burst {
        waiters: 40,
        hold: |(pool, held): &(TokenPool, RefCell<Vec<Token>>)| {
            held.borrow_mut().extend([pool.get(), pool.get()]);
        },
        wait: |(pool, _)| {
            let _token = pool.item();
            green::yield_now();
        },
        serve: |(pool, held)| held.take().into_iter().for_each(|token| pool.put(token)),
        clear: |(pool, _)| assert_eq!(pool.free(), 2, "some are lost"),
    }
    .leaves_nothing(|| (TokenPool::new(2), RefCell::default()));
}

#[test]
fn those_who_wait_for_the_nodes_of_a_graph() {
    bursts(
        RefCell::new(()),
        |_| {
            let graph = DagPool::<u32, u32>::new();
            graph
                .spawn(1, [0], |_, inputs| Ok(inputs.count() as u32))
                .unwrap();
            graph
                .spawn(2, [1], |_, inputs| Ok(inputs.count() as u32))
                .unwrap();
            green::spawn_after(2 * MS, {
                let graph = graph.clone();
                move || ignore(graph.post(0, 1))
            });
            ignore(graph.wait_for(&2));
            ignore(graph.wait_each([0, 1, 2]).count());
        },
        nothing,
        nothing,
    );
}

#[test]
fn timeouts_around_everything() {
    bursts(
        RefCell::new(()),
        |_| {
            for _ in 0..3 {
                let _inner_first =
                    Timeout::silent(LONG, || Timeout::silent(MS, || green::sleep(LONG)));
                let _outer_first =
                    Timeout::silent(MS, || Timeout::silent(LONG, || green::sleep(LONG)));
                let _in_time = Timeout::silent(LONG, green::yield_now);
                let _moved = Timeout::new(LONG).run_with(|deadline| {
                    deadline.restart(MS);
                    deadline.cancel();
                    green::yield_now();
                });
            }
        },
        nothing,
        nothing,
    );
}

#[test]
fn delayed_spawns_and_links() {
    bursts(
        RefCell::new(Vec::new()),
        |all| {
            let never = green::spawn_after(LONG, || ());
            all.borrow_mut().push(never.as_any().clone());
            ignore(green::spawn_after_local(MS, || ()));
            let soon = green::spawn_after(MS, || ());
            ignore(soon.link(|_| ()));
            ignore(soon.join());
            ignore(never.wait_timeout(MS));
            assert!(never.cancel());
        },
        nothing,
        |all| green::killall(all.take()),
    );
}

thread_local! {
    static ALIVE: Cell<usize> = const { Cell::new(0) };
}

#[derive(Debug)]
struct Counted;

impl Counted {
    fn new() -> Counted {
        ALIVE.set(ALIVE.get() + 1);
        Counted
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        ALIVE.set(ALIVE.get() - 1);
    }
}

#[test]
fn values_of_greenthreads() {
    static VALUE: LocalKey<Counted> = LocalKey::new("VALUE", Counted::new);
    bursts(
        RefCell::new(()),
        |_| {
            VALUE.with(|_| ());
            green::sleep(LONG);
        },
        |_| assert!(ALIVE.get() > 0),
        nothing,
    );
    assert_eq!(ALIVE.get(), 0, "values left behind");
}

#[test]
fn races_and_waits_for_many() {
    bursts(
        RefCell::new(()),
        |_| {
            let calls: Vec<Box<dyn FnOnce()>> = vec![
                Box::new(|| green::sleep(LONG)),
                Box::new(|| green::sleep(MS)),
                Box::new(|| panic!("on purpose")),
            ];
            green::debug::hub_exceptions(false);
            ignore(green::select::race(calls, None));
            let some: Vec<_> = (0..3).map(|_| green::spawn_after(MS, || ())).collect();
            ignore(green::joinall_timeout(&some, MS));
            green::killall(&some);
        },
        nothing,
        nothing,
    );
}
