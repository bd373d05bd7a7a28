//! A bounded set of OS threads that share one queue of jobs.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use greenlet::fork_count;

use super::{Job, JobError};
use crate::runtime::{Anywhere, Ended, Origin, Place, Reason, Runtime, Wait, WaitList, Why};

/// The idle timeout, if nothing else is said.
const IDLE: Duration = Duration::from_secs(10);

/// How long `killall` sleeps between looks at a thread that has done its work and is on its way out.
const LOOK: Duration = Duration::from_micros(200);

thread_local! {
    static IN_POOL: Cell<bool> = const { Cell::new(false) };
}

pub(super) fn is_member() -> bool {
    IN_POOL.get()
}

/// See `after_fork`.
pub(super) fn leave() {
    IN_POOL.set(false);
}

/// A pool of OS threads for blocking work, apart from the process' own.
///
/// It may be shared between threads. Dropping it lets the jobs that it was given run to their end; nobody waits for
/// that.
///
/// ```
/// use green::tpool::ThreadPool;
///
/// let pool = ThreadPool::new(2);
/// assert_eq!(pool.execute(|| 6 * 7)?, 42);
/// assert!(pool.killall(None));
/// # Ok::<(), green::tpool::JobError>(())
/// ```
pub struct ThreadPool {
    shared: Arc<Shared>,
    /// In the child of a fork there are no threads, and the lock may be held by one of the parent's.
    forks: usize,
}

type Work = Box<dyn FnOnce() + Send>;

struct Shared {
    size: usize,
    state: Mutex<State>,
    work: Condvar,
}

struct State {
    /// How long a thread waits for its next job before it ends.
    idle_timeout: Duration,
    queue: VecDeque<Work>,
    /// Threads that are alive, and those of them that wait for work.
    threads: usize,
    idle: usize,
    handles: Vec<JoinHandle<()>>,
    /// No more jobs are taken; threads end when the queue is empty.
    closed: bool,
    /// Who waits for the last thread to end.
    leavers: WaitList<(), <Anywhere as Origin>::Waiter>,
}

impl State {
    fn new() -> State {
        State {
            idle_timeout: IDLE,
            queue: VecDeque::new(),
            threads: 0,
            idle: 0,
            handles: Vec::new(),
            closed: false,
            leavers: WaitList::new(),
        }
    }
}

impl Shared {
    /// Nothing that can panic runs under this lock, so poison means nothing.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ThreadPool {
    /// A pool of at most `threads` threads, each started when there is work for it. 0 runs every job in the calling
    /// thread, with a warning.
    pub fn new(threads: usize) -> ThreadPool {
        if threads == 0 {
            log::warn!("a thread pool of size 0: every job blocks the thread that calls it");
        }
        ThreadPool {
            shared: Arc::new(Shared {
                size: threads,
                state: Mutex::new(State::new()),
                work: Condvar::new(),
            }),
            forks: fork_count(),
        }
    }

    /// The number of threads that it may have.
    pub fn size(&self) -> usize {
        self.shared.size
    }

    /// The number of threads that it has now: none before the first job, and none after it has been idle for a
    /// while.
    pub fn threads(&self) -> usize {
        if self.is_gone() {
            return 0;
        }
        self.shared.lock().threads
    }

    /// A thread that has had no job for so long ends: 10 seconds at first. Threads that are idle now keep to what was said
    /// before.
    ///
    /// ```
    /// let pool = green::tpool::ThreadPool::new(4);
    /// pool.set_idle_timeout(std::time::Duration::from_secs(60));
    /// ```
    pub fn set_idle_timeout(&self, timeout: Duration) {
        if !self.is_gone() {
            self.shared.lock().idle_timeout = timeout;
        }
    }

    /// Runs `f` in a thread of this pool: see [`execute`](super::execute).
    ///
    /// # Errors
    /// As [`execute`](super::execute); and [`JobError::Refused`] after [`ThreadPool::killall`].
    pub fn execute<T: Send + 'static>(
        &self,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JobError> {
        let cannot_wait = Runtime::with(|runtime| {
            runtime.checkpoint();
            runtime.cannot_switch()
        });
        if cannot_wait {
            return Job::inline(f).join();
        }
        self.submit(f)?.join()
    }

    /// Hands `f` to this pool and returns at once: see [`submit`](super::submit).
    ///
    /// # Errors
    /// As [`submit`](super::submit); and [`JobError::Refused`] after [`ThreadPool::killall`].
    pub fn submit<T: Send + 'static>(
        &self,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Job<T>, JobError> {
        if self.shared.size == 0 || IN_POOL.get() {
            return Ok(Job::inline(f));
        }
        if self.is_gone() {
            return Err(JobError::Refused(io::Error::new(
                io::ErrorKind::NotConnected,
                "the threads of the pool are the parent's: this process was forked; make a new pool",
            )));
        }
        let (job, work) = Job::new(f);
        let mut state = self.shared.lock();
        if state.closed {
            drop(state);
            return Err(JobError::Refused(io::Error::new(
                io::ErrorKind::NotConnected,
                "the thread pool was ended by killall",
            )));
        }
        let waiting = state.queue.len() + 1;
        if waiting > state.idle && state.threads < self.shared.size {
            match self.start() {
                Ok(handle) => {
                    state.handles.retain(|handle| !handle.is_finished());
                    state.handles.push(handle);
                    state.threads += 1;
                }
                // A thread that is at work will come to it.
                Err(error) if state.threads > 0 => {
                    log::warn!(
                        "the thread pool cannot grow beyond {}: {error}",
                        state.threads
                    );
                }
                Err(error) => {
                    drop(state);
                    return Err(JobError::Refused(io::Error::new(
                        error.kind(),
                        format!("cannot start a thread for a job: {error}"),
                    )));
                }
            }
        }
        state.queue.push_back(work);
        drop(state);
        self.shared.work.notify_one();
        Ok(job)
    }

    fn start(&self) -> io::Result<JoinHandle<()>> {
        let shared = Arc::clone(&self.shared);
        thread::Builder::new()
            .name("green-pool".into())
            .spawn(move || shared.work())
    }

    fn is_gone(&self) -> bool {
        fork_count() != self.forks
    }

    fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.work.notify_all();
    }

    /// Ends this pool: see [`killall`](super::killall). It takes no jobs after that.
    pub fn killall(&self, timeout: impl Into<Option<Duration>>) -> bool {
        if self.is_gone() {
            return true;
        }
        self.close();
        let deadline = Runtime::with(|runtime| runtime.deadline(timeout.into()));
        if !self.wait_idle(deadline) {
            return false;
        }
        // The work is done; what is left of a thread is the end of its hub, if a job used one.
        for handle in std::mem::take(&mut self.shared.lock().handles) {
            while !handle.is_finished() {
                let (now, cannot_wait) =
                    Runtime::with(|runtime| (runtime.now(), runtime.cannot_switch()));
                if cannot_wait || deadline.is_some_and(|deadline| deadline <= now) {
                    return false;
                }
                crate::sleep(LOOK);
            }
            let _ = handle.join();
        }
        true
    }

    /// Waits until the last thread has done its work. False if that did not happen.
    fn wait_idle(&self, deadline: Option<Instant>) -> bool {
        if IN_POOL.get() {
            return self.shared.lock().threads == 0;
        }
        Runtime::with(|runtime| {
            loop {
                let ended = runtime.wait::<Anywhere, Place, ()>(Wait {
                    reason: Reason::Outside("the end of a thread pool"),
                    deadline,
                    enter: |waiter| {
                        let mut state = self.shared.lock();
                        (state.threads > 0).then(|| state.leavers.push(waiter, ()))
                    },
                    leave: |place| match self.is_gone() {
                        true => None,
                        false => self.shared.lock().leavers.leave(place),
                    },
                    pass_on: || (),
                });
                match ended {
                    Ended::Served => return true,
                    Ended::NotServed(Why::Again, ()) => {}
                    Ended::NotServed(Why::Expired | Why::Unwinding, ()) => return false,
                }
            }
        })
    }
}

impl Shared {
    /// The life of one thread.
    fn work(&self) {
        IN_POOL.set(true);
        let mut state = self.lock();
        loop {
            if let Some(job) = state.queue.pop_front() {
                drop(state);
                job();
                state = self.lock();
                continue;
            }
            if state.closed {
                break;
            }
            state.idle += 1;
            let idle_timeout = state.idle_timeout;
            let (guard, waited) = self
                .work
                .wait_timeout(state, idle_timeout)
                .unwrap_or_else(PoisonError::into_inner);
            state = guard;
            state.idle -= 1;
            if waited.timed_out() && state.queue.is_empty() {
                break;
            }
        }
        state.threads -= 1;
        let mut leavers = WaitList::new();
        if state.threads == 0 {
            leavers = std::mem::replace(&mut state.leavers, WaitList::new());
        }
        drop(state);
        leavers.wake_all();
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        if !self.is_gone() {
            self.close();
        }
    }
}

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("ThreadPool");
        debug.field("size", &self.shared.size);
        if self.is_gone() {
            return debug.finish_non_exhaustive();
        }
        let state = self.shared.lock();
        debug
            .field("threads", &state.threads)
            .field("idle", &state.idle)
            .field("queued", &state.queue.len())
            .field("closed", &state.closed)
            .finish()
    }
}
