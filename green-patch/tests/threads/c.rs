//! pthread's, as C code calls them.

use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Instant;

use green::spawn;

use super::{beside, ms, patched};

/// An object of C that several threads use.
struct Object<T>(UnsafeCell<T>);

// SAFETY: what the objects of these tests are for.
unsafe impl<T> Sync for Object<T> {}
// SAFETY: as above.
unsafe impl<T> Send for Object<T> {}

impl<T> Object<T> {
    /// All zeros is what the initialisers of pthread are.
    fn new() -> Arc<Object<T>> {
        // SAFETY: as above; the types are plain ones of C.
        Arc::new(Object(UnsafeCell::new(unsafe { mem::zeroed() })))
    }

    fn at(&self) -> *mut T {
        self.0.get()
    }
}

fn ok(said: c_int) {
    assert_eq!(said, 0);
}

/// The time `n` ms ahead by `clock`.
fn ahead(clock: libc::clockid_t, n: i64) -> libc::timespec {
    // SAFETY: room for a time.
    let mut now: libc::timespec = unsafe { mem::zeroed() };
    // SAFETY: as above.
    unsafe { libc::clock_gettime(clock, &mut now) };
    let nanoseconds = now.tv_nsec + n * 1_000_000;
    libc::timespec {
        tv_sec: now.tv_sec + nanoseconds / 1_000_000_000,
        tv_nsec: nanoseconds % 1_000_000_000,
    }
}

#[test]
fn a_mutex() {
    patched();
    let mutex = Object::<libc::pthread_mutex_t>::new();
    let count = Arc::new(AtomicU32::new(0));
    let body = {
        let (mutex, count) = (Arc::clone(&mutex), Arc::clone(&count));
        move || {
            for _ in 0..20 {
                // SAFETY: a mutex that lives.
                unsafe { ok(libc::pthread_mutex_lock(mutex.at())) };
                let before = count.load(SeqCst);
                thread::sleep(ms(0));
                thread::yield_now();
                count.store(before + 1, SeqCst);
                // SAFETY: it is ours.
                unsafe { ok(libc::pthread_mutex_unlock(mutex.at())) };
            }
        }
    };
    let threads: Vec<_> = (0..2).map(|_| thread::spawn(body.clone())).collect();
    let gts: Vec<_> = (0..10).map(|_| spawn(body.clone())).collect();
    green::joinall(&gts);
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    assert_eq!(count.load(SeqCst), 240);
}

#[test]
fn a_mutex_with_a_time_and_one_that_checks() {
    let ((), turns) = beside(|| {
        let mutex = Object::<libc::pthread_mutex_t>::new();
        // SAFETY: objects that live.
        unsafe {
            ok(libc::pthread_mutex_lock(mutex.at()));
            let there = Arc::clone(&mutex);
            let start = Instant::now();
            let said = spawn(move || {
                libc::pthread_mutex_timedlock(there.at(), &ahead(libc::CLOCK_REALTIME, 10))
            });
            assert_eq!(said.join().unwrap(), libc::ETIMEDOUT);
            assert!(start.elapsed() >= ms(9));
            ok(libc::pthread_mutex_unlock(mutex.at()));

            let checked = Object::<libc::pthread_mutex_t>::new();
            let mut kind = mem::zeroed();
            libc::pthread_mutexattr_init(&mut kind);
            libc::pthread_mutexattr_settype(&mut kind, libc::PTHREAD_MUTEX_ERRORCHECK);
            ok(libc::pthread_mutex_init(checked.at(), &kind));
            ok(libc::pthread_mutex_lock(checked.at()));
            assert_eq!(libc::pthread_mutex_lock(checked.at()), libc::EDEADLK);
            let there = Arc::clone(&checked);
            let another = spawn(move || libc::pthread_mutex_unlock(there.at()));
            assert_eq!(another.join().unwrap(), libc::EPERM);
            ok(libc::pthread_mutex_unlock(checked.at()));
        }
    });
    assert!(turns > 1, "{turns}");
}

#[test]
fn one_that_is_locked_again_by_its_owner_alone() {
    patched();
    let mutex = Object::<libc::pthread_mutex_t>::new();
    // SAFETY: objects that live.
    unsafe {
        let mut kind = mem::zeroed();
        libc::pthread_mutexattr_init(&mut kind);
        libc::pthread_mutexattr_settype(&mut kind, libc::PTHREAD_MUTEX_RECURSIVE);
        ok(libc::pthread_mutex_init(mutex.at(), &kind));
    }
    let log = Arc::new(std::sync::Mutex::new(Vec::new()));
    let gts: Vec<_> = (0..3)
        .map(|i| {
            let (mutex, log) = (Arc::clone(&mutex), Arc::clone(&log));
            spawn(move || {
                // SAFETY: a mutex that lives.
                unsafe {
                    ok(libc::pthread_mutex_lock(mutex.at()));
                    ok(libc::pthread_mutex_lock(mutex.at()));
                    log.lock().unwrap().push(i);
                    thread::sleep(ms(1));
                    log.lock().unwrap().push(i);
                    ok(libc::pthread_mutex_unlock(mutex.at()));
                    ok(libc::pthread_mutex_unlock(mutex.at()));
                }
            })
        })
        .collect();
    green::joinall(&gts);
    let log = log.lock().unwrap();
    assert!(
        log.len() == 6 && log.chunks(2).all(|pair| pair[0] == pair[1]),
        "{log:?}"
    );
}

#[test]
fn a_condition() {
    patched();
    let mutex = Object::<libc::pthread_mutex_t>::new();
    let condition = Object::<libc::pthread_cond_t>::new();
    let value = Arc::new(AtomicU32::new(0));
    let waiters: Vec<_> = (0..5)
        .map(|_| {
            let (mutex, condition, value) = (
                Arc::clone(&mutex),
                Arc::clone(&condition),
                Arc::clone(&value),
            );
            spawn(move || {
                // SAFETY: objects that live.
                unsafe {
                    ok(libc::pthread_mutex_lock(mutex.at()));
                    while value.load(SeqCst) == 0 {
                        ok(libc::pthread_cond_wait(condition.at(), mutex.at()));
                    }
                    value.fetch_sub(1, SeqCst);
                    ok(libc::pthread_mutex_unlock(mutex.at()));
                }
            })
        })
        .collect();
    let give = {
        let (mutex, condition, value) = (mutex, condition, value);
        move |n: u32, all: bool| {
            // SAFETY: objects that live.
            unsafe {
                ok(libc::pthread_mutex_lock(mutex.at()));
                value.fetch_add(n, SeqCst);
                ok(match all {
                    true => libc::pthread_cond_broadcast(condition.at()),
                    false => libc::pthread_cond_signal(condition.at()),
                });
                ok(libc::pthread_mutex_unlock(mutex.at()));
            }
        }
    };
    green::yield_now();
    give(1, false);
    thread::spawn(move || {
        green_patch::original::sleep(ms(5));
        give(4, true);
    })
    .join()
    .unwrap();
    waiters
        .into_iter()
        .for_each(|waiter| waiter.join().unwrap());
}

#[test]
fn a_condition_with_a_time_by_its_clock() {
    let ((), turns) = beside(|| {
        for clock in [libc::CLOCK_REALTIME, libc::CLOCK_MONOTONIC] {
            let mutex = Object::<libc::pthread_mutex_t>::new();
            let condition = Object::<libc::pthread_cond_t>::new();
            // SAFETY: objects that live.
            unsafe {
                let mut kind = mem::zeroed();
                libc::pthread_condattr_init(&mut kind);
                libc::pthread_condattr_setclock(&mut kind, clock);
                ok(libc::pthread_cond_init(condition.at(), &kind));
                ok(libc::pthread_mutex_lock(mutex.at()));
                let start = Instant::now();
                let time = ahead(clock, 10);
                let said = libc::pthread_cond_timedwait(condition.at(), mutex.at(), &time);
                assert_eq!(said, libc::ETIMEDOUT);
                let took = start.elapsed();
                assert!(took >= ms(9) && took < ms(5000), "{took:?}");
                ok(libc::pthread_mutex_unlock(mutex.at()));
            }
        }
    });
    assert!(turns > 1, "{turns}");
}

#[test]
fn a_lock_for_readers_and_writers() {
    patched();
    let lock = Object::<libc::pthread_rwlock_t>::new();
    let log = Arc::new(std::sync::Mutex::new(Vec::new()));
    let take = |write: bool| {
        let (lock, log) = (Arc::clone(&lock), Arc::clone(&log));
        spawn(move || {
            // SAFETY: a lock that lives.
            unsafe {
                ok(match write {
                    true => libc::pthread_rwlock_wrlock(lock.at()),
                    false => libc::pthread_rwlock_rdlock(lock.at()),
                });
                log.lock().unwrap().push(if write { "w+" } else { "r+" });
                thread::sleep(ms(2));
                log.lock().unwrap().push(if write { "w-" } else { "r-" });
                ok(libc::pthread_rwlock_unlock(lock.at()));
            }
        })
    };
    let gts = [take(false), take(false), take(true), take(true)];
    green::joinall(&gts);
    let log = log.lock().unwrap().join(" ");
    assert_eq!(log, "r+ r+ r- r- w+ w- w+ w-");
}

#[test]
fn a_semaphore() {
    let ((), turns) = beside(|| {
        let semaphore = Object::<libc::sem_t>::new();
        // SAFETY: a semaphore that lives.
        unsafe {
            ok(libc::sem_init(semaphore.at(), 0, 0));
            let start = Instant::now();
            assert_eq!(
                libc::sem_timedwait(semaphore.at(), &ahead(libc::CLOCK_REALTIME, 10)),
                -1
            );
            assert_eq!(*libc::__errno_location(), libc::ETIMEDOUT);
            assert!(start.elapsed() >= ms(9));
        }
        let waiters: Vec<_> = (0..5)
            .map(|_| {
                let semaphore = Arc::clone(&semaphore);
                // SAFETY: a semaphore that lives.
                spawn(move || unsafe { ok(libc::sem_wait(semaphore.at())) })
            })
            .collect();
        green::yield_now();
        let post = move |n| {
            for _ in 0..n {
                // SAFETY: a semaphore that lives.
                unsafe { ok(libc::sem_post(semaphore.at())) };
            }
        };
        post(2);
        thread::spawn(move || {
            green_patch::original::sleep(ms(3));
            post(3);
        });
        waiters
            .into_iter()
            .for_each(|waiter| waiter.join().unwrap());
    });
    assert!(turns > 1, "{turns}");
}

#[test]
fn one_that_is_shared_with_another_process() {
    patched();
    let room = size_of::<libc::sem_t>();
    // SAFETY: a mapping of our own; the child does nothing but what a child of a fork may.
    unsafe {
        let map = libc::mmap(
            std::ptr::null_mut(),
            room,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        let semaphore = map.cast::<libc::sem_t>();
        ok(libc::sem_init(semaphore, 1, 0));
        let child = spawn(|| libc::fork()).join().unwrap();
        if child == 0 {
            green_patch::original::sleep(ms(20));
            libc::sem_post(semaphore);
            libc::_exit(7);
        }
        let address = semaphore.addr();
        spawn(move || ok(libc::sem_wait(address as *mut _)))
            .join()
            .unwrap();
        let mut status = 0;
        assert_eq!(libc::waitpid(child, &mut status, 0), child);
        assert_eq!(libc::WEXITSTATUS(status), 7);
    }
}

#[test]
fn once() {
    unsafe extern "C" {
        fn pthread_once(control: *mut c_int, f: extern "C" fn()) -> c_int;
    }
    static CALLS: AtomicU32 = AtomicU32::new(0);
    extern "C" fn f() {
        thread::sleep(ms(5));
        CALLS.fetch_add(1, SeqCst);
    }
    patched();
    let control = Object::<c_int>::new();
    let gts: Vec<_> = (0..4)
        .map(|_| {
            let control = Arc::clone(&control);
            spawn(move || {
                // SAFETY: zero is what it begins with, and it lives.
                unsafe { ok(pthread_once(control.at(), f)) };
                CALLS.load(SeqCst)
            })
        })
        .collect();
    for gt in gts {
        assert_eq!(gt.join().unwrap(), 1);
    }
}

static DESTROYED: AtomicUsize = AtomicUsize::new(0);
static KEY: AtomicU32 = AtomicU32::new(0);

extern "C" fn destroy(value: *mut c_void) {
    thread::sleep(ms(1));
    DESTROYED.fetch_add(value.addr(), SeqCst);
    if value.addr() == 100 {
        // Once more.
        // SAFETY: a key that there is.
        unsafe { libc::pthread_setspecific(KEY.load(SeqCst), 1000 as *const c_void) };
    }
}

#[test]
fn values_of_keys_are_destroyed() {
    patched();
    let mut key = 0;
    // SAFETY: room for a key.
    unsafe { ok(libc::pthread_key_create(&mut key, Some(destroy))) };
    KEY.store(key, SeqCst);
    let gts: Vec<_> = [1, 10, 100]
        .into_iter()
        .map(|n: usize| {
            // SAFETY: a key that there is, and numbers for values.
            spawn(move || unsafe {
                assert!(libc::pthread_getspecific(key).is_null());
                ok(libc::pthread_setspecific(key, n as *const c_void));
                thread::sleep(ms(1));
                assert_eq!(libc::pthread_getspecific(key).addr(), n);
            })
        })
        .collect();
    green::joinall(&gts);
    while !gts.iter().all(|gt| gt.is_dead()) {
        green::sleep(ms(1));
    }
    assert_eq!(DESTROYED.load(SeqCst), 1111);
    // SAFETY: a key that there is.
    unsafe { ok(libc::pthread_key_delete(key)) };
}

#[test]
fn a_child_of_a_fork_in_a_greenthread() {
    patched();
    // SAFETY: the child does nothing but what a child of a fork may.
    let child = spawn(|| unsafe {
        let before = libc::pthread_self();
        let child = libc::fork();
        if child == 0 {
            let is_same = libc::pthread_self() == before;
            libc::_exit(if is_same { 3 } else { 4 });
        }
        assert_eq!(libc::pthread_self(), before);
        child
    })
    .join()
    .unwrap();
    let status = spawn(move || {
        let mut status = 0;
        // SAFETY: a child of our own.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        status
    });
    assert_eq!(libc::WEXITSTATUS(status.join().unwrap()), 3);
}

#[test]
fn std_runs_commands() {
    patched();
    let gts: Vec<_> = (0..4)
        .map(|i: i32| {
            spawn(move || {
                let output = std::process::Command::new("sh")
                    .args(["-c", &format!("sleep 0.02; echo {i}")])
                    .output()
                    .unwrap();
                String::from_utf8(output.stdout)
                    .unwrap()
                    .trim()
                    .parse::<i32>()
                    .unwrap()
            })
        })
        .collect();
    for (gt, i) in gts.into_iter().zip(0..) {
        assert_eq!(gt.join().unwrap(), i);
    }
}
