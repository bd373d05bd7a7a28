//! Connecting to several addresses, some of which never answer.

use std::cell::RefCell;
use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::common::{SHORT, bounded, settle};
use green::Timeout;
use green::net::{ConnectError, ListenBuilder, TcpListener, TcpStream};

/// How long an address may say nothing before the next is tried.
const DELAY: Duration = Duration::from_millis(250);

/// An address that never answers: its queue is full.
struct Hole {
    address: SocketAddr,
    _held: (TcpListener, Vec<TcpStream>),
}

impl Hole {
    fn at(address: SocketAddr) -> Hole {
        let listener = ListenBuilder::new().backlog(0).listen(address).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queued = Vec::new();
        loop {
            match TcpStream::connect_timeout(address, Duration::from_millis(100)) {
                Ok(stream) => queued.push(stream),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::TimedOut);
                    let _held = (listener, queued);
                    return Hole { address, _held };
                }
            }
            assert!(queued.len() < 100, "the queue is never full");
        }
    }

    fn new() -> Hole {
        Hole::at(([127, 0, 0, 1], 0).into())
    }
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// An address where nobody listens.
fn gone() -> SocketAddr {
    listener().1
}

fn inside(error: &io::Error) -> &ConnectError {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    inner.unwrap_or_else(|| panic!("{error:?}"))
}

/// Descriptors of this thread that the hub knows.
fn registered() -> usize {
    green::debug::counters().descriptors
}

#[test]
fn an_address_that_never_answers_is_passed_by() {
    bounded(|| {
        let (hole, (_good, good)) = (Hole::new(), listener());
        let addresses = [hole.address, good];
        let before = registered();
        type Connect = fn(&[SocketAddr]) -> io::Result<TcpStream>;
        let ways: [Connect; 4] = [
            |to| TcpStream::connect(to),
            |to| TcpStream::connect_timeout(to, Duration::from_secs(60)),
            |to| green::connect(to),
            |to| green::connect_from(to, "127.0.0.1:0"),
        ];
        for connect in ways {
            let start = Instant::now();
            let stream = connect(&addresses).unwrap();
            assert_eq!(stream.peer_addr().unwrap(), good);
            assert!(start.elapsed() >= DELAY, "{:?}", start.elapsed());
            drop(stream);
            assert_eq!(registered(), before, "the other attempt is closed");
        }
    });
}

#[test]
fn the_first_that_answers_wins_however_long_the_others_last() {
    bounded(|| {
        let holes = [Hole::new(), Hole::new()];
        let (accepting, good) = listener();
        let addresses = [holes[0].address, gone(), holes[1].address, good];
        let start = Instant::now();
        let mut near = TcpStream::connect(&addresses[..]).unwrap();
        // A pause after each hole, none after the one that refuses.
        assert!(start.elapsed() >= 2 * DELAY, "{:?}", start.elapsed());
        let (mut far, _) = accepting.accept().unwrap();
        near.write_all(b"hello").unwrap();
        let mut text = [0; 5];
        far.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"hello");
        assert_eq!(green::debug::counters().writers, 0);
    });
}

#[test]
fn a_late_answer_still_counts() {
    bounded(|| {
        let held = Hole::new();
        let address = held.address;
        let hole = Hole::new();
        green::spawn_n(move || {
            green::sleep(2 * DELAY);
            let (listener, queued) = held._held;
            for _ in 0..queued.len() {
                listener.accept().unwrap();
            }
            // The system asks again after a second.
            let (_late, _) = listener.accept().unwrap();
            green::sleep(Duration::from_secs(60));
        });
        let addresses = [address, hole.address];
        let stream = TcpStream::connect(&addresses[..]).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
    });
}

#[test]
fn others_run_meanwhile_and_the_time_is_shared() {
    bounded(|| {
        let holes = [Hole::new(), Hole::new()];
        let addresses = [holes[0].address, gone(), holes[1].address];
        let ticks = Rc::new(RefCell::new(0));
        let count = Rc::clone(&ticks);
        green::spawn_n(move || {
            loop {
                green::sleep(Duration::from_millis(5));
                *count.borrow_mut() += 1;
            }
        });
        let before = registered();
        let (start, limit) = (Instant::now(), 2 * DELAY);
        let error = TcpStream::connect_timeout(&addresses[..], limit).unwrap_err();
        assert!(start.elapsed() >= limit);
        assert!(*ticks.borrow() >= 5);
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(green::is_timeout(&error));
        assert!(error.to_string().contains("500ms"), "{error}");
        for address in addresses {
            assert!(error.to_string().contains(&address.to_string()), "{error}");
        }
        assert_eq!(inside(&error).failures().len(), 3);
        assert_eq!(registered(), before);
    });
}

#[test]
fn an_error_names_all_and_keeps_kind_and_number() {
    bounded(|| {
        let addresses = [gone(), gone()];
        let error = TcpStream::connect(&addresses[..]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let failures = inside(&error).failures();
        let failed: Vec<_> = failures.iter().map(|(address, _)| *address).collect();
        assert_eq!(failed, addresses);
        for (address, failure) in failures {
            assert_eq!(failure.raw_os_error(), Some(libc::ECONNREFUSED));
            assert!(error.to_string().contains(&address.to_string()), "{error}");
        }
        let source = inside(&error).source().unwrap();
        let source: &io::Error = source.downcast_ref().unwrap();
        assert_eq!(source.raw_os_error(), Some(libc::ECONNREFUSED));
        // Of one address it is what the system says.
        let error = TcpStream::connect(&addresses[..1]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED));
        // That there is no way to one says less than that another refuses.
        let nowhere = SocketAddr::from(([255, 255, 255, 255], 9));
        for addresses in [[nowhere, addresses[0]], [addresses[0], nowhere]] {
            let error = green::connect_from(&addresses[..], "127.0.0.1:0").unwrap_err();
            assert_eq!(inside(&error).failures().len(), 2);
        }
        let six = SocketAddr::from(([0u16, 0, 0, 0, 0, 0, 0, 1], 9));
        for mixed in [[six, addresses[0]], [addresses[0], six]] {
            let error = green::connect_from(&mixed[..], "127.0.0.1:0").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{error}");
        }
        let many = [gone(); 100];
        let error = TcpStream::connect(&many[..]).unwrap_err().to_string();
        assert!(error.len() < 1000 && error.contains("92 more"), "{error}");
        let nothing = TcpStream::connect(&[][..]).unwrap_err();
        assert_eq!(nothing.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn a_kill_or_a_deadline_closes_all_attempts_at_once() {
    bounded(|| {
        let holes = [Hole::new(), Hole::new()];
        let addresses = [holes[0].address, holes[1].address];
        settle();
        let before = registered();
        let connecting = green::spawn(move || TcpStream::connect(&addresses[..]));
        while registered() < before + 2 {
            green::sleep(Duration::from_millis(5));
        }
        connecting.kill();
        assert!(connecting.is_dead());
        assert_eq!(registered(), before);
        let late = Timeout::new(DELAY + SHORT).run(|| TcpStream::connect(&addresses[..]));
        assert!(late.is_err());
        assert_eq!(registered(), before);
    });
}

#[test]
fn nothing_is_waited_for_while_the_thread_unwinds() {
    struct Connects([SocketAddr; 2]);
    impl Drop for Connects {
        fn drop(&mut self) {
            let error = TcpStream::connect(&self.0[..]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
        }
    }
    bounded(|| {
        let hole = Hole::new();
        let connects = Connects([hole.address, hole.address]);
        let panicking = green::spawn(move || {
            let _connects = connects;
            std::panic::resume_unwind(Box::new("over"));
        });
        assert!(panicking.join().is_err());
    });
}

#[cfg(feature = "dns")]
#[test]
fn the_addresses_of_a_name_are_all_tried() {
    bounded(|| {
        let (good, address) = listener();
        let _hole = Hole::at(([127, 0, 0, 2], address.port()).into());
        let path = std::env::temp_dir().join(format!("green-connecting-{}", std::process::id()));
        std::fs::write(&path, "127.0.0.2 two.example\n127.0.0.1 two.example\n").unwrap();
        green::dns::use_resolver_with(green::dns::Resolver::green().hosts_file(&path).build());
        let name = ("two.example", address.port());
        let stream = TcpStream::connect_timeout(name, Duration::from_secs(60)).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
        std::fs::remove_file(&path).unwrap();
        drop(good);
    });
}
