//! Futures in greenthreads: waiting, waking, ending.

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{SHORT, bounded, settle, until};
use futures_channel::oneshot;
use futures_util::future::{Either, join_all, select};
use futures_util::join;
use green::future::{block_on, sleep, sleep_until, spawn, try_block_on};
use green::{Exit, Timeout, Unwinding};

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Ready once `done` says so; leaves its waker at every poll.
#[derive(Clone, Default)]
struct Bell(Arc<(AtomicBool, Mutex<Option<Waker>>)>);

impl Bell {
    async fn rung(&self) {
        poll_fn(|cx| {
            *self.0.1.lock().unwrap() = Some(cx.waker().clone());
            match self.0.0.swap(false, Ordering::SeqCst) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    fn ring(&self) {
        self.0.0.store(true, Ordering::SeqCst);
        if let Some(waker) = self.waker() {
            waker.wake();
        }
    }

    fn waker(&self) -> Option<Waker> {
        self.0.1.lock().unwrap().clone()
    }
}

/// A waker that counts.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Count {
    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Notes where and how it is dropped.
struct Dropped(Rc<Cell<Option<(u64, bool)>>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0
            .set(Some((green::current().id(), thread::panicking())));
    }
}

#[test]
fn only_the_caller_waits() {
    bounded(|| {
        let (sender, receiver) = oneshot::channel();
        let order = Rc::new(RefCell::new(Vec::new()));
        let log = Rc::clone(&order);
        let waits = green::spawn(move || {
            log.borrow_mut().push("waits");
            let value = block_on(receiver).unwrap();
            log.borrow_mut().push("goes on");
            value
        });
        let log = Rc::clone(&order);
        green::spawn_n(move || {
            log.borrow_mut().push("another");
            green::yield_now();
            log.borrow_mut().push("sends");
            sender.send(7).unwrap();
        });
        assert_eq!(waits.join().unwrap(), 7);
        assert_eq!(*order.borrow(), ["waits", "another", "sends", "goes on"]);
    });
}

#[test]
fn a_wake_up_of_the_same_thread_does_not_pass_through_the_hub() {
    bounded(|| {
        const ROUNDS: u64 = 10_000;
        let (near, far) = (Bell::default(), Bell::default());
        let (ring, rung) = (near.clone(), far.clone());
        green::spawn_n(move || {
            for _ in 0..ROUNDS {
                block_on(rung.rung());
                ring.ring();
            }
        });
        // The first wait makes the inbox.
        green::future::block_on(sleep(millis(1)));
        let before = green::debug::counters();
        for _ in 0..ROUNDS {
            far.ring();
            block_on(near.rung());
        }
        let after = green::debug::counters();
        assert!(after.switches - before.switches > ROUNDS);
        // With a message for each there would be a turn for each.
        assert!(after.turns - before.turns < ROUNDS / 4);
    });
}

#[test]
fn other_threads_wake_many_at_once() {
    bounded(|| {
        let (senders, waiting): (Vec<_>, Vec<_>) = (0..200)
            .map(|n| {
                let (sender, receiver) = oneshot::channel();
                let gt = green::spawn(move || block_on(receiver).unwrap());
                ((n, sender), gt)
            })
            .unzip();
        let mut halves = senders;
        let other = halves.split_off(100);
        let threads = [halves, other].map(|senders| {
            thread::spawn(move || {
                for (n, sender) in senders {
                    if n % 50 == 0 {
                        thread::sleep(millis(2));
                    }
                    sender.send(n).unwrap();
                }
            })
        });
        for (n, gt) in waiting.into_iter().enumerate() {
            assert_eq!(gt.join().unwrap(), n);
        }
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_wake_up_before_the_park_is_not_lost() {
    bounded(|| {
        for elsewhere in [false, true] {
            let mut polls = 0;
            block_on(poll_fn(|cx| {
                polls += 1;
                if polls > 3 {
                    return Poll::Ready(());
                }
                let waker = cx.waker().clone();
                match elsewhere {
                    false => waker.wake(),
                    true => thread::spawn(move || waker.wake()).join().unwrap(),
                }
                Poll::Pending
            }));
            assert_eq!(polls, 4);
        }
    });
}

#[test]
fn wake_ups_race_with_parks() {
    bounded(|| {
        const ROUNDS: usize = 2_000;
        let (near, far) = (Bell::default(), Bell::default());
        let (ring, rung) = (near.clone(), far.clone());
        let other = thread::spawn(move || {
            for _ in 0..ROUNDS {
                block_on(rung.rung());
                ring.ring();
            }
        });
        for _ in 0..ROUNDS {
            far.ring();
            block_on(near.rung());
        }
        other.join().unwrap();
    });
}

#[test]
fn a_wake_up_after_the_end_does_nothing() {
    bounded(|| {
        let bell = Bell::default();
        let old = bell.clone();
        let polls = Rc::new(Cell::new(0));
        let counted = Rc::clone(&polls);
        let event = Rc::new(green::Event::new());
        let sent = Rc::clone(&event);
        let gt = green::spawn(move || {
            block_on(bell.rung());
            // No other wait of the same greenthread ends by the old waker: neither for a future, nor for anything.
            let counted = || counted.set(counted.get() + 1);
            let waits = poll_fn(|_| {
                counted();
                Poll::<()>::Pending
            });
            let left = Timeout::new(SHORT).run(|| block_on(waits));
            assert!(left.is_err());
            sent.wait().unwrap()
        });
        settle();
        let waker = old.waker().unwrap();
        old.ring();
        settle();
        for _ in 0..3 {
            waker.wake_by_ref();
            let elsewhere = waker.clone();
            thread::spawn(move || elsewhere.wake()).join().unwrap();
            green::sleep(SHORT);
            assert_eq!(polls.get(), 1);
        }
        assert!(!gt.is_dead());
        event.send(5).unwrap();
        assert_eq!(gt.join().unwrap(), 5);
        // Nor of the next greenthread, which has the place of the first in every table.
        let next = green::spawn(|| block_on(pending::<()>()));
        settle();
        waker.wake();
        settle();
        assert!(!next.is_dead());
        next.kill();
    });
}

#[test]
fn a_message_for_one_that_has_ended_does_not_wake_the_next_in_its_place() {
    bounded(|| {
        let bell = Bell::default();
        let first = {
            let bell = bell.clone();
            green::spawn(move || block_on(bell.rung()))
        };
        settle();
        let waker = bell.waker().unwrap();
        // It is in the inbox, and its thread has not looked.
        thread::spawn(move || waker.wake()).join().unwrap();
        first.kill();
        let polls = Rc::new(Cell::new(0));
        let counted = Rc::clone(&polls);
        let second = green::spawn(move || {
            block_on(poll_fn(|_| {
                counted.set(counted.get() + 1);
                Poll::<()>::Pending
            }));
        });
        settle();
        green::sleep(millis(5));
        assert_eq!(polls.get(), 1);
        second.kill();
    });
}

#[test]
fn a_waker_keeps_nothing_but_itself_alive() {
    bounded(|| {
        let (waker, value) = thread::spawn(|| {
            let value = Arc::new(());
            let captured = Arc::clone(&value);
            let kept = Rc::new(RefCell::new(None));
            let waker = Rc::clone(&kept);
            let left = Timeout::new(SHORT).run(move || {
                block_on(poll_fn(move |cx| {
                    let _captured = &captured;
                    *waker.borrow_mut() = Some(cx.waker().clone());
                    Poll::<()>::Pending
                }));
            });
            assert!(left.is_err());
            let waker = kept.take().unwrap();
            (waker, value)
        })
        .join()
        .unwrap();
        assert_eq!(Arc::strong_count(&value), 1);
        // Its thread is gone.
        waker.wake_by_ref();
        waker.wake();
    });
}

#[test]
fn a_kill_drops_the_future_in_its_greenthread() {
    bounded(|| {
        let dropped = Rc::new(Cell::new(None));
        let inner = Dropped(Rc::clone(&dropped));
        let gt = green::spawn(move || {
            block_on(async move {
                let _inner = inner;
                pending::<()>().await;
            });
        });
        settle();
        assert_eq!(dropped.get(), None);
        let id = gt.id();
        gt.kill();
        assert_eq!(dropped.get(), Some((id, true)));
        assert!(matches!(gt.join(), Err(Exit::Killed(_))));
    });
}

#[test]
fn a_timeout_drops_the_future_in_its_greenthread() {
    bounded(|| {
        let dropped = Rc::new(Cell::new(None));
        let inner = Dropped(Rc::clone(&dropped));
        let start = Instant::now();
        let left = Timeout::new(SHORT).run(|| {
            block_on(async move {
                let _inner = inner;
                pending::<()>().await;
            });
        });
        assert!(left.is_err() && start.elapsed() >= SHORT);
        assert_eq!(dropped.get(), Some((green::current().id(), true)));
        // The greenthread can wait again.
        block_on(sleep(millis(1)));
    });
}

#[test]
fn a_future_that_wakes_itself_starves_nobody() {
    bounded(|| {
        let listener = green::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let left = Rc::new(Cell::new(3));
        let stop = Rc::clone(&left);
        let busy = green::spawn(move || {
            block_on(poll_fn(|cx| {
                if stop.get() == 0 {
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            }));
        });
        let done = || {
            let left = Rc::clone(&left);
            move || left.set(left.get() - 1)
        };
        let (by_turn, by_time, by_descriptor) = (done(), done(), done());
        green::spawn_n(by_turn);
        green::spawn_n(move || {
            green::sleep(millis(2));
            by_time();
        });
        green::spawn_n(move || {
            listener.accept().unwrap();
            by_descriptor();
        });
        busy.join().unwrap();
        drop(client);
    });
}

#[test]
fn futures_that_are_always_ready_starve_nobody() {
    bounded(|| {
        let done = Rc::new(Cell::new(false));
        let other = Rc::clone(&done);
        green::spawn_n(move || other.set(true));
        let mut rounds = 0;
        while !done.get() {
            block_on(ready(()));
            rounds += 1;
            assert!(rounds < 1_000);
        }
    });
}

#[track_caller]
fn report<T>(stuck: impl FnOnce() -> T) -> String {
    match catch_unwind(AssertUnwindSafe(stuck)) {
        Ok(_) => panic!("it is not stuck"),
        Err(payload) => *payload.downcast::<String>().unwrap(),
    }
}

#[test]
fn a_future_that_nobody_can_wake_is_a_deadlock() {
    bounded(|| {
        let report_of_root = report(|| block_on(pending::<()>()));
        assert!(
            report_of_root.contains("the thread's own greenthread waits for a future"),
            "{report_of_root}"
        );
        // A waker that was dropped without being used wakes nobody either.
        let (sender, receiver) = oneshot::channel::<()>();
        let stuck = green::spawn(|| {
            let looks_once = {
                let mut receiver = receiver;
                poll_fn(move |cx| {
                    let mut seen = Context::from_waker(Waker::noop());
                    let _ = cx.waker().clone();
                    Pin::new(&mut receiver).poll(&mut seen)
                })
            };
            block_on(looks_once).is_ok()
        });
        let text = report(|| stuck.join());
        assert!(text.contains("waits for a future"), "{text}");
        drop(sender);
    });
}

#[test]
fn a_future_whose_waker_is_elsewhere_is_no_deadlock() {
    bounded(|| {
        let bell = Bell::default();
        let other = bell.clone();
        let thread = thread::spawn(move || {
            while other.waker().is_none() {
                thread::yield_now();
            }
            thread::sleep(millis(20));
            other.ring();
        });
        block_on(bell.rung());
        thread.join().unwrap();
    });
}

#[test]
fn what_was_sent_through_a_handle_that_is_gone_is_no_deadlock() {
    bounded(|| {
        let event = Rc::new(green::Event::<u32>::new());
        let handle = green::hubs::handle().unwrap();
        let sends = send_wrapper(Rc::clone(&event));
        thread::spawn(move || {
            handle.spawn(move || sends.take().send(1).unwrap()).unwrap();
        })
        .join()
        .unwrap();
        assert_eq!(event.wait().unwrap(), 1);
    });
}

/// Carries what is not `Send` to another thread and back.
fn send_wrapper(event: Rc<green::Event<u32>>) -> Parcel {
    thread_local!(static LEFT: RefCell<Vec<Rc<green::Event<u32>>>> = const { RefCell::new(Vec::new()) });
    LEFT.with_borrow_mut(|left| left.push(event));
    Parcel(|| LEFT.with_borrow_mut(|left| left.pop().unwrap()))
}

struct Parcel(fn() -> Rc<green::Event<u32>>);

impl Parcel {
    fn take(self) -> Rc<green::Event<u32>> {
        (self.0)()
    }
}

#[test]
fn calls_nest_and_the_outer_waker_is_not_lost_meanwhile() {
    bounded(|| {
        let (sender, receiver) = oneshot::channel();
        let mut receiver = Some(receiver);
        let outer = Bell::default();
        let ring = outer.clone();
        green::spawn_n(move || {
            until(|| ring.waker().is_some());
            ring.waker().unwrap().wake();
            green::sleep(millis(2));
            sender.send(3).unwrap();
        });
        let mut polls = 0;
        block_on(poll_fn(|cx| {
            polls += 1;
            let Some(receiver) = receiver.take() else {
                return Poll::Ready(());
            };
            *outer.0.1.lock().unwrap() = Some(cx.waker().clone());
            let value = block_on(async { block_on(receiver).unwrap() + 1 });
            assert_eq!(value, 4);
            Poll::Pending
        }));
        assert_eq!(polls, 2);
    });
}

#[test]
fn many_futures_wait_in_one_greenthread() {
    bounded(|| {
        let start = Instant::now();
        let sleeps = (1..=100).map(|n| async move {
            sleep(Duration::from_micros(n * 50)).await;
            n
        });
        let values = block_on(join_all(sleeps));
        assert_eq!(values, (1..=100).collect::<Vec<_>>());
        assert!(start.elapsed() >= millis(5));
        assert_eq!(green::debug::counters().timers, 0);
    });
}

#[test]
fn blocking_calls_and_awaits_mix() {
    bounded(|| {
        let queue = Rc::new(green::Queue::unbounded());
        let puts = Rc::clone(&queue);
        let producer = spawn(async move {
            for n in 0..3 {
                sleep(millis(1)).await;
                puts.put(n).unwrap();
            }
        });
        let got = block_on(async {
            let mut got = Vec::new();
            for _ in 0..3 {
                got.push(queue.get().unwrap());
                sleep(millis(1)).await;
            }
            got
        });
        assert_eq!(got, [0, 1, 2]);
        producer.join().unwrap();
    });
}

struct Parting<F: FnMut()>(F);

impl<F: FnMut()> Drop for Parting<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn a_destructor_gets_what_is_ready_and_else_an_error() {
    bounded(|| {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let worker = |name: &'static str| {
            let seen = Rc::clone(&seen);
            green::spawn(move || {
                let _parting = Parting(|| {
                    assert!(thread::panicking());
                    let ready = try_block_on(ready(1));
                    let waits = try_block_on(async { sleep(millis(1)).await });
                    let spins = try_block_on(poll_fn(|cx| {
                        cx.waker().wake_by_ref();
                        Poll::<()>::Pending
                    }));
                    seen.borrow_mut().push((name, ready, waits, spins));
                });
                block_on(pending::<()>());
            })
        };
        // Both unwind before either has ended.
        let both = [worker("first"), worker("second")];
        settle();
        green::killall(&both);
        settle();
        let gone = |name| (name, Ok(1), Err(Unwinding), Err(Unwinding));
        assert_eq!(*seen.borrow(), [gone("first"), gone("second")]);
        for gt in both {
            assert!(matches!(gt.join(), Err(Exit::Killed(_))));
        }
    });
}

#[test]
fn one_that_unwinds_may_end_another_that_unwinds_then() {
    bounded(|| {
        let trace = Rc::new(RefCell::new(Vec::new()));
        let second = {
            let trace = Rc::clone(&trace);
            green::spawn(move || {
                let _parting = Parting(|| trace.borrow_mut().push(try_block_on(sleep(millis(1)))));
                block_on(pending::<()>());
            })
        };
        let first = {
            let trace = Rc::clone(&trace);
            green::spawn(move || {
                let _parting = Parting(|| {
                    second.kill();
                    trace.borrow_mut().push(try_block_on(sleep(millis(1))));
                });
                block_on(async { panic!("the first unwinds") });
            })
        };
        assert!(matches!(first.join(), Err(Exit::Panicked(_))));
        settle();
        assert_eq!(*trace.borrow(), [Err(Unwinding), Err(Unwinding)]);
    });
}

#[test]
fn block_on_in_a_destructor_says_what_to_call_instead() {
    bounded(|| {
        let text = Rc::new(RefCell::new(String::new()));
        let said = Rc::clone(&text);
        let gt = green::spawn(move || {
            let _parting = Parting(|| {
                assert_eq!(block_on(ready(1)), 1);
                let refused = catch_unwind(|| block_on(pending::<()>())).unwrap_err();
                *said.borrow_mut() = *refused.downcast::<String>().unwrap();
            });
            block_on(pending::<()>());
        });
        settle();
        gt.kill();
        assert!(text.borrow().contains("try_block_on"), "{}", text.borrow());
    });
}

#[test]
fn a_panic_of_the_future_is_the_callers() {
    bounded(|| {
        let gt = spawn(async {
            sleep(millis(1)).await;
            panic!("in the future");
        });
        let exit: Result<(), _> = gt.join();
        assert_eq!(
            exit.unwrap_err().to_string(),
            "the greenthread panicked: in the future"
        );
    });
}

#[test]
fn a_greenthread_is_a_future_of_its_end() {
    bounded(|| {
        let value = green::spawn(|| {
            green::sleep(millis(1));
            String::from("value")
        });
        let panics = green::spawn(|| -> () { panic!("no") });
        let killed = green::spawn(|| green::sleep(millis(60_000)));
        let cancelled = green::spawn_after(millis(60_000), || 1);
        killed.kill();
        cancelled.cancel();
        let (value, panics, killed, cancelled) =
            block_on(async { join!(value, panics, killed, cancelled) });
        assert_eq!(value.unwrap(), "value");
        assert!(matches!(panics, Err(Exit::Panicked(_))));
        assert!(matches!(killed, Err(Exit::Killed(None))));
        assert!(matches!(cancelled, Err(Exit::Cancelled)));
    });
}

#[test]
fn one_that_is_awaited_can_be_left_and_awaited_again() {
    bounded(|| {
        let gate = Rc::new(green::Flag::new());
        let opened = Rc::clone(&gate);
        let mut gt = green::spawn(move || {
            opened.wait();
            1
        });
        block_on(async {
            for _ in 0..3 {
                let left = select(&mut gt, sleep(millis(1))).await;
                assert!(matches!(left, Either::Right(_)));
            }
            gate.set();
            assert_eq!((&mut gt).await.unwrap(), 1);
            assert!(matches!((&mut gt).await, Err(Exit::Cancelled)));
        });
    });
}

#[test]
fn the_last_task_that_polls_a_greenthread_is_woken_once() {
    bounded(|| {
        let gt = green::spawn(|| ());
        let (first, second) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let mut gt = Box::pin(gt);
        for count in [&first, &second, &second] {
            let waker = Waker::from(Arc::clone(count));
            let polled = gt.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
        }
        assert_eq!(Arc::strong_count(&first), 1);
        settle();
        assert_eq!((first.get(), second.get()), (0, 1));
        assert_eq!(Arc::strong_count(&second), 1);
        // One that is dropped before keeps no waker.
        let mut gt = Box::pin(green::spawn(|| ()));
        let waker = Waker::from(Arc::clone(&first));
        assert!(
            gt.as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        drop((gt, waker));
        assert_eq!(Arc::strong_count(&first), 1);
        settle();
        assert_eq!(first.get(), 0);
    });
}

#[test]
fn sleeps_end_in_the_order_of_their_deadlines() {
    green::sim::run_in_order(|| {
        let order = RefCell::new(Vec::new());
        let nap = |n: u64| {
            let order = &order;
            async move {
                sleep(millis(n)).await;
                order.borrow_mut().push(n);
            }
        };
        block_on(async { join!(nap(9), nap(3), nap(6), nap(0)) });
        assert_eq!(*order.borrow(), [0, 3, 6, 9]);
    });
}

#[test]
fn a_sleep_is_not_too_short() {
    bounded(|| {
        let end = Instant::now() + millis(9);
        block_on(sleep_until(end));
        assert!(Instant::now() >= end);
    });
}

#[test]
fn a_sleep_that_is_dropped_or_reset_leaves_no_timer() {
    bounded(|| {
        let timers = || green::debug::counters().timers;
        block_on(async {
            let mut long = Box::pin(sleep(millis(60_000)));
            let left = select(&mut long, sleep(millis(1))).await;
            assert!(matches!(left, Either::Right(_)));
            assert_eq!(timers(), 1);
            drop(left);
            let start = Instant::now();
            long.reset(start + SHORT);
            assert_eq!(timers(), 1);
            long.as_mut().await;
            assert!(start.elapsed() >= SHORT);
            assert_eq!(timers(), 0);
            let left = select(sleep(millis(60_000)), ready(())).await;
            drop(left);
            assert_eq!(timers(), 0);
        });
        // It wakes the last task that has polled it, and no other.
        let (first, second) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let mut nap = pin!(sleep(millis(2)));
        for count in [&first, &second] {
            let waker = Waker::from(Arc::clone(count));
            assert!(
                nap.as_mut()
                    .poll(&mut Context::from_waker(&waker))
                    .is_pending()
            );
        }
        assert_eq!(timers(), 1);
        green::sleep(millis(10));
        assert_eq!((first.get(), second.get()), (0, 1));
    });
}

#[test]
fn a_sleep_may_go_to_another_thread() {
    bounded(|| {
        let start = Instant::now();
        let mut nap = Box::pin(sleep(SHORT));
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        assert!(
            nap.as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        // The same key names another timer there.
        thread::spawn(move || {
            let timers = || green::debug::counters().timers;
            let mut other = Box::pin(sleep(millis(60_000)));
            let polled = other.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_pending());
            assert_eq!(timers(), 1);
            block_on(&mut nap);
            assert_eq!(timers(), 1);
        })
        .join()
        .unwrap();
        assert!(start.elapsed() >= SHORT);
        // Left behind, it runs out by itself.
        green::sleep(millis(2));
        assert_eq!(green::debug::counters().timers, 0);
        assert_eq!(count.get(), 1);
    });
}

#[test]
fn a_simulated_run_has_its_own_time_in_futures_too() {
    let passed = green::sim::run(3, || {
        let start = green::time::now();
        block_on(async { join!(sleep(millis(5_000)), sleep(millis(7_000))) });
        green::time::now() - start
    });
    assert_eq!(passed, millis(7_000));
}

/// Between the mark that it is woken and the message that says so, the other thread is all that is left to wake it.
#[test]
fn a_wake_up_that_is_under_way_is_no_deadlock() {
    bounded(|| {
        let (send, wakers) = std::sync::mpsc::channel::<(Waker, Arc<AtomicBool>)>();
        let waking = thread::spawn(move || {
            for (round, (waker, is_ready)) in wakers.into_iter().enumerate() {
                // Until the greenthread parks, about.
                (0..round % 500).for_each(|_| std::hint::spin_loop());
                is_ready.store(true, Ordering::Release);
                waker.wake();
            }
        });
        for _ in 0..20_000 {
            let is_ready = Arc::new(AtomicBool::new(false));
            block_on(poll_fn(|cx| {
                if is_ready.load(Ordering::Acquire) {
                    return Poll::Ready(());
                }
                send.send((cx.waker().clone(), Arc::clone(&is_ready)))
                    .unwrap();
                Poll::Pending
            }));
        }
        drop(send);
        waking.join().unwrap();
    });
}
