//! Queues, semaphores, events, locks, and what else greenthreads wait for among themselves.

use std::fmt::Debug;

use green::lock::{Mutex, RwLock};
use green::{
    AsyncResult, Barrier, BoundedSemaphore, CappedSemaphore, Condition, Event, Flag, LifoQueue,
    Lock, Permit, PriorityQueue, Queue, RLock, Semaphore, WaitGroup,
};

use super::burst::{Burst, ignore};
use crate::numbers::Numbers;

fn bursts<S: Debug + 'static>(
    subject: S,
    hold: fn(&S),
    wait: fn(&S),
    serve: fn(&S),
    clear: fn(&S),
) {
    Burst {
        waiters: 64,
        hold,
        wait,
        serve,
        clear,
    }
    .leaves_nothing(|| subject);
}

fn nothing<S>(_: &S) {}

fn empty(queue: &impl Numbers) {
    while queue.try_get().is_ok() {}
    while queue.task_done().is_ok() {}
}

fn feed(queue: &impl Numbers) {
    for item in 0..16 {
        let _full = queue.try_put(item);
    }
}

fn getters(queue: impl Numbers) {
    bursts(queue, nothing, |queue| ignore(queue.get(None)), feed, empty);
}

fn putters(queue: impl Numbers) {
    bursts(
        queue,
        feed,
        |queue| ignore(queue.put(7, None)),
        |queue| ignore((0..16).map(|_| queue.try_get()).collect::<Vec<_>>()),
        empty,
    );
}

#[test]
fn getters_of_queues() {
    getters(Queue::unbounded());
    getters(Queue::bounded(3));
    getters(LifoQueue::bounded(3));
    getters(PriorityQueue::unbounded());
    getters(Queue::channel());
}

#[test]
fn putters_of_queues() {
    putters(Queue::bounded(3));
    putters(LifoQueue::bounded(1));
    putters(PriorityQueue::bounded(2));
    putters(Queue::channel());
}

#[test]
fn peekers_and_joiners_of_queues() {
    bursts(
        Queue::unbounded(),
        nothing,
        |queue| ignore(queue.peek()),
        feed,
        empty,
    );
    bursts(
        Queue::unbounded(),
        |queue| queue.put(1).unwrap(),
        |queue| ignore(queue.join()),
        |queue| ignore(queue.task_done()),
        empty,
    );
}

#[test]
fn whoever_waits_for_a_queue_that_is_shut_down() {
    for immediate in [false, true] {
        // Shut once and for all: the first round meets it open, the others shut.
        bursts(
            Queue::bounded(2),
            feed,
            |queue| ignore(queue.put(1)),
            if immediate {
                |queue| queue.shutdown(true)
            } else {
                |queue| queue.shutdown(false)
            },
            empty,
        );
        bursts(
            Queue::bounded(2),
            nothing,
            |queue| ignore(queue.get()),
            if immediate {
                |queue| queue.shutdown(true)
            } else {
                |queue| queue.shutdown(false)
            },
            empty,
        );
    }
}

#[test]
fn a_queue_between_threads() {
    bursts(
        green::sync::Queue::unbounded(),
        nothing,
        |queue| ignore(queue.get()),
        |queue: &green::sync::Queue<u32>| (0..16).for_each(|item| queue.put(item).unwrap()),
        |queue| {
            while queue.try_get().is_ok() {}
            while queue.task_done().is_ok() {}
        },
    );
}

#[test]
fn semaphores() {
    bursts(
        Semaphore::new(1),
        |permits| permits.acquire().forget(),
        |permits| ignore(permits.acquire()),
        nothing,
        Semaphore::release,
    );
    bursts(
        Semaphore::new(1),
        |permits| permits.acquire().forget(),
        |permits| ignore(permits.acquire()),
        |permits| {
            permits.release();
            green::yield_now();
            permits.acquire().forget();
        },
        Semaphore::release,
    );
    bursts(
        green::sync::Semaphore::new(1),
        |permits| permits.acquire().forget(),
        |permits| ignore(permits.acquire()),
        |permits| {
            permits.release();
            green::yield_now();
            permits.acquire().forget();
        },
        green::sync::Semaphore::release,
    );
    bursts(
        BoundedSemaphore::new(2),
        |permits| (0..2).for_each(|_| permits.acquire().forget()),
        |permits| ignore(permits.acquire()),
        |permits| {
            permits.release().unwrap();
            green::yield_now();
            permits.acquire().forget();
        },
        |permits| (0..2).for_each(|_| permits.release().unwrap()),
    );
}

#[test]
fn both_sides_of_a_capped_semaphore() {
    bursts(
        CappedSemaphore::new(0, 2).unwrap(),
        nothing,
        |units| ignore(units.acquire()),
        |units| ignore((0..16).map(|_| units.try_release()).collect::<Vec<_>>()),
        |units| while units.try_acquire() {},
    );
    bursts(
        CappedSemaphore::new(2, 2).unwrap(),
        nothing,
        |units| ignore(units.release()),
        |units| ignore((0..16).map(|_| units.try_acquire()).collect::<Vec<_>>()),
        |units| while units.try_release() {},
    );
}

#[test]
fn events_flags_and_results() {
    bursts(
        Event::new(),
        nothing,
        |event: &Event<u32>| ignore(event.wait()),
        |event| {
            event.send(1).unwrap();
            event.reset().unwrap();
        },
        nothing,
    );
    bursts(
        Event::new(),
        nothing,
        |event: &Event<u32>| ignore(event.wait()),
        |event| {
            event.send_exception("no").unwrap();
            event.reset().unwrap();
        },
        nothing,
    );
    bursts(
        green::sync::Event::new(),
        nothing,
        |event: &green::sync::Event<u32>| ignore(event.wait()),
        |event| {
            event.send(1).unwrap();
            event.reset().unwrap();
        },
        nothing,
    );
    bursts(
        Flag::new(),
        nothing,
        |flag| ignore(flag.wait()),
        |flag| {
            flag.set();
            flag.clear();
        },
        nothing,
    );
    // It keeps what it was set to: only the first round waits.
    bursts(
        AsyncResult::new(),
        nothing,
        |result: &AsyncResult<u32>| ignore(result.get()),
        |result| result.set(1),
        nothing,
    );
}

#[test]
fn locks() {
    bursts(
        Lock::new(),
        |lock| lock.acquire().forget(),
        |lock| ignore(lock.acquire()),
        nothing,
        |lock| lock.release().unwrap(),
    );
    bursts(
        RLock::new(),
        |lock| lock.acquire().forget(),
        |lock| {
            let outer = lock.acquire();
            ignore((lock.acquire(), outer));
        },
        nothing,
        |lock| lock.release().unwrap(),
    );
    bursts(
        Mutex::new(0),
        nothing,
        |mutex| {
            let _value = mutex.lock().unwrap();
            green::yield_now();
        },
        nothing,
        nothing,
    );
}

#[test]
fn readers_and_writers() {
    bursts(
        RwLock::new(0),
        nothing,
        |lock| {
            let _value = lock.write().unwrap();
            green::yield_now();
        },
        nothing,
        nothing,
    );
    bursts(
        (RwLock::new(0), std::cell::Cell::new(0_u32)),
        |(_, turn)| turn.set(0),
        |(lock, turn)| {
            turn.set(turn.get() + 1);
            if turn.get() % 3 == 0 {
                let _value = lock.write().unwrap();
                green::yield_now();
            } else {
                let _value = lock.read().unwrap();
                green::yield_now();
            }
        },
        nothing,
        |(_, turn)| turn.set(0),
    );
}

#[test]
fn conditions() {
    bursts(
        (Mutex::new(0), Condition::new()),
        nothing,
        |(mutex, condition)| ignore(condition.wait(mutex.lock().unwrap())),
        |(_, condition)| (0..8).for_each(|_| condition.notify_one()),
        |(_, condition)| condition.notify_all(),
    );
}

#[test]
fn barriers_and_wait_groups() {
    bursts(
        Barrier::new(5),
        nothing,
        |barrier| ignore(barrier.wait()),
        nothing,
        nothing,
    );
    bursts(
        WaitGroup::new(),
        WaitGroup::inc,
        |group| ignore(group.wait()),
        WaitGroup::dec,
        nothing,
    );
}

#[test]
fn permits_that_are_held_by_the_killed() {
    bursts(
        Semaphore::new(2),
        nothing,
        |permits| {
            let _permit: Permit<'_, Semaphore> = permits.acquire();
            green::yield_now();
        },
        nothing,
        nothing,
    );
}
