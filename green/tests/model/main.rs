//! Each primitive against a plain sequential model of it, under random kills and timeouts at every wait; scopes against
//! theirs; and what holds for everything that waits.

#[path = "../common/mod.rs"]
mod common;

mod bursts;
mod engine;
mod event;
mod imap;
mod lock;
mod meeting;
mod pile;
mod pool;
mod queue;
mod queue_ideal;
mod resources;
mod scope;
mod semaphore;
mod waits;
