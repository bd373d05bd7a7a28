//! The C interface, used and misused from Rust on every backend

mod descriptors;
mod fork;
mod handles;
mod interests;
mod reports;
mod support;
mod threads;
mod timers;
mod waiting;
