//! A connection while somebody has it.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use super::live::Live;
use super::{Driver, Shared};
use crate::runtime::{Runtime, Task};

/// A connection of a [`ConnectionPool`](super::ConnectionPool); it goes back when this is dropped.
///
/// The drop waits until the driver has cleaned the connection up. It is closed instead if it may be in the middle of
/// something: while the thread unwinds (its user was killed, has panicked, or ran out of time), and after a kill or a
/// deadline of the greenthread that used it, wherever that was caught.
///
/// ```
/// use std::time::Duration;
/// # use green::pools::{ConnectionPool, Driver};
/// # struct Numbers(std::cell::Cell<u32>);
/// # impl Driver for Numbers {
/// #     type Connection = u32;
/// #     type Error = std::io::Error;
/// #     fn connect(&self) -> std::io::Result<u32> { Ok(self.0.replace(self.0.get() + 1)) }
/// #     fn reset(&self, _: &mut u32) -> std::io::Result<()> { Ok(()) }
/// #     fn check(&self, _: &mut u32) -> std::io::Result<()> { Ok(()) }
/// # }
/// # let numbers = Numbers(std::cell::Cell::new(0));
///
/// let pool = ConnectionPool::builder().max(1).connect(numbers)?;
/// let connection = pool.get()?;
/// assert_eq!(*connection, 0);
/// drop(connection);
///
/// let mut connection = pool.get()?;
/// let cut = green::Timeout::new(Duration::from_millis(1)).run(|| {
///     let same: &mut u32 = &mut connection;
///     assert_eq!(*same, 0);
///     green::sleep(Duration::from_secs(60)); // a query
/// });
/// assert!(cut.is_err());
/// drop(connection);
/// assert_eq!(*pool.get()?, 1, "nobody gets the one whose answer may still come");
///
/// let broken = pool.get()?.discard(); // It does not go back,
/// assert_eq!((broken, *pool.get()?), (1, 2)); // and the next is a new one.
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct PooledConnection<D: Driver> {
    /// `None` only while it is dropped or exchanged: the place in the pool is this one's still.
    live: Option<Live<D>>,
    home: Rc<Shared<D>>,
    last: RefCell<Option<Use>>,
    /// True once something may have cut a use short.
    suspect: Cell<bool>,
}

/// The greenthread that used a connection, and how often it had been interrupted before.
struct Use {
    by: Rc<Task>,
    interrupts: u64,
}

impl Use {
    fn now() -> Use {
        let by = Runtime::with(Runtime::current);
        let interrupts = by.interrupts();
        Use { by, interrupts }
    }

    fn may_be_cut(&self) -> bool {
        self.by.interrupts() != self.interrupts
    }
}

impl<D: Driver> PooledConnection<D> {
    pub(super) fn new(live: Live<D>, home: Rc<Shared<D>>) -> PooledConnection<D> {
        PooledConnection {
            live: Some(live),
            home,
            last: RefCell::new(None),
            suspect: Cell::new(false),
        }
    }

    /// Calls `f` with the connection. If `f` panics, and that is caught while this is still there, the connection is
    /// closed when it is dropped, as it may be in the middle of something.
    ///
    /// Of a panic that is caught without this call, in code that uses the connection directly, nothing is seen:
    /// then the connection is cleaned up by the [driver](Driver::reset), and used again if that succeeds.
    ///
    /// ```
    /// use std::panic::{AssertUnwindSafe, catch_unwind};
    /// # use green::pools::{ConnectionPool, Driver};
    /// # struct Numbers(std::cell::Cell<u32>);
    /// # impl Driver for Numbers {
    /// #     type Connection = u32;
    /// #     type Error = std::io::Error;
    /// #     fn connect(&self) -> std::io::Result<u32> { Ok(self.0.replace(self.0.get() + 1)) }
    /// #     fn reset(&self, _: &mut u32) -> std::io::Result<()> { Ok(()) }
    /// #     fn check(&self, _: &mut u32) -> std::io::Result<()> { Ok(()) }
    /// # }
    /// # let numbers = Numbers(std::cell::Cell::new(0));
    ///
    /// let pool = ConnectionPool::builder().max(1).connect(numbers)?;
    /// let mut connection = pool.get()?;
    /// assert_eq!(connection.lend(|number| *number), 0);
    /// let panicked = catch_unwind(AssertUnwindSafe(|| connection.lend(|_| panic!("in a query"))));
    /// assert!(panicked.is_err());
    /// drop(connection);
    /// assert_eq!(*pool.get()?, 1, "nobody gets the one whose answer may still come");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lend<R>(&mut self, f: impl FnOnce(&mut D::Connection) -> R) -> R {
        self.note();
        let before = self.suspect.replace(true);
        let result = f(self.live_mut().get_mut());
        self.suspect.set(before);
        result
    }

    /// Keeps the connection from going back: the pool may make another in its place.
    pub fn discard(mut self) -> D::Connection {
        match self.live.take() {
            Some(live) => {
                self.home.core.lose();
                live.into_connection()
            }
            None => unreachable!("a connection is there until its guard is dropped"),
        }
    }

    /// Exchanges the connection for a new one unless it is fit for use.
    pub(super) fn or_renew(mut self) -> Result<PooledConnection<D>, super::Checkout<D>> {
        let home = Rc::clone(&self.home);
        if !home.is_fit(self.live_mut()) {
            drop(self.live.take());
            // Whatever comes of it, the place is counted there.
            self.live = Some(home.core.renew()?);
        }
        Ok(self)
    }

    fn live(&self) -> &Live<D> {
        match &self.live {
            Some(live) => live,
            None => unreachable!("a connection is there until its guard is dropped"),
        }
    }

    fn live_mut(&mut self) -> &mut Live<D> {
        match &mut self.live {
            Some(live) => live,
            None => unreachable!("a connection is there until its guard is dropped"),
        }
    }

    /// Notes that the connection is used by the current greenthread.
    fn note(&self) {
        let before = self.last.replace(Some(Use::now()));
        if before.is_some_and(|last| last.may_be_cut()) {
            self.suspect.set(true);
        }
    }

    fn is_intact(&self) -> bool {
        let cut = self.last.borrow().as_ref().is_some_and(Use::may_be_cut);
        !self.suspect.get() && !cut
    }
}

impl<D: Driver> Deref for PooledConnection<D> {
    type Target = D::Connection;

    fn deref(&self) -> &D::Connection {
        self.note();
        self.live().get()
    }
}

impl<D: Driver> DerefMut for PooledConnection<D> {
    fn deref_mut(&mut self) -> &mut D::Connection {
        self.note();
        self.live_mut().get_mut()
    }
}

impl<D: Driver> Drop for PooledConnection<D> {
    fn drop(&mut self) {
        if let Some(live) = self.live.take() {
            self.home.take_back(live, self.is_intact());
        }
    }
}

impl<D: Driver<Connection: fmt::Debug>> fmt::Debug for PooledConnection<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.live().get().fmt(f)
    }
}
