//! Programs whose libraries block: none of them changed, all of them many at a time on one OS thread.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use common::program;

const COUNT: usize = 40;

/// Runs a program to its end, for two minutes at most.
fn run(name: &str, words: &[&str]) -> Output {
    let mut command = program(name);
    command.args(words).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let (done, watched) = channel::<()>();
    let number = child.id().to_string();
    let watcher = std::thread::spawn(move || {
        let ended = watched.recv_timeout(Duration::from_secs(120));
        if ended == Err(RecvTimeoutError::Timeout) {
            let _ = Command::new("kill").arg(number).status();
        }
    });
    let output = child.wait_with_output().unwrap();
    drop(done);
    watcher.join().unwrap();
    output
}

/// `threads` is how many the process may have at most.
fn all_at_once(name: &str, threads: usize) {
    let output = run("greened", &[name, &COUNT.to_string()]);
    let errors = String::from_utf8_lossy(&output.stderr);
    if errors.contains("services/up") {
        let _ = write!(std::io::stderr(), "skipped: {errors}");
        return;
    }
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{errors}");
    let hub = std::env::var("GREEN_HUB").unwrap_or("epoll".into());
    let start = format!("{name} on {hub}: {COUNT} of {COUNT} operations, ");
    let rest = text
        .strip_prefix(&start)
        .unwrap_or_else(|| panic!("{text}"));
    let numbers: Vec<usize> = rest
        .split(' ')
        .filter_map(|word| word.trim_end_matches(',').parse().ok())
        .collect();
    let [at_once, all, time, sum] = numbers[..] else {
        panic!("{text}");
    };
    assert!(at_once > 1 && time >= 100 && sum == 100 * COUNT, "{text}");
    assert!((1..=threads).contains(&all), "{text}");
}

#[test]
fn std_sleeps() {
    all_at_once("sleep", 1);
}

#[test]
fn ureq_fetches() {
    all_at_once("ureq", 1);
}

#[test]
fn redis_waits() {
    all_at_once("redis", 1);
}

#[test]
fn postgres_queries() {
    all_at_once("postgres", 1);
}

#[test]
fn mysql_queries() {
    all_at_once("mysql", 1);
}

/// Its client has a thread for I/O.
#[test]
fn reqwest_fetches() {
    all_at_once("reqwest", 2);
}

/// Each of its clients has one.
#[test]
fn many_clients_of_reqwest_fetch() {
    all_at_once("reqwest-each", 1 + COUNT);
}

#[test]
fn rustls_shakes_hands() {
    all_at_once("rustls", 1);
}

#[test]
fn tungstenite_sends_and_receives() {
    all_at_once("tungstenite", 1);
}

#[test]
fn tcp_of_std_waits() {
    all_at_once("tcp", 1);
}

/// Names are looked up in threads.
#[test]
fn names_are_looked_up() {
    all_at_once("localhost", 1 + 20);
}

#[test]
fn greenthreads_wait_for_each_other_as_threads_do() {
    for name in ["channels", "crossbeam", "parking_lot", "condvar", "park"] {
        all_at_once(name, 1);
    }
}

#[test]
fn greenthreads_wait_for_threads() {
    for name in ["channels-threads", "mutex"] {
        all_at_once(name, 1 + COUNT);
    }
}

/// The standard library reads the output of a child in the thread that asks for it.
#[test]
fn commands_run() {
    all_at_once("command", 1);
}

/// What the patch changes: without it the operations go one after the other.
#[test]
fn unpatched_they_go_one_after_the_other() {
    for name in ["sleep", "tcp", "ureq", "command", "mutex"] {
        let output = run("greened", &[name, "3", "unpatched"]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{name}: {output:?}");
        assert!(
            text.contains(": 3 of 3 operations, 1 at a time, "),
            "{text}"
        );
    }
}

/// Without the patch nobody runs who could end the wait.
#[test]
fn unpatched_greenthreads_wait_for_each_other_for_ever() {
    let output = run("greened", &["channels", "1", "unpatched"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text, "channels: hangs\n");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn curl_fetches() {
    let output = run("greened_curl", &[&COUNT.to_string()]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    let expected = format!("{COUNT} pages, {} bytes", 5 * COUNT);
    assert!(text.contains(&expected), "{text}");
}

#[test]
fn a_crawler_for_threads_differs_in_two_lines() {
    let code = |text: &'static str| -> Vec<&str> {
        let code = text.lines().filter(|line| !line.starts_with("//"));
        code.filter(|line| !line.is_empty()).collect()
    };
    let threads = code(include_str!("../threads_crawler.rs"));
    let greened = code(include_str!("../greened_crawler.rs"));
    let only = |some: &[&'static str], others: &[&str]| -> Vec<&str> {
        let mut some = some.to_vec();
        some.retain(|line| !others.contains(line));
        some
    };
    assert_eq!(only(&threads, &greened), ["use std::thread::spawn;"]);
    assert_eq!(
        only(&greened, &threads),
        ["use green::spawn;", "    green_patch::monkey_patch()?;"]
    );
    assert_eq!(threads.len() + 1, greened.len());
}

/// Answers one request: of a tree of 31 pages, and a link to nowhere.
fn serve_page(mut stream: TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    while lines
        .next()
        .transpose()?
        .is_some_and(|line| !line.is_empty())
    {}
    let path = first.split(' ').nth(1).unwrap_or_default();
    let body = match path.trim_start_matches('/').parse().unwrap_or(0) {
        n @ 1..16 => format!(
            "<a href=\"/{}\">l</a> <a href=\"/{}\">r</a>",
            2 * n,
            2 * n + 1
        ),
        n @ 16..32 => format!("leaf {n} <a href=\"/40\">away</a>"),
        _ => String::new(),
    };
    let status = if body.is_empty() {
        "404 Not Found"
    } else {
        "200 OK"
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn both_crawlers_find_every_page() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let served = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&served);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, count) = (stream.unwrap(), Arc::clone(&count));
            std::thread::spawn(move || {
                count.fetch_add(1, Ordering::SeqCst);
                serve_page(stream).unwrap();
            });
        }
    });
    for name in ["threads_crawler", "greened_crawler"] {
        let output = run(name, &[&format!("http://{address}/1"), "10"]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(text, "32 pages, 1 failed\n", "{name}");
    }
    assert_eq!(served.load(Ordering::SeqCst), 64);
}
