//! A bounded set of OS threads that share one queue of jobs.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use greenlet::fork_count;

use super::{Job, JobError};
use crate::io::error::failed;
use crate::primitives::sharing::{self, Reach};
use crate::runtime::{Reason, RemoteWaiter, Runtime, Wake};

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
/// A job cannot be ended from outside: one whose caller was killed or timed out keeps its thread until it ends by itself.
/// See [`ThreadPool::with_replacements`] for jobs that may never do so.
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

/// A job in the queue, or at work.
struct Work {
    run: Box<dyn FnOnce() + Send>,
    /// True once its caller was killed or timed out.
    deserted: Arc<AtomicBool>,
}

pub(super) struct Shared {
    name: &'static str,
    size: usize,
    /// How many threads there may be beyond that for jobs that were deserted.
    replacements: usize,
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
    /// Of the jobs at work: see [`Work::deserted`].
    at_work: Vec<Arc<AtomicBool>>,
    handles: Vec<JoinHandle<()>>,
    /// No more jobs are taken; threads end when the queue is empty.
    closed: bool,
    /// It was said that even the replacements are taken.
    exhausted: bool,
    /// Who waits for the last thread to end. `None` looks by itself.
    leavers: Vec<Option<RemoteWaiter>>,
}

impl State {
    fn new() -> State {
        State {
            idle_timeout: IDLE,
            queue: VecDeque::new(),
            threads: 0,
            idle: 0,
            at_work: Vec::new(),
            handles: Vec::new(),
            closed: false,
            exhausted: false,
            leavers: Vec::new(),
        }
    }

    /// How many jobs are at work whose callers have left.
    fn deserted(&self) -> usize {
        let deserted = self.at_work.iter();
        deserted
            .filter(|deserted| deserted.load(Ordering::Relaxed))
            .count()
    }
}

impl Shared {
    /// Nothing that can panic runs under this lock, so poison means nothing.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many threads there may be at this moment.
    fn limit(&self, state: &State) -> usize {
        self.size + state.deserted().min(self.replacements)
    }

    /// Starts a thread if a job waits that no idle one will take, and there may be one more.
    ///
    /// # Errors
    /// If the system has none. Others may be at work, and will come to it.
    fn grow(self: &Arc<Self>, state: &mut State) -> io::Result<()> {
        if state.queue.len() <= state.idle {
            return Ok(());
        }
        if state.threads >= self.size {
            let (deserted, limit) = (state.deserted(), self.limit(state));
            if self.replacements > 0 && deserted >= limit && !state.exhausted {
                state.exhausted = true;
                log::error!(
                    "{}: all {limit} threads are taken by jobs whose callers have left; \
                     no further job runs until one of them ends",
                    self.name
                );
            }
            if state.threads >= limit {
                return Ok(());
            }
            log::warn!(
                "{}: {deserted} of {} jobs at work go on though their callers have left: one more thread is started",
                self.name,
                state.threads
            );
        }
        let shared = Arc::clone(self);
        let handle = thread::Builder::new()
            .name(self.name.to_owned())
            .spawn(move || shared.work())?;
        state.handles.retain(|handle| !handle.is_finished());
        state.handles.push(handle);
        state.threads += 1;
        Ok(())
    }

    /// The caller of a job has left: somebody may wait for its thread.
    pub(super) fn deserted(self: &Arc<Self>) {
        self.grow_or_log(&mut self.lock());
    }

    fn grow_or_log(self: &Arc<Self>, state: &mut State) {
        if let Err(error) = self.grow(state) {
            log::warn!(
                "{} has {} threads and cannot grow: {error}",
                self.name,
                state.threads
            );
        }
    }
}

impl ThreadPool {
    /// A pool of at most `threads` threads, each started when there is work for it. 0 runs every job in the calling
    /// thread, with a warning.
    pub fn new(threads: usize) -> ThreadPool {
        ThreadPool::named("green-pool", threads, 0)
    }

    /// As [`ThreadPool::new`], for jobs that may never end. When a job finds every thread at work, those that run for
    /// callers who were killed or timed out do not count: each is replaced by a further thread, up to as many again as
    /// `threads`. The log says so, and that no thread is left if all of those are taken too. The pools of the process are of
    /// this kind.
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
            shared: Arc::new(Shared {
                name,
                size: threads,
                replacements,
                state: Mutex::new(State::new()),
                work: Condvar::new(),
            }),
            forks: fork_count(),
        }
    }

    /// The number of threads that it may have, replacements not counted.
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
        // Before it runs, since it may call `exit`.
        Runtime::with(Runtime::introduce);
        let (job, run) = Job::new(f, &self.shared);
        let deserted = job.deserted();
        let mut state = self.shared.lock();
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
            self.shared.grow_or_log(&mut state);
        } else if let Err(error) = self.shared.grow(&mut state) {
            let work = state.queue.pop_back();
            drop(state);
            drop(work);
            return Err(failed("cannot start a thread for a job", error).into());
        }
        drop(state);
        self.shared.work.notify_one();
        Ok(job)
    }

    fn is_gone(&self) -> bool {
        fork_count() != self.forks
    }

    pub(super) fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.work.notify_all();
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
        Runtime::with(|runtime| {
            loop {
                if self.shared.lock().threads == 0 {
                    return true;
                }
                if IN_POOL.get() {
                    return false;
                }
                let (waiter, receipt) = sharing::Shared::waiter(runtime);
                let is_idle = {
                    let mut state = self.shared.lock();
                    if state.threads > 0 {
                        state.leavers.push(waiter.clone());
                    }
                    state.threads == 0
                };
                if is_idle {
                    sharing::Shared::give_back(runtime, receipt);
                    return true;
                }
                let reason = Reason::Outside("the end of a thread pool");
                let wake = sharing::Shared::park(runtime, &receipt, reason, deadline);
                sharing::Shared::give_back(runtime, receipt);
                if self.is_gone() {
                    return true;
                }
                let mut state = self.shared.lock();
                let is_me = |leaver: &Option<RemoteWaiter>| match (leaver, &waiter) {
                    (Some(leaver), Some(waiter)) => leaver.is_same(waiter),
                    (leaver, waiter) => leaver.is_none() && waiter.is_none(),
                };
                state.leavers.retain(|leaver| !is_me(leaver));
                let idle = state.threads == 0;
                drop(state);
                match wake {
                    Wake::Event => {}
                    Wake::Expired | Wake::Unwinding => return idle,
                    Wake::Interrupted(interrupt) => interrupt.raise(),
                }
            }
        })
    }
}

impl Shared {
    /// The life of one thread.
    fn work(self: &Arc<Self>) {
        IN_POOL.set(true);
        let mut state = self.lock();
        loop {
            // One that took the place of another, which has come back.
            if state.threads > self.limit(&state) {
                break;
            }
            if let Some(Work { run, deserted }) = state.queue.pop_front() {
                state.at_work.push(Arc::clone(&deserted));
                if deserted.load(Ordering::Relaxed) {
                    // Its caller has left before it ran, when there was nothing to replace yet.
                    self.grow_or_log(&mut state);
                }
                drop(state);
                run();
                state = self.lock();
                state.at_work.retain(|other| !Arc::ptr_eq(other, &deserted));
                state.exhausted = false;
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
        let mut leavers = Vec::new();
        if state.threads == 0 {
            leavers = std::mem::take(&mut state.leavers);
        }
        drop(state);
        for leaver in leavers.into_iter().flatten() {
            leaver.wake();
        }
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
