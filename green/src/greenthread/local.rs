//! Values of which each greenthread has its own: [`corolocal!`](crate::corolocal).

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use crate::runtime::{Runtime, Task, TaskState, contain};

/// Declares statics of which each greenthread has a value of its own, as `thread_local!` does for OS threads.
///
/// The value is made when a greenthread first asks for it, and dropped when that greenthread ends. Nothing is inherited
/// from the spawner.
///
/// What makes the value may wait. The initialiser of a `thread_local!` that has a destructor must not: if two
/// greenthreads meet in it, std drops the value that the first one borrows, which is undefined behaviour that green cannot
/// catch.
///
/// ```
/// use std::cell::Cell;
///
/// green::corolocal! {
///     static REQUESTS: Cell<u32> = Cell::new(0);
/// }
/// REQUESTS.set(5);
/// let inner = green::spawn(|| {
///     REQUESTS.set(REQUESTS.get() + 1);
///     REQUESTS.get()
/// });
/// assert_eq!(inner.join().unwrap(), 1);
/// assert_eq!(REQUESTS.get(), 5);
/// ```
#[macro_export]
macro_rules! corolocal {
    () => {};
    ($(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty = $init:expr; $($rest:tt)*) => {
        $crate::corolocal!($(#[$attribute])* $visibility static $name: $type = $init);
        $crate::corolocal!($($rest)*);
    };
    ($(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty = $init:expr) => {
        $(#[$attribute])*
        $visibility static $name: $crate::LocalKey<$type> = $crate::LocalKey::new(stringify!($name), || $init);
    };
}

/// The values of one static of [`corolocal!`](crate::corolocal).
///
/// ```
/// use std::cell::RefCell;
///
/// green::corolocal! {
///     static WORDS: RefCell<Vec<&'static str>> = RefCell::default();
/// }
/// WORDS.with_borrow_mut(|words| words.push("here"));
/// assert_eq!(WORDS.take(), ["here"]);
/// ```
///
/// All of its short ways:
///
/// ```
/// use std::cell::{Cell, RefCell};
///
/// green::corolocal! {
///     static COUNT: Cell<u32> = Cell::new(1);
///     static WORDS: RefCell<Vec<&'static str>> = RefCell::default();
/// }
/// COUNT.set(COUNT.get() + 1);
/// assert_eq!((COUNT.replace(5), COUNT.with(Cell::get)), (2, 5));
/// WORDS.set(vec!["one"]);
/// assert_eq!(WORDS.replace(Vec::new()), ["one"]);
/// assert!(WORDS.with_borrow(Vec::is_empty));
/// ```
pub struct LocalKey<T: 'static> {
    /// What its static is called, for dumps.
    name: &'static str,
    init: fn() -> T,
}

/// In the place of a value that is being made.
struct Making;

/// One greenthread's value of one key.
struct Value {
    key: usize,
    name: &'static str,
    value: Rc<dyn Any>,
}

/// The values of one greenthread.
#[derive(Default)]
struct Locals(RefCell<Vec<Value>>);

/// The names of the values that a greenthread has made.
pub(crate) fn names(task: &Task) -> Vec<&'static str> {
    let locals = task.existing_state_of::<Locals>();
    locals.map_or_else(Vec::new, |locals| {
        let values = locals.0.borrow();
        values.iter().map(|value| value.name).collect()
    })
}

impl<T: 'static> LocalKey<T> {
    #[doc(hidden)]
    pub const fn new(name: &'static str, init: fn() -> T) -> LocalKey<T> {
        LocalKey { name, init }
    }

    /// Runs `f` on the current greenthread's value, which is made first if there is none.
    ///
    /// # Panics
    /// If called by the code that makes the value.
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        let task = Runtime::with(Runtime::current);
        let value = self.find(&task).unwrap_or_else(|| self.make(&task));
        match value.downcast::<T>() {
            Ok(value) => f(&value),
            Err(_) => {
                panic!("the initialiser of a corolocal asks for the value that it is to make")
            }
        }
    }

    fn key(&'static self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    fn find(&'static self, task: &Task) -> Option<Rc<dyn Any>> {
        let locals = task.existing_state_of::<Locals>()?;
        let values = locals.0.borrow();
        let local = values.iter().find(|local| local.key == self.key())?;
        Some(Rc::clone(&local.value))
    }

    #[cold]
    fn make(&'static self, task: &Task) -> Rc<dyn Any> {
        /// Takes the mark out again, also if the initialiser unwinds.
        struct Unmark<'a>(&'a Locals, usize);
        impl Drop for Unmark<'_> {
            fn drop(&mut self) {
                self.0.0.borrow_mut().retain(|local| local.key != self.1);
            }
        }
        let local = |value| Value {
            key: self.key(),
            name: self.name,
            value,
        };
        let locals = task.state_of::<Locals>();
        locals.0.borrow_mut().push(local(Rc::new(Making)));
        let unmark = Unmark(&locals, self.key());
        let value: Rc<dyn Any> = Rc::new((self.init)());
        drop(unmark);
        let local = local(Rc::clone(&value));
        locals.0.borrow_mut().push(local);
        value
    }
}

impl<T: 'static> LocalKey<Cell<T>> {
    /// A copy of the value.
    pub fn get(&'static self) -> T
    where
        T: Copy,
    {
        self.with(Cell::get)
    }

    /// Puts `value` in the place of the present one.
    pub fn set(&'static self, value: T) {
        self.with(|cell| cell.set(value));
    }

    /// Takes the value and leaves the default one.
    pub fn take(&'static self) -> T
    where
        T: Default,
    {
        self.with(Cell::take)
    }

    /// Puts `value` in the place of the present one, which it gives.
    pub fn replace(&'static self, value: T) -> T {
        self.with(|cell| cell.replace(value))
    }
}

impl<T: 'static> LocalKey<RefCell<T>> {
    /// Runs `f` on the borrowed value.
    ///
    /// # Panics
    /// If the value is mutably borrowed.
    pub fn with_borrow<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        self.with(|cell| f(&cell.borrow()))
    }

    /// Runs `f` on the mutably borrowed value.
    ///
    /// # Panics
    /// If the value is borrowed.
    pub fn with_borrow_mut<R>(&'static self, f: impl FnOnce(&mut T) -> R) -> R {
        self.with(|cell| f(&mut cell.borrow_mut()))
    }

    /// Puts `value` in the place of the present one.
    ///
    /// # Panics
    /// If the value is borrowed.
    pub fn set(&'static self, value: T) {
        drop(self.replace(value));
    }

    /// Takes the value and leaves the default one.
    ///
    /// # Panics
    /// If the value is borrowed.
    pub fn take(&'static self) -> T
    where
        T: Default,
    {
        self.with(RefCell::take)
    }

    /// Puts `value` in the place of the present one, which it gives.
    ///
    /// # Panics
    /// If the value is borrowed.
    pub fn replace(&'static self, value: T) -> T {
        self.with(|cell| cell.replace(value))
    }
}

impl<T> fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey").finish_non_exhaustive()
    }
}

/// A number that stands for the current greenthread: the same for as long as it lives, and no other's in this OS
/// thread. It is [`current`](crate::current)'s id.
///
/// ```
/// let other = green::spawn(green::current_id).join().unwrap();
/// assert_ne!(other, green::current_id());
/// ```
#[doc(alias = "get_ident")]
pub fn current_id() -> u64 {
    crate::current().id()
}

/// How many values are dropped at the end of one greenthread: destructors may make values anew.
const MOST: usize = 10_000;

impl TaskState for Locals {
    /// Drops the values, the last made as the first.
    fn at_end(&self, task: &Task) {
        for _ in 0..MOST {
            let Some(local) = self.0.borrow_mut().pop() else {
                return;
            };
            contain("the destructor of a corolocal", || drop(local));
        }
        log::error!(
            "the destructors of greenthread {}'s corolocals make more and more of them",
            task.id
        );
        std::mem::forget(self.0.take());
    }
}
