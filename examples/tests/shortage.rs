//! The examples that serve go on when the process has no descriptor left, and when an accept fails.

#![cfg(target_os = "linux")]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use common::{Running, client, program};

/// A server, the arguments it is started with, and one conversation with it: false if it breaks off.
type Server = (&'static str, fn() -> Vec<String>, fn(&str) -> bool);

fn servers() -> Vec<Server> {
    let mut servers: Vec<Server> = vec![
        ("echo_server", listens, echoes),
        ("echo_bytes", listens, echoes),
        ("echo_lines", listens, echoes),
        ("chat_server", listens, chats),
        ("port_forwarder", forwards, echoes),
    ];
    if cfg!(feature = "servers") {
        for name in ["hyper_server", "http_server", "wsgi_hello", "axum_server"] {
            servers.push((name, listens, serves_pages));
        }
        servers.push(("workers_http", listens_on_two, serves_pages));
    }
    servers
}

fn listens() -> Vec<String> {
    vec!["127.0.0.1:0".into()]
}

/// With two workers, however many processors there are.
fn listens_on_two() -> Vec<String> {
    vec!["127.0.0.1:0".into(), "2".into()]
}

/// To a server of this process that echoes.
fn forwards() -> Vec<String> {
    static TARGET: OnceLock<String> = OnceLock::new();
    let target = TARGET.get_or_init(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().map(Result::unwrap) {
                std::thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
            }
        });
        address.to_string()
    });
    vec!["127.0.0.1:0".into(), target.clone()]
}

fn echoes(address: &str) -> bool {
    let mut stream = client(address);
    let mut back = [0; 6];
    stream.write_all(b"hello\n").is_ok()
        && stream.read_exact(&mut back).is_ok()
        && &back == b"hello\n"
}

/// The first hears of the second, who may be heard of late.
fn chats(address: &str) -> bool {
    let mut lines = BufReader::new(client(address)).lines();
    let Some(_second) = comes_late(address) else {
        return false;
    };
    lines.any(|line| line.is_ok_and(|line| line.ends_with("has come")))
}

/// One who comes when the one before is sure to be there.
fn comes_late(address: &str) -> Option<TcpStream> {
    std::thread::sleep(Duration::from_millis(50));
    TcpStream::connect(address).ok()
}

fn serves_pages(address: &str) -> bool {
    let mut stream = client(address);
    let mut answer = String::new();
    write!(
        stream,
        "GET / HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n"
    )
    .is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.starts_with("HTTP/1.1 200 ")
}

/// Talks to it until it answers, as who was shed would.
fn answers_again(name: &str, server: &mut Running, address: &str, talk: fn(&str) -> bool) {
    let start = Instant::now();
    while !talk(address) {
        assert_eq!(server.child.try_wait().unwrap(), None, "{name} has ended");
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "{name} answers nobody"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(server.child.try_wait().unwrap(), None, "{name} has ended");
}

/// The time that the server has computed.
fn computed(server: &Running) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.child.id())).unwrap();
    let fields = stat.rsplit_once(')').unwrap().1;
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<u64>().unwrap())
        .sum();
    // The system counts in hundredths of a second for all programs.
    Duration::from_millis(10 * ticks)
}

fn descriptors(server: &Running) -> usize {
    let listed = std::fs::read_dir(format!("/proc/{}/fd", server.child.id()));
    listed.map_or(0, Iterator::count)
}

#[test]
fn servers_go_on_when_they_have_no_descriptors() {
    for (name, arguments, talk) in servers() {
        // Three threads have a hub, a waker and a listener each.
        let limit = if name == "workers_http" { 48 } else { 24 };
        let example = program(name);
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("ulimit -n {limit}; exec \"$0\" \"$@\"")])
            .arg(example.get_program())
            .args(arguments())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut server = Running::start(command);
        let address = server.address();
        let crowd: Vec<_> = (0..3 * limit)
            .map(|_| TcpStream::connect(&address).unwrap())
            .collect();
        let start = Instant::now();
        while descriptors(&server) + 4 < limit && start.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(descriptors(&server) + 4 >= limit, "{name} has plenty left");
        let before = computed(&server);
        std::thread::sleep(Duration::from_millis(300));
        let spent = computed(&server) - before;
        assert!(
            spent < Duration::from_millis(150),
            "{name} computes for {spent:?} of 300ms"
        );
        drop(crowd);
        answers_again(name, &mut server, &address, talk);
    }
}

#[test]
fn servers_go_on_when_no_stack_can_be_had() {
    const KIBIBYTES: usize = 256 * 1024;
    for (name, arguments, talk) in servers() {
        let example = program(name);
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("ulimit -v {KIBIBYTES}; exec \"$0\" \"$@\"")])
            .arg(example.get_program())
            .args(arguments())
            .env("GREENLET_STACK_SIZE", "16M")
            .env_remove("RUST_BACKTRACE")
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut server = Running::start(command);
        let address = server.address();
        let crowd: Vec<_> = (0..40).map(|_| client(&address)).collect();
        // The last is given up, or waits until another has gone.
        let mut last = crowd.last().unwrap();
        last.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        assert!(!last.read(&mut [0]).is_ok_and(|read| read > 0), "{name}");
        drop(crowd);
        answers_again(name, &mut server, &address, talk);
    }
}

/// The library that makes accepts fail. `None` without a C compiler.
fn failing_accept() -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/failing_accept.c");
    let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join("libfailing_accept.so");
    let made = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .status();
    match made {
        Ok(status) => {
            assert!(status.success());
            Some(library)
        }
        Err(error) => {
            eprintln!("skipped: no C compiler: {error}");
            None
        }
    }
}

#[test]
fn servers_go_on_when_accepts_fail() {
    // By their numbers on Linux: EMFILE, ECONNABORTED, ENOBUFS, EPROTO, EPERM, ENETDOWN.
    const ERRORS: &str = "24,103,105,71,1,100";
    let Some(library) = failing_accept() else {
        return;
    };
    for (name, arguments, talk) in servers() {
        // Each alone and all in a row.
        for errors in ["103", "24", ERRORS] {
            let mut command = program(name);
            command
                .args(arguments())
                .env("LD_PRELOAD", &library)
                .env("ACCEPT_ERRORS", errors)
                .stderr(Stdio::null());
            let mut server = Running::start(command);
            let address = server.address();
            answers_again(name, &mut server, &address, talk);
        }
    }
}
