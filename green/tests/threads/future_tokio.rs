//! green within tokio's threads, tokio's channels within greenthreads, and its I/O traits on green's sockets.

use std::future::pending;
use std::thread;
use std::time::Duration;

use crate::common::{bounded, tcp_pair};
use green::Timeout;
use green::future::{block_on, sleep, spawn};
use green::net::UnixStream;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, mpsc, oneshot, watch};

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn runtimes() -> [Runtime; 2] {
    [
        Builder::new_current_thread().build().unwrap(),
        Builder::new_multi_thread()
            .worker_threads(2)
            .build()
            .unwrap(),
    ]
}

/// Waits in all of green's ways: for time, a descriptor, another greenthread, a future, in itself.
fn wait_in_green() -> u32 {
    let (near, far) = tcp_pair();
    let reader = spawn(async move {
        let mut byte = [0];
        (&far).read_exact(&mut byte).await.unwrap();
        u32::from(byte[0])
    });
    let writer = green::spawn(move || {
        green::sleep(millis(1));
        std::io::Write::write_all(&mut &near, &[3]).unwrap();
    });
    block_on(async {
        sleep(millis(1)).await;
        writer.await.unwrap();
        block_on(async { block_on(sleep(millis(1))) });
        let left = Timeout::new(millis(1)).run(|| block_on(pending::<()>()));
        assert!(left.is_err());
        reader.await.unwrap()
    })
}

#[test]
fn green_waits_in_the_threads_of_tokio() {
    bounded(|| {
        for runtime in runtimes() {
            // Where the runtime is driven,
            assert_eq!(runtime.block_on(async { wait_in_green() }), 3);
            // in a task,
            let task = runtime.spawn(async { wait_in_green() });
            assert_eq!(runtime.block_on(task).unwrap(), 3);
            // in a thread for what blocks,
            let blocks = runtime.spawn_blocking(wait_in_green);
            assert_eq!(runtime.block_on(blocks).unwrap(), 3);
            // and where the runtime has been entered.
            let _entered = runtime.enter();
            assert_eq!(wait_in_green(), 3);
        }
    });
}

#[test]
fn tokio_runs_in_a_greenthread() {
    bounded(|| {
        // It blocks the thread, as everywhere.
        let gt = green::spawn(|| {
            let [here, workers] = runtimes();
            let there = workers.spawn(async { 1 });
            here.block_on(async { there.await.unwrap() + block_on(async { 1 }) })
        });
        assert_eq!(gt.join().unwrap(), 2);
    });
}

#[test]
fn channels_of_tokio_join_its_tasks_and_greenthreads() {
    bounded(|| {
        let [_, runtime] = runtimes();
        let (to_green, mut from_tokio) = mpsc::channel(4);
        let (to_tokio, mut from_green) = mpsc::channel(4);
        let task = runtime.spawn(async move {
            let mut sum = 0;
            for n in 0..1000_u64 {
                to_green.send(n).await.unwrap();
                sum += from_green.recv().await.unwrap();
            }
            sum
        });
        let gt = spawn(async move {
            while let Some(n) = from_tokio.recv().await {
                to_tokio.send(n * 2).await.unwrap();
            }
        });
        gt.join().unwrap();
        assert_eq!(runtime.block_on(task).unwrap(), 999_000);
    });
}

#[test]
fn the_small_primitives_of_tokio_work_without_its_runtime() {
    bounded(|| {
        let (sender, receiver) = oneshot::channel();
        let (changes, mut seen) = watch::channel(0);
        let notify = std::sync::Arc::new(Notify::new());
        let notified = std::sync::Arc::clone(&notify);
        let gt = spawn(async move {
            notified.notified().await;
            while *seen.borrow() < 3 {
                seen.changed().await.unwrap();
            }
            receiver.await.unwrap()
        });
        green::yield_now();
        let thread = thread::spawn(move || {
            notify.notify_one();
            for n in 1..=3 {
                changes.send(n).unwrap();
                thread::sleep(millis(1));
            }
            sender.send("all").unwrap();
        });
        assert_eq!(gt.join().unwrap(), "all");
        thread.join().unwrap();
    });
}

#[test]
fn a_task_of_tokio_that_blocks_in_green_has_more_than_its_share_unconstrained() {
    bounded(|| {
        for runtime in runtimes() {
            let (sender, mut receiver) = mpsc::unbounded_channel();
            let producer = thread::spawn(move || {
                for n in 0..10_000 {
                    sender.send(n).unwrap();
                }
            });
            let task = runtime.spawn(async move {
                block_on(tokio::task::unconstrained(async move {
                    let mut got = 0;
                    while receiver.recv().await.is_some() {
                        got += 1;
                    }
                    got
                }))
            });
            assert_eq!(runtime.block_on(task).unwrap(), 10_000);
            producer.join().unwrap();
        }
    });
}

#[test]
fn a_task_of_tokio_awaits_and_kills_greenthreads() {
    bounded(|| {
        let [_, runtime] = runtimes();
        let value = green::spawn(|| {
            green::sleep(millis(2));
            5
        });
        let long = green::spawn(|| green::sleep(millis(60_000)));
        let (value, long) = (value.remote().unwrap(), long.remote().unwrap());
        let hub = green::hubs::handle().unwrap();
        let task = runtime.spawn(async move {
            let sent = hub.submit(|| block_on(async { sleep(millis(1)).await }));
            sent.unwrap().await.unwrap();
            long.kill();
            assert!(matches!(long.await, Err(green::future::RemoteExit::Killed)));
            value.await.unwrap()
        });
        let done = spawn(async move { task.await.unwrap() });
        assert_eq!(done.join().unwrap(), 5);
    });
}

#[test]
fn its_io_traits_work_on_green_sockets() {
    bounded(|| {
        let ((near, mut far), (mut other_near, mut other_far)) =
            (tcp_pair(), UnixStream::pair().unwrap());
        let forwarder =
            spawn(async move { copy_bidirectional(&mut far, &mut other_near).await.unwrap() });
        let size = 2 << 20;
        let upper = spawn(async move {
            let mut text = String::new();
            let (reads, mut writes) = tokio::io::split(&mut other_far);
            let mut lines = BufReader::new(reads);
            while lines.read_line(&mut text).await.unwrap() > 0 {
                writes
                    .write_all(text.to_uppercase().as_bytes())
                    .await
                    .unwrap();
                text.clear();
            }
            writes.shutdown().await.unwrap();
        });
        let line = format!("{}\n", "x".repeat(999));
        let got = block_on(async {
            let (mut reads, mut writes) = (&near, &near);
            let mut got = Vec::new();
            let send = async {
                for _ in 0..size / 1000 {
                    writes.write_all(line.as_bytes()).await.unwrap();
                }
                AsyncWriteExt::shutdown(&mut writes).await.unwrap();
            };
            let (_, read) = futures_util::join!(send, reads.read_to_end(&mut got));
            read.unwrap();
            got
        });
        assert_eq!(got.len(), size / 1000 * 1000);
        assert!(got.iter().all(|byte| b"X\n".contains(byte)));
        let (up, down) = forwarder.join().unwrap();
        assert_eq!((up, down), (got.len() as u64, got.len() as u64));
        upper.join().unwrap();
    });
}
