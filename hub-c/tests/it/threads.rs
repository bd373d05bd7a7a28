use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use super::support::*;
use hub::*;

/// How often each of four threads does its part.
const ROUNDS: usize = 500;

/// Each thread adds what is ready already, or is armed only later, and goes on when the waiting
/// thread has told it: a change that does not take effect during the wait is a test that hangs.
#[test]
fn changes_by_four_threads_take_effect_during_the_wait() {
    on_each(|hub| {
        let asked: Arc<Mutex<HashMap<RawFd, mpsc::Sender<u32>>>> = Arc::default();
        let running = Arc::new(AtomicUsize::new(4));
        let others: Vec<_> = (0..4)
            .map(|thread| {
                let (asked, running) = (asked.clone(), running.clone());
                thread::spawn(move || {
                    let (near, far) = pair();
                    let (tell, told) = mpsc::channel();
                    asked.lock().unwrap().insert(near.as_raw_fd(), tell);
                    for round in 0..ROUNDS {
                        (&far).write_all(b"x").unwrap();
                        match (round + thread) % 3 {
                            0 => assert_eq!(hub.add(&near, HUB_READ), 0),
                            1 => {
                                assert_eq!(hub.add(&near, 0), 0);
                                assert_eq!(hub.modify(&near, HUB_READ), 0);
                            }
                            _ => {
                                (&near).read_exact(&mut [0]).unwrap();
                                assert_eq!(hub.add(&near, HUB_READ), 0);
                                (&far).write_all(b"y").unwrap();
                            }
                        }
                        let ready = told
                            .recv_timeout(LONG)
                            .expect("the waiting thread reports it");
                        assert_eq!(ready, HUB_READ);
                        assert_eq!(hub.remove(&near), 0);
                        (&near).read_exact(&mut [0]).unwrap();
                        told.try_iter().for_each(drop);
                    }
                    running.fetch_sub(1, SeqCst);
                    hub.notify();
                })
            })
            .collect();
        while running.load(SeqCst) > 0 {
            let (count, events) = hub.wait_for(LONG, 3);
            assert!(
                count > 0 || running.load(SeqCst) < 4,
                "hub {}: {count}",
                hub.name()
            );
            for (fd, ready) in events {
                let _ = asked.lock().unwrap()[&fd].send(ready);
            }
        }
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}

/// Four threads that change the hub without a pause starve neither the wait nor each other.
#[test]
fn a_wait_among_changes_sees_its_events_and_its_end() {
    on_each(|hub| {
        let stop = Arc::new(AtomicBool::new(false));
        let counts: [Arc<AtomicUsize>; 4] = Default::default();
        let others = counts.clone().map(|count| {
            let stop = stop.clone();
            thread::spawn(move || {
                let (near, _far) = pair();
                while !stop.load(SeqCst) {
                    assert_eq!(hub.add(&near, HUB_READ), 0);
                    assert_eq!(hub.modify(&near, 0), 0);
                    assert_eq!(hub.remove(&near), 0);
                    count.fetch_add(1, SeqCst);
                }
            })
        });
        let (near, far) = pair();
        assert_eq!(hub.add(&near, HUB_READ), 0);
        for _ in 0..100 {
            (&far).write_all(b"x").unwrap();
            assert_eq!(
                hub.wait(LONG),
                [(near.as_raw_fd(), HUB_READ)],
                "hub {}",
                hub.name()
            );
            (&near).read_exact(&mut [0]).unwrap();
        }
        let (start, timeout) = (Instant::now(), Duration::from_millis(100));
        assert_eq!(hub.wait(timeout), []);
        assert!(
            start.elapsed() >= timeout,
            "hub {}: a change does not shorten it",
            hub.name()
        );
        while counts.iter().any(|count| count.load(SeqCst) < 10) {
            assert!(start.elapsed() < LONG, "hub {}: {counts:?}", hub.name());
            assert_eq!(hub.wait(Duration::from_millis(1)), []);
        }
        stop.store(true, SeqCst);
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}

/// Notifications, changes, waits and the end of hubs from all sides: nothing hangs, and every
/// function says only what it may.
#[test]
fn hubs_end_under_the_hands_of_others() {
    on_each(|hub| {
        let name = hub.name();
        for _ in 0..50 {
            let hub = Handle::new(name);
            let others: Vec<_> = (0..4)
                .map(|number| {
                    thread::spawn(move || {
                        let (near, _far) = pair();
                        for _ in 0..1000 {
                            let said = match number {
                                0 => hub.notify(),
                                1 => hub.wait_for(Duration::from_secs(1), 8).0,
                                2 => hub.add(&near, HUB_WRITE).max(-libc::EEXIST),
                                _ => hub_fd(hub.0),
                            };
                            if said == -libc::EBADF {
                                return;
                            }
                            let expected = said >= 0 || said == -libc::EEXIST;
                            assert!(expected || said == -libc::ENOTSUP, "{}", error(said));
                        }
                    })
                })
                .collect();
            thread::sleep(Duration::from_micros(200));
            hub.destroy();
            others.into_iter().for_each(|other| other.join().unwrap());
        }
    });
}
