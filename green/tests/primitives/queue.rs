//! Queues: order, room, the rendezvous, timeouts, kills, shutdown, tasks.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::common::primitive::{
    Log, MS, assert_idle, bounded, settle, spawn_settled, while_two_unwind, while_unwinding,
};
use green::queue::{GetError, PutError};
use green::{LifoQueue, LightQueue, PriorityQueue, Queue, Timeout};

fn getter<T: 'static>(queue: &Rc<Queue<T>>, log: &Log<T>) -> green::GreenThread<()> {
    let (queue, log) = (Rc::clone(queue), log.clone());
    spawn_settled(move || log.add(queue.get().unwrap()))
}

fn putter<T: 'static>(queue: &Rc<Queue<T>>, item: T) -> green::GreenThread<bool> {
    let queue = Rc::clone(queue);
    spawn_settled(move || queue.put(item).is_ok())
}

#[test]
fn items_come_out_in_the_order_of_the_queue() {
    bounded(|| {
        let (fifo, lifo, lowest) = (
            LightQueue::default(),
            LifoQueue::unbounded(),
            PriorityQueue::unbounded(),
        );
        for i in [2, 3, 1] {
            fifo.put(i).unwrap();
            lifo.put(i).unwrap();
            lowest.put(i).unwrap();
        }
        assert_eq!(
            std::iter::from_fn(|| fifo.try_get().ok()).collect::<Vec<_>>(),
            [2, 3, 1]
        );
        assert_eq!(
            std::iter::from_fn(|| lifo.try_get().ok()).collect::<Vec<_>>(),
            [1, 3, 2]
        );
        assert_eq!(
            std::iter::from_fn(|| lowest.try_get().ok()).collect::<Vec<_>>(),
            [1, 2, 3]
        );
    });
}

#[test]
fn equals_come_out_in_the_order_in_which_they_came() {
    #[derive(PartialEq, Eq, Debug)]
    struct Job(u8, u32);
    impl Ord for Job {
        fn cmp(&self, other: &Job) -> Ordering {
            self.0.cmp(&other.0)
        }
    }
    impl PartialOrd for Job {
        fn partial_cmp(&self, other: &Job) -> Option<Ordering> {
            Some(self.cmp(other))
        }
    }
    bounded(|| {
        let queue = PriorityQueue::unbounded();
        for i in 0..100 {
            queue.put(Job((i % 3) as u8, i)).unwrap();
        }
        let order: Vec<_> = std::iter::from_fn(|| queue.try_get().ok())
            .map(|job| (job.0, job.1))
            .collect();
        assert!(order.is_sorted());
        assert_eq!(order.len(), 100);
    });
}

#[test]
fn a_full_queue_makes_putters_wait_for_getters() {
    bounded(|| {
        let (queue, log) = (Rc::new(Queue::bounded(2)), Log::new());
        let producer = {
            let (queue, log) = (Rc::clone(&queue), log.clone());
            green::spawn(move || {
                for item in ["a", "b", "c"] {
                    queue.put(item).unwrap();
                    log.add(item);
                }
            })
        };
        settle();
        assert_eq!(log.take(), ["a", "b"]);
        assert_eq!(
            (queue.qsize(), queue.is_full(), queue.putting()),
            (2, true, 1)
        );
        assert_eq!(queue.try_put("d"), Err(PutError::Full("d")));
        assert_eq!(queue.get(), Ok("a"));
        // The item of the one that waited is in the queue already.
        assert_eq!((queue.qsize(), queue.putting(), log.take()), (2, 0, vec![]));
        settle();
        assert_eq!(log.take(), ["c"]);
        assert_eq!(
            [queue.get(), queue.get(), queue.try_get()],
            [Ok("b"), Ok("c"), Err(GetError::Empty)]
        );
        producer.join().unwrap();
    });
}

#[test]
fn getters_are_served_in_the_order_of_their_arrival() {
    bounded(|| {
        let (queue, order) = (Rc::new(Queue::unbounded()), Log::new());
        let getters: Vec<_> = (0..10)
            .map(|i| {
                let (queue, order) = (Rc::clone(&queue), order.clone());
                spawn_settled(move || order.add((i, queue.get().unwrap())))
            })
            .collect();
        settle();
        assert_eq!(queue.getting(), 10);
        for i in 0..10 {
            queue.try_put(i).unwrap();
        }
        // Promised already, so nobody overtakes.
        assert_eq!(
            (queue.getting(), queue.qsize(), queue.is_empty()),
            (0, 0, true)
        );
        assert_eq!(queue.try_get(), Err(GetError::Empty));
        getters
            .into_iter()
            .for_each(|getter| getter.join().unwrap());
        assert_eq!(order.take(), (0..10).map(|i| (i, i)).collect::<Vec<_>>());
    });
}

#[test]
fn putters_are_served_in_the_order_of_their_arrival() {
    bounded(|| {
        let queue = Rc::new(Queue::bounded(1));
        let putters: Vec<_> = (0..10).map(|i| putter(&queue, i)).collect();
        settle();
        assert_eq!(queue.putting(), 9);
        for i in 0..10 {
            assert_eq!(queue.get(), Ok(i));
        }
        assert!(putters.into_iter().all(|putter| putter.join().unwrap()));
    });
}

#[test]
fn a_rendezvous_is_always_empty_and_full() {
    bounded(|| {
        let (queue, log) = (Rc::new(Queue::channel()), Log::new());
        let facts = |queue: &Queue<u8>| {
            (
                queue.qsize(),
                queue.is_empty(),
                queue.is_full(),
                queue.capacity(),
            )
        };
        assert_eq!(facts(&queue), (0, true, true, Some(0)));
        let put = putter(&queue, 1);
        settle();
        assert_eq!(
            (facts(&queue), queue.putting()),
            ((0, true, true, Some(0)), 1)
        );
        assert_eq!(queue.get(), Ok(1));
        let get = getter(&queue, &log);
        settle();
        assert_eq!(
            (facts(&queue), queue.getting()),
            ((0, true, true, Some(0)), 1)
        );
        queue.put(2).unwrap();
        assert_eq!(log.take(), [2]);
        put.join().unwrap();
        get.join().unwrap();
    });
}

#[test]
fn a_rendezvous_put_returns_when_its_item_was_taken() {
    bounded(|| {
        let (channel, log) = (Rc::new(Queue::channel()), Log::new());
        {
            let (channel, log) = (Rc::clone(&channel), log.clone());
            green::spawn_n(move || {
                log.add(channel.get().unwrap());
                log.add(channel.get().unwrap());
            });
        }
        log.add("sending");
        channel.put("hello").unwrap();
        log.add("sent hello");
        channel.put("world").unwrap();
        log.add("sent world");
        assert_eq!(
            log.take(),
            ["sending", "hello", "sent hello", "world", "sent world"]
        );
    });
}

#[test]
fn a_rendezvous_get_waits_for_a_put() {
    bounded(|| {
        let (channel, log) = (Rc::new(Queue::channel()), Log::new());
        {
            let (channel, log) = (Rc::clone(&channel), log.clone());
            green::spawn_n(move || {
                log.add("sending hello");
                channel.put("hello").unwrap();
                log.add("sending world");
                channel.put("world").unwrap();
                log.add("sent world");
            });
        }
        log.add("waiting");
        log.add(channel.get().unwrap());
        log.add(channel.get().unwrap());
        assert_eq!(
            log.take(),
            [
                "waiting",
                "sending hello",
                "hello",
                "sending world",
                "world"
            ]
        );
        green::yield_now();
        assert_eq!(log.take(), ["sent world"]);
    });
}

#[test]
fn a_rendezvous_takes_no_item_of_a_sender_that_gave_up() {
    bounded(|| {
        let channel = Queue::channel();
        assert_eq!(channel.put_timeout("hi", MS), Err(PutError::Full("hi")));
        assert_eq!(channel.try_get(), Err(GetError::Empty));
    });
}

#[test]
fn a_rendezvous_has_room_for_one_who_waits() {
    bounded(|| {
        let (channel, log) = (Rc::new(Queue::channel()), Log::new());
        assert_eq!(channel.try_put(0), Err(PutError::Full(0)));
        let get = getter(&channel, &log);
        settle();
        assert_eq!(channel.try_put(1), Ok(()));
        // One waited, and it has its item.
        assert_eq!(channel.try_put(2), Err(PutError::Full(2)));
        get.join().unwrap();
        assert_eq!(log.take(), [1]);
        let put = putter(&channel, 3);
        settle();
        assert_eq!(channel.try_get(), Ok(3));
        assert!(put.join().unwrap());
    });
}

#[test]
fn a_rendezvous_keeps_the_order_of_those_who_put() {
    bounded(|| {
        let (channel, log) = (Rc::new(Queue::channel()), Log::new());
        let getters: Vec<_> = (0..3).map(|_| getter(&channel, &log)).collect();
        settle();
        // While unwinding, so that nothing is taken in between.
        let puts = Rc::clone(&channel);
        while_unwinding(move || {
            assert_eq!(puts.put(1), Ok(()));
            assert_eq!(puts.try_put(2), Ok(()));
            assert_eq!(puts.put(3), Ok(()));
            assert_eq!(puts.put(4), Err(PutError::Unwinding(4)));
        });
        getters
            .into_iter()
            .for_each(|getter| getter.join().unwrap());
        assert_eq!(
            (log.take(), channel.try_get()),
            (vec![1, 2, 3], Err(GetError::Empty))
        );
    });
}

#[test]
fn a_rendezvous_item_that_is_promised_is_put() {
    bounded(|| {
        let (channel, log) = (Rc::new(Queue::channel()), Log::new());
        let get = getter(&channel, &log);
        settle();
        // The getter was woken when the time of the putter was up: the item is the getter's, and the put has succeeded.
        let unwinding = Rc::clone(&channel);
        while_unwinding(move || assert_eq!(unwinding.put(1), Ok(())));
        get.join().unwrap();
        assert_eq!((log.take(), channel.putting()), (vec![1], 0));
    });
}

#[test]
fn senders_that_die_leave_no_item() {
    bounded(|| {
        for queue in [Queue::channel(), Queue::bounded(1)] {
            let queue = Rc::new(queue);
            let _ = queue.try_put(0);
            let put = putter(&queue, 1);
            settle();
            assert_eq!(queue.putting(), 1);
            put.kill();
            assert_eq!(queue.putting(), 0);
            let _ = queue.try_get();
            assert_eq!(queue.try_get(), Err(GetError::Empty));
        }
    });
}

#[test]
fn a_promise_goes_on_when_the_getter_dies() {
    bounded(|| {
        for queue in [Queue::channel(), Queue::bounded(1), Queue::unbounded()] {
            let (queue, log) = (Rc::new(queue), Log::new());
            let first = getter(&queue, &log);
            let second = getter(&queue, &log);
            settle();
            queue.try_put(1).unwrap();
            first.kill();
            second.join().unwrap();
            assert_eq!(log.take(), [1]);
            // Nobody else waits: the item stays.
            let last = getter(&queue, &log);
            settle();
            queue.try_put(2).unwrap();
            last.kill();
            assert_eq!((queue.qsize(), queue.try_get()), (1, Ok(2)));
        }
    });
}

#[test]
fn items_keep_their_order_when_getters_die() {
    bounded(|| {
        let (queue, log) = (Rc::new(Queue::unbounded()), Log::new());
        let getters: Vec<_> = (0..3).map(|_| getter(&queue, &log)).collect();
        settle();
        queue.try_put(1).unwrap();
        queue.try_put(2).unwrap();
        getters[0].kill();
        settle();
        assert_eq!(log.take(), [1, 2]);
        assert_eq!((queue.getting(), queue.qsize()), (0, 0));
    });
}

#[test]
fn timeouts_are_kept_and_leave_nothing_behind() {
    bounded(|| {
        let queue = Queue::bounded(1);
        let start = Instant::now();
        assert_eq!(queue.get_timeout(10 * MS), Err(GetError::Empty));
        assert!(start.elapsed() >= 10 * MS);
        queue.put(1).unwrap();
        let start = Instant::now();
        assert_eq!(queue.put_timeout(2, 10 * MS), Err(PutError::Full(2)));
        assert!(start.elapsed() >= 10 * MS);
        assert!(Timeout::new(MS).run(|| queue.put(3)).is_err());
        assert_eq!((queue.getting(), queue.putting(), queue.qsize()), (0, 0, 1));
        assert_eq!(queue.get(), Ok(1));
        assert!(Timeout::new(MS).run(|| queue.get()).is_err());
        assert_eq!(
            (queue.getting(), queue.try_get()),
            (0, Err(GetError::Empty))
        );
    });
}

#[test]
fn a_timeout_of_zero_lets_the_others_run_once() {
    bounded(|| {
        let queue = Rc::new(Queue::bounded(1));
        // They do not use up their share, so once is enough for them.
        let puts = Rc::clone(&queue);
        let put = green::spawn(move || puts.try_put(1));
        assert_eq!(queue.get_timeout(Duration::ZERO), Ok(1));
        assert_eq!(put.join().unwrap(), Ok(()));
        queue.put(2).unwrap();
        let gets = Rc::clone(&queue);
        let get = green::spawn(move || gets.try_get());
        assert_eq!(queue.put_timeout(3, Duration::ZERO), Ok(()));
        assert_eq!(get.join().unwrap(), Ok(2));
    });
}

#[test]
fn growing_wakes_putters_and_shrinking_keeps_items() {
    bounded(|| {
        let queue = Rc::new(Queue::bounded(1));
        let putters: Vec<_> = (0..5).map(|i| putter(&queue, i)).collect();
        settle();
        assert_eq!(queue.putting(), 4);
        queue.resize(Some(3));
        assert_eq!((queue.putting(), queue.qsize()), (2, 3));
        queue.resize(None);
        assert_eq!(
            (queue.putting(), queue.qsize(), queue.capacity()),
            (0, 5, None)
        );
        queue.resize(Some(1));
        assert_eq!(
            (queue.qsize(), queue.is_full(), queue.capacity()),
            (5, true, Some(1))
        );
        for i in 0..4 {
            assert_eq!((queue.get(), queue.is_full()), (Ok(i), true));
        }
        assert_eq!((queue.get(), queue.is_full()), (Ok(4), false));
        assert!(putters.into_iter().all(|putter| putter.join().unwrap()));
    });
}

#[test]
fn a_rendezvous_can_become_a_queue_and_the_other_way_round() {
    bounded(|| {
        let queue = Rc::new(Queue::channel());
        let putters: Vec<_> = (0..3).map(|i| putter(&queue, i)).collect();
        settle();
        queue.resize(Some(2));
        assert_eq!((queue.putting(), queue.qsize()), (1, 2));
        queue.resize(Some(0));
        assert_eq!(
            [queue.get(), queue.get(), queue.get()],
            [Ok(0), Ok(1), Ok(2)]
        );
        assert!(putters.into_iter().all(|putter| putter.join().unwrap()));
        assert_eq!(queue.try_put(3), Err(PutError::Full(3)));
    });
}

#[test]
fn try_put_and_try_get_never_switch() {
    bounded(|| {
        let queue = Queue::unbounded();
        let switches = green::debug::counters().switches;
        green::spawn_n(|| ());
        for i in 0..1000 {
            queue.try_put(i).unwrap();
        }
        for i in 0..1000 {
            assert_eq!(queue.try_get(), Ok(i));
        }
        assert_eq!(green::debug::counters().switches, switches);
    });
}

#[test]
fn two_loops_that_put_back_what_they_get_starve_nobody() {
    bounded(|| {
        let queue = Rc::new(Queue::bounded(10));
        (0..5).for_each(|i| queue.put(i).unwrap());
        let loops: Vec<_> = (0..2)
            .map(|_| {
                let queue = Rc::clone(&queue);
                green::spawn(move || {
                    loop {
                        queue.put(queue.get().unwrap()).unwrap();
                    }
                })
            })
            .collect();
        let slept = green::spawn(|| green::sleep(MS));
        slept.join().unwrap();
        for looper in loops {
            looper.kill();
        }
        // A kill comes where nothing is in anybody's hand.
        let mut items: Vec<_> = std::iter::from_fn(|| queue.try_get().ok()).collect();
        items.sort_unstable();
        assert!(items.len() >= 3);
    });
}

#[test]
fn tasks_are_counted_and_joined() {
    bounded(|| {
        let queue = Rc::new(Queue::unbounded());
        assert!(queue.join());
        assert!(queue.task_done().is_err());
        for i in 0..3 {
            queue.put(i).unwrap();
        }
        assert!(!queue.join_timeout(MS));
        let log = Log::new();
        let joiners: Vec<_> = (0..3)
            .map(|i| {
                let (queue, log) = (Rc::clone(&queue), log.clone());
                spawn_settled(move || log.add((i, queue.join())))
            })
            .collect();
        settle();
        for left in (0..3).rev() {
            queue.get().unwrap();
            queue.task_done().unwrap();
            assert_eq!((queue.unfinished_tasks(), log.take()), (left, vec![]));
        }
        joiners
            .into_iter()
            .for_each(|joiner| joiner.join().unwrap());
        assert_eq!(log.take(), [(0, true), (1, true), (2, true)]);
        assert!(queue.task_done().is_err());
        assert_eq!(queue.unfinished_tasks(), 0);
    });
}

#[test]
fn items_handed_over_are_tasks_as_well() {
    bounded(|| {
        let (queue, log) = (Rc::new(Queue::channel()), Log::new());
        let get = getter(&queue, &log);
        settle();
        queue.put(1).unwrap();
        get.join().unwrap();
        assert_eq!(queue.unfinished_tasks(), 1);
        queue.task_done().unwrap();
        assert!(queue.join());
    });
}

#[test]
fn a_graceful_shutdown_lets_the_items_be_used_up() {
    bounded(|| {
        let queue = Rc::new(Queue::bounded(2));
        let putters: Vec<_> = (0..3).map(|i| putter(&queue, i)).collect();
        settle();
        queue.shutdown(false);
        assert!(queue.is_shutdown());
        let put: Vec<_> = putters
            .into_iter()
            .map(|putter| putter.join().unwrap())
            .collect();
        assert_eq!(put, [true, true, false]);
        assert_eq!(queue.put(3), Err(PutError::Shutdown(3)));
        assert_eq!(queue.try_put(3), Err(PutError::Shutdown(3)));
        assert_eq!(queue.put_timeout(3, MS), Err(PutError::Shutdown(3)));
        assert_eq!(queue.get(), Ok(0));
        assert_eq!(queue.get(), Ok(1));
        assert_eq!(queue.get(), Err(GetError::Shutdown));
        assert_eq!(queue.try_get(), Err(GetError::Shutdown));
        assert_eq!(queue.get_timeout(MS), Err(GetError::Shutdown));
        assert_eq!(queue.peek(), Err(GetError::Shutdown));
    });
}

#[test]
fn an_immediate_shutdown_drains() {
    bounded(|| {
        struct Counts(Rc<Cell<u32>>);
        impl Drop for Counts {
            fn drop(&mut self) {
                self.0.set(self.0.get() + 1);
            }
        }
        let dropped = Rc::new(Cell::new(0));
        let queue = Rc::new(Queue::unbounded());
        for _ in 0..3 {
            queue.put(Counts(Rc::clone(&dropped))).unwrap();
        }
        queue.get().unwrap();
        let joined = Rc::clone(&queue);
        let joiner = green::spawn(move || joined.join());
        settle();
        queue.shutdown(true);
        assert_eq!(
            (dropped.get(), queue.qsize(), queue.unfinished_tasks()),
            (3, 0, 1)
        );
        queue.task_done().unwrap();
        assert!(joiner.join().unwrap());
        queue.shutdown(true);
        assert_eq!(queue.get().err(), Some(GetError::Shutdown));
    });
}

#[test]
fn shutdown_wakes_everybody_who_waits() {
    bounded(|| {
        for immediate in [false, true] {
            for queue in [Queue::channel(), Queue::bounded(1), Queue::unbounded()] {
                let queue: Rc<Queue<u8>> = Rc::new(queue);
                let getters: Vec<_> = (0..3)
                    .map(|i| {
                        let queue = Rc::clone(&queue);
                        green::spawn(move || if i == 1 { queue.peek() } else { queue.get() })
                    })
                    .collect();
                settle();
                queue.shutdown(immediate);
                for getter in getters {
                    assert_eq!(getter.join().unwrap(), Err(GetError::Shutdown));
                }
            }
            let channel = Rc::new(Queue::channel());
            let put = Rc::clone(&channel);
            let put = green::spawn(move || put.put(7));
            settle();
            channel.shutdown(immediate);
            assert_eq!(put.join().unwrap(), Err(PutError::Shutdown(7)));
        }
    });
}

#[test]
fn a_getter_with_a_promise_survives_a_graceful_shutdown_only() {
    bounded(|| {
        for immediate in [false, true] {
            for queue in [Queue::channel(), Queue::bounded(1)] {
                let queue = Rc::new(queue);
                let get = Rc::clone(&queue);
                let get = green::spawn(move || get.get());
                settle();
                queue.try_put(1).unwrap();
                queue.shutdown(immediate);
                let expected = if immediate {
                    Err(GetError::Shutdown)
                } else {
                    Ok(1)
                };
                assert_eq!(get.join().unwrap(), expected);
            }
        }
    });
}

#[test]
fn iteration_ends_with_the_queue() {
    bounded(|| {
        let queue = Rc::new(Queue::bounded(1));
        let producer = Rc::clone(&queue);
        green::spawn_n(move || {
            (0..5).for_each(|i| producer.put(i).unwrap());
            producer.shutdown(false);
        });
        let mut items = vec![];
        for item in &*queue {
            items.push(item);
        }
        assert_eq!(items, [0, 1, 2, 3, 4]);
    });
}

#[test]
fn peeking_takes_nothing() {
    bounded(|| {
        let (queue, log) = (Rc::new(Queue::unbounded()), Log::new());
        assert_eq!(queue.try_peek(), Err(GetError::Empty));
        assert_eq!(queue.peek_timeout(MS), Err(GetError::Empty));
        let peekers: Vec<_> = (0..2)
            .map(|_| {
                let queue = Rc::clone(&queue);
                spawn_settled(move || queue.peek())
            })
            .collect();
        let get = getter(&queue, &log);
        settle();
        assert_eq!(queue.getting(), 3);
        queue.put("item").unwrap();
        for peeker in peekers {
            assert_eq!(peeker.join().unwrap(), Ok("item"));
        }
        get.join().unwrap();
        assert_eq!(
            (log.take(), queue.try_get()),
            (vec!["item"], Err(GetError::Empty))
        );
    });
}

#[test]
fn a_peeker_behind_a_getter_waits_for_the_next_item() {
    bounded(|| {
        let (queue, log) = (Rc::new(Queue::unbounded()), Log::new());
        let get = getter(&queue, &log);
        let peek = Rc::clone(&queue);
        let peek = green::spawn(move || peek.peek());
        settle();
        queue.put(1).unwrap();
        get.join().unwrap();
        settle();
        assert!(!peek.is_dead());
        queue.put(2).unwrap();
        assert_eq!(peek.join().unwrap(), Ok(2));
        assert_eq!((log.take(), queue.qsize()), (vec![1], 1));
    });
}

#[test]
fn peek_sees_the_next_of_every_order() {
    bounded(|| {
        let (lifo, lowest) = (LifoQueue::unbounded(), PriorityQueue::unbounded());
        for i in [2, 1, 3] {
            lifo.put(i).unwrap();
            lowest.put(i).unwrap();
        }
        assert_eq!((lifo.peek(), lowest.peek()), (Ok(3), Ok(1)));
        let copy = lowest.copy();
        assert_eq!((copy.get(), copy.qsize(), lowest.qsize()), (Ok(1), 2, 3));
    });
}

/// Comes back into the queue, and lets others run, from within its own clone.
struct Reenters(Rc<Queue<Reenters>>, u8);

impl Clone for Reenters {
    fn clone(&self) -> Reenters {
        self.0
            .put(Reenters(Rc::clone(&self.0), self.1 + 10))
            .unwrap();
        green::yield_now();
        Reenters(Rc::clone(&self.0), self.1 + 100)
    }
}

#[test]
fn a_clone_that_uses_the_queue_loses_nothing() {
    bounded(|| {
        let queue = Rc::new(Queue::unbounded());
        for i in 0..2 {
            queue.put(Reenters(Rc::clone(&queue), i)).unwrap();
        }
        let got = Log::new();
        let getter = {
            let (queue, got) = (Rc::clone(&queue), got.clone());
            green::spawn(move || got.add(queue.get().unwrap().1))
        };
        // Not `peek`: on a busy machine that lets the getter go first.
        assert_eq!(queue.try_peek().unwrap().1, 100);
        getter.join().unwrap();
        let mut all = got.take();
        all.extend(std::iter::from_fn(|| queue.try_get().ok()).map(|item| item.1));
        all.sort_unstable();
        assert_eq!(all, [0, 1, 10]);
    });
}

#[test]
fn while_unwinding_nothing_waits() {
    bounded(|| {
        let queue = Rc::new(Queue::bounded(1));
        let unwinding = Rc::clone(&queue);
        while_unwinding(move || {
            assert_eq!(unwinding.get(), Err(GetError::Unwinding));
            assert_eq!(unwinding.peek(), Err(GetError::Unwinding));
            assert_eq!(unwinding.put(1), Ok(()));
            assert_eq!(unwinding.put(2), Err(PutError::Unwinding(2)));
            assert_eq!(
                unwinding.put_timeout(2, 60_000 * MS),
                Err(PutError::Unwinding(2))
            );
            assert!(!unwinding.join());
            assert_eq!(unwinding.get(), Ok(1));
            assert_eq!(unwinding.get_timeout(60_000 * MS), Err(GetError::Unwinding));
            assert_eq!(unwinding.iter().count(), 0);
            unwinding.task_done().unwrap();
            assert!(unwinding.join());
        });
        assert_eq!((queue.getting(), queue.putting(), queue.qsize()), (0, 0, 0));
    });
}

#[test]
fn two_that_unwind_at_once_never_switch() {
    bounded(|| {
        let queue = Queue::bounded(1);
        while_two_unwind(move || {
            // More calls than the budget of operations in a row has.
            for _ in 0..200 {
                queue.put(()).unwrap();
                assert!(queue.put(()).is_err());
                queue.get().unwrap();
                assert!(queue.get().is_err());
            }
        });
    });
}

#[test]
fn nobody_runs_while_all_wait() {
    bounded(|| {
        let (full, empty, log) = (
            Rc::new(Queue::bounded(1)),
            Rc::new(Queue::unbounded()),
            Log::<u32>::new(),
        );
        full.put(0).unwrap();
        let mut all: Vec<_> = (0..5).map(|_| getter(&empty, &log)).collect();
        for i in 0..5 {
            let full = Rc::clone(&full);
            all.push(green::spawn(move || full.put(i).unwrap()));
        }
        assert_idle();
        for one in all {
            one.kill();
        }
    });
}

#[test]
fn destructors_of_items_may_use_the_queue() {
    struct Echo(Rc<RefCell<Option<Rc<Queue<Echo>>>>>);
    impl Drop for Echo {
        fn drop(&mut self) {
            if let Some(queue) = &*self.0.borrow() {
                assert!(queue.try_put(Echo(Rc::default())).is_err());
                assert_eq!(queue.qsize(), 0);
            }
        }
    }
    bounded(|| {
        let slot = Rc::new(RefCell::new(None));
        let queue = Rc::new(Queue::unbounded());
        *slot.borrow_mut() = Some(Rc::clone(&queue));
        queue.put(Echo(Rc::clone(&slot))).unwrap();
        queue.shutdown(true);
        slot.take();
    });
}

#[test]
fn a_capped_semaphore_waits_on_both_sides() {
    use green::CappedSemaphore;
    bounded(|| {
        assert!(CappedSemaphore::new(2, 1).is_err());
        let semaphore = Rc::new(CappedSemaphore::new(2, 3).unwrap());
        assert!(semaphore.acquire() && semaphore.acquire());
        let other = Rc::clone(&semaphore);
        let releaser = green::spawn(move || other.release());
        assert!(semaphore.acquire());
        assert_eq!((semaphore.balance(), semaphore.is_locked()), (-3, true));
        for _ in 0..3 {
            assert!(semaphore.release());
        }
        assert!(!semaphore.try_release() && semaphore.is_bounded());
        assert!(!semaphore.release_timeout(MS));
        let other = Rc::clone(&semaphore);
        let acquirer = green::spawn(move || other.acquire());
        assert!(semaphore.release());
        assert_eq!((semaphore.balance(), semaphore.counter()), (3, 3));
        assert!(releaser.join().unwrap() && acquirer.join().unwrap());
        for _ in 0..3 {
            assert!(semaphore.try_acquire());
        }
        assert!(!semaphore.try_acquire() && !semaphore.acquire_timeout(MS));
        assert_eq!(semaphore.balance(), -3);
    });
}

#[test]
fn a_capped_semaphore_without_units_hands_over_directly() {
    use green::CappedSemaphore;
    bounded(|| {
        let semaphore = Rc::new(CappedSemaphore::new(0, 0).unwrap());
        let other = Rc::clone(&semaphore);
        let acquirer = green::spawn(move || other.acquire());
        settle();
        assert_eq!(
            (
                semaphore.balance(),
                semaphore.is_bounded(),
                semaphore.is_locked()
            ),
            (-2, false, true)
        );
        assert!(semaphore.release());
        assert!(acquirer.join().unwrap());
        let other = Rc::clone(&semaphore);
        let releaser = green::spawn(move || other.release());
        settle();
        assert_eq!(
            (
                semaphore.balance(),
                semaphore.is_bounded(),
                semaphore.is_locked()
            ),
            (2, true, false)
        );
        assert!(semaphore.acquire() && releaser.join().unwrap());
        assert_eq!(semaphore.balance(), 0);
        assert!(!semaphore.try_release() && !semaphore.try_acquire());
    });
}

#[test]
fn those_who_look_at_a_rendezvous_sleep() {
    bounded(|| {
        let queue = Rc::new(Queue::channel());
        let lookers: Vec<_> = (0..2)
            .map(|_| {
                let queue = Rc::clone(&queue);
                green::spawn(move || queue.peek())
            })
            .collect();
        let putter = putter(&queue, 1);
        assert_idle();
        assert_eq!((queue.putting(), queue.getting()), (1, 2));
        queue.shutdown(false);
        for looker in lookers {
            assert_eq!(looker.join().unwrap(), Err(GetError::Shutdown));
        }
        assert!(!putter.join().unwrap());
    });
}

#[test]
fn the_compiler_calls_a_queue_by_its_name() {
    for (name, expected) in [
        (std::any::type_name::<Queue<u32>>(), "::Queue<u32>"),
        (std::any::type_name::<LifoQueue<u32>>(), "::LifoQueue<u32>"),
        (
            std::any::type_name::<PriorityQueue<u32>>(),
            "::PriorityQueue<u32>",
        ),
        (
            std::any::type_name::<green::sync::Queue<u32>>(),
            "::sync::Queue<u32>",
        ),
    ] {
        assert!(name.ends_with(expected), "{name}");
    }
}
