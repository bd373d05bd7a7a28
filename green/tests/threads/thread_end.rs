//! Greenthreads that still wait when their thread, or the process, ends.

use std::cell::RefCell;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::common::again::again;
use crate::common::{bounded, settle};

const MS: Duration = Duration::from_millis(1);

type Log = Arc<Mutex<Vec<&'static str>>>;

/// Writes something down when it is dropped.
struct Says(Log, &'static str);

impl Drop for Says {
    fn drop(&mut self) {
        self.0.lock().unwrap().push(self.1);
    }
}

thread_local! {
    static CACHE: RefCell<Option<Says>> = const { RefCell::new(None) };
}

/// One that catches every kill and waits again.
fn refuse(count: Arc<AtomicUsize>) {
    green::spawn(move || {
        loop {
            let _ = catch_unwind(|| green::sleep(MS));
            count.fetch_add(1, SeqCst);
        }
    });
}

#[test]
fn a_thread_local_outlives_the_greenthreads_that_borrow_it() {
    bounded(|| {
        let log = Log::default();
        let l = log.clone();
        thread::spawn(move || {
            green::yield_now();
            CACHE.set(Some(Says(l.clone(), "the thread-local dies")));
            green::spawn(move || {
                CACHE.with_borrow(|_| {
                    let _says = Says(l, "the greenthread is unwound");
                    green::sleep(60_000 * MS);
                });
            });
            settle();
        })
        .join()
        .unwrap();
        assert_eq!(
            *log.lock().unwrap(),
            ["the greenthread is unwound", "the thread-local dies"]
        );
    });
}

#[test]
fn a_destructor_that_waits_when_the_thread_ends_runs_once() {
    struct Slow(Arc<AtomicUsize>);
    impl Drop for Slow {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
            green::mask(|| green::sleep(1000 * MS));
        }
    }
    bounded(|| {
        let drops = Arc::new(AtomicUsize::new(0));
        let slow = Slow(drops.clone());
        thread::spawn(move || {
            green::spawn(move || {
                let never_run = green::spawn(move || drop(slow));
                never_run.cancel();
            });
            green::sleep(5 * MS);
        })
        .join()
        .unwrap();
        assert_eq!(drops.load(SeqCst), 1);
    });
}

#[test]
fn those_that_catch_every_kill_do_not_hold_the_thread() {
    bounded(|| {
        let count = Arc::new(AtomicUsize::new(0));
        let c = count.clone();
        thread::spawn(move || {
            for _ in 0..3 {
                refuse(c.clone());
            }
            green::sleep(5 * MS);
        })
        .join()
        .unwrap();
        let caught = count.load(SeqCst);
        thread::sleep(20 * MS);
        assert_eq!(count.load(SeqCst), caught, "they are left for good");
    });
}

#[test]
fn those_that_yield_for_ever_do_not_hold_the_thread() {
    bounded(|| {
        thread::spawn(|| {
            green::spawn(|| {
                loop {
                    let _ = catch_unwind(green::yield_now);
                }
            });
            green::sleep(5 * MS);
        })
        .join()
        .unwrap();
    });
}

/// Runs one of the ignored tests below in a process of its own and gives its exit code back.
fn exit_code(test: &str) -> Option<i32> {
    let output = again(module_path!(), test).output().unwrap();
    output.status.code()
}

#[test]
fn a_worker_thread_ends_the_process() {
    bounded(|| {
        assert_eq!(exit_code("exits_from_a_worker"), Some(3));
        assert_eq!(exit_code("exits_from_a_greenthread"), Some(4));
    });
}

#[test]
#[ignore = "run by a_worker_thread_ends_the_process"]
fn exits_from_a_worker() {
    let worker = thread::spawn(|| {
        refuse(Arc::default());
        green::sleep(5 * MS);
        std::process::exit(3)
    });
    worker.join().unwrap();
}

#[test]
#[ignore = "run by a_worker_thread_ends_the_process"]
fn exits_from_a_greenthread() {
    struct Waits;
    impl Drop for Waits {
        fn drop(&mut self) {
            // Nobody runs any more: the wait is over at once.
            green::sleep(60_000 * MS);
        }
    }
    thread_local! {
        static WAITS: RefCell<Option<Waits>> = const { RefCell::new(None) };
    }
    let worker = thread::spawn(|| {
        WAITS.set(Some(Waits));
        refuse(Arc::default());
        green::spawn(|| {
            green::sleep(5 * MS);
            std::process::exit(4)
        });
        // Would end the process in another way if it went on.
        green::sleep(20 * MS);
        std::process::exit(5)
    });
    worker.join().unwrap();
}
