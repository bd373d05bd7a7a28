//! What a stream does once it is open.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::Shutdown;
use std::rc::Rc;
use std::time::Duration;

use green::debug::counters;
use green::net::UnixStream;
use green_tls::wrap;

use crate::common::{Authority, bounded, fresh_pair, open_pair, settle};

/// Bytes that tell their place.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n * 7 + n / 251) as u8).collect()
}

#[test]
fn both_directions_at_once_from_two_greenthreads_a_side() {
    bounded(|| {
        const LEN: usize = 4 << 20;
        let (near, far) = fresh_pair();
        green::scope(|scope| {
            for stream in [&near, &far] {
                scope.spawn(move || (&*stream).write_all(&pattern(LEN)).unwrap());
                scope.spawn(move || {
                    let mut got = vec![0; LEN];
                    (&*stream).read_exact(&mut got).unwrap();
                    assert!(got == pattern(LEN), "the data has changed on its way");
                });
            }
        })
        .unwrap();
    });
}

#[test]
fn one_half_is_shut_down_and_the_other_goes_on() {
    bounded(|| {
        let (mut near, mut far) = open_pair();
        near.write_all(b"question").unwrap();
        near.shutdown(Shutdown::Write).unwrap();
        let mut question = String::new();
        far.read_to_string(&mut question).unwrap();
        assert_eq!(question, "question");
        far.write_all(b"answer").unwrap();
        far.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        near.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "answer");
        let error = near.write(b"more").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe, "{error}");
    });
}

#[test]
fn shutting_the_reading_half_ends_who_reads() {
    bounded(|| {
        let (near, _far) = open_pair();
        let near = Rc::new(near);
        let reader = Rc::clone(&near);
        let reader = green::spawn(move || (&*reader).read(&mut [0; 8]).unwrap());
        settle();
        near.shutdown(Shutdown::Read).unwrap();
        assert_eq!(reader.join().unwrap(), 0);
        (&*near).write_all(b"still").unwrap();
    });
}

#[test]
fn an_end_without_close_notify_is_an_error() {
    bounded(|| {
        let (mut near, mut far) = open_pair();
        far.write_all(b"half of it").unwrap();
        far.get_ref().shutdown(Shutdown::Write).unwrap();
        let mut text = Vec::new();
        let error = near.read_to_end(&mut text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{error}");
        assert_eq!(text, b"half of it");
        assert!(error.to_string().contains("close_notify"), "{error}");
    });
}

#[test]
fn a_dropped_stream_says_goodbye() {
    bounded(|| {
        let (mut near, mut far) = open_pair();
        far.write_all(b"all of it").unwrap();
        drop(far);
        let mut text = String::new();
        near.read_to_string(&mut text).unwrap();
        assert_eq!(text, "all of it");
    });
}

#[test]
fn a_stream_that_a_kill_or_a_panic_drops_does_not_look_complete() {
    bounded(|| {
        for panics in [false, true] {
            let (mut near, mut far) = open_pair();
            let handler = green::spawn(move || {
                far.write_all(b"half of it").unwrap();
                assert!(!panics, "on purpose");
                green::sleep(Duration::from_secs(3600));
            });
            settle();
            handler.kill();
            assert!(handler.join().is_err());
            let error = near.read_to_end(&mut Vec::new()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{error}");
        }
    });
}

#[test]
fn close_wakes_who_waits() {
    bounded(|| {
        let (near, mut far) = open_pair();
        let near = Rc::new(near);
        let reader = Rc::clone(&near);
        let reader = green::spawn(move || (&*reader).read(&mut [0; 8]).unwrap_err().kind());
        settle();
        near.close();
        assert_eq!(reader.join().unwrap(), ErrorKind::NotConnected);
        assert!((&*near).write(b"x").is_err());
        // It has said goodbye before.
        assert_eq!(far.read(&mut [0; 8]).unwrap(), 0);
    });
}

#[test]
fn a_closed_stream_gives_nothing_that_had_come_before() {
    bounded(|| {
        let (near, mut far) = open_pair();
        far.write_all(b"two words").unwrap();
        far.shutdown(std::net::Shutdown::Write).unwrap();
        let mut word = [0; 3];
        (&near).read_exact(&mut word).unwrap();
        near.close();
        let closed = |read: io::Result<usize>| read.unwrap_err().kind() == ErrorKind::NotConnected;
        assert!(closed((&near).read(&mut word)));
        assert!(closed(near.try_read(&mut word)));
        assert!((&near).write(b"x").is_err());
    });
}

#[test]
fn what_is_decrypted_already_needs_no_event() {
    bounded(|| {
        let (mut near, mut far) = open_pair();
        far.write_all(&pattern(1000)).unwrap();
        let mut byte = [0];
        near.read_exact(&mut byte).unwrap();
        let turns = counters().turns;
        for expected in &pattern(1000)[1..] {
            near.readable().unwrap();
            near.read_exact(&mut byte).unwrap();
            assert_eq!(byte[0], *expected);
        }
        let turned = counters().turns - turns;
        assert!(
            turned <= 1,
            "{turned} turns of the hub for what is here already"
        );
    });
}

#[test]
fn a_second_reader_is_refused() {
    bounded(|| {
        let (near, _far) = open_pair();
        let near = Rc::new(near);
        let first = Rc::clone(&near);
        let first = green::spawn(move || (&*first).read(&mut [0; 8]).map(drop));
        settle();
        let error = (&*near).read(&mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ResourceBusy, "{error}");
        first.kill();
    });
}

#[test]
fn each_write_goes_out_as_a_whole() {
    bounded(|| {
        const EACH: usize = 40_000;
        const TIMES: usize = 20;
        let (near, mut far) = open_pair();
        green::scope(|scope| {
            for letter in b"abcd" {
                let near = &near;
                scope.spawn(move || {
                    for _ in 0..TIMES {
                        // The write of one piece takes all of it, however full the socket is.
                        assert_eq!((&*near).write(&[*letter; EACH]).unwrap(), EACH);
                    }
                });
            }
            let mut piece = vec![0; EACH];
            for _ in 0..4 * TIMES {
                far.read_exact(&mut piece).unwrap();
                assert!(
                    piece.iter().all(|byte| byte == &piece[0]),
                    "two writes are mixed"
                );
            }
        })
        .unwrap();
    });
}

#[test]
fn trying_never_waits() {
    bounded(|| {
        let (near, far) = fresh_pair();
        let would_block = |error: std::io::Error| assert_eq!(error.kind(), ErrorKind::WouldBlock);
        would_block(near.try_read(&mut [0; 8]).unwrap_err());
        would_block(near.try_write(b"x").unwrap_err());
        crate::common::shake(&near, &far);
        let switches = counters().switches;
        would_block(far.try_read(&mut [0; 8]).unwrap_err());
        let mut total = 0;
        loop {
            match near.try_write(&[7; 50_000]) {
                Ok(written) => total += written,
                Err(error) => break would_block(error),
            }
        }
        assert_eq!(counters().switches, switches, "somebody else ran");
        let mut got = 0;
        let mut buf = vec![0; 100_000];
        green::scope(|scope| {
            // What the socket did not take goes out with a flush.
            scope.spawn(|| (&near).flush().unwrap());
            while got < total {
                far.readable().unwrap();
                match far.try_read(&mut buf) {
                    Ok(read) => got += read,
                    Err(error) => would_block(error),
                }
            }
        })
        .unwrap();
        assert_eq!(got, total);
    });
}

#[test]
fn several_buffers_are_one_record() {
    bounded(|| {
        let (mut near, mut far) = open_pair();
        let bufs = [
            IoSlice::new(b"head "),
            IoSlice::new(b""),
            IoSlice::new(b"body"),
        ];
        assert_eq!(near.write_vectored(&bufs).unwrap(), 9);
        let mut buf = [0; 64];
        assert_eq!(far.read(&mut buf).unwrap(), 9);
        assert_eq!(&buf[..9], b"head body");
    });
}

#[test]
fn the_stream_below_comes_back_when_tls_ends() {
    bounded(|| {
        let (near, mut far) = open_pair();
        let server = green::spawn(move || {
            // What nobody reads is thrown away.
            far.write_all(&[1; 100_000]).unwrap();
            let mut plain = far.end().unwrap();
            plain.write_all(b"in plain text").unwrap();
        });
        let mut plain = near.end().unwrap();
        let mut text = String::new();
        plain.read_to_string(&mut text).unwrap();
        assert_eq!(text, "in plain text");
        server.join().unwrap();
    });
}

#[test]
fn tls_runs_within_tls_and_over_unix_sockets() {
    bounded(|| {
        let authority = Authority::new();
        let (acceptor, connector) = (authority.acceptor(), authority.connector());
        let (near, far) = UnixStream::pair().unwrap();
        let server = green::spawn(move || {
            let outer = wrap(far, &acceptor).unwrap();
            let mut inner = wrap(outer, &acceptor).unwrap();
            let mut text = vec![0; 300_000];
            inner.read_exact(&mut text).unwrap();
            inner.write_all(&text).unwrap();
        });
        let outer = wrap(near, (&connector, "localhost")).unwrap();
        let mut inner = wrap(outer, (&connector, "localhost")).unwrap();
        let sent = pattern(300_000);
        green::scope(|scope| {
            let inner = &inner;
            let sent = &sent;
            scope.spawn(move || (&*inner).write_all(sent).unwrap());
            let mut got = vec![0; 300_000];
            (&*inner).read_exact(&mut got).unwrap();
            assert!(&got == sent);
        })
        .unwrap();
        server.join().unwrap();
        assert_eq!(inner.read(&mut [0; 8]).unwrap(), 0);
    });
}

#[test]
fn nobody_runs_while_all_wait() {
    bounded(|| {
        let (near, far) = open_pair();
        let (near, far) = (Rc::new(near), Rc::new(far));
        let (reads, writes) = (Rc::clone(&near), Rc::clone(&far));
        let reader = green::spawn(move || {
            green::Timeout::new(Duration::from_secs(3600))
                .run(|| (&*reads).read(&mut [0; 8]))
                .is_ok()
        });
        let writer = green::spawn(move || {
            loop {
                // Into a socket that nobody reads.
                (&*writes).write_all(&[0; 60_000]).unwrap();
            }
        });
        let other = Rc::clone(&near);
        let flooded = green::spawn(move || (&*other).write_all(&vec![0; 60 << 20]));
        reader.kill();
        // The system takes what it takes first.
        let idle = || {
            let before = counters();
            green::sleep(Duration::from_millis(30));
            let after = counters();
            after.turns - before.turns <= 2 && after.switches == before.switches
        };
        assert!(
            (0..200).any(|_| idle()),
            "somebody always runs while all wait"
        );
        assert!(idle() && idle(), "somebody runs while all wait");
        writer.kill();
        flooded.kill();
    });
}

#[test]
fn what_a_client_sends_before_it_hangs_up_is_read() {
    bounded(|| {
        for _ in 0..20 {
            let (mut near, mut far) = open_pair();
            // The server's tickets are there, and nobody has read them.
            green::sleep(Duration::from_millis(1));
            near.write_all(b"last words").unwrap();
            drop(near);
            let mut text = String::new();
            far.read_to_string(&mut text).unwrap();
            assert_eq!(text, "last words");
        }
    });
}
