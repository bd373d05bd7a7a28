//! What every pool of connections to a real database must do, for each database and in both forms.

use std::cell::Cell;
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use green::Timeout;
use green::pools::{
    CheckoutError, ConnectionPool, ConnectionPoolBuilder, Driver, PooledConnection,
};

pub(crate) const QUERY: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(10);

/// A database: what the tests ask of it, in its language.
pub(crate) trait Database: Driver<Connection: Send> + Clone + Send + Sync {
    /// What tells its connections apart.
    fn id(connection: &mut Self::Connection) -> String;
    /// A query that takes so long.
    fn wait(connection: &mut Self::Connection, time: Duration);
    /// Begins a transaction and changes something in it.
    fn begin(connection: &mut Self::Connection);
    /// True if it sees what `begin` has changed, or is in a transaction.
    fn sees(connection: &mut Self::Connection) -> bool;
    /// Panics in the middle of a query, whose answer is not all read.
    fn panic_in_a_query(connection: &mut Self::Connection);
    /// What the server says when it is told to say this number.
    fn echo(connection: &mut Self::Connection, number: i64) -> i64;
    /// Ends another connection from the server's side.
    fn end(connection: &mut Self::Connection, id: &str);
    /// The same database at another address.
    fn at(address: std::net::SocketAddr) -> Self;
}

/// How the calls of a database are made.
pub(crate) trait Form<D: Database> {
    type Driver: Driver;
    fn driver(database: D) -> Self::Driver;
    fn call<R: Send + 'static>(
        connection: &mut PooledConnection<Self::Driver>,
        f: impl FnOnce(&mut D::Connection) -> R + Send + 'static,
    ) -> R;
}

/// Runs a test, and ends the process if it hangs.
fn bounded(test: impl FnOnce()) {
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    let (done, watched) = channel::<()>();
    std::thread::spawn(move || {
        if watched.recv_timeout(Duration::from_secs(120)) == Err(RecvTimeoutError::Timeout) {
            eprintln!("{name} hangs");
            std::process::abort();
        }
    });
    test();
    drop(done);
}

/// Runs the tests of a database in one form.
pub(crate) fn all<D: Database, F: Form<D>>(database: &D) {
    let make = |limits: ConnectionPoolBuilder| limits.connect(F::driver(database.clone())).unwrap();
    bounded(|| {
        many_share_few::<D, F>(&make(ConnectionPool::builder().max(5)));
        let limits = ConnectionPool::builder().max(1).check_after(Duration::ZERO);
        what_was_left_open_is_rolled_back::<D, F>(&make(limits));
        nobody_gets_one_in_a_query::<D, F>(&make(limits));
        nobody_gets_the_answer_of_one_who_panicked::<D, F>(&make(limits));
        one_that_the_server_has_ended_is_replaced::<D, F>(&make(limits.max(2)));
        a_server_that_says_nothing_is_given_up::<D, F>();
    });
}

fn id<D: Database, F: Form<D>>(pool: &ConnectionPool<F::Driver>) -> String {
    F::call(&mut pool.get().unwrap(), |connection| D::id(connection))
}

fn many_share_few<D: Database, F: Form<D>>(pool: &ConnectionPool<F::Driver>) {
    let (users, most) = (20, Rc::new(Cell::new((0, 0))));
    let start = Instant::now();
    let users: Vec<_> = (0..users)
        .map(|_| {
            let (pool, most) = (pool.clone(), Rc::clone(&most));
            green::spawn(move || {
                let mut connection = pool.get().unwrap();
                let (now, max) = most.get();
                most.set((now + 1, max.max(now + 1)));
                F::call(&mut connection, |connection| D::wait(connection, QUERY));
                most.set((most.get().0 - 1, most.get().1));
                F::call(&mut connection, |connection| D::id(connection))
            })
        })
        .collect();
    let mut seen: Vec<_> = users.into_iter().map(|user| user.join().unwrap()).collect();
    seen.sort();
    seen.dedup();
    assert_eq!((most.get(), seen.len()), ((0, 5), 5), "at the same time");
    assert!(start.elapsed() >= 4 * QUERY, "five at a time");
    assert_eq!((pool.free(), pool.idle(), pool.waiting()), (5, 5, 0));
}

fn what_was_left_open_is_rolled_back<D: Database, F: Form<D>>(pool: &ConnectionPool<F::Driver>) {
    let mut connection = pool.get().unwrap();
    let before = F::call(&mut connection, |connection| {
        let id = D::id(connection);
        D::begin(connection);
        assert!(D::sees(connection));
        id
    });
    drop(connection);
    let mut connection = pool.get().unwrap();
    assert!(!F::call(&mut connection, |connection| D::sees(connection)));
    let after = F::call(&mut connection, |connection| D::id(connection));
    assert_eq!(before, after, "it need not be closed for that");
}

fn nobody_gets_one_in_a_query<D: Database, F: Form<D>>(pool: &ConnectionPool<F::Driver>) {
    let mut known = vec![id::<D, F>(pool)];
    let mut is_new = |what: &str| {
        let next = id::<D, F>(pool);
        assert!(!known.contains(&next), "{what}: {next} was given out again");
        known.push(next);
    };
    // Killed.
    let user = green::spawn({
        let pool = pool.clone();
        move || {
            F::call(&mut pool.get().unwrap(), |connection| {
                D::wait(connection, LONG)
            })
        }
    });
    green::sleep(QUERY);
    user.kill();
    assert!(user.join().is_err());
    is_new("its user was killed");
    // Out of time, within and without.
    let late = Timeout::new(QUERY).run(|| {
        F::call(&mut pool.get().unwrap(), |connection| {
            D::wait(connection, LONG)
        });
    });
    assert!(late.is_err());
    is_new("its user ran out of time");
    let mut connection = pool.get().unwrap();
    let late = Timeout::new(QUERY).run(|| {
        F::call(&mut connection, |connection| D::wait(connection, LONG));
    });
    assert!(late.is_err());
    drop(connection);
    is_new("its query ran out of time");
    // Panicked.
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _connection = pool.get().unwrap();
        panic!("on purpose");
    }));
    assert!(panicked.is_err());
    is_new("its user panicked");
    assert_eq!((pool.free(), pool.waiting()), (1, 0));
}

/// The panic is caught while the connection is still held, so that its pool sees nothing of it.
fn nobody_gets_the_answer_of_one_who_panicked<D: Database, F: Form<D>>(
    pool: &ConnectionPool<F::Driver>,
) {
    let mut connection = pool.get().unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        F::call(&mut connection, |connection| D::begin(connection));
        F::call(&mut connection, |connection| {
            D::panic_in_a_query(connection)
        });
    }));
    assert!(panicked.is_err());
    drop(connection);
    for number in [3, 5, 8] {
        let mut connection = pool.get().unwrap();
        let said = F::call(&mut connection, move |connection| {
            D::echo(connection, number)
        });
        assert_eq!(said, number);
        assert!(!F::call(&mut connection, |connection| D::sees(connection)));
    }
}

fn one_that_the_server_has_ended_is_replaced<D: Database, F: Form<D>>(
    pool: &ConnectionPool<F::Driver>,
) {
    let (mut one, mut other) = (pool.get().unwrap(), pool.get().unwrap());
    let dead = F::call(&mut one, |connection| D::id(connection));
    drop(one);
    let name = dead.clone();
    F::call(&mut other, move |connection| D::end(connection, &name));
    green::sleep(QUERY);
    let mut next = pool.get().unwrap();
    assert_ne!(F::call(&mut next, |connection| D::id(connection)), dead);
    drop((next, other));
    assert_eq!((pool.free(), pool.idle()), (2, 2));
}

fn a_server_that_says_nothing_is_given_up<D: Database, F: Form<D>>() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let database = D::at(silent.local_addr().unwrap());
    let pool = ConnectionPool::builder().max(1).connect_timeout(QUERY);
    let pool = pool.connect(F::driver(database)).unwrap();
    let error = pool.get().map(drop).unwrap_err();
    assert!(matches!(error, CheckoutError::ConnectTimeout(_)), "{error}");
    assert_eq!(pool.free(), 1);
}
