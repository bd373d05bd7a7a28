//! TCP sockets: what std promises, and what greenthreads that share them may rely on.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::common::{SHORT, bounded, fill, settle, tcp_pair, times_out};
use green::Timeout;
use green::net::{ListenBuilder, Shutdown, TcpListener, TcpStream};
use socket2::SockRef;

fn kind<T>(result: io::Result<T>) -> ErrorKind {
    match result {
        Ok(_) => panic!("an error was expected"),
        Err(error) => error.kind(),
    }
}

#[test]
fn every_call_that_waits_has_a_timeout() {
    bounded(|| {
        let (near, _far) = tcp_pair();
        near.set_read_timeout(Some(SHORT)).unwrap();
        near.set_write_timeout(Some(SHORT)).unwrap();
        assert_eq!(near.read_timeout().unwrap(), Some(SHORT));
        assert_eq!(near.write_timeout().unwrap(), Some(SHORT));
        let mut buf = [0; 8];
        times_out(|| (&near).read(&mut buf));
        times_out(|| (&near).read_exact(&mut buf));
        times_out(|| (&near).read_vectored(&mut [IoSliceMut::new(&mut buf)]));
        times_out(|| (&near).read_to_end(&mut Vec::new()));
        times_out(|| near.peek(&mut buf));
        times_out(|| {
            near.try_read(&mut buf).unwrap_err();
            near.readable()
        });
        fill(&near);
        times_out(|| (&near).write(b"x"));
        times_out(|| (&near).write_all(b"x"));
        times_out(|| (&near).write_vectored(&[IoSlice::new(b"x")]));
        times_out(|| near.writable());
        let file = File::open(std::env::current_exe().unwrap()).unwrap();
        times_out(|| near.send_file(&file, 0, 100));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_accept_timeout(Some(SHORT)).unwrap();
        assert_eq!(listener.accept_timeout(), Some(SHORT));
        times_out(|| listener.accept());
        times_out(|| listener.incoming().next().unwrap());
    });
}

/// A listener whose queue is full: a connect to it waits for ever.
fn deaf() -> (TcpListener, Vec<TcpStream>) {
    let listener = ListenBuilder::new()
        .backlog(0)
        .listen("127.0.0.1:0")
        .unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    loop {
        match TcpStream::connect_timeout(address, Duration::from_millis(100)) {
            Ok(stream) => queued.push(stream),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::TimedOut);
                return (listener, queued);
            }
        }
        assert!(queued.len() < 100, "the queue is never full");
    }
}

#[test]
fn a_connect_times_out_over_all_addresses() {
    bounded(|| {
        let (listener, _queued) = deaf();
        let address = listener.local_addr().unwrap();
        times_out(|| TcpStream::connect_timeout(address, SHORT));
        let many = [address; 1000];
        let start = Instant::now();
        let error = TcpStream::connect_timeout(&many[..], SHORT).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(error.to_string().contains("15ms"), "{error}");
        assert!(
            start.elapsed() < 1000 * SHORT,
            "each address had a timeout of its own"
        );
        green::net::set_default_timeout(Some(SHORT)).unwrap();
        times_out(|| TcpStream::connect(address));
    });
}

#[test]
fn a_timeout_of_zero_is_refused() {
    let (near, _far) = tcp_pair();
    let zero = Some(Duration::ZERO);
    assert_eq!(kind(near.set_read_timeout(zero)), ErrorKind::InvalidInput);
    assert_eq!(kind(near.set_write_timeout(zero)), ErrorKind::InvalidInput);
    let connect = TcpStream::connect_timeout("127.0.0.1:1", Duration::ZERO);
    assert_eq!(kind(connect), ErrorKind::InvalidInput);
    assert_eq!(
        kind(green::net::set_default_timeout(zero)),
        ErrorKind::InvalidInput
    );
}

#[test]
fn nonblocking_and_back() {
    bounded(|| {
        let (mut near, far) = tcp_pair();
        let ran = Rc::new(Cell::new(false));
        let other = Rc::clone(&ran);
        green::spawn_n(move || other.set(true));
        near.set_read_timeout(Some(SHORT)).unwrap();
        for _ in 0..2 {
            near.set_nonblocking(true).unwrap();
            assert_eq!(kind(near.read(&mut [0])), ErrorKind::WouldBlock);
            assert_eq!(kind(near.peek(&mut [0])), ErrorKind::WouldBlock);
            SockRef::from(&far).send(b"x").unwrap();
            // Without a turn of the hub in between: the descriptor itself is asked.
            let start = Instant::now();
            while near.peek(&mut [0]).is_err() {
                assert!(start.elapsed() < Duration::from_secs(60));
            }
            for _ in 0..200 {
                near.peek(&mut [0]).unwrap();
            }
            near.read_exact(&mut [0]).unwrap();
            assert!(!ran.get(), "a call that does not wait has let others run");
            near.set_nonblocking(false).unwrap();
        }
        times_out(|| near.read(&mut [0]));
        assert!(ran.get());
    });
}

#[test]
fn sockets_start_with_the_default_timeout() {
    bounded(|| {
        let before = TcpListener::bind("127.0.0.1:0").unwrap();
        green::net::set_default_timeout(Some(SHORT)).unwrap();
        assert_eq!(before.accept_timeout(), None);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        times_out(|| listener.accept());
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far, _) = listener.accept().unwrap();
        times_out(|| (&near).read(&mut [0]));
        times_out(|| (&far).read(&mut [0]));
        green::net::set_default_timeout(None).unwrap();
        assert_eq!(green::net::default_timeout(), None);
        assert_eq!(
            far.try_clone().unwrap().read_timeout().unwrap(),
            Some(SHORT)
        );
    });
}

#[test]
fn large_transfers_in_both_directions_at_once() {
    const LEN: usize = 8 << 20;
    bounded(|| {
        let (near, far) = tcp_pair();
        let byte = |seed: usize, at: usize| (at.wrapping_mul(31) ^ at >> 9 ^ seed) as u8;
        let ends = [(0, Rc::new(near)), (1, Rc::new(far))];
        let tasks: Vec<_> = ends
            .into_iter()
            .flat_map(|(seed, stream)| {
                let reader = Rc::clone(&stream);
                let write = green::spawn(move || {
                    let data: Vec<u8> = (0..LEN).map(|at| byte(seed, at)).collect();
                    (&*stream).write_all(&data).unwrap();
                });
                let read = green::spawn(move || {
                    let mut data = vec![0; LEN];
                    for piece in data.chunks_mut(10_007) {
                        (&*reader).read_exact(piece).unwrap();
                    }
                    let wrong = (0..LEN).find(|&at| data[at] != byte(1 - seed, at));
                    assert_eq!(wrong, None);
                });
                [write, read]
            })
            .collect();
        for task in tasks {
            task.join().unwrap();
        }
    });
}

#[test]
fn many_small_writes_all_arrive() {
    const PIECE: usize = 1031;
    const PIECES: usize = 20_800;
    bounded(|| {
        let (near, mut far) = tcp_pair();
        let writer = green::spawn(move || {
            let piece: Vec<u8> = (0..PIECE).map(|at| at as u8).collect();
            for _ in 0..PIECES {
                (&near).write_all(&piece).unwrap();
            }
        });
        let mut total = 0;
        let mut buf = vec![0; 50_000];
        loop {
            let n = far.read(&mut buf).unwrap();
            if n == 0 {
                break;
            }
            for (at, byte) in buf[..n].iter().enumerate() {
                assert_eq!(usize::from(*byte), (total + at) % PIECE % 256);
            }
            total += n;
        }
        assert_eq!(total, PIECE * PIECES);
        writer.join().unwrap();
    });
}

#[test]
fn a_second_reader_is_refused_and_the_first_goes_on() {
    bounded(|| {
        let (near, far) = tcp_pair();
        let near = Rc::new(near);
        let reader = Rc::clone(&near);
        let first = green::spawn(move || {
            let mut buf = [0; 5];
            (&*reader).read_exact(&mut buf).unwrap();
            buf
        });
        green::yield_now();
        let reader = Rc::clone(&near);
        let second = green::spawn(move || (&*reader).read(&mut [0]).unwrap_err());
        let (first_id, second_id) = (first.id(), second.id());
        let error = second.join().unwrap();
        assert_eq!(error.kind(), ErrorKind::ResourceBusy);
        let text = error.to_string();
        assert!(
            text.contains(&format!("greenthread {first_id} reads")),
            "{text}"
        );
        assert!(
            text.contains(&format!("greenthread {second_id} cannot")),
            "{text}"
        );
        assert!(
            text.contains(&format!("descriptor {}", near.as_raw_fd())),
            "{text}"
        );
        // The other direction is free.
        (&*near).write_all(b"x").unwrap();
        (&far).write_all(b"hello").unwrap();
        assert_eq!(first.join().unwrap(), *b"hello");
        // After the end of the first nothing is left of it.
        near.set_read_timeout(Some(SHORT)).unwrap();
        times_out(|| (&*near).read(&mut [0]));
    });
}

#[test]
fn a_second_writer_is_refused() {
    bounded(|| {
        let (near, mut far) = tcp_pair();
        let filled = fill(&near);
        let near = Rc::new(near);
        let writer = Rc::clone(&near);
        let first = green::spawn(move || (&*writer).write_all(b"first").unwrap());
        green::yield_now();
        let error = (&*near).write(b"second").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ResourceBusy);
        assert!(error.to_string().contains("writes to"), "{error}");
        drop(near);
        let mut data = Vec::new();
        far.read_to_end(&mut data).unwrap();
        assert_eq!(&data[filled..], b"first");
        first.join().unwrap();
    });
}

#[test]
fn a_killed_reader_leaves_the_socket_usable() {
    bounded(|| {
        let (near, mut far) = tcp_pair();
        let near = Rc::new(near);
        for _ in 0..3 {
            let reader = Rc::clone(&near);
            let victim = green::spawn(move || (&*reader).read(&mut [0; 100]).map(drop));
            green::yield_now();
            far.write_all(b"x").unwrap();
            victim.kill();
            assert!(victim.join().is_err());
            let mut buf = [0; 100];
            assert_eq!((&*near).read(&mut buf).unwrap(), 1);
        }
    });
}

#[test]
fn a_deadline_loses_no_data() {
    const SENT: usize = 1000;
    bounded(|| {
        let (near, mut far) = tcp_pair();
        far.write_all(&[7; SENT]).unwrap();
        let read = Cell::new(0);
        // It has elapsed from the start, and arrives at the first wait or the end of the budget.
        let elapsed = Timeout::new(Duration::ZERO).run(|| {
            loop {
                (&near).read_exact(&mut [0]).unwrap();
                read.set(read.get() + 1);
            }
        });
        assert!(elapsed.is_err());
        assert!(
            read.get() < SENT,
            "a socket that is always ready never lets a deadline in"
        );
        drop(far);
        let mut rest = Vec::new();
        (&near).read_to_end(&mut rest).unwrap();
        assert_eq!(read.get() + rest.len(), SENT);
    });
}

#[test]
fn a_deadline_leaves_half_a_line() {
    bounded(|| {
        let (near, mut far) = tcp_pair();
        let mut reader = BufReader::new(near);
        far.write_all(b"half a li").unwrap();
        let mut line = Vec::new();
        assert!(Timeout::silent(SHORT, || reader.read_until(b'\n', &mut line)).is_none());
        far.write_all(b"ne\n").unwrap();
        reader.read_until(b'\n', &mut line).unwrap();
        assert_eq!(line, b"half a line\n");
    });
}

#[test]
fn close_wakes_those_who_wait() {
    bounded(|| {
        let (near, _far) = tcp_pair();
        fill(&near);
        let near = Rc::new(near);
        let (reader, writer) = (Rc::clone(&near), Rc::clone(&near));
        let reader = green::spawn(move || (&*reader).read(&mut [0]).unwrap_err().to_string());
        let writer = green::spawn(move || (&*writer).write(b"x").unwrap_err().to_string());
        let listener = Rc::new(TcpListener::bind("127.0.0.1:0").unwrap());
        let acceptor = Rc::clone(&listener);
        let acceptor = green::spawn(move || acceptor.accept().unwrap_err().to_string());
        settle();
        near.close();
        listener.close();
        let expected = "the socket was closed";
        assert_eq!(reader.join().unwrap(), expected);
        assert_eq!(writer.join().unwrap(), expected);
        assert_eq!(acceptor.join().unwrap(), expected);
        near.close();
        assert_eq!(kind((&*near).read(&mut [0])), ErrorKind::NotConnected);
        assert_eq!(kind(near.local_addr()), ErrorKind::NotConnected);
        assert_eq!(kind(near.readable()), ErrorKind::NotConnected);
        assert_eq!(kind(near.try_read(&mut [0])), ErrorKind::NotConnected);
        assert_eq!(kind(near.try_clone()), ErrorKind::NotConnected);
        assert_eq!(near.as_raw_fd(), -1);
        assert_eq!(format!("{near:?}"), "Closed");
    });
}

#[test]
fn a_reused_number_is_a_stranger() {
    bounded(|| {
        for _ in 0..3 {
            let (near, _far) = tcp_pair();
            near.set_read_timeout(Some(Duration::from_millis(1)))
                .unwrap();
            assert_eq!(kind((&near).read(&mut [0])), ErrorKind::TimedOut);
            let number = near.as_raw_fd();
            near.close();
            // The lowest free number is taken.
            let (mut a, mut b) = tcp_pair();
            let taken = [a.as_raw_fd(), b.as_raw_fd()].contains(&number);
            near.close();
            assert_eq!(kind((&near).read(&mut [0])), ErrorKind::NotConnected);
            drop(near);
            if taken {
                a.write_all(b"x").unwrap();
                b.read_exact(&mut [0]).unwrap();
                b.write_all(b"x").unwrap();
                a.read_exact(&mut [0]).unwrap();
            }
        }
    });
}

#[test]
fn what_was_lent_stays_open_until_the_drop() {
    let (near, mut far) = tcp_pair();
    let fd = near.as_fd();
    near.close();
    assert!(fd.try_clone_to_owned().is_ok());
    drop(near);
    assert_eq!(far.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_clone_is_independent() {
    bounded(|| {
        let (near, mut far) = tcp_pair();
        let clone = near.try_clone().unwrap();
        let reader = green::spawn(move || {
            let mut line = String::new();
            let mut clone = BufReader::new(clone);
            clone.read_line(&mut line).unwrap();
            (line, clone)
        });
        green::yield_now();
        near.close();
        drop(near);
        far.write_all(b"still here\n").unwrap();
        let (line, clone) = reader.join().unwrap();
        assert_eq!(line, "still here\n");
        far.set_read_timeout(Some(SHORT)).unwrap();
        times_out(|| far.read(&mut [0]));
        drop(clone);
        assert_eq!(far.read(&mut [0]).unwrap(), 0, "both are closed");
    });
}

#[test]
fn shutdown_wakes_a_reader_with_the_end() {
    bounded(|| {
        let (near, far) = tcp_pair();
        let near = Rc::new(near);
        let reader = Rc::clone(&near);
        let reader = green::spawn(move || (&*reader).read(&mut [0]).unwrap());
        let far = Rc::new(far);
        let remote = Rc::clone(&far);
        let remote = green::spawn(move || (&*remote).read(&mut [0]).unwrap());
        settle();
        near.shutdown(Shutdown::Both).unwrap();
        assert_eq!(reader.join().unwrap(), 0);
        assert_eq!(remote.join().unwrap(), 0);
        assert_eq!(kind((&*near).write(b"x")), ErrorKind::BrokenPipe);
    });
}

#[test]
fn shutdown_wakes_a_writer_with_an_error() {
    bounded(|| {
        let (near, _far) = tcp_pair();
        fill(&near);
        let near = Rc::new(near);
        let writer = Rc::clone(&near);
        let writer = green::spawn(move || (&*writer).write(b"x").unwrap_err().kind());
        settle();
        near.shutdown(Shutdown::Write).unwrap();
        assert_eq!(writer.join().unwrap(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_reset_is_an_error_and_no_end() {
    bounded(|| {
        for waiting in [false, true] {
            let (near, far) = tcp_pair();
            let reader = green::spawn(move || (&near).read(&mut [0]).unwrap_err().kind());
            if waiting {
                settle();
            }
            SockRef::from(&far)
                .set_linger(Some(Duration::ZERO))
                .unwrap();
            drop(far);
            assert_eq!(reader.join().unwrap(), ErrorKind::ConnectionReset);
        }
    });
}

#[test]
fn data_before_the_end_is_read_first() {
    bounded(|| {
        for waiting in [false, true] {
            let (near, mut far) = tcp_pair();
            let reader = green::spawn(move || {
                let mut buf = [0; 100];
                let mut near = near;
                (near.read(&mut buf).unwrap(), near.read(&mut buf).unwrap())
            });
            if waiting {
                settle();
            }
            far.write_all(b"bye").unwrap();
            drop(far);
            assert_eq!(reader.join().unwrap(), (3, 0));
        }
    });
}

#[test]
fn a_refused_connect_says_so() {
    bounded(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let error = TcpStream::connect(address).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED));
        let error = TcpStream::connect_timeout(address, Duration::from_secs(60)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn addresses_are_tried_in_order() {
    bounded(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let good = listener.local_addr().unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").unwrap();
        let bad = closed.local_addr().unwrap();
        drop(closed);
        let stream = TcpStream::connect(&[bad, good][..]).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
        let none: &[SocketAddr] = &[];
        assert_eq!(kind(TcpStream::connect(none)), ErrorKind::InvalidInput);
        assert_eq!(
            kind(TcpStream::connect("127.0.0.1")),
            ErrorKind::InvalidInput
        );
        assert_eq!(
            kind(TcpStream::connect("127.0.0.1:70000")),
            ErrorKind::InvalidInput
        );
        let by_name = TcpStream::connect(("localhost", good.port())).unwrap();
        assert_eq!(by_name.peer_addr().unwrap(), good);
    });
}

#[test]
fn urgent_data_does_not_stall_what_follows() {
    bounded(|| {
        let (near, mut far) = tcp_pair();
        let text = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&text);
        let reader = green::spawn(move || {
            let mut buf = [0; 100];
            while let Ok(n) = (&near).read(&mut buf) {
                seen.borrow_mut().extend_from_slice(&buf[..n]);
            }
        });
        settle();
        far.write_all(b"before ").unwrap();
        SockRef::from(&far).send_out_of_band(b"!").unwrap();
        far.write_all(b"after").unwrap();
        // The first read stops at the mark, and nothing more will arrive.
        let start = Instant::now();
        while *text.borrow() != b"before after" {
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "stalled: {text:?}"
            );
            green::sleep(Duration::from_millis(1));
        }
        reader.kill();
    });
}

#[test]
fn a_peek_leaves_the_data() {
    bounded(|| {
        let (mut near, mut far) = tcp_pair();
        let peeker = green::spawn(move || {
            let mut buf = [0; 100];
            for _ in 0..3 {
                let n = near.peek(&mut buf).unwrap();
                assert_eq!(&buf[..n], b"hello");
            }
            near.read_exact(&mut buf[..2]).unwrap();
            let n = near.peek(&mut buf).unwrap();
            assert_eq!(&buf[..n], b"llo");
            near.read(&mut buf).unwrap()
        });
        settle();
        far.write_all(b"hello").unwrap();
        assert_eq!(peeker.join().unwrap(), 3);
    });
}

#[test]
fn vectored_calls_fill_every_buffer() {
    const BUFFERS: usize = 3000;
    bounded(|| {
        let (mut near, mut far) = tcp_pair();
        let writer = green::spawn(move || {
            let data: Vec<Vec<u8>> = (0..BUFFERS).map(|at| vec![at as u8; 3]).collect();
            let mut slices: Vec<_> = data.iter().map(|piece| IoSlice::new(piece)).collect();
            let mut slices = &mut slices[..];
            while !slices.is_empty() {
                let done = near.write_vectored(slices).unwrap();
                IoSlice::advance_slices(&mut slices, done);
            }
        });
        let mut data = vec![0; BUFFERS * 3];
        let mut done = 0;
        while done < data.len() {
            let mut slices: Vec<_> = data[done..].chunks_mut(2).map(IoSliceMut::new).collect();
            let n = far.read_vectored(&mut slices).unwrap();
            assert!(n > 0);
            done += n;
        }
        assert!((0..data.len()).all(|at| data[at] == (at / 3) as u8));
        writer.join().unwrap();
    });
}

#[test]
fn a_read_of_nothing_consumes_nothing() {
    bounded(|| {
        let (near, mut far) = tcp_pair();
        let done = Rc::new(Cell::new(false));
        let note = Rc::clone(&done);
        let reader = green::spawn(move || {
            assert_eq!((&near).read(&mut []).unwrap(), 0);
            note.set(true);
            let mut buf = [0; 9];
            let n = (&near).read(&mut buf).unwrap();
            assert_eq!((&near).write(&[]).unwrap(), 0);
            n
        });
        green::sleep(SHORT);
        assert!(
            !done.get(),
            "like the system call, it waits until there is something"
        );
        far.write_all(b"hello").unwrap();
        assert_eq!(reader.join().unwrap(), 5);
    });
}

#[test]
fn a_file_is_sent() {
    bounded(|| {
        let path = std::env::current_exe().unwrap();
        let expected = std::fs::read(&path).unwrap();
        let len = expected.len() as u64;
        let (near, mut far) = tcp_pair();
        let sender = green::spawn(move || {
            let file = File::open(path).unwrap();
            let sent = near.send_file(&file, 100, u64::MAX).unwrap();
            assert_eq!(sent, len - 100);
            assert_eq!(near.send_file(&file, len + 5, 100).unwrap(), 0);
            assert_eq!(near.send_file(&file, 0, 0).unwrap(), 0);
            assert_eq!(
                kind(near.send_file(&file, u64::MAX, 1)),
                ErrorKind::InvalidInput
            );
        });
        let mut data = Vec::new();
        far.read_to_end(&mut data).unwrap();
        assert!(data == expected[100..]);
        sender.join().unwrap();
    });
}

#[test]
fn an_always_ready_socket_starves_nobody() {
    bounded(|| {
        let (mut near, mut far) = tcp_pair();
        let turns = Rc::new(Cell::new(0));
        let other = Rc::clone(&turns);
        let neighbour = green::spawn(move || {
            for _ in 0..1000 {
                other.set(other.get() + 1);
                green::yield_now();
            }
        });
        for _ in 0..1000 {
            near.write_all(b"x").unwrap();
            far.read_exact(&mut [0]).unwrap();
        }
        // 2000 calls, of which each may be ready at once.
        assert!(turns.get() >= 10, "the neighbour had {} turns", turns.get());
        neighbour.kill();
    });
}

#[test]
fn a_shared_buffer_serves_many_readers() {
    bounded(|| {
        let buffer = Rc::new(RefCell::new(vec![0; 4096]));
        let mut writers = Vec::new();
        let readers: Vec<_> = (0..20)
            .map(|index| {
                let (near, far) = tcp_pair();
                writers.push(near);
                let buffer = Rc::clone(&buffer);
                green::spawn(move || {
                    let mut text = Vec::new();
                    loop {
                        far.readable().unwrap();
                        let mut buffer = buffer.borrow_mut();
                        match far.try_read(&mut buffer) {
                            Ok(0) => break,
                            Ok(n) => text.extend_from_slice(&buffer[..n]),
                            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                        }
                    }
                    assert_eq!(text, [index; 300]);
                })
            })
            .collect();
        for _ in 0..300 {
            for (index, writer) in writers.iter_mut().enumerate() {
                writer.write_all(&[index as u8]).unwrap();
            }
        }
        drop(writers);
        for reader in readers {
            reader.join().unwrap();
        }
    });
}

#[test]
fn conversions_keep_the_connection() {
    bounded(|| {
        let (near, mut far) = tcp_pair();
        let near: std::net::TcpStream = near.into();
        let near = std::thread::spawn(move || {
            let near = TcpStream::from(near);
            (&near).write_all(b"from another thread").unwrap();
            std::net::TcpStream::from(near)
        });
        let near = TcpStream::from(OwnedFd::from(near.join().unwrap()));
        let mut buf = [0; 19];
        far.read_exact(&mut buf).unwrap();
        far.set_read_timeout(Some(SHORT)).unwrap();
        times_out(|| far.read(&mut buf));
        drop(OwnedFd::from(near));
        assert_eq!(far.read(&mut buf).unwrap(), 0);
        let blocking = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let listener = TcpListener::from(blocking);
        listener.set_accept_timeout(Some(SHORT)).unwrap();
        times_out(|| listener.accept());
    });
}

#[test]
fn two_unwinding_greenthreads_write_in_their_destructors() {
    struct Farewell(TcpStream);
    impl Drop for Farewell {
        fn drop(&mut self) {
            assert!(std::thread::panicking());
            self.0.write_all(b"bye").unwrap();
            // What would have to wait is refused.
            assert_eq!(
                self.0.read(&mut [0]).unwrap_err().kind(),
                ErrorKind::WouldBlock
            );
            fill(&self.0);
            assert_eq!(
                self.0.write(b"x").unwrap_err().kind(),
                ErrorKind::WouldBlock
            );
        }
    }
    bounded(|| {
        let (mut fars, victims): (Vec<_>, Vec<_>) = (0..2)
            .map(|_| {
                let (near, far) = tcp_pair();
                let farewell = Farewell(near);
                let victim = green::spawn(move || {
                    let _farewell = farewell;
                    green::sleep(Duration::from_secs(600));
                });
                (far, victim)
            })
            .unzip();
        settle();
        // Both unwind in the same turn, and one of them by a panic of its neighbour's making.
        for victim in &victims {
            victim.kill();
        }
        for (far, victim) in fars.iter_mut().zip(victims) {
            assert!(victim.join().is_err());
            let mut buf = [0; 3];
            far.read_exact(&mut buf).unwrap();
            assert_eq!(&buf, b"bye");
        }
    });
}

#[test]
fn a_hub_swap_takes_everybody_along() {
    bounded(|| {
        {
            for to in green::hubs::hub_names().chain([green::hubs::get_hub()]) {
                let (near, mut far) = tcp_pair();
                let reader = green::spawn(move || {
                    let mut buf = [0; 4];
                    (&near).read_exact(&mut buf).unwrap();
                    near
                });
                let (full, drain) = tcp_pair();
                fill(&full);
                let writer = green::spawn(move || (&full).write_all(b"x").unwrap());
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                let address = listener.local_addr().unwrap();
                let acceptor = green::spawn(move || listener.accept().unwrap().1);
                let (deaf, mut queued) = deaf();
                let deaf_address = deaf.local_addr().unwrap();
                let connector = green::spawn(move || TcpStream::connect(deaf_address).unwrap());
                let sleeper = green::spawn(|| {
                    let start = Instant::now();
                    green::sleep(SHORT);
                    assert!(start.elapsed() >= SHORT);
                });
                let timed = green::spawn({
                    let (near, far) = tcp_pair();
                    move || {
                        let _far = far;
                        near.set_read_timeout(Some(SHORT)).unwrap();
                        times_out(|| (&near).read(&mut [0]));
                    }
                });
                settle();
                far.write_all(b"ab").unwrap();
                green::hubs::use_hub(to).unwrap();
                assert_eq!(green::hubs::get_hub(), to);
                far.write_all(b"cd").unwrap();
                let near = reader.join().unwrap();
                let mut drain = drain;
                std::io::copy(&mut drain, &mut std::io::sink()).unwrap();
                writer.join().unwrap();
                let client = TcpStream::connect(address).unwrap();
                assert_eq!(acceptor.join().unwrap(), client.local_addr().unwrap());
                while let Some(stream) = queued.pop() {
                    drop(stream);
                    deaf.accept().unwrap();
                }
                connector.join().unwrap();
                sleeper.join().unwrap();
                timed.join().unwrap();
                // What is idle comes along too.
                near.set_read_timeout(Some(SHORT)).unwrap();
                times_out(|| (&near).read(&mut [0]));
                far.write_all(b"x").unwrap();
                assert_eq!((&near).read(&mut [0]).unwrap(), 1);
            }
        }
    });
}
