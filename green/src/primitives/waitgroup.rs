//! Waiting until a count is back at zero.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::runtime::{Reason, Runtime, WaitList};

/// A count that greenthreads raise and lower, and wait to see at zero: Go's `WaitGroup`, eventlet's `metaphore`.
///
/// ```
/// use std::rc::Rc;
/// use green::WaitGroup;
///
/// let group = Rc::new(WaitGroup::new());
/// for _ in 0..3 {
///     let member = group.enter();
///     green::spawn_n(move || {
///         let _member = member; // leaves when it ends, also by a panic or a kill
///         green::yield_now();
///     });
/// }
/// assert_eq!(group.count(), 3);
/// assert!(group.wait());
///
/// group.inc();
/// group.add(2);
/// assert!(!group.wait_timeout(std::time::Duration::from_millis(1)));
/// group.dec();
/// group.sub(2);
/// assert!(group.wait()); // Nobody is left.
/// ```
pub struct WaitGroup {
    count: Cell<usize>,
    waiters: RefCell<WaitList>,
}

impl WaitGroup {
    /// A count of zero.
    pub fn new() -> WaitGroup {
        WaitGroup {
            count: Cell::new(0),
            waiters: RefCell::new(WaitList::new()),
        }
    }

    /// Raises the count by one.
    pub fn inc(&self) {
        self.add(1);
    }

    /// Raises the count by `n`.
    pub fn add(&self, n: usize) {
        self.count.set(self.count.get().saturating_add(n));
    }

    /// Lowers the count by one; at zero it stays there. Who comes to zero wakes all who wait.
    pub fn dec(&self) {
        self.sub(1);
    }

    /// Lowers the count by `n`, but not below zero.
    pub fn sub(&self, n: usize) {
        self.count.set(self.count.get().saturating_sub(n));
        if self.count.get() == 0 {
            self.waiters.borrow_mut().wake_all();
        }
    }

    /// Raises the count until what this returns is dropped, however that comes about.
    pub fn enter(self: &Rc<Self>) -> WaitGroupGuard {
        self.inc();
        WaitGroupGuard {
            group: Rc::clone(self),
        }
    }

    /// The count.
    pub fn count(&self) -> usize {
        self.count.get()
    }

    /// Waits until the count is zero; returns at once if it is.
    ///
    /// True, but for a thread that unwinds, when nothing can wait and the count may be above zero.
    pub fn wait(&self) -> bool {
        self.wait_for(None)
    }

    /// As [`wait`](WaitGroup::wait), for at most `timeout`. False if the time was up first.
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.wait_for(Some(timeout))
    }

    fn wait_for(&self, timeout: Option<Duration>) -> bool {
        let reason = Reason::Primitive("a wait group", std::ptr::from_ref(self).addr());
        Runtime::with(|runtime| {
            runtime.spend();
            if self.count.get() == 0 {
                return true;
            }
            let deadline = runtime.deadline(timeout);
            let above_zero = || self.count.get() > 0;
            let ended = runtime.wait_while(&self.waiters, reason, deadline, above_zero);
            ended.is_served()
        })
    }
}

impl Default for WaitGroup {
    fn default() -> WaitGroup {
        WaitGroup::new()
    }
}

impl fmt::Debug for WaitGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitGroup")
            .field("count", &self.count.get())
            .field("waiting", &self.waiters.borrow().parked())
            .finish()
    }
}

/// Counts as one in a [`WaitGroup`] until it is dropped.
///
/// ```
/// let group = std::rc::Rc::new(green::WaitGroup::new());
/// let guard = group.enter();
/// assert_eq!(group.count(), 1);
/// drop(guard);
/// assert_eq!(group.count(), 0);
/// ```
#[derive(Debug)]
#[must_use = "a member that is not kept leaves at once"]
#[doc(alias = "Member")]
pub struct WaitGroupGuard {
    group: Rc<WaitGroup>,
}

impl Drop for WaitGroupGuard {
    fn drop(&mut self) {
        self.group.dec();
    }
}
