//! Signals as events. Each test has signals of its own: they are the process'.

use std::cell::Cell;
use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::again::{again, is_again};
use crate::common::settle;
use green::signal::{self, Signals};
use green::{Timeout, is_timeout};
use rustix::process::{Pid, Signal, kill_process};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(20);

fn bounded<T>(f: impl FnOnce() -> T) -> T {
    Timeout::new(LONG).run(f).expect("the test hangs")
}

#[test]
fn a_signal_wakes_who_waits_while_others_run() {
    bounded(|| {
        let signals = Signals::new([signal::SIGUSR1]).unwrap();
        let turns = Rc::new(Cell::new(0));
        let counter = Rc::clone(&turns);
        green::spawn_n(move || {
            for _ in 0..10 {
                counter.set(counter.get() + 1);
                green::sleep(Duration::from_millis(1));
            }
            signal::raise(signal::SIGUSR1).unwrap();
        });
        assert_eq!(signals.wait().unwrap(), signal::SIGUSR1);
        assert_eq!(turns.get(), 10);
        assert_eq!(signals.poll(), None);
    });
}

#[test]
fn what_came_before_the_wait_is_kept_once() {
    bounded(|| {
        let signals = Signals::new([signal::SIGUSR2, signal::SIGWINCH]).unwrap();
        for _ in 0..3 {
            signal::raise(signal::SIGUSR2).unwrap();
        }
        signal::raise(signal::SIGWINCH).unwrap();
        let mut got = [signals.wait().unwrap(), signals.wait().unwrap()];
        got.sort_unstable();
        let mut expected = [signal::SIGUSR2, signal::SIGWINCH];
        expected.sort_unstable();
        assert_eq!(got, expected);
        let start = Instant::now();
        assert!(is_timeout(&signals.wait_timeout(SHORT).unwrap_err()));
        assert!(start.elapsed() >= SHORT);
    });
}

#[test]
fn every_thread_gets_it_whoever_was_hit() {
    let (ready, wait_ready) = mpsc::channel();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let ready = ready.clone();
            thread::spawn(move || {
                bounded(|| {
                    let mut signals = Signals::new([signal::SIGHUP]).unwrap();
                    ready.send(()).unwrap();
                    signals.next()
                })
            })
        })
        .collect();
    for _ in 0..4 {
        wait_ready.recv().unwrap();
    }
    // To the process: any of its threads may run the handler.
    kill_process(rustix::process::getpid(), Signal::HUP).unwrap();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), Some(signal::SIGHUP));
    }
}

#[test]
fn a_kill_ends_the_wait_and_loses_no_signal() {
    bounded(|| {
        let signals = Rc::new(Signals::new([signal::SIGALRM]).unwrap());
        let waits = green::spawn({
            let signals = Rc::clone(&signals);
            move || signals.wait()
        });
        settle();
        waits.kill();
        assert!(waits.join().is_err());
        signal::raise(signal::SIGALRM).unwrap();
        assert_eq!(signals.wait().unwrap(), signal::SIGALRM);
    });
}

#[test]
fn what_cannot_be_waited_for_is_refused() {
    for number in [libc::SIGKILL, libc::SIGSTOP, libc::SIGSEGV, 0, -1, 4000] {
        let error = Signals::new([number]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{number}");
    }
    assert!(signal::raise(4000).is_err());
    assert_eq!(signal::name(signal::SIGINT), Some("SIGINT"));
}

/// Runs `test` again in a process of its own and gives that.
fn probe(test: &str) -> std::process::Child {
    again(module_path!(), test)
        .arg("--quiet")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Reads until `text` has come.
fn expect(out: &mut impl Read, text: &str) {
    let mut got = Vec::new();
    let mut byte = [0];
    while !String::from_utf8_lossy(&got).ends_with(text) {
        assert_eq!(out.read(&mut byte).unwrap(), 1, "never said {text:?}");
        got.push(byte[0]);
    }
}

#[test]
fn one_ctrl_c_is_enough() {
    if is_again() {
        bounded(|| {
            let cleaned = Rc::new(Cell::new(false));
            let worker = green::spawn({
                let cleaned = Rc::clone(&cleaned);
                move || {
                    struct Cleanup(Rc<Cell<bool>>);
                    impl Drop for Cleanup {
                        fn drop(&mut self) {
                            self.0.set(true);
                        }
                    }
                    let _cleanup = Cleanup(cleaned);
                    loop {
                        // Never idle: the signal must get in between.
                        green::yield_now();
                    }
                }
            });
            green::spawn_n(|| println!("ready"));
            signal::ctrl_c().unwrap();
            worker.kill();
            assert!(cleaned.get());
            println!("cleaned up");
            // The second press is kept although nobody waits yet.
            println!("again");
            thread::sleep(Duration::from_millis(200));
            signal::ctrl_c().unwrap();
            println!("goodbye");
        });
        return;
    }
    let mut child = probe("one_ctrl_c_is_enough");
    let mut out = child.stdout.take().unwrap();
    let pid = Pid::from_child(&child);
    expect(&mut out, "ready\n");
    kill_process(pid, Signal::INT).unwrap();
    expect(&mut out, "again\n");
    kill_process(pid, Signal::INT).unwrap();
    expect(&mut out, "goodbye\n");
    assert!(child.wait().unwrap().success());
}

#[test]
fn sigterm_ends_a_server_with_code_zero() {
    if is_again() {
        bounded(|| {
            let mut signals = Signals::new([signal::SIGINT, signal::SIGTERM]).unwrap();
            green::spawn_n(|| println!("ready"));
            let name = signals.next().and_then(signal::name);
            println!("{}", name.unwrap());
        });
        return;
    }
    let mut child = probe("sigterm_ends_a_server_with_code_zero");
    let mut out = child.stdout.take().unwrap();
    expect(&mut out, "ready\n");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    expect(&mut out, "SIGTERM\n");
    let status = child.wait().unwrap();
    assert_eq!((status.code(), status.signal()), (Some(0), None));
}
