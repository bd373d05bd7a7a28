//! A stack that is too small, and what the report says.
//!
//! ```text
//! $ cargo run -p greenlet --example overflow
//! greenlet 2 (spawned at greenlet/examples/overflow.rs:23) has overflowed its 64 KiB stack
//! it needs a larger one: ask for it where it is spawned, or set GREENLET_STACK_SIZE for all
//! ```

use std::hint::black_box;

use greenlet::Builder;

/// Needs a kilobyte of stack for each step.
fn depth(n: u64) -> u64 {
    let frame = black_box([n; 128]);
    if n == 0 { 0 } else { 1 + depth(frame[0] - 1) }
}

fn main() -> std::io::Result<()> {
    let small = Builder::new().stack_size(64 * 1024).build(depth)?;
    println!("10 steps: {:?}", small.switch(10));
    println!("they took {} bytes", small.stack_high_water());
    let small = Builder::new().stack_size(64 * 1024).build(depth)?;
    println!("1000 steps: {:?}", small.switch(1000));
    Ok(())
}
