//! A hub seen from other threads: spawn into it, wake it, close it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use crate::common::bounded;
use green::GreenPool;
use green::hubs::{self, ThreadClosed};

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn other_threads_spawn_into_a_hub_that_waits() {
    bounded(|| {
        let handle = hubs::handle().unwrap();
        let done = Arc::new(AtomicUsize::new(0));
        let home = thread::current().id();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (handle, done) = (handle.clone(), Arc::clone(&done));
                thread::spawn(move || {
                    for _ in 0..100 {
                        let done = Arc::clone(&done);
                        let spawned = handle.spawn(move || {
                            assert_eq!(thread::current().id(), home);
                            green::yield_now();
                            done.fetch_add(1, Ordering::Relaxed);
                        });
                        spawned.unwrap();
                    }
                })
            })
            .collect();
        while done.load(Ordering::Relaxed) < 400 {
            green::sleep(millis(1));
        }
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn what_one_thread_sends_starts_in_that_order() {
    bounded(|| {
        let handle = hubs::handle().unwrap();
        let (sender, receiver) = channel();
        thread::spawn(move || {
            for n in 0..100 {
                let sender = sender.clone();
                handle.spawn(move || sender.send(n).unwrap()).unwrap();
            }
        })
        .join()
        .unwrap();
        green::sleep(millis(2));
        assert_eq!(
            receiver.try_iter().collect::<Vec<_>>(),
            (0..100).collect::<Vec<_>>()
        );
    });
}

#[test]
fn a_wake_ends_a_wait_of_the_hub() {
    bounded(|| {
        let handle = hubs::handle().unwrap();
        let turns = || green::debug::counters().turns;
        let enough = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&enough);
        let waker = thread::spawn(move || {
            while !seen.load(Ordering::SeqCst) {
                thread::sleep(millis(2));
                handle.wake();
            }
        });
        // A sleep that nothing disturbs takes a turn or two.
        let mut most = 0;
        for _ in 0..1000 {
            let before = turns();
            green::sleep(millis(30));
            most = most.max(turns() - before);
            if most >= 5 {
                break;
            }
        }
        enough.store(true, Ordering::SeqCst);
        waker.join().unwrap();
        assert!(most >= 5, "{most} turns");
    });
}

#[test]
fn what_is_sent_works_for_no_member_of_a_pool() {
    bounded(|| {
        let pool = GreenPool::new(1);
        let handle = hubs::handle().unwrap();
        let (sender, receiver) = channel();
        // The member is the one that waits for the hub when the message comes.
        let member = pool.spawn(move || {
            loop {
                match receiver.try_recv() {
                    Ok(spawner) => return spawner,
                    Err(_) => green::sleep(millis(10)),
                }
            }
        });
        thread::spawn(move || {
            thread::sleep(millis(2));
            let sent = handle.spawn(move || sender.send(green::current().spawned_by()).unwrap());
            sent.unwrap();
        });
        assert_eq!(member.join().unwrap(), None);
    });
}

#[test]
fn a_closed_hub_kills_its_greenthreads_and_takes_no_more() {
    let (sender, receiver) = channel();
    let hub = thread::spawn(move || {
        struct Ends(Rc<RefCell<u32>>);
        impl Drop for Ends {
            fn drop(&mut self) {
                *self.0.borrow_mut() += 1;
            }
        }
        let ended = Rc::new(RefCell::new(0));
        let gts: Vec<_> = (0..3)
            .map(|_| {
                let ends = Ends(Rc::clone(&ended));
                green::spawn(move || {
                    let _ends = ends;
                    green::sleep(Duration::from_secs(3600));
                })
            })
            .collect();
        sender.send(hubs::handle().unwrap()).unwrap();
        green::joinall(&gts);
        *ended.borrow()
    });
    let handle = receiver.recv().unwrap();
    assert!(!handle.is_closed());
    assert_eq!(handle.close(), Ok(()));
    assert_eq!(hub.join().unwrap(), 3);
    assert!(handle.is_closed());
    assert_eq!(handle.close(), Err(ThreadClosed));
    assert_eq!(handle.spawn(|| ()), Err(ThreadClosed));
    handle.wake();
}

#[test]
fn an_ended_thread_takes_nothing_and_loses_nothing() {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        green::sleep(millis(1));
        sender.send(hubs::handle().unwrap()).unwrap();
    })
    .join()
    .unwrap();
    let handle = receiver.recv().unwrap();
    assert!(handle.is_closed());
    let witness = Arc::new(());
    let sent = Arc::clone(&witness);
    assert_eq!(handle.spawn(move || drop(sent)), Err(ThreadClosed));
    assert_eq!(Arc::strong_count(&witness), 1, "the closure was dropped");
}

#[test]
fn a_thread_that_ends_drops_what_it_was_sent() {
    let witness = Arc::new(());
    let (sender, receiver) = channel();
    let (go, gone) = channel();
    let hub = thread::spawn(move || {
        sender.send(hubs::handle().unwrap()).unwrap();
        // It ends without a look at its inbox.
        gone.recv().unwrap();
    });
    let handle = receiver.recv().unwrap();
    let sent = Arc::clone(&witness);
    handle.spawn(move || drop(sent)).unwrap();
    go.send(()).unwrap();
    hub.join().unwrap();
    assert_eq!(Arc::strong_count(&witness), 1);
}

#[test]
fn a_panic_that_was_sent_stays_there() {
    bounded(|| {
        let handle = hubs::handle().unwrap();
        let (sender, receiver) = channel();
        thread::spawn(move || {
            handle.spawn(|| panic!("on purpose")).unwrap();
            handle.spawn(move || sender.send(1).unwrap()).unwrap();
        });
        while receiver.try_recv().is_err() {
            green::sleep(millis(1));
        }
    });
}
