//! Each primitive against a plain sequential model of it, under random kills and timeouts at every wait; scopes against
//! theirs; and what holds for everything that waits.

#[path = "../common/mod.rs"]
mod common;

mod bursts;
mod connections;
mod engine;
mod event;
mod imap;
mod lock;
mod meeting;
mod numbers;
mod pile;
mod pool;
mod queue;
mod queue_ideal;
mod race;
mod resources;
mod scope;
mod semaphore;
mod turns;
mod waits;

/// How many cases a search runs: `count`, or as many times that as `GREEN_FUZZ` says.
fn cases(count: u32) -> u32 {
    let times = std::env::var("GREEN_FUZZ").ok();
    let times = times.and_then(|times| times.parse().ok()).unwrap_or(1);
    count.saturating_mul(times)
}
