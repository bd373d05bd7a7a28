//! Workers that panic and are started again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::common::{SHORT, bounded};
use green::workers;
use green::workers::{OnPanic, WorkersBuilder, WorkersError};

const LONG: Duration = Duration::from_secs(600);

fn restarting(count: usize) -> WorkersBuilder {
    WorkersBuilder::from(count).on_panic(OnPanic::Restart)
}

#[test]
fn one_that_panics_is_started_again_and_the_others_go_on() {
    bounded(|| {
        for count in [2, 4] {
            let starts = Arc::new(AtomicUsize::new(0));
            let counter = Arc::clone(&starts);
            let start = Instant::now();
            let each = workers(restarting(count), move |worker| {
                if worker.index() == 1 && counter.fetch_add(1, Ordering::SeqCst) < 3 {
                    green::spawn_n(|| green::sleep(LONG));
                    panic!("on purpose");
                }
                green::sleep(SHORT);
                Ok::<_, ()>(worker.handle().restarts())
            });
            assert_eq!(each.unwrap().len(), count);
            assert_eq!(starts.load(Ordering::SeqCst), 4);
            // Each pause twice as long as the one before.
            assert!(start.elapsed() >= Duration::from_millis(10 + 20 + 40));
        }
    });
}

#[test]
fn an_error_stops_all_nevertheless() {
    bounded(|| {
        let failed = workers(restarting(2), |worker| match worker.index() {
            0 => Err("on purpose"),
            _ => {
                green::sleep(LONG);
                Ok(())
            }
        });
        assert!(matches!(
            failed,
            Err(WorkersError::Failed { worker: 0, .. })
        ));
    });
}

#[test]
fn a_stop_ends_one_that_waits_to_be_started_again() {
    bounded(|| {
        let starts = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&starts);
        let running = restarting(2)
            .start(move |worker| {
                if worker.index() == 0 {
                    counter.fetch_add(1, Ordering::SeqCst);
                    panic!("whenever it is started");
                }
                worker.wait_stop();
            })
            .unwrap();
        while starts.load(Ordering::SeqCst) < 2 {
            green::sleep(Duration::from_millis(1));
        }
        running.handle().stop(None);
        let error = running.join().unwrap_err();
        assert!(
            matches!(error, WorkersError::Panicked { worker: 0, .. }),
            "{error}"
        );
        let starts_at_the_stop = starts.load(Ordering::SeqCst);
        green::sleep(2 * SHORT);
        assert_eq!(starts.load(Ordering::SeqCst), starts_at_the_stop);
    });
}

#[test]
fn what_is_sent_to_one_that_comes_again_runs_in_the_new_thread() {
    bounded(|| {
        let running = restarting(2)
            .start(|worker| {
                worker.wait_stop();
            })
            .unwrap();
        let handle = running.handle().clone();
        let root = |worker| loop {
            if let Ok(sent) = handle.spawn_on(worker, || std::thread::current().id()) {
                break sent.join().unwrap();
            }
            green::sleep(Duration::from_millis(1));
        };
        let (first, other) = (root(0), root(1));
        assert_ne!(first, other);
        running.handle().stop(None);
        running.join().unwrap();
    });
}
