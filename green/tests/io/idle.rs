//! What could keep a hub turning while all wait: peers that hang up, backlogs, timers that are gone or far away. By the
//! counters of the hub, not by the clock.

use std::cell::RefCell;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::rc::Rc;
use std::time::Duration;

use green::debug::counters;
use green::net::{TcpListener, TcpStream, UdpSocket, UnixStream};

const MS: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(3600);

/// Sleeps once and gives what was counted meanwhile.
fn during(sleep: Duration) -> (u64, u64) {
    let before = counters();
    green::sleep(sleep);
    let after = counters();
    (after.turns - before.turns, after.switches - before.switches)
}

/// Lets everybody go where they wait.
fn settle() {
    for _ in 0..5 {
        green::yield_now();
        green::sleep(MS);
    }
}

/// One sleep is one turn of the hub, or two if a timer is a little early; nobody else runs.
#[track_caller]
fn assert_idle() {
    settle();
    for _ in 0..3 {
        let (turns, switches) = during(30 * MS);
        assert!(turns <= 2, "{turns} turns while all wait");
        assert_eq!(switches, 0, "somebody ran while all wait");
    }
}

/// Spawns some that wait and checks that they do, and do nothing else. They are killed then.
#[track_caller]
fn idle(count: usize, spawn: impl Fn(usize) -> green::GreenThread<()>) {
    let before = counters().greenthreads;
    let waiters: Vec<_> = (0..count).map(spawn).collect();
    assert_idle();
    assert!(counters().greenthreads >= before + count, "not all wait");
    assert!(waiters.iter().all(|waiter| !waiter.is_dead()));
    green::killall(&waiters);
}

fn ignore<T>(_: T) {}

#[test]
fn while_timers_are_far_away() {
    idle(200, |n| {
        green::spawn(move || {
            let deadline = LONG + u32::try_from(n).unwrap() * MS;
            ignore(green::Timeout::silent(deadline, || green::sleep(2 * LONG)));
        })
    });
}

#[test]
fn when_peers_hang_up_and_nobody_waits_for_their_descriptors() {
    let mut kept = Vec::new();
    for n in 0..12 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        // Somebody has waited for it: the hub knows it.
        near.set_read_timeout(Some(MS)).unwrap();
        let nothing = near.read(&mut [0]).unwrap_err();
        assert_eq!(nothing.kind(), ErrorKind::TimedOut);
        match n % 4 {
            // A half of it, the whole, with a reset, and with bytes that nobody reads.
            0 => far.shutdown(Shutdown::Write).unwrap(),
            1 => drop(far),
            2 => {
                near.write_all(b"unread").unwrap();
                green::sleep(MS);
                drop(far);
            }
            _ => {
                far.write_all(b"unread").unwrap();
                drop(far);
            }
        }
        kept.push((listener, near));
    }
    assert_idle();
    // Also when somebody waits for the other direction, or for another descriptor.
    idle(1, |_| {
        green::spawn(|| {
            let (mut near, _far) = UnixStream::pair().unwrap();
            ignore(near.read(&mut [0]));
        })
    });
    for (n, (_, mut near)) in kept.into_iter().enumerate() {
        let mut all = Vec::new();
        let end = near.read_to_end(&mut all);
        match n % 4 {
            0 | 1 => assert_eq!(end.unwrap(), 0),
            2 => assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset),
            _ => assert_eq!(all, b"unread"),
        }
    }
}

#[test]
fn when_a_reader_hangs_up_beside_a_writer_that_waits() {
    let (near, far) = UnixStream::pair().unwrap();
    let near = Rc::new(near);
    let writing = Rc::clone(&near);
    let writer = green::spawn(move || (&*writing).write_all(&vec![0; 4 << 20]));
    settle();
    // Its peer sends no more, and takes nothing: ready to read for ever, not to write.
    far.shutdown(Shutdown::Write).unwrap();
    assert_idle();
    assert!(!writer.is_dead());
    drop(far);
    assert_eq!(
        writer.join().unwrap().unwrap_err().kind(),
        ErrorKind::BrokenPipe
    );
}

#[test]
fn when_listeners_are_closed_or_have_more_than_is_accepted() {
    let closed = Rc::new(TcpListener::bind("127.0.0.1:0").unwrap());
    let accepting = Rc::clone(&closed);
    let acceptor = green::spawn(move || accepting.accept().map(|_| ()));
    settle();
    closed.close();
    assert!(acceptor.join().unwrap().is_err());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let first = TcpStream::connect(address).unwrap();
    let accepted = listener.accept().unwrap();
    let more: Vec<_> = (0..5)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    assert_idle();
    for _ in &more {
        listener.accept().unwrap();
    }
    drop((first, accepted));
}

#[test]
fn cancelled_timers_wake_nobody() {
    for _ in 0..500 {
        ignore(green::Timeout::silent(10 * MS, green::yield_now));
    }
    assert_eq!(counters().timers, 0);
    let (turns, switches) = during(30 * MS);
    assert!(
        turns <= 2,
        "{turns} turns: timers that were cancelled are waited for"
    );
    assert_eq!(switches, 0);
}

#[test]
fn after_all_have_been_killed() {
    let left = RefCell::new(Vec::new());
    let waiters: Vec<_> = (0..50)
        .map(|_| {
            let (mut near, far) = UnixStream::pair().unwrap();
            left.borrow_mut().push(far);
            green::spawn(move || ignore(near.read(&mut [0])))
        })
        .collect();
    settle();
    green::killall(&waiters);
    // Their peers now see the end, and nobody looks.
    assert_idle();
    assert_eq!(counters().descriptors, 0);
}

/// A datagram socket after its own shutdown is ready for the system, and has nothing to read.
#[test]
fn while_the_system_goes_on_saying_ready() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(socket.local_addr().unwrap()).unwrap();
    rustix::net::shutdown(&socket, rustix::net::Shutdown::Read).unwrap();
    socket.set_read_timeout(Some(100 * MS)).unwrap();
    let before = counters().turns;
    match socket.recv(&mut [0; 8]) {
        Ok(count) => assert_eq!(count, 0),
        Err(error) => assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}"),
    }
    let turns = counters().turns - before;
    assert!(turns < 60, "{turns} turns for one wait");
}
