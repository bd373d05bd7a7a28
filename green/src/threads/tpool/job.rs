//! One job: its result, and the waiter for that.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use greenlet::os::fork_count;

use super::threads::Threads;
use crate::greenthread::Panic;
use crate::runtime::{
    Anywhere, Ended, Origin, Reason, Runtime, Wait, Waiting, Why, contain, lock, resume_interrupt,
};

/// Why a job has no value.
///
/// ```
/// use green::tpool::{JobError, submit};
///
/// # green::debug::tpool_exceptions(false);
/// match submit(|| panic!("no"))?.join() {
///     Ok(()) => unreachable!(),
///     Err(JobError::Panicked(panic)) => assert_eq!(panic.message(), "no"),
///     Err(refused) => println!("{refused}"),
/// }
///
/// // The job's panic can become the caller's:
/// let job = submit(|| -> u32 { panic!("no") })?;
/// let caller = green::spawn(|| job.join().unwrap_or_else(|error| error.raise()));
/// assert_eq!(caller.join().unwrap_err().to_string(), "the greenthread panicked: no");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum JobError {
    /// It panicked.
    Panicked(Panic),
    /// It was not run, or it was and its value cannot be had: the error says why.
    Refused(io::Error),
}

impl JobError {
    /// Raises the job's panic here, or panics with the error.
    pub fn raise(self) -> ! {
        match self {
            JobError::Panicked(panic) => panic.raise(),
            refused => panic!("{refused}"),
        }
    }
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JobError::Panicked(panic) => write!(f, "the job panicked: {}", panic.message()),
            JobError::Refused(error) => error.fmt(f),
        }
    }
}

impl Error for JobError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            JobError::Panicked(_) => None,
            JobError::Refused(error) => error.source(),
        }
    }
}

impl From<io::Error> for JobError {
    fn from(error: io::Error) -> JobError {
        JobError::Refused(error)
    }
}

impl From<JobError> for io::Error {
    fn from(error: JobError) -> io::Error {
        match error {
            JobError::Refused(error) => error,
            panicked => io::Error::other(panicked),
        }
    }
}

/// What a job has come to.
enum Stage<T> {
    Queued,
    Running,
    Done(Result<T, Box<dyn Any + Send>>),
    /// Cancelled, or its result was taken.
    Over,
}

struct Slot<T> {
    stage: Stage<T>,
    waiter: Option<<Anywhere as Origin>::Waiter>,
}

/// A job that was handed to a pool by [`submit`](super::submit): wait for its value, or cancel it.
///
/// Dropping it detaches: the job runs, and its value is dropped. It may go to another thread and be joined there.
///
/// ```
/// let job: green::tpool::Job<u64> = green::tpool::submit(|| (1..=20).product())?;
/// green::yield_now(); // It runs in another thread meanwhile.
/// assert_eq!(job.join()?, 2_432_902_008_176_640_000);
///
/// let mut job = green::tpool::submit(|| 5)?;
/// while !job.is_finished() {
///     green::sleep(std::time::Duration::from_millis(1)); // Or something useful.
/// }
/// assert_eq!(job.poll().unwrap()?, 5);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Job<T> {
    slot: Arc<Mutex<Slot<T>>>,
    /// Where it runs, if not here and now; and that its caller has left.
    pool: Option<Arc<Threads>>,
    deserted: Arc<AtomicBool>,
    /// In the child of a fork nobody runs it any more, and the lock may be held by a thread of the parent.
    forks: usize,
}

impl<T: Send + 'static> Job<T> {
    /// A handle, and what a thread of the pool has to call. That never unwinds.
    pub(super) fn new(
        f: impl FnOnce() -> T + Send + 'static,
        pool: &Arc<Threads>,
    ) -> (Job<T>, Box<dyn FnOnce() + Send>) {
        let slot = Arc::new(Mutex::new(Slot {
            stage: Stage::Queued,
            waiter: None,
        }));
        let job = Job {
            slot: Arc::clone(&slot),
            pool: Some(Arc::clone(pool)),
            deserted: Arc::default(),
            forks: fork_count(),
        };
        let run = Box::new(move || {
            if begin(&slot) {
                finish(slot, panic::catch_unwind(AssertUnwindSafe(f)));
            } else {
                contain("the destructor of a cancelled job", || drop(f));
            }
        });
        (job, run)
    }

    /// Runs `f` here and now. A kill or a deadline that arrives in it goes on.
    pub(super) fn inline(f: impl FnOnce() -> T) -> Job<T> {
        let result = panic::catch_unwind(AssertUnwindSafe(f)).map_err(resume_interrupt);
        Job {
            slot: Arc::new(Mutex::new(Slot {
                stage: Stage::Done(result),
                waiter: None,
            })),
            pool: None,
            deserted: Arc::default(),
            forks: fork_count(),
        }
    }
}

fn begin<T>(slot: &Mutex<Slot<T>>) -> bool {
    let mut slot = lock(slot);
    let queued = matches!(slot.stage, Stage::Queued);
    if queued {
        slot.stage = Stage::Running;
    }
    queued
}

fn finish<T>(slot: Arc<Mutex<Slot<T>>>, result: Result<T, Box<dyn Any + Send>>) {
    let waiter = {
        let mut slot = lock(&slot);
        slot.stage = Stage::Done(result);
        slot.waiter.take()
    };
    // Before the wake-up: if this is the last owner, the value is dropped here, in a thread of the pool.
    contain("the destructor of a job's value", || drop(slot));
    if let Some(waiter) = waiter {
        waiter.wake();
    }
}

impl<T> Job<T> {
    /// Waits for the end and takes the value.
    ///
    /// # Errors
    /// [`JobError::Panicked`] with what the job panicked with. [`JobError::Refused`] if [`Job::poll`] or
    /// [`Job::join_timeout`] has given the value before, or, with kind `WouldBlock`, if the job has not ended and the
    /// calling thread is unwinding: nothing waits then. Also in a child of a fork that was made before the job had
    /// ended: it ends in the parent.
    pub fn join(mut self) -> Result<T, JobError> {
        self.join_here()
    }

    /// As [`Job::join`], for at most `timeout`. `None` says that it has not ended by then.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let mut job = green::tpool::submit(|| std::thread::sleep(Duration::from_millis(50)))?;
    /// assert!(job.join_timeout(Duration::from_millis(1)).is_none());
    /// job.join()?;
    /// # Ok::<(), green::tpool::JobError>(())
    /// ```
    pub fn join_timeout(&mut self, timeout: Duration) -> Option<Result<T, JobError>> {
        self.wait(Some(timeout))
    }

    /// The value, if the job has ended: never waits.
    pub fn poll(&mut self) -> Option<Result<T, JobError>> {
        let Some(mut slot) = self.lock() else {
            return Some(Err(lost()));
        };
        match slot.stage {
            Stage::Done(_) | Stage::Over => {}
            Stage::Queued | Stage::Running if self.is_gone() => return Some(Err(lost())),
            Stage::Queued | Stage::Running => return None,
        }
        let stage = std::mem::replace(&mut slot.stage, Stage::Over);
        drop(slot);
        Some(match stage {
            Stage::Done(Ok(value)) => Ok(value),
            Stage::Done(Err(payload)) => Err(JobError::Panicked(Panic::new(payload))),
            _ => Err(JobError::Refused(io::Error::new(
                io::ErrorKind::NotFound,
                "the job's value has been taken before",
            ))),
        })
    }

    /// True if the job has ended.
    pub fn is_finished(&self) -> bool {
        let is_over =
            |slot: MutexGuard<'_, Slot<T>>| matches!(slot.stage, Stage::Done(_) | Stage::Over);
        self.is_gone() || self.lock().is_none_or(is_over)
    }

    pub(super) fn deserted(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.deserted)
    }

    /// Its waiter was killed or timed out: its thread is not waited for either.
    fn desert(&self) {
        if let Some(pool) = &self.pool
            && !self.is_gone()
            && !self.deserted.swap(true, Ordering::Relaxed)
        {
            pool.deserted();
        }
    }

    fn is_gone(&self) -> bool {
        fork_count() != self.forks
    }

    /// `None` if that cannot be had in this process.
    fn lock(&self) -> Option<MutexGuard<'_, Slot<T>>> {
        match self.is_gone() {
            false => Some(lock(&self.slot)),
            true => self.slot.try_lock().ok(),
        }
    }

    /// Keeps the job from being run, if that has not begun. True if it will not run; its closure is dropped when
    /// its turn comes.
    ///
    /// ```
    /// let pool = green::tpool::ThreadPool::new(1);
    /// let first = pool.submit(|| std::thread::sleep(std::time::Duration::from_millis(20)))?;
    /// let second = pool.submit(|| unreachable!())?;
    /// assert!(second.cancel());
    /// first.join()?;
    /// # Ok::<(), green::tpool::JobError>(())
    /// ```
    pub fn cancel(self) -> bool {
        let Some(mut slot) = self.lock() else {
            return true;
        };
        let queued = matches!(slot.stage, Stage::Queued);
        if queued {
            slot.stage = Stage::Over;
        }
        queued
    }

    /// As `join`, but the handle stays: whoever is killed here leaves it behind for others.
    pub(crate) fn join_here(&mut self) -> Result<T, JobError> {
        match self.wait(None) {
            Some(result) => result,
            None => unreachable!("a wait without a deadline has expired"),
        }
    }

    fn wait(&mut self, timeout: Option<Duration>) -> Option<Result<T, JobError>> {
        if let Some(result) = self.poll() {
            return Some(result);
        }
        Runtime::with(|runtime| {
            let deadline = runtime.deadline(timeout);
            loop {
                let ended = runtime.try_wait::<Anywhere, _, _>(Wait {
                    reason: Reason::Outside("a job of the thread pool"),
                    deadline,
                    enter: |waiter| self.enter(waiter),
                    // One that has ended has taken the waiter out.
                    leave: |()| self.lock().and_then(|mut slot| slot.waiter.take()),
                    pass_on: || (),
                });
                let ended = ended.unwrap_or_else(|interrupt| {
                    self.desert();
                    interrupt.raise()
                });
                match (self.poll(), ended) {
                    (Some(result), _) => return Some(result),
                    (None, Ended::NotServed(Why::Expired, _)) => return None,
                    (None, Ended::NotServed(Why::Unwinding, _)) => {
                        return Some(Err(JobError::Refused(io::Error::new(
                            io::ErrorKind::WouldBlock,
                            "cannot wait for a job of the thread pool while unwinding",
                        ))));
                    }
                    (None, _) => {}
                }
            }
        })
    }

    /// Has the end of the job wake `waiter`. `None` says that it has ended.
    fn enter(&self, waiter: <Anywhere as Origin>::Waiter) -> Option<()> {
        let mut slot = lock(&self.slot);
        let open = matches!(slot.stage, Stage::Queued | Stage::Running);
        open.then(|| slot.waiter = Some(waiter))
    }
}

fn lost() -> JobError {
    JobError::Refused(io::Error::new(
        io::ErrorKind::NotConnected,
        "the job runs in the parent: this process was forked meanwhile",
    ))
}

impl<T> fmt::Debug for Job<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = self.lock().map(|slot| match slot.stage {
            Stage::Queued => "queued",
            Stage::Running => "running",
            Stage::Done(_) => "done",
            Stage::Over => "over",
        });
        f.debug_struct("Job").field("stage", &stage).finish()
    }
}
