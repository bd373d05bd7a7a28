//! Workers, seen from every thread.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::WorkersBuilder;
use super::builder::OnPanic;
use super::listen::SharedAddresses;
use super::told::Told;
use crate::future::RemoteGreenThread;
use crate::hubs::{ThreadClosed, ThreadHandle};

/// What the threads of some workers have in common.
pub(super) struct Common {
    pub(super) hub: String,
    pub(super) pinned: bool,
    pub(super) on_panic: OnPanic,
    pub(super) grace: Option<Duration>,
    pub(super) addresses: SharedAddresses,
    places: Vec<Place>,
    stopping: AtomicBool,
    /// When what has not ended is killed, once all were told to stop.
    deadline: Mutex<Option<Instant>>,
    /// Where the next search for the least loaded begins.
    next: AtomicUsize,
    restarts: AtomicU64,
}

/// One of the workers.
struct Place {
    name: String,
    /// `None` while no thread runs for it.
    thread: Mutex<Option<ThreadHandle>>,
}

/// No code of the user runs under these locks, so poison means nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Common {
    pub(super) fn new(count: usize, name: &str, hub: String, builder: &WorkersBuilder) -> Common {
        let place = |index| Place {
            name: format!("{name}-{index}"),
            thread: Mutex::new(None),
        };
        Common {
            hub,
            pinned: builder.pinned,
            on_panic: builder.on_panic,
            grace: builder.grace,
            addresses: SharedAddresses::default(),
            places: (0..count).map(place).collect(),
            stopping: AtomicBool::new(false),
            deadline: Mutex::new(None),
            next: AtomicUsize::new(0),
            restarts: AtomicU64::new(0),
        }
    }
}

/// Some workers, seen from every thread: stops them, and spawns into them.
///
/// It is `Send`, `Sync` and cheap to clone.
///
/// ```
/// green::workers(2, |worker| {
///     let all = worker.handle().clone();
///     assert_eq!(all.len(), 2);
///     all.stop(None);
///     worker.wait_stop();
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// From the thread that has started them:
///
/// ```
/// use green::workers::WorkersBuilder;
///
/// let workers = WorkersBuilder::new().count(2).start(|worker| {
///     worker.wait_stop();
/// })?;
/// let all = workers.handle().clone();
/// let name = all.spawn_on(1, || std::thread::current().name().map(str::to_owned));
/// assert_eq!(name.unwrap().join().unwrap().as_deref(), Some("worker-1"));
/// all.thread(0).unwrap().spawn(|| println!("in the first worker")).unwrap();
/// println!("the workers have {} and {} greenthreads", all.load(0), all.load(1));
/// assert_eq!((all.restarts(), all.is_stopping()), (0, false));
/// all.stop(None);
/// workers.join()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct WorkersHandle {
    pub(super) shared: Arc<Common>,
}

impl WorkersHandle {
    pub(super) fn new(shared: Common) -> WorkersHandle {
        let shared = Arc::new(shared);
        WorkersHandle { shared }
    }

    /// How many workers there are, those included that have ended.
    #[allow(clippy::len_without_is_empty, reason = "there is one at least")]
    pub fn len(&self) -> usize {
        self.shared.places.len()
    }

    /// Tells all of them to stop, and returns at once. What this means to each:
    /// [`Worker::wait_stop`](super::Worker::wait_stop) returns, and what was given to
    /// [`Worker::drain_at_stop`](super::Worker::drain_at_stop) is drained. One whose closure has not returned after
    /// `timeout` is killed where it waits, a second later if it serves something, so that its drain can end; `None`
    /// waits for ever.
    ///
    /// A second call can bring the end forward. A worker that computes without a wait hears of neither.
    pub fn stop(&self, timeout: impl Into<Option<Duration>>) {
        let now = Instant::now();
        let deadline = timeout.into().and_then(|timeout| now.checked_add(timeout));
        let earliest = {
            let mut known = lock(&self.shared.deadline);
            *known = match (*known, deadline) {
                (Some(first), Some(second)) => Some(first.min(second)),
                (first, second) => first.or(second),
            };
            self.shared.stopping.store(true, Ordering::Release);
            *known
        };
        for place in &self.shared.places {
            let thread = lock(&place.thread).clone();
            if let Some(thread) = thread {
                // One that has ended needs no telling.
                let _ = thread.call(move || Told::of_thread().tell(earliest));
            }
        }
    }

    /// True once they were told to stop.
    pub fn is_stopping(&self) -> bool {
        self.shared.stopping.load(Ordering::Acquire)
    }

    /// Spawns `f` as a greenthread of one of them, and gives a handle to wait for its value.
    ///
    /// # Errors
    /// [`ThreadClosed`] if that worker has not begun, has ended, or is being started again.
    ///
    /// # Panics
    /// If there is no worker of this index.
    pub fn spawn_on<T: Send + 'static>(
        &self,
        worker: usize,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> Result<RemoteGreenThread<T>, ThreadClosed> {
        self.thread(worker).ok_or(ThreadClosed)?.submit(f)
    }

    /// As [`spawn_on`](WorkersHandle::spawn_on), on the worker with the fewest greenthreads; of those with the same
    /// number the next in turn. What was sent and has not begun is counted; the rest as it was when the worker last
    /// looked for events.
    ///
    /// # Errors
    /// [`ThreadClosed`] if none has begun that has not ended.
    ///
    /// ```
    /// use green::workers::WorkersBuilder;
    ///
    /// let workers = WorkersBuilder::new().count(2).start(|worker| {
    ///     worker.wait_stop();
    /// })?;
    /// let all = workers.handle().clone();
    /// let parts: Vec<_> = (0..4).map(|n| all.spawn_anywhere(move || n * n).unwrap()).collect();
    /// assert_eq!(parts.into_iter().map(|part| part.join().unwrap()).sum::<u32>(), 14);
    /// all.stop(None);
    /// workers.join()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spawn_anywhere<T: Send + 'static>(
        &self,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> Result<RemoteGreenThread<T>, ThreadClosed> {
        let first = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let threads = (0..self.len()).filter_map(|n| {
            let place = &self.shared.places[first.wrapping_add(n) % self.len()];
            lock(&place.thread).clone()
        });
        let open = threads.filter(|thread| !thread.is_closed());
        open.min_by_key(ThreadHandle::load)
            .ok_or(ThreadClosed)?
            .submit(f)
    }

    /// How many greenthreads a worker has, as [`spawn_anywhere`](WorkersHandle::spawn_anywhere) counts them; 0 if no
    /// thread runs for it.
    ///
    /// # Panics
    /// If there is no worker of this index.
    pub fn load(&self, worker: usize) -> usize {
        self.thread(worker).map_or(0, |thread| thread.load())
    }

    /// The thread of a worker, for other threads. `None` if it has not begun, has ended, or is being started again.
    ///
    /// # Panics
    /// If there is no worker of this index.
    pub fn thread(&self, worker: usize) -> Option<ThreadHandle> {
        lock(&self.place(worker).thread).clone()
    }

    /// How often a worker was started again, all of them together.
    pub fn restarts(&self) -> u64 {
        self.shared.restarts.load(Ordering::Relaxed)
    }

    pub(super) fn count_restart(&self) {
        self.shared.restarts.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn name(&self, worker: usize) -> &str {
        &self.place(worker).name
    }

    fn place(&self, worker: usize) -> &Place {
        let count = self.len();
        match self.shared.places.get(worker) {
            Some(place) => place,
            None => panic!("there is no worker {worker}: there are {count}, the first of them 0"),
        }
    }

    /// The calling thread begins to run for a worker.
    pub(super) fn enter(&self, worker: usize, thread: ThreadHandle) {
        *lock(&self.place(worker).thread) = Some(thread);
        // After that: a stop that does not see the thread is seen here.
        let told = lock(&self.shared.deadline);
        let stop = self.is_stopping().then_some(*told);
        drop(told);
        if let Some(deadline) = stop {
            Told::of_thread().tell(deadline);
        }
    }

    /// The calling thread does not run for it any more.
    pub(super) fn leave(&self, worker: usize) {
        let thread = lock(&self.place(worker).thread).take();
        drop(thread);
    }
}

impl fmt::Debug for WorkersHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkersHandle")
            .field("workers", &self.len())
            .field("stopping", &self.is_stopping())
            .finish_non_exhaustive()
    }
}
