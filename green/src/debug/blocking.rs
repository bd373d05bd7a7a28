//! A detector of greenthreads that keep the others from running: a watchdog thread names them, and never touches
//! them.

use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use greenlet::os::fork_count;

use super::observe::Watch;
use crate::runtime::lock;

/// What a thread shows its watchdog.
#[derive(Debug)]
pub(super) struct Heartbeat {
    /// Counts runs of greenthreads; odd while one runs, even while the hub waits.
    beat: AtomicU64,
    running: Mutex<(u64, Option<&'static Location<'static>>)>,
    /// Set by the watchdog: the one that runs is to show its stack when it next waits.
    overdue: AtomicBool,
    thread: String,
    /// The number of the thread in the kernel, where `/proc` tells it, else 0.
    kernel_thread: AtomicU32,
    resolution: Duration,
    /// In the child of a fork the watchdog is missing: it has stayed in the parent.
    forks: AtomicUsize,
    /// For a further watchdog.
    me: Weak<Heartbeat>,
}

impl Heartbeat {
    fn new(resolution: Duration) -> Arc<Heartbeat> {
        let thread = std::thread::current();
        Arc::new_cyclic(|me| Heartbeat {
            beat: AtomicU64::new(0),
            running: Mutex::new((0, None)),
            overdue: AtomicBool::new(false),
            thread: thread.name().unwrap_or("unnamed").to_owned(),
            kernel_thread: AtomicU32::new(kernel_thread().unwrap_or(0)),
            resolution,
            forks: AtomicUsize::new(fork_count()),
            me: me.clone(),
        })
    }

    /// A greenthread begins to run.
    pub(super) fn runs(&self, id: u64, spawned_at: &'static Location<'static>) {
        if self.forks.load(Ordering::Relaxed) != fork_count() {
            self.forks.store(fork_count(), Ordering::Relaxed);
            let number = kernel_thread().unwrap_or(0);
            self.kernel_thread.store(number, Ordering::Relaxed);
            watch(self.me.clone(), self.resolution);
        }
        *lock(&self.running) = (id, Some(spawned_at));
        let beat = self.beat.load(Ordering::Relaxed);
        self.beat.store((beat | 1) + 2, Ordering::Release);
    }

    /// The hub begins to wait.
    pub(super) fn waits(&self) {
        let beat = self.beat.load(Ordering::Relaxed);
        self.beat.store((beat | 1) + 1, Ordering::Release);
    }

    /// True once, after the watchdog has named the one that runs.
    pub(super) fn take_overdue(&self) -> bool {
        self.overdue.swap(false, Ordering::AcqRel)
    }

    fn report(&self, after: Duration) {
        let (id, spawned_at) = *lock(&self.running);
        let who = match (id, spawned_at) {
            (0, _) | (_, None) => "its own greenthread".to_owned(),
            (id, Some(place)) => format!("greenthread {id} (spawned at {place})"),
        };
        let number = self.kernel_thread.load(Ordering::Relaxed);
        let kernel = kernel_state(number).unwrap_or_default();
        log::warn!(
            "thread \"{}\": {who} has run for {after:?} without letting others run{kernel}",
            self.thread
        );
        self.overdue.store(true, Ordering::Release);
    }
}

/// Watches this thread: a greenthread that runs for longer than `resolution` without a switch is named in the log, by
/// id and by the place of its spawn, while it still runs; when it next waits, its stack there is logged too. It is
/// never interrupted. `None` turns the detector off.
///
/// The watchdog is an OS thread of its own, which ends with the detection. While it is on, a switch costs some tens of nanoseconds more.
///
/// # Panics
/// If `resolution` is zero.
///
/// ```
/// green::debug::blocking_detection(Some(std::time::Duration::from_millis(100)));
/// green::debug::blocking_detection(None);
/// ```
pub fn blocking_detection(resolution: impl Into<Option<Duration>>) {
    let resolution: Option<Duration> = resolution.into();
    assert!(
        resolution != Some(Duration::ZERO),
        "the resolution of the blocking detector must not be zero"
    );
    let heartbeat = resolution.map(|resolution| {
        let heartbeat = Heartbeat::new(resolution);
        watch(Arc::downgrade(&heartbeat), resolution);
        heartbeat
    });
    Watch::with(|runtime, watch| watch.set_heartbeat(runtime, heartbeat));
}

fn watch(heartbeat: Weak<Heartbeat>, resolution: Duration) {
    let watchdog = move || {
        let mut seen = (0, Instant::now());
        let mut reported = 0;
        // Ends with the thread that it watches.
        while let Some(heart) = heartbeat.upgrade() {
            let beat = heart.beat.load(Ordering::Acquire);
            if beat != seen.0 {
                seen = (beat, Instant::now());
            }
            let after = seen.1.elapsed();
            if beat % 2 == 1 && reported != beat && after >= resolution {
                heart.report(after);
                reported = beat;
            }
            drop(heart);
            std::thread::sleep(resolution / 4);
        }
    };
    let name = "green-watchdog".to_owned();
    if let Err(error) = std::thread::Builder::new().name(name).spawn(watchdog) {
        log::error!("no thread for the blocking detector: {error}");
    }
}

/// Runs `f` and panics if this greenthread ran for longer than `most` at a stretch in it: for tests.
///
/// ```
/// use std::time::Duration;
///
/// green::debug::assert_switches(Duration::from_secs(60), || green::yield_now());
/// ```
///
/// # Panics
/// If it did, saying for how long.
pub fn assert_switches<T>(most: Duration, f: impl FnOnce() -> T) -> T {
    let (value, longest) = Watch::with(|runtime, watch| watch.longest_run(runtime, f));
    assert!(
        longest <= most,
        "the greenthread ran for {longest:?} without letting others run; at most {most:?} were allowed"
    );
    value
}

/// The number of this thread in the kernel, where `/proc` tells it.
fn kernel_thread() -> Option<u32> {
    let link = std::fs::read_link("/proc/thread-self").ok()?;
    link.file_name()?.to_str()?.parse().ok()
}

/// What the kernel says of that thread: running or asleep, and in which system call.
fn kernel_state(thread: u32) -> Option<String> {
    let call = std::fs::read_to_string(format!("/proc/self/task/{thread}/syscall")).ok()?;
    let call = call.split_whitespace().next()?;
    Some(match call {
        "running" => "; it computes".to_owned(),
        number => format!("; it is in system call {number}"),
    })
}
