//! Primitives between OS threads, when one of the threads ends.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use crate::common::{bounded, settle};
use green::sync::{Event, LifoQueue, PriorityQueue, Queue, Semaphore};

/// How a greenthread waits that the end of its thread finds waiting.
type Wait = fn(&mut dyn FnMut());

const WAITS: [Wait; 2] = [
    |wait| wait(),
    // It never gets its kill: greenlet unwinds it.
    |wait| green::mask(wait),
];

/// Has a greenthread wait in a thread that ends without a look at who was served meanwhile.
fn serve_one_whose_thread_ends(
    wait: Wait,
    mut call: impl FnMut() + Send + 'static,
    serve: impl FnOnce(),
) {
    let (parked, is_parked) = channel();
    let (go, gone) = channel::<()>();
    let thread = thread::spawn(move || {
        green::spawn_n(move || wait(&mut call));
        settle();
        parked.send(()).unwrap();
        gone.recv().unwrap();
    });
    is_parked.recv().unwrap();
    serve();
    go.send(()).unwrap();
    thread.join().unwrap();
}

#[test]
fn a_permit_for_a_thread_that_has_ended_goes_to_the_next() {
    for wait in WAITS {
        bounded(|| {
            let semaphore = Arc::new(Semaphore::new(0));
            let theirs = Arc::clone(&semaphore);
            serve_one_whose_thread_ends(
                wait,
                move || theirs.acquire().forget(),
                || semaphore.release(),
            );
            assert_eq!(semaphore.counter(), 1);
            assert!(semaphore.acquire_timeout(Duration::from_secs(10)).is_some());
        });
    }
}

#[test]
fn an_item_for_a_thread_that_has_ended_goes_to_the_next() {
    for wait in WAITS {
        bounded(|| {
            let queue = Arc::new(Queue::unbounded());
            let theirs = Arc::clone(&queue);
            serve_one_whose_thread_ends(
                wait,
                move || {
                    let _ = theirs.get();
                },
                || queue.put(7).unwrap(),
            );
            assert_eq!(queue.get_timeout(Duration::from_secs(10)), Ok(7));
        });
    }
}

#[test]
fn who_waits_in_a_thread_that_ends_takes_no_place_any_more() {
    for wait in WAITS {
        bounded(|| {
            let (semaphore, event) = (Arc::new(Semaphore::new(0)), Arc::new(Event::<u8>::new()));
            let theirs = Arc::clone(&semaphore);
            serve_one_whose_thread_ends(wait, move || theirs.acquire().forget(), || ());
            assert_eq!(semaphore.balance(), 0);
            let theirs = Arc::clone(&event);
            serve_one_whose_thread_ends(
                wait,
                move || {
                    let _ = theirs.wait();
                },
                || (),
            );
            event.send(1).unwrap();
            assert_eq!(event.wait().unwrap(), 1);
        });
    }
}

#[test]
fn the_kinds_of_queues_keep_their_orders_between_threads() {
    bounded(|| {
        let (stack, lowest) = (
            Arc::new(LifoQueue::unbounded()),
            Arc::new(PriorityQueue::unbounded()),
        );
        let (s, l) = (Arc::clone(&stack), Arc::clone(&lowest));
        thread::spawn(move || {
            for n in [2, 3, 1] {
                s.put(n).unwrap();
                l.put(n).unwrap();
            }
            s.shutdown(false);
            l.shutdown(false);
        })
        .join()
        .unwrap();
        assert_eq!(stack.iter().collect::<Vec<_>>(), [1, 3, 2]);
        assert_eq!(lowest.iter().collect::<Vec<_>>(), [1, 2, 3]);
    });
}
