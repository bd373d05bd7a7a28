//! Many calls of one function in a pool: [`Imap`] and its kin.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::panic::{self, AssertUnwindSafe, Location};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::greenthread::timeout::Elapsed;
use crate::greenthread::{AnyGreenThread, Builder, Exit, GreenThread, expect};
use crate::groups::greenpool::GreenPool;
use crate::runtime::{Reason, Runtime, State, WaitList, Why};

/// What the one that starts the calls and the one that takes their results have in common.
struct Feed<E> {
    /// What nobody has taken yet, in the order in which it is to be taken.
    queue: RefCell<VecDeque<E>>,
    /// Calls started whose results nobody has taken.
    open: Cell<usize>,
    /// No more calls are started.
    ended: Cell<bool>,
    consumer: RefCell<WaitList>,
    feeder: RefCell<WaitList>,
}

impl<E> Feed<E> {
    fn new() -> Rc<Feed<E>> {
        Rc::new(Feed {
            queue: RefCell::new(VecDeque::new()),
            open: Cell::new(0),
            ended: Cell::new(false),
            consumer: RefCell::new(WaitList::new()),
            feeder: RefCell::new(WaitList::new()),
        })
    }

    fn reason(&self, kind: &'static str) -> Reason {
        Reason::Primitive(kind, std::ptr::from_ref(self).addr())
    }

    /// Waits until the results that nobody has taken are fewer than the pool is large. False if it cannot.
    fn wait_for_room(&self, pool: &GreenPool) -> bool {
        let reason = self.reason("a result of imap to be taken");
        while self.open.get() >= pool.size().max(1) {
            let ended = Runtime::with(|runtime| runtime.wait_in(&self.feeder, reason, None));
            if ended.served() == Err(Why::Unwinding) {
                return false;
            }
        }
        true
    }

    /// Waits for another entry.
    fn wait_for_entry(&self, deadline: Option<Instant>) -> Result<(), Why> {
        let reason = self.reason("a result of imap");
        Runtime::with(|runtime| runtime.wait_in(&self.consumer, reason, deadline).served())
    }

    fn push(&self, entry: E) {
        self.queue.borrow_mut().push_back(entry);
        wake_first(&self.consumer);
    }

    /// Takes the first entry and lets another call start.
    fn pop(&self) -> Option<E> {
        let entry = self.queue.borrow_mut().pop_front();
        if entry.is_some() {
            self.open.set(self.open.get() - 1);
            wake_first(&self.feeder);
        }
        entry
    }
}

fn wake_first(list: &RefCell<WaitList>) {
    if let Some((waiter, ())) = list.borrow_mut().pop() {
        waiter.wake();
    }
}

/// Ends the feed however the feeder ends, also if it never runs.
struct End<E>(Rc<Feed<E>>);

impl<E> Drop for End<E> {
    fn drop(&mut self) {
        self.0.ended.set(true);
        wake_first(&self.0.consumer);
    }
}

/// A feed, and the greenthread that takes the inputs and starts the calls.
struct Calls<E> {
    feed: Rc<Feed<E>>,
    feeder: AnyGreenThread,
}

impl<E: 'static> Calls<E> {
    /// `deliver` is given every call when it has been started, `fail` what the inputs have panicked with.
    fn start<I, T, F>(
        pool: &GreenPool,
        spawned_at: &'static Location<'static>,
        f: F,
        mut inputs: I,
        deliver: fn(&Rc<Feed<E>>, GreenThread<T>),
        fail: fn(Exit) -> E,
    ) -> Calls<E>
    where
        I: Iterator + 'static,
        T: 'static,
        F: Fn(I::Item) -> T + 'static,
    {
        let feed = Feed::new();
        let end = End(Rc::clone(&feed));
        let pool = pool.clone();
        let f = Rc::new(f);
        let body = move || {
            let feed = &end.0;
            let fed = panic::catch_unwind(AssertUnwindSafe(|| {
                while feed.wait_for_room(&pool)
                    && let Some(input) = inputs.next()
                {
                    let f = Rc::clone(&f);
                    let call = pool.spawn_at(spawned_at, move || f(input));
                    feed.open.set(feed.open.get() + 1);
                    deliver(feed, call);
                }
            }));
            if let Err(payload) = fed {
                feed.open.set(feed.open.get() + 1);
                feed.push(fail(Exit::of(payload)));
            }
        };
        let feeder = Builder::new().name("imap");
        let feeder = expect(feeder.make(spawned_at, State::Fresh, body));
        Calls {
            feed,
            feeder: feeder.as_any().clone(),
        }
    }
}

impl<E> Drop for Calls<E> {
    fn drop(&mut self) {
        Runtime::with(|runtime| runtime.kill_soon(self.feeder.task(), None));
        let unwanted = self.feed.queue.take();
        drop(unwanted);
    }
}

/// The results of [`GreenPool::imap`], in the order of the inputs.
///
/// Dropped, it takes no more inputs; the calls that have been started go on.
///
/// While the thread unwinds nothing is waited for: the iteration then ends before the first result that is not there.
#[must_use = "an iterator of results does nothing more than its first calls until it is iterated"]
pub struct Imap<T: 'static> {
    calls: Calls<Result<GreenThread<T>, Exit>>,
}

impl<T: 'static> Imap<T> {
    /// As `next`, for at most `timeout`. The result that was waited for is not lost then: it comes the next time.
    ///
    /// # Errors
    /// [`Elapsed`] if the result is not there by then.
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<Option<Result<T, Exit>>, Elapsed> {
        let deadline = Runtime::with(|runtime| runtime.deadline(Some(timeout)));
        self.take(deadline).ok_or(Elapsed::new(timeout))
    }

    /// `None` says that the deadline has passed.
    fn take(&mut self, deadline: Option<Instant>) -> Option<Option<Result<T, Exit>>> {
        let feed = &self.calls.feed;
        loop {
            let first = match feed.queue.borrow().front() {
                Some(Ok(call)) => Some(Some(call.as_any().clone())),
                Some(Err(_)) => Some(None),
                None => None,
            };
            let waited = match &first {
                Some(Some(call)) => call.wait_end(deadline),
                Some(None) => Ok(()),
                None if feed.ended.get() => return Some(None),
                None => feed.wait_for_entry(deadline),
            };
            match waited {
                Ok(()) if first.is_some() => {
                    return Some(feed.pop().map(|call| call.and_then(|call| call.take())));
                }
                Ok(()) | Err(Why::Again) => {}
                Err(Why::Expired) => return None,
                Err(Why::Unwinding) => return Some(None),
            }
        }
    }
}

impl<T: 'static> Iterator for Imap<T> {
    type Item = Result<T, Exit>;

    fn next(&mut self) -> Option<Result<T, Exit>> {
        self.take(None).flatten()
    }
}

impl<T> fmt::Debug for Imap<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Imap")
            .field("open", &self.calls.feed.open.get())
            .finish_non_exhaustive()
    }
}

/// The results of [`GreenPool::imap_unordered`], in the order in which they come.
///
/// Dropped, it takes no more inputs; the calls that have been started go on.
///
/// While the thread unwinds nothing is waited for: the iteration then ends when no result is there.
#[must_use = "an iterator of results does nothing more than its first calls until it is iterated"]
pub struct ImapUnordered<T: 'static> {
    calls: Calls<Result<T, Exit>>,
}

impl<T: 'static> ImapUnordered<T> {
    /// As `next`, for at most `timeout`.
    ///
    /// # Errors
    /// [`Elapsed`] if no result is there by then.
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<Option<Result<T, Exit>>, Elapsed> {
        let deadline = Runtime::with(|runtime| runtime.deadline(Some(timeout)));
        self.take(deadline).ok_or(Elapsed::new(timeout))
    }

    /// `None` says that the deadline has passed.
    fn take(&mut self, deadline: Option<Instant>) -> Option<Option<Result<T, Exit>>> {
        let feed = &self.calls.feed;
        loop {
            let result = feed.pop();
            if result.is_some() || feed.ended.get() && feed.open.get() == 0 {
                return Some(result);
            }
            match feed.wait_for_entry(deadline) {
                Ok(()) | Err(Why::Again) => {}
                Err(Why::Expired) => return None,
                Err(Why::Unwinding) => return Some(None),
            }
        }
    }
}

impl<T: 'static> Iterator for ImapUnordered<T> {
    type Item = Result<T, Exit>;

    fn next(&mut self) -> Option<Result<T, Exit>> {
        self.take(None).flatten()
    }
}

impl<T> fmt::Debug for ImapUnordered<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImapUnordered")
            .field("open", &self.calls.feed.open.get())
            .finish_non_exhaustive()
    }
}

impl GreenPool {
    /// Calls `f` with every input, in the pool's greenthreads, and gives the results in the order of the inputs.
    ///
    /// The inputs are taken by a greenthread of their own, as places of the pool become free, and never so many that
    /// more results than the pool is large wait to be taken: an endless iterator will do, and so will one that waits.
    /// A call that panics or is killed gives its [`Exit`] at its place, and the rest goes on. If the iterator of the
    /// inputs panics, that is the last result.
    ///
    /// # Panics
    /// As [`green::spawn`](crate::spawn).
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let pool = green::GreenPool::new(10);
    /// let lengths = pool.imap(
    ///     |word: &str| {
    ///         green::sleep(Duration::from_millis(10 - word.len() as u64));
    ///         word.len()
    ///     },
    ///     ["a", "bcd", "ef"],
    /// );
    /// let lengths: Result<Vec<_>, _> = lengths.collect();
    /// assert_eq!(lengths.unwrap(), [1, 3, 2]);
    /// ```
    #[track_caller]
    pub fn imap<I, T, F>(&self, f: F, inputs: I) -> Imap<T>
    where
        I: IntoIterator,
        I::Item: 'static,
        I::IntoIter: 'static,
        T: 'static,
        F: Fn(I::Item) -> T + 'static,
    {
        let deliver = |feed: &Rc<Feed<_>>, call| feed.push(Ok(call));
        let spawned_at = Location::caller();
        Imap {
            calls: Calls::start(self, spawned_at, f, inputs.into_iter(), deliver, Err),
        }
    }

    /// As [`imap`](GreenPool::imap), and gives each result as soon as it is there.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let pool = green::GreenPool::new(10);
    /// let naps = pool.imap_unordered(
    ///     |millis| {
    ///         green::sleep(Duration::from_millis(millis));
    ///         millis
    ///     },
    ///     [40, 1, 20],
    /// );
    /// let naps: Result<Vec<_>, _> = naps.collect();
    /// assert_eq!(naps.unwrap(), [1, 20, 40]);
    /// ```
    #[track_caller]
    pub fn imap_unordered<I, T, F>(&self, f: F, inputs: I) -> ImapUnordered<T>
    where
        I: IntoIterator,
        I::Item: 'static,
        I::IntoIter: 'static,
        T: 'static,
        F: Fn(I::Item) -> T + 'static,
    {
        let deliver = |feed: &Rc<Feed<_>>, call: GreenThread<T>| {
            let feed = Rc::clone(feed);
            call.link(move |call| feed.push(call.take()));
        };
        let spawned_at = Location::caller();
        ImapUnordered {
            calls: Calls::start(self, spawned_at, f, inputs.into_iter(), deliver, Err),
        }
    }

    /// As [`imap`](GreenPool::imap), for a function of several arguments, which the inputs give as tuples.
    ///
    /// ```
    /// let pool = green::GreenPool::default();
    /// let powers: Result<Vec<_>, _> = pool.starmap(u32::pow, [(2, 5), (3, 2), (10, 3)]).collect();
    /// assert_eq!(powers.unwrap(), [32, 9, 1000]);
    /// ```
    #[track_caller]
    pub fn starmap<I, F>(&self, f: F, inputs: I) -> Imap<F::Output>
    where
        I: IntoIterator,
        I::Item: 'static,
        I::IntoIter: 'static,
        F: Star<I::Item> + 'static,
        F::Output: 'static,
    {
        self.imap(move |arguments| f.call(arguments), inputs)
    }

    /// As [`imap`](GreenPool::imap), and waits for all results.
    #[track_caller]
    pub fn map<I, T, F>(&self, f: F, inputs: I) -> Vec<Result<T, Exit>>
    where
        I: IntoIterator,
        I::Item: 'static,
        I::IntoIter: 'static,
        T: 'static,
        F: Fn(I::Item) -> T + 'static,
    {
        self.imap(f, inputs).collect()
    }

    /// As [`map`](GreenPool::map), in a greenthread whose value is all the results.
    ///
    /// ```
    /// let pool = green::GreenPool::new(2);
    /// let lengths = pool.map_async(str::len, ["one", "two", "three"]);
    /// let lengths: Result<Vec<_>, _> = lengths.join().unwrap().into_iter().collect();
    /// assert_eq!(lengths.unwrap(), [3, 3, 5]);
    /// ```
    #[track_caller]
    pub fn map_async<I, T, F>(&self, f: F, inputs: I) -> GreenThread<Vec<Result<T, Exit>>>
    where
        I: IntoIterator,
        I::Item: 'static,
        I::IntoIter: 'static,
        T: 'static,
        F: Fn(I::Item) -> T + 'static,
    {
        let results = self.imap(f, inputs);
        crate::spawn(|| results.collect())
    }
}

/// A function that [`GreenPool::starmap`] can call with a tuple of its arguments.
pub trait Star<Arguments> {
    /// What it returns.
    type Output;

    /// Calls it.
    fn call(&self, arguments: Arguments) -> Self::Output;
}

macro_rules! star {
    ($($argument:ident)+) => {
        impl<Function, Output, $($argument),+> Star<($($argument,)+)> for Function
        where
            Function: Fn($($argument),+) -> Output,
        {
            type Output = Output;

            fn call(&self, arguments: ($($argument,)+)) -> Output {
                #[allow(non_snake_case, reason = "the names of the types serve for the values")]
                let ($($argument,)+) = arguments;
                self($($argument),+)
            }
        }
    };
}

star!(A);
star!(A B);
star!(A B C);
star!(A B C D);
star!(A B C D E);
star!(A B C D E F);
