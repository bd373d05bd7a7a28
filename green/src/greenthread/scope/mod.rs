//! Greenthreads that borrow from the one that spawns them, and end before it goes on.

mod children;
mod handle;
mod opened;

use std::cell::Cell;
use std::fmt;
use std::io;
use std::panic::{self, AssertUnwindSafe, Location};
use std::rc::Rc;

use greenlet::{Lender, lend};

use super::end::End;
use super::{Builder, Exit, GreenThread, expect};
use crate::runtime::{Runtime, State};

use children::Children;
pub use handle::ScopedGreenThread;
use opened::Opened;
pub(crate) use opened::is_lending;

/// Runs `f`, which may spawn greenthreads that borrow from the caller, and waits for all of them.
///
/// Nothing that was spawned in a scope outlives it, however it ends:
///
/// - `f` has returned: the scope waits for those that still run, and for those that these spawn into it.
/// - One of them panics: the first that does ends the scope. The others are killed, `f` is left from where it waits, as
///   by a [`Timeout`](crate::Timeout), and how the first one ended is the error of the scope. One that is killed ends
///   nothing but itself.
/// - `f` panics, or the caller is killed, or a [`Timeout`](crate::Timeout) around the scope elapses: all are killed,
///   and when they have ended, that goes on.
///
/// Those that are killed unwind, and the scope waits until their destructors have run. As everywhere a kill comes again
/// at the next wait if it is caught, and [`mask`](crate::mask) holds it back: the scope waits for as long as that takes.
/// What is spawned into a scope that is ending never runs.
///
/// ```
/// let mut pages = vec![String::from("a"), String::from("b")];
/// let total = green::scope(|s| {
///     let sizes: Vec<_> = pages
///         .iter_mut()
///         .map(|page| {
///             s.spawn(|| {
///                 page.push_str(" page");
///                 page.len()
///             })
///         })
///         .collect();
///     sizes.into_iter().map(|size| size.join().unwrap()).sum::<usize>()
/// });
/// assert_eq!(total.unwrap(), 12);
/// assert_eq!(pages, ["a page", "b page"]);
/// ```
///
/// The first error ends the scope:
///
/// ```
/// use std::time::Duration;
///
/// let error = green::scope(|s| {
///     s.spawn(|| panic!("no answer"));
///     green::sleep(Duration::from_secs(60));
/// });
/// assert_eq!(error.unwrap_err().to_string(), "the greenthread panicked: no answer");
/// ```
///
/// What is borrowed must outlive the scope, and neither a borrow nor a handle leaves it:
///
/// ```compile_fail,E0373
/// let _ = green::scope(|s| {
///     let inside = String::from("too short");
///     s.spawn(|| println!("{inside}"));
/// });
/// ```
///
/// ```compile_fail,E0597
/// let mut smuggled: Option<&String> = None;
/// {
///     let text = String::from("text");
///     green::scope(|s| { s.spawn(|| smuggled = Some(&text)); }).unwrap();
/// }
/// println!("{smuggled:?}");
/// ```
///
/// ```compile_fail,E0521
/// let mut handle = None;
/// let _ = green::scope(|s| { handle = Some(s.spawn(|| 1)); });
/// ```
///
/// # Errors
/// [`Exit::Panicked`], with the panic of the first greenthread that panicked. [`Exit::raise`] panics with it in the
/// caller.
///
/// [`Exit::Unwinding`], if the thread was unwinding when the scope was opened (it was opened in a destructor): nothing
/// switches then, so what is spawned is cancelled at the end of `f`, and never runs. That is no error if nothing was.
///
/// # Panics
/// With what `f` panics with, unless one of those that it spawned has panicked before: then that is the error.
#[track_caller]
pub fn scope<'env, R>(
    f: impl for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> R,
) -> Result<R, Exit> {
    let children = Rc::new(Children::default());
    let opened = Opened::new(&children);
    let result = lend(|lender| {
        let scope = lender.keep(Scope {
            lender,
            children: &children,
        });
        children.run(|| f(scope))
    });
    drop(opened);
    result
}

/// Spawns greenthreads that borrow: see [`scope`].
///
/// `'scope` is the time in which they may run, `'env` that of what they may borrow from. The scope itself may be used
/// in them.
///
/// ```
/// let words = ["one", "three"];
/// let longest = green::scope(|s| {
///     let lengths = words.map(|word| s.spawn(move || word.len()));
///     lengths.into_iter().map(|length| length.join().unwrap()).max()
/// });
/// assert_eq!(longest.unwrap(), Some(5));
/// ```
pub struct Scope<'scope, 'env: 'scope> {
    lender: &'scope Lender<'scope, 'env>,
    children: &'scope Children,
}

impl<'scope> Scope<'scope, '_> {
    /// Runs `f` in a new greenthread of this scope. As [`spawn`](crate::spawn), but `f` and its value may borrow.
    ///
    /// If the scope is ending, `f` is dropped, and [`join`](ScopedGreenThread::join) says [`Exit::Cancelled`].
    ///
    /// # Panics
    /// As [`spawn`](crate::spawn); [`Builder::spawn_scoped`] returns an error instead.
    ///
    /// ```
    /// let log = std::cell::RefCell::new(Vec::new());
    /// green::scope(|s| {
    ///     s.spawn(|| {
    ///         log.borrow_mut().push("child");
    ///         s.spawn(|| log.borrow_mut().push("its sibling"));
    ///     });
    /// })?;
    /// assert_eq!(*log.borrow(), ["child", "its sibling"]);
    /// # Ok::<(), green::Exit>(())
    /// ```
    #[track_caller]
    pub fn spawn<T: 'scope>(
        &'scope self,
        f: impl FnOnce() -> T + 'scope,
    ) -> ScopedGreenThread<'scope, T> {
        expect(Builder::new().spawn_scoped(self, f))
    }

    /// Kills those of the scope that have not ended, as [`killall`](crate::killall) does. The scope itself goes on, and
    /// more can be spawned.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let first = green::scope(|s| {
    ///     let queue = std::rc::Rc::new(green::Queue::bounded(1));
    ///     for n in [20, 1, 30] {
    ///         let queue = std::rc::Rc::clone(&queue);
    ///         s.spawn(move || {
    ///             green::sleep(Duration::from_millis(n));
    ///             queue.put(n)
    ///         });
    ///     }
    ///     let first = queue.get();
    ///     s.killall();
    ///     first
    /// });
    /// assert_eq!(first.unwrap(), Ok(1));
    /// ```
    pub fn killall(&self) {
        let tasks = self.children.left();
        Runtime::with(|runtime| runtime.kill_all(&tasks));
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("left", &self.children.left().len())
            .field("ending", &self.children.ending.get())
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// Spawns `f` into a scope. See [`Scope::spawn`].
    ///
    /// # Errors
    /// As [`Builder::spawn`].
    ///
    /// ```
    /// let n = 3;
    /// let name = green::scope(|s| {
    ///     let gt = green::Builder::new().name("parser").spawn_scoped(s, || n)?;
    ///     Ok::<_, std::io::Error>(gt.as_any().name())
    /// });
    /// assert_eq!(name.unwrap()?.as_deref(), Some("parser"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn spawn_scoped<'scope, T: 'scope>(
        self,
        scope: &'scope Scope<'scope, '_>,
        f: impl FnOnce() -> T + 'scope,
    ) -> io::Result<ScopedGreenThread<'scope, T>> {
        let value = Rc::new(Cell::new(None));
        let loan = scope.lender.lend({
            let value = Rc::clone(&value);
            let children = scope.children;
            move || {
                let run = move || value.set(Some(f()));
                let ended = panic::catch_unwind(AssertUnwindSafe(run)).map_err(Exit::of);
                if let Err(exit) = &ended {
                    children.note(exit);
                }
                ended
            }
        });
        let spawned_at = Location::caller();
        let task = Runtime::with(|runtime| {
            runtime.spawn(self.stack_size, spawned_at, State::Fresh, |task| {
                let end = End(Rc::clone(task));
                // Nothing of the scope is used after the call.
                move || {
                    let ended = loan.call();
                    end.complete(ended.map(|()| Box::new(()) as _));
                }
            })
        })?;
        if self.name.is_some() {
            *task.extra().name.borrow_mut() = self.name;
        }
        scope.children.add(&task);
        Ok(ScopedGreenThread::new(GreenThread::new(task), value))
    }
}
