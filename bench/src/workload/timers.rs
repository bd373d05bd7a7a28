//! Timers: so many armed, then cancelled in random order; so many expired over a while.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use green::GreenThread;
use hdrhistogram::Histogram;
use hub_core::{Hub, Reactor, TimerKey};

use super::window::between;
use super::{Job, Sample, pairs, use_hub};
use crate::load::times;
use crate::meter::Meter;
use crate::plan::Layer;

/// More greenthreads than this are not started: each has a page of stack when it runs.
pub(super) const MOST_GREENTHREADS: usize = 100_000;

/// No timer that is to be cancelled expires before.
const FAR: Duration = Duration::from_secs(600);

/// Timers expire over the window, and over as much time as gives each this: a thread that cannot keep up would show how
/// late that makes it, and nothing else.
const PER_TIMER: Duration = Duration::from_micros(1);
const PER_GREENTHREAD: Duration = Duration::from_micros(5);

/// What can be done with so many timers on one layer.
trait Timers {
    /// Arms all of them.
    fn arm(&mut self, deadlines: &[Instant]) -> io::Result<()>;

    /// Cancels all of them, in this order.
    fn cancel(&mut self, order: &[usize]) -> io::Result<()>;

    /// Waits until all have expired; says how late each was.
    fn expire(&mut self, deadlines: &[Instant]) -> io::Result<Histogram<u64>>;
}

pub(super) fn measure(job: &Job, hub: Box<dyn Hub>) -> io::Result<Vec<Sample>> {
    match job.case.layer {
        Layer::Hub | Layer::Reactor => run(job, &mut OnReactor::new(hub)),
        Layer::Green => {
            use_hub(hub)?;
            run(job, &mut OnGreen::new())
        }
    }
}

fn run(job: &Job, timers: &mut dyn Timers) -> io::Result<Vec<Sample>> {
    let size = job.case.size;
    let mut random = Random::new();
    let mut order: Vec<usize> = (0..size).collect();
    for at in (1..size).rev() {
        order.swap(at, random.below(at as u64 + 1) as usize);
    }
    let least = match job.case.layer {
        Layer::Green => PER_GREENTHREAD,
        Layer::Hub | Layer::Reactor => PER_TIMER,
    };
    let expire_over = job.window.max(least * size as u32);
    let while_ns = expire_over.as_nanos() as u64;
    let offsets: Vec<_> = (0..size)
        .map(|_| Duration::from_nanos(random.below(while_ns)))
        .collect();
    let from = |base: Instant| -> Vec<_> { offsets.iter().map(|&offset| base + offset).collect() };
    let mut meter = Meter::new();

    let far = from(Instant::now() + FAR);
    let (mut arm, mut cancel) = (None, None);
    let warm = Instant::now() + job.warmup;
    let mut arming = Duration::ZERO;
    for pass in 0.. {
        let began = Instant::now();
        let before = meter.read();
        timers.arm(&far)?;
        let armed = Instant::now();
        let between_them = meter.read();
        timers.cancel(&order)?;
        let cancelled = Instant::now();
        let after = meter.read();
        arming = armed - began;
        if pass > 0 && began >= warm {
            let count = size as u64;
            let sample = between("arm", count, before, between_them);
            add(&mut arm, sample, arming);
            let sample = between("cancel", count, between_them, after);
            add(&mut cancel, sample, cancelled - armed);
            if cancelled >= warm + job.window / 2 {
                break;
            }
        }
    }

    // The first deadline comes when all are armed.
    let soon = from(Instant::now() + arming * 2 + Duration::from_millis(1));
    timers.arm(&soon)?;
    let (began, before) = (Instant::now(), meter.read());
    let late = timers.expire(&soon)?;
    let mut expire = between("expire", size as u64, before, meter.read());
    expire.seconds = began.elapsed().as_secs_f64();
    expire.latency = pairs(&late);
    Ok(arm.into_iter().chain(cancel).chain([expire]).collect())
}

/// Adds one pass to the others.
fn add(sum: &mut Option<Sample>, mut pass: Sample, took: Duration) {
    pass.seconds = took.as_secs_f64();
    *sum = Some(match sum.take() {
        None => pass,
        Some(sum) => Sample {
            operations: sum.operations + pass.operations,
            seconds: sum.seconds + pass.seconds,
            cpu_ns: sum.cpu_ns + pass.cpu_ns,
            syscalls: sum.syscalls.zip(pass.syscalls).map(|(a, b)| a + b),
            ..pass
        },
    });
}

/// Numbers that look random and are the same in every process.
struct Random(u64);

impl Random {
    fn new() -> Random {
        Random(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

struct OnReactor {
    reactor: Reactor<usize>,
    keys: Vec<TimerKey>,
}

impl OnReactor {
    fn new(hub: Box<dyn Hub>) -> OnReactor {
        OnReactor {
            reactor: Reactor::new(hub),
            keys: Vec::new(),
        }
    }
}

impl Timers for OnReactor {
    fn arm(&mut self, deadlines: &[Instant]) -> io::Result<()> {
        self.keys.clear();
        for (at, &deadline) in deadlines.iter().enumerate() {
            self.keys.push(self.reactor.add_timer(deadline, at));
        }
        Ok(())
    }

    fn cancel(&mut self, order: &[usize]) -> io::Result<()> {
        for &at in order {
            if self.reactor.cancel_timer(self.keys[at]) != Some(at) {
                return Err(io::Error::other("a timer was lost before it was cancelled"));
            }
        }
        Ok(())
    }

    fn expire(&mut self, deadlines: &[Instant]) -> io::Result<Histogram<u64>> {
        let mut late = times();
        let mut woken = Vec::new();
        let mut left = deadlines.len();
        while left > 0 {
            self.reactor.turn(None, &mut woken)?;
            let now = Instant::now();
            left -= woken.len();
            for wakeup in woken.drain(..) {
                late.saturating_record(lateness(now, deadlines[wakeup.waiter]));
            }
        }
        Ok(late)
    }
}

/// In nanoseconds, at least one: a histogram has no zero.
fn lateness(now: Instant, deadline: Instant) -> u64 {
    let late = now.saturating_duration_since(deadline).as_nanos() as u64;
    late.max(1)
}

/// Each timer starts a greenthread.
struct OnGreen {
    armed: Vec<Option<GreenThread<()>>>,
    late: Rc<RefCell<Histogram<u64>>>,
}

impl OnGreen {
    fn new() -> OnGreen {
        OnGreen {
            armed: Vec::new(),
            late: Rc::new(RefCell::new(times())),
        }
    }
}

impl Timers for OnGreen {
    fn arm(&mut self, deadlines: &[Instant]) -> io::Result<()> {
        self.armed.clear();
        for &deadline in deadlines {
            let delay = deadline.saturating_duration_since(Instant::now());
            let late = self.late.clone();
            self.armed.push(Some(green::spawn_after(delay, move || {
                let late_by = lateness(Instant::now(), deadline);
                late.borrow_mut().saturating_record(late_by);
            })));
        }
        Ok(())
    }

    fn cancel(&mut self, order: &[usize]) -> io::Result<()> {
        for &at in order {
            let timer = self.armed[at].take();
            if !timer.is_some_and(|timer| timer.cancel()) {
                return Err(io::Error::other("a timer was lost before it was cancelled"));
            }
        }
        Ok(())
    }

    fn expire(&mut self, _: &[Instant]) -> io::Result<Histogram<u64>> {
        for timer in self.armed.drain(..).flatten() {
            timer
                .join()
                .map_err(|exit| io::Error::other(format!("a timer did not run: {exit:?}")))?;
        }
        Ok(self.late.replace(times()))
    }
}
