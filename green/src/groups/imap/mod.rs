//! Many calls of one function in a pool: [`Imap`] and its kin.

mod calls;
mod star;

use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::greenthread::timeout::Elapsed;
use crate::greenthread::{Exit, GreenThread};
use crate::groups::greenpool::GreenPool;
use crate::runtime::{Runtime, Why};

use calls::{Calls, Feed};
pub use star::CallWith;

/// The results of [`GreenPool::imap`], in the order of the inputs.
///
/// Dropped, it takes no more inputs; the calls that have been started go on.
///
/// While the thread unwinds nothing is waited for: the iteration then ends before the first result that is not there.
///
/// ```
/// let pool = green::GreenPool::new(2);
/// let mut results = pool.imap(|n: u32| n * n, 1..);
/// assert_eq!(results.next().unwrap().unwrap(), 1);
/// let second = results.next_timeout(std::time::Duration::from_secs(60)).unwrap();
/// assert_eq!(second.unwrap().unwrap(), 4);
/// ```
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
        Runtime::with(Runtime::spend);
        loop {
            let first = match feed.queue.borrow().front() {
                Some(Ok(call)) => Some(Some(call.as_any().clone())),
                Some(Err(_)) => Some(None),
                None => None,
            };
            let waited = match &first {
                Some(Some(call)) => call.wait_end(deadline),
                Some(None) => Ok(()),
                None if feed.has_ended() => return Some(None),
                None => feed.wait_for_entry(deadline, || feed.is_empty()),
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
            .field("open", &self.calls.feed.open())
            .finish_non_exhaustive()
    }
}

/// The results of [`GreenPool::imap_unordered`], in the order in which they come.
///
/// Dropped, it takes no more inputs; the calls that have been started go on.
///
/// While the thread unwinds nothing is waited for: the iteration then ends when no result is there.
///
/// ```
/// let pool = green::GreenPool::new(2);
/// let mut results = pool.imap_unordered(|n: u32| n * n, [1, 2, 3]);
/// let one = results.next_timeout(std::time::Duration::from_secs(60)).unwrap().unwrap();
/// assert_eq!(one.unwrap() + results.map(Result::unwrap).sum::<u32>(), 14);
/// ```
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
        Runtime::with(Runtime::spend);
        loop {
            let result = feed.pop();
            if result.is_some() || feed.is_over() {
                return Some(result);
            }
            match feed.wait_for_entry(deadline, || feed.is_empty()) {
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
            .field("open", &self.calls.feed.open())
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
        F: CallWith<I::Item> + 'static,
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
