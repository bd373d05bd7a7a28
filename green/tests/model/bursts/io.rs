//! What waits for the outside: sockets, pipes, jobs, processes, signals.

use std::cell::RefCell;
use std::fmt::Debug;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use green::hubs::Direction;
use green::net::{TcpListener, TcpStream, UdpSocket, UnixStream};
use green::process::{Child, Command, Stdio};
use green::signal::Signals;
use green::tpool::ThreadPool;

use super::burst::{Burst, ignore};

const MS: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(600);

fn bursts<S: Debug + 'static>(
    waiters: usize,
    subject: impl FnOnce() -> S,
    wait: fn(&S),
    serve: fn(&S),
) {
    Burst {
        waiters,
        hold: |_| (),
        wait,
        serve,
        clear: serve,
    }
    .leaves_nothing(subject);
}

fn nothing<S>(_: &S) {}

/// Both ends of every connection that was asked for.
fn pair() -> (UnixStream, UnixStream) {
    UnixStream::pair().unwrap()
}

#[test]
fn readers_and_writers_of_streams() {
    bursts(
        40,
        || RefCell::new(()),
        |_| {
            let (mut near, mut far) = pair();
            let _writer = green::spawn(move || far.write_all(b"word").map(|()| green::sleep(MS)));
            let mut word = [0; 8];
            ignore(near.read(&mut word));
            ignore(near.read(&mut word));
        },
        nothing,
    );
    bursts(
        40,
        || RefCell::new(()),
        |_| {
            let (mut near, _far) = pair();
            ignore(near.write_all(&vec![0; 4 << 20]));
        },
        nothing,
    );
}

#[test]
fn many_who_want_to_read_one_stream() {
    bursts(
        40,
        pair,
        |(near, _)| ignore((&*near).read(&mut [0])),
        |(_, far)| ignore((&*far).write_all(&[0; 3])),
    );
}

#[test]
fn those_who_accept_and_connect() {
    bursts(
        32,
        || TcpListener::bind("127.0.0.1:0").unwrap(),
        |listener| ignore(listener.accept()),
        |listener| ignore(TcpStream::connect(listener.local_addr().unwrap())),
    );
}

#[test]
fn receivers_of_datagrams() {
    bursts(
        32,
        || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.connect(socket.local_addr().unwrap()).unwrap();
            socket
        },
        |socket| ignore(socket.recv(&mut [0; 8])),
        |socket| ignore(socket.send(b"word")),
    );
}

#[test]
fn a_socket_that_is_closed_under_its_reader() {
    bursts(
        32,
        || RefCell::new(Vec::new()),
        |open: &RefCell<Vec<std::rc::Rc<(UnixStream, UnixStream)>>>| {
            let pair = std::rc::Rc::new(pair());
            open.borrow_mut().push(std::rc::Rc::clone(&pair));
            ignore((&pair.0).read(&mut [0]));
        },
        |open| open.take().iter().for_each(|pair| pair.0.close()),
    );
}

#[test]
fn those_who_select_and_wait_for_foreign_descriptors() {
    bursts(
        24,
        || RefCell::new(()),
        |_| {
            let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
            let ends = [near.as_fd(), far.as_fd()];
            ignore(green::select::select(&ends, &[], MS));
            ignore(green::hubs::trampoline(&near, Direction::Read, Some(LONG)));
        },
        nothing,
    );
}

#[test]
fn readers_and_writers_of_pipes() {
    bursts(
        32,
        || RefCell::new(()),
        |_| {
            let (mut reader, mut writer) = green::os::pipe().unwrap();
            let _writer = green::spawn(move || {
                green::yield_now();
                writer.write_all(&vec![0; 1 << 18])
            });
            ignore(reader.read(&mut [0; 16]));
            ignore(reader.read_to_end(&mut Vec::new()));
        },
        nothing,
    );
}

/// Jobs last until the gate is opened, or for a while.
#[derive(Debug)]
struct Gate {
    pool: ThreadPool,
    open: mpsc::Sender<()>,
    closed: Arc<Mutex<mpsc::Receiver<()>>>,
}

#[test]
fn callers_of_a_thread_pool() {
    bursts(
        24,
        || {
            let (open, closed) = mpsc::channel();
            Gate {
                pool: ThreadPool::new(2),
                open,
                closed: Arc::new(Mutex::new(closed)),
            }
        },
        |gate| {
            let closed = Arc::clone(&gate.closed);
            ignore(gate.pool.execute(move || closed.lock().unwrap().recv()));
        },
        |gate| {
            for _ in 0..30 {
                gate.open.send(()).unwrap();
            }
            // Those whose callers have left end as well.
            while Arc::strong_count(&gate.closed) > 1 {
                green::sleep(MS);
            }
            while gate.closed.lock().unwrap().try_recv().is_ok() {}
        },
    );
}

/// Ends its child with itself.
struct Mortal(Child);

impl Drop for Mortal {
    fn drop(&mut self) {
        let _dead = self.0.kill();
        let _reaped = self.0.wait();
    }
}

#[test]
fn those_who_wait_for_a_process() {
    bursts(
        16,
        || RefCell::new(()),
        |_| {
            let mut child = Mortal(
                Command::new("sleep")
                    .arg("0.002")
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .spawn()
                    .unwrap(),
            );
            let _times_out = child.0.wait_timeout(MS);
            let _ended = child.0.wait();
        },
        nothing,
    );
}

#[test]
fn those_who_wait_for_a_signal() {
    bursts(
        16,
        || RefCell::new(()),
        |_| {
            // Not the signal of the waits of this program, which nothing may wake: a signal reaches every thread.
            let signals = Signals::new([libc::SIGUSR1]).unwrap();
            ignore(signals.wait_timeout(MS));
            ignore(signals.wait());
        },
        |_| green::signal::raise(libc::SIGUSR1).unwrap(),
    );
}
