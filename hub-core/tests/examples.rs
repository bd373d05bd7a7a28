//! The examples, run on each hub as their first lines say.
//!
//! `cargo test -p hub-core` builds them. Where only this test was built it fails.

use std::env;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const HUBS: [&str; 4] = ["epoll", "poll", "select", "polling"];

/// What an example prints, without the line's end.
fn run(example: &str, arguments: &[&str]) -> String {
    let test = env::current_exe().unwrap();
    let built = test.parent().unwrap().parent().unwrap();
    let program = built.join("examples").join(example);
    assert!(
        program.exists(),
        "{} is missing: cargo build -p hub-core --examples builds it",
        program.display()
    );
    let mut command = Command::new(program);
    let command = command.args(arguments).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > end {
            child.kill().unwrap();
            panic!("{example} {arguments:?} does not end");
        }
        thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let status = output.status;
    assert!(
        status.success() && errors.is_empty(),
        "{example} {arguments:?}: {status}: {errors}"
    );
    printed.trim_end().to_owned()
}

/// Runs an example on each hub, which must print its name, a colon and this.
fn on_each_hub(example: &str, says: &str) {
    for hub in HUBS {
        assert_eq!(run(example, &[hub]), format!("{hub}: {says}"));
    }
}

fn is_nestable(hub: &str) -> bool {
    !["poll", "select"].contains(&hub)
}

#[test]
fn callback_loop() {
    on_each_hub("callback_loop", "a word");
}

#[test]
fn level() {
    on_each_hub("level", "1000000 bytes");
}

#[test]
fn oneshot() {
    on_each_hub("oneshot", "20 clients, 50 words each");
}

#[test]
fn executor() {
    on_each_hub("executor", "20 clients, a pipe, a timeout, a thread");
}

#[test]
fn nested() {
    for outer in HUBS {
        for inner in HUBS {
            let printed = run("nested", &[outer, inner]);
            let says = match is_nestable(inner) {
                true => "heard from [2, 0, 1, 1]".into(),
                false => format!("{inner} has no descriptor and cannot be nested"),
            };
            assert_eq!(printed, format!("{inner} in {outer}: {says}"));
        }
    }
}

#[test]
fn in_tokio() {
    for hub in HUBS {
        let printed = run("in_tokio", &[hub]);
        let says = match is_nestable(hub) {
            true => format!("{hub} in tokio: 20 words and a deadline"),
            false => format!("{hub} has no descriptor and cannot be nested in tokio"),
        };
        assert_eq!(printed, says);
    }
}
