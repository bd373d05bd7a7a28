//! The threads of C11.

use std::ffi::{c_int, c_void};
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use green::spawn;

use super::{beside, ms, patched};

const BUSY: c_int = 1;
const TIMED_OUT: c_int = 4;

unsafe extern "C" {
    fn mtx_init(mutex: *mut libc::pthread_mutex_t, kind: c_int) -> c_int;
    fn mtx_lock(mutex: *mut libc::pthread_mutex_t) -> c_int;
    fn mtx_trylock(mutex: *mut libc::pthread_mutex_t) -> c_int;
    fn mtx_timedlock(mutex: *mut libc::pthread_mutex_t, time: *const libc::timespec) -> c_int;
    fn mtx_unlock(mutex: *mut libc::pthread_mutex_t) -> c_int;
    fn cnd_init(condition: *mut libc::pthread_cond_t) -> c_int;
    fn cnd_wait(condition: *mut libc::pthread_cond_t, mutex: *mut libc::pthread_mutex_t) -> c_int;
    fn cnd_timedwait(
        condition: *mut libc::pthread_cond_t,
        mutex: *mut libc::pthread_mutex_t,
        time: *const libc::timespec,
    ) -> c_int;
    fn cnd_signal(condition: *mut libc::pthread_cond_t) -> c_int;
    fn thrd_create(
        thread: *mut libc::pthread_t,
        f: extern "C" fn(*mut c_void) -> c_int,
        argument: *mut c_void,
    ) -> c_int;
    fn thrd_join(thread: libc::pthread_t, result: *mut c_int) -> c_int;
    fn thrd_sleep(time: *const libc::timespec, left: *mut libc::timespec) -> c_int;
    fn thrd_yield();
    fn tss_create(key: *mut u32, destructor: Option<unsafe extern "C" fn(*mut c_void)>) -> c_int;
    fn tss_set(key: u32, value: *mut c_void) -> c_int;
    fn tss_get(key: u32) -> *mut c_void;
}

/// A lock and a condition that live for ever.
fn shared() -> (*mut libc::pthread_mutex_t, *mut libc::pthread_cond_t) {
    // SAFETY: room for what is made there.
    unsafe {
        let mutex = Box::leak(Box::new(mem::zeroed())) as *mut libc::pthread_mutex_t;
        let condition = Box::leak(Box::new(mem::zeroed())) as *mut libc::pthread_cond_t;
        // The kind that can be waited for until some time.
        assert_eq!((mtx_init(mutex, 2), cnd_init(condition)), (0, 0));
        (mutex, condition)
    }
}

/// A time that lies so far ahead.
fn ahead(milliseconds: i64) -> libc::timespec {
    // SAFETY: room for a time.
    unsafe {
        let mut time: libc::timespec = mem::zeroed();
        libc::clock_gettime(libc::CLOCK_REALTIME, &mut time);
        time.tv_nsec += milliseconds * 1_000_000;
        time.tv_sec += time.tv_nsec / 1_000_000_000;
        time.tv_nsec %= 1_000_000_000;
        time
    }
}

#[test]
fn a_mutex_is_waited_for_while_others_run() {
    patched();
    let (mutex, _) = shared();
    let (said, turns) = beside(move || {
        // SAFETY: a mutex that lives for ever.
        unsafe {
            assert_eq!(mtx_lock(mutex), 0);
            let late = spawn(move || (mtx_trylock(mutex), mtx_timedlock(mutex, &ahead(3))));
            assert_eq!(late.join().unwrap(), (BUSY, TIMED_OUT));
            let waiter = spawn(move || (mtx_lock(mutex), mtx_unlock(mutex)));
            green::sleep(ms(3));
            assert!(!waiter.is_dead());
            assert_eq!(mtx_unlock(mutex), 0);
            waiter.join().unwrap()
        }
    });
    assert_eq!(said, (0, 0));
    assert!(turns > 1);
}

#[test]
fn a_condition_is_waited_for_while_others_run() {
    patched();
    let (mutex, condition) = shared();
    let ((late, woken), turns) = beside(move || {
        // SAFETY: objects that live for ever.
        unsafe {
            assert_eq!(mtx_lock(mutex), 0);
            let late = cnd_timedwait(condition, mutex, &ahead(3));
            spawn(move || {
                assert_eq!(mtx_lock(mutex), 0);
                assert_eq!((cnd_signal(condition), mtx_unlock(mutex)), (0, 0));
            });
            let woken = cnd_wait(condition, mutex);
            assert_eq!(mtx_unlock(mutex), 0);
            (late, woken)
        }
    });
    assert_eq!((late, woken), (TIMED_OUT, 0));
    assert!(turns > 1);
}

extern "C" fn sleeps(milliseconds: *mut c_void) -> c_int {
    let time = libc::timespec {
        tv_sec: 0,
        tv_nsec: milliseconds.addr() as i64 * 1_000_000,
    };
    // SAFETY: a time that is there.
    unsafe { thrd_sleep(&time, std::ptr::null_mut()) + 7 }
}

#[test]
fn a_thread_is_made_and_waited_for_and_sleeps() {
    patched();
    let (said, turns) = beside(|| {
        // SAFETY: room for what is written; the thread is joined.
        unsafe {
            let (mut thread, mut result) = (mem::zeroed(), 0);
            let argument = std::ptr::without_provenance_mut(5);
            assert_eq!(thrd_create(&mut thread, sleeps, argument), 0);
            assert_eq!(thrd_join(thread, &mut result), 0);
            // In a greenthread.
            result + sleeps(argument)
        }
    });
    assert_eq!(said, 14);
    assert!(turns > 1);
    let other = spawn(|| ());
    // SAFETY: it takes nothing.
    unsafe { thrd_yield() };
    assert!(other.is_dead());
}

static DESTROYED: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" fn destroyed(value: *mut c_void) {
    DESTROYED.fetch_add(value.addr(), SeqCst);
}

#[test]
fn a_value_of_a_greenthread_is_its_own_and_is_destroyed_at_its_end() {
    patched();
    // SAFETY: a key that is made, and values that are numbers.
    unsafe {
        let mut key = 0;
        assert_eq!(tss_create(&mut key, Some(destroyed)), 0);
        let gts = [1, 2].map(|number| {
            spawn(move || {
                assert!(tss_get(key).is_null());
                assert_eq!(tss_set(key, std::ptr::without_provenance_mut(number)), 0);
                green::yield_now();
                tss_get(key).addr()
            })
        });
        let [one, two] = gts.map(|gt| gt.join().unwrap());
        assert_eq!((one, two), (1, 2));
        // Who joins does not wait for destructors.
        for _ in 0..1000 {
            if DESTROYED.load(SeqCst) == 3 {
                break;
            }
            green::sleep(ms(1));
        }
        assert_eq!(DESTROYED.load(SeqCst), 3);
    }
}
