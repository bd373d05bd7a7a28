//! Workers: OS threads with a hub each, what they listen at, and their ends.

#[path = "../common/mod.rs"]
mod common;

mod ends;
mod listen;
mod model;
mod restart;
mod server;
mod spawn;
mod whole_process;
