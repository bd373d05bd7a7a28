//! The floor of a million stacks: a page each, touched once, and nothing else.

use crate::figure::Run;
use crate::harness::{PARKED, Usage};

pub const RUNS: &[(&str, Run)] = &[("parked", pages)];

const PAGE: usize = 4096;

fn pages() -> Vec<f64> {
    let usage = Usage::start();
    // Zeroed memory of this size comes from the kernel untouched.
    let mut memory = vec![0u8; PARKED * PAGE];
    for page in memory.chunks_mut(PAGE) {
        page[0] = 1;
    }
    let values = usage.of_parked();
    assert!(memory.iter().step_by(PAGE).all(|&byte| byte == 1));
    values
}
