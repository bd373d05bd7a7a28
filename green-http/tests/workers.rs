//! HTTP on several workers.

mod common;

use std::cell::RefCell;
use std::io::{Read, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{SHORT, bounded};
use green::net::SocketAddr;
use green::sync::Event;
use green::workers::{OnPanic, WorkersBuilder};
use green_http::{Response, Server, StatusCode};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n";

fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = green::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn each_worker_has_a_handler_of_its_own_and_the_counters_are_added_up() {
    bounded(|| {
        for workers in [2, 4] {
            let made = Arc::new(AtomicUsize::new(0));
            let counter = Arc::clone(&made);
            let server = Server::factory(move || {
                counter.fetch_add(1, Ordering::SeqCst);
                let seen = Rc::new(RefCell::new(Vec::new()));
                move |request| {
                    if request.uri().path() == "/missing" {
                        return Response::from(StatusCode::NOT_FOUND);
                    }
                    seen.borrow_mut().push(request.uri().path().to_owned());
                    Response::new(format!("{:?}", std::thread::current().name()))
                }
            });
            let running = server.workers(workers).start("127.0.0.1:0").unwrap();
            let address = running.local_addr();
            for _ in 0..30 {
                assert!(get(address, "/").starts_with("HTTP/1.1 200 "));
                assert!(get(address, "/missing").starts_with("HTTP/1.1 404 "));
            }
            let counters = running.counters();
            assert_eq!((counters.accepted, counters.served), (60, 60));
            assert_eq!(counters.by_status, [(200, 30), (404, 30)]);
            assert_eq!(made.load(Ordering::SeqCst), workers);
            assert_eq!(running.drain(Duration::from_secs(60)).unwrap().killed, 0);
        }
    });
}

#[test]
fn settings_hold_on_each_and_what_is_under_way_is_finished() {
    bounded(|| {
        let server = Server::factory_of(|| {
            Server::new(|_| {
                green::sleep(SHORT);
                Response::new("late")
            })
            .target_limit(10)
        });
        let running = server.workers(2).start("127.0.0.1:0").unwrap();
        let address = running.local_addr();
        assert!(get(address, "/a/long/target").starts_with("HTTP/1.1 414 "));
        let waits: Vec<_> = (0..8)
            .map(|_| green::spawn(move || get(address, "/")))
            .collect();
        let mut idle = green::connect(address).unwrap();
        while running.counters().open < 9 {
            green::sleep(Duration::from_millis(1));
        }
        let drained = running.drain(Duration::from_secs(60)).unwrap();
        assert_eq!(drained.killed, 0);
        assert_eq!(idle.read(&mut [0]).unwrap(), 0);
        for waits in waits {
            assert!(waits.join().unwrap().ends_with("\r\n\r\nlate"));
        }
    });
}

#[test]
fn a_handler_that_panics_answers_500_and_a_factory_that_does_is_called_again() {
    bounded(|| {
        let made = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&made);
        let server = Server::factory(move || {
            assert!(counter.fetch_add(1, Ordering::SeqCst) > 1, "on purpose");
            |_| -> Response { panic!("on purpose") }
        });
        let builder = WorkersBuilder::from(2).on_panic(OnPanic::Restart);
        let running = server.workers(builder).start("127.0.0.1:0").unwrap();
        for _ in 0..10 {
            assert!(get(running.local_addr(), "/").starts_with("HTTP/1.1 500 "));
        }
        assert_eq!(running.handle().restarts(), 2);
        running.drain(None).unwrap();
    });
}

#[test]
fn a_drain_answers_all_that_have_asked() {
    bounded(|| {
        for one_queue in [false, true] {
            // One place: while the first request is under way the others are in the queue.
            let gate = Arc::new(Event::<()>::new());
            let open = Arc::clone(&gate);
            let server = Server::factory_of(move || {
                let open = Arc::clone(&open);
                Server::new(move |_| {
                    open.wait().unwrap();
                    "hello"
                })
                .connections(1)
            });
            let server = server.workers(2).one_queue(one_queue);
            let running = server.start("127.0.0.1:0").unwrap();
            let address = running.local_addr();
            let mut clients: Vec<_> = (0..10)
                .map(|_| {
                    let mut client = green::connect(address).unwrap();
                    client.write_all(REQUEST).unwrap();
                    client
                })
                .collect();
            while running.counters().accepted < 2 {
                green::sleep(Duration::from_millis(1));
            }
            let handle = running.handle().clone();
            handle.stop(Duration::from_secs(60));
            green::sleep(SHORT);
            gate.send(()).unwrap();
            for client in &mut clients {
                let mut answer = String::new();
                client.read_to_string(&mut answer).unwrap();
                assert!(answer.ends_with("\r\n\r\nhello"), "{answer:?}");
            }
            assert_eq!(running.join().unwrap().killed, 0);
        }
    });
}
