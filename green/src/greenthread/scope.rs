//! Greenthreads that borrow from the one that spawns them, and end before it goes on.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::panic::{self, AssertUnwindSafe, Location};
use std::rc::Rc;

use greenlet::{GreenletExit, Lender, lend};

use super::end::End;
use super::join::{Joined, join_as_part};
use super::{AnyGreenThread, Builder, Exit, GreenThread, expect};
use crate::greenthread::timeout::{Stop, stoppable};
use crate::runtime::{Runtime, State, Task, TaskState, contain, is_control};

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
        Ok(ScopedGreenThread {
            gt: GreenThread::new(task),
            value,
            scope: PhantomData,
        })
    }
}

/// A greenthread that was spawned in a [`scope`].
///
/// Dropping it detaches: the greenthread runs on, and the scope waits for it.
pub struct ScopedGreenThread<'scope, T> {
    gt: GreenThread<()>,
    value: Rc<Cell<Option<T>>>,
    scope: PhantomData<&'scope ()>,
}

impl<T> ScopedGreenThread<'_, T> {
    /// Waits for the end and takes the value.
    ///
    /// # Errors
    /// As [`GreenThread::join`]. A panic ends the scope: then this does not return, as the caller is left from where it
    /// waits, unless the panic had been before.
    ///
    /// ```
    /// let text = String::from("text");
    /// let same = green::scope(|s| {
    ///     let borrowed = s.spawn(|| text.as_str());
    ///     borrowed.join().unwrap() == "text"
    /// });
    /// assert!(same.unwrap());
    /// ```
    pub fn join(self) -> Result<T, Exit> {
        self.gt.join()?;
        self.value.take().ok_or(Exit::Cancelled)
    }

    /// See [`AnyGreenThread::kill`].
    pub fn kill(&self) {
        self.gt.kill();
    }

    /// See [`GreenThread::cancel`].
    pub fn cancel(&self) -> bool {
        self.gt.cancel()
    }

    /// See [`AnyGreenThread::is_ready`].
    pub fn is_ready(&self) -> bool {
        self.gt.is_ready()
    }

    /// See [`AnyGreenThread::is_dead`].
    pub fn is_dead(&self) -> bool {
        self.gt.is_dead()
    }

    /// See [`AnyGreenThread::id`].
    pub fn id(&self) -> u64 {
        self.gt.id()
    }

    /// This greenthread without its type. It can be kept when the scope has ended.
    pub fn as_any(&self) -> &AnyGreenThread {
        self.gt.as_any()
    }
}

impl<T> AsRef<AnyGreenThread> for ScopedGreenThread<'_, T> {
    fn as_ref(&self) -> &AnyGreenThread {
        self.as_any()
    }
}

impl<T> fmt::Debug for ScopedGreenThread<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.gt.fmt(f)
    }
}

/// Those that were spawned in one scope.
#[derive(Default)]
struct Children {
    /// In the order of their spawn; some of them have ended.
    tasks: RefCell<VecDeque<Rc<Task>>>,
    /// How long the list may get before those that have ended are swept out.
    sweep_at: Cell<usize>,
    /// How the first that failed did.
    failure: RefCell<Option<Exit>>,
    /// All are killed, and whoever comes is cancelled.
    ending: Cell<bool>,
    /// Ends the scope's own closure.
    body: OnceCell<Stop>,
}

/// The shortest list that is swept.
const SWEEP: usize = 16;

impl Children {
    fn run<R>(&self, body: impl FnOnce() -> R) -> Result<R, Exit> {
        let body = panic::catch_unwind(AssertUnwindSafe(|| {
            stoppable(|stop| {
                let _ = self.body.set(stop);
                body()
            })
        }));
        let failed_first = self.failure.borrow().is_some();
        if body.is_err() {
            self.end();
        }
        let joined = join_as_part(|| self.next(), |_| self.end());
        let cancelled = joined == Joined::Unwinding && self.cancel();
        let value = match body {
            Ok(value) => value,
            Err(payload) if is_control(&*payload) || !failed_first => panic::resume_unwind(payload),
            Err(payload) => {
                contain("the destructor of a panic's payload", || drop(payload));
                None
            }
        };
        if joined == Joined::Interrupted {
            Runtime::with(Runtime::checkpoint);
        }
        match (self.failure.take(), value) {
            (Some(exit), _) => Err(exit),
            (None, Some(value)) if !cancelled => Ok(value),
            (None, _) => Err(Exit::Unwinding),
        }
    }

    fn add(&self, task: &Rc<Task>) {
        let mut tasks = self.tasks.borrow_mut();
        tasks.push_back(Rc::clone(task));
        let crowded = tasks.len() > self.sweep_at.get().max(SWEEP);
        drop(tasks);
        if crowded {
            let (ended, left): (VecDeque<_>, VecDeque<_>) = self
                .tasks
                .take()
                .into_iter()
                .partition(|task| task.is_buried());
            self.sweep_at.set(2 * left.len());
            self.tasks.replace(left);
            drop(ended);
        }
        if self.ending.get() {
            AnyGreenThread::new(Rc::clone(task)).cancel();
        }
    }

    /// The first of those that have not ended, all traces of them included.
    fn next(&self) -> Option<Rc<Task>> {
        loop {
            let first = self.tasks.borrow().front().cloned()?;
            if !first.is_buried() {
                return Some(first);
            }
            self.tasks.borrow_mut().pop_front();
        }
    }

    /// Those that can be killed.
    fn left(&self) -> Vec<Rc<Task>> {
        let tasks = self.tasks.borrow();
        tasks
            .iter()
            .filter(|task| !task.is_dead())
            .cloned()
            .collect()
    }

    /// True if any has not ended.
    fn any_left(&self) -> bool {
        self.next().is_some()
    }

    /// One of them has ended like this.
    fn note(&self, exit: &Exit) {
        if !matches!(exit, Exit::Panicked(_)) {
            return;
        }
        self.failure
            .borrow_mut()
            .get_or_insert_with(|| exit.clone());
        if !self.ending.get() {
            // Before the others, whose ends it may wait for.
            self.body.get().map(Stop::stop);
            self.end();
        }
    }

    /// Kills all but the caller.
    fn end(&self) {
        self.ending.set(true);
        let mut tasks = self.left();
        Runtime::with(|runtime| {
            tasks.retain(|task| !runtime.is_current(task));
            runtime.kill_all_soon(&tasks);
        });
    }

    /// Ends those that have never run, as nothing can switch. True if there were any.
    fn cancel(&self) -> bool {
        let tasks = self.left();
        for task in &tasks {
            AnyGreenThread::new(Rc::clone(task)).cancel();
        }
        if self.any_left() {
            // The thread has ended around those that refuse to. They are unwound with their stacks, and so is this.
            panic::resume_unwind(Box::new(GreenletExit));
        }
        !tasks.is_empty()
    }
}

/// The scopes that a greenthread has opened and not left.
#[derive(Default)]
struct Open(RefCell<Vec<Rc<Children>>>);

impl TaskState for Open {}

/// True if others may use what is on the current greenthread's stack.
pub(crate) fn is_lending() -> bool {
    let task = Runtime::with(Runtime::current);
    let open = task.existing_state_of::<Open>();
    open.is_some_and(|open| open.0.borrow().iter().any(|children| children.any_left()))
}

/// The calling greenthread has a scope open.
struct Opened {
    open: Rc<Open>,
    children: Rc<Children>,
}

impl Opened {
    fn new(children: &Rc<Children>) -> Opened {
        let parent = Runtime::with(|runtime| {
            if !runtime.cannot_switch() {
                // The hub is made here and now, where a panic that says why it cannot be had does no harm.
                runtime.reactor(|_| ());
            }
            runtime.current()
        });
        let children = Rc::clone(children);
        let open = parent.state_of::<Open>();
        open.0.borrow_mut().push(Rc::clone(&children));
        Opened { open, children }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let mut open = self.open.0.borrow_mut();
        open.retain(|children| !Rc::ptr_eq(children, &self.children));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_have_ended_are_swept_out() {
        let result = scope(|s| {
            let stays =
                s.spawn(|| crate::Event::<()>::new().wait_timeout(std::time::Duration::MAX));
            for _ in 0..1000 {
                s.spawn(|| ());
                crate::yield_now();
                assert!(s.children.tasks.borrow().len() <= SWEEP + 1);
            }
            assert_eq!(s.children.left().len(), 1);
            stays.kill();
        });
        assert!(result.is_ok());
    }
}
