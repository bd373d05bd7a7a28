//! Data of each greenlet's own.

use std::fmt;
use std::rc::Rc;

use crate::block::Ptr;
use crate::thread::thread;
use crate::thread_end::{ThreadEnd, at_thread_end, enter};

/// A static of which each greenlet has its own value.
///
/// A greenlet begins without one: it is made when the greenlet first asks for it, and dropped when the greenlet ends, on
/// its own stack. Nothing is inherited. Those of a main greenlet are dropped when its thread ends.
///
/// What makes the value may wait, and so may the closure of [`with`](Local::with), which keeps the value alive. Neither is
/// true of a `thread_local!`: if two greenlets of one thread meet in its initialiser, std drops the value that the first
/// of them borrows, which is undefined behaviour and cannot be caught. So an initialiser of a `thread_local!` that has a
/// destructor must not switch.
///
/// ```
/// use std::cell::Cell;
/// use greenlet::{Greenlet, Local};
///
/// static DEPTH: Local<Cell<u32>> = Local::new(|| Cell::new(0));
///
/// DEPTH.with(|depth| depth.set(5));
/// let other = Greenlet::new(|()| DEPTH.with(Cell::get));
/// assert_eq!(other.switch(()), Ok(0));
/// assert_eq!(DEPTH.with(Cell::get), 5);
/// ```
pub struct Local<T: 'static> {
    make: fn() -> T,
}

impl<T: 'static> Local<T> {
    /// A static whose values are made by `make`.
    pub const fn new(make: fn() -> T) -> Local<T> {
        Local { make }
    }

    /// Calls `f` with the value of the running greenlet.
    ///
    /// `f` may use other statics, and this one, and may switch.
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        let me = enter().current();
        let value = self.find(me).unwrap_or_else(|| {
            let value = Rc::new((self.make)());
            // Looked for again: `make` may have used this static.
            self.find(me).unwrap_or_else(|| {
                self.put(me, value.clone());
                value
            })
        });
        f(&value)
    }

    #[cold]
    fn put(&self, greenlet: Ptr, value: Rc<T>) {
        let values = greenlet.values.take();
        if values.is_none() && greenlet.stack.is_none() {
            at_thread_end(drop_values_of_main);
        }
        let mut values = values.unwrap_or_default();
        values.push((self.key(), value));
        greenlet.values.set(Some(values));
    }

    fn key(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    fn find(&self, greenlet: Ptr) -> Option<Rc<T>> {
        let values = greenlet.values.take()?;
        let known = values.iter().find(|(key, _)| *key == self.key());
        let value = known.and_then(|(_, value)| value.clone().downcast().ok());
        greenlet.values.set(Some(values));
        value
    }
}

/// Drops the values of the main greenlet, which has no end but that of its thread.
fn drop_values_of_main(end: ThreadEnd) {
    if end == ThreadEnd::Unwind {
        thread().main().drop_values();
    }
}

impl<T: 'static> fmt::Debug for Local<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").finish_non_exhaustive()
    }
}
