//! Virtual time and the system's sockets: no timeout fires over data that is about to arrive.

use std::cell::RefCell;
use std::io::{self, ErrorKind, Read, Write};
use std::rc::Rc;
use std::time::Duration;

use crate::common::{bounded, fill};
use green::net::{ListenBuilder, TcpListener, TcpStream, UdpSocket, UnixStream};
use green::sim;

const HOUR: Duration = Duration::from_secs(3600);

fn pair() -> (TcpStream, TcpStream) {
    let (near, far) = crate::common::tcp_pair();
    for stream in [&near, &far] {
        stream.set_read_timeout(Some(HOUR)).unwrap();
        stream.set_write_timeout(Some(HOUR)).unwrap();
    }
    (near, far)
}

#[test]
fn an_hour_does_not_pass_during_bulk_transfers() {
    bounded(|| {
        sim::check(0..60, || {
            let start = green::time::now();
            let transfers: Vec<_> = (0..8)
                .map(|_| {
                    let (near, far) = pair();
                    green::spawn_n(move || {
                        let mut buf = vec![0; 65_536];
                        while let Ok(read @ 1..) = (&far).read(&mut buf) {
                            (&far).write_all(&buf[..read]).unwrap();
                        }
                    });
                    let near = Rc::new(near);
                    let writer = Rc::clone(&near);
                    green::spawn_n(move || (&*writer).write_all(&vec![1; 500_000]).unwrap());
                    green::spawn(move || (&*near).read_exact(&mut vec![0; 500_000]))
                })
                .collect();
            for transfer in transfers {
                transfer.join().unwrap().unwrap();
            }
            assert_eq!(green::time::now(), start);
        });
    });
}

#[test]
fn small_pieces_that_wait_for_each_other_arrive() {
    bounded(|| {
        sim::check(0..4, || {
            let start = green::time::now();
            let (near, far) = pair();
            let reader = green::spawn(move || {
                for _ in 0..5 {
                    let mut pieces = [0; 3];
                    (&far).read_exact(&mut pieces).unwrap();
                    (&far).write_all(b"x").unwrap();
                }
            });
            for _ in 0..5 {
                // The system holds the second back until the first is acknowledged.
                for piece in [b"a", b"b", b"c"] {
                    (&near).write_all(piece).unwrap();
                }
                (&near).read_exact(&mut [0]).unwrap();
            }
            reader.join().unwrap();
            assert_eq!(green::time::now(), start);
        });
    });
}

#[test]
fn every_kind_of_socket() {
    bounded(|| {
        sim::check(0..20, || {
            let start = green::time::now();
            let (one, two) = (
                UdpSocket::bind("127.0.0.1:0"),
                UdpSocket::bind("127.0.0.1:0"),
            );
            let (one, two) = (one.unwrap(), two.unwrap());
            let to = two.local_addr().unwrap();
            two.set_read_timeout(Some(HOUR)).unwrap();
            let receiver = green::spawn(move || {
                (0..50).for_each(|_| assert_eq!(two.recv_from(&mut [0; 9]).unwrap().0, 1));
            });
            for _ in 0..50 {
                one.send_to(b"x", to).unwrap();
                green::yield_now();
            }
            receiver.join().unwrap();
            let (mut near, far) = UnixStream::pair().unwrap();
            far.set_read_timeout(Some(HOUR)).unwrap();
            let all = green::spawn(move || (&far).read_exact(&mut vec![0; 1_000_000]));
            near.write_all(&vec![1; 1_000_000]).unwrap();
            all.join().unwrap().unwrap();
            // The end of a connection is on its way, too.
            let (near, far) = pair();
            let end = green::spawn(move || (&far).read_to_end(&mut Vec::new()));
            (&near).write_all(b"bye").unwrap();
            drop(near);
            assert_eq!(end.join().unwrap().unwrap(), 3);
            assert_eq!(green::time::now(), start);
        });
    });
}

#[test]
fn what_is_stuck_does_not_hold_up_the_time() {
    bounded(|| {
        sim::run(1, || {
            let start = green::time::now();
            // Nobody reads at the other end.
            let (near, _far) = pair();
            fill(&near);
            let error = (&near).write_all(&vec![1; 10_000_000]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            assert!(green::time::now() - start >= HOUR);
            // Whoever waits there costs real time once, and not for every jump: the test would hang.
            green::spawn_n(move || drop((&near).write_all(b"x")));
            for _ in 0..200 {
                green::sleep(Duration::from_secs(1));
            }
        });
        sim::run(1, || {
            // Nobody answers.
            let listener = ListenBuilder::new()
                .backlog(0)
                .listen("127.0.0.1:0")
                .unwrap();
            let address = listener.local_addr().unwrap();
            let mut queued = Vec::new();
            let error = loop {
                match TcpStream::connect_timeout(address, HOUR) {
                    Ok(stream) => queued.push(stream),
                    Err(error) => break error,
                }
                assert!(queued.len() < 100, "the queue is never full");
            };
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            let start = green::time::now();
            let nothing = queued[0].set_read_timeout(Some(HOUR));
            nothing.unwrap();
            let error = queued[0].read(&mut [0]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            assert_eq!(green::time::now() - start, HOUR);
        });
    });
}

/// In which order 20 clients of a server have their answers, after pauses of their own.
fn trace(seed: u64) -> Vec<(usize, u8)> {
    sim::run(seed, || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        green::spawn_n(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                green::spawn_n(move || {
                    let mut asked = [0; 100];
                    while stream.read_exact(&mut asked).is_ok() {
                        green::sleep(Duration::from_millis(asked[0].into()));
                        if stream.write_all(&asked).is_err() {
                            break;
                        }
                    }
                });
            }
        });
        let order = Rc::new(RefCell::new(Vec::new()));
        let clients: Vec<_> = (0..20)
            .map(|client: usize| {
                let order = Rc::clone(&order);
                green::spawn(move || -> io::Result<()> {
                    let mut stream = TcpStream::connect(address)?;
                    for round in 0..5u8 {
                        stream.write_all(&[(client % 3) as u8 + round % 2; 100])?;
                        stream.read_exact(&mut [0; 100])?;
                        order.borrow_mut().push((client, round));
                    }
                    Ok(())
                })
            })
            .collect();
        for client in clients {
            client.join().unwrap().unwrap();
        }
        order.take()
    })
}

#[test]
fn messages_over_sockets_are_the_same_run_for_a_seed() {
    bounded(|| {
        let traces: Vec<_> = (0..5).map(trace).collect();
        for _ in 0..5 {
            for (seed, first) in (0..5).zip(&traces) {
                assert_eq!(trace(seed), *first, "seed {seed}");
            }
        }
        assert!(traces.iter().any(|other| *other != traces[0]));
    });
}
