//! Pools of connections of the crates postgres, mysql and redis to real servers, in the thread pool.
//!
//! `services/up` starts the servers; the tests of one that does not run are skipped.

#[path = "pooled/mod.rs"]
mod pooled;
#[path = "pooled/servers.rs"]
mod servers;

use green::pools::{ConnectionPool, PooledConnection, Threaded};
use site::databases::{Managed, Mysql, Postgres, Redis};

use pooled::{Database, Form};

/// Each call is a job of the thread pool.
struct InThreads;

impl<D: Database<Error: Send>> Form<D> for InThreads {
    type Driver = Threaded<D>;

    fn driver(database: D) -> Threaded<D> {
        Threaded::new(database)
    }

    fn call<R: Send + 'static>(
        connection: &mut PooledConnection<Threaded<D>>,
        f: impl FnOnce(&mut D::Connection) -> R + Send + 'static,
    ) -> R {
        connection.call(f).unwrap()
    }
}

#[test]
fn a_pool_of_postgres_in_threads() {
    servers::with("postgres", servers::postgres, |database| {
        pooled::all::<Postgres, InThreads>(database);
    });
}

#[test]
fn a_pool_of_mysql_in_threads() {
    servers::with("mysql", servers::mysql, |database| {
        pooled::all::<Mysql, InThreads>(database);
    });
}

#[test]
fn a_pool_of_redis_in_threads() {
    servers::with("redis", servers::redis, |database| {
        pooled::all::<Redis, InThreads>(database);
    });
}

#[test]
fn a_manager_of_r2d2_makes_a_pool() {
    servers::with("redis", servers::redis, |database| {
        let driver = Threaded::new(Managed(database.0.clone()));
        let pool = ConnectionPool::builder().max(2).connect(driver).unwrap();
        let connection = pool.get().unwrap();
        let id = connection.call(Redis::id).unwrap();
        drop(connection);
        assert_eq!(pool.get().unwrap().call(Redis::id).unwrap(), id);
        assert_eq!(pool.idle(), 1);
    });
}
