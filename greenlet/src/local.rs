//! Data of each greenlet's own.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use crate::block::Ptr;
use crate::thread::enter;

/// A static of which each greenlet has its own value.
///
/// A greenlet begins without one: it is made when the greenlet first asks for it, and dropped when the greenlet ends, on
/// its own stack. Nothing is inherited. Those of a main greenlet are dropped when its thread ends.
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

/// The values of a greenlet, by the addresses of their statics.
pub(crate) type Values = Vec<(usize, Rc<dyn Any>)>;

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
                let mut values = me.locals.take().unwrap_or_default();
                values.push((self.key(), value.clone()));
                me.locals.set(Some(values));
                value
            })
        });
        f(&value)
    }

    fn key(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    fn find(&self, greenlet: Ptr) -> Option<Rc<T>> {
        let values = greenlet.locals.take()?;
        let known = values.iter().find(|(key, _)| *key == self.key());
        let value = known.and_then(|(_, value)| value.clone().downcast().ok());
        greenlet.locals.set(Some(values));
        value
    }
}

/// Drops the values of a greenlet that ends, and those that their destructors have made, the last first.
#[cold]
pub(crate) fn clear(greenlet: Ptr) {
    for _ in 0..8 {
        let Some(mut values) = greenlet.locals.take() else {
            return;
        };
        while let Some(value) = values.pop() {
            // A panic has been reported, and the greenlet's outcome is known already.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(value)));
        }
    }
}

impl<T: 'static> fmt::Debug for Local<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").finish_non_exhaustive()
    }
}
