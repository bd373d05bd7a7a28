//! `echo-server KIND [ADDRESS]`: the same echo server on one runtime or another, on one thread.
//!
//! Prints `listening ADDRESS` when it is ready and serves until it is killed.

mod on_green;
mod on_may;
mod on_smol;
mod on_tokio;
mod raw;
mod raw_epoll;
mod raw_poll;
mod raw_select;

use std::process::ExitCode;

use peers::server::{BUFFER, Kind, run};

const KINDS: &[Kind] = &[
    ("raw-epoll", raw_epoll::serve),
    ("raw-poll", raw_poll::serve),
    ("raw-select", raw_select::serve),
    ("tokio", on_tokio::serve),
    ("may", on_may::serve),
    ("smol", on_smol::serve),
    ("green", on_green::serve),
    ("green-shared", on_green::serve_sharing),
];

fn main() -> ExitCode {
    run("echo-server", KINDS)
}
