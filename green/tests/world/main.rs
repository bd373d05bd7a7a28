//! What belongs to the whole process: files, descriptors, children, signals, forks.

#[path = "../common/mod.rs"]
mod common;

mod children;
mod descriptors;
mod failing_hub;
mod fifo;
mod fork;
mod fs;
mod green_pipe;
mod hubs;
mod os;
mod process;
mod shortage;
mod signal;
mod watch;
