//! Several OS threads, each with a hub of its own, and a process that is stopped for a while.

use std::cell::{Cell, RefCell};
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::again::again;
use crate::common::bounded;
use green::net::{TcpListener, UnixStream};
use green::sync::Semaphore;

const MS: Duration = Duration::from_millis(1);

/// Descriptors of this process.
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn threads_that_end_leave_no_descriptors_and_know_nothing_of_each_other() {
    bounded(|| {
        // In a process of its own: other tests open descriptors meanwhile.
        let output = again(module_path!(), "threads_child").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{output:?}"
        );
    });
}

#[test]
#[ignore = "run by threads_that_end_leave_no_descriptors_and_know_nothing_of_each_other"]
fn threads_child() {
    green::sleep(MS);
    let before = descriptors();
    let threads: Vec<_> = (0..10)
        .map(|_| {
            thread::spawn(|| {
                let log = Rc::new(RefCell::new(Vec::new()));
                for n in [3, 1, 2] {
                    let log = Rc::clone(&log);
                    green::spawn_n(move || {
                        green::sleep(n * 5 * MS);
                        log.borrow_mut().push(n);
                    });
                }
                // It waits when its thread ends.
                green::spawn_n(|| {
                    let (mut near, _far) = UnixStream::pair().unwrap();
                    drop(near.read(&mut [0]));
                });
                green::sleep(30 * MS);
                assert_eq!(*log.borrow(), [1, 2, 3]);
                assert_eq!(green::debug::counters().greenthreads, 2);
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(descriptors(), before);
    assert_eq!(green::debug::counters().greenthreads, 1);
}

#[test]
fn two_threads_share_a_semaphore_and_none_is_kept_out() {
    bounded(|| {
        const ROUNDS: usize = 200;
        let (permits, inside) = (Arc::new(Semaphore::new(1)), Arc::new(AtomicUsize::new(0)));
        let start = Arc::new(Barrier::new(2));
        let duel = move || {
            start.wait();
            let longest = Rc::new(Cell::new(0));
            let workers: Vec<_> = (0..3)
                .map(|_| {
                    let (permits, inside) = (Arc::clone(&permits), Arc::clone(&inside));
                    let longest = Rc::clone(&longest);
                    green::spawn(move || {
                        for _ in 0..ROUNDS {
                            let permit = permits.acquire();
                            let others = inside.fetch_add(1, Ordering::SeqCst);
                            longest.set(longest.get().max(others));
                            green::yield_now();
                            inside.fetch_sub(1, Ordering::SeqCst);
                            drop(permit);
                        }
                    })
                })
                .collect();
            workers
                .into_iter()
                .for_each(|worker| worker.join().unwrap());
            longest.get()
        };
        let threads = [thread::spawn(duel.clone()), thread::spawn(duel)];
        for thread in threads {
            assert_eq!(thread.join().unwrap(), 0, "two had the one permit");
        }
    });
}

#[test]
fn a_process_that_was_stopped_keeps_its_deadlines() {
    bounded(|| {
        let mut child = again(module_path!(), "stopped_child")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("waiting")));
        for signal in ["-STOP", "-CONT", "-STOP", "-CONT"] {
            let pid = child.id().to_string();
            let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
            assert!(sent.success());
            thread::sleep(30 * MS);
        }
        assert!(child.wait().unwrap().success());
    });
}

#[test]
#[ignore = "run by a_process_that_was_stopped_keeps_its_deadlines"]
fn stopped_child() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let timeout = 300 * MS;
    listener.set_accept_timeout(Some(timeout)).unwrap();
    println!("waiting");
    let start = Instant::now();
    let error = listener.accept().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    assert!(start.elapsed() >= timeout);
    assert!(
        green::Timeout::new(timeout)
            .run(|| green::sleep(2 * timeout))
            .is_err()
    );
}
