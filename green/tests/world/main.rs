//! What belongs to the whole process: files, descriptors, children, signals, forks.

#[path = "../common/mod.rs"]
mod common;

mod descriptors;
mod fork;
mod fs;
mod os;
mod process;
mod signal;
