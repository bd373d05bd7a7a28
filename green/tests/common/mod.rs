//! What several tests share.
#![allow(dead_code, reason = "each test program uses its own part of it")]

use std::io::ErrorKind;
use std::process;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use green::net::{TcpListener, TcpStream};

/// Runs a test, and ends the process if it hangs.
pub fn bounded(test: impl FnOnce()) {
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
pub fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    (near, far)
}

/// Writes until nothing fits any more. Gives how much did.
pub fn fill(stream: &TcpStream) -> usize {
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
pub fn settle() {
    for _ in 0..10 {
        green::yield_now();
    }
}
