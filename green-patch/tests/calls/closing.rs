//! Numbers that are closed and given out again.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{SHORT, errno, later, patched, soak, tcp_pair};

/// Closes a number behind everybody's back: within libc, which does not call its own names.
fn close_unseen(fd: RawFd) {
    // SAFETY: a number of this test's own.
    unsafe {
        let file = libc::fdopen(fd, c"r+".as_ptr());
        assert!(!file.is_null());
        assert_eq!(libc::fclose(file), 0);
    }
}

/// A duplicate whose number is too high for any other test to be given it when it is closed.
fn high(stream: &UnixStream, number: RawFd) -> RawFd {
    // SAFETY: a descriptor that is open.
    let fd = unsafe { libc::fcntl(stream.as_raw_fd(), libc::F_DUPFD, number) };
    assert!(fd >= number);
    fd
}

fn recv(fd: RawFd) -> (isize, [u8; 9]) {
    let mut buf = [0; 9];
    // SAFETY: a buffer of this length.
    let said = unsafe { libc::recv(fd, buf.as_mut_ptr().cast(), 9, 0) };
    (said, buf)
}

/// Has been found once: the reader was woken by the close, tried again, and took nine bytes of another socket.
#[test]
fn a_reader_takes_nothing_from_the_file_that_has_its_number_now() {
    patched(|| {
        for by_dup in [false, true] {
            let (near, _far) = UnixStream::pair().unwrap();
            let (other, mut other_end) = UnixStream::pair().unwrap();
            other_end.write_all(b"not yours").unwrap();
            let fd = high(&near, 700);
            let reader = green::spawn(move || (recv(fd).0, errno()));
            green::sleep(SHORT);
            // SAFETY: a number of this test's own, which is closed.
            unsafe {
                if !by_dup {
                    assert_eq!(libc::close(fd), 0);
                }
                assert_eq!(libc::dup2(other.as_raw_fd(), fd), fd);
            }
            assert_eq!(reader.join().unwrap(), (-1, libc::EBADF));
            assert_eq!(recv(fd), (9, *b"not yours"));
            // SAFETY: as before.
            assert_eq!(unsafe { libc::close(fd) }, 0);
        }
    });
}

/// Has been found once: the hub refused to watch a number that it still had, the call then blocked, and all
/// greenthreads of the thread with it.
#[test]
fn a_number_that_the_hub_still_has_is_waited_for_even_so() {
    patched(|| {
        let (near, mut far) = tcp_pair();
        let fd = near.as_raw_fd();
        let watched = green::net::TcpStream::from(near);
        let waited =
            green::Timeout::new(Duration::from_millis(1)).run(|| (&watched).read(&mut [0]));
        assert!(waited.is_err(), "the hub knows it now: {waited:?}");
        far.write_all(b"x").unwrap();
        std::mem::forget(watched);
        let (stream, mut end) = UnixStream::pair().unwrap();
        // SAFETY: numbers of this test's own.
        let mut stream = unsafe {
            assert_eq!(libc::dup2(stream.as_raw_fd(), fd), fd);
            UnixStream::from_raw_fd(fd)
        };
        let other = green::spawn(|| ());
        let writer = later(move || end.write_all(b"word").unwrap());
        let mut buf = [0; 8];
        assert_eq!(stream.read(&mut buf).unwrap(), 4);
        assert!(other.is_dead());
        writer.join().unwrap();
    });
}

#[test]
fn one_that_was_closed_unseen_is_registered_anew() {
    patched(|| {
        let (near, _far) = UnixStream::pair().unwrap();
        near.set_read_timeout(Some(Duration::from_millis(1)))
            .unwrap();
        assert!((&near).read(&mut [0]).is_err(), "it is remembered");
        let fd = near.into_raw_fd();
        close_unseen(fd);
        // The lowest number that is free, unless another thread of this program was faster.
        let (stream, mut end) = loop {
            let (stream, end) = UnixStream::pair().unwrap();
            if [stream.as_raw_fd(), end.as_raw_fd()].contains(&fd) {
                break (stream, end);
            }
            if is_open(fd) {
                return;
            }
        };
        let writer = later(move || {
            end.write_all(b"word").unwrap();
            end
        });
        assert_eq!((&stream).read(&mut [0; 8]).unwrap(), 4);
        drop(writer.join().unwrap());
    });
}

fn is_open(fd: RawFd) -> bool {
    // SAFETY: asks for flags.
    unsafe { libc::fcntl(fd, libc::F_GETFD) != -1 }
}

#[test]
fn a_range_that_is_closed_wakes_who_waits_there() {
    patched(|| {
        let (near, _far) = UnixStream::pair().unwrap();
        let fd = high(&near, 900);
        let reader = green::spawn(move || (recv(fd).0, errno()));
        green::sleep(SHORT);
        // SAFETY: as before.
        assert_eq!(unsafe { libc::close_range(fd as u32, fd as u32, 0) }, 0);
        assert_eq!(reader.join().unwrap(), (-1, libc::EBADF));
    });
}

/// What three threads hand to each other.
#[derive(Default)]
struct Shelf {
    ends: Mutex<Vec<(u64, TcpStream)>>,
    next: AtomicU64,
    echoed: AtomicU64,
    is_over: AtomicBool,
}

/// One word of a conversation: who it is for, and its number there.
fn word(id: u64, number: u64) -> [u8; 16] {
    let mut word = [0; 16];
    word[..8].copy_from_slice(&id.to_ne_bytes());
    word[8..].copy_from_slice(&number.to_ne_bytes());
    word
}

/// Makes a connection, puts one end on the shelf, and speaks with whoever takes it.
fn speak(shelf: &Shelf) {
    let id = shelf.next.fetch_add(1, Ordering::Relaxed);
    let (mut near, far) = tcp_pair();
    shelf.ends.lock().unwrap().push((id, far));
    for number in 0..id % 7 {
        near.write_all(&word(id, number)).unwrap();
        let mut answer = [0; 16];
        near.read_exact(&mut answer).unwrap();
        assert_eq!(
            answer,
            word(id, number),
            "what belongs to another connection"
        );
        shelf.echoed.fetch_add(1, Ordering::Relaxed);
        if id.is_multiple_of(3) {
            near = near.try_clone().unwrap();
        }
    }
}

fn answer(shelf: &Shelf) -> bool {
    let taken = shelf.ends.lock().unwrap().pop();
    let Some((id, mut far)) = taken else {
        return false;
    };
    let mut asked = [0; 16];
    while far.read_exact(&mut asked).is_ok() {
        assert_eq!(asked[..8], id.to_ne_bytes());
        far.write_all(&asked).unwrap();
    }
    true
}

#[test]
fn numbers_that_go_round_between_threads_mix_nothing_up() {
    patched(|| {
        let shelf = Arc::new(Shelf::default());
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let shelf = Arc::clone(&shelf);
                thread::spawn(move || {
                    let all: Vec<_> = (0..16)
                        .map(|at| {
                            let shelf = Arc::clone(&shelf);
                            green::spawn(move || {
                                while !shelf.is_over.load(Ordering::Relaxed) {
                                    if at % 2 == 0 {
                                        speak(&shelf);
                                    } else if !answer(&shelf) {
                                        thread::sleep(Duration::from_millis(1));
                                    }
                                }
                            })
                        })
                        .collect();
                    let start = Instant::now();
                    while start.elapsed() < soak() {
                        thread::sleep(Duration::from_millis(10));
                    }
                    shelf.is_over.store(true, Ordering::Relaxed);
                    while answer(&shelf) {}
                    for one in all {
                        while !one.is_dead() {
                            let _ = answer(&shelf);
                            thread::sleep(Duration::from_millis(1));
                        }
                        one.join().unwrap();
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(shelf.echoed.load(Ordering::Relaxed) > 100);
    });
}
