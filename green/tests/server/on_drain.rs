//! What connections say when a drain begins.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::rc::Rc;
use std::time::Duration;

use crate::common::{bounded, settle};
use green::Flag;
use green::net::TcpStream;
use green::server::{Lifecycle, StreamServer, on_drain};

const LONG: Duration = Duration::from_secs(600);

/// A server whose handler does `f` and then waits for its client's end; and a client that has been greeted.
fn greeted(life: &Lifecycle, f: impl Fn() + 'static) -> TcpStream {
    let listener = green::listen("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let life = life.clone();
    green::spawn_n(move || {
        let served = life.serve(&listener, 10, move |mut stream, _| {
            f();
            stream.write_all(b"hello")?;
            stream.read(&mut [0]).map(drop)
        });
        served.unwrap();
    });
    let mut client = green::connect(address).unwrap();
    client.read_exact(&mut [0; 5]).unwrap();
    client
}

#[test]
fn a_connection_is_told_of_the_drain_of_its_own_server() {
    bounded(|| {
        let told = Rc::new(RefCell::new(Vec::new()));
        let (life, other) = (Lifecycle::new(), Lifecycle::new());
        let say = |what: &'static str| {
            let told = Rc::clone(&told);
            move || told.borrow_mut().push(what)
        };
        let (first, second, third) = (say("first"), say("second"), say("other"));
        let client = greeted(&life, move || {
            assert!(on_drain(first.clone()));
            assert!(on_drain(second.clone()));
        });
        let apart = greeted(&other, move || assert!(on_drain(third.clone())));
        let draining = green::spawn(move || life.drain(LONG));
        settle();
        // The last one counts, once, and of this server alone.
        assert_eq!(*told.borrow(), ["second"]);
        drop(client);
        assert_eq!(draining.join().unwrap().killed, 0);
        drop(apart);
        // A connection that has ended is told nothing.
        while other.counters().open > 0 {
            green::yield_now();
        }
        other.drain(LONG);
        settle();
        assert_eq!(*told.borrow(), ["second"]);
    });
}

#[test]
fn what_is_said_may_wait_and_fail() {
    bounded(|| {
        let life = Lifecycle::new();
        let goes_on = Rc::new(Flag::new());
        let waited = Rc::clone(&goes_on);
        let waits = greeted(&life, move || {
            let waited = Rc::clone(&waited);
            assert!(on_drain(move || {
                waited.wait();
            }));
        });
        let fails = greeted(&life, || assert!(on_drain(|| panic!("on purpose"))));
        let draining = life.clone();
        let draining = green::spawn(move || draining.drain(LONG));
        settle();
        assert!(!draining.is_dead());
        drop((waits, fails));
        assert_eq!(draining.join().unwrap().killed, 0);
        goes_on.set();
    });
}

#[test]
fn one_that_comes_late_is_told_at_once() {
    bounded(|| {
        let life = Lifecycle::new();
        let told = Rc::new(Flag::new());
        let (drains, tell) = (life.clone(), Rc::clone(&told));
        let server = StreamServer::new(
            green::listen("127.0.0.1:0").unwrap(),
            move |_stream: TcpStream, _| {
                let drains = drains.clone();
                green::spawn_n(move || {
                    drains.drain(LONG);
                });
                settle();
                let tell = Rc::clone(&tell);
                // Of another life than its own.
                assert!(on_drain(move || tell.set()));
            },
        );
        server.start();
        let address = server.listener().local_addr().unwrap();
        let _client = green::connect(address).unwrap();
        while server.lifecycle().counters().served == 0 {
            green::yield_now();
        }
        settle();
        assert!(!told.is_set());

        let own = server.lifecycle().clone();
        let tell = Rc::clone(&told);
        let late = green::spawn(move || {
            let connection = own.connection();
            let draining = own.clone();
            let draining = green::spawn(move || draining.drain(LONG));
            settle();
            assert!(on_drain(move || tell.set()));
            settle();
            drop(connection);
            draining.join().unwrap()
        });
        assert_eq!(late.join().unwrap().killed, 0);
        assert!(told.is_set());
        assert_eq!(life.drain(LONG).killed, 0);
    });
}

#[test]
fn who_serves_nothing_is_told_nothing() {
    bounded(|| {
        let dropped = Rc::new(());
        let held = Rc::clone(&dropped);
        assert!(!on_drain(move || drop(held)));
        let _life = Lifecycle::new();
        assert!(!on_drain(|| ()));
        assert_eq!(Rc::strong_count(&dropped), 1);
    });
}
