//! See `hub-bench --help`.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    hub_bench::main(hub_bench::HUBS)
}
