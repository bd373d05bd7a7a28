//! Values of one thread for libraries that ask for `Send`.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use slab::Slab;

use crate::runtime::{Runtime, ThreadState};

/// A value of this thread that is `Send` and `Sync`: it may travel, and is used where it was made alone.
///
/// Some async libraries want streams that are `Send`, since some executors move tasks between threads. green's
/// sockets belong to a thread and its hub. In this wrapper they satisfy the compiler, and the thread is checked at
/// run time: it has the I/O traits of the stream in it, and in another thread each of their calls is an error.
///
/// The value stays in its thread whatever becomes of this. Dropped in another thread, it is dropped when its own next
/// makes or uses one of these, or ends.
///
/// ```
/// use green::future::ThreadBound;
/// use green::net::UnixStream;
///
/// let (near, _far) = UnixStream::pair()?;
/// let near = ThreadBound::new(near);
/// assert!(near.with(|near| near.peer_addr().is_ok()));
/// let there = std::thread::spawn(move || {
///     assert!(!near.is_here());
///     near
/// });
/// let near = there.join().unwrap();
/// assert!(near.is_here());
/// let near: UnixStream = near.into_inner();
/// assert!(near.peer_addr().is_ok());
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct ThreadBound<T> {
    home: Arc<Home>,
    key: usize,
    value: PhantomData<fn() -> T>,
}

/// What other threads may know of a thread.
struct Home {
    /// See `Runtime::serial`.
    serial: u64,
    /// The places of those that were dropped elsewhere.
    dropped: Mutex<Vec<usize>>,
}

impl Home {
    /// Nothing that can panic runs under this lock, so poison means nothing.
    fn dropped(&self) -> MutexGuard<'_, Vec<usize>> {
        self.dropped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The values of a thread that are in such wrappers. Each is a `RefCell<T>`.
#[derive(Default)]
struct Bound {
    home: RefCell<Option<Arc<Home>>>,
    values: RefCell<Slab<Rc<dyn Any>>>,
}

impl ThreadState for Bound {
    fn at_end(&self) {
        drop(self.values.take());
    }
}

impl Bound {
    /// Drops what was dropped elsewhere.
    fn sweep(&self, home: &Home) {
        let dropped = std::mem::take(&mut *home.dropped());
        for key in dropped {
            let value = self.values.borrow_mut().try_remove(key);
            drop(value);
        }
    }

    fn home(&self, runtime: &Runtime) -> Arc<Home> {
        let mut home = self.home.borrow_mut();
        let home = home.get_or_insert_with(|| {
            Arc::new(Home {
                serial: runtime.serial(),
                dropped: Mutex::default(),
            })
        });
        Arc::clone(home)
    }
}

impl<T: 'static> ThreadBound<T> {
    /// Keeps `value` in this thread.
    pub fn new(value: T) -> ThreadBound<T> {
        Runtime::with(|runtime| {
            let bound = runtime.state::<Bound>();
            let home = bound.home(runtime);
            bound.sweep(&home);
            let value: Rc<dyn Any> = Rc::new(RefCell::new(value));
            let key = bound.values.borrow_mut().insert(value);
            ThreadBound {
                home,
                key,
                value: PhantomData,
            }
        })
    }

    /// True if the calling thread is the one that has the value.
    pub fn is_here(&self) -> bool {
        Runtime::with(Runtime::serial) == self.home.serial
    }

    /// Runs `f` on the value.
    ///
    /// # Panics
    /// In another thread than the value's, and inside another call of this for the same value.
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        match self.try_with(f) {
            Ok(result) => result,
            Err(error) => panic!("{error}"),
        }
    }

    /// As `with`.
    ///
    /// # Errors
    /// Where `with` panics: `PermissionDenied` in another thread, `ResourceBusy` inside another call.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use green::future::ThreadBound;
    ///
    /// let number = ThreadBound::new(1);
    /// assert_eq!(number.try_with(|number| *number)?, 1);
    /// let there = std::thread::spawn(move || number.try_with(|_| ()).unwrap_err().kind());
    /// assert_eq!(there.join().unwrap(), ErrorKind::PermissionDenied);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn try_with<R>(&self, f: impl FnOnce(&mut T) -> R) -> io::Result<R> {
        let value = self.value()?;
        let Ok(mut value) = value.try_borrow_mut() else {
            return Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                "a value bound to its thread is in use already",
            ));
        };
        Ok(f(&mut value))
    }

    /// Gives the value back.
    ///
    /// # Panics
    /// As [`with`](Self::with).
    pub fn into_inner(self) -> T {
        let value = match self.value() {
            Ok(value) => value,
            Err(error) => panic!("{error}"),
        };
        // The thread's share of it goes.
        drop(self);
        match Rc::into_inner(value) {
            Some(value) => value.into_inner(),
            None => panic!("a value bound to its thread is in use"),
        }
    }

    fn value(&self) -> io::Result<Rc<RefCell<T>>> {
        let value = Runtime::with(|runtime| {
            if runtime.serial() != self.home.serial {
                return None;
            }
            let bound = runtime.existing_state::<Bound>()?;
            bound.sweep(&self.home);
            let value = bound.values.borrow().get(self.key).cloned();
            value?.downcast().ok()
        });
        value.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::PermissionDenied,
                "a value bound to its thread is used in another one",
            )
        })
    }
}

impl<T> Drop for ThreadBound<T> {
    fn drop(&mut self) {
        let here = Runtime::existing(|runtime| {
            let here = runtime.serial() == self.home.serial;
            if here && let Some(bound) = runtime.existing_state::<Bound>() {
                let value = bound.values.borrow_mut().try_remove(self.key);
                drop(value);
            }
            here
        });
        if here != Some(true) {
            self.home.dropped().push(self.key);
        }
    }
}

impl<T> fmt::Debug for ThreadBound<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadBound").finish_non_exhaustive()
    }
}
