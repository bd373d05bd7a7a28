//! How workers begin and end.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::common::{SHORT, bounded, settle, until};
use green::sync::{Event, Semaphore};
use green::workers::{WorkersBuilder, WorkersError};
use green::{Timeout, workers};

const LONG: Duration = Duration::from_secs(600);

/// Two, and four on fewer cores.
const COUNTS: [usize; 2] = [2, 4];

/// Adds one when it is dropped.
struct Counts(Arc<AtomicUsize>);

impl Drop for Counts {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn each_is_a_thread_with_a_hub_of_the_callers_kind_and_its_values_come_in_order() {
    bounded(|| {
        let hub = green::hubs::get_hub();
        for count in COUNTS {
            let me = std::thread::current().id();
            let each = workers(count, move |worker| {
                assert_ne!(std::thread::current().id(), me);
                // The closure is the thread's own greenthread.
                assert_eq!(green::current().id(), 0);
                let name = std::thread::current().name().unwrap().to_owned();
                assert_eq!(name, worker.name());
                green::sleep(Duration::from_millis(count as u64 - worker.index() as u64));
                Ok::<_, ()>((worker.index(), green::hubs::get_hub(), name))
            });
            for (n, (index, its, name)) in each.unwrap().into_iter().enumerate() {
                assert_eq!((index, its), (n, hub));
                assert_eq!(name, format!("worker-{n}"));
            }
        }
    });
}

#[test]
fn another_hub_may_be_asked_for_and_an_unknown_one_is_an_error() {
    bounded(|| {
        for hub in green::hubs::hub_names() {
            let builder = WorkersBuilder::new().count(1).hub(hub);
            let its = workers(builder, |_| Ok::<_, ()>(green::hubs::get_hub()));
            assert_eq!(its.unwrap(), [hub]);
        }
        let error = workers(WorkersBuilder::new().count(1).hub("pool"), |_| ()).unwrap_err();
        assert!(matches!(error, WorkersError::NotStarted(_)));
        assert!(error.to_string().contains("\"pool\""), "{error}");
        let error = workers(0, |_| ()).unwrap_err();
        assert!(error.to_string().contains("one or more"), "{error}");
    });
}

#[test]
fn the_first_error_stops_all_and_is_given() {
    bounded(|| {
        for count in COUNTS {
            let unwound = Arc::new(AtomicUsize::new(0));
            let counter = Arc::clone(&unwound);
            let failed = workers(count, move |worker| {
                let _counts = Counts(Arc::clone(&counter));
                if worker.index() == 1 {
                    green::sleep(SHORT);
                    return Err("on purpose");
                }
                green::sleep(LONG);
                Ok(())
            });
            assert!(
                matches!(
                    failed,
                    Err(WorkersError::Failed {
                        worker: 1,
                        error: "on purpose"
                    })
                ),
                "{failed:?}"
            );
            assert_eq!(unwound.load(Ordering::SeqCst), count);
        }
    });
}

#[test]
fn the_first_panic_stops_all_and_is_given() {
    bounded(|| {
        for count in COUNTS {
            let failed = workers(count, |worker| {
                if worker.index() == 0 {
                    panic!("on purpose");
                }
                green::sleep(LONG);
            });
            match failed.unwrap_err() {
                WorkersError::Panicked { worker: 0, panic } => {
                    assert_eq!(panic.message(), "on purpose");
                }
                other => panic!("{other}"),
            }
        }
    });
}

#[test]
fn a_grace_lets_the_others_end_by_themselves() {
    bounded(|| {
        let ended = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&ended);
        let failed = workers(WorkersBuilder::from(3).grace(None), move |worker| {
            if worker.index() == 0 {
                return Err("on purpose");
            }
            assert!(worker.wait_stop());
            green::sleep(SHORT);
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(())
        });
        assert_eq!(
            failed.unwrap_err().to_string(),
            "worker 0 failed: on purpose"
        );
        assert_eq!(ended.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn what_a_worker_leaves_behind_is_killed_with_it() {
    bounded(|| {
        let unwound = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&unwound);
        workers(2, move |_| {
            for _ in 0..3 {
                let counts = Counts(Arc::clone(&counter));
                green::spawn_n(move || {
                    let _counts = counts;
                    green::sleep(LONG);
                });
            }
            green::yield_now();
        })
        .unwrap();
        // Before the call has returned.
        assert_eq!(unwound.load(Ordering::SeqCst), 6);
    });
}

#[test]
fn a_stop_waits_for_the_closures_and_kills_them_after_its_time() {
    bounded(|| {
        let begun = Arc::new(Semaphore::new(0));
        let counter = Arc::clone(&begun);
        let running = WorkersBuilder::from(2)
            .start(move |worker| {
                counter.release();
                assert!(!worker.is_stopping());
                worker.wait_stop();
                assert!(worker.is_stopping() && worker.handle().is_stopping());
                if worker.index() == 1 {
                    green::sleep(LONG);
                }
                Ok::<_, ()>(worker.index())
            })
            .unwrap();
        for _ in 0..2 {
            begun.acquire().forget();
        }
        assert!(!running.is_finished());
        let start = Instant::now();
        running.handle().stop(SHORT);
        let error = running.join().unwrap_err();
        assert!(
            matches!(error, WorkersError::Killed { worker: 1 }),
            "{error:?}"
        );
        assert!(start.elapsed() >= SHORT);
    });
}

#[test]
fn a_second_stop_brings_the_end_forward() {
    bounded(|| {
        let running = WorkersBuilder::from(2)
            .start(|_| green::sleep(LONG))
            .unwrap();
        running.handle().stop(None);
        running.handle().stop(LONG);
        let handle = running.handle().clone();
        green::spawn_n(move || {
            green::sleep(SHORT);
            handle.stop(Duration::ZERO);
        });
        assert!(matches!(running.join(), Err(WorkersError::Killed { .. })));
    });
}

#[test]
fn a_stop_when_they_have_just_begun_is_not_lost() {
    bounded(|| {
        for _ in 0..50 {
            let running = WorkersBuilder::from(2).start(|worker| {
                worker.wait_stop();
            });
            running.as_ref().unwrap().handle().stop(None);
            running.unwrap().join().unwrap();
        }
    });
}

#[test]
fn a_kill_of_the_caller_stops_them_and_waits_for_their_ends() {
    bounded(|| {
        let (begun, unwound) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
        let (counter, dropped) = (Arc::clone(&begun), Arc::clone(&unwound));
        let caller = green::spawn(move || {
            workers(2, move |_| {
                let _counts = Counts(Arc::clone(&dropped));
                counter.release();
                green::sleep(LONG);
            })
        });
        for _ in 0..2 {
            begun.acquire().forget();
        }
        caller.kill();
        assert!(caller.join().is_err());
        assert_eq!(unwound.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn a_deadline_of_the_caller_does_so_too() {
    bounded(|| {
        let unwound = Arc::new(AtomicUsize::new(0));
        let dropped = Arc::clone(&unwound);
        let timeout = Timeout::new(SHORT).run(|| {
            workers(2, move |_| {
                let _counts = Counts(Arc::clone(&dropped));
                green::sleep(LONG);
            })
        });
        assert!(timeout.is_err());
        assert_eq!(unwound.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn the_other_greenthreads_of_the_caller_run_meanwhile() {
    bounded(|| {
        let turns = Rc::new(Cell::new(0));
        let counter = Rc::clone(&turns);
        let enough = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&enough);
        let other = green::spawn(move || {
            for _ in 0..5 {
                green::sleep(Duration::from_millis(1));
                counter.set(counter.get() + 1);
            }
            told.store(true, Ordering::SeqCst);
        });
        workers(2, move |_| until(|| enough.load(Ordering::SeqCst))).unwrap();
        assert_eq!(turns.get(), 5);
        other.join().unwrap();
    });
}

#[test]
fn workers_that_are_dropped_are_stopped() {
    bounded(|| {
        let done = Arc::new(Event::new());
        let sender = Arc::clone(&done);
        struct Says(Arc<Event<()>>);
        impl Drop for Says {
            fn drop(&mut self) {
                let _ = self.0.send(());
            }
        }
        let running = WorkersBuilder::from(1).start(move |_| {
            let _says = Says(Arc::clone(&sender));
            green::sleep(LONG);
        });
        settle();
        drop(running);
        // Without a word if it had not begun, so another asks.
        done.wait_timeout(2 * SHORT);
    });
}

#[test]
fn a_thread_that_ends_stops_its_workers() {
    bounded(|| {
        let begun = Arc::new(Semaphore::new(0));
        let ended = Arc::new(Semaphore::new(0));
        struct Releases(Arc<Semaphore>);
        impl Drop for Releases {
            fn drop(&mut self) {
                self.0.release();
            }
        }
        let (counter, releases) = (Arc::clone(&begun), Arc::clone(&ended));
        std::thread::spawn(move || {
            let begun = Arc::clone(&counter);
            green::spawn_n(move || {
                let _ = workers(2, move |_| {
                    let _releases = Releases(Arc::clone(&releases));
                    counter.release();
                    green::sleep(LONG);
                });
            });
            for _ in 0..2 {
                begun.acquire().forget();
            }
        })
        .join()
        .unwrap();
        for _ in 0..2 {
            ended.acquire().forget();
        }
    });
}

#[test]
fn workers_may_have_workers() {
    bounded(|| {
        let sums = workers(2, |outer| {
            let outer = outer.index();
            workers(2, move |inner| Ok::<_, ()>(10 * outer + inner.index()))
        });
        assert_eq!(sums.unwrap(), [[0, 1], [10, 11]]);
    });
}

#[test]
fn what_shares_primitives_meets_across_workers() {
    bounded(|| {
        let queue = Arc::new(green::sync::Queue::bounded(2));
        let sums = workers(4, move |worker| {
            if worker.index() % 2 == 0 {
                for n in 0..100u64 {
                    queue.put(n).unwrap();
                }
                return Ok::<_, ()>(0);
            }
            Ok((0..100).map(|_| queue.get().unwrap()).sum())
        });
        assert_eq!(sums.unwrap().iter().sum::<u64>(), 2 * 4950);
    });
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[test]
fn pinned_workers_have_a_core_each_of_those_that_there_are() {
    use rustix::thread::{CpuSet, sched_getaffinity};

    bounded(|| {
        let cores = |set: &CpuSet| -> Vec<usize> {
            (0..CpuSet::MAX_CPU)
                .filter(|&core| set.is_set(core))
                .collect()
        };
        let allowed = cores(&sched_getaffinity(None).unwrap());
        let each = workers(WorkersBuilder::from(4).pin_to_cores(true), move |_| {
            Ok::<_, ()>(cores(&sched_getaffinity(None).unwrap()))
        });
        for (n, own) in each.unwrap().into_iter().enumerate() {
            assert_eq!(own, [allowed[n % allowed.len()]]);
        }
    });
}
