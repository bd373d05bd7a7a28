//! A connection, how old it is, and its end.

use std::rc::Rc;
use std::time::Instant;

use super::{ConnectionPoolBuilder, Driver};
use crate::greenthread::Builder;

/// A connection of a pool. However this is dropped, the driver closes the connection.
pub(super) struct Live<D: Driver> {
    /// `None` only while this is dropped.
    connection: Option<D::Connection>,
    driver: Rc<D>,
    made: Instant,
    /// When it was last known to work.
    pub(super) proven: Instant,
    /// False while its first user has it, for whom it was made.
    pub(super) was_idle: bool,
    /// How often the pool had been cleared when this was made.
    pub(super) epoch: u64,
}

impl<D: Driver> Live<D> {
    pub(super) fn new(
        connection: D::Connection,
        driver: Rc<D>,
        now: Instant,
        epoch: u64,
    ) -> Live<D> {
        Live {
            connection: Some(connection),
            driver,
            made: now,
            proven: now,
            was_idle: false,
            epoch,
        }
    }

    pub(super) fn get(&self) -> &D::Connection {
        match &self.connection {
            Some(connection) => connection,
            None => unreachable!("a connection is there until it is dropped"),
        }
    }

    pub(super) fn get_mut(&mut self) -> &mut D::Connection {
        match &mut self.connection {
            Some(connection) => connection,
            None => unreachable!("a connection is there until it is dropped"),
        }
    }

    /// Keeps the driver from closing it.
    pub(super) fn into_connection(mut self) -> D::Connection {
        match self.connection.take() {
            Some(connection) => connection,
            None => unreachable!("a connection is there until it is dropped"),
        }
    }

    /// When it is too old, or has been idle for too long. `None`: never.
    pub(super) fn end(&self, limits: &ConnectionPoolBuilder) -> Option<Instant> {
        let old = limits.max_age.and_then(|age| self.made.checked_add(age));
        let idle = limits
            .max_idle
            .and_then(|idle| self.proven.checked_add(idle));
        old.into_iter().chain(idle).min()
    }
}

impl<D: Driver> Drop for Live<D> {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        let driver = Rc::clone(&self.driver);
        let close = Builder::new()
            .name("close of a pool's connection")
            .spawn_n(move || driver.close(connection));
        if let Err(error) = close {
            // The closure was dropped, and the connection with it.
            log::debug!("a connection was dropped where it was: {error}");
        }
    }
}
