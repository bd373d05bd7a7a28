//! The last minutes: one look a second, also while nobody else looks.

use std::time::{Duration, Instant};

use green::debug::{self, Counters};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

use crate::inside::{Inside, Warning, seconds, unix_time};

const PERIOD: Duration = Duration::from_secs(1);

/// Five minutes.
const POINTS: usize = 300;

/// What happened in one second, and what there was at its end.
#[derive(Clone, Serialize)]
pub(crate) struct Point {
    /// Milliseconds since 1970.
    at: u64,
    /// A second.
    switches: f64,
    polls: f64,
    wakeups: f64,
    spawns: f64,
    /// The share of one processor that the thread has used.
    processor: f64,
    /// How late the console itself came to run, in seconds.
    late: f64,
    greenthreads: usize,
    runnable: usize,
    waiting_for_descriptors: usize,
    descriptors: usize,
    timers: usize,
    stack_bytes: usize,
    resident_bytes: u64,
}

/// What a point is made of.
struct Look {
    when: Instant,
    counters: Counters,
    used: Duration,
}

impl Look {
    fn now() -> Look {
        Look {
            when: Instant::now(),
            counters: debug::counters(),
            used: used(),
        }
    }
}

/// The time of the processor that this thread has used.
fn used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Takes a point each second, for ever.
pub(crate) fn keep(inside: &Inside) {
    let mut last = Look::now();
    let mut next = last.when + PERIOD;
    loop {
        green::sleep_until(next);
        let look = Look::now();
        let late = look.when.saturating_duration_since(next);
        let point = point(&last, &look, late);
        last = look;
        let mut history = inside.history.borrow_mut();
        if history.len() == POINTS {
            history.pop_front();
        }
        history.push_back(point);
        drop(history);
        note_long_runs(inside, late);
        inside.forget();
        // What this took is no lateness.
        next = (next + PERIOD).max(Instant::now());
    }
}

fn point(last: &Look, look: &Look, late: Duration) -> Point {
    let time = seconds(look.when - last.when).max(f64::MIN_POSITIVE);
    let (before, now) = (&last.counters, &look.counters);
    let rate = |before: u64, now: u64| (now.saturating_sub(before)) as f64 / time;
    Point {
        at: unix_time(),
        switches: rate(before.switches, now.switches),
        polls: rate(before.turns, now.turns),
        wakeups: rate(before.wakeups, now.wakeups),
        spawns: rate(before.spawns, now.spawns),
        processor: seconds(look.used.saturating_sub(last.used)) / time,
        late: seconds(late),
        greenthreads: now.greenthreads,
        runnable: now.runnable,
        waiting_for_descriptors: now.readers + now.writers,
        descriptors: now.descriptors,
        timers: now.timers,
        stack_bytes: now.stack_bytes,
        resident_bytes: debug::resident_memory().unwrap_or(0),
    }
}

/// Turns what was noted of long runs into warnings. If nobody was named, the console's own lateness is one.
fn note_long_runs(inside: &Inside, late: Duration) {
    let runs = inside.long_runs().map(|log| log.take()).unwrap_or_default();
    let now = (Instant::now(), unix_time());
    if runs.is_empty() && late >= inside.settings.blocked {
        inside.warn(Warning {
            at: now.1,
            seconds: seconds(late),
            greenthread: None,
            name: None,
            spawned_at: None,
            stack: None,
        });
    }
    for run in runs {
        let ago = now.0.saturating_duration_since(run.ended).as_millis() as u64;
        let stack = run.stack;
        // Reading the tables of symbols takes long: not in this thread.
        let stack = green::tpool::execute(move || stack.to_string()).ok();
        inside.warn(Warning {
            at: now.1.saturating_sub(ago),
            seconds: seconds(run.ran),
            greenthread: Some(run.greenthread),
            name: run.name.map(|name| name.to_string()),
            spawned_at: Some(run.spawned_at.to_string()),
            stack,
        });
    }
}
