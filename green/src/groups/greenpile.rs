//! Greenthreads whose results come in the order of their spawn: [`GreenPile`].

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::panic::Location;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::greenthread::timeout::Elapsed;
use crate::greenthread::{Builder, Exit, GreenThread, expect};
use crate::groups::greenpool::GreenPool;
use crate::runtime::{Reason, Runtime, WaitList, Why};

/// Spawns greenthreads in a [`GreenPool`] and gives their results in the order of their spawn.
///
/// The pool is the pile's own, or one that several piles share. A pile is an iterator: spawn, then iterate, as often as
/// you like. The iteration ends when every result has been taken. A task that panicked or was killed gives its [`Exit`]
/// at its place. A result that was waited for when a timeout struck is not lost: it comes the next time.
///
/// Clones are handles of the same pile. Results that nobody takes stay in memory for as long as the pile does.
///
/// ```
/// let pile = green::GreenPile::new(100);
/// for word in ["this", "is", "a", "pile"] {
///     pile.spawn(move || word.len());
/// }
/// let lengths: Result<Vec<_>, _> = pile.collect();
/// assert_eq!(lengths.unwrap(), [4, 2, 1, 4]);
/// ```
///
/// A result that takes too long:
///
/// ```
/// use std::time::Duration;
///
/// let pile = green::GreenPile::new(100);
/// pile.spawn(|| green::sleep(Duration::from_secs(60)));
/// assert_eq!((pile.pool().running(), pile.len(), pile.is_empty()), (1, 1, false));
/// assert!(pile.next_timeout(Duration::from_millis(1)).is_err());
/// pile.pool().kill();
/// ```
///
/// # A reader in another greenthread
/// Such a reader may be faster than the one that spawns, and would take a pause for the end. It iterates
/// [`results`](GreenPile::results) instead, which wait for more until the pile is [closed](GreenPile::close), or the
/// last handle that could spawn is dropped.
///
/// ```
/// let pile = green::GreenPile::new(2);
/// let results = pile.results();
/// let sum = green::spawn(move || results.map(Result::unwrap).sum::<u32>());
/// for n in 1..=4 {
///     pile.spawn(move || n);
///     green::yield_now();
/// }
/// pile.close();
/// assert_eq!(sum.join().unwrap(), 10);
/// ```
pub struct GreenPile<T: 'static> {
    pile: Rc<Pile<T>>,
}

struct Pile<T: 'static> {
    pool: GreenPool,
    tasks: RefCell<VecDeque<GreenThread<T>>>,
    /// Spawns that wait for the pool: what they will spawn is part of the iteration already.
    spawning: Cell<usize>,
    /// Handles by which somebody may spawn.
    handles: Cell<usize>,
    closed: Cell<bool>,
    readers: RefCell<WaitList>,
}

/// A spawn under way; when it is over, readers look again whether there is anything to come.
struct Spawning<'a, T: 'static>(&'a Pile<T>);

impl<'a, T> Spawning<'a, T> {
    fn new(pile: &'a Pile<T>) -> Spawning<'a, T> {
        pile.spawning.set(pile.spawning.get() + 1);
        Spawning(pile)
    }
}

impl<T> Drop for Spawning<'_, T> {
    fn drop(&mut self) {
        self.0.spawning.set(self.0.spawning.get() - 1);
        self.0.readers.borrow_mut().wake_all();
    }
}

impl<T> Pile<T> {
    /// The next result. `None` says that the deadline has passed first. `ends` says whether a pause is the end.
    fn take(
        &self,
        ends: impl Fn(&Pile<T>) -> bool,
        deadline: Option<Instant>,
    ) -> Option<Option<Result<T, Exit>>> {
        Runtime::with(Runtime::spend);
        loop {
            let first = self
                .tasks
                .borrow()
                .front()
                .map(|task| task.as_any().clone());
            let waited = match &first {
                Some(first) => first.wait_end(deadline),
                None if self.spawning.get() == 0 && ends(self) => return Some(None),
                None => Runtime::with(|runtime| {
                    let reason = Reason::Primitive("a task in the pile", self.address());
                    let nothing = || {
                        self.tasks.borrow().is_empty() && !(self.spawning.get() == 0 && ends(self))
                    };
                    let waited = runtime.wait_while(&self.readers, reason, deadline, nothing);
                    waited.served()
                }),
            };
            match waited {
                // Another reader may have been faster.
                Ok(()) if self.is_first(first.as_ref()) => {
                    let task = self.tasks.borrow_mut().pop_front();
                    return Some(task.map(|task| task.take()));
                }
                Ok(()) | Err(Why::Again) => {}
                Err(Why::Expired) => return None,
                Err(Why::Unwinding) => return Some(None),
            }
        }
    }

    fn is_first(&self, task: Option<&crate::AnyGreenThread>) -> bool {
        task.is_some() && self.tasks.borrow().front().map(GreenThread::as_any) == task
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    fn close(&self) {
        self.closed.set(true);
        self.readers.borrow_mut().wake_all();
    }
}

impl<T: 'static> GreenPile<T> {
    /// A pile on a pool of its own, of `size` places.
    pub fn new(size: usize) -> GreenPile<T> {
        GreenPile::with_pool(&GreenPool::new(size))
    }

    /// A pile on `pool`, which others may use too.
    ///
    /// ```
    /// use green::{GreenPile, GreenPool};
    ///
    /// let pool = GreenPool::new(2);
    /// let (evens, odds) = (GreenPile::with_pool(&pool), GreenPile::with_pool(&pool));
    /// for n in 0..4 {
    ///     evens.spawn(move || 2 * n);
    ///     odds.spawn(move || 2 * n + 1);
    /// }
    /// let pairs: Vec<_> = evens.map(Result::unwrap).zip(odds.map(Result::unwrap)).collect();
    /// assert_eq!(pairs, [(0, 1), (2, 3), (4, 5), (6, 7)]);
    /// ```
    pub fn with_pool(pool: &GreenPool) -> GreenPile<T> {
        GreenPile {
            pile: Rc::new(Pile {
                pool: pool.clone(),
                tasks: RefCell::new(VecDeque::new()),
                spawning: Cell::new(0),
                handles: Cell::new(1),
                closed: Cell::new(false),
                readers: RefCell::new(WaitList::new()),
            }),
        }
    }

    /// Runs `f` in the pile's pool; waits while that is full, as [`GreenPool::spawn`].
    ///
    /// If the wait is interrupted, the pile is as it was before.
    ///
    /// # Panics
    /// If the pile is closed; also as [`green::spawn`](crate::spawn). [`Builder::spawn_in_pile`] returns an error instead
    /// if no stack can be had.
    #[track_caller]
    pub fn spawn(&self, f: impl FnOnce() -> T + 'static) {
        expect(self.spawn_with(Builder::new(), Location::caller(), f));
    }

    fn spawn_with(
        &self,
        builder: Builder,
        spawned_at: &'static Location<'static>,
        f: impl FnOnce() -> T + 'static,
    ) -> io::Result<()> {
        assert!(!self.pile.closed.get(), "cannot spawn into a closed pile");
        let _spawning = Spawning::new(&self.pile);
        let task = self.pile.pool.spawn_with(builder, spawned_at, f)?;
        self.pile.tasks.borrow_mut().push_back(task);
        Ok(())
    }

    /// Closes the pile to further spawns: [`results`](GreenPile::results) then end with those that were spawned
    /// before.
    pub fn close(&self) {
        self.pile.close();
    }

    /// The results for a reader that outlasts pauses: they end when the pile is closed and every result was taken.
    pub fn results(&self) -> PileResults<T> {
        PileResults {
            pile: Rc::clone(&self.pile),
        }
    }

    /// As `next`, for at most `timeout`.
    ///
    /// # Errors
    /// [`Elapsed`] if the next result is not there by then. It is not lost.
    pub fn next_timeout(&self, timeout: Duration) -> Result<Option<Result<T, Exit>>, Elapsed> {
        let deadline = Runtime::with(|runtime| runtime.deadline(Some(timeout)));
        let taken = self.pile.take(|_| true, deadline);
        taken.ok_or(Elapsed::new(timeout))
    }

    /// The pool in which the pile spawns.
    pub fn pool(&self) -> &GreenPool {
        &self.pile.pool
    }

    /// How many results the iteration has still to give: those there, those to come, those whose spawn waits.
    pub fn len(&self) -> usize {
        self.pile.tasks.borrow().len() + self.pile.spawning.get()
    }

    /// True if the iteration would end now.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Builder {
    /// Spawns `f` into a pile. See [`GreenPile::spawn`].
    ///
    /// # Errors
    /// As [`Builder::spawn`]; the pile is then as it was before.
    ///
    /// # Panics
    /// If the pile is closed.
    ///
    /// ```
    /// let pile = green::GreenPile::new(10);
    /// for word in ["this", "is", "a", "pile"] {
    ///     green::Builder::new().name(word).spawn_in_pile(&pile, || word.len())?;
    /// }
    /// assert_eq!(pile.map(Result::unwrap).sum::<usize>(), 11);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn spawn_in_pile<T: 'static>(
        self,
        pile: &GreenPile<T>,
        f: impl FnOnce() -> T + 'static,
    ) -> io::Result<()> {
        pile.spawn_with(self, Location::caller(), f)
    }
}

/// The results, until all that were spawned have been taken. While the thread unwinds nothing is waited for: the
/// iteration then ends before the first result that is not there.
impl<T: 'static> Iterator for GreenPile<T> {
    type Item = Result<T, Exit>;

    fn next(&mut self) -> Option<Result<T, Exit>> {
        self.pile.take(|_| true, None).flatten()
    }
}

impl<T: 'static> Iterator for &GreenPile<T> {
    type Item = Result<T, Exit>;

    fn next(&mut self) -> Option<Result<T, Exit>> {
        self.pile.take(|_| true, None).flatten()
    }
}

impl<T> Clone for GreenPile<T> {
    fn clone(&self) -> GreenPile<T> {
        self.pile.handles.set(self.pile.handles.get() + 1);
        GreenPile {
            pile: Rc::clone(&self.pile),
        }
    }
}

impl<T> Drop for GreenPile<T> {
    fn drop(&mut self) {
        let handles = self.pile.handles.get() - 1;
        self.pile.handles.set(handles);
        if handles == 0 {
            self.pile.close();
        }
    }
}

impl<T> fmt::Debug for GreenPile<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GreenPile")
            .field("pool", &self.pile.pool)
            .field("tasks", &self.pile.tasks.borrow().len())
            .field("spawning", &self.pile.spawning.get())
            .field("closed", &self.pile.closed.get())
            .finish()
    }
}

/// Made by [`GreenPile::results`].
///
/// ```
/// let pile = green::GreenPile::new(2);
/// let results = pile.results();
/// pile.spawn(|| 1);
/// pile.spawn(|| 2);
/// pile.close();
/// assert_eq!(results.next_timeout(std::time::Duration::from_secs(60)).unwrap().unwrap().unwrap(), 1);
/// assert_eq!(results.map(Result::unwrap).sum::<u32>(), 2);
/// ```
pub struct PileResults<T: 'static> {
    pile: Rc<Pile<T>>,
}

impl<T: 'static> PileResults<T> {
    /// As `next`, for at most `timeout`.
    ///
    /// # Errors
    /// [`Elapsed`] if the next result is not there by then. It is not lost.
    pub fn next_timeout(&self, timeout: Duration) -> Result<Option<Result<T, Exit>>, Elapsed> {
        let deadline = Runtime::with(|runtime| runtime.deadline(Some(timeout)));
        let taken = self.pile.take(|pile| pile.closed.get(), deadline);
        taken.ok_or(Elapsed::new(timeout))
    }
}

impl<T: 'static> Iterator for PileResults<T> {
    type Item = Result<T, Exit>;

    fn next(&mut self) -> Option<Result<T, Exit>> {
        self.pile.take(|pile| pile.closed.get(), None).flatten()
    }
}

impl<T> fmt::Debug for PileResults<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PileResults")
            .field("closed", &self.pile.closed.get())
            .finish_non_exhaustive()
    }
}
