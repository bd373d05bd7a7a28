//! Generators: iterators whose body is an ordinary function that gives its values from any depth of calls.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

use crate::block::Ptr;
use crate::greenlet::Greenlet;
use crate::handle::AnyGreenlet;
use crate::thread::thread;
use crate::thread_end::enter;

/// An iterator over what a function gives while it runs on a stack of its own.
///
/// ```
/// use greenlet::{Generator, Yielder};
///
/// fn walk(y: &Yielder<u32>, n: u32) {
///     if n > 0 {
///         walk(y, n / 2);
///         y.give(n);
///     }
/// }
///
/// let halves = Generator::new(|y| walk(y, 10));
/// assert_eq!(halves.collect::<Vec<_>>(), [1, 2, 5, 10]);
/// ```
///
/// A panic of the function is raised in the [`next`](Iterator::next) that meets it. Dropping the generator unwinds the
/// function where it gave its last value.
///
/// While the thread unwinds from a panic, no switch is possible, and `next` returns `None` without any effect.
pub struct Generator<T: 'static> {
    greenlet: Greenlet<(), Option<T>>,
}

/// What the function of a [`Generator`] gives its values to.
///
/// It is only lent, so a value cannot be given at the wrong level: by a generator inside the generator, or when the
/// function is over.
///
/// ```compile_fail
/// use greenlet::Generator;
///
/// let outer = Generator::new(|y| {
///     let inner = Generator::<u32>::new(|_| y.give(1));
///     inner.for_each(drop);
/// });
/// outer.for_each(drop);
/// ```
///
/// ```
/// use greenlet::{Generator, Yielder};
///
/// fn count_down(y: &Yielder<u32>, from: u32) {
///     (1..=from).rev().for_each(|n| y.give(n)); // From within another call.
/// }
/// let numbers = Generator::new(|y| count_down(y, 3));
/// assert_eq!(numbers.collect::<Vec<_>>(), [3, 2, 1]);
/// ```
pub struct Yielder<T: 'static> {
    greenlet: Ptr,
    values: PhantomData<Cell<T>>,
}

impl<T: 'static> Generator<T> {
    /// A generator that will run `body`. Nothing runs before the first `next`.
    ///
    /// # Panics
    /// If no stack can be had.
    #[track_caller]
    pub fn new(body: impl FnOnce(&Yielder<T>) + 'static) -> Generator<T> {
        let greenlet = Greenlet::new(move |()| {
            body(&Yielder {
                greenlet: thread().current(),
                values: PhantomData,
            });
            None
        });
        Generator { greenlet }
    }

    /// The greenlet that the function runs in.
    ///
    /// ```
    /// let mut numbers = greenlet::Generator::new(|y| (0..2).for_each(|n| y.give(n)));
    /// assert!(!numbers.as_greenlet().is_started());
    /// assert_eq!(numbers.by_ref().count(), 2);
    /// assert!(numbers.as_greenlet().is_dead());
    /// ```
    pub fn as_greenlet(&self) -> &AnyGreenlet {
        self.greenlet.as_any()
    }
}

impl<T: 'static> Iterator for Generator<T> {
    type Item = T;

    /// Runs the function until it gives a value or returns.
    ///
    /// # Panics
    /// With what the function panics with; also if the function asks its own generator.
    #[inline]
    fn next(&mut self) -> Option<T> {
        let greenlet = self.greenlet.as_any();
        if greenlet.is_dead() {
            return None;
        }
        // The one who asks is the one who gets the value, the end and the panic.
        let me = enter().current();
        if greenlet.ptr().parent.get() != Some(me) {
            adopt(greenlet, me);
        }
        self.greenlet.switch(()).ok().flatten()
    }
}

#[cold]
fn adopt(generator: &AnyGreenlet, me: Ptr) {
    if generator.set_parent(&AnyGreenlet::new(me)).is_err() {
        panic!("{generator} was asked for a value from within");
    }
}

impl<T: 'static> Yielder<T> {
    /// Makes `value` the result of the pending [`next`](Iterator::next), and waits for the one after.
    ///
    /// While the thread unwinds from a panic, nothing can be given: the value is dropped.
    ///
    /// # Panics
    /// Raises the exit that ends the function when the generator is dropped.
    #[inline]
    pub fn give(&self, value: T) {
        if let Some(parent) = self.greenlet.parent.get() {
            // Neither error concerns the function: an exit is that of a child of its own.
            let _ = AnyGreenlet::new(parent).switch_into::<Option<T>, ()>(Some(value));
        }
    }
}

impl<T: 'static> fmt::Debug for Generator<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Generator")
            .field(self.as_greenlet())
            .finish()
    }
}

impl<T: 'static> fmt::Debug for Yielder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Yielder({})", self.greenlet)
    }
}
