//! The part of a run that counts, of a thread that measures itself.

use std::time::{Duration, Instant};

use super::{Job, Sample};
use crate::meter::{Meter, Reading};

/// So many operations pass between two looks at the clock.
const STRIDE: u64 = 16;

/// Reads the meters when the warm-up is over and again when the window is.
pub(super) struct Window {
    meter: Meter,
    operation: &'static str,
    /// When the warm-up is over, then when the window is.
    until: Instant,
    length: Duration,
    look_at: u64,
    first: Option<(Instant, u64, Reading)>,
}

impl Window {
    /// The warm-up begins now. The calling thread is what is measured.
    pub(super) fn start(job: &Job) -> Window {
        Window {
            meter: Meter::new(),
            operation: job.case.task.name(),
            until: Instant::now() + job.warmup,
            length: job.window,
            look_at: 0,
            first: None,
        }
    }

    /// True if the warm-up is over.
    pub(super) fn counts(&self) -> bool {
        self.first.is_some()
    }

    /// To be called after every few operations, with how many there were in all; a sample ends it.
    #[inline]
    pub(super) fn check(&mut self, operations: u64) -> Option<Sample> {
        if operations < self.look_at {
            return None;
        }
        self.look_at = operations + STRIDE;
        self.look(operations)
    }

    fn look(&mut self, operations: u64) -> Option<Sample> {
        let now = Instant::now();
        if now < self.until {
            return None;
        }
        let reading = self.meter.read();
        let Some((began, counted, first)) = self.first else {
            self.first = Some((now, operations, reading));
            self.until = now + self.length;
            return None;
        };
        // A window without an operation is none.
        let done = operations.checked_sub(counted).filter(|&done| done > 0)?;
        Some(Sample {
            seconds: (now - began).as_secs_f64(),
            ..between(self.operation, done, first, reading)
        })
    }
}

/// What lies between two readings.
pub(super) fn between(operation: &str, operations: u64, first: Reading, last: Reading) -> Sample {
    let used = |last: Option<u64>, first: Option<u64>| Some(last? - first?);
    Sample {
        operation: operation.into(),
        operations,
        seconds: 0.0,
        cpu_ns: last.cpu_ns - first.cpu_ns,
        syscalls: used(last.syscalls, first.syscalls),
        resident: last.resident,
        client_ns: None,
        latency: Vec::new(),
    }
}
