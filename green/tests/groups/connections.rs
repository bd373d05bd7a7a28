//! Pools of connections: what is given out is whole, whatever its former user did; nobody is forgotten.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::{bounded, settle, spawn_settled};
use green::pools::{
    CheckoutError, ConnectionPool, ConnectionPoolBuilder, DatabaseConnector, Driver, Threaded,
};
use green::{Exit, Flag, Timeout};

const LONG: Duration = Duration::from_secs(3600);

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// What the driver was asked to do, and what it is to answer.
#[derive(Default)]
struct Server {
    made: Cell<u32>,
    resets: Cell<u32>,
    checks: Cell<u32>,
    closed: RefCell<Vec<u32>>,
    /// How long each call of the driver takes.
    delay: Cell<Duration>,
    refuses: Cell<bool>,
    fails_resets: Cell<bool>,
    fails_checks: Cell<bool>,
}

#[derive(Debug)]
struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused")
    }
}

impl std::error::Error for Refused {}

#[derive(Debug)]
struct Line {
    number: u32,
    in_transaction: bool,
    busy: bool,
}

impl Line {
    /// What is left half done if it is cut short.
    fn query(&mut self, time: Duration) {
        assert!(!self.busy, "a connection was given out in a query");
        self.busy = true;
        green::sleep(time);
        self.busy = false;
    }
}

struct Lines(Rc<Server>);

impl Lines {
    fn answer(&self, fails: bool) -> Result<(), Refused> {
        if !self.0.delay.get().is_zero() {
            green::sleep(self.0.delay.get());
        }
        if fails { Err(Refused) } else { Ok(()) }
    }
}

fn count(counter: &Cell<u32>) -> u32 {
    counter.replace(counter.get() + 1)
}

impl Driver for Lines {
    type Connection = Line;
    type Error = Refused;

    fn connect(&self) -> Result<Line, Refused> {
        self.answer(self.0.refuses.get())?;
        Ok(Line {
            number: count(&self.0.made),
            in_transaction: false,
            busy: false,
        })
    }

    fn reset(&self, line: &mut Line) -> Result<(), Refused> {
        assert!(!line.busy, "a reset in a query");
        count(&self.0.resets);
        self.answer(self.0.fails_resets.get())?;
        line.in_transaction = false;
        Ok(())
    }

    fn check(&self, line: &mut Line) -> Result<(), Refused> {
        assert!(!line.busy && !line.in_transaction);
        count(&self.0.checks);
        self.answer(self.0.fails_checks.get())
    }

    fn close(&self, line: Line) {
        self.0.closed.borrow_mut().push(line.number);
    }
}

fn pool(limits: ConnectionPoolBuilder) -> (ConnectionPool<Lines>, Rc<Server>) {
    let server = Rc::new(Server::default());
    let pool = limits.connect(Lines(Rc::clone(&server))).unwrap();
    (pool, server)
}

#[test]
fn a_connection_is_used_again_and_cleaned_up_in_between() {
    bounded(|| {
        let (pool, server) = pool(ConnectionPool::builder().max(2));
        for _ in 0..3 {
            let mut line = pool.get().unwrap();
            assert_eq!((line.number, line.in_transaction), (0, false));
            line.in_transaction = true;
        }
        let both = (pool.get().unwrap(), pool.get().unwrap());
        assert_eq!((both.0.number, both.1.number, pool.free()), (0, 1, 0));
        let late = pool.get_timeout(millis(1)).unwrap_err();
        assert!(matches!(late, CheckoutError::Exhausted(_)), "{late}");
        drop(both);
        assert_eq!((pool.idle(), pool.free(), pool.waiting()), (2, 2, 0));
        assert_eq!((server.made.get(), server.resets.get()), (2, 5));
        assert_eq!(server.checks.get(), 0, "none was idle");
    });
}

#[test]
fn some_are_made_in_advance() {
    bounded(|| {
        let (few, _) = pool(ConnectionPool::builder().min(2).max(3));
        assert_eq!((few.idle(), few.free()), (2, 3));
        let server = Rc::new(Server::default());
        server.refuses.set(true);
        let refused = ConnectionPool::builder().min(1).connect(Lines(server));
        let error = refused.unwrap_err();
        assert_eq!(error.to_string(), "cannot connect: refused");
    });
}

/// Uses the only connection of a pool by `user`, then says if the next user got another.
fn is_replaced(user: impl FnOnce(&ConnectionPool<Lines>)) -> bool {
    let (pool, server) = pool(ConnectionPool::builder().max(1));
    user(&pool);
    settle();
    assert_eq!((pool.free(), pool.waiting()), (1, 0));
    let mut line = pool.get().unwrap();
    assert!(!line.busy && !line.in_transaction);
    line.query(millis(1));
    let closed = server.closed.borrow().clone();
    assert_eq!(closed.len(), line.number as usize, "{closed:?}");
    line.number > 0
}

#[test]
fn one_whose_user_was_killed_is_closed() {
    bounded(|| {
        assert!(is_replaced(|pool| {
            let pool = pool.clone();
            let user = green::spawn(move || pool.get().unwrap().query(LONG));
            settle();
            user.kill();
            assert!(matches!(user.join(), Err(Exit::Killed(_))));
        }));
    });
}

#[test]
fn one_whose_user_panicked_is_closed() {
    bounded(|| {
        assert!(is_replaced(|pool| {
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                let mut line = pool.get().unwrap();
                line.busy = true;
                panic!("on purpose");
            }));
            assert!(panicked.is_err());
        }));
    });
}

#[test]
fn one_that_was_lent_to_code_which_panicked_is_closed_whoever_caught_that() {
    bounded(|| {
        assert!(is_replaced(|pool| {
            let mut line = pool.get().unwrap();
            line.lend(|line| line.query(millis(1)));
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                line.lend(|line| {
                    line.busy = true;
                    panic!("on purpose");
                })
            }));
            assert!(panicked.is_err());
            // A later use that ends well does not make up for it.
            line.busy = false;
            line.lend(|line| line.query(millis(1)));
        }));
        assert!(!is_replaced(|pool| {
            pool.get().unwrap().lend(|line| line.query(millis(1)));
        }));
    });
}

#[test]
fn one_whose_user_ran_out_of_time_is_closed() {
    bounded(|| {
        // Within the scope, and around it.
        assert!(is_replaced(|pool| {
            let late = Timeout::new(millis(1)).run(|| pool.get().unwrap().query(LONG));
            assert!(late.is_err());
        }));
        assert!(is_replaced(|pool| {
            let mut line = pool.get().unwrap();
            let late = Timeout::new(millis(1)).run(|| line.query(LONG));
            assert!(late.is_err());
        }));
        // Cut short in a greenthread that is gone, and used by another since.
        assert!(is_replaced(|pool| {
            let mut line = pool.get().unwrap();
            green::scope(|scope| {
                let user = scope.spawn(|| line.query(LONG));
                settle();
                user.kill();
            })
            .unwrap();
            line.busy = false;
        }));
        // Nothing was cut short.
        assert!(!is_replaced(|pool| {
            let mut line = pool.get().unwrap();
            Timeout::new(LONG).run(|| line.query(millis(1))).unwrap();
        }));
    });
}

#[test]
fn one_that_cannot_be_cleaned_up_is_closed() {
    bounded(|| {
        let (pool, server) = pool(ConnectionPool::builder().max(1).connect_timeout(millis(20)));
        server.fails_resets.set(true);
        pool.get().unwrap().in_transaction = true;
        settle();
        assert_eq!((pool.idle(), pool.free()), (0, 1));
        server.fails_resets.set(false);
        let mut line = pool.get().unwrap();
        assert_eq!((line.number, line.in_transaction), (1, false));
        // Never done.
        server.delay.set(LONG);
        line.in_transaction = true;
        drop(line);
        settle();
        assert_eq!(*server.closed.borrow(), [0, 1]);
        server.delay.set(Duration::ZERO);
        let line = pool.get().unwrap();
        // Killed while it cleans up.
        server.delay.set(millis(10));
        let user = green::spawn(move || drop(line));
        settle();
        user.kill();
        assert!(matches!(user.join(), Err(Exit::Killed(_))));
        settle();
        assert_eq!(*server.closed.borrow(), [0, 1, 2]);
        assert_eq!((pool.free(), pool.waiting()), (1, 0));
    });
}

#[test]
fn a_dead_one_is_found_and_replaced() {
    bounded(|| {
        let (pool, server) = pool(ConnectionPool::builder().max(1).check_after(Duration::ZERO));
        drop(pool.get().unwrap());
        assert_eq!(server.checks.get(), 0, "it was new");
        drop(pool.get().unwrap());
        assert_eq!((server.checks.get(), server.made.get()), (1, 1));
        server.fails_checks.set(true);
        assert_eq!(pool.get().unwrap().number, 1);
        settle();
        assert_eq!(*server.closed.borrow(), [0]);
        // The next one cannot be made: its place is free again.
        server.refuses.set(true);
        let error = pool.get().unwrap_err();
        assert!(matches!(error, CheckoutError::Driver(Refused)), "{error}");
        assert_eq!((pool.idle(), pool.free()), (0, 1));
        server.refuses.set(false);
        assert_eq!(pool.get().unwrap().number, 2);
    });
}

#[test]
fn making_one_takes_no_longer_than_it_may() {
    bounded(|| {
        let (pool, server) = pool(ConnectionPool::builder().max(1).connect_timeout(millis(5)));
        server.delay.set(LONG);
        let error = pool.get().unwrap_err();
        assert!(matches!(error, CheckoutError::ConnectTimeout(_)), "{error}");
        assert_eq!(error.to_string(), "cannot connect: not done after 5ms");
        assert_eq!((server.made.get(), pool.free()), (0, 1));
    });
}

#[test]
fn old_and_idle_ones_are_closed_while_nobody_asks() {
    green::sim::run(1, || {
        let seconds = Duration::from_secs;
        let limits = ConnectionPool::builder().max(9);
        let (pool, server) = pool(limits.max_idle(seconds(10)).max_age(seconds(15)));
        let three = [0; 3].map(|_| pool.get().unwrap());
        drop(three);
        green::sleep(seconds(9));
        drop(pool.get().unwrap());
        assert_eq!(pool.idle(), 3);
        green::sleep(seconds(2));
        assert_eq!((pool.idle(), server.closed.borrow().len()), (1, 2));
        green::sleep(seconds(3));
        assert_eq!(pool.idle(), 1);
        // Of age, though it was used a while ago.
        green::sleep(seconds(2));
        assert_eq!((pool.idle(), server.closed.borrow().len()), (0, 3));

        let line = pool.get().unwrap();
        green::sleep(seconds(20));
        drop(line);
        settle();
        assert_eq!((pool.idle(), server.closed.borrow().len()), (0, 4));
    });
}

#[test]
fn an_idle_one_is_checked_after_a_while() {
    green::sim::run(1, || {
        let (pool, server) = pool(ConnectionPool::builder());
        drop(pool.get().unwrap());
        green::sleep(millis(900));
        drop(pool.get().unwrap());
        assert_eq!(server.checks.get(), 0);
        green::sleep(millis(1100));
        assert_eq!(pool.get().unwrap().number, 0);
        assert_eq!(server.checks.get(), 1);
    });
}

#[test]
fn a_pool_can_be_cleared_and_resized() {
    bounded(|| {
        let (pool, server) = pool(ConnectionPool::builder().max(3));
        let three = [0; 3].map(|_| pool.get().unwrap());
        let [first, second, third] = three;
        drop((first, second));
        pool.clear();
        settle();
        assert_eq!(*server.closed.borrow(), [1, 0]);
        drop(third);
        settle();
        assert_eq!((pool.idle(), pool.free()), (0, 3));
        let [first, second] = [0; 2].map(|_| pool.get().unwrap());
        pool.resize(1);
        drop(first);
        settle();
        assert_eq!(*server.closed.borrow(), [1, 0, 2, 3]);
        assert_eq!(second.discard().number, 4);
        assert_eq!((pool.idle(), pool.free()), (0, 1));
        drop(pool.get().unwrap());
        drop(pool);
        settle();
        assert_eq!(*server.closed.borrow(), [1, 0, 2, 3, 5]);
    });
}

#[test]
fn who_waits_is_served_in_order() {
    bounded(|| {
        let (pool, server) = pool(ConnectionPool::builder().max(2));
        let order = Rc::new(RefCell::new(Vec::new()));
        let all_are_here = Rc::new(Flag::new());
        let users: Vec<_> = (0..8)
            .map(|n| {
                let (pool, order) = (pool.clone(), Rc::clone(&order));
                let all_are_here = Rc::clone(&all_are_here);
                spawn_settled(move || {
                    let mut line = pool.get().unwrap();
                    order.borrow_mut().push(n);
                    all_are_here.wait();
                    line.query(millis(1));
                    if n == 1 {
                        green::current().kill();
                        green::yield_now();
                    }
                })
            })
            .collect();
        all_are_here.set();
        let ends: Vec<_> = users.into_iter().map(|user| user.join().is_ok()).collect();
        assert_eq!(ends.iter().filter(|ok| !**ok).count(), 1);
        assert_eq!(*order.borrow(), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!((server.made.get(), pool.free()), (3, 2));
    });
}

#[test]
fn each_server_has_its_pool() {
    bounded(|| {
        let servers = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&servers);
        let all = DatabaseConnector::new(ConnectionPool::builder().min(1), move |name: &u32| {
            seen.borrow_mut().push(*name);
            let server = Rc::new(Server::default());
            server.made.set(100 * name);
            server.delay.set(millis(1));
            Lines(server)
        });
        // Two ask at once.
        green::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| assert_eq!(all.get(1).unwrap().free(), 4));
            }
        })
        .unwrap();
        assert_eq!(all.get(2).unwrap().get().unwrap().number, 200);
        assert_eq!((all.len(), all.is_empty()), (2, false));
        assert_eq!(*servers.borrow(), [1, 1, 2]);
        all.clear();
        assert_eq!(all.get(1).unwrap().idle(), 0);
        assert!(all.remove(&1).is_some() && all.remove(&1).is_none());
    });
}

/// Blocks its thread, and counts those that live.
struct Blocking(Arc<AtomicUsize>);

struct Counted(Arc<AtomicUsize>, usize);

impl Drop for Counted {
    fn drop(&mut self) {
        assert_eq!(std::thread::current().name(), Some("green-pool"));
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Driver for Blocking {
    type Connection = Counted;
    type Error = Refused;

    fn connect(&self) -> Result<Counted, Refused> {
        std::thread::sleep(millis(1));
        Ok(Counted(
            Arc::clone(&self.0),
            self.0.fetch_add(1, Ordering::SeqCst),
        ))
    }

    fn reset(&self, _: &mut Counted) -> Result<(), Refused> {
        std::thread::sleep(millis(1));
        Ok(())
    }

    fn check(&self, _: &mut Counted) -> Result<(), Refused> {
        Err(Refused)
    }
}

#[test]
fn a_driver_that_blocks_runs_in_threads() {
    const WAITING: usize = 0;
    const RUNS: usize = 1;
    const MAY_END: usize = 2;
    bounded(|| {
        let living = Arc::new(AtomicUsize::new(0));
        let driver = Threaded::new(Blocking(Arc::clone(&living)));
        let pool = ConnectionPool::builder().max(1).connect(driver).unwrap();
        let connection = pool.get().unwrap();
        assert_eq!(connection.call(|connection| connection.1).unwrap(), 0);
        drop(connection);
        assert_eq!((pool.idle(), living.load(Ordering::SeqCst)), (1, 1));

        // Left in the middle of a call: it runs on, and the next user does not wait for it.
        let state = Arc::new(AtomicUsize::new(WAITING));
        let connection = pool.get().unwrap();
        let seen = Arc::clone(&state);
        let user = green::spawn(move || {
            connection.call(move |_| {
                seen.store(RUNS, Ordering::SeqCst);
                while seen.load(Ordering::SeqCst) != MAY_END {
                    std::thread::sleep(millis(1));
                }
            })
        });
        while state.load(Ordering::SeqCst) != RUNS {
            green::sleep(millis(1));
        }
        user.kill();
        assert!(user.join().is_err());
        let connection = pool.get().unwrap();
        assert_eq!(connection.call(|connection| connection.1).unwrap(), 1);
        assert_eq!(living.load(Ordering::SeqCst), 2);
        state.store(MAY_END, Ordering::SeqCst);
        drop((connection, pool));
        while living.load(Ordering::SeqCst) > 0 {
            green::sleep(millis(1));
        }
    });
}
