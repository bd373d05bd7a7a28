//! A server on several workers.

use std::cell::Cell;
use std::io::{self, ErrorKind, Read, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::common::{SHORT, bounded};
use green::net::{SocketAddr, TcpStream};
use green::server::StreamServer;
use green::workers::{OnPanic, WorkersBuilder, WorkersServer};

/// Echoes words of four letters; `long` takes for ever, `fail` is an error, `boom` a panic.
fn words() -> WorkersServer {
    StreamServer::factory(|| {
        let served = Rc::new(Cell::new(0));
        move |mut stream: TcpStream, _peer| {
            served.set(served.get() + 1);
            let mut word = [0; 4];
            stream.read_exact(&mut word)?;
            match &word {
                b"long" => green::sleep(Duration::from_secs(600)),
                b"fail" => return Err(io::Error::other("on purpose")),
                b"boom" => panic!("on purpose"),
                _ => {}
            }
            stream.write_all(&word)
        }
    })
}

fn say(address: SocketAddr, word: &str) -> io::Result<String> {
    let mut stream = green::connect(address)?;
    stream.write_all(word.as_bytes())?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[test]
fn one_drain_for_all_and_the_counters_of_all() {
    bounded(|| {
        for workers in [2, 4] {
            let running = words().workers(workers).start("127.0.0.1:0").unwrap();
            let address = running.local_addr();
            for _ in 0..20 {
                assert_eq!(say(address, "ping").unwrap(), "ping");
                assert!(say(address, "fail").is_err());
                assert!(say(address, "boom").is_err());
            }
            let waits = green::spawn(move || say(address, "long"));
            while running.counters().open == 0 {
                green::yield_now();
            }
            let counters = running.counters();
            assert_eq!((counters.accepted, counters.open), (61, 1));
            let each = running.counters_of_each();
            assert_eq!(each.len(), workers);
            assert_eq!(
                each.iter().map(|counters| counters.accepted).sum::<u64>(),
                61
            );
            let start = Instant::now();
            let drained = running.drain(SHORT).unwrap();
            assert!(start.elapsed() >= SHORT);
            assert_eq!(drained.killed, 1);
            assert!(waits.join().unwrap().is_err());
            let refused = green::connect(address).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        }
    });
}

#[test]
fn a_worker_whose_server_panics_is_replaced_and_its_counters_stay() {
    bounded(|| {
        let makes = Arc::new(AtomicUsize::new(0));
        let made = Arc::clone(&makes);
        // The closure of the worker panics after its third connection.
        let server = WorkersServer::new(move |_worker, listener, life| {
            made.fetch_add(1, Ordering::SeqCst);
            let within = life.clone();
            let boom = Rc::new(green::Flag::new());
            let flag = Rc::clone(&boom);
            let watched = green::current();
            green::spawn_n(move || {
                flag.wait();
                watched.kill_with("boom");
            });
            life.serve(&listener, 10, move |mut stream: TcpStream, _| {
                if within.counters().accepted == 3 {
                    boom.set();
                }
                stream.write_all(b"ping")
            })
        });
        let builder = WorkersBuilder::from(1).on_panic(OnPanic::Restart);
        let running = server.workers(builder).start("127.0.0.1:0").unwrap();
        let mut answered = 0;
        let start = Instant::now();
        while answered < 3 && start.elapsed() < Duration::from_secs(60) {
            answered += usize::from(say(running.local_addr(), "ping").is_ok());
        }
        // A kill ends it for good.
        let error = running.join().unwrap_err();
        assert!(error.to_string().contains("was killed"), "{error}");
        assert_eq!(makes.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_factory_that_panics_is_called_again_and_what_came_meanwhile_is_served() {
    bounded(|| {
        let makes = Arc::new(AtomicUsize::new(0));
        let made = Arc::clone(&makes);
        let server = StreamServer::factory(move || {
            assert!(made.fetch_add(1, Ordering::SeqCst) >= 3, "on purpose");
            |mut stream: TcpStream, _| stream.write_all(b"ping")
        });
        let builder = WorkersBuilder::from(2).on_panic(OnPanic::Restart);
        let running = server.workers(builder).start("127.0.0.1:0").unwrap();
        for _ in 0..10 {
            assert_eq!(say(running.local_addr(), "ping").unwrap(), "ping");
        }
        assert_eq!(running.handle().restarts(), 3);
        assert_eq!(makes.load(Ordering::SeqCst), 5);
        assert_eq!(running.counters().accepted, 10);
        running.drain(None).unwrap();
    });
}

#[test]
fn a_factory_that_panics_ends_the_server_unless_it_is_told_otherwise() {
    bounded(|| {
        let server =
            StreamServer::factory(|| -> fn(TcpStream, SocketAddr) { panic!("on purpose") });
        let error = server.workers(2).serve("127.0.0.1:0").unwrap_err();
        assert!(
            error.to_string().contains("panicked: on purpose"),
            "{error}"
        );
    });
}

#[test]
fn the_counters_of_one_that_has_ended_are_still_there() {
    bounded(|| {
        let server = StreamServer::factory(|| {
            |mut stream: TcpStream, _| {
                stream.write_all(b"ping")?;
                io::Result::Ok(std::ops::ControlFlow::Break(green::StopServe))
            }
        });
        let running = server.workers(1).start("127.0.0.1:0").unwrap();
        say(running.local_addr(), "").unwrap();
        while running.handle().thread(0).is_some() {
            green::sleep(Duration::from_millis(1));
        }
        assert_eq!(running.counters().accepted, 1);
        assert_eq!(running.join().unwrap().killed, 0);
    });
}

#[test]
fn new_clients_are_refused_while_it_waits_for_what_is_under_way() {
    bounded(|| {
        for one_queue in [false, true] {
            let server = words().workers(2).one_queue(one_queue);
            let running = server.start("127.0.0.1:0").unwrap();
            let address = running.local_addr();
            let waits = green::spawn(move || say(address, "long"));
            while running.counters().open == 0 {
                green::yield_now();
            }
            let handle = running.handle().clone();
            handle.stop(Duration::from_secs(60));
            // The listeners are closed by then, whatever still goes on.
            let start = Instant::now();
            loop {
                match green::net::TcpStream::connect_timeout(address, SHORT) {
                    Err(error) if error.kind() == ErrorKind::ConnectionRefused => break,
                    _ => assert!(start.elapsed() < Duration::from_secs(60), "they are open"),
                }
            }
            assert!((0..2).any(|worker| running.handle().thread(worker).is_some()));
            handle.stop(Duration::ZERO);
            assert_eq!(running.join().unwrap().killed, 1);
            assert!(waits.join().unwrap().is_err());
        }
    });
}
