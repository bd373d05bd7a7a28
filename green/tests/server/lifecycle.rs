//! The life of a server: from running to stopped, whatever is under way.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind, Read, Write};
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::common::again::alone;
use crate::common::{SHORT, bounded, settle, sleep_idle, until};
use crate::logged::{keep_log, logged};
use green::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use green::server::{Lifecycle, Listener, ServerState, StreamServer};
use green::signal::{SIGUSR1, raise};
use green::{GreenThread, StopServe};

const LONG: Duration = Duration::from_secs(600);

fn read_all(mut stream: impl Read) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

thread_local! {
    /// How many words of this test's clients are being dealt with.
    static BUSY: Cell<usize> = const { Cell::new(0) };
    static SLOW_GO_ON: Cell<bool> = const { Cell::new(false) };
}

struct Busy;

impl Busy {
    fn begin() -> Busy {
        BUSY.set(BUSY.get() + 1);
        Busy
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        BUSY.set(BUSY.get() - 1);
    }
}

/// Serves words of four letters: `slow` waits for `SLOW_GO_ON`, `long` for ever, `fail` is an error. Between them it is idle.
fn serve(life: &Lifecycle) -> (SocketAddr, GreenThread<io::Result<usize>>) {
    SLOW_GO_ON.set(false);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (life, within) = (life.clone(), life.clone());
    let server = green::spawn(move || {
        let handler = move |mut stream: TcpStream, _| {
            let mut word = [0; 4];
            while let Some(read) = within.idle(|| stream.read(&mut word)) {
                let _busy = Busy::begin();
                match &word[..read?] {
                    b"" => break,
                    b"slow" => until(|| SLOW_GO_ON.get()),
                    b"long" => green::sleep(LONG),
                    b"fail" => return Err(io::Error::other("on purpose")),
                    b"stop" => return Ok(ControlFlow::Break(StopServe)),
                    _ => {}
                }
                stream.write_all(&word)?;
            }
            Ok(ControlFlow::Continue(()))
        };
        life.serve(&listener, 100, handler)
            .map(|drained| drained.killed)
    });
    settle();
    (address, server)
}

fn client(address: SocketAddr, word: &str) -> TcpStream {
    let mut client = green::connect(address).unwrap();
    client.write_all(word.as_bytes()).unwrap();
    client
}

#[test]
fn a_drain_refuses_cuts_and_waits() {
    bounded(|| {
        let life = Lifecycle::new();
        assert_eq!(life.state(), ServerState::Running);
        let (address, server) = serve(&life);
        let mut idle = client(address, "word");
        idle.read_exact(&mut [0; 4]).unwrap();
        let fresh = client(address, "");
        let busy = client(address, "slow");
        until(|| life.counters().idle == 2 && BUSY.get() == 1);
        let draining = life.clone();
        let draining = green::spawn(move || draining.drain(LONG));
        settle();
        assert_eq!(life.state(), ServerState::Waiting);
        assert!(life.is_draining());
        assert_eq!(
            green::connect(address).unwrap_err().kind(),
            ErrorKind::ConnectionRefused
        );
        assert_eq!(read_all(idle), "");
        assert_eq!(read_all(fresh), "");
        SLOW_GO_ON.set(true);
        assert_eq!(read_all(busy), "slow");
        assert_eq!(draining.join().unwrap().killed, 0);
        assert_eq!(server.join().unwrap().unwrap(), 0);
        assert_eq!(life.state(), ServerState::Stopped);
        let counters = life.counters();
        assert_eq!((counters.open, counters.idle), (0, 0));
        assert_eq!((counters.accepted, counters.served), (3, 3));
        assert_eq!((counters.refused, counters.by_status), (0, vec![]));
        // Nothing more comes of it.
        assert_eq!(life.drain(None).killed, 0);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(life.serve(&listener, 1, |_, _| ()).unwrap().killed, 0);
    });
}

#[test]
fn what_is_late_is_killed_and_counted() {
    bounded(|| {
        let life = Lifecycle::new();
        let (address, server) = serve(&life);
        let clients: Vec<_> = ["long", "slow", "long"]
            .map(|word| client(address, word))
            .into();
        until(|| BUSY.get() == 3);
        let draining = life.clone();
        green::spawn_n(move || {
            until(|| draining.is_draining());
            SLOW_GO_ON.set(true);
        });
        let (start, enough) = (Instant::now(), 20 * SHORT);
        assert_eq!(life.drain(enough).killed, 2);
        assert!(start.elapsed() >= enough);
        assert_eq!(server.join().unwrap().unwrap(), 2);
        let texts: Vec<_> = clients.into_iter().map(read_all).collect();
        assert_eq!(texts, ["", "slow", ""]);
        assert_eq!(life.counters().open, 0);
    });
}

#[test]
fn a_second_drain_brings_the_end_forward() {
    bounded(|| {
        let life = Lifecycle::new();
        let (address, server) = serve(&life);
        let _late = client(address, "long");
        until(|| BUSY.get() == 1);
        let first = life.clone();
        let first = green::spawn(move || first.drain(None));
        settle();
        assert_eq!(life.state(), ServerState::Waiting);
        assert_eq!(life.drain(SHORT).killed, 1);
        assert_eq!(first.join().unwrap().killed, 1);
        assert_eq!(server.join().unwrap().unwrap(), 1);
    });
}

#[test]
fn a_killed_drain_leaves_the_end_to_the_others() {
    bounded(|| {
        let life = Lifecycle::new();
        let (address, server) = serve(&life);
        let busy = client(address, "slow");
        until(|| BUSY.get() == 1);
        let first = life.clone();
        let first = green::spawn(move || first.drain(LONG));
        settle();
        first.kill();
        assert!(first.is_dead());
        SLOW_GO_ON.set(true);
        assert_eq!(read_all(busy), "slow");
        assert_eq!(server.join().unwrap().unwrap(), 0);
        assert_eq!(life.state(), ServerState::Stopped);
    });
}

#[test]
fn a_signal_drains_and_the_next_one_kills() {
    bounded(|| {
        let life = Lifecycle::new();
        life.drain_on([SIGUSR1], None).unwrap();
        let (address, server) = serve(&life);
        let _late = client(address, "long");
        let idle = client(address, "");
        until(|| BUSY.get() == 1 && life.counters().idle == 1);
        raise(SIGUSR1).unwrap();
        assert_eq!(read_all(idle), "");
        until(|| life.state() == ServerState::Waiting);
        raise(SIGUSR1).unwrap();
        assert_eq!(server.join().unwrap().unwrap(), 1);
        assert!(Lifecycle::new().drain_on([0], None).is_err());
    });
}

#[test]
fn a_handler_may_end_its_server() {
    bounded(|| {
        let life = Lifecycle::new();
        let (address, server) = serve(&life);
        let stop = client(address, "stop");
        assert_eq!(server.join().unwrap().unwrap(), 0);
        assert_eq!(read_all(stop), "");

        // One that drains it neither waits for itself nor kills itself.
        let life = Lifecycle::new();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let within = life.clone();
        green::spawn_n(move || {
            for word in ["long", "end!"] {
                let mut client = green::connect(address).unwrap();
                client.write_all(word.as_bytes()).unwrap();
                std::mem::forget(client);
            }
        });
        let answer = Rc::new(Cell::new(None));
        let seen = Rc::clone(&answer);
        let drained = life.serve(&listener, 10, move |mut stream: TcpStream, _| {
            let mut word = [0; 4];
            stream.read_exact(&mut word).unwrap();
            match &word {
                b"end!" => seen.set(Some(within.drain(SHORT).killed)),
                _ => green::sleep(LONG),
            }
        });
        assert_eq!(drained.unwrap().killed, 1);
        assert_eq!(answer.get(), Some(1));
    });
}

#[test]
fn one_life_for_several_servers() {
    bounded(|| {
        let life = Lifecycle::new();
        let (first, one) = serve(&life);
        let (second, two) = serve(&life);
        let clients = [client(first, "slow"), client(second, "slow")];
        until(|| BUSY.get() == 2);
        SLOW_GO_ON.set(true);
        assert_eq!(life.drain(LONG).killed, 0);
        assert_eq!(clients.map(read_all), ["slow", "slow"]);
        one.join().unwrap().unwrap();
        two.join().unwrap().unwrap();

        let listener = green::listen("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = StreamServer::new(listener, |mut stream: TcpStream, _| {
            stream.read(&mut [0]).map(drop)
        });
        server.lifecycle().drain_on([SIGUSR1], SHORT).unwrap();
        server.start();
        let stays = client(address, "");
        until(|| server.lifecycle().counters().open == 1);
        raise(SIGUSR1).unwrap();
        server.serve_forever().unwrap();
        assert_eq!(read_all(stays), "");
        assert!(server.is_closed());
        until(|| server.lifecycle().state() == ServerState::Stopped);
    });
}

#[test]
fn an_accepted_connection_that_has_not_started_is_waited_for() {
    bounded(|| {
        let life = Lifecycle::new();
        let listener = Rc::new(Scripted::new(vec![]));
        let (serving, served) = (life.clone(), Rc::new(Cell::new(0)));
        let count = Rc::clone(&served);
        let from = Rc::clone(&listener);
        let server =
            green::spawn(move || serving.serve(&*from, 10, move |_, _| count.set(count.get() + 1)));
        // The acceptor has run, and what it has accepted last not yet.
        let is_seen = (0..1000).any(|_| {
            green::yield_now();
            life.counters().open > 0
        });
        assert!(is_seen, "{:?}", life.counters());
        assert_eq!(life.drain(LONG).killed, 0);
        assert_eq!(served.get(), life.counters().accepted);
        server.join().unwrap().unwrap();
    });
}

#[test]
fn a_kill_of_the_caller_ends_the_accepting_alone() {
    bounded(|| {
        let life = Lifecycle::new();
        let (address, server) = serve(&life);
        let busy = client(address, "slow");
        until(|| BUSY.get() == 1);
        server.kill();
        assert!(server.is_dead());
        SLOW_GO_ON.set(true);
        let mut busy = busy;
        busy.read_exact(&mut [0; 4]).unwrap();
        assert_eq!(life.state(), ServerState::Running);
        assert_eq!(life.drain(LONG).killed, 0);
        assert_eq!(read_all(busy), "");
    });
}

#[test]
fn errors_of_a_handler_name_the_peer_and_end_nothing() {
    keep_log();
    bounded(|| {
        let life = Lifecycle::new();
        let (address, server) = serve(&life);
        let failed = client(address, "fail");
        let peer = failed.local_addr().unwrap();
        assert_eq!(read_all(failed), "");
        assert_eq!(
            logged(&format!(
                "the handler of the connection from {peer} failed: on purpose"
            )),
            1
        );
        let mut next = client(address, "word");
        next.read_exact(&mut [0; 4]).unwrap();
        life.drain(LONG);
        server.join().unwrap().unwrap();
    });
}

#[test]
fn a_server_for_ever_outlives_errors_and_panics_until_it_is_told() {
    keep_log();
    bounded(|| {
        let listener = green::listen("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = green::spawn(move || {
            green::serve_forever(&listener, 1000, |mut stream, _peer| {
                let mut word = [0; 4];
                stream.read_exact(&mut word)?;
                match &word {
                    b"quit" => Ok(ControlFlow::Break(StopServe)),
                    b"ouch" => panic!("on purpose"),
                    word => stream.write_all(word).map(ControlFlow::Continue),
                }
            })
        });
        let silent = client(address, "");
        let peer = silent.local_addr().unwrap();
        drop(silent);
        assert_eq!(read_all(client(address, "ouch")), "");
        let waiting = client(address, "");
        assert_eq!(read_all(client(address, "word")), "word");
        let named = format!("the handler of the connection from {peer} failed: ");
        assert_eq!(logged(&named), 1);
        // Told to end, it accepts nothing more, and waits for what it has accepted.
        assert_eq!(read_all(client(address, "quit")), "");
        settle();
        assert!(!server.is_dead());
        assert!(green::connect(address).is_err());
        (&waiting).write_all(b"last").unwrap();
        assert_eq!(read_all(waiting), "last");
        server.join().unwrap().unwrap();
    });
}

/// Gives connections for ever, and never waits.
struct Eager(Cell<usize>);

impl Listener for Eager {
    type Stream = usize;
    type Addr = &'static str;

    fn accept(&self) -> io::Result<(usize, &'static str)> {
        self.0.set(self.0.get() + 1);
        Ok((self.0.get(), "nowhere"))
    }

    fn close(&self) {}
}

#[test]
fn a_drain_that_comes_when_the_acceptor_lets_others_run_loses_no_connection() {
    bounded(|| {
        let mut all = 0;
        for rounds in 1..10 {
            let life = Lifecycle::new();
            let listener = Rc::new(Eager(Cell::new(0)));
            let (serving, from, served) = (life.clone(), Rc::clone(&listener), Rc::default());
            let count: Rc<Cell<usize>> = Rc::clone(&served);
            let server = green::spawn(move || {
                serving.serve(&*from, 1000, move |_, _| count.set(count.get() + 1))
            });
            // The acceptor goes on until it has used up its share.
            (0..rounds).for_each(|_| green::yield_now());
            assert_eq!(life.drain(LONG).killed, 0);
            server.join().unwrap().unwrap();
            assert_eq!(served.get(), listener.0.get());
            all += served.get();
        }
        assert!(all > 0);
    });
}

/// Fails as told, then gives connections that are numbers.
struct Scripted {
    errors: RefCell<Vec<i32>>,
    next: Cell<u32>,
    calls: Cell<u32>,
    closed: Cell<bool>,
}

impl Scripted {
    fn new(errors: Vec<i32>) -> Scripted {
        Scripted {
            errors: RefCell::new(errors),
            next: Cell::new(0),
            calls: Cell::new(0),
            closed: Cell::new(false),
        }
    }
}

impl Listener for Scripted {
    type Stream = u32;
    type Addr = &'static str;

    fn accept(&self) -> io::Result<(u32, &'static str)> {
        green::yield_now();
        self.calls.set(self.calls.get() + 1);
        if let Some(code) = self.errors.borrow_mut().pop() {
            return Err(io::Error::from_raw_os_error(code));
        }
        self.next.set(self.next.get() + 1);
        Ok((self.next.get(), "nowhere"))
    }

    fn close(&self) {
        self.closed.set(true);
    }
}

#[test]
fn an_error_that_stays_makes_no_spin() {
    keep_log();
    // What other tests close would be seen here as well.
    alone(module_path!(), "an_error_that_stays_makes_no_spin", || {
        bounded(|| {
            for code in [libc::EPERM, libc::EOPNOTSUPP, libc::ENETDOWN] {
                let life = Lifecycle::new();
                let listener = Rc::new(Scripted::new(vec![code; 10_000]));
                let (serving, from) = (life.clone(), Rc::clone(&listener));
                let server = green::spawn(move || serving.serve(&*from, 10, |_, _| ()));
                sleep_idle();
                let calls = listener.calls.get();
                assert!((2..60).contains(&calls), "{calls} calls in 200 ms");
                assert_eq!(listener.next.get(), 0);
                life.drain(None);
                server.join().unwrap().unwrap();
                assert!(listener.closed.get());
            }
            let said = io::Error::from_raw_os_error(libc::EPERM).to_string();
            assert_eq!(logged(&format!("cannot accept: {said}")), 1);
        })
    });
}

#[test]
fn a_close_in_another_thread_ends_the_shortage() {
    // What other tests close would be seen here as well.
    alone(
        module_path!(),
        "a_close_in_another_thread_ends_the_shortage",
        || {
            bounded(|| {
                let life = Lifecycle::new();
                let listener = Rc::new(Scripted::new(vec![libc::EMFILE; 7]));
                let (serving, from) = (life.clone(), Rc::clone(&listener));
                let server = green::spawn(move || {
                    serving.serve(&*from, 1, |_, _| ControlFlow::Break(StopServe))
                });
                settle();
                // By its own clock it would try again after 10, 20, 40 ... 640 ms: 1.27 s in all.
                let start = Instant::now();
                std::thread::spawn(|| {
                    for _ in 0..40 {
                        drop(UdpSocket::bind("127.0.0.1:0").unwrap());
                        std::thread::sleep(Duration::from_millis(5));
                    }
                })
                .join()
                .unwrap();
                // What the thread has done is looked at now, each close as a wake-up of its own.
                let mut turns = 0;
                while !server.is_dead() && start.elapsed() < Duration::from_secs(1) {
                    std::thread::spawn(|| drop(UdpSocket::bind("127.0.0.1:0").unwrap()))
                        .join()
                        .unwrap();
                    green::sleep(Duration::from_millis(1));
                    turns += 1;
                }
                assert!(server.is_dead(), "{turns} closes, {:?}", listener.errors);
            })
        },
    );
}
