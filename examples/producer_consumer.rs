//! cargo run --release -p examples --example producer_consumer
//!
//! Workers take numbers from a queue; some put new ones in. It is done when the queue is empty and nobody works.

use std::rc::Rc;
use std::time::Duration;

use green::{GreenPool, Queue};

/// Collatz: half of an even number, three times an odd one plus one, until it is one.
fn step(n: u64, queue: &Queue<u64>) {
    green::sleep(Duration::from_millis(n % 3));
    match n {
        1 => println!("down to 1"),
        n if n % 2 == 0 => put(queue, n / 2),
        n => put(queue, 3 * n + 1),
    }
}

fn put(queue: &Queue<u64>, n: u64) {
    queue.put(n).expect("nobody shuts it down");
}

fn main() {
    let queue = Rc::new(Queue::unbounded());
    for n in [6, 7, 9, 11] {
        put(&queue, n);
    }
    let pool = GreenPool::new(3);
    let mut steps = 0;
    loop {
        while let Ok(n) = queue.try_get() {
            steps += 1;
            let queue = Rc::clone(&queue);
            pool.spawn_n(move || step(n, &queue));
        }
        // The queue is empty now, but those who work may fill it again.
        if pool.waitall().is_err() || queue.is_empty() {
            break;
        }
    }
    println!("{steps} steps");
}
