//! Many handshakes, of which none leaves anything behind. A program of its own, for it counts what the process has.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::time::Duration;

use green::Timeout;
use green::debug::counters;
use green::net::{TcpListener, TcpStream};
use green_tls::{Acceptor, Connector, wrap};

use common::{Authority, bounded, settle};

/// The resident memory of the process in KiB, where the system tells it.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// One connection, which succeeds or fails in one of several ways.
fn connect(n: usize, listener: &TcpListener, acceptor: &Acceptor, connector: &Connector) {
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    let acceptor = acceptor.clone();
    let server = green::spawn(move || {
        let far = wrap(far, &acceptor).unwrap();
        (&far).write_all(b"hello").is_ok()
    });
    match n % 8 {
        // Nobody says anything: the server is killed in its handshake.
        0 => {
            settle();
            server.kill();
        }
        // The client's time is up: nobody answers.
        1 => {
            server.kill();
            let near = wrap(near, (connector, "localhost")).unwrap();
            let shaken = Timeout::new(Duration::from_micros(100)).run(|| near.handshake());
            assert!(!matches!(shaken, Ok(Ok(()))));
        }
        // The wrong name.
        2 => {
            let near = wrap(near, (connector, "elsewhere.test")).unwrap();
            assert!(near.handshake().is_err());
        }
        _ => {
            let mut near = wrap(near, (connector, "localhost")).unwrap();
            let mut text = [0; 5];
            near.read_exact(&mut text).unwrap();
            assert_eq!(&text, b"hello");
        }
    }
    let _ = server.join();
}

fn leaks_nothing(handshakes: usize) {
    bounded(|| {
        let authority = Authority::new();
        let (acceptor, connector) = (authority.acceptor(), authority.connector());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // What is kept for good has its full size after these: the sessions of the client, the stacks.
        for n in 0..handshakes.min(600) {
            connect(n, &listener, &acceptor, &connector);
        }
        let open = descriptors();
        let (greenthreads, registered) = (counters().greenthreads, counters().descriptors);
        let before = resident();
        for n in 0..handshakes {
            connect(n, &listener, &acceptor, &connector);
        }
        assert_eq!(descriptors(), open, "descriptors are left open");
        assert_eq!(counters().greenthreads, greenthreads);
        assert_eq!(counters().descriptors, registered);
        if let (Some(before), Some(after)) = (before, resident()) {
            // A leak of 1 KiB each would show in the long run.
            let grown = after.saturating_sub(before);
            assert!(
                grown < 4096,
                "{grown} KiB more after {handshakes} handshakes"
            );
        }
    });
}

#[test]
fn five_hundred_handshakes_leak_nothing() {
    leaks_nothing(500);
}

#[test]
#[ignore = "takes a minute"]
fn ten_thousand_handshakes_leak_nothing() {
    leaks_nothing(10_000);
}
