//! What several tests share.
#![allow(dead_code, reason = "each test program uses its own part of it")]

pub(crate) mod again;
pub(crate) mod log;
pub(crate) mod place;
pub(crate) mod primitive;

use std::io::{self, ErrorKind};
use std::process;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use green::GreenThread;
use green::net::{TcpListener, TcpStream};
use rustix::time::{ClockId, clock_gettime};

/// Long enough that nothing takes it by chance, short enough to wait for often.
pub(crate) const SHORT: Duration = Duration::from_millis(15);

/// After this long, what a test waits for will not come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Runs `wait`, which must time out after [`SHORT`], and not early.
pub(crate) fn times_out<T>(wait: impl FnOnce() -> io::Result<T>) {
    let start = Instant::now();
    let error = wait().err().expect("it must time out");
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    assert!(green::is_timeout(&error));
    assert!(start.elapsed() >= SHORT);
}

/// Runs a test, and ends the process if it hangs.
pub(crate) fn bounded(test: impl FnOnce()) {
    let name = thread::current().name().unwrap_or("a test").to_owned();
    let (done, watched) = channel::<()>();
    thread::spawn(move || {
        if watched.recv_timeout(Duration::from_secs(120)) == Err(RecvTimeoutError::Timeout) {
            eprintln!("{name} hangs");
            process::abort();
        }
    });
    test();
    drop(done);
}

/// Two connected sockets.
pub(crate) fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    (near, far)
}

/// Writes until nothing fits any more. Gives how much did.
pub(crate) fn fill(stream: &TcpStream) -> usize {
    let piece = [b'x'; 64 * 1024];
    let mut total = 0;
    loop {
        match stream.try_write(&piece) {
            Ok(done) => total += done,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                return total;
            }
        }
    }
}

/// Lets everybody else go as far as they get without the outside world.
pub(crate) fn settle() {
    // One whose calls take long on a busy machine needs several turns. The last number is for those who never wait.
    for round in 0..200 {
        green::yield_now();
        if round >= 20 && green::debug::counters().runnable == 0 {
            return;
        }
    }
}

/// Spawns one that goes as far as it gets before the next is spawned: so they arrive in this order at what they wait for.
#[track_caller]
pub(crate) fn spawn_settled<R: 'static>(f: impl FnOnce() -> R + 'static) -> GreenThread<R> {
    let gt = green::spawn(f);
    settle();
    gt
}

/// Lets the others run until it is so.
#[track_caller]
pub(crate) fn until(mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "it does not come to pass");
        green::sleep(Duration::from_millis(1));
    }
}

/// Sleeps, and checks that nobody of this thread spins meanwhile.
pub(crate) fn sleep_idle() {
    let used = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap();
    let before = used();
    green::sleep(Duration::from_millis(200));
    let spent = used() - before;
    assert!(
        spent < Duration::from_millis(100),
        "{spent:?} of 200ms were computed"
    );
}
