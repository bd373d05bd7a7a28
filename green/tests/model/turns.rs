//! Turns of a neighbour, counted: a timeout of zero lets the others run once, and no call that always succeeds starves
//! them.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use green::dagpool::DagPool;
use green::event::{AsyncResult, Event, Flag};
use green::lock::{Condition, Lock, Mutex, RLock, RwLock};
use green::pools::Pool;
use green::{
    Barrier, BoundedSemaphore, CappedSemaphore, GreenPile, GreenPool, GreenThread, PriorityQueue,
    Queue, Semaphore, WaitGroup, sync,
};

use crate::common::primitive::{bounded, settle};

const ZERO: Duration = Duration::ZERO;
const LONG: Duration = Duration::from_secs(600);

/// A call that fails with a timeout of zero, or one that succeeds at once. It is made once and called often.
type Make = fn() -> Box<dyn FnMut()>;

/// Counts its turns until it is dropped.
struct Neighbour {
    turns: Rc<Cell<u64>>,
    runs: GreenThread<()>,
}

impl Neighbour {
    fn new() -> Neighbour {
        let turns = Rc::new(Cell::new(0));
        let count = Rc::clone(&turns);
        let runs = green::spawn(move || {
            loop {
                count.set(count.get() + 1);
                green::yield_now();
            }
        });
        Neighbour { turns, runs }
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.runs.kill();
    }
}

/// Sleeps until it is dropped.
struct Sleeper(GreenThread<()>);

impl Sleeper {
    fn new() -> Sleeper {
        Sleeper(green::spawn(|| green::sleep(LONG)))
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.0.kill();
    }
}

/// What it holds is held by another greenthread until it is dropped.
fn held_elsewhere<T: 'static>(f: impl FnOnce() -> T + 'static) -> Sleeper {
    let sleeper = Sleeper(green::spawn(move || {
        let _held = f();
        green::sleep(LONG);
    }));
    settle();
    sleeper
}

/// Leaves what it is given to nobody.
fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

const REFUSED: &[(&str, Make)] = &[
    ("sleep", || Box::new(|| green::sleep(ZERO))),
    ("get", || {
        let queue = Queue::<u8>::unbounded();
        Box::new(move || assert!(queue.get_timeout(ZERO).is_err()))
    }),
    ("get of a priority queue", || {
        let queue = PriorityQueue::<u8>::unbounded();
        Box::new(move || assert!(queue.get_timeout(ZERO).is_err()))
    }),
    ("put", || {
        let queue = Queue::channel();
        Box::new(move || assert!(queue.put_timeout(1, ZERO).is_err()))
    }),
    ("peek", || {
        let queue = Queue::<u8>::unbounded();
        Box::new(move || assert!(queue.peek_timeout(ZERO).is_err()))
    }),
    ("the tasks of a queue", || {
        let queue = Queue::unbounded();
        queue.put(1).unwrap();
        Box::new(move || assert!(!queue.join_timeout(ZERO)))
    }),
    ("get of a shared queue", || {
        let queue = sync::Queue::<u8>::unbounded();
        Box::new(move || assert!(queue.get_timeout(ZERO).is_err()))
    }),
    ("semaphore", || {
        let semaphore = Semaphore::new(0);
        Box::new(move || assert!(semaphore.acquire_timeout(ZERO).is_none()))
    }),
    ("shared semaphore", || {
        let semaphore = sync::Semaphore::new(0);
        Box::new(move || assert!(semaphore.acquire_timeout(ZERO).is_none()))
    }),
    ("bounded semaphore", || {
        let semaphore = BoundedSemaphore::new(0);
        Box::new(move || assert!(semaphore.acquire_timeout(ZERO).is_none()))
    }),
    ("acquire of a capped semaphore", || {
        let semaphore = CappedSemaphore::new(0, 1).unwrap();
        Box::new(move || assert!(!semaphore.acquire_timeout(ZERO)))
    }),
    ("release of a capped semaphore", || {
        let semaphore = CappedSemaphore::new(1, 1).unwrap();
        Box::new(move || assert!(!semaphore.release_timeout(ZERO)))
    }),
    ("lock", || {
        let lock = leak(Lock::new());
        lock.acquire().forget();
        Box::new(move || assert!(lock.acquire_timeout(ZERO).is_none()))
    }),
    ("rlock", || {
        let lock = Rc::new(RLock::new());
        let same = Rc::clone(&lock);
        let holder = held_elsewhere(move || same.acquire().forget());
        Box::new(move || assert!(lock.acquire_timeout(ZERO).is_none() && holder.0.is_active()))
    }),
    ("mutex", || {
        let mutex = leak(Mutex::new(1));
        let held = mutex.lock().unwrap();
        Box::new(move || assert!(mutex.lock_timeout(ZERO).is_none() && *held == 1))
    }),
    ("read", || {
        let lock = leak(RwLock::new(1));
        let held = lock.write().unwrap();
        Box::new(move || assert!(lock.read_timeout(ZERO).is_none() && *held == 1))
    }),
    ("write", || {
        let lock = leak(RwLock::new(1));
        let held = lock.read().unwrap();
        Box::new(move || assert!(lock.write_timeout(ZERO).is_none() && *held == 1))
    }),
    ("condition", || {
        let (mutex, condition) = (Mutex::new(1), Condition::new());
        Box::new(move || {
            let (_, notified) = condition.wait_timeout(mutex.lock().unwrap(), ZERO).unwrap();
            assert!(!notified);
        })
    }),
    ("condition of a value", || {
        let (mutex, condition) = (Mutex::new(1), Condition::new());
        Box::new(move || {
            let held = mutex.lock().unwrap();
            let ended = condition.wait_timeout_while(held, ZERO, |value| *value == 1);
            assert!(!ended.unwrap().1);
        })
    }),
    ("barrier", || {
        let barrier = Barrier::new(2);
        Box::new(move || assert!(barrier.wait_timeout(ZERO).is_none()))
    }),
    ("wait group", || {
        let group = WaitGroup::new();
        group.inc();
        Box::new(move || assert!(!group.wait_timeout(ZERO)))
    }),
    ("event", || {
        let event = Event::<u8>::new();
        Box::new(move || assert!(event.wait_timeout(ZERO).is_none()))
    }),
    ("shared event", || {
        let event = sync::Event::<u8>::new();
        Box::new(move || assert!(event.wait_timeout(ZERO).is_none()))
    }),
    ("flag", || {
        let flag = Flag::new();
        Box::new(move || assert!(!flag.wait_timeout(ZERO)))
    }),
    ("async result", || {
        let result = AsyncResult::<u8>::new();
        Box::new(move || assert!(result.get_timeout(ZERO).is_none()))
    }),
    ("wait", || {
        let sleeper = Sleeper::new();
        Box::new(move || assert!(sleeper.0.wait_timeout(ZERO).is_none()))
    }),
    ("join", || {
        let mut sleeper = Sleeper::new();
        Box::new(move || assert!(sleeper.0.join_timeout(ZERO).is_none()))
    }),
    ("the end of one that is killed", || {
        let masked = green::spawn(|| green::mask(|| green::sleep(Duration::from_millis(20))));
        settle();
        Box::new(move || assert!(!masked.kill_wait(ZERO)))
    }),
    ("the end of several", || {
        let sleeper = Sleeper::new();
        Box::new(move || assert!(green::joinall_timeout([&sleeper.0], ZERO).is_empty()))
    }),
    ("spawn into a pool", || {
        let pool = GreenPool::new(0);
        Box::new(move || assert!(pool.spawn_timeout(ZERO, || ()).is_err()))
    }),
    ("the members of a pool", || {
        let pool = GreenPool::new(1);
        let sleeper = Sleeper(pool.spawn(|| green::sleep(LONG)));
        Box::new(move || {
            assert!(!pool.waitall_timeout(ZERO).unwrap() && !sleeper.0.is_dead());
        })
    }),
    ("a free place", || {
        let pool = GreenPool::new(0);
        Box::new(move || assert!(!pool.wait_available(ZERO)))
    }),
    ("a pile", || {
        let pile = GreenPile::new(1);
        pile.spawn(|| green::sleep(LONG));
        Box::new(move || {
            assert!(pile.next_timeout(ZERO).is_err());
        })
    }),
    ("the results of a pile", || {
        let pile = GreenPile::<u8>::new(1);
        let results = pile.results();
        Box::new(move || assert!(results.next_timeout(ZERO).is_err() && pile.is_empty()))
    }),
    ("map", || {
        let mut results = GreenPool::new(1).imap(|()| green::sleep(LONG), [()]);
        settle();
        Box::new(move || assert!(results.next_timeout(ZERO).is_err()))
    }),
    ("unordered map", || {
        let mut results = GreenPool::new(1).imap_unordered(|()| green::sleep(LONG), [()]);
        settle();
        Box::new(move || assert!(results.next_timeout(ZERO).is_err()))
    }),
    ("resource", || {
        let pool = Pool::builder().max(0).create(|| ());
        Box::new(move || assert!(pool.item_timeout(ZERO).is_none()))
    }),
    ("graph", || {
        let pool = DagPool::<u8, u8>::new();
        Box::new(move || assert!(pool.wait_timeout([1], ZERO).is_none()))
    }),
    ("value of a graph", || {
        let pool = DagPool::<u8, u8>::new();
        Box::new(move || assert!(pool.wait_each([1]).next_timeout(ZERO).is_err()))
    }),
];

#[test]
fn a_timeout_of_zero_lets_the_others_run_once() {
    for (name, make) in REFUSED {
        let mut call = make();
        settle();
        let neighbour = Neighbour::new();
        green::yield_now();
        // One turn more is that of a call that has used up its share, for which a busy machine is enough.
        let turns = |call: &mut dyn FnMut()| {
            let before = neighbour.turns.get();
            call();
            let turns = neighbour.turns.get() - before;
            green::yield_now();
            turns
        };
        let all: Vec<_> = (0..50).map(|_| turns(&mut *call)).collect();
        assert!(all.contains(&1) && !all.contains(&0), "{name}: {all:?}");
        drop(neighbour);
        drop(call);
        settle();
    }
}

/// A call that is served in the one turn that a timeout of zero gives to the others: what serves, and the call.
type Served = fn() -> (Box<dyn FnOnce()>, Box<dyn FnOnce() -> bool>);

const SERVED: &[(&str, Served)] = &[
    ("flag", || {
        let flag = Rc::new(Flag::new());
        let same = Rc::clone(&flag);
        (
            Box::new(move || same.set()),
            Box::new(move || flag.wait_timeout(ZERO)),
        )
    }),
    ("wait group", || {
        let group = Rc::new(WaitGroup::new());
        group.inc();
        let same = Rc::clone(&group);
        (
            Box::new(move || same.dec()),
            Box::new(move || group.wait_timeout(ZERO)),
        )
    }),
    ("barrier", || {
        let barrier = Rc::new(Barrier::new(2));
        let same = Rc::clone(&barrier);
        (
            Box::new(move || assert!(same.wait().is_ok())),
            Box::new(move || barrier.wait_timeout(ZERO).is_some()),
        )
    }),
    ("event", || {
        let event = Rc::new(Event::new());
        let same = Rc::clone(&event);
        (
            Box::new(move || same.send(1).unwrap()),
            Box::new(move || event.wait_timeout(ZERO).is_some()),
        )
    }),
    ("semaphore", || {
        let semaphore = Rc::new(Semaphore::new(0));
        let same = Rc::clone(&semaphore);
        (
            Box::new(move || same.release()),
            Box::new(move || semaphore.acquire_timeout(ZERO).is_some()),
        )
    }),
    ("get", || {
        let queue = Rc::new(Queue::unbounded());
        let same = Rc::clone(&queue);
        (
            Box::new(move || same.put(1).unwrap()),
            Box::new(move || queue.get_timeout(ZERO).is_ok()),
        )
    }),
    ("put", || {
        let queue = Rc::new(Queue::bounded(1));
        queue.put(1).unwrap();
        let same = Rc::clone(&queue);
        (
            Box::new(move || assert!(same.get().is_ok())),
            Box::new(move || queue.put_timeout(2, ZERO).is_ok()),
        )
    }),
    ("peek", || {
        let queue = Rc::new(Queue::unbounded());
        let same = Rc::clone(&queue);
        (
            Box::new(move || same.put(1).unwrap()),
            Box::new(move || queue.peek_timeout(ZERO).is_ok()),
        )
    }),
    ("write", || {
        let lock = leak(RwLock::new(1));
        let held = lock.read().unwrap();
        (
            Box::new(move || drop(held)),
            Box::new(move || lock.write_timeout(ZERO).is_some()),
        )
    }),
    ("condition", || {
        let shared = leak((Mutex::new(1), Condition::new()));
        let held = shared.0.lock().unwrap();
        (
            Box::new(move || *shared.0.lock().unwrap() = 2),
            Box::new(move || {
                let ended = shared.1.wait_timeout_while(held, ZERO, |value| *value == 1);
                ended.unwrap().1
            }),
        )
    }),
    ("wait", || {
        let flag = Rc::new(Flag::new());
        let same = Rc::clone(&flag);
        let gt = green::spawn(move || ());
        (
            Box::new(move || flag.set()),
            Box::new(move || gt.wait_timeout(ZERO).is_some() && same.is_set()),
        )
    }),
    ("spawn into a pool", || {
        let pool = GreenPool::new(0);
        let same = pool.clone();
        (
            Box::new(move || same.resize(1)),
            Box::new(move || pool.spawn_timeout(ZERO, || ()).is_ok()),
        )
    }),
    ("a free place", || {
        let pool = GreenPool::new(0);
        let same = pool.clone();
        (
            Box::new(move || same.resize(1)),
            Box::new(move || pool.wait_available(ZERO)),
        )
    }),
    ("resource", || {
        let pool = Pool::builder().max(1).create(|| ());
        let (same, item) = (pool.clone(), pool.get());
        (
            Box::new(move || same.put(item)),
            Box::new(move || pool.item_timeout(ZERO).is_some()),
        )
    }),
    ("graph", || {
        let pool = DagPool::new();
        let same = pool.clone();
        (
            Box::new(move || same.post(1, 2).unwrap()),
            Box::new(move || pool.wait_timeout([1], ZERO).is_some()),
        )
    }),
    ("pile", || {
        let pile = GreenPile::new(1);
        let same = pile.clone();
        let results = pile.results();
        (
            Box::new(move || same.close()),
            Box::new(move || {
                matches!(results.next_timeout(ZERO), Ok(None::<Result<u8, _>>)) && pile.is_empty()
            }),
        )
    }),
];

#[test]
fn what_comes_in_that_turn_is_had() {
    for (name, make) in SERVED {
        bounded(|| {
            let (serve, call) = make();
            green::spawn_n(serve);
            assert!(call(), "{name}");
            settle();
        });
    }
}

const ALWAYS: &[(&str, Make)] = &[
    ("put and get", || {
        let queue = Queue::unbounded();
        Box::new(move || {
            queue.put(1).unwrap();
            queue.get().unwrap();
        })
    }),
    ("put and get by order", || {
        let queue = PriorityQueue::unbounded();
        Box::new(move || {
            queue.put(1).unwrap();
            queue.get().unwrap();
        })
    }),
    ("peek", || {
        let queue = Queue::unbounded();
        queue.put(1).unwrap();
        Box::new(move || assert_eq!(queue.peek(), Ok(1)))
    }),
    ("the tasks of a queue", || {
        let queue = Queue::<u8>::unbounded();
        Box::new(move || assert!(queue.join()))
    }),
    ("put and get between threads", || {
        let queue = sync::Queue::unbounded();
        Box::new(move || {
            queue.put(1).unwrap();
            queue.get().unwrap();
        })
    }),
    ("put and get by order between threads", || {
        let queue = sync::PriorityQueue::unbounded();
        Box::new(move || {
            queue.put(1).unwrap();
            queue.get().unwrap();
        })
    }),
    ("semaphore", || {
        let semaphore = Semaphore::new(1);
        Box::new(move || drop(semaphore.acquire()))
    }),
    ("shared semaphore", || {
        let semaphore = Arc::new(sync::Semaphore::new(1));
        Box::new(move || drop(semaphore.acquire()))
    }),
    ("bounded semaphore", || {
        let semaphore = BoundedSemaphore::new(1);
        Box::new(move || drop(semaphore.acquire()))
    }),
    ("capped semaphore", || {
        let semaphore = CappedSemaphore::new(1, 1).unwrap();
        Box::new(move || assert!(semaphore.acquire() && semaphore.release()))
    }),
    ("lock", || {
        let lock = Lock::new();
        Box::new(move || drop(lock.acquire()))
    }),
    ("rlock", || {
        let lock = leak(RLock::new());
        let held = lock.acquire();
        Box::new(move || assert!(lock.acquire().is_held() && held.is_held()))
    }),
    ("mutex", || {
        let mutex = Mutex::new(1);
        Box::new(move || *mutex.lock().unwrap() += 1)
    }),
    ("read", || {
        let lock = RwLock::new(1);
        Box::new(move || assert_eq!(*lock.read().unwrap(), 1))
    }),
    ("write", || {
        let lock = RwLock::new(1);
        Box::new(move || *lock.write().unwrap() += 1)
    }),
    ("barrier", || {
        let barrier = Barrier::new(1);
        Box::new(move || assert!(barrier.wait().unwrap().is_leader()))
    }),
    ("wait group", || {
        let group = WaitGroup::new();
        Box::new(move || assert!(group.wait()))
    }),
    ("event", || {
        let event = Event::new();
        event.send(1).unwrap();
        Box::new(move || assert_eq!(event.wait().unwrap(), 1))
    }),
    ("shared event", || {
        let event = sync::Event::new();
        event.send(1).unwrap();
        Box::new(move || assert_eq!(event.wait().unwrap(), 1))
    }),
    ("flag", || {
        let flag = Flag::new();
        flag.set();
        Box::new(move || assert!(flag.wait()))
    }),
    ("async result", || {
        let result = AsyncResult::new();
        result.set(1);
        Box::new(move || assert_eq!(result.get().unwrap(), 1))
    }),
    ("wait", || {
        let gt = green::spawn(|| 1);
        Box::new(move || assert_eq!(gt.wait().unwrap(), 1))
    }),
    ("the end of several", || {
        let gt = green::spawn(|| 1);
        Box::new(move || assert_eq!(green::joinall([&gt]).len(), 1))
    }),
    ("the members of a pool", || {
        let pool = GreenPool::new(1);
        Box::new(move || pool.waitall().unwrap())
    }),
    ("a free place", || {
        let pool = GreenPool::new(1);
        Box::new(move || assert!(pool.wait_available(None)))
    }),
    ("a pile", || {
        let mut pile = GreenPile::<u8>::new(1);
        Box::new(move || assert!(pile.next().is_none()))
    }),
    ("map", || {
        let mut results = GreenPool::new(1).imap(|n: u8| n, []);
        settle();
        Box::new(move || assert!(results.next().is_none()))
    }),
    ("resource", || {
        let pool = Pool::builder().create(|| ());
        Box::new(move || drop(pool.item()))
    }),
    ("graph", || {
        let pool = DagPool::from_iter([(1, 2)]);
        Box::new(move || assert_eq!(pool.wait_for(&1).unwrap(), 2))
    }),
];

#[test]
fn what_always_succeeds_starves_nobody() {
    for (name, make) in ALWAYS {
        bounded(|| {
            let mut call = make();
            settle();
            let neighbour = Neighbour::new();
            let timer = green::spawn(|| green::sleep(Duration::from_millis(1)));
            let mut calls = 0_u64;
            while neighbour.turns.get() < 100 || !timer.is_dead() {
                call();
                calls += 1;
                assert!(calls < 20_000_000, "{name}: others do not run");
            }
            let turns = neighbour.turns.get();
            assert!(
                turns * 130 >= calls,
                "{name}: {turns} turns in {calls} calls"
            );
            drop(neighbour);
            drop(call);
            timer.join().unwrap();
            settle();
        });
    }
}
