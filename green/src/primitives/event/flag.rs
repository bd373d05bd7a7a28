//! A flag that can be waited for.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::time::Duration;

use crate::runtime::{Reason, Runtime, WaitList};

/// On or off; greenthreads wait until it is on.
///
/// ```
/// use std::rc::Rc;
/// use green::Flag;
///
/// let ready = Rc::new(Flag::new());
/// let other = Rc::clone(&ready);
/// green::spawn_n(move || other.set());
/// assert!(ready.wait());
/// assert!(ready.is_set());
/// ready.clear();
/// assert!(!ready.is_set());
/// ```
pub struct Flag {
    on: Cell<bool>,
    waiters: RefCell<WaitList>,
}

impl Flag {
    /// A flag that is off.
    pub fn new() -> Flag {
        Flag {
            on: Cell::new(false),
            waiters: RefCell::new(WaitList::new()),
        }
    }

    /// Puts it on and wakes all who wait, in the order in which they came. It never switches.
    pub fn set(&self) {
        self.on.set(true);
        self.waiters.borrow_mut().wake_all();
    }

    /// Puts it off. Those whom `set` has woken go on all the same.
    pub fn clear(&self) {
        self.on.set(false);
    }

    /// True if it is on.
    pub fn is_set(&self) -> bool {
        self.on.get()
    }

    /// Waits until it is on; returns at once if it is.
    ///
    /// True, but for a thread that unwinds, when nothing can wait and the flag may be off.
    pub fn wait(&self) -> bool {
        self.wait_for(None)
    }

    /// As [`wait`](Self::wait), for at most `timeout`. False if the time was up first.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// assert!(!green::Flag::new().wait_timeout(Duration::from_millis(1)));
    /// ```
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.wait_for(Some(timeout))
    }

    fn wait_for(&self, timeout: Option<Duration>) -> bool {
        let reason = Reason::Primitive("a flag", std::ptr::from_ref(self).addr());
        Runtime::with(|runtime| {
            runtime.spend();
            if self.is_set() {
                return true;
            }
            let deadline = runtime.deadline(timeout);
            let is_off = || !self.is_set();
            let ended = runtime.wait_while(&self.waiters, reason, deadline, is_off);
            ended.is_served()
        })
    }
}

impl Default for Flag {
    fn default() -> Flag {
        Flag::new()
    }
}

impl fmt::Debug for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flag")
            .field("on", &self.on.get())
            .field("waiting", &self.waiters.borrow().parked())
            .finish()
    }
}
