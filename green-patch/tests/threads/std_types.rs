//! std's own, parking_lot's and crossbeam's.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Barrier, Condvar, LazyLock, Mutex, OnceLock, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use green::spawn;

use super::{beside, ms, patched};

#[test]
fn mpsc_between_greenthreads() {
    patched();
    let (send, receive) = mpsc::channel();
    let receiver = spawn(move || receive.iter().sum::<u32>());
    let senders: Vec<_> = (0..10)
        .map(|i| {
            let send = send.clone();
            spawn(move || {
                for n in 0..10 {
                    send.send(i * n).unwrap();
                    thread::sleep(ms(1));
                }
            })
        })
        .collect();
    drop(send);
    green::joinall(&senders);
    assert_eq!(receiver.join().unwrap(), 45 * 45);
}

#[test]
fn mpsc_from_an_os_thread() {
    let ((), turns) = beside(|| {
        let (send, receive) = mpsc::channel();
        let thread = thread::spawn(move || {
            for i in 0..5 {
                green_patch::original::sleep(ms(5));
                send.send(i).unwrap();
            }
        });
        assert_eq!(receive.iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        thread.join().unwrap();
    });
    assert!(turns > 1, "{turns}");
}

#[test]
fn mpsc_to_an_os_thread_and_back() {
    patched();
    let (there, at_thread) = mpsc::sync_channel::<u32>(1);
    let (back, at_green) = mpsc::sync_channel(1);
    let thread = thread::spawn(move || {
        for n in at_thread {
            back.send(n + 1).unwrap();
        }
    });
    let gt = spawn(move || {
        let mut n = 0;
        while n < 500 {
            there.send(n).unwrap();
            n = at_green.recv().unwrap();
        }
        n
    });
    assert_eq!(gt.join().unwrap(), 500);
    thread.join().unwrap();
}

#[test]
fn a_rendezvous_and_a_full_channel() {
    patched();
    for bound in [0, 1, 3] {
        let (send, receive) = mpsc::sync_channel(bound);
        let sender = spawn(move || (0..50).for_each(|i| send.send(i).unwrap()));
        let receiver = spawn(move || receive.iter().count());
        sender.join().unwrap();
        assert_eq!(receiver.join().unwrap(), 50);
    }
}

#[test]
fn a_receive_with_a_timeout() {
    let (took, turns) = beside(|| {
        let (_send, receive) = mpsc::channel::<()>();
        let start = Instant::now();
        assert_eq!(receive.recv_timeout(ms(10)), Err(RecvTimeoutError::Timeout));
        start.elapsed()
    });
    assert!(took >= ms(10) && turns > 1, "{took:?} {turns}");
}

#[test]
fn a_mutex_that_is_held_over_a_wait() {
    patched();
    let mutex = Arc::new(Mutex::new(Vec::new()));
    let gts: Vec<_> = (0..10)
        .map(|i| {
            let mutex = Arc::clone(&mutex);
            spawn(move || {
                for n in 0..5 {
                    let mut list = mutex.lock().unwrap();
                    list.push(i * 5 + n);
                    thread::sleep(Duration::from_micros(200));
                }
            })
        })
        .collect();
    green::joinall(&gts);
    let mut list = mutex.lock().unwrap().clone();
    list.sort_unstable();
    assert_eq!(list, (0..50).collect::<Vec<_>>());
}

#[test]
fn a_mutex_that_an_os_thread_holds() {
    let (n, turns) = beside(|| {
        let mutex = Arc::new(Mutex::new(1));
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn({
            let mutex = Arc::clone(&mutex);
            move || {
                let mut n = mutex.lock().unwrap();
                tell.send(()).unwrap();
                green_patch::original::sleep(ms(10));
                *n = 2;
            }
        });
        told.recv().unwrap();
        let n = *mutex.lock().unwrap();
        thread.join().unwrap();
        n
    });
    assert!(n == 2 && turns > 1, "{turns}");
}

#[test]
fn a_mutex_between_greenthreads_of_several_threads() {
    patched();
    let count = Arc::new(Mutex::new(0));
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let count = Arc::clone(&count);
            thread::spawn(move || {
                let gts: Vec<_> = (0..10)
                    .map(|_| {
                        let count = Arc::clone(&count);
                        spawn(move || {
                            for _ in 0..50 {
                                let mut held = count.lock().unwrap();
                                let before = *held;
                                thread::yield_now();
                                *held = before + 1;
                            }
                        })
                    })
                    .collect();
                green::joinall(&gts);
            })
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    assert_eq!(*count.lock().unwrap(), 1500);
}

#[test]
fn a_condvar_a_barrier_and_an_rwlock() {
    patched();
    let pair = Arc::new((Mutex::new(0), Condvar::new()));
    let barrier = Arc::new(Barrier::new(6));
    let lock = Arc::new(RwLock::new(0));
    let waiters: Vec<_> = (0..5)
        .map(|_| {
            let (pair, barrier, lock) =
                (Arc::clone(&pair), Arc::clone(&barrier), Arc::clone(&lock));
            spawn(move || {
                let mut n = pair.0.lock().unwrap();
                while *n == 0 {
                    n = pair.1.wait(n).unwrap();
                }
                drop(n);
                barrier.wait();
                *lock.write().unwrap() += 1;
                thread::sleep(ms(1));
                let read = lock.read().unwrap();
                thread::sleep(ms(1));
                *read
            })
        })
        .collect();
    green::yield_now();
    *pair.0.lock().unwrap() = 1;
    pair.1.notify_all();
    barrier.wait();
    for waiter in waiters {
        assert!(waiter.join().unwrap() >= 1);
    }
    assert_eq!(*lock.read().unwrap(), 5);
    let guard = pair.0.lock().unwrap();
    let (_guard, timeout) = pair.1.wait_timeout(guard, ms(5)).unwrap();
    assert!(timeout.timed_out());
}

#[test]
fn park_and_unpark() {
    patched();
    let flag = Rc::new(Cell::new(false));
    let (tell, told) = mpsc::channel();
    let parked = spawn({
        let flag = Rc::clone(&flag);
        move || {
            tell.send(thread::current()).unwrap();
            while !flag.get() {
                thread::park();
            }
            7
        }
    });
    let thread = told.recv().unwrap();
    flag.set(true);
    thread.unpark();
    assert_eq!(parked.join().unwrap(), 7);
    // From another thread; and one that comes before the park.
    let there = spawn(|| {
        let me = thread::current();
        me.unpark();
        thread::park();
        let done = Arc::new(AtomicBool::new(false));
        let other = thread::spawn({
            let done = Arc::clone(&done);
            move || {
                green_patch::original::sleep(ms(5));
                done.store(true, SeqCst);
                me.unpark();
            }
        });
        while !done.load(SeqCst) {
            thread::park();
        }
        other.join().unwrap();
    });
    there.join().unwrap();
    let start = Instant::now();
    spawn(|| thread::park_timeout(ms(5))).join().unwrap();
    assert!(start.elapsed() >= ms(5));
}

#[test]
fn once_and_lazy_values_that_wait() {
    patched();
    static ONCE: OnceLock<u32> = OnceLock::new();
    static LAZY: LazyLock<u32> = LazyLock::new(|| {
        thread::sleep(ms(5));
        6
    });
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let gts: Vec<_> = (0..5)
        .map(|_| {
            spawn(|| {
                let once = ONCE.get_or_init(|| {
                    CALLS.fetch_add(1, SeqCst);
                    thread::sleep(ms(5));
                    5
                });
                once + *LAZY
            })
        })
        .collect();
    for gt in gts {
        assert_eq!(gt.join().unwrap(), 11);
    }
    assert_eq!(CALLS.load(SeqCst), 1);
}

#[test]
fn threads_are_made_and_joined() {
    let (sum, turns) = beside(|| {
        let threads: Vec<_> = (0..4u64)
            .map(|i| {
                thread::spawn(move || {
                    green_patch::original::sleep(ms(5 * i));
                    i
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum::<u64>()
    });
    assert!(sum == 6 && turns > 1, "{turns}");
    let panicked = spawn(|| thread::spawn(|| panic!("of a thread")).join().is_err());
    assert!(panicked.join().unwrap());
    let scoped = spawn(|| {
        let n = AtomicU32::new(0);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| n.fetch_add(1, SeqCst));
            }
        });
        n.into_inner()
    });
    assert_eq!(scoped.join().unwrap(), 3);
}

#[test]
fn parking_lots_and_crossbeams() {
    patched();
    let mutex = Arc::new(parking_lot::Mutex::new(0));
    let condvar = Arc::new(parking_lot::Condvar::new());
    let (send, receive) = crossbeam_channel::bounded::<u32>(0);
    let gts: Vec<_> = (0..5)
        .map(|i| {
            let (mutex, condvar, send) = (Arc::clone(&mutex), Arc::clone(&condvar), send.clone());
            spawn(move || {
                let mut n = mutex.lock();
                thread::sleep(ms(1));
                *n += 1;
                condvar.notify_all();
                drop(n);
                send.send(i).unwrap();
            })
        })
        .collect();
    drop(send);
    let waiter = spawn(move || {
        let mut n = mutex.lock();
        while *n < 5 {
            condvar.wait(&mut n);
        }
        *n
    });
    let receiver = spawn(move || receive.iter().sum::<u32>());
    green::joinall(&gts);
    assert_eq!(waiter.join().unwrap(), 5);
    assert_eq!(receiver.join().unwrap(), 10);
}

#[test]
fn a_kill_waits_for_what_cannot_be_cut_short() {
    patched();
    let (send, receive) = mpsc::channel();
    let got = Rc::new(Cell::new(0));
    let receiver = spawn({
        let got = Rc::clone(&got);
        move || {
            got.set(receive.recv().unwrap());
            green::sleep(Duration::from_secs(60));
        }
    });
    green::yield_now();
    receiver.kill();
    green::sleep(ms(2));
    assert!(!receiver.is_dead());
    send.send(5).unwrap();
    assert!(receiver.join().is_err());
    assert_eq!(got.get(), 5);
}

#[test]
fn a_thread_ends_whose_greenthread_waits_for_ever() {
    patched();
    let (send, receive) = mpsc::channel::<()>();
    thread::spawn(move || {
        spawn(move || receive.recv());
        green::sleep(ms(2));
    })
    .join()
    .unwrap();
    drop(send);
}

#[test]
fn a_thread_ends_whose_greenthread_does_not_let_go_of_a_call() {
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    patched();
    thread::spawn(|| {
        let (mut near, far) = UnixStream::pair().unwrap();
        spawn(move || {
            let mut tries = 0;
            // A call that its kill has cut short, again and again.
            while near.read(&mut [0]).is_err() {
                tries += 1;
            }
            (tries, far)
        });
        green::sleep(ms(2));
    })
    .join()
    .unwrap();
}
