//! Deterministic runs: virtual time, seeded order, replay.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::common::again::{again, is_again};
use green::net::{TcpListener, TcpStream};
use green::sim;

/// The order in which ten greenthreads pass three yields each.
fn trace(seed: u64) -> Vec<(u64, u32)> {
    sim::run(seed, || {
        let trace = Rc::new(RefCell::new(Vec::new()));
        for _ in 0..10 {
            let trace = Rc::clone(&trace);
            green::spawn_n(move || {
                for step in 0..3 {
                    trace.borrow_mut().push((green::current().id(), step));
                    green::yield_now();
                }
            });
        }
        green::sleep(Duration::from_secs(1));
        trace.borrow().clone()
    })
}

#[test]
fn a_seed_is_one_run() {
    for seed in 0..20 {
        let first = trace(seed);
        assert_eq!(first.len(), 30);
        assert_eq!(first, trace(seed));
    }
}

#[test]
fn seeds_differ() {
    let first = trace(0);
    assert!((1..20).any(|seed| trace(seed) != first));
}

#[test]
fn years_pass_at_once() {
    let start = Instant::now();
    let passed = sim::run(1, || {
        let start = green::time::now();
        for days in 1..100 {
            green::sleep(Duration::from_secs(days * 86_400));
        }
        green::time::now() - start
    });
    assert_eq!(passed, Duration::from_secs(86_400 * 99 * 100 / 2));
    assert!(start.elapsed() < passed);
}

#[test]
fn deadlines_come_in_their_order() {
    sim::check(0..50, || {
        let order = Rc::new(RefCell::new(Vec::new()));
        let sleepers: Vec<_> = [30, 10, 20]
            .into_iter()
            .map(|seconds| {
                let order = Rc::clone(&order);
                green::spawn(move || {
                    green::sleep(Duration::from_secs(seconds));
                    order.borrow_mut().push(seconds);
                })
            })
            .collect();
        for sleeper in sleepers {
            sleeper.join().unwrap();
        }
        assert_eq!(*order.borrow(), [10, 20, 30]);
        let elapsed = green::Timeout::new(Duration::from_secs(5))
            .run(|| green::sleep(Duration::from_secs(6)));
        assert!(elapsed.is_err());
    });
}

#[test]
fn sockets_work_in_virtual_time() {
    sim::check(0..10, || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = green::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            green::sleep(Duration::from_secs(3600));
            stream.write_all(b"late").unwrap();
        });
        let start = green::time::now();
        let mut stream = TcpStream::connect(address).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert_eq!(text, "late");
        assert!(green::time::now() - start >= Duration::from_secs(3600));
        server.join().unwrap();
    });
}

/// A program with a race: it assumes that the greenthread spawned first runs first.
fn racy() {
    let first = Rc::new(RefCell::new(None));
    for name in ["a", "b"] {
        let first = Rc::clone(&first);
        green::spawn_n(move || {
            first.borrow_mut().get_or_insert(name);
        });
    }
    green::sleep(Duration::from_secs(1));
    assert_eq!(*first.borrow(), Some("a"));
}

#[test]
fn a_failing_seed_is_named_and_fails_again() {
    let failure = std::panic::catch_unwind(|| sim::check(0..100, racy)).unwrap_err();
    let message = failure.downcast::<String>().unwrap();
    let seed = message
        .strip_prefix("seed ")
        .and_then(|rest| rest.split(' ').next())
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| panic!("no seed in {message:?}"));
    for _ in 0..3 {
        assert!(std::panic::catch_unwind(|| sim::run(seed, racy)).is_err());
    }
    assert!(message.contains(&format!("GREEN_SEED={seed}")), "{message}");
}

#[test]
fn the_environment_replays_one_seed() {
    if is_again() {
        let runs = std::sync::atomic::AtomicU32::new(0);
        let replayed = std::panic::catch_unwind(|| {
            sim::check(0..100, || {
                runs.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                racy();
            });
        });
        println!("{} runs, {:?}", runs.into_inner(), replayed.is_ok());
        return;
    }
    let failing = (0..100).find(|&seed| std::panic::catch_unwind(|| sim::run(seed, racy)).is_err());
    for (seed, said) in [
        (failing.unwrap().to_string(), "1 runs, false"),
        ("no seed".to_owned(), "0 runs, false"),
    ] {
        let output = again(module_path!(), "the_environment_replays_one_seed")
            .env(sim::GREEN_SEED, seed)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains(said), "{output:?}");
    }
}
