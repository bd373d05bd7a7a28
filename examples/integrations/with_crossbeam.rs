//! cargo run -p examples --features integrations --example with_crossbeam
//!
//! Threads that compute take jobs from a channel of crossbeam; greenthreads send, which waits for nothing, and get the
//! results by what green has for other threads.

use std::sync::Arc;
use std::thread;

use crossbeam::channel::{Sender, unbounded};
use green::{GreenPool, sync};

type Job = (u64, Arc<sync::Event<u64>>);

/// Waits in the green way for the sum of the numbers below `n`, which another thread makes.
fn sum(jobs: &Sender<Job>, n: u64) -> u64 {
    let done = Arc::new(sync::Event::new());
    jobs.send((n, Arc::clone(&done)))
        .expect("the threads take jobs until the sender is gone");
    done.wait().expect("a result comes before the end")
}

fn main() {
    let (jobs, queue) = unbounded::<Job>();
    for _ in 0..2 {
        let queue = queue.clone();
        thread::spawn(move || {
            for (n, done) in queue {
                let _ = done.send((0..n).sum());
            }
        });
    }
    let mut sums = GreenPool::new(10).imap(move |n| sum(&jobs, n * 1000), 1..=10);
    let last = sums.by_ref().last().map(|sum| sum.expect("no panic"));
    println!("the last sum is {last:?}");
}
