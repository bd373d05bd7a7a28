//! A bounded number of greenthreads: [`GreenPool`].

mod error;
mod group;
mod places;
mod spawn;

use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use crate::greenthread::{Builder, Exit, GreenThread, expect};
use crate::runtime::Runtime;

pub use error::WaitsForItself;
use places::Places;

/// Runs greenthreads, and no more than its size of them at a time.
///
/// [`spawn`](GreenPool::spawn) waits while the pool is full: back-pressure without a line of code. Those who wait get
/// their places in the order in which they came. A place comes back however its greenthread ends.
///
/// Clones are handles of the same pool.
///
/// ```
/// let pool = green::GreenPool::new(2);
/// let squares: Vec<_> = (0..5u32).map(|n| pool.spawn(move || n * n)).collect();
/// let squares: Result<Vec<_>, _> = squares.into_iter().map(|gt| gt.join()).collect();
/// assert_eq!(squares.unwrap(), [0, 1, 4, 9, 16]);
/// ```
///
/// # Members that spawn into their own pool
/// A member keeps its place until it ends, so a full pool cannot make it wait for a place: all members might wait for
/// each other. What a member spawns into its own full pool therefore runs on the member's place: it starts at once, in
/// a greenthread of its own that is not counted, and the member waits until it has ended, as if it had called a
/// function. The same holds for every greenthread that works on behalf of a member: those that a member has spawned in
/// any way, for as long as the member lives. (Such a helper has no place of its own, so what helpers spawn can exceed
/// the size.)
///
/// ```
/// use green::GreenPool;
///
/// fn count_down(pool: GreenPool, n: u32) {
///     if n > 0 {
///         let inner = pool.clone();
///         pool.spawn_n(move || count_down(inner, n - 1));
///     }
/// }
/// let pool = GreenPool::new(1);
/// let inner = pool.clone();
/// pool.spawn_n(move || count_down(inner, 5));
/// pool.waitall().unwrap();
/// ```
///
/// # What it does as a whole
///
/// ```
/// use std::time::Duration;
/// use green::GreenPool;
///
/// let pool = GreenPool::new(1);
/// assert_eq!(pool.apply(|| 6 * 7).unwrap(), 42);
/// assert_eq!(pool.map(str::len, ["a", "bcd"]).len(), 2);
///
/// pool.resize(2);
/// pool.spawn_n(|| green::sleep(Duration::from_secs(60)));
/// assert_eq!((pool.size(), pool.running(), pool.waiting()), (2, 1, 0));
/// assert!(pool.wait_available(Duration::from_millis(1)));
/// pool.spawn_n(|| green::sleep(Duration::from_secs(60)));
/// assert!(!pool.wait_available(Duration::from_millis(1)));
/// assert!(!pool.waitall_timeout(Duration::from_millis(1)).unwrap());
///
/// assert_eq!(pool.members().len(), 2);
/// pool.kill(); // Or, to know that they have ended:
/// assert!(pool.kill_wait(Duration::from_secs(60)));
/// ```
#[derive(Clone)]
pub struct GreenPool {
    places: Rc<Places>,
}

impl GreenPool {
    /// A pool of `size` places. A pool of none lets nobody in until it is [resized](GreenPool::resize).
    pub fn new(size: usize) -> GreenPool {
        GreenPool {
            places: Places::new(size),
        }
    }

    /// Runs `f` in a greenthread of the pool; waits while the pool is full.
    ///
    /// Called on behalf of a member while the pool is full, it returns when `f` has ended (see [above](GreenPool)); a
    /// kill or a deadline that arrives meanwhile ends `f` too. Called while the thread unwinds, it cannot wait, and
    /// takes a place that is not there: [`free`](GreenPool::free) is then negative.
    ///
    /// # Panics
    /// As [`green::spawn`](crate::spawn); the place is then free again. [`Builder::spawn_in`] returns an error instead.
    ///
    /// ```
    /// let pool = green::GreenPool::new(10);
    /// assert_eq!(pool.spawn(|| 6 * 7).join().unwrap(), 42);
    /// ```
    #[track_caller]
    pub fn spawn<T: 'static>(&self, f: impl FnOnce() -> T + 'static) -> GreenThread<T> {
        self.spawn_at(Location::caller(), f)
    }

    /// As [`spawn`](GreenPool::spawn), for at most `timeout`.
    ///
    /// # Errors
    /// `f`, if no place was free by then.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let pool = green::GreenPool::new(0);
    /// assert!(pool.spawn_timeout(Duration::from_millis(1), || 1).is_err());
    /// ```
    #[track_caller]
    pub fn spawn_timeout<T: 'static, F: FnOnce() -> T + 'static>(
        &self,
        timeout: Duration,
        f: F,
    ) -> Result<GreenThread<T>, F> {
        let spawned_at = Location::caller();
        let deadline = Runtime::with(|runtime| runtime.deadline(Some(timeout)));
        match self.places.enter(deadline) {
            Some(entry) => Ok(expect(self.admit(entry, Builder::new(), spawned_at, f))),
            None => Err(f),
        }
    }

    /// As [`spawn`](GreenPool::spawn), but never waits.
    ///
    /// # Errors
    /// `f`, if the pool is full.
    ///
    /// ```
    /// let pool = green::GreenPool::new(1);
    /// let first = pool.try_spawn(|| 1).ok().unwrap();
    /// assert!(pool.try_spawn(|| 2).is_err());
    /// assert_eq!(first.join().unwrap(), 1);
    /// ```
    #[track_caller]
    pub fn try_spawn<T: 'static, F: FnOnce() -> T + 'static>(
        &self,
        f: F,
    ) -> Result<GreenThread<T>, F> {
        match self.places.try_enter() {
            Some(entry) => Ok(expect(self.admit(
                entry,
                Builder::new(),
                Location::caller(),
                f,
            ))),
            None => Err(f),
        }
    }

    /// As [`spawn`](GreenPool::spawn), for a greenthread whose end nobody waits for.
    ///
    /// # Panics
    /// As [`green::spawn`](crate::spawn). A panic of `f` is printed by the panic hook and goes no further.
    ///
    /// ```
    /// let pool = green::GreenPool::default();
    /// for n in 0..3 {
    ///     pool.spawn_n(move || println!("{n}"));
    /// }
    /// pool.waitall().unwrap();
    /// ```
    #[track_caller]
    pub fn spawn_n(&self, f: impl FnOnce() + 'static) {
        expect(self.spawn_n_with(Builder::new(), Location::caller(), f));
    }

    /// How many places are free: zero or less says that the next `spawn` waits. Negative after the pool has shrunk
    /// below what runs.
    ///
    /// ```
    /// let pool = green::GreenPool::new(3);
    /// pool.spawn_n(|| ());
    /// pool.spawn_n(|| ());
    /// assert_eq!(pool.free(), 1);
    /// pool.resize(1);
    /// assert_eq!(pool.free(), -1);
    /// pool.waitall().unwrap();
    /// assert_eq!(pool.free(), 1);
    /// ```
    pub fn free(&self) -> isize {
        self.places.free()
    }

    /// The number of places, free or not.
    pub fn size(&self) -> usize {
        self.places.size()
    }

    /// How many members there are: spawned and not ended, whether they have started or not.
    pub fn running(&self) -> usize {
        self.places.running()
    }

    /// How many greenthreads wait in `spawn` for a place.
    pub fn waiting(&self) -> usize {
        self.places.waiting()
    }

    /// Changes the number of places.
    ///
    /// More places go to those who wait, at once. With fewer, those that run are left alone, and nobody gets a place
    /// until their number has fallen below the new size.
    pub fn resize(&self, size: usize) {
        self.places.resize(size);
    }

    /// Runs `f` in the pool and waits for its value.
    ///
    /// # Errors
    /// How it ended, if without a value.
    #[track_caller]
    pub fn apply<T: 'static>(&self, f: impl FnOnce() -> T + 'static) -> Result<T, Exit> {
        self.spawn(f).join()
    }
}

impl Default for GreenPool {
    /// A pool of 1000 places.
    fn default() -> GreenPool {
        GreenPool::new(1000)
    }
}

impl fmt::Debug for GreenPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GreenPool")
            .field("size", &self.size())
            .field("running", &self.running())
            .field("waiting", &self.waiting())
            .finish()
    }
}
