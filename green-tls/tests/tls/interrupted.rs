//! Kills and deadlines at every wait of a connection.

use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::rc::Rc;
use std::time::Duration;

use green::Timeout;
use green::debug::counters;
use green::net::TcpStream;
use green_tls::TlsStream;

use crate::common::{SHORT, bounded, open_pair, settle};

const MS: Duration = Duration::from_millis(1);

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n * 7 + n / 251) as u8).collect()
}

/// Reads slowly to the end, or to an error. Gives what came, and whether the end was a good one.
fn read_slowly(stream: &TlsStream<TcpStream>) -> (Vec<u8>, bool) {
    let (mut got, mut buf) = (Vec::new(), vec![0; 40_000]);
    loop {
        match (&*stream).read(&mut buf) {
            Ok(0) => return (got, true),
            Ok(read) => got.extend_from_slice(&buf[..read]),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{error}");
                return (got, false);
            }
        }
        if got.len() % 7 == 0 {
            green::sleep(MS / 4);
        }
    }
}

/// Writes into the socket until it is full, so that the next write must wait.
fn fill(stream: &TlsStream<TcpStream>, data: &[u8], at: &mut usize) {
    while let Ok(written) = stream.try_write(&data[*at..(*at + 10_000).min(data.len())]) {
        *at += written;
    }
}

#[test]
fn a_read_that_is_cut_short_goes_on() {
    bounded(|| {
        let (near, far) = open_pair();
        let sent = pattern(300_000);
        let data = sent.clone();
        let writer = green::spawn(move || {
            for piece in data.chunks(9_000) {
                (&far).write_all(piece).unwrap();
                green::sleep(MS);
            }
            far.shutdown(std::net::Shutdown::Write).unwrap();
            far
        });
        let (mut got, mut buf, mut cuts) = (Vec::new(), vec![0; 4_000], 0);
        loop {
            match Timeout::new(MS / 2).run(|| (&near).read(&mut buf)) {
                Err(_) => cuts += 1,
                Ok(Ok(0)) => break,
                Ok(read) => got.extend_from_slice(&buf[..read.unwrap()]),
            }
        }
        assert!(cuts > 0);
        assert!(got == sent);
        writer.join().unwrap();
    });
}

/// With trying and waiting apart every byte has its place, whatever cuts the waits short.
#[test]
fn waits_that_are_cut_short_lose_and_repeat_nothing() {
    bounded(|| {
        let (near, far) = open_pair();
        let sent = pattern(6 << 20);
        let reader = green::spawn(move || read_slowly(&far));
        let (mut at, mut cuts) = (0, 0);
        while at < sent.len() {
            match near.try_write(&sent[at..(at + 50_000).min(sent.len())]) {
                Ok(written) => at += written,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
                    let waited = Timeout::new(MS / 5).run(|| near.writable());
                    cuts += usize::from(waited.is_err());
                }
            }
        }
        while Timeout::new(MS / 5).run(|| (&near).flush()).is_err() {
            cuts += 1;
        }
        near.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(cuts > 0, "no wait was cut short");
        let (got, complete) = reader.join().unwrap();
        assert!(got == sent && complete);
    });
}

/// A write that is cut short after its data was encrypted: the peer gets a part of it and never a complete stream.
#[test]
fn a_write_that_is_cut_short_ends_the_writing() {
    bounded(|| {
        for kill in [false, true] {
            // A deadline may also come between two writes, and then cuts nothing short.
            let tries = (1..20).find(|_| is_cut_short(kill));
            assert!(tries.is_some(), "no write was cut short");
        }
    });
}

fn is_cut_short(kill: bool) -> bool {
    let (near, far) = open_pair();
    let near = Rc::new(near);
    // More than the system takes.
    let sent = pattern(24 << 20);
    let mut at = 0;
    fill(&near, &sent, &mut at);
    let (writes, data) = (Rc::clone(&near), sent.clone());
    let written = Rc::new(Cell::new(at));
    let counted = Rc::clone(&written);
    let writer = green::spawn(move || {
        let limit = (!kill).then_some(20 * SHORT);
        let wrote = Timeout::new(limit).run(|| {
            while let Ok(more) = (&*writes).write(&data[counted.get()..]) {
                counted.set(counted.get() + more);
            }
        });
        assert!(wrote.is_err());
    });
    // A part is read, until a write has ended: the next is then in the middle of its records.
    let (mut start, mut piece) = (Vec::new(), vec![0; 50_000]);
    while written.get() == at {
        (&far).read_exact(&mut piece).unwrap();
        start.extend_from_slice(&piece);
        green::yield_now();
    }
    green::sleep(5 * MS);
    if kill {
        writer.kill();
    }
    assert_eq!(writer.join().is_err(), kill);
    let Err(error) = (&*near).write(b"more") else {
        return false;
    };
    assert_eq!(error.kind(), ErrorKind::BrokenPipe, "{error}");
    assert!(error.to_string().contains("cut short"), "{error}");
    // Nor does the end look like a good one.
    green::scope(|scope| {
        let reader = scope.spawn(|| read_slowly(&far));
        let _ = near.shutdown(std::net::Shutdown::Write);
        let (rest, complete) = reader.join().unwrap();
        assert!(!complete, "the peer believes that it has everything");
        let got = start.len() + rest.len();
        assert!(got >= written.get(), "what a write has accepted is missing");
        assert!(start == sent[..start.len()] && rest == sent[start.len()..got]);
    })
    .unwrap();
    true
}

#[test]
fn a_write_that_waits_for_others_is_cut_short_without_harm() {
    bounded(|| {
        let (near, far) = open_pair();
        let near = Rc::new(near);
        let sent = pattern(8 << 20);
        let mut at = 0;
        // Before anything of it is encrypted. The system may have room again: then it is the next.
        loop {
            fill(&near, &sent, &mut at);
            let (late, data) = (Rc::clone(&near), sent[at..at + 10].to_vec());
            let late = green::spawn(move || (&*late).write(&data).unwrap());
            settle();
            late.kill();
            match late.join() {
                Err(_) => break,
                Ok(written) => at += written,
            }
        }
        green::scope(|scope| {
            let reader = scope.spawn(|| read_slowly(&far));
            (&*near).write_all(&sent[at..]).unwrap();
            near.shutdown(std::net::Shutdown::Write).unwrap();
            let (got, complete) = reader.join().unwrap();
            assert!(got == sent && complete);
        })
        .unwrap();
    });
}

#[test]
fn the_write_timeout_of_the_socket_ends_the_writing_too() {
    bounded(|| {
        let (near, _far) = open_pair();
        near.get_ref().set_write_timeout(Some(SHORT)).unwrap();
        let error = (&near).write_all(&pattern(64 << 20)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        assert_eq!(
            (&near).write(b"x").unwrap_err().kind(),
            ErrorKind::BrokenPipe
        );
    });
}

#[test]
fn who_waits_for_a_turn_to_write_hears_of_the_end() {
    bounded(|| {
        let (near, _far) = open_pair();
        let near = Rc::new(near);
        let data = Rc::new(vec![7; 64 << 20]);
        let spawn = || {
            let (near, data) = (Rc::clone(&near), Rc::clone(&data));
            green::spawn(move || (&*near).write_all(&data).unwrap_err().kind())
        };
        let first = spawn();
        // Until it is in the middle of a write.
        let idle = || {
            let before = counters().switches;
            green::sleep(2 * SHORT);
            counters().switches == before
        };
        assert!((0..1000).any(|_| idle()));
        let second = spawn();
        settle();
        first.kill();
        assert_eq!(second.join().unwrap(), ErrorKind::BrokenPipe);
    });
}
