//! Kills and deadlines at every call that waits: each is cut short, nothing unwinds, nothing is lost, and what comes of it
//! is said by the greenthread or the scope.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::ptr;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use green::{Exit, Timeout};

use crate::common::{LONG, errno, patched, tcp_pair};

/// A call that nothing ends. Gives the number that it has failed with when it was cut short; 0 for a sleep, which just ends.
type Call = fn() -> i32;

const CALLS: &[(&str, Call)] = &[
    ("recv", || failed(tcp_pair().0.read(&mut [0; 8]))),
    ("peek", || failed(tcp_pair().0.peek(&mut [0; 8]))),
    ("readv", || {
        failed(
            tcp_pair()
                .0
                .read_vectored(&mut [io::IoSliceMut::new(&mut [0; 8])]),
        )
    }),
    ("read of a pipe", || {
        let (mut near, _far) = io::pipe().unwrap();
        failed(near.read(&mut [0; 8]))
    }),
    ("recvfrom", || {
        failed(
            UdpSocket::bind("127.0.0.1:0")
                .unwrap()
                .recv_from(&mut [0; 8]),
        )
    }),
    ("accept", || {
        failed(TcpListener::bind("127.0.0.1:0").unwrap().accept())
    }),
    ("send", || {
        let (near, _far) = tcp_pair();
        fill(|bytes| (&near).write(bytes))
    }),
    ("write into a pipe", || {
        let (_near, mut far) = io::pipe().unwrap();
        fill(|bytes| far.write(bytes))
    }),
    ("poll", || {
        let (near, _far) = UnixStream::pair().unwrap();
        let mut fds = [libc::pollfd {
            fd: near.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        }];
        // SAFETY: one descriptor on this stack.
        said(unsafe { libc::poll(fds.as_mut_ptr(), 1, -1) })
    }),
    ("poll of two", || {
        let (near, far) = UnixStream::pair().unwrap();
        let wanted = |end: &UnixStream| libc::pollfd {
            fd: end.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        let mut fds = [wanted(&near), wanted(&far)];
        // SAFETY: two descriptors on this stack.
        said(unsafe { libc::poll(fds.as_mut_ptr(), 2, -1) })
    }),
    ("select of nothing", || {
        let none = ptr::null_mut();
        // SAFETY: no sets.
        said(unsafe { libc::select(0, none, none, none, ptr::null_mut()) })
    }),
    ("epoll_wait", || {
        // SAFETY: a descriptor of its own, and room for one event.
        unsafe {
            let epoll = libc::epoll_create1(0);
            let mut event = libc::epoll_event { events: 0, u64: 0 };
            let errno = said(libc::epoll_wait(epoll, &mut event, 1, -1));
            libc::close(epoll);
            errno
        }
    }),
    ("waitpid", || {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let errno = failed(child.wait());
        child.kill().unwrap();
        green::mask(|| child.wait().unwrap());
        errno
    }),
    ("recvmmsg", || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        // SAFETY: an empty message, which has room for nothing.
        unsafe {
            let mut message: libc::mmsghdr = std::mem::zeroed();
            said(libc::recvmmsg(
                socket.as_raw_fd(),
                &mut message,
                1,
                0,
                ptr::null_mut(),
            ))
        }
    }),
    ("system", || {
        // SAFETY: a text that ends with a zero.
        said(unsafe { libc::system(c"sleep 1".as_ptr()) })
    }),
    ("sleep", || {
        thread::sleep(LONG);
        0
    }),
];

fn said(value: i32) -> i32 {
    assert_eq!(value, -1);
    errno()
}

fn failed<T>(result: io::Result<T>) -> i32 {
    result.err().unwrap().raw_os_error().unwrap()
}

/// Writes until that is cut short. A call that has written something says so first.
fn fill(mut write: impl FnMut(&[u8]) -> io::Result<usize>) -> i32 {
    let bytes = vec![0; 32 << 20];
    loop {
        match write(&bytes) {
            Ok(written) => assert!(written > 0),
            Err(error) => return error.raw_os_error().unwrap(),
        }
    }
}

fn is_cut(errno: i32) -> bool {
    [0, libc::ECANCELED].contains(&errno)
}

#[test]
fn a_kill_arrives_at_every_call() {
    patched(|| {
        for (name, call) in CALLS {
            let said = Rc::new(Cell::new(None));
            let greenthread = green::spawn({
                let said = Rc::clone(&said);
                move || said.set(Some(call()))
            });
            green::sleep(Duration::from_millis(5));
            assert_eq!(said.get(), None, "{name} waits");
            greenthread.kill();
            assert!(matches!(greenthread.join(), Err(Exit::Killed(_))), "{name}");
            assert!(said.get().is_some_and(is_cut), "{name}: {:?}", said.get());
        }
    });
}

#[test]
fn a_deadline_at_every_call_is_what_its_scope_reports() {
    patched(|| {
        for (name, call) in CALLS {
            let said = Cell::new(None);
            // Enough for what a call needs first, and is none of it.
            let ended = Timeout::new(Duration::from_millis(40)).run(|| said.set(Some(call())));
            assert!(ended.is_err(), "{name}");
            assert!(said.get().is_some_and(is_cut), "{name}: {:?}", said.get());
            // The next call is none of that deadline's business.
            thread::sleep(Duration::from_millis(1));
        }
    });
}

#[test]
fn a_deadline_of_all_the_rest_is_what_the_greenthread_ends_by() {
    patched(|| {
        let after = Duration::from_millis(5);
        for (name, call) in CALLS {
            let said = Rc::new(Cell::new(None));
            let greenthread = green::spawn({
                let said = Rc::clone(&said);
                move || {
                    let _deadline = Timeout::new(after).arm();
                    said.set(Some(call()));
                }
            });
            let ended = greenthread.join();
            assert!(
                matches!(ended, Err(Exit::Elapsed(elapsed)) if elapsed.after() == after),
                "{name}: {ended:?}"
            );
            assert!(said.get().is_some_and(is_cut), "{name}: {:?}", said.get());
        }
    });
}

#[test]
fn a_deadline_that_is_taken_back_after_it_has_cut_a_call_is_gone() {
    patched(|| {
        let forgiving = green::spawn(|| {
            let deadline = Timeout::new(Duration::from_millis(5)).arm();
            thread::sleep(LONG);
            deadline.cancel();
            thread::sleep(Duration::from_millis(1));
            green::sleep(Duration::from_millis(1));
            "went on"
        });
        assert_eq!(forgiving.join().unwrap(), "went on");
        // What another wait has raised, or a panic, is more than a call that was cut short.
        let panicked = green::spawn(|| {
            let _deadline = Timeout::new(Duration::from_millis(5)).arm();
            thread::sleep(LONG);
            panic!("on purpose");
        });
        assert!(matches!(panicked.join(), Err(Exit::Panicked(_))));
        // One that goes on waits as ever, and has ended by its deadline all the same.
        let goes_on = green::spawn(|| {
            let deadline = Timeout::new(Duration::from_millis(5)).arm();
            thread::sleep(LONG);
            drop(deadline);
            let start = Instant::now();
            green::sleep(Duration::from_millis(5));
            thread::sleep(Duration::from_millis(5));
            assert!(start.elapsed() >= Duration::from_millis(10));
        });
        assert!(matches!(goes_on.join(), Err(Exit::Elapsed(_))));
    });
}

#[test]
fn one_that_goes_on_after_its_kill_is_cut_short_each_time() {
    patched(|| {
        let calls = Rc::new(Cell::new(0));
        let other = Rc::new(Cell::new(0));
        let stubborn = green::spawn({
            let (calls, other) = (Rc::clone(&calls), Rc::clone(&other));
            move || {
                let (mut near, _far) = tcp_pair();
                while other.get() < 3 {
                    assert_eq!(failed(near.read(&mut [0; 8])), libc::ECANCELED);
                    calls.set(calls.get() + 1);
                }
            }
        });
        green::yield_now();
        green::spawn_n(move || {
            for _ in 0..3 {
                green::yield_now();
                other.set(other.get() + 1);
            }
        });
        stubborn.kill();
        assert!(matches!(stubborn.join(), Err(Exit::Killed(_))));
        assert!(calls.get() > 1);
    });
}

/// A small generator, so that a failing run can be had again.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) % bound
    }
}

/// Numbers go through a socket in order, from writers to readers that are killed and time out at random: each is received
/// once, by the one that the call has told so.
#[test]
fn nothing_is_lost_under_kills_and_deadlines() {
    patched(|| {
        for seed in 0..40 {
            let mut draw = Draw(seed);
            let (near, far) = tcp_pair();
            let (near, received) = (Rc::new(near), Rc::new(Cell::new(0u8)));
            let writer = green::spawn({
                let pauses: Vec<_> = (0..60).map(|_| draw.below(4)).collect();
                move || {
                    for (number, pause) in (1u8..).zip(pauses) {
                        (&far).write_all(&[number]).unwrap();
                        if pause == 0 {
                            thread::sleep(Duration::from_micros(300));
                        }
                    }
                }
            });
            while received.get() < 60 {
                let reader = green::spawn({
                    let (near, received) = (Rc::clone(&near), Rc::clone(&received));
                    let after = draw.below(3);
                    move || {
                        let read = || {
                            let mut byte = [0];
                            while (&*near).read(&mut byte).is_ok_and(|read| read == 1) {
                                assert_eq!(byte[0], received.get() + 1);
                                received.set(byte[0]);
                            }
                        };
                        match after {
                            0 => drop(Timeout::new(Duration::from_micros(200)).run(read)),
                            _ => read(),
                        }
                    }
                });
                for _ in 0..draw.below(4) {
                    green::yield_now();
                }
                if draw.below(2) == 0 {
                    green::sleep(Duration::from_micros(200));
                }
                reader.kill();
            }
            writer.join().unwrap();
        }
    });
}
