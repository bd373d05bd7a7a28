//! Sleeping, and turns at regular times.

use std::time::{Duration, Instant};

use crate::runtime::{Ended, Here, Reason, Runtime, Wait, Why};

pub use crate::greenthread::timeout::{Elapsed, Timeout, with_timeout};

/// The time on the clock that the deadlines of this thread are measured by: the system's monotonic clock, but in a
/// simulated run (see [`sim`](crate::sim)) the time of that run.
///
/// ```
/// use std::time::Duration;
///
/// let passed = green::sim::run(1, || {
///     let start = green::time::now();
///     green::sleep(Duration::from_secs(5));
///     green::time::now() - start
/// });
/// assert_eq!(passed, Duration::from_secs(5));
/// ```
pub fn now() -> Instant {
    Runtime::with(Runtime::now)
}

/// Lets the other greenthreads run for at least `duration`; zero is [`yield_now`].
///
/// While the thread unwinds (in a destructor that a panic runs) it returns at once: nothing waits then.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// green::sleep(Duration::from_millis(3));
/// assert!(start.elapsed() >= Duration::from_millis(3));
/// ```
pub fn sleep(duration: Duration) {
    if duration.is_zero() {
        return yield_now();
    }
    Runtime::with(|runtime| sleep_to(runtime, runtime.deadline(Some(duration))));
}

/// Lets the other greenthreads run until `deadline`; if that has passed, once.
///
/// While the thread unwinds it returns at once.
///
/// ```
/// use std::time::Duration;
///
/// let deadline = green::time::now() + Duration::from_millis(3);
/// green::sleep_until(deadline);
/// assert!(green::time::now() >= deadline);
/// ```
pub fn sleep_until(deadline: Instant) {
    Runtime::with(|runtime| {
        if deadline <= runtime.now() {
            runtime.yield_now();
        } else {
            sleep_to(runtime, Some(deadline));
        }
    });
}

/// `None` is a deadline beyond the clock: it never comes.
fn sleep_to(runtime: &Runtime, deadline: Option<Instant>) {
    loop {
        let sleep = Wait {
            reason: Reason::Sleep,
            deadline,
            enter: |_| Some(()),
            leave: Some,
            pass_on: || (),
        };
        match runtime.wait::<Here, _, _>(sleep) {
            Ended::NotServed(Why::Expired | Why::Unwinding, ()) => return,
            Ended::NotServed(Why::Again, ()) | Ended::Served => {}
        }
    }
}

/// Lets every greenthread that can run have a turn before this one goes on.
///
/// ```
/// green::spawn_n(|| println!("first"));
/// green::yield_now();
/// println!("second");
/// ```
// Not inline, and the runtime is not passed to it: where it is found does not depend on what this stack has kept, so the
// processor looks for the next greenthread before it has switched to this one.
#[inline(never)]
pub fn yield_now() {
    Runtime::with(|runtime| runtime.yield_now());
}

/// Ticks at regular times: the first at once, the others every `period` after it.
///
/// A tick that comes late does not move those after it; those that were missed meanwhile are skipped.
///
/// # Panics
/// If `period` is zero.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// let mut interval = green::time::interval(Duration::from_millis(2));
/// for _ in 0..3 {
///     interval.tick();
/// }
/// assert!(start.elapsed() >= Duration::from_millis(4));
/// ```
pub fn interval(period: Duration) -> Interval {
    assert!(
        !period.is_zero(),
        "the period of an interval must not be zero"
    );
    Interval {
        next: Some(Runtime::with(Runtime::now)),
        period,
    }
}

/// Made by [`interval`].
///
/// ```
/// use std::time::Duration;
///
/// let mut interval = green::time::interval(Duration::from_millis(1));
/// let (first, second) = (interval.tick(), interval.tick());
/// assert!(second >= first + Duration::from_millis(1));
/// ```
#[derive(Debug)]
pub struct Interval {
    /// `None` is a time beyond the clock: it never comes.
    next: Option<Instant>,
    period: Duration,
}

impl Interval {
    /// Waits for the next tick and gives the time for which it was set. One beyond what the clock can say never comes:
    /// then this waits until the greenthread is killed or a deadline around it has passed.
    pub fn tick(&mut self) -> Instant {
        let Some(tick) = self.next else {
            return Runtime::with(|runtime| {
                sleep_to(runtime, None);
                runtime.now()
            });
        };
        sleep_until(tick);
        let late = Runtime::with(Runtime::now).saturating_duration_since(tick);
        self.next = tick.checked_add(after(late, self.period));
        tick
    }
}

/// The first multiple of `period` that is more than `late`.
fn after(late: Duration, period: Duration) -> Duration {
    const BILLION: u128 = 1_000_000_000;
    let missed = late.as_nanos() / period.as_nanos();
    let nanos = period.as_nanos().saturating_mul(missed + 1);
    match u64::try_from(nanos / BILLION) {
        Ok(seconds) => Duration::new(seconds, (nanos % BILLION) as u32),
        Err(_) => Duration::MAX,
    }
}

/// Runs `f` for at most `after`: [`Timeout::run`] as a function.
///
/// # Errors
/// [`Elapsed`] if the time was up before `f` returned.
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(green::time::timeout(Duration::from_secs(60), || 1), Ok(1));
/// ```
#[track_caller]
pub fn timeout<T>(after: impl Into<Option<Duration>>, f: impl FnOnce() -> T) -> Result<T, Elapsed> {
    Timeout::new(after).run(f)
}
