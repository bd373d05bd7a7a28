//! Pools of connections by the server that they lead to.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;

use super::{CheckoutError, ConnectionPool, ConnectionPoolBuilder, Driver};

/// A [`ConnectionPool`] for each server, or each database, made when it is first asked for: by a name, an address, or
/// whatever tells them apart.
///
/// ```
/// # use green::pools::Driver;
/// # struct Numbers;
/// # impl Numbers { fn of(_: &(String, String)) -> Numbers { Numbers } }
/// # impl Driver for Numbers {
/// #     type Connection = u32;
/// #     type Error = std::io::Error;
/// #     fn connect(&self) -> std::io::Result<u32> { Ok(1) }
/// #     fn reset(&self, _: &mut u32) -> std::io::Result<()> { Ok(()) }
/// #     fn check(&self, _: &mut u32) -> std::io::Result<()> { Ok(()) }
/// # }
/// use green::pools::{ConnectionPool, DatabaseConnector};
///
/// let databases = DatabaseConnector::new(ConnectionPool::builder().max(10), |server: &(String, String)| {
///     Numbers::of(server) // a driver
/// });
/// let users = databases.get(("db1.example".into(), "users".into()))?;
/// let connection = users.get()?;
/// assert_eq!(databases.len(), 1);
/// # drop(connection);
///
/// databases.clear(); // The servers were restarted: no connection is used again.
/// databases.remove(&("db1.example".into(), "users".into()));
/// assert!(databases.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct DatabaseConnector<K, D: Driver> {
    limits: ConnectionPoolBuilder,
    driver: Box<dyn Fn(&K) -> D>,
    pools: RefCell<HashMap<K, ConnectionPool<D>>>,
}

impl<K: Eq + Hash, D: Driver> DatabaseConnector<K, D> {
    /// Pools within these limits, each with the driver that `driver` makes for its server.
    pub fn new(
        limits: ConnectionPoolBuilder,
        driver: impl Fn(&K) -> D + 'static,
    ) -> DatabaseConnector<K, D> {
        DatabaseConnector {
            limits,
            driver: Box::new(driver),
            pools: RefCell::default(),
        }
    }

    /// The pool of that server.
    ///
    /// # Errors
    /// If the pool is new, is to have some connections from the start
    /// ([`min`](ConnectionPoolBuilder::min)), and one of them cannot be made.
    pub fn get(&self, server: K) -> Result<ConnectionPool<D>, CheckoutError<D::Error>> {
        let known = self.pools.borrow().get(&server).cloned();
        if let Some(pool) = known {
            return Ok(pool);
        }
        let pool = self.limits.connect((self.driver)(&server))?;
        // Another greenthread may have made one while this one waited for its first connections.
        let mut pools = self.pools.borrow_mut();
        Ok(pools.entry(server).or_insert(pool).clone())
    }

    /// Forgets the pool of that server: its idle connections are closed when its last user is done.
    pub fn remove(&self, server: &K) -> Option<ConnectionPool<D>> {
        self.pools.borrow_mut().remove(server)
    }

    /// [Clears](ConnectionPool::clear) every pool.
    pub fn clear(&self) {
        let pools: Vec<_> = self.pools.borrow().values().cloned().collect();
        pools.iter().for_each(ConnectionPool::clear);
    }

    /// How many servers have been asked for.
    pub fn len(&self) -> usize {
        self.pools.borrow().len()
    }

    /// True if no server has been asked for.
    pub fn is_empty(&self) -> bool {
        self.pools.borrow().is_empty()
    }
}

impl<K: fmt::Debug, D: Driver> fmt::Debug for DatabaseConnector<K, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.pools.borrow().iter()).finish()
    }
}
