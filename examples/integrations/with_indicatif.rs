//! cargo run -p examples --features integrations --example with_indicatif
//!
//! indicatif's progress bar, moved by greenthreads. Its steady tick is a thread of its own, which is no harm.

use std::time::Duration;

use green::GreenPool;
use indicatif::{ProgressBar, ProgressStyle};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bar = ProgressBar::new(100);
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos} of {len}")?);
    let pool = GreenPool::new(10);
    for n in 0..100 {
        let bar = bar.clone();
        pool.spawn_n(move || {
            green::sleep(Duration::from_millis(n % 20));
            bar.inc(1);
        });
    }
    pool.waitall()?;
    bar.finish();
    println!("{} of 100 done", bar.position());
    Ok(())
}
