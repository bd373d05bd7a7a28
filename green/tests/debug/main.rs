//! What a programmer sees when something is wrong: dumps, deadlocks, refusals.

#[path = "../common/mod.rs"]
mod common;

mod abort;
mod bad_input;
mod deadlock;
mod debug;
mod dump;
mod record;
