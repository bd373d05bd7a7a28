//! Numbers from one thread to the other and back.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use green::sync::Queue;
use peers::sys::CpuClock;

use crate::Failure;

/// One number at a time there and back, and many one way.
pub const FIGURES: &[&str] = &["a round trip", "one of a stream, 1,024 places"];

pub const KINDS: &[&str] = &[
    "green, two workers",
    "tokio, multi-thread of two",
    "tokio, a current-thread runtime on each",
    "crossbeam, two threads",
];

const PLACES: usize = 1024;

/// Prints nanoseconds for each item: of processor time, and elapsed.
pub fn sample(figure: &str, kind: &str, items: &str) -> Result<(), Failure> {
    let items: u64 = items.parse()?;
    let stream = figure == FIGURES[1];
    let items = if stream { 10 * items } else { items };
    let run = match kind {
        "green, two workers" => green,
        "tokio, multi-thread of two" => tokio_many,
        "tokio, a current-thread runtime on each" => tokio_each,
        "crossbeam, two threads" => crossbeam,
        _ => return Err(format!("unknown kind {kind}").into()),
    };
    run(items / 10, stream)?;
    let (began, before) = (Instant::now(), CpuClock::OWN.now()?);
    run(items, stream)?;
    let (cost, elapsed) = (CpuClock::OWN.now()? - before, began.elapsed());
    let each = |time: std::time::Duration| time.as_secs_f64() * 1e9 / items as f64;
    println!("{} {}", each(cost), each(elapsed));
    Ok(())
}

/// What the consumer must have seen.
fn expected(items: u64) -> u64 {
    items * (items - 1) / 2
}

fn check(sum: u64, items: u64) -> Result<(), Failure> {
    match sum == expected(items) {
        true => Ok(()),
        false => Err("numbers were lost".into()),
    }
}

fn closed() -> io::Error {
    io::Error::other("the queue is closed")
}

fn green(items: u64, stream: bool) -> Result<(), Failure> {
    let there = Arc::new(Queue::bounded(PLACES));
    let back = Arc::new(Queue::bounded(PLACES));
    let sums = green::workers(2, move |worker| {
        if worker.index() == 0 {
            for n in 0..items {
                there.put(n).map_err(|_| closed())?;
                if !stream {
                    back.get().map_err(|_| closed())?;
                }
            }
            return io::Result::Ok(0);
        }
        let mut sum = 0;
        for _ in 0..items {
            let n = there.get().map_err(|_| closed())?;
            sum += n;
            if !stream {
                back.put(n).map_err(|_| closed())?;
            }
        }
        Ok(sum)
    })?;
    check(sums[1], items)
}

use tokio::sync::mpsc::{Receiver, Sender, channel};

async fn sends(items: u64, stream: bool, there: Sender<u64>, mut back: Receiver<u64>) {
    for n in 0..items {
        let _ = there.send(n).await;
        if !stream {
            back.recv().await;
        }
    }
}

async fn receives(items: u64, stream: bool, mut there: Receiver<u64>, back: Sender<u64>) -> u64 {
    let mut sum = 0;
    for _ in 0..items {
        let n = there.recv().await.unwrap_or_default();
        sum += n;
        if !stream {
            let _ = back.send(n).await;
        }
    }
    sum
}

fn tokio_many(items: u64, stream: bool) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let ((there, from), (back, answers)) = (channel(PLACES), channel(PLACES));
    let sum = runtime.block_on(async {
        let sending = tokio::spawn(sends(items, stream, there, answers));
        let sum = tokio::spawn(receives(items, stream, from, back)).await;
        sending.await.and(sum)
    })?;
    check(sum, items)
}

fn tokio_each(items: u64, stream: bool) -> Result<(), Failure> {
    let ((there, from), (back, answers)) = (channel(PLACES), channel(PLACES));
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
    };
    let sending = std::thread::spawn(move || {
        runtime().map(|runtime| runtime.block_on(sends(items, stream, there, answers)))
    });
    let sum = runtime()?.block_on(receives(items, stream, from, back));
    sending.join().map_err(|_| "a thread has panicked")??;
    check(sum, items)
}

fn crossbeam(items: u64, stream: bool) -> Result<(), Failure> {
    let (there, from) = crossbeam_channel::bounded(PLACES);
    let (back, answers) = crossbeam_channel::bounded(PLACES);
    let sending = std::thread::spawn(move || {
        for n in 0..items {
            let _ = there.send(n);
            if !stream {
                let _ = answers.recv();
            }
        }
    });
    let mut sum = 0;
    for _ in 0..items {
        let n: u64 = from.recv()?;
        sum += n;
        if !stream {
            let _ = back.send(n);
        }
    }
    sending.join().map_err(|_| "a thread has panicked")?;
    check(sum, items)
}
