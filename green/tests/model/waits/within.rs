//! Waits that another greenthread would end.

use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use green::dagpool::DagPool;
use green::event::{AsyncResult, Event, Flag};
use green::lock::{Condition, Lock, Mutex, RLock, RwLock};
use green::pools::{ConnectionPool, Driver, Pool};
use green::{
    Barrier, BoundedSemaphore, CappedSemaphore, GreenPile, GreenPool, LifoQueue, PriorityQueue,
    Queue, Semaphore, WaitGroup,
};

use super::{Entry, Wait};

pub(super) const ALL: &[Entry] = &[
    ("sleep", sleep, 60),
    ("join", join, 60),
    ("the end of several", joinall, 60),
    ("get", get, 60),
    ("get of a lifo queue", get_lifo, 60),
    ("get of a priority queue", get_lowest, 60),
    ("peek", peek, 60),
    ("put", put, 60),
    ("put of a rendezvous", put_channel, 60),
    ("the tasks of a queue", join_queue, 60),
    ("semaphore", semaphore, 60),
    ("bounded semaphore", bounded, 60),
    ("acquire of a capped semaphore", capped_acquire, 60),
    ("release of a capped semaphore", capped_release, 60),
    ("lock", lock, 60),
    ("rlock", rlock, 60),
    ("mutex", mutex, 60),
    ("condition", condition, 60),
    ("read", read, 60),
    ("write", write, 60),
    ("barrier", barrier, 60),
    ("wait group", waitgroup, 60),
    ("event", event, 60),
    ("flag", flag, 60),
    ("async result", async_result, 60),
    ("spawn into a full pool", pool, 60),
    ("the members of a pool", waitall, 60),
    ("spawn into a full pile", pile, 60),
    ("the next result of a pile", pile_next, 60),
    ("map", imap, 60),
    ("resource", resource, 60),
    ("a connection of a pool", connection, 60),
    ("the nodes of a graph", dag, 60),
    ("race", race, 60),
    ("queue of all threads", shared_queue, 60),
    ("semaphore of all threads", shared_semaphore, 60),
    ("event of all threads", shared_event, 60),
];

const LONG: Duration = Duration::from_secs(600);

fn sleep() -> Wait {
    Rc::new(|| green::sleep(LONG))
}

/// What it waits for is killed with it.
struct Victim(green::GreenThread<()>);

impl Victim {
    fn new() -> Rc<Victim> {
        Rc::new(Victim(green::spawn(|| green::sleep(LONG))))
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.0.kill();
    }
}

fn join() -> Wait {
    let victim = Victim::new();
    Rc::new(move || drop(victim.0.wait()))
}

fn joinall() -> Wait {
    let victim = Victim::new();
    Rc::new(move || {
        green::joinall([victim.0.as_any()]);
    })
}

fn get() -> Wait {
    let queue = Queue::<String>::unbounded();
    Rc::new(move || drop(queue.get()))
}

fn get_lifo() -> Wait {
    let queue = LifoQueue::<String>::unbounded();
    Rc::new(move || drop(queue.get()))
}

fn get_lowest() -> Wait {
    let queue = PriorityQueue::<String>::unbounded();
    Rc::new(move || drop(queue.get()))
}

fn peek() -> Wait {
    let queue = Queue::<String>::unbounded();
    Rc::new(move || drop(queue.peek()))
}

fn put() -> Wait {
    let queue = Queue::bounded(1);
    queue.put(String::new()).unwrap();
    Rc::new(move || drop(queue.put(String::new())))
}

fn put_channel() -> Wait {
    let queue = Queue::channel();
    Rc::new(move || drop(queue.put(String::new())))
}

fn join_queue() -> Wait {
    let queue = Queue::unbounded();
    queue.put(String::new()).unwrap();
    Rc::new(move || {
        queue.join();
    })
}

fn semaphore() -> Wait {
    let semaphore = Semaphore::new(0);
    Rc::new(move || drop(semaphore.acquire()))
}

fn bounded() -> Wait {
    let semaphore = BoundedSemaphore::new(0);
    Rc::new(move || drop(semaphore.acquire()))
}

fn capped_acquire() -> Wait {
    let semaphore = CappedSemaphore::new(0, 2).unwrap();
    Rc::new(move || {
        semaphore.acquire();
    })
}

fn capped_release() -> Wait {
    let semaphore = CappedSemaphore::new(2, 2).unwrap();
    Rc::new(move || {
        semaphore.release();
    })
}

fn lock() -> Wait {
    let lock = Lock::new();
    lock.acquire().forget();
    Rc::new(move || drop(lock.acquire()))
}

fn rlock() -> Wait {
    let lock = RLock::new();
    lock.acquire().forget();
    Rc::new(move || drop(lock.acquire()))
}

fn mutex() -> Wait {
    let mutex = Mutex::new(());
    std::mem::forget(mutex.lock());
    Rc::new(move || drop(mutex.lock()))
}

fn condition() -> Wait {
    let (mutex, condition) = (Mutex::new(()), Condition::new());
    Rc::new(move || {
        let guard = mutex.lock().unwrap();
        drop(condition.wait(guard));
    })
}

fn read() -> Wait {
    let lock = RwLock::new(());
    std::mem::forget(lock.write());
    Rc::new(move || drop(lock.read()))
}

fn write() -> Wait {
    let lock = RwLock::new(());
    std::mem::forget(lock.read());
    Rc::new(move || drop(lock.write()))
}

fn barrier() -> Wait {
    let barrier = Barrier::new(1000);
    Rc::new(move || {
        barrier.wait().ok();
    })
}

fn waitgroup() -> Wait {
    let group = WaitGroup::new();
    group.inc();
    Rc::new(move || {
        group.wait();
    })
}

fn event() -> Wait {
    let event = Event::<String>::new();
    Rc::new(move || drop(event.wait()))
}

fn flag() -> Wait {
    let flag = Flag::new();
    Rc::new(move || {
        flag.wait();
    })
}

fn async_result() -> Wait {
    let result = AsyncResult::<String>::new();
    Rc::new(move || drop(result.get()))
}

fn pool() -> Wait {
    let pool = GreenPool::new(0);
    Rc::new(move || pool.spawn_n(|| ()))
}

/// A pool whose member is killed with it.
struct Busy(GreenPool);

impl Busy {
    fn new() -> Busy {
        let pool = GreenPool::new(1);
        pool.spawn_n(|| green::sleep(LONG));
        Busy(pool)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.kill();
    }
}

fn waitall() -> Wait {
    let busy = Busy::new();
    Rc::new(move || {
        busy.0.waitall().ok();
    })
}

fn pile() -> Wait {
    let pile = GreenPile::new(0);
    Rc::new(move || pile.spawn(|| ()))
}

fn pile_next() -> Wait {
    let busy = Busy::new();
    let pile = GreenPile::with_pool(&busy.0);
    busy.0.resize(2);
    pile.spawn(|| green::sleep(LONG));
    Rc::new(move || {
        let _killed_with_it = &busy;
        drop((&pile).next());
    })
}

fn imap() -> Wait {
    Rc::new(|| {
        let busy = Busy(GreenPool::new(2));
        drop(busy.0.imap(|()| green::sleep(LONG), [(), ()]).next());
    })
}

fn resource() -> Wait {
    let pool = Pool::builder().max(0).create(|| ());
    Rc::new(move || drop(pool.item()))
}

fn connection() -> Wait {
    let pool = ConnectionPool::builder().max(0).connect(NoServer).unwrap();
    Rc::new(move || drop(pool.get()))
}

struct NoServer;

impl Driver for NoServer {
    type Connection = ();
    type Error = Infallible;

    fn connect(&self) -> Result<(), Infallible> {
        Ok(())
    }

    fn reset(&self, (): &mut ()) -> Result<(), Infallible> {
        Ok(())
    }

    fn check(&self, (): &mut ()) -> Result<(), Infallible> {
        Ok(())
    }
}

fn dag() -> Wait {
    let dag = DagPool::<u8, u8>::new();
    dag.spawn(1, [0], |_, mut results| {
        drop(results.next());
        Ok(0)
    })
    .unwrap();
    let killed_with_it = KilledNode(dag);
    Rc::new(move || drop(killed_with_it.0.wait_for(&1)))
}

struct KilledNode(DagPool<u8, u8>);

impl Drop for KilledNode {
    fn drop(&mut self) {
        self.0.kill(&1);
    }
}

fn race() -> Wait {
    Rc::new(|| {
        let _ = green::select::race([|| green::sleep(LONG); 2], None);
    })
}

fn shared_queue() -> Wait {
    let queue = green::sync::Queue::<String>::unbounded();
    Rc::new(move || drop(queue.get()))
}

fn shared_semaphore() -> Wait {
    let semaphore = green::sync::Semaphore::new(0);
    Rc::new(move || drop(semaphore.acquire()))
}

fn shared_event() -> Wait {
    let event = green::sync::Event::<String>::new();
    Rc::new(move || drop(event.wait()))
}
