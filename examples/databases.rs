//! How `green::pools` keeps connections of the crates postgres, mysql and redis, and those of the crate r2d2; and where
//! the servers are that `services/up` has started.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use green::pools::Driver;
use mysql::prelude::Queryable;
use redis::ConnectionLike;

/// The address of the server `redis`, `postgres` or `mysql`: what the environment variable `GREEN_REDIS`,
/// `GREEN_POSTGRES` or `GREEN_MYSQL` says, else what `services/up` has written to `target/services.env`. `None` if no such
/// server runs.
pub fn address(server: &str) -> Option<String> {
    let name = format!("GREEN_{}", server.to_uppercase());
    if let Ok(address) = std::env::var(&name) {
        return Some(address).filter(|address| !address.is_empty());
    }
    let program = std::env::current_exe().ok()?;
    // Programs are somewhere below the target directory.
    let mut files = program.ancestors().map(|above| above.join("services.env"));
    let file: PathBuf = files.find(|file| file.exists())?;
    let lines = std::fs::read_to_string(file).ok()?;
    let mut settings = lines.lines().filter_map(|line| line.split_once('='));
    let (_, address) = settings.find(|(key, _)| *key == name)?;
    Some(address.to_owned())
}

/// Connections of the crate postgres.
#[derive(Clone, Debug)]
pub struct Postgres(pub postgres::Config);

impl Driver for Postgres {
    type Connection = postgres::Client;
    type Error = postgres::Error;

    fn connect(&self) -> Result<postgres::Client, postgres::Error> {
        self.0.connect(postgres::NoTls)
    }

    /// Ends a transaction, and forgets settings, locks, cursors and temporary tables.
    fn reset(&self, client: &mut postgres::Client) -> Result<(), postgres::Error> {
        client.batch_execute("ROLLBACK")?;
        client.batch_execute(
            "RESET ALL; SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; DISCARD TEMP",
        )
    }

    fn check(&self, client: &mut postgres::Client) -> Result<(), postgres::Error> {
        client.is_valid(Duration::from_secs(5))
    }
}

/// Connections of the crate mysql.
#[derive(Clone, Debug)]
pub struct Mysql(pub mysql::Opts);

impl Driver for Mysql {
    type Connection = mysql::Conn;
    type Error = mysql::Error;

    fn connect(&self) -> mysql::Result<mysql::Conn> {
        mysql::Conn::new(self.0.clone())
    }

    /// The protocol has a command for it.
    fn reset(&self, connection: &mut mysql::Conn) -> mysql::Result<()> {
        connection.reset()
    }

    fn check(&self, connection: &mut mysql::Conn) -> mysql::Result<()> {
        connection.query_drop("DO 0")
    }
}

/// Connections of the crate redis.
#[derive(Clone, Debug)]
pub struct Redis(pub redis::Client);

impl Driver for Redis {
    type Connection = redis::Connection;
    type Error = redis::RedisError;

    fn connect(&self) -> redis::RedisResult<redis::Connection> {
        self.0.get_connection()
    }

    /// Forgets a transaction that was begun, and what it watches. Answers have no names: that the last one is none of
    /// somebody else's is found out.
    fn reset(&self, connection: &mut redis::Connection) -> redis::RedisResult<()> {
        match redis::cmd("DISCARD").exec(connection) {
            // There was none.
            Err(error) if !error.is_io_error() && connection.is_open() => {}
            other => other?,
        }
        redis::cmd("UNWATCH").exec(connection)?;
        in_step(connection)
    }

    fn check(&self, connection: &mut redis::Connection) -> redis::RedisResult<()> {
        in_step(connection)
    }
}

/// Asks what nobody has asked before.
fn in_step(connection: &mut redis::Connection) -> redis::RedisResult<()> {
    static ASKED: AtomicU64 = AtomicU64::new(0);
    let question = format!(
        "{}-{}",
        std::process::id(),
        ASKED.fetch_add(1, Ordering::Relaxed)
    );
    let answer: redis::Value = redis::cmd("PING").arg(&question).query(connection)?;
    match redis::from_redis_value::<String>(answer) {
        Ok(answer) if answer == question => Ok(()),
        _ => Err(redis::RedisError::from((
            redis::ErrorKind::Client,
            "the answer is to another question",
        ))),
    }
}

/// Connections of anything that the crate r2d2 has a manager for.
///
/// r2d2 does not clean up: what the manager does not call broken is taken as it is.
#[derive(Clone, Debug)]
pub struct Managed<M>(pub M);

/// What a manager of r2d2 has to say of a connection.
#[derive(Debug)]
pub enum ManagedError<E> {
    /// It failed.
    Failed(E),
    /// `has_broken` is true.
    Broken,
}

impl<E: fmt::Display> fmt::Display for ManagedError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ManagedError::Failed(error) => error.fmt(f),
            ManagedError::Broken => write!(f, "the connection is broken"),
        }
    }
}

impl<E: std::error::Error> std::error::Error for ManagedError<E> {}

impl<M: r2d2::ManageConnection> Driver for Managed<M> {
    type Connection = M::Connection;
    type Error = ManagedError<M::Error>;

    fn connect(&self) -> Result<M::Connection, Self::Error> {
        self.0.connect().map_err(ManagedError::Failed)
    }

    fn reset(&self, connection: &mut M::Connection) -> Result<(), Self::Error> {
        if self.0.has_broken(connection) {
            return Err(ManagedError::Broken);
        }
        Ok(())
    }

    fn check(&self, connection: &mut M::Connection) -> Result<(), Self::Error> {
        self.0.is_valid(connection).map_err(ManagedError::Failed)
    }
}
