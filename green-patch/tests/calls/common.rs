//! What the tests share.

use std::cell::Cell;
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::process;
use std::rc::Rc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use green_patch::Flags;

/// Long enough that nothing takes it by chance.
pub(crate) const SHORT: Duration = Duration::from_millis(20);

/// What nothing takes.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// How long the soak takes: `GREEN_SOAK` in seconds.
pub(crate) fn soak() -> Duration {
    let seconds = std::env::var("GREEN_SOAK")
        .ok()
        .and_then(|text| text.parse().ok());
    Duration::from_millis(seconds.map_or(700, |seconds: u64| seconds * 1000))
}

/// Runs a test in a program that is patched, and ends the process if it hangs.
pub(crate) fn patched(test: impl FnOnce()) {
    let name = thread::current().name().unwrap_or("a test").to_owned();
    let (done, watched) = channel::<()>();
    thread::spawn(move || {
        if watched.recv_timeout(LONG + soak()) == Err(RecvTimeoutError::Timeout) {
            // Not by a macro, whose output the test's harness would keep.
            let _ = writeln!(io::stderr(), "{name} hangs");
            process::abort();
        }
    });
    patch();
    // A thread is one of greenthreads once it has used green.
    green::yield_now();
    test();
    drop(done);
}

/// Patches everything. Under a sanitizer greenthreads cannot have thread-locals of their own: then all the rest.
fn patch() {
    match green_patch::monkey_patch() {
        Err(error) if error.to_string().contains("sanitizer") => {
            let rest = Flags {
                thread: false,
                ..Flags::ALL
            };
            green_patch::monkey_patch_with(rest).unwrap();
        }
        patched => patched.unwrap(),
    }
}

/// Runs `wait`, while which another greenthread must have run. Gives what it gave, and how long it took.
pub(crate) fn cooperates<T>(wait: impl FnOnce() -> T) -> (T, Duration) {
    let turns = Rc::new(Cell::new(0));
    let ticker = green::spawn({
        let turns = Rc::clone(&turns);
        move || {
            loop {
                green::sleep(Duration::from_millis(1));
                turns.set(turns.get() + 1);
            }
        }
    });
    // What `later` has spawned begins its time in this yield.
    let start = Instant::now();
    green::yield_now();
    let before = turns.get();
    let value = wait();
    let took = start.elapsed();
    let ran = turns.get() - before;
    ticker.kill();
    assert!(
        ran >= 1,
        "only {ran} turns of another greenthread in {took:?}"
    );
    (value, took)
}

/// Does something after a while in another greenthread.
pub(crate) fn later<T: 'static>(f: impl FnOnce() -> T + 'static) -> green::GreenThread<T> {
    green::spawn(|| {
        green::sleep(SHORT);
        f()
    })
}

/// Two connected sockets of std.
pub(crate) fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    (near, far)
}

/// What the last call of libc has said of its failure.
pub(crate) fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap()
}
