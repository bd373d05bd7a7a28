//! Pools of connections of the crates postgres, mysql and redis to real servers, greened: on one OS thread.
//!
//! `services/up` starts the servers; the tests of one that does not run are skipped.

#[path = "pooled/mod.rs"]
mod pooled;
#[path = "pooled/servers.rs"]
mod servers;

use green::pools::PooledConnection;
use site::databases::{Mysql, Postgres, Redis};

use pooled::{Database, Form};

/// Each call waits on the hub.
struct Greened;

impl<D: Database> Form<D> for Greened {
    type Driver = D;

    fn driver(database: D) -> D {
        database
    }

    fn call<R: Send + 'static>(
        connection: &mut PooledConnection<D>,
        f: impl FnOnce(&mut D::Connection) -> R + Send + 'static,
    ) -> R {
        f(connection)
    }
}

#[test]
fn a_greened_pool_of_postgres() {
    green_patch::monkey_patch().unwrap();
    servers::with("postgres", servers::postgres, |database| {
        pooled::all::<Postgres, Greened>(database);
    });
}

#[test]
fn a_greened_pool_of_mysql() {
    green_patch::monkey_patch().unwrap();
    servers::with("mysql", servers::mysql, |database| {
        pooled::all::<Mysql, Greened>(database);
    });
}

#[test]
fn a_greened_pool_of_redis() {
    green_patch::monkey_patch().unwrap();
    servers::with("redis", servers::redis, |database| {
        pooled::all::<Redis, Greened>(database);
    });
}
