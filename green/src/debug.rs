//! What the hub of this thread holds and does, as numbers.

use crate::runtime::Runtime;

/// Counted since the thread's first greenthread, or held at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Switches from one greenthread to another.
    pub switches: u64,
    /// Greenthreads spawned.
    pub spawns: u64,
    /// Turns of the reactor: how often the hub has asked the system for events. An idle program makes none.
    pub turns: u64,
    /// Greenthreads that have not ended, the thread's own included.
    pub greenthreads: usize,
    /// Timers that have not fired.
    pub timers: usize,
    /// Greenthreads that other threads may wake.
    pub remote_waiters: usize,
}

/// The counters of this thread.
///
/// ```
/// let before = green::debug::counters();
/// green::yield_now();
/// assert_eq!(green::debug::counters().turns, before.turns);
/// ```
pub fn counters() -> Counters {
    Runtime::with(Runtime::counters)
}
