//! Load generators: clients in a closed loop, each with one request under way, which check every byte of the answers.
//!
//! A load never sleeps while it waits for answers, so that no server pays for waking it. Beside few answers it stays in
//! user space for a moment and so takes them in batches; a [`Tally`] keeps that time apart from what the requests cost.
//!
//! ```
//! use hub_bench::load::{self, Keep, Load, Tally};
//! use std::io::{Read, Write};
//! use std::time::{Duration, Instant};
//!
//! let server = std::net::TcpListener::bind("127.0.0.1:0")?;
//! let address = server.local_addr()?;
//! std::thread::spawn(move || {
//!     let (mut stream, _) = server.accept().unwrap();
//!     let mut buffer = [0; 64];
//!     while let Ok(()) = stream.read_exact(&mut buffer) {
//!         stream.write_all(&buffer).unwrap();
//!     }
//! });
//! let mut keep = Keep::start(address, 1, 0, 64)?;
//! let mut tally = Tally::with_latency(1);
//! let deadline = Instant::now() + Duration::from_secs(10);
//! let answers = load::drive(&mut keep, &mut tally, Duration::from_millis(5), deadline, &|| false)?;
//! assert!(answers > 0 && tally.latency().unwrap().len() <= answers);
//! # Ok::<(), std::io::Error>(())
//! ```

mod churn;
mod datagrams;
mod keep;
mod message;
mod tally;

use std::io;
use std::time::{Duration, Instant};

use hub_core::{Event, Hub};

pub use churn::Churn;
pub use datagrams::Datagrams;
pub use keep::Keep;
pub use tally::Tally;
pub(crate) use tally::times;

/// One kind of load, between two runs.
pub trait Load {
    /// Sends a request wherever none is under way, as everywhere at first.
    ///
    /// # Errors
    /// What the system says.
    fn resume(&mut self) -> io::Result<()>;

    /// How many requests have no answer yet.
    fn under_way(&self) -> usize;

    /// Looks for answers once, without sleeping, and returns how many were complete. Who was answered sends the next
    /// request, or rests.
    ///
    /// # Errors
    /// What the system says, or an answer that is not what was sent.
    fn turn(&mut self, tally: &mut Tally, then: Then) -> io::Result<u64>;
}

/// What follows an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// The next request.
    Send,
    /// Nothing, until [`Load::resume`].
    Rest,
}

/// Runs a load for `length`, waits for the answers that are under way, and returns how many there were in all. It ends
/// early when `stop` says so.
///
/// # Errors
/// `TimedOut` if answers are missing at `deadline`, and what the load says.
pub fn drive(
    load: &mut dyn Load,
    tally: &mut Tally,
    length: Duration,
    deadline: Instant,
    stop: &dyn Fn() -> bool,
) -> io::Result<u64> {
    let end = Instant::now() + length;
    load.resume()?;
    let mut answers = 0;
    let mut then = Then::Send;
    while then == Then::Send || load.under_way() > 0 {
        let found = load.turn(tally, then)?;
        answers += found;
        let now = Instant::now();
        if now >= end || stop() {
            then = Then::Rest;
        }
        if found == 0 && now >= deadline {
            let missing = load.under_way();
            let what = format!("{missing} requests have had no answer by the deadline");
            return Err(io::Error::new(io::ErrorKind::TimedOut, what));
        }
    }
    Ok(answers)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
type Poller = hub_epoll::Epoll;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
type Poller = hub_polling::Polling;

/// What reports answers to the load: the best hub of the system, used bare.
struct Watch {
    hub: Poller,
    events: Vec<Event>,
}

impl Watch {
    fn new() -> io::Result<Watch> {
        Ok(Watch {
            hub: Poller::new()?,
            events: Vec::with_capacity(1024),
        })
    }

    /// Replaces the events by those of now.
    fn look(&mut self) -> io::Result<()> {
        self.events.clear();
        self.hub.wait(Some(Duration::ZERO), &mut self.events)
    }
}
