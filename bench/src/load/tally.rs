//! What a load keeps count of besides the answers.

use std::hint;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// How long the kernel is left alone when few answers were there.
const PAUSE: Duration = Duration::from_micros(10);

/// How long a look that finds nothing takes at most.
const LOOK: Duration = Duration::from_micros(1);

/// From this many requests under way answers are taken in batches.
const BATCH_FROM: usize = 8;

/// How much time a load has spent waiting for answers, which is not part of what they cost it; and how long they took.
#[derive(Debug)]
pub struct Tally {
    enough: usize,
    pause: Duration,
    waited: Duration,
    latency: Option<Histogram<u64>>,
    turn: Instant,
}

/// For times from a nanosecond to a minute, to the percent.
pub(crate) fn times() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 2).expect("the bounds are constants")
}

impl Tally {
    /// For so many requests under way. It takes no times of answers.
    pub fn new(active: usize) -> Tally {
        Tally {
            enough: (active / 8).clamp(1, 64),
            pause: if active < BATCH_FROM {
                Duration::ZERO
            } else {
                PAUSE
            },
            waited: Duration::ZERO,
            latency: None,
            turn: Instant::now(),
        }
    }

    /// As [`new`](Tally::new), and it takes the time of every answer: two reads of the clock for each.
    pub fn with_latency(active: usize) -> Tally {
        Tally {
            latency: Some(times()),
            ..Tally::new(active)
        }
    }

    /// The processor time that went into waiting, so far.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// The times of the answers in nanoseconds, if they were asked for.
    pub fn latency(&self) -> Option<&Histogram<u64>> {
        self.latency.as_ref()
    }

    /// To be called when a turn begins.
    pub(super) fn begin(&mut self) {
        self.turn = Instant::now();
    }

    /// To be called at its end, with the number of events that it had: few are followed by a pause.
    pub(super) fn end(&mut self, events: usize) {
        if events >= self.enough {
            return;
        }
        // What is beyond these bounds went to others who use the processor, not to waiting.
        let now = Instant::now();
        if events == 0 {
            self.waited += (now - self.turn).min(LOOK);
        }
        let resume = now + self.pause;
        while Instant::now() < resume {
            hint::spin_loop();
        }
        self.waited += now.elapsed().min(self.pause);
    }

    /// Now, if times are taken.
    pub(super) fn stamp(&self) -> Option<Instant> {
        self.latency.is_some().then(Instant::now)
    }

    /// Takes the time of an answer to what was sent at `sent`.
    pub(super) fn answered(&mut self, sent: Option<Instant>) {
        if let (Some(latency), Some(sent)) = (&mut self.latency, sent) {
            latency.saturating_record(sent.elapsed().as_nanos() as u64);
        }
    }
}
