//! The thread pool when jobs are slow, never end, or give results that cannot be cloned.

use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use green::Timeout;
use green::tpool::{self, JobError, ThreadPool};

use crate::common::again::{alone, with_pool_of};
use crate::common::log;
use crate::common::place::Place;
use crate::common::{SHORT, bounded};

/// A job that runs until it is let go, and the means to let it go.
fn gate() -> (mpsc::Sender<()>, impl FnOnce() + Send + 'static) {
    let (open, closed) = mpsc::channel::<()>();
    (open, move || {
        let _ = closed.recv();
    })
}

#[test]
fn files_and_names_do_not_stand_behind_slow_jobs() {
    let test = "files_and_names_do_not_stand_behind_slow_jobs";
    with_pool_of(2, module_path!(), test, || {
        let place = Place::new("lanes");
        std::fs::write(place.at("file"), "text").unwrap();
        let (gates, jobs): (Vec<_>, Vec<_>) = (0..2)
            .map(|_| {
                let (open, job) = gate();
                (open, tpool::submit(job).unwrap())
            })
            .unzip();
        let mut behind = tpool::submit(|| ()).unwrap();
        // Each of these would wait for ever.
        assert_eq!(green::fs::read_to_string(place.at("file")).unwrap(), "text");
        let mut file = green::fs::File::open(place.at("file")).unwrap();
        let mut text = String::new();
        io::Read::read_to_string(&mut file, &mut text).unwrap();
        assert_eq!(text, "text");
        assert!(!green::dns::lookup("localhost", 1).unwrap().is_empty());
        assert!(behind.poll().is_none(), "a third job ran on two threads");
        drop(gates);
        jobs.into_iter().for_each(|job| job.join().unwrap());
        behind.join().unwrap();
        assert!(tpool::killall(None));
    });
}

#[test]
fn a_deserted_job_that_never_ends_is_replaced() {
    // By itself, since a process has one logger.
    let test = "a_deserted_job_that_never_ends_is_replaced";
    alone(module_path!(), test, || {
        log::keep();
        let pool = Rc::new(ThreadPool::with_replacements(2));
        let mut gates = Vec::new();
        // Four whose callers are killed: as many as are replaced.
        for round in 1..=2 {
            let callers: Vec<_> = (0..2)
                .map(|_| {
                    let (open, job) = gate();
                    gates.push(open);
                    let pool = Rc::clone(&pool);
                    green::spawn(move || pool.execute(job))
                })
                .collect();
            green::yield_now();
            while pool.threads() < 2 * round {
                green::sleep(Duration::from_millis(1));
            }
            // While somebody waits for them, nobody takes their place.
            let mut waits = pool.submit(|| ()).unwrap();
            assert!(waits.join_timeout(SHORT).is_none());
            assert_eq!(pool.threads(), 2 * round);
            green::killall(&callers);
            if round == 1 {
                waits.join().unwrap();
                assert!(log::count("go on though their callers have left") > 0);
            } else {
                // Bounded: now all are taken, and that is said.
                assert!(waits.join_timeout(SHORT).is_none());
                assert_eq!(pool.threads(), 4);
                assert!(log::count("all 4 threads are taken") > 0);
                gates.clear();
                waits.join().unwrap();
            }
        }
        // Those that have come back are too many.
        while pool.threads() > 2 {
            green::sleep(Duration::from_millis(1));
        }
        assert_eq!(pool.size(), 2);
        assert!(pool.killall(None));
    });
}

#[test]
fn one_that_was_deserted_in_the_queue_is_replaced_when_it_runs() {
    bounded(|| {
        let pool = Rc::new(ThreadPool::with_replacements(1));
        let (first, job) = gate();
        let first_job = pool.submit(job).unwrap();
        let (second, job) = gate();
        let caller = green::spawn({
            let pool = Rc::clone(&pool);
            move || pool.execute(job)
        });
        green::yield_now();
        caller.kill();
        drop(first);
        first_job.join().unwrap();
        assert_eq!(pool.execute(|| 1).unwrap(), 1);
        drop(second);
        assert!(pool.killall(None));
    });
}

#[test]
fn a_deadline_deserts_a_job_as_a_kill_does() {
    bounded(|| {
        let pool = ThreadPool::with_replacements(1);
        let (open, job) = gate();
        let left = Timeout::new(SHORT).run(|| pool.execute(job));
        assert!(left.is_err());
        assert_eq!(pool.execute(|| 2).unwrap(), 2);
        drop(open);
    });
}

#[test]
fn a_detached_job_keeps_its_thread() {
    bounded(|| {
        let pool = ThreadPool::with_replacements(1);
        let (open, job) = gate();
        // Nobody was interrupted: it is wanted.
        drop(pool.submit(job).unwrap());
        let mut other = pool.submit(|| ()).unwrap();
        assert!(other.join_timeout(SHORT).is_none());
        assert_eq!(pool.threads(), 1);
        drop(open);
        other.join().unwrap();
    });
}

#[test]
fn results_that_cannot_be_cloned_are_waited_for_polled_and_taken() {
    bounded(|| {
        let pool = ThreadPool::new(1);
        let (open, wait) = gate();
        let mut job = pool
            .submit(move || -> io::Result<String> {
                wait();
                Err(io::Error::from_raw_os_error(libc::ENOENT))
            })
            .unwrap();
        assert!(job.poll().is_none());
        assert!(job.join_timeout(SHORT).is_none());
        assert!(!job.is_finished());
        drop(open);
        let result = job.join_timeout(Duration::from_secs(60)).unwrap().unwrap();
        assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::ENOENT));
        assert!(matches!(job.poll(), Some(Err(JobError::Refused(_)))));
        // And such a job works with `?` in a function of io::Result.
        let length = || -> io::Result<usize> {
            let text = pool.execute(|| std::fs::read_to_string("/proc/self/comm"))??;
            Ok(text.len())
        };
        assert!(length().is_ok());
    });
}

#[test]
fn the_end_of_the_process_pool_is_that_of_files_and_names() {
    let test = "the_end_of_the_process_pool_is_that_of_files_and_names";
    with_pool_of(4, module_path!(), test, || {
        let ran = Arc::new(AtomicUsize::new(0));
        let there = Arc::clone(&ran);
        let job = tpool::submit(move || there.fetch_add(1, Ordering::SeqCst)).unwrap();
        green::fs::metadata("/").unwrap();
        green::dns::lookup("localhost", 1).unwrap();
        assert!(tpool::set_num_threads(3).is_err());
        assert!(tpool::killall(None));
        assert_eq!(ran.load(Ordering::SeqCst), 1);
        job.join().unwrap();
        tpool::set_num_threads(3).unwrap();
        let threads = std::fs::read_dir("/proc/self/task").map(|tasks| {
            let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm"));
            tasks
                .filter_map(|task| name(task.ok()?).ok())
                .collect::<String>()
        });
        if let Ok(threads) = threads {
            assert!(!threads.contains("green-"), "{threads}");
        }
    });
}

#[test]
fn a_pool_of_ones_own_never_has_more_threads_than_it_says() {
    bounded(|| {
        let pool = ThreadPool::new(1);
        let (open, job) = gate();
        let left = Timeout::new(SHORT).run(|| pool.execute(job));
        assert!(left.is_err());
        let mut next = pool.submit(|| ()).unwrap();
        assert!(next.join_timeout(SHORT).is_none());
        assert_eq!(pool.threads(), 1);
        drop(open);
        next.join().unwrap();
    });
}
