//! Blocking work in OS threads: the calling greenthread waits, the others run on.
//!
//! ```
//! let sum = green::tpool::execute(|| (1..=1_000_000u64).sum::<u64>())?;
//! assert_eq!(sum, 500_000_500_000);
//! # Ok::<(), green::tpool::JobError>(())
//! ```
//!
//! The functions of this module use one pool for the whole process, made on first use. Its size is what
//! [`set_num_threads`] said, or the environment variable `GREEN_THREADPOOL_SIZE` (eventlet's
//! `EVENTLET_THREADPOOL_SIZE` is accepted), or 20. Threads are started when there is work for them and end when
//! they have been idle for a while. A [`ThreadPool`] is a pool of one's own.
//!
//! - Jobs start in the order in which they came. Files and names ([`fs`](crate::fs), [`dns`](crate::dns)) have as many
//!   threads each of their own: slow jobs do not hold them up.
//! - A job that a pool's thread hands to any pool runs at once in that thread: a full pool cannot wait for itself. But a
//!   job that waits for another thread, which itself waits for a job of the same pool, can find itself in a circle:
//!   with one thread in the pool, `execute(move || hub.submit(|| execute(f)).join())` never ends. Have the
//!   hub's thread do such work without the pool, or through a [`ThreadPool`] of its own.
//! - A greenthread that waits for a job may be killed or time out; the job runs to its end, its result is dropped, and the
//!   pool is as before. If it never ends, a further thread takes its place: see
//!   [`ThreadPool::with_replacements`].
//! - No lock of a pool or a hub is held while a job runs.
//! - The end of `main` ends the process, whatever jobs still run; [`killall`] is how to wait for them.
//!
//! A job may use everything of green: its thread has a hub of its own. Greenthreads that a job spawns run only
//! while a job of that thread waits.

mod job;
mod pool;
mod proxy;
mod threads;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::runtime::per_process::PerProcess;
use crate::runtime::{Runtime, lock};

pub use job::{Job, JobError};
pub use pool::ThreadPool;
pub use proxy::Proxy;

/// The environment variable that gives the number of threads of the process' pool.
pub const GREEN_THREADPOOL_SIZE: &str = "GREEN_THREADPOOL_SIZE";

const EVENTLET_THREADPOOL_SIZE: &str = "EVENTLET_THREADPOOL_SIZE";

const DEFAULT_SIZE: usize = 20;

/// The pool of this process.
static POOL: PerProcess<Mutex<Global>> = PerProcess::new();

/// What the threads of the process are for: none of these waits behind another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// The user's jobs.
    Jobs,
    Files,
    Names,
}

impl Lane {
    fn name(self) -> &'static str {
        match self {
            Lane::Jobs => "green-pool",
            Lane::Files => "green-files",
            Lane::Names => "green-names",
        }
    }
}

#[derive(Default)]
struct Global {
    /// What `set_num_threads` said.
    size: Option<usize>,
    /// One a lane.
    pools: [Option<Arc<ThreadPool>>; 3],
}

/// Nothing that can panic runs under this lock, so poison means nothing.
fn global() -> MutexGuard<'static, Global> {
    let global = POOL.get(Mutex::default);
    lock(global)
}

fn pool(lane: Lane) -> io::Result<Arc<ThreadPool>> {
    let mut global = global();
    if let Some(pool) = &global.pools[lane as usize] {
        return Ok(Arc::clone(pool));
    }
    let size = match global.size {
        Some(size) => size,
        None => environment()?,
    };
    let pool = Arc::new(ThreadPool::named(lane.name(), size, size));
    Ok(Arc::clone(global.pools[lane as usize].insert(pool)))
}

/// As [`execute`], for green's own blocking calls.
pub(crate) fn execute_in<T: Send + 'static>(
    lane: Lane,
    f: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JobError> {
    pool(lane)?.execute(f)
}

/// As [`submit`], for green's own blocking calls.
pub(crate) fn submit_in<T: Send + 'static>(
    lane: Lane,
    f: impl FnOnce() -> T + Send + 'static,
) -> Result<Job<T>, JobError> {
    pool(lane)?.submit(f)
}

/// True in a thread of a pool.
pub(crate) fn is_job() -> bool {
    pool::is_member()
}

/// What the environment says of the size.
fn environment() -> io::Result<usize> {
    for name in [GREEN_THREADPOOL_SIZE, EVENTLET_THREADPOOL_SIZE] {
        let Some(value) = std::env::var_os(name) else {
            continue;
        };
        let size = value.to_str().and_then(|value| value.trim().parse().ok());
        return size.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("the environment variable {name} is {value:?}; it must be a number of threads, 0 or more"),
            )
        });
    }
    Ok(DEFAULT_SIZE)
}

/// Runs `f` in a thread of the pool; the calling greenthread waits for its value.
///
/// With a pool of size 0, and in a thread of a pool, `f` runs at once in the calling thread. So it does while the
/// thread unwinds (in a destructor that a panic runs): a switch is impossible then, and the thread blocks.
///
/// # Errors
/// [`JobError::Panicked`] with what `f` panicked with; [`JobError::Refused`] if the environment names no valid
/// size or the system has no thread left: `f` has not run then. In the child of a fork that was made meanwhile: it runs
/// in the parent.
///
/// ```
/// use std::time::Duration;
///
/// let slow = || green::tpool::execute(|| std::thread::sleep(Duration::from_secs(5)));
/// let left = green::Timeout::new(Duration::from_millis(5)).run(slow);
/// assert!(left.is_err());
/// ```
pub fn execute<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> Result<T, JobError> {
    execute_in(Lane::Jobs, f)
}

/// Hands `f` to the pool and returns at once with a handle to wait for it, or not.
///
/// With a pool of size 0, and in a thread of a pool, `f` has run when this returns.
///
/// # Errors
/// [`JobError::Refused`], as [`execute`].
///
/// ```
/// let jobs = (0..4).map(|n| green::tpool::submit(move || n * n)).collect::<Result<Vec<_>, _>>()?;
/// let squares = jobs.into_iter().map(|job| job.join()).collect::<Result<Vec<_>, _>>()?;
/// assert_eq!(squares, [0, 1, 4, 9]);
/// # Ok::<(), green::tpool::JobError>(())
/// ```
pub fn submit<T: Send + 'static>(
    f: impl FnOnce() -> T + Send + 'static,
) -> Result<Job<T>, JobError> {
    submit_in(Lane::Jobs, f)
}

/// Sets the number of threads of the process' pool, before it is first used, and of those for files and for names. 0 runs
/// every job in the calling thread, with a warning.
///
/// # Errors
/// `ResourceBusy` if the pool is in use already; [`killall`] ends that.
///
/// ```
/// green::tpool::set_num_threads(4)?;
/// assert_eq!(green::tpool::execute(|| 1).unwrap(), 1);
/// assert!(green::tpool::set_num_threads(8).is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn set_num_threads(threads: usize) -> io::Result<()> {
    let mut global = global();
    if let Some(pool) = &global.pools[Lane::Jobs as usize] {
        return Err(io::Error::new(
            io::ErrorKind::ResourceBusy,
            format!(
                "cannot set the thread pool to {threads} threads: it is in use with {}; call killall before",
                pool.size()
            ),
        ));
    }
    global.size = Some(threads);
    Ok(())
}

/// Ends the process' pool, and those for files and names: jobs that were handed to it run to their end and deliver their results, then its
/// threads end. Waits for that, for at most `timeout`. True if it has happened.
///
/// The next use of the module sets up a new pool, and [`set_num_threads`] may be called before. If the time was
/// too short, or the caller is killed or a thread of the pool itself, the old pool ends when it has done its work.
///
/// While the thread unwinds nothing is waited for.
///
/// ```
/// let job = green::tpool::submit(|| 5)?;
/// assert!(green::tpool::killall(None));
/// assert_eq!(job.join()?, 5);
/// # Ok::<(), green::tpool::JobError>(())
/// ```
pub fn killall(timeout: impl Into<Option<Duration>>) -> bool {
    let deadline = Runtime::with(|runtime| runtime.deadline(timeout.into()));
    let pools = std::mem::take(&mut global().pools);
    pools.iter().flatten().for_each(|pool| pool.close());
    let mut ended = pools.iter().flatten();
    ended.all(|pool| pool.wait_end(deadline))
}
