//! Greenthreads of a process with one thread that wait for each other as threads do, for ever: a program of its own, since
//! the threads of a test's harness might end the wait.
//!
//! It runs itself, reads what that says, and ends it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const STUCK: &str = "GREEN_TEST_STUCK";

/// Two greenthreads that want each other's lock, and one that waits for their end.
fn stuck() {
    if let Err(error) = green_patch::monkey_patch() {
        println!("skipped: {error}");
        return;
    }
    let locks = [Arc::new(Mutex::new(())), Arc::new(Mutex::new(()))];
    let both = [(0, 1), (1, 0)].map(|(mine, other)| {
        let (mine, other) = (Arc::clone(&locks[mine]), Arc::clone(&locks[other]));
        green::spawn(move || {
            let _mine = mine.lock();
            green::yield_now();
            let _other = other.lock();
        })
    });
    green::joinall(&both);
}

fn main() {
    if std::env::var_os(STUCK).is_some() {
        return stuck();
    }
    if std::env::args().any(|word| word == "--list") {
        return;
    }
    let program = std::env::current_exe().unwrap();
    let mut child = Command::new(program)
        .env(STUCK, "1")
        .env_remove("RUST_BACKTRACE")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (tell, told) = channel();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let reader = std::thread::spawn(move || {
        lines
            .map_while(Result::ok)
            .for_each(|line| drop(tell.send(line)))
    });
    let mut report = Vec::new();
    // A first line, and one for each greenthread.
    while report.len() < 4 {
        match told.recv_timeout(Duration::from_secs(60)) {
            Ok(line) => report.push(line),
            Err(_) => break,
        }
    }
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    drop(told);
    let _ = reader.join();
    let said = String::from_utf8_lossy(&output.stdout);
    if said.starts_with("skipped") {
        return println!("{said}");
    }
    let report = report.join("\n");
    assert!(report.starts_with("deadlock: "), "{report}");
    assert!(report.contains("only this one"), "{report}");
    assert_eq!(
        report.matches("waits for a futex at 0x").count(),
        2,
        "{report}"
    );
    println!("a deadlock of locks is told: ok");
}
