//! What concerns the whole process: signals, descriptors, the environment, its end.

use std::io::{Read, Write};
use std::net;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::again::{again, alone, is_again, passes};
use crate::common::{SHORT, bounded, until};
use green::net::TcpStream;
use green::server::StreamServer;
use green::signal::{SIGHUP, SIGTERM, Signals, raise};
use green::workers::{OnPanic, WorkersBuilder, WorkersError};

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

#[test]
fn the_environment_says_how_many_there_are() {
    const TEST: &str = "the_environment_says_how_many_there_are";
    if is_again() {
        let count = || green::workers(None, |worker| Ok::<_, &str>(worker.handle().len()));
        return match std::env::var("GREEN_WORKERS").as_deref() {
            Ok("3") => assert_eq!(count().unwrap(), [3, 3, 3]),
            Ok(wrong) => {
                let error = count().unwrap_err().to_string();
                assert!(
                    error.contains("GREEN_WORKERS") && error.contains(wrong),
                    "{error}"
                );
                assert_eq!(green::workers(1, |_| Ok::<_, ()>(7)).unwrap(), [7]);
            }
            Err(_) => {
                let cores = std::thread::available_parallelism().unwrap().get();
                assert_eq!(count().unwrap().len(), cores);
            }
        };
    }
    for value in ["3", "0", "-1", "many"] {
        passes(again(module_path!(), TEST).env("GREEN_WORKERS", value));
    }
    passes(again(module_path!(), TEST).env_remove("GREEN_WORKERS"));
}

#[test]
fn a_signal_stops_all_and_the_next_kills_what_is_left() {
    alone(
        module_path!(),
        "a_signal_stops_all_and_the_next_kills_what_is_left",
        || {
            bounded(|| {
                for count in [2, 4] {
                    let stopped = Arc::new(AtomicUsize::new(0));
                    let counter = Arc::clone(&stopped);
                    let builder = WorkersBuilder::from(count).stop_on([SIGTERM], None);
                    let running = builder.start(move |worker| {
                        worker.wait_stop();
                        counter.fetch_add(1, Ordering::SeqCst);
                        if worker.index() == 0 {
                            green::sleep(Duration::from_secs(600));
                        }
                    });
                    let running = running.unwrap();
                    raise(SIGTERM).unwrap();
                    while stopped.load(Ordering::SeqCst) < count {
                        green::sleep(Duration::from_millis(1));
                    }
                    assert!(!running.is_finished());
                    raise(SIGTERM).unwrap();
                    let error = running.join().unwrap_err();
                    assert!(
                        matches!(error, WorkersError::Killed { worker: 0 }),
                        "{error}"
                    );
                }
            });
        },
    );
}

#[test]
fn each_worker_may_hear_of_a_signal_by_itself() {
    alone(
        module_path!(),
        "each_worker_may_hear_of_a_signal_by_itself",
        || {
            bounded(|| {
                let ready = Arc::new(green::sync::Semaphore::new(0));
                let asked = Arc::clone(&ready);
                let running = WorkersBuilder::from(3).start(move |_| {
                    let signals = Signals::new([SIGHUP])?;
                    asked.release();
                    signals.wait()
                });
                for _ in 0..3 {
                    ready.acquire().forget();
                }
                raise(SIGHUP).unwrap();
                assert_eq!(running.unwrap().join().unwrap(), [SIGHUP; 3]);
            });
        },
    );
}

#[test]
fn workers_leave_no_descriptors() {
    alone(module_path!(), "workers_leave_no_descriptors", || {
        bounded(|| {
            let once = || {
                let server = StreamServer::factory(|| |_: TcpStream, _| ());
                let server = server.workers(3).drain_on([SIGTERM], None);
                let running = server.start("127.0.0.1:0").unwrap();
                drop(green::connect(running.local_addr()).unwrap());
                running.drain(None).unwrap();
            };
            once();
            let before = descriptors();
            for _ in 0..5 {
                once();
            }
            assert_eq!(descriptors(), before);
        });
    });
}

#[cfg(target_os = "linux")]
#[test]
fn they_go_on_when_there_are_no_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    const MORE: u64 = 24;
    alone(
        module_path!(),
        "they_go_on_when_there_are_no_descriptors",
        || {
            bounded(|| {
                for workers in [2, 4] {
                    let server = StreamServer::factory(|| {
                        |mut stream: TcpStream, _| {
                            let mut word = [0; 4];
                            stream.read_exact(&mut word)?;
                            stream.write_all(&word)
                        }
                    });
                    let running = server.workers(workers).start("127.0.0.1:0").unwrap();
                    let address = running.local_addr();
                    while (0..workers).any(|worker| running.handle().thread(worker).is_none()) {
                        green::sleep(Duration::from_millis(1));
                    }
                    green::sleep(SHORT);
                    // Both ends of each connection are of this process.
                    let crowd: Vec<_> = (0..50)
                        .map(|_| net::TcpStream::connect(address).unwrap())
                        .collect();
                    let former = getrlimit(Resource::Nofile);
                    let limit = Rlimit {
                        current: Some(descriptors() as u64 + MORE),
                        ..former
                    };
                    setrlimit(Resource::Nofile, limit).unwrap();
                    let more: Vec<_> = std::iter::from_fn(|| net::TcpStream::connect(address).ok())
                        .take(2 * MORE as usize)
                        .collect();
                    assert!(more.len() < 2 * MORE as usize);
                    green::sleep(SHORT);
                    // No more workers, either.
                    let refused = green::workers(WorkersBuilder::from(1), |_| ());
                    assert!(
                        matches!(refused, Err(WorkersError::NotStarted(_))),
                        "{refused:?}"
                    );
                    drop(more);
                    drop(crowd);
                    let mut answer = [0; 4];
                    let mut client = green::connect(address).unwrap();
                    client.write_all(b"ping").unwrap();
                    client.read_exact(&mut answer).unwrap();
                    setrlimit(Resource::Nofile, former).unwrap();
                    drop(client);
                    assert_eq!(running.drain(Duration::from_secs(60)).unwrap().killed, 0);
                }
            });
        },
    );
}

#[cfg(target_os = "linux")]
#[test]
fn one_that_finds_no_descriptors_when_it_is_started_again_is_tried_later() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let name = "one_that_finds_no_descriptors_when_it_is_started_again_is_tried_later";
    alone(module_path!(), name, || {
        bounded(|| {
            let starts = Arc::new(AtomicUsize::new(0));
            let counter = Arc::clone(&starts);
            let builder = WorkersBuilder::from(1).on_panic(OnPanic::Restart);
            let former = getrlimit(Resource::Nofile);
            // This thread has its descriptors.
            green::sleep(SHORT);
            let running = builder.start(move |worker| {
                if counter.fetch_add(1, Ordering::SeqCst) == 0 {
                    // Not one more than the three that every process begins with.
                    let current = Some(3);
                    setrlimit(Resource::Nofile, Rlimit { current, ..former }).unwrap();
                    panic!("on purpose");
                }
                Ok::<_, ()>(worker.handle().restarts())
            });
            let running = running.unwrap();
            until(|| running.handle().restarts() > 1);
            assert_eq!(starts.load(Ordering::SeqCst), 1);
            setrlimit(Resource::Nofile, former).unwrap();
            let restarts = running.join().unwrap()[0];
            assert!(restarts > 1, "{restarts}");
            assert_eq!(starts.load(Ordering::SeqCst), 2);
        });
    });
}

#[test]
fn an_exit_in_a_worker_ends_the_process_by_way_of_main() {
    let name = "an_exit_in_a_worker_ends_the_process_by_way_of_main";
    if is_again() {
        // The thread of a test is not main: its destructors do not run, but the code is the process' own.
        let _ = green::workers(2, |worker| match worker.index() {
            0 => green::exit(7),
            _ => green::sleep(Duration::from_secs(600)),
        });
        return;
    }
    let status = again(module_path!(), name).output().unwrap().status;
    assert_eq!(status.code(), Some(7));
}
