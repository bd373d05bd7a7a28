//! Random lives of workers: whatever happens to them, each ends once, and nothing is left.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::prelude::*;

use crate::common::bounded;
use green::workers::{OnPanic, WorkersBuilder, WorkersError};

/// What a worker does.
#[derive(Clone, Copy, Debug)]
enum Does {
    Returns,
    Fails,
    Panics,
    /// The first time only.
    PanicsOnce,
    WaitsForStop,
    Sleeps,
}

fn does() -> impl Strategy<Value = Does> {
    prop_oneof![
        Just(Does::Returns),
        Just(Does::Fails),
        Just(Does::Panics),
        Just(Does::PanicsOnce),
        Just(Does::WaitsForStop),
        Just(Does::Sleeps),
    ]
}

struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn new(count: &Arc<AtomicUsize>) -> Alive {
        count.fetch_add(1, Ordering::SeqCst);
        Alive(Arc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn live(each: Vec<Does>, restart: bool, stop_after: u64, timeout: Option<u64>) {
    let (alive, lives) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let all_fine = each.iter().all(|does| match does {
        Does::Returns | Does::WaitsForStop => true,
        Does::PanicsOnce => restart,
        Does::Fails | Does::Panics | Does::Sleeps => false,
    });
    let (counter, begun, plan) = (Arc::clone(&alive), Arc::clone(&lives), each.clone());
    let on_panic = if restart {
        OnPanic::Restart
    } else {
        OnPanic::Stop
    };
    let builder = WorkersBuilder::from(each.len())
        .on_panic(on_panic)
        .grace(None);
    let started: Vec<_> = each.iter().map(|_| AtomicUsize::new(0)).collect();
    let running = builder.start(move |worker| {
        let _alive = Alive::new(&counter);
        begun.fetch_add(1, Ordering::SeqCst);
        let first = started[worker.index()].fetch_add(1, Ordering::SeqCst) == 0;
        match plan[worker.index()] {
            Does::Fails => return Err("on purpose"),
            Does::PanicsOnce if first => panic!("on purpose"),
            Does::Panics => panic!("on purpose"),
            Does::WaitsForStop => {
                worker.wait_stop();
            }
            Does::Sleeps => green::sleep(Duration::from_secs(600)),
            Does::Returns | Does::PanicsOnce => {}
        }
        Ok(worker.index())
    });
    let running = running.unwrap();
    let handle = running.handle().clone();
    let stopping = green::spawn(move || {
        green::sleep(Duration::from_millis(stop_after));
        handle.stop(timeout.map(Duration::from_millis));
        if !all_fine {
            green::sleep(Duration::from_millis(20));
            handle.stop(Duration::ZERO);
        }
    });
    let result = running.join();
    assert_eq!(alive.load(Ordering::SeqCst), 0);
    assert!(lives.load(Ordering::SeqCst) >= 1 || stop_after < 5);
    match result {
        Ok(values) => assert_eq!(values, (0..each.len()).collect::<Vec<_>>()),
        Err(WorkersError::Failed { worker, .. }) => {
            assert!(matches!(each[worker], Does::Fails));
        }
        Err(WorkersError::Panicked { worker, .. }) => {
            assert!(matches!(each[worker], Does::Panics | Does::PanicsOnce));
        }
        // A stop kills what has not ended in its time.
        Err(WorkersError::Killed { .. }) => assert!(!all_fine || timeout.is_some()),
        Err(other) => panic!("{other}"),
    }
    stopping.kill();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn each_ends_once_and_nothing_is_left(
        each in prop::collection::vec(does(), 1..5),
        restart in any::<bool>(),
        stop_after in 0..60u64,
        timeout in prop::option::of(0..5u64),
    ) {
        bounded(|| live(each, restart, stop_after, timeout));
    }
}
