//! Greenthreads seen from other threads, and what they do there.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{bounded, settle};
use green::future::{RemoteExit, RemoteGreenThread, block_on};
use green::hubs::{self, ThreadClosed, ThreadHandle};

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Another thread with a hub that runs until the handle closes it.
fn elsewhere() -> (ThreadHandle, thread::JoinHandle<()>) {
    let (sender, receiver) = channel();
    let thread = thread::spawn(move || {
        let handle = hubs::handle().unwrap();
        sender.send(handle.clone()).unwrap();
        while !handle.is_closed() {
            green::sleep(millis(1));
        }
    });
    (receiver.recv().unwrap(), thread)
}

fn is_send<T: Send>(value: T) -> T {
    value
}

#[test]
fn another_thread_awaits_the_value() {
    bounded(|| {
        let gt = green::spawn(|| {
            green::sleep(millis(5));
            // The value may be made of what stays here.
            let here = Rc::new(41);
            *here + 1
        });
        let remote = is_send(gt.remote().unwrap());
        let thread = thread::spawn(move || block_on(remote));
        while !thread.is_finished() {
            green::sleep(millis(1));
        }
        assert_eq!(thread.join().unwrap().unwrap(), 42);
    });
}

#[test]
fn an_end_that_came_before_is_found() {
    bounded(|| {
        let gt = green::spawn(|| 1);
        settle();
        let remote = gt.remote().unwrap();
        assert!(remote.is_finished());
        assert_eq!(thread::spawn(|| remote.join()).join().unwrap().unwrap(), 1);
        let mut remote = green::spawn(|| -> () { panic!("no") }).remote().unwrap();
        let Err(RemoteExit::Panicked(panic)) = block_on(&mut remote) else {
            panic!("it panicked");
        };
        assert_eq!(panic.message(), "no");
        assert!(matches!(block_on(&mut remote), Err(RemoteExit::Cancelled)));
        let later = green::spawn_after(millis(60_000), || 1);
        later.cancel();
        let cancelled = later.remote().unwrap();
        assert!(matches!(cancelled.join(), Err(RemoteExit::Cancelled)));
    });
}

struct Ends(Arc<AtomicBool>);

impl Drop for Ends {
    fn drop(&mut self) {
        // What is killed from afar may still wait for others.
        assert!(thread::panicking());
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn another_thread_kills() {
    bounded(|| {
        let ended = Arc::new(AtomicBool::new(false));
        let ends = Ends(Arc::clone(&ended));
        let gt = green::spawn(move || {
            let _ends = ends;
            green::sleep(millis(60_000));
        });
        let remote = gt.remote().unwrap();
        settle();
        let thread = thread::spawn(move || {
            remote.kill();
            remote.kill();
            remote.join()
        });
        while !thread.is_finished() {
            green::sleep(millis(1));
        }
        assert!(matches!(thread.join().unwrap(), Err(RemoteExit::Killed)));
        assert!(ended.load(Ordering::SeqCst));
    });
}

#[test]
fn work_is_sent_to_a_hub_and_its_value_comes_back() {
    bounded(|| {
        let (hub, thread) = elsewhere();
        let home = thread.thread().id();
        let sums: Vec<_> = (0..100)
            .map(|n| {
                hub.submit(move || {
                    assert_eq!(thread::current().id(), home);
                    block_on(green::future::sleep(millis(1)));
                    n
                })
                .unwrap()
            })
            .collect();
        let sum: u32 = sums.into_iter().map(|gt| gt.join().unwrap()).sum();
        assert_eq!(sum, 4950);
        let panics = hub.submit(|| -> () { panic!("over there") }).unwrap();
        let exit = panics.join().unwrap_err();
        assert_eq!(exit.to_string(), "the greenthread panicked: over there");
        hub.close().unwrap();
        assert_eq!(hub.submit(|| 1).err(), Some(ThreadClosed));
        thread.join().unwrap();
    });
}

#[test]
fn what_is_killed_before_it_starts_never_does() {
    bounded(|| {
        let hub = hubs::handle().unwrap();
        let remote = hub.submit(|| unreachable!()).unwrap();
        remote.kill();
        let exit: Result<(), _> = remote.join();
        assert!(matches!(exit, Err(RemoteExit::Killed)));
    });
}

#[test]
fn the_end_of_the_thread_ends_every_wait() {
    bounded(|| {
        let (sender, receiver) = channel();
        let hub = thread::spawn(move || {
            let waits = green::spawn(|| green::sleep(millis(60_000)));
            // This one refuses to go for as long as it can wait.
            let refuses = green::spawn(|| {
                while std::panic::catch_unwind(|| green::sleep(millis(60_000))).is_err() {}
            });
            green::yield_now();
            let both: [RemoteGreenThread<()>; 2] =
                [waits.remote().unwrap(), refuses.remote().unwrap()];
            sender.send((both, hubs::handle().unwrap())).unwrap();
            // Sent to a thread that does not look any more.
            thread::sleep(millis(10));
        });
        let ([waits, refuses], handle) = receiver.recv().unwrap();
        let late = handle.submit(|| ()).unwrap();
        assert!(matches!(waits.join(), Err(RemoteExit::Killed)));
        assert!(matches!(late.join(), Err(RemoteExit::ThreadClosed)));
        assert!(matches!(refuses.join(), Err(RemoteExit::ThreadClosed)));
        hub.join().unwrap();
    });
}

#[test]
fn a_closed_hub_ends_what_was_sent_to_it() {
    bounded(|| {
        let (hub, thread) = elsewhere();
        let waits = hub.submit(|| green::sleep(millis(60_000))).unwrap();
        thread::sleep(millis(5));
        hub.close().unwrap();
        assert!(matches!(waits.join(), Err(RemoteExit::Killed)));
        thread.join().unwrap();
    });
}

#[test]
fn one_that_is_dropped_runs_on_and_its_value_is_dropped() {
    bounded(|| {
        let (hub, thread) = elsewhere();
        let value = Arc::new(());
        let given = Arc::clone(&value);
        drop(hub.submit(move || given).unwrap());
        let given = Arc::clone(&value);
        let kept = hub.submit(move || given).unwrap();
        while Arc::strong_count(&value) > 2 || !kept.is_finished() {
            thread::sleep(millis(1));
        }
        drop(kept);
        assert_eq!(Arc::strong_count(&value), 1);
        hub.close().unwrap();
        thread.join().unwrap();
    });
}

#[test]
fn only_the_greenthread_that_joins_waits() {
    bounded(|| {
        let (hub, thread) = elsewhere();
        let turns = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&turns);
        let other = green::spawn(move || {
            loop {
                green::sleep(millis(1));
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        let start = Instant::now();
        hub.submit(|| green::sleep(millis(30)))
            .unwrap()
            .join()
            .unwrap();
        assert!(start.elapsed() >= millis(30));
        assert!(turns.load(Ordering::Relaxed) > 0);
        other.kill();
        hub.close().unwrap();
        thread.join().unwrap();
    });
}
