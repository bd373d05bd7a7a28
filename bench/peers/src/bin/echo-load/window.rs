//! The part of a run that counts, and how the load generator waits.

use std::fmt;
use std::hint;
use std::io;
use std::time::{Duration, Instant};

use peers::sys::CpuClock;

/// How long the kernel is left alone when few answers were there.
const PAUSE: Duration = Duration::from_micros(10);

/// Pauses in user space, so that answers come in batches; their time is not part of the client's cost.
pub struct Pace {
    enough: usize,
    paused: Duration,
}

impl Pace {
    /// For this many requests under way.
    pub fn of(active: usize) -> Pace {
        Pace {
            enough: (active / 8).clamp(1, 64),
            paused: Duration::ZERO,
        }
    }

    /// To be called with the number of answers of each wait.
    pub fn after(&mut self, answers: usize) {
        if answers >= self.enough {
            return;
        }
        let since = Instant::now();
        while since.elapsed() < PAUSE {
            hint::spin_loop();
        }
        self.paused += since.elapsed();
    }
}

/// The clocks at one end of the window.
#[derive(Clone, Copy)]
struct Mark {
    at: Instant,
    server: Duration,
    client: Duration,
    requests: u64,
}

pub struct Window {
    clock: CpuClock,
    opens: Instant,
    length: Duration,
    first: Option<Mark>,
}

/// What the server and the client spent between the two ends.
pub struct Report {
    first: Mark,
    last: Mark,
}

impl Window {
    /// The warm-up begins now.
    pub fn start(server: u32, warmup: Duration, length: Duration) -> io::Result<Window> {
        Ok(Window {
            clock: CpuClock::of(server)?,
            opens: Instant::now() + warmup,
            length,
            first: None,
        })
    }

    /// To be called often, with the requests answered so far; the report ends the run.
    pub fn check(&mut self, requests: u64, pace: &Pace) -> io::Result<Option<Report>> {
        let at = Instant::now();
        let end = match self.first {
            None => self.opens,
            Some(first) => first.at + self.length,
        };
        if at < end {
            return Ok(None);
        }
        let mark = Mark {
            at,
            server: self.clock.now()?,
            client: CpuClock::OWN.now()?.saturating_sub(pace.paused),
            requests,
        };
        Ok(match self.first {
            None => {
                self.first = Some(mark);
                None
            }
            Some(first) => Some(Report { first, last: mark }),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (&self.first, &self.last);
        write!(
            f,
            "requests {} seconds {:.6} server-ns {} client-ns {}",
            last.requests - first.requests,
            (last.at - first.at).as_secs_f64(),
            (last.server - first.server).as_nanos(),
            last.client.saturating_sub(first.client).as_nanos(),
        )
    }
}
