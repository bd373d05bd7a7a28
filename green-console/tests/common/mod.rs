//! What several tests share.
#![allow(dead_code, reason = "each test program uses its own part of it")]

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use green::GreenThread;
use green::server::Drained;
use green_console::Console;
use serde_json::Value;

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

/// A console that runs beside the test.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) console: Console,
    serving: GreenThread<std::io::Result<Drained>>,
}

/// What a server has answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {:?}", self.body))
    }
}

pub(crate) fn run(console: Console) -> Running {
    run_at("127.0.0.1:0", console)
}

pub(crate) fn run_at(address: &str, console: Console) -> Running {
    let listener = green::listen(address).unwrap();
    let mut address = listener.local_addr().unwrap();
    if address.ip().is_unspecified() {
        address.set_ip([127, 0, 0, 1].into());
    }
    let server = console.clone();
    let serving = green::spawn(move || server.serve(listener));
    green::yield_now();
    Running {
        address,
        console,
        serving,
    }
}

impl Running {
    /// The answer to a request with these fields beside Host.
    pub(crate) fn ask(&self, method: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let host = ("Host", &*self.address.to_string());
        self.ask_as(method, path, &[&[host], fields].concat())
    }

    pub(crate) fn ask_as(&self, method: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let fields: String = fields
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let mut stream = green::connect(self.address).unwrap();
        // Chunks are not what is tested here.
        write!(stream, "{method} {path} HTTP/1.0\r\n{fields}\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer {
            status,
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[])
    }

    pub(crate) fn json(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    pub(crate) fn end(self) {
        self.console.lifecycle().drain(Duration::from_secs(60));
        self.serving.join().unwrap().unwrap();
    }
}

#[track_caller]
pub(crate) fn until(condition: impl Fn() -> bool) {
    for _ in 0..6000 {
        if condition() {
            return;
        }
        green::sleep(Duration::from_millis(5));
    }
    panic!("it does not come to pass");
}
