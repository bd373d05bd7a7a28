//! Code of the user that waits, panics, calls back or wakes others inside a primitive: it harms nobody else, and nothing
//! is lost.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::fmt::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;

use green::event::AsyncResult;
use green::lock::{Mutex, RwLock};
use green::queue::{GetError, PutError};
use green::{Event, Exit, PriorityQueue, Queue, Semaphore, sync};

use crate::common::primitive::{MS, bounded, settle, spawn_settled};

thread_local! {
    /// Whose code runs.
    static WHO: Cell<u32> = const { Cell::new(0) };
    static ACT: RefCell<Option<Rc<dyn Fn()>>> = const { RefCell::new(None) };
}

/// What hostile code of this thread does from now on.
fn arm(act: impl Fn() + 'static) {
    ACT.set(Some(Rc::new(act)));
}

fn disarm() {
    drop(ACT.take());
}

fn act() {
    let act = ACT.with_borrow(Clone::clone);
    if let Some(act) = act {
        act();
    }
}

/// A number whose every code is hostile, but for its destructor.
#[derive(PartialEq, Eq)]
struct Evil(u32);

impl Ord for Evil {
    fn cmp(&self, other: &Evil) -> Ordering {
        WHO.set(self.0);
        act();
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Evil {
    fn partial_cmp(&self, other: &Evil) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Clone for Evil {
    fn clone(&self) -> Evil {
        act();
        Evil(self.0)
    }
}

impl fmt::Debug for Evil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        act();
        write!(f, "{}", self.0)
    }
}

/// Waits in every way that is likely.
fn wait() {
    green::yield_now();
    green::sleep(MS);
    let none = Semaphore::new(0);
    drop(none.acquire_timeout(MS));
}

fn panics(f: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(f)).is_err()
}

#[test]
fn an_order_that_waits_harms_no_sibling() {
    bounded(|| {
        let queue = Rc::new(PriorityQueue::unbounded());
        let same = Rc::clone(&queue);
        let sibling = green::spawn(move || {
            for _ in 0..20 {
                same.qsize();
                assert!(same.put(Evil(9)).is_ok());
                green::yield_now();
            }
        });
        arm(wait);
        for n in [3, 1, 2] {
            assert!(queue.put(Evil(n)).is_ok());
            green::yield_now();
        }
        sibling.join().unwrap();
        let all: Vec<_> = std::iter::from_fn(|| queue.try_get().ok()).collect();
        disarm();
        let all: Vec<_> = all.iter().map(|item| item.0).collect();
        assert_eq!(all[..3], [1, 2, 3]);
        assert_eq!(all[3..], [9; 20]);
    });
}

#[test]
fn an_order_that_waits_blocks_no_thread() {
    bounded(|| {
        let queue = Arc::new(sync::PriorityQueue::unbounded());
        let same = Arc::clone(&queue);
        let sibling =
            green::spawn(move || (0..20).map(|_| same.qsize()).filter(|n| *n < 121).count());
        let same = Arc::clone(&queue);
        let thread = thread::spawn(move || {
            (0..100).for_each(|_| assert!(same.put(Evil(9)).is_ok()));
        });
        arm(wait);
        (0..20).for_each(|n| assert!(queue.put(Evil(n)).is_ok()));
        disarm();
        assert_eq!(sibling.join().unwrap(), 20);
        thread.join().unwrap();
        let all: Vec<_> = std::iter::from_fn(|| queue.try_get().ok())
            .map(|item| item.0)
            .collect();
        assert_eq!(all.len(), 120);
        assert!(all.is_sorted(), "{all:?}");
    });
}

#[test]
fn an_order_that_panics_changes_nothing() {
    bounded(|| {
        let queue = Rc::new(PriorityQueue::unbounded());
        let getters: Vec<_> = [60_000, 20]
            .into_iter()
            .map(|patience| {
                let queue = Rc::clone(&queue);
                spawn_settled(move || {
                    let got = queue.get_timeout(patience * MS);
                    got.map(|item: Evil| item.0)
                })
            })
            .collect();
        queue.try_put(Evil(1)).unwrap();
        arm(|| panic!("cannot compare"));
        assert!(panics(|| drop(queue.try_put(Evil(2)))));
        disarm();
        let got: Vec<_> = getters
            .into_iter()
            .map(|getter| getter.join().unwrap())
            .collect();
        assert_eq!(got, [Ok(1), Err(GetError::Empty)]);
        assert_eq!((queue.qsize(), queue.unfinished_tasks()), (0, 1));

        for n in [2, 0, 3, 1] {
            queue.put(Evil(n)).unwrap();
        }
        arm(|| panic!("cannot compare"));
        assert!(panics(|| drop(queue.get())));
        disarm();
        let rest: Vec<_> = std::iter::from_fn(|| queue.try_get().ok())
            .map(|item| item.0)
            .collect();
        assert_eq!(rest, [0, 1, 2, 3]);
    });
}

#[test]
fn a_promise_that_cannot_be_kept_goes_to_the_next() {
    bounded(|| {
        let queue = Rc::new(PriorityQueue::unbounded());
        let getter = |queue: &Rc<PriorityQueue<Evil>>, hostile: bool| {
            let queue = Rc::clone(queue);
            green::spawn(move || {
                let got = catch_unwind(AssertUnwindSafe(|| queue.get().map(|item| item.0)));
                if hostile {
                    disarm();
                }
                got.ok()
            })
        };
        let first = getter(&queue, true);
        settle();
        for n in [3, 1, 2] {
            queue.try_put(Evil(n)).unwrap();
        }
        arm(|| panic!("cannot compare"));
        let second = getter(&queue, false);
        assert_eq!(first.join().unwrap(), None);
        assert_eq!(second.join().unwrap(), Some(Ok(1)));
        assert_eq!(queue.qsize(), 2);
    });
}

#[test]
fn a_putter_whose_item_cannot_be_compared_hears_of_it_itself() {
    bounded(|| {
        let queue = Rc::new(PriorityQueue::bounded(2));
        queue.put(Evil(1)).unwrap();
        queue.put(Evil(2)).unwrap();
        let same = Rc::clone(&queue);
        let putter = green::spawn(move || same.put(Evil(3)).is_ok());
        let same = Rc::clone(&queue);
        let behind = green::spawn(move || same.put(Evil(4)).is_ok());
        green::yield_now();
        arm(|| assert_ne!(WHO.get(), 3, "cannot compare"));
        assert_eq!(queue.get().unwrap().0, 1);
        // The one behind gets the room; the other asks for the next itself.
        assert!(behind.join().unwrap());
        assert_eq!(queue.get().unwrap().0, 2);
        assert!(matches!(putter.join(), Err(Exit::Panicked(_))));
        disarm();
        assert_eq!(queue.get().unwrap().0, 4);
        assert_eq!(queue.unfinished_tasks(), 3);
    });
}

#[test]
fn an_order_that_calls_back_puts_and_does_no_more() {
    bounded(|| {
        let queue = Rc::new(PriorityQueue::bounded(5));
        queue.put(Evil(2)).unwrap();
        let (same, calls) = (Rc::clone(&queue), Rc::new(Cell::new(0)));
        let count = Rc::clone(&calls);
        arm(move || {
            count.set(count.get() + 1);
            if count.get() == 1 {
                assert_eq!((same.qsize(), same.getting()), (1, 0));
                assert!(same.put(Evil(7)).is_ok());
            } else {
                // What it has put is compared: that puts no more.
                assert!(matches!(same.put(Evil(8)), Err(PutError::Busy(Evil(8)))));
            }
            assert!(matches!(same.try_get(), Err(GetError::Busy)));
            assert!(matches!(same.peek(), Err(GetError::Busy)));
            assert!(panics(|| same.shutdown(true)));
            assert!(format!("{same:?}").contains("qsize: 2"));
            assert!(!same.join());
        });
        queue.put(Evil(1)).unwrap();
        disarm();
        assert!(calls.get() > 1);
        assert_eq!((queue.qsize(), queue.unfinished_tasks()), (3, 3));
        let all: Vec<_> = std::iter::from_fn(|| queue.try_get().ok())
            .map(|item| item.0)
            .collect();
        assert_eq!(all, [1, 2, 7]);

        // The change itself has the last room.
        let queue = Rc::new(PriorityQueue::bounded(2));
        queue.put(Evil(2)).unwrap();
        let same = Rc::clone(&queue);
        arm(move || assert!(matches!(same.put(Evil(7)), Err(PutError::Busy(_)))));
        queue.put(Evil(1)).unwrap();
        disarm();
        assert_eq!(queue.qsize(), 2);
    });
}

#[test]
fn an_order_that_calls_back_does_the_same_between_threads() {
    bounded(|| {
        let queue = Arc::new(sync::PriorityQueue::unbounded());
        queue.put(Evil(2)).unwrap();
        let same = Arc::clone(&queue);
        arm(move || {
            assert!(same.qsize() < 3);
            drop(same.put(Evil(7)));
            assert!(matches!(same.get(), Err(GetError::Busy)));
        });
        queue.put(Evil(1)).unwrap();
        disarm();
        assert_eq!(queue.qsize(), 3);
        assert_eq!(queue.get().unwrap().0, 1);
    });
}

#[test]
fn an_order_that_wakes_others_does() {
    bounded(|| {
        let (queue, flag) = (PriorityQueue::unbounded(), Rc::new(green::Flag::new()));
        let same = Rc::clone(&flag);
        let waiter = green::spawn(move || same.wait());
        green::yield_now();
        arm(move || flag.set());
        queue.put(Evil(1)).unwrap();
        queue.put(Evil(2)).unwrap();
        disarm();
        assert!(waiter.join().unwrap());
    });
}

#[test]
fn a_peek_is_as_if_instant() {
    bounded(|| {
        let queue = Rc::new(Queue::bounded(2));
        queue.put(Evil(1)).unwrap();
        queue.put(Evil(2)).unwrap();
        let same = Rc::clone(&queue);
        let seen = Rc::new(RefCell::new(Vec::new()));
        let log = Rc::clone(&seen);
        arm(move || {
            wait();
            let put = same.try_put(Evil(3)).is_ok();
            log.borrow_mut().push((same.qsize(), same.is_full(), put));
        });
        let same = Rc::clone(&queue);
        let peek = green::spawn(move || same.peek().map(|item| item.0));
        green::yield_now();
        assert_eq!((queue.qsize(), queue.is_full()), (2, true));
        assert!(queue.try_put(Evil(3)).is_err());
        assert_eq!(queue.copy().qsize(), 2);
        disarm();
        assert_eq!(peek.join().unwrap(), Ok(1));
        assert_eq!(queue.get().unwrap().0, 1);
        assert!(!seen.borrow().is_empty());
        assert!(seen.borrow().iter().all(|seen| *seen == (2, true, false)));
    });
}

#[test]
fn a_clone_that_panics_loses_no_item() {
    bounded(|| {
        let queue = Queue::unbounded();
        queue.put(Evil(1)).unwrap();
        arm(|| panic!("cannot clone"));
        assert!(panics(|| drop(queue.peek())));
        assert!(panics(|| drop(queue.copy())));
        disarm();
        assert_eq!(queue.get().unwrap().0, 1);
    });
}

#[test]
fn the_value_of_a_greenthread_is_cloned_under_no_borrow() {
    bounded(|| {
        let mut gt = green::spawn(|| Evil(5));
        let polled = Rc::new(Cell::new(None));
        let out = Rc::clone(&polled);
        gt.link(move |gt| {
            arm(wait);
            out.set(gt.poll().map(|result| result.map(|value| value.0).is_ok()));
            disarm();
        });
        let value = loop {
            green::yield_now();
            if let Some(result) = gt.try_join() {
                break result.unwrap().0;
            }
        };
        settle();
        assert_eq!((value, polled.get()), (5, Some(true)));

        let gt = Rc::new(green::spawn(|| Evil(5)));
        green::yield_now();
        arm(|| panic!("cannot clone"));
        assert!(panics(|| drop(gt.poll())));
        disarm();
        let (same, calls) = (Rc::clone(&gt), Cell::new(0));
        arm(move || {
            calls.set(calls.get() + 1);
            if calls.get() == 1 {
                assert!(same.is_successful());
                assert_eq!(same.poll().unwrap().unwrap().0, 5);
            }
        });
        assert_eq!(gt.wait().unwrap().0, 5);
        disarm();
    });
}

#[test]
fn what_shows_a_locked_value_may_wait() {
    bounded(|| {
        let (mutex, rwlock) = (Rc::new(Mutex::new(Evil(1))), Rc::new(RwLock::new(Evil(1))));
        let writers = [
            {
                let mutex = Rc::clone(&mutex);
                green::spawn(move || mutex.lock().unwrap().0 = 2)
            },
            {
                let rwlock = Rc::clone(&rwlock);
                green::spawn(move || rwlock.write().unwrap().0 = 2)
            },
        ];
        arm(wait);
        assert!(format!("{mutex:?} {rwlock:?}").contains('1'));
        disarm();
        for writer in writers {
            writer.join().unwrap();
        }
        assert_eq!((mutex.lock().unwrap().0, rwlock.read().unwrap().0), (2, 2));
        arm(|| panic!("cannot be shown"));
        assert!(panics(|| drop(format!("{mutex:?}"))));
        assert!(panics(|| drop(format!("{rwlock:?}"))));
        disarm();
        assert!(!mutex.is_locked());
        assert!(rwlock.try_write().is_some());
        let held = mutex.lock().unwrap();
        assert!(format!("{mutex:?}").contains("<locked>"));
        drop(held);
    });
}

#[test]
fn a_writer_that_shows_a_queue_may_use_it() {
    struct CallsBack(Rc<Queue<u32>>, Arc<sync::Queue<u32>>);
    impl Write for CallsBack {
        fn write_str(&mut self, _: &str) -> fmt::Result {
            green::yield_now();
            self.0.put(1).map_err(|_| fmt::Error)?;
            self.1.put(1).map_err(|_| fmt::Error)
        }
    }
    bounded(|| {
        let mut out = CallsBack(Rc::default(), Arc::default());
        let (local, shared) = (Rc::clone(&out.0), Arc::clone(&out.1));
        write!(out, "{local:?} {shared:?}").unwrap();
        assert!(local.qsize() > 0);
        assert_eq!(local.qsize(), shared.qsize());
    });
}

#[test]
fn each_waiter_of_an_event_clones_for_itself() {
    bounded(|| {
        let event = Rc::new(Event::<Evil>::new());
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let event = Rc::clone(&event);
                green::spawn(move || event.wait().unwrap().0)
            })
            .collect();
        green::yield_now();
        let same = Rc::clone(&event);
        let left = Cell::new(1);
        arm(move || {
            wait();
            assert!(same.ready());
            if left.replace(0) == 1 {
                panic!("cannot clone");
            }
        });
        event.send(Evil(4)).unwrap();
        let ends: Vec<_> = waiters.into_iter().map(|waiter| waiter.join()).collect();
        disarm();
        assert_eq!(ends.iter().filter(|end| matches!(end, Ok(4))).count(), 2);
        assert_eq!(ends.iter().filter(|end| end.is_err()).count(), 1);
    });
}

#[test]
fn a_result_is_set_though_the_last_ones_destructor_panics() {
    struct Dropped;
    impl Drop for Dropped {
        fn drop(&mut self) {
            act();
        }
    }
    bounded(|| {
        let result = Rc::new(AsyncResult::new());
        result.set((1, Rc::new(Dropped)));
        let same = Rc::clone(&result);
        let waiter = green::spawn(move || same.get().unwrap().0);
        green::yield_now();
        arm(|| {
            disarm();
            panic!("cannot be dropped");
        });
        assert_eq!(waiter.join().unwrap(), 1);
        assert!(panics(|| result.set((2, Rc::new(Dropped)))));
        assert_eq!(result.value().unwrap().0, 2);
        disarm();
    });
}
