//! The part of a run that counts.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use hub_bench::load::Tally;
use peers::sys::CpuClock;

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
    pub fn check(&mut self, requests: u64, tally: &Tally) -> io::Result<Option<Report>> {
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
            client: CpuClock::OWN.now()?.saturating_sub(tally.waited()),
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
