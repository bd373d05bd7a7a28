//! How many workers there are, and what they are like.

use std::env;
use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use super::handle::{Common, WorkersHandle};
use super::supervise::{Workers, start};
use super::{Worker, WorkerOutcome, WorkersError};
use crate::hubs;
use crate::signal::Signals;

/// What says how many workers there are if the program does not.
const GREEN_WORKERS: &str = "GREEN_WORKERS";

/// What becomes of a worker that panics.
///
/// ```
/// use green::workers::{OnPanic, WorkersBuilder};
///
/// let workers = WorkersBuilder::new().count(2).on_panic(OnPanic::Restart);
/// green::workers(workers, |_| ())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnPanic {
    /// It stops all others, and its panic is what the call gives.
    #[default]
    Stop,
    /// It is started again on a thread of its own: at once if it has lived for a second, and after a pause that
    /// doubles up to a second if it has not. The panic is logged.
    Restart,
}

/// The configuration of workers: goes where their number would.
///
/// ```
/// use green::workers::WorkersBuilder;
///
/// let workers = WorkersBuilder::new().count(2).name("counter").pin_to_cores(true);
/// let names = green::workers(workers, |worker| Ok::<_, ()>(worker.name().to_owned()));
/// assert_eq!(names.unwrap(), ["counter-0", "counter-1"]);
/// ```
///
/// Their hub, and what ends them:
///
/// ```
/// use std::time::Duration;
/// use green::signal::{SIGINT, SIGTERM};
/// use green::workers::{OnPanic, WorkersBuilder};
///
/// let workers = WorkersBuilder::new()
///     .count(1)
///     .hub("poll")
///     .on_panic(OnPanic::Stop)
///     .grace(Duration::from_secs(1))
///     .stop_on([SIGINT, SIGTERM], Duration::from_secs(10));
/// green::workers(workers, |_| green::signal::raise(SIGTERM))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct WorkersBuilder {
    count: Option<usize>,
    name: String,
    hub: Option<String>,
    pub(super) pinned: bool,
    pub(super) on_panic: OnPanic,
    pub(super) grace: Option<Duration>,
    stop_on: Option<(Vec<i32>, Option<Duration>)>,
}

impl Default for WorkersBuilder {
    fn default() -> WorkersBuilder {
        WorkersBuilder::new()
    }
}

impl From<usize> for WorkersBuilder {
    fn from(count: usize) -> WorkersBuilder {
        WorkersBuilder::new().count(count)
    }
}

impl From<Option<usize>> for WorkersBuilder {
    fn from(count: Option<usize>) -> WorkersBuilder {
        WorkersBuilder::new().count(count)
    }
}

impl WorkersBuilder {
    /// As many as `GREEN_WORKERS` says, or as there are cores, named `worker-0` and so on.
    pub fn new() -> WorkersBuilder {
        WorkersBuilder {
            count: None,
            name: String::from("worker"),
            hub: None,
            pinned: false,
            on_panic: OnPanic::Stop,
            grace: Some(Duration::ZERO),
            stop_on: None,
        }
    }

    /// Sets how many workers there are.
    pub fn count(mut self, count: impl Into<Option<usize>>) -> WorkersBuilder {
        self.count = count.into();
        self
    }

    /// Sets what the names of their threads begin with; the index follows. Some systems show the first fifteen bytes
    /// of it.
    pub fn name(mut self, name: &str) -> WorkersBuilder {
        self.name = name.to_owned();
        self
    }

    /// Sets the name of their hubs, as [`use_hub`](hubs::use_hub) takes it: at first that of the calling thread's
    /// hub.
    pub fn hub(mut self, name: &str) -> WorkersBuilder {
        self.hub = Some(name.to_owned());
        self
    }

    /// With `true`, the system runs each worker on one core only, one after the other of those that the process may
    /// use. On other systems than Linux and Android a warning is logged instead.
    pub fn pin_to_cores(mut self, pinned: bool) -> WorkersBuilder {
        self.pinned = pinned;
        self
    }

    /// Sets what becomes of a worker that panics.
    pub fn on_panic(mut self, on_panic: OnPanic) -> WorkersBuilder {
        self.on_panic = on_panic;
        self
    }

    /// Sets how long the others may take to end when one has failed or panicked: no time at first, `None` is for
    /// ever. It is the `timeout` of the [stop](WorkersHandle::stop) that is made then.
    pub fn grace(mut self, timeout: impl Into<Option<Duration>>) -> WorkersBuilder {
        self.grace = timeout.into();
        self
    }

    /// Stops all workers when one of `signals` arrives, as [`WorkersHandle::stop`] with `timeout`; the next of them
    /// kills what is left. The calling thread hears of a signal and tells the workers.
    ///
    /// For other signals each worker may have [`Signals`] of its own: all of them hear of each.
    pub fn stop_on(
        mut self,
        signals: impl IntoIterator<Item = i32>,
        timeout: impl Into<Option<Duration>>,
    ) -> WorkersBuilder {
        self.stop_on = Some((signals.into_iter().collect(), timeout.into()));
        self
    }

    /// Starts the workers, and returns when all have begun. A greenthread of the calling thread watches over them: it
    /// needs its turns.
    ///
    /// # Errors
    /// [`WorkersError::NotStarted`] if there are to be none, if `GREEN_WORKERS` is no number, if there is no such
    /// hub, if a signal cannot be waited for, or if the system refuses a thread: those that were started are stopped.
    /// What a worker fails of in its own thread comes from [`Workers::join`].
    ///
    /// # Panics
    /// As [`spawn`](crate::spawn).
    ///
    /// ```
    /// use green::workers::WorkersBuilder;
    ///
    /// let workers = WorkersBuilder::new().count(2).start(|worker| {
    ///     worker.wait_stop();
    /// })?;
    /// let answer = workers.handle().spawn_on(1, || 6 * 7).unwrap().join();
    /// assert_eq!(answer.unwrap(), 42);
    /// workers.handle().stop(None);
    /// workers.join()?;
    /// # Ok::<(), green::workers::WorkersError<std::convert::Infallible>>(())
    /// ```
    #[allow(
        clippy::type_complexity,
        reason = "each part of it has a name that readers know"
    )]
    pub fn start<R: WorkerOutcome>(
        self,
        f: impl Fn(Worker) -> R + Send + Sync + 'static,
    ) -> Result<Workers<R::Value, R::Error>, WorkersError<R::Error>> {
        let workers = self.launch(f)?;
        workers.wait_begun();
        Ok(workers)
    }

    /// As `start`, without a wait.
    #[allow(clippy::type_complexity, reason = "as for `start`")]
    pub(super) fn launch<R: WorkerOutcome>(
        self,
        f: impl Fn(Worker) -> R + Send + Sync + 'static,
    ) -> Result<Workers<R::Value, R::Error>, WorkersError<R::Error>> {
        let run = Arc::new(move |worker: Worker| f(worker).outcome());
        let made = || {
            let count = self.resolve_count()?;
            let hub = self.resolve_hub()?;
            let signals = self.stop_on.as_ref();
            let signals = signals.map(|(signals, _)| Signals::new(signals.iter().copied()));
            io::Result::Ok((count, hub, signals.transpose()?))
        };
        let (count, hub, signals) = made().map_err(WorkersError::NotStarted)?;
        let handle = WorkersHandle::new(Common::new(count, &self.name, hub, &self));
        let signals = signals.zip(self.stop_on.map(|(_, timeout)| timeout));
        start(handle, signals, run)
    }

    pub(super) fn resolve_count(&self) -> io::Result<usize> {
        let none = |from: &str| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{from}: the number of workers is one or more"),
            )
        };
        match (self.count, env::var_os(GREEN_WORKERS)) {
            (Some(0), _) => Err(none("count")),
            (Some(count), _) => Ok(count),
            (None, Some(text)) => match text.to_str().and_then(|text| text.trim().parse().ok()) {
                Some(count) if count > 0 => Ok(count),
                _ => Err(none(&format!(
                    "the environment variable {GREEN_WORKERS} is {text:?}"
                ))),
            },
            (None, None) => Ok(available_parallelism().map_or(1, NonZero::get)),
        }
    }

    /// The name of the hub that each worker is to make, which is made once for a try.
    fn resolve_hub(&self) -> io::Result<String> {
        let name = match &self.hub {
            Some(name) => name.clone(),
            None => hubs::get_hub().to_owned(),
        };
        match hubs::is_known(&name) {
            true => Ok(name),
            false => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "workers cannot make a hub {name:?}: give it that name by green::hubs::register"
                ),
            )),
        }
    }
}
