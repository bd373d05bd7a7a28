//! What several tests share.
#![allow(dead_code, reason = "each test program uses its own part of it")]

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use green::net::{Shutdown, TcpStream};
use green::server::{Drained, Lifecycle};
use green::{AnyGreenThread, GreenThread};
use green_http::Server;

/// Long enough that nothing takes it by chance, short enough to wait for often.
pub(crate) const SHORT: Duration = Duration::from_millis(40);

pub(crate) const LONG: Duration = Duration::from_secs(600);

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

/// A server that runs beside the test.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) life: Lifecycle,
    serving: GreenThread<std::io::Result<Drained>>,
}

pub(crate) fn run(server: Server) -> Running {
    let listener = green::listen("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let life = server.lifecycle().clone();
    let serving = green::spawn(move || server.serve(listener));
    green::yield_now();
    Running {
        address,
        life,
        serving,
    }
}

impl Running {
    /// A connection that has said `text`.
    pub(crate) fn say(&self, text: impl AsRef<[u8]>) -> TcpStream {
        let mut stream = green::connect(self.address).unwrap();
        stream.write_all(text.as_ref()).unwrap();
        stream
    }

    /// All that the server answers to `text`, after which nothing more is said.
    pub(crate) fn ask(&self, text: impl AsRef<[u8]>) -> String {
        let stream = self.say(text);
        // Before the server has ended the connection for its part.
        let _ = stream.shutdown(Shutdown::Write);
        read_all(stream)
    }

    /// As `ask`, but the connection stays open: the server has to end it.
    pub(crate) fn ask_open(&self, text: impl AsRef<[u8]>) -> String {
        read_all(self.say(text))
    }

    pub(crate) fn get(&self, path: &str) -> String {
        self.ask(format!("GET {path} HTTP/1.1\r\nHost: here\r\n\r\n"))
    }

    /// Waits for the end. Nothing may be left to be killed.
    pub(crate) fn end(self) {
        assert_eq!(self.life.drain(LONG).killed, 0);
        self.serving.join().unwrap().unwrap();
    }

    /// Waits for the end of a server that was drained.
    pub(crate) fn join(self) -> usize {
        self.serving.join().unwrap().unwrap().killed
    }

    /// Waits until `open` connections are there, of which `idle` are idle.
    #[track_caller]
    pub(crate) fn until(&self, open: usize, idle: usize) {
        until(|| {
            let counters = self.life.counters();
            (counters.open, counters.idle) == (open, idle)
        });
    }
}

#[track_caller]
pub(crate) fn until(condition: impl Fn() -> bool) {
    for _ in 0..4000 {
        if condition() {
            return;
        }
        green::sleep(Duration::from_millis(1));
    }
    panic!("it does not come to pass");
}

/// More of the stack than an idle connection keeps, whatever the build.
const DEEP: usize = 96 * 1024;

/// Touches so much of the stack.
pub(crate) fn go_deep() {
    std::hint::black_box([1u8; DEEP]);
}

/// True if what [`go_deep`] has touched was given back.
pub(crate) fn has_rested(greenthread: &AnyGreenThread) -> bool {
    greenthread.stack_in_memory() < DEEP / 2
}

/// Everything up to the end, lossy. A reset ends it as well.
pub(crate) fn read_all(mut stream: impl Read) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads until `text` has come.
pub(crate) fn read_until(stream: &mut impl Read, text: &str) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(text.as_bytes()) {
        let mut byte = [0];
        if stream.read(&mut byte).unwrap() == 0 {
            panic!(
                "the end before {text:?}: {:?}",
                String::from_utf8_lossy(&bytes)
            );
        }
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).unwrap()
}

/// The status of an answer.
pub(crate) fn status(answer: &str) -> u16 {
    let status = answer
        .strip_prefix("HTTP/1.1 ")
        .or(answer.strip_prefix("HTTP/1.0 "));
    status
        .and_then(|rest| rest.get(..3)?.parse().ok())
        .unwrap_or(0)
}

/// What comes after the head.
pub(crate) fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

/// The value of a field.
pub(crate) fn field<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let head = answer
        .split_once("\r\n\r\n")
        .map_or(answer, |(head, _)| head);
    head.lines().skip(1).find_map(|line| {
        let (other, value) = line.split_once(':')?;
        other.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// Takes the chunks off a body.
pub(crate) fn unchunked(mut body: &str) -> Option<String> {
    let mut text = String::new();
    loop {
        let (size, rest) = body.split_once("\r\n")?;
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(text);
        }
        text.push_str(rest.get(..size)?);
        body = rest.get(size..)?.strip_prefix("\r\n")?;
    }
}
