//! Logs of single runs: the long ones, or samples of all.

use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::observe::Watch;
use crate::runtime::Task;

/// A run of a greenthread, from where it was switched to up to where it let others run.
///
/// ```
/// use std::time::Duration;
///
/// let log = green::debug::long_runs(Duration::from_millis(2), 100);
/// green::spawn(|| std::thread::sleep(Duration::from_millis(3))).join().unwrap();
/// for run in log.take() {
///     println!("{} ran for {:?}: {}", run.greenthread, run.ran, run.stack);
/// }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct RunInfo {
    /// The id of the greenthread; 0 is the thread's own.
    pub greenthread: u64,
    /// Its name, if it has one.
    pub name: Option<Rc<str>>,
    /// Where it was spawned.
    pub spawned_at: &'static Location<'static>,
    /// When the run was over.
    pub ended: Instant,
    /// How long it took; in a log of samples, the time that the sample stands for.
    pub ran: Duration,
    /// Where it stopped.
    pub stack: Backtrace,
}

/// Which runs are noted.
#[derive(Clone, Copy)]
enum Rule {
    AtLeast(Duration),
    Every(Duration),
}

/// The log as the observer sees it.
pub(super) struct Log {
    rule: Rule,
    most: usize,
    /// Time that no sample stands for yet.
    rest: Cell<Duration>,
    runs: RefCell<Vec<RunInfo>>,
    lost: Cell<u64>,
}

impl Log {
    pub(super) fn note(&self, task: &Task, ran: Duration, ended: Instant) {
        let ran = match self.rule {
            Rule::AtLeast(least) if ran < least => return,
            Rule::AtLeast(_) => ran,
            Rule::Every(period) => {
                let rest = self.rest.get() + ran;
                if rest < period {
                    return self.rest.set(rest);
                }
                let periods = rest.as_nanos() / period.as_nanos();
                let sampled = period.saturating_mul(u32::try_from(periods).unwrap_or(u32::MAX));
                self.rest.set(rest.saturating_sub(sampled));
                sampled
            }
        };
        if self.runs.borrow().len() >= self.most {
            return self.lost.set(self.lost.get() + 1);
        }
        let run = RunInfo {
            greenthread: task.id,
            name: task.name(),
            spawned_at: task.spawned_at,
            ended,
            ran,
            stack: Backtrace::force_capture(),
        };
        self.runs.borrow_mut().push(run);
    }
}

/// Notes runs of the greenthreads of this thread until it is dropped. Made by [`long_runs`] and [`sample_runs`].
///
/// ```
/// use green::debug::RunLog;
///
/// let log: RunLog = green::debug::long_runs(std::time::Duration::from_secs(60), 100);
/// green::yield_now();
/// assert!(log.take().is_empty());
/// assert_eq!(log.lost(), 0); // Of those that were to be noted.
/// ```
#[must_use = "nothing is noted any more once this is dropped"]
pub struct RunLog {
    watch: Rc<Watch>,
    log: Rc<Log>,
}

/// Notes every run of a greenthread of this thread that takes at least so long: who keeps the others from running, with
/// its stack where it stopped. When there are `most` that nobody has [taken](RunLog::take), further ones are counted only.
///
/// It comes when the run is over. [`blocking_detection`](super::blocking_detection) tells of one while it goes on.
///
/// ```
/// use std::time::Duration;
///
/// let log = green::debug::long_runs(Duration::from_millis(5), 100);
/// let gt = green::spawn(|| std::thread::sleep(Duration::from_millis(6)));
/// let id = gt.id();
/// gt.join().unwrap();
/// assert!(log.take().iter().any(|run| run.greenthread == id && run.ran >= Duration::from_millis(6)));
/// ```
pub fn long_runs(at_least: Duration, most: usize) -> RunLog {
    RunLog::begin(Rule::AtLeast(at_least), most)
}

/// Samples where time is used: whenever the greenthreads of this thread have run for `period` in sum, the run that is just
/// over is noted, with its stack where it stopped, and stands for that time. At most `most` samples are noted until
/// somebody [takes](RunLog::take) them.
///
/// Which greenthread and which run it is, is as likely as the time that it takes. Nothing interrupts a greenthread, so the
/// stack shows where it next waited, and not where in the run the time went. A sample costs some ten microseconds.
///
/// # Panics
/// If `period` is zero.
///
/// ```
/// use std::time::Duration;
///
/// let log = green::debug::sample_runs(Duration::from_millis(1), 1000);
/// green::spawn(|| std::thread::sleep(Duration::from_millis(3))).join().unwrap();
/// let sampled: Duration = log.take().iter().map(|run| run.ran).sum();
/// assert!(sampled >= Duration::from_millis(3));
/// ```
pub fn sample_runs(period: Duration, most: usize) -> RunLog {
    assert!(!period.is_zero(), "the period of samples must not be zero");
    RunLog::begin(Rule::Every(period), most)
}

impl RunLog {
    fn begin(rule: Rule, most: usize) -> RunLog {
        Watch::with(|runtime, watch| {
            let log = Rc::new(Log {
                rule,
                most,
                rest: Cell::default(),
                runs: RefCell::default(),
                lost: Cell::new(0),
            });
            watch.add_log(runtime, Rc::clone(&log));
            RunLog {
                watch: Rc::clone(watch),
                log,
            }
        })
    }

    /// The runs that were noted since the last call, in their order.
    pub fn take(&self) -> Vec<RunInfo> {
        self.log.runs.take()
    }

    /// How many runs were not noted because there was no room.
    pub fn lost(&self) -> u64 {
        self.log.lost.get()
    }
}

impl Drop for RunLog {
    fn drop(&mut self) {
        Watch::with(|runtime, watch| {
            if Rc::ptr_eq(watch, &self.watch) {
                watch.remove_log(runtime, &self.log);
            }
        });
    }
}

impl fmt::Debug for RunLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunLog")
            .field("runs", &self.log.runs.borrow().len())
            .finish_non_exhaustive()
    }
}
