//! What is told of one greenthread.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

/// One greenthread, as it was when [`greenthreads`](super::greenthreads) looked.
///
/// ```
/// let gt = green::Builder::new().name("sleeper").spawn(|| green::sleep(std::time::Duration::from_secs(1)))?;
/// green::yield_now();
/// let info = green::debug::greenthreads().into_iter().find(|info| info.id == gt.id()).unwrap();
/// assert_eq!((info.name.as_deref(), &*info.state), (Some("sleeper"), "parked"));
/// println!("spawned at {}, waits for {:?}", info.spawned_at, info.waits_for);
/// # gt.kill();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct GreenthreadInfo {
    /// Its id; 0 is the thread's own.
    pub id: u64,
    /// Its name, if it has one.
    pub name: Option<Rc<str>>,
    /// `ready`, `running`, `parked`, `fresh` (never ran) or `delayed`.
    pub state: String,
    /// What it waits for, if it is parked.
    pub waits_for: Option<String>,
    /// The ids of those whose next step could end its wait, as far as they are known, and at most ten: the one whose end
    /// it waits for, the holder of the lock, the members of the pool.
    pub waits_on: Vec<u64>,
    /// How long it has not run, be it that it waits or that others run. It is known while accounts are kept
    /// ([`accounting`](super::accounting)), and at least so long, if it has not run since they were begun.
    pub stopped: Option<Duration>,
    /// The id of the greenthread that spawned it, which may have ended since.
    pub spawned_by: Option<u64>,
    /// Where it was spawned.
    pub spawned_at: &'static Location<'static>,
    /// The time since its spawn, to about a millisecond.
    pub age: Duration,
    /// The names of the greenthread-local values that it has.
    pub locals: Vec<&'static str>,
    /// How long it has run, and how long it has waited, since [`accounting`](super::accounting) was turned on.
    pub ran: Duration,
    /// See `ran`.
    pub waited: Duration,
    /// How often it was switched to, since accounting was turned on.
    pub switches: u64,
    /// How many bytes it has read since then from streams, pipes and with [`os::read`](crate::os::read). Datagrams and
    /// files are not counted.
    pub bytes_read: u64,
    /// As `bytes_read`, for what it has written.
    pub bytes_written: u64,
    /// Its stack, if asked for: where it waits. `None` for one that never ran.
    pub stack: Option<Backtrace>,
}

impl fmt::Display for GreenthreadInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id {
            0 => write!(f, "the thread's own greenthread")?,
            id => write!(f, "greenthread {id} (spawned at {})", self.spawned_at)?,
        }
        if let Some(name) = &self.name {
            write!(f, " \"{name}\"")?;
        }
        match &self.waits_for {
            Some(what) => write!(f, " waits for {what}")?,
            None => write!(f, " is {}", self.state)?,
        }
        write!(f, ", age {:?}", self.age)?;
        if self.switches > 0 {
            write!(
                f,
                ", ran {:?} in {} turns, waited {:?}",
                self.ran, self.switches, self.waited
            )?;
        }
        if self.bytes_read + self.bytes_written > 0 {
            write!(
                f,
                ", read {} and wrote {} bytes",
                self.bytes_read, self.bytes_written
            )?;
        }
        if !self.locals.is_empty() {
            write!(f, ", locals {}", self.locals.join(" "))?;
        }
        if let Some(stack) = &self.stack
            && stack.status() == BacktraceStatus::Captured
        {
            for line in stack.to_string().lines() {
                write!(f, "\n    {line}")?;
            }
        }
        Ok(())
    }
}
