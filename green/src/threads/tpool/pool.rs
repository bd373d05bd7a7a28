//! A bounded set of OS threads that share one queue of jobs.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use greenlet::os::fork_count;

use super::threads::{Threads, Work};
use super::{Job, JobError};
use crate::error::failed;
use crate::runtime::{Anywhere, Ended, Place, Reason, Runtime, ThreadState, Wait, Why};

/// How long `killall` sleeps between looks at a thread that has done its work and is on its way out.
const LOOK: Duration = Duration::from_micros(200);

/// Says of a thread if it is one of a pool.
#[derive(Default)]
struct InPool(Cell<bool>);

impl ThreadState for InPool {
    fn after_fork(&self, _alone: bool) {
        // The pool has stayed in the parent.
        self.0.set(false);
    }
}

pub(super) fn is_member() -> bool {
    let state = Runtime::existing(Runtime::existing_state::<InPool>).flatten();
    state.is_some_and(|state| state.0.get())
}

/// This thread is one of a pool from now on.
pub(super) fn enter() {
    Runtime::with(|runtime| runtime.state::<InPool>().0.set(true));
}

/// A pool of OS threads for blocking work, apart from the process' own.
///
/// It may be shared between threads. Dropping it lets the jobs that it was given run to their end; nobody waits for
/// that.
///
/// A job cannot be ended from outside: one whose caller was killed or timed out keeps its thread until it ends by
/// itself. See [`ThreadPool::with_replacements`] for jobs that may never do so.
///
/// ```
/// use green::tpool::ThreadPool;
///
/// let pool = ThreadPool::new(2);
/// assert_eq!(pool.execute(|| 6 * 7)?, 42);
/// let job = pool.submit(|| 6 * 8)?; // It runs beside the caller.
/// assert_eq!(job.join()?, 48);
/// assert!(pool.size() == 2 && pool.threads() > 0);
/// assert!(pool.killall(None));
/// # Ok::<(), green::tpool::JobError>(())
/// ```
pub struct ThreadPool {
    threads: Arc<Threads>,
    /// In the child of a fork there are no threads, and the lock may be held by one of the parent's.
    forks: usize,
}

impl ThreadPool {
    /// A pool of at most `threads` threads, each started when there is work for it. 0 runs every job in the calling
    /// thread, with a warning.
    pub fn new(threads: usize) -> ThreadPool {
        ThreadPool::named("green-pool", threads, 0)
    }

    /// As [`ThreadPool::new`], for jobs that may never end. When a job finds every thread at work, those that run for
    /// callers who were killed or timed out do not count: each is replaced by a further thread, up to as many again
    /// as `threads`. The log says so, and that no thread is left if all of those are taken too. The pools of the
    /// process are of this kind.
    ///
    /// ```
    /// use std::time::Duration;
    /// use green::{Timeout, tpool::ThreadPool};
    ///
    /// let pool = ThreadPool::with_replacements(1);
    /// let endless = || loop {
    ///     std::thread::sleep(Duration::from_secs(1));
    /// };
    /// assert!(Timeout::new(Duration::from_millis(5)).run(|| pool.execute(endless)).is_err());
    /// assert_eq!(pool.execute(|| 1)?, 1);
    /// # Ok::<(), green::tpool::JobError>(())
    /// ```
    pub fn with_replacements(threads: usize) -> ThreadPool {
        ThreadPool::named("green-pool", threads, threads)
    }

    /// With a name for its threads.
    pub(super) fn named(name: &'static str, threads: usize, replacements: usize) -> ThreadPool {
        if threads == 0 {
            log::warn!("a thread pool of size 0: every job blocks the thread that calls it");
        }
        ThreadPool {
            threads: Arc::new(Threads::new(name, threads, replacements)),
            forks: fork_count(),
        }
    }

    /// The number of threads that it may have, replacements not counted.
    pub fn size(&self) -> usize {
        self.threads.size
    }

    /// The number of threads that it has now: none before the first job, and none after it has been idle for a
    /// while.
    pub fn threads(&self) -> usize {
        if self.is_gone() {
            return 0;
        }
        self.threads.lock().threads
    }

    /// Sets how long a thread without jobs lives, 10 seconds at first. Threads that are idle now keep to what was set
    /// before.
    ///
    /// ```
    /// let pool = green::tpool::ThreadPool::new(4);
    /// pool.set_idle_timeout(std::time::Duration::from_secs(60));
    /// ```
    pub fn set_idle_timeout(&self, timeout: Duration) {
        if !self.is_gone() {
            self.threads.lock().idle_timeout = timeout;
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
        if self.threads.size == 0 || is_member() {
            return Ok(Job::inline(f));
        }
        if self.is_gone() {
            return Err(JobError::Refused(io::Error::new(
                io::ErrorKind::NotConnected,
                "the threads of the pool are the parent's: this process was forked; make a new pool",
            )));
        }
        // Before it runs, since it may call `exit`.
        Runtime::with(Runtime::introduce);
        let (job, run) = Job::new(f, &self.threads);
        let deserted = job.deserted();
        let mut state = self.threads.lock();
        if state.closed {
            drop(state);
            return Err(JobError::Refused(io::Error::new(
                io::ErrorKind::NotConnected,
                "the thread pool was ended by killall",
            )));
        }
        state.queue.push_back(Work { run, deserted });
        if state.threads > 0 {
            // If there is none for it, one that is at work will come to it.
            self.threads.grow_or_log(&mut state);
        } else if let Err(error) = self.threads.grow(&mut state) {
            let work = state.queue.pop_back();
            drop(state);
            drop(work);
            return Err(failed("cannot start a thread for a job", error).into());
        }
        drop(state);
        self.threads.work.notify_one();
        Ok(job)
    }

    fn is_gone(&self) -> bool {
        fork_count() != self.forks
    }

    pub(super) fn close(&self) {
        self.threads.lock().closed = true;
        self.threads.work.notify_all();
    }

    /// Ends this pool: see [`killall`](super::killall). It takes no jobs after that.
    pub fn killall(&self, timeout: impl Into<Option<Duration>>) -> bool {
        if self.is_gone() {
            return true;
        }
        self.close();
        self.wait_end(Runtime::with(|runtime| runtime.deadline(timeout.into())))
    }

    /// Waits for the end of the threads of a closed pool. False if that did not happen by the deadline.
    pub(super) fn wait_end(&self, deadline: Option<Instant>) -> bool {
        if self.is_gone() {
            return true;
        }
        if !self.wait_idle(deadline) {
            return false;
        }
        // The work is done; what is left of a thread is the end of its hub, if a job used one.
        for handle in std::mem::take(&mut self.threads.lock().handles) {
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
        if is_member() {
            return self.threads.lock().threads == 0;
        }
        Runtime::with(|runtime| {
            loop {
                let ended = runtime.wait::<Anywhere, Place, ()>(Wait {
                    reason: Reason::Outside("the end of a thread pool"),
                    deadline,
                    enter: |waiter| {
                        let mut state = self.threads.lock();
                        (state.threads > 0).then(|| state.leavers.push(waiter, ()))
                    },
                    leave: |place| match self.is_gone() {
                        true => None,
                        false => self.threads.lock().leavers.leave(place),
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
        debug.field("size", &self.threads.size);
        if self.is_gone() {
            return debug.finish_non_exhaustive();
        }
        let state = self.threads.lock();
        debug
            .field("threads", &state.threads)
            .field("idle", &state.idle)
            .field("queued", &state.queue.len())
            .field("closed", &state.closed)
            .finish()
    }
}
