//! Work that is sent from worker to worker.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::common::bounded;
use green::future::RemoteExit;
use green::sync::{Event, Semaphore};
use green::workers::{Workers, WorkersBuilder};

/// Workers that wait for a stop, all of them begun.
fn waiting(count: usize) -> Workers<(), std::convert::Infallible> {
    let begun = Arc::new(Semaphore::new(0));
    let counter = Arc::clone(&begun);
    let running = WorkersBuilder::from(count).start(move |worker| {
        counter.release();
        worker.wait_stop();
    });
    for _ in 0..count {
        begun.acquire().forget();
    }
    running.unwrap()
}

fn stop(running: Workers<(), std::convert::Infallible>) {
    running.handle().stop(None);
    running.join().unwrap();
}

#[test]
fn what_is_sent_to_a_worker_runs_there_and_its_value_comes_back() {
    bounded(|| {
        let running = waiting(3);
        for worker in 0..3 {
            let name = running.handle().spawn_on(worker, || {
                // Nothing of it need be `Send` there.
                let steps = Rc::new(Cell::new(0));
                let counter = Rc::clone(&steps);
                green::spawn(move || counter.set(1)).join().unwrap();
                (
                    std::thread::current().name().unwrap().to_owned(),
                    steps.get(),
                )
            });
            assert_eq!(
                name.unwrap().join().unwrap(),
                (format!("worker-{worker}"), 1)
            );
        }
        let panics = running.handle().spawn_on(1, || panic!("on purpose"));
        let exit = panics.unwrap().join();
        assert!(matches!(exit, Err(RemoteExit::Panicked(_))), "{exit:?}");
        let sleeps = running
            .handle()
            .spawn_on(2, || green::sleep(Duration::from_secs(600)))
            .unwrap();
        sleeps.kill();
        assert!(matches!(sleeps.join(), Err(RemoteExit::Killed)));
        stop(running);
    });
}

#[test]
fn what_is_sent_at_once_finds_them() {
    bounded(|| {
        let running = WorkersBuilder::from(4)
            .start(|worker| {
                worker.wait_stop();
            })
            .unwrap();
        for worker in 0..4 {
            running
                .handle()
                .spawn_on(worker, || ())
                .unwrap()
                .join()
                .unwrap();
        }
        stop(running);
    });
}

#[test]
fn what_is_sent_to_one_that_has_ended_is_refused() {
    bounded(|| {
        let running = waiting(2);
        let handle = running.handle().clone();
        assert!(handle.thread(0).is_some());
        stop(running);
        assert!(handle.thread(0).is_none());
        assert!(handle.spawn_on(0, || ()).is_err());
        assert!(handle.spawn_anywhere(|| ()).is_err());
        assert_eq!(handle.load(1), 0);
    });
}

#[test]
#[should_panic(expected = "there is no worker 2")]
fn there_must_be_such_a_worker() {
    let running = waiting(2);
    let _ = running.handle().spawn_on(2, || ());
}

#[test]
fn the_least_loaded_is_chosen() {
    bounded(|| {
        let running = waiting(2);
        let handle = running.handle();
        let end = Arc::new(Event::<()>::new());
        let hold = |worker| {
            let (end, begun) = (Arc::clone(&end), Arc::new(Semaphore::new(0)));
            let held = Arc::clone(&begun);
            let held = handle.spawn_on(worker, move || {
                held.release();
                let _ = end.wait();
            });
            begun.acquire().forget();
            held.unwrap()
        };
        // Ten on the second, and a turn of its hub so that it says so.
        let mut held: Vec<_> = (0..10).map(|_| hold(1)).collect();
        while handle.load(1) < 10 {
            green::sleep(Duration::from_millis(1));
        }
        let name = || std::thread::current().name().unwrap().to_owned();
        for _ in 0..20 {
            let chosen = handle.spawn_anywhere(name).unwrap().join().unwrap();
            assert_eq!(chosen, "worker-0");
        }
        // And twenty on the first.
        held.extend((0..20).map(|_| hold(0)));
        while handle.load(0) < 20 {
            green::sleep(Duration::from_millis(1));
        }
        for _ in 0..5 {
            let chosen = handle.spawn_anywhere(name).unwrap().join().unwrap();
            assert_eq!(chosen, "worker-1");
        }
        end.send(()).unwrap();
        for held in held {
            held.join().unwrap();
        }
        stop(running);
    });
}

#[test]
fn what_waits_to_begin_counts_and_equals_take_turns() {
    bounded(|| {
        let running = waiting(4);
        let jobs: Vec<_> = (0..400)
            .map(|_| {
                let job = || {
                    green::sleep(Duration::from_millis(5));
                    std::thread::current().name().unwrap().to_owned()
                };
                running.handle().spawn_anywhere(job).unwrap()
            })
            .collect();
        let names: Vec<_> = jobs.into_iter().map(|job| job.join().unwrap()).collect();
        for worker in 0..4 {
            let own = names
                .iter()
                .filter(|name| **name == format!("worker-{worker}"))
                .count();
            assert!(own >= 40, "worker {worker} has had {own} of 400");
        }
        stop(running);
    });
}
