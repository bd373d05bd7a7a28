//! Locks, semaphores, events and timeouts: the same loop on each runtime.
//!
//! - *free*: one task takes and gives back, nobody else wants it.
//! - *fought for*: two tasks take it in turn and hold it over a yield, so that the other one comes in vain and waits.
//! - *handed to a waiter*: two tasks wait for each other, each for a permit that the other gives.
//! - *event*: a task makes one, shows it and waits; the other one finds it and sends a number. With a hundred waiters it
//!   is made by the sender, for all who have got the number before.

pub mod on_green;
pub mod on_may;
pub mod on_tokio;

/// How many wait for one event.
const CROWD: usize = 100;
