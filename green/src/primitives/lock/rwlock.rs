//! A value for many readers or one writer.

use std::cell::{Ref, RefCell, RefMut};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::time::Duration;

use super::owner::Owner;
use crate::Unwinding;
use crate::runtime::{Here, Reason, Runtime, Wait, WaitList, Waiting, Why};

/// A value that many greenthreads read at a time, or one writes.
///
/// Readers and writers go in the order in which they came: a reader that comes after a waiting writer waits behind it,
/// so neither side starves the other. (So one that reads must not ask to read again: a writer may have come in between,
/// and each would wait for the other.) It is never poisoned.
///
/// ```
/// use green::lock::RwLock;
///
/// let lock = RwLock::new(1);
/// {
///     let (one, two) = (lock.read().unwrap(), lock.read().unwrap());
///     assert_eq!(*one + *two, 2);
///     assert!(lock.try_write().is_none());
/// }
/// *lock.write().unwrap() = 2;
/// assert_eq!(*lock.read().unwrap(), 2);
/// ```
///
/// Without a wait, or with a bounded one:
///
/// ```
/// use std::time::Duration;
/// use green::lock::RwLock;
///
/// let mut lock = RwLock::new(1);
/// let moment = Duration::from_millis(1);
/// {
///     let _reader = lock.try_read().unwrap();
///     assert!(lock.read_timeout(moment).is_some());
///     assert!(lock.write_timeout(moment).is_none());
/// }
/// *lock.get_mut() += 1; // Whoever owns it needs no lock.
/// assert_eq!(lock.into_inner(), 2);
/// ```
pub struct RwLock<T: ?Sized> {
    state: RefCell<Holders>,
    /// Borrowed only as the state allows.
    value: RefCell<T>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

#[derive(Debug)]
struct Holders {
    readers: usize,
    writing: bool,
    /// The writer. Reports do not name readers, who may be many.
    owner: Rc<Owner>,
    waiters: WaitList<Access>,
}

impl Holders {
    fn is_open_for(&self, access: Access) -> bool {
        !self.writing && (access == Access::Read || self.readers == 0)
    }

    fn enter(&mut self, access: Access) {
        match access {
            Access::Read => self.readers += 1,
            Access::Write => self.writing = true,
        }
    }

    /// Enters, if that overtakes nobody.
    fn try_enter(&mut self, access: Access) -> bool {
        let open = self.is_open_for(access) && self.waiters.peek().is_none();
        if open {
            self.enter(access);
        }
        open
    }

    fn leave(&mut self, access: Access) {
        match access {
            Access::Read => self.readers -= 1,
            Access::Write => {
                self.writing = false;
                self.owner.set(None);
            }
        }
        self.admit();
    }

    /// Lets in those who wait, in order, for as long as they can be together.
    fn admit(&mut self) {
        while let Some(&access) = self.waiters.peek()
            && self.is_open_for(access)
            && let Some((waiter, _)) = self.waiters.pop()
        {
            self.enter(access);
            Waiting::wake(&waiter);
        }
    }
}

/// A place among the readers, or that of the writer.
struct Entry<'a> {
    state: &'a RefCell<Holders>,
    access: Access,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.state.borrow_mut().leave(self.access);
    }
}

impl<T> RwLock<T> {
    /// A lock around `value`, free.
    pub fn new(value: T) -> RwLock<T> {
        RwLock {
            state: RefCell::new(Holders {
                readers: 0,
                writing: false,
                owner: Rc::default(),
                waiters: WaitList::new(),
            }),
            value: RefCell::new(value),
        }
    }

    /// The value.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits until nobody writes, and all who came before have had their turn.
    ///
    /// # Errors
    /// If it would have to wait and the thread unwinds: nothing can wait then.
    pub fn read(&self) -> Result<ReadGuard<'_, T>, Unwinding> {
        self.enter(Access::Read, None)
            .map(|entry| self.reader(entry))
            .ok_or(Unwinding)
    }

    /// Takes the value for reading, if nobody writes or waits.
    pub fn try_read(&self) -> Option<ReadGuard<'_, T>> {
        self.try_enter(Access::Read).map(|entry| self.reader(entry))
    }

    /// As [`read`](RwLock::read), for at most `timeout`. `None` says that the time was up first, or that the thread
    /// unwinds.
    pub fn read_timeout(&self, timeout: Duration) -> Option<ReadGuard<'_, T>> {
        let entry = self.enter(Access::Read, Some(timeout));
        entry.map(|entry| self.reader(entry))
    }

    /// Waits until nobody reads or writes, and all who came before have had their turn.
    ///
    /// # Errors
    /// As [`read`](RwLock::read).
    pub fn write(&self) -> Result<WriteGuard<'_, T>, Unwinding> {
        self.enter(Access::Write, None)
            .map(|entry| self.writer(entry))
            .ok_or(Unwinding)
    }

    /// Takes the value for writing, if nobody reads, writes or waits.
    pub fn try_write(&self) -> Option<WriteGuard<'_, T>> {
        self.try_enter(Access::Write)
            .map(|entry| self.writer(entry))
    }

    /// As [`write`](RwLock::write), for at most `timeout`. `None` says that the time was up first, or that the thread
    /// unwinds.
    pub fn write_timeout(&self, timeout: Duration) -> Option<WriteGuard<'_, T>> {
        let entry = self.enter(Access::Write, Some(timeout));
        entry.map(|entry| self.writer(entry))
    }

    /// The value, without a lock: nobody else can have it.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    fn reader<'a>(&'a self, entry: Entry<'a>) -> ReadGuard<'a, T> {
        ReadGuard {
            value: self.value.borrow(),
            _entry: entry,
        }
    }

    fn writer<'a>(&'a self, entry: Entry<'a>) -> WriteGuard<'a, T> {
        WriteGuard {
            value: self.value.borrow_mut(),
            _entry: entry,
        }
    }

    fn entry(&self, access: Access) -> Entry<'_> {
        if access == Access::Write {
            self.state.borrow().owner.enter();
        }
        Entry {
            state: &self.state,
            access,
        }
    }

    fn try_enter(&self, access: Access) -> Option<Entry<'_>> {
        let entered = self.state.borrow_mut().try_enter(access);
        entered.then(|| self.entry(access))
    }

    fn enter(&self, access: Access, timeout: Option<Duration>) -> Option<Entry<'_>> {
        Runtime::with(Runtime::spend);
        if let Some(entry) = self.try_enter(access) {
            return Some(entry);
        }
        let reason = Reason::Primitive(
            match access {
                Access::Read => "a read lock",
                Access::Write => "a write lock",
            },
            std::ptr::from_ref(&self.state).addr(),
        );
        let owner = Rc::clone(&self.state.borrow().owner);
        Runtime::with(|runtime| {
            let deadline = runtime.deadline(timeout);
            let wait = || {
                runtime.wait::<Here, _, _>(Wait {
                    reason,
                    deadline,
                    enter: |waiter| {
                        let mut state = self.state.borrow_mut();
                        (!state.try_enter(access)).then(|| state.waiters.push(waiter, access))
                    },
                    leave: |place| {
                        let mut state = self.state.borrow_mut();
                        let left = state.waiters.leave(place)?;
                        // It may have been in the way of others.
                        state.admit();
                        Some(left)
                    },
                    pass_on: || self.state.borrow_mut().leave(access),
                })
            };
            let ended = owner.blocking(|| {
                loop {
                    match wait().served() {
                        Err(Why::Again) => {}
                        ended => return ended,
                    }
                }
            });
            ended.is_ok().then(|| self.entry(access))
        })
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> RwLock<T> {
        RwLock::new(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> RwLock<T> {
        RwLock::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("RwLock");
        // The value's own code may wait: so it is locked, and who wants to write waits.
        match self.try_read() {
            Some(value) => out.field("value", &&*value),
            None => out.field("value", &format_args!("<locked>")),
        };
        out.finish()
    }
}

/// The value of a [`RwLock`] for reading, for as long as this lives.
///
/// ```
/// let lock = green::lock::RwLock::new(5);
/// let (one, other) = (lock.read().unwrap(), lock.read().unwrap());
/// assert_eq!(*one + *other, 10);
/// ```
#[must_use = "a lock whose guard is not kept is free at once"]
pub struct ReadGuard<'a, T: ?Sized> {
    value: Ref<'a, T>,
    /// Dropped after the borrow.
    _entry: Entry<'a>,
}

impl<T: ?Sized> Deref for ReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for ReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// The value of a [`RwLock`] for writing, for as long as this lives.
///
/// ```
/// let lock = green::lock::RwLock::new(5);
/// *lock.write().unwrap() += 1;
/// assert_eq!(lock.into_inner(), 6);
/// ```
#[must_use = "a lock whose guard is not kept is free at once"]
pub struct WriteGuard<'a, T: ?Sized> {
    value: RefMut<'a, T>,
    /// Dropped after the borrow.
    _entry: Entry<'a>,
}

impl<T: ?Sized> Deref for WriteGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: ?Sized> DerefMut for WriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for WriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
