//! What reports say of greenthreads that wait for each other as threads do.

use std::ffi::c_int;
use std::mem;
use std::ptr;

use green::spawn;

use super::{ms, patched};

/// Spawns a waiter, and gives it something to wait for, until it is seen in the list.
fn is_listed(what: &str, address: usize, wait: impl FnOnce() + 'static) -> green::GreenThread<()> {
    patched();
    let gt = spawn(wait);
    let wanted = format!("{what} at {address:#x}");
    let mut list = String::new();
    // It looks in between if a semaphore of another thread is given something.
    for _ in 0..5000 {
        green::sleep(ms(1));
        list = green::debug::format_greenthreads(false);
        if list.contains(&wanted) {
            return gt;
        }
    }
    panic!("{wanted} is not in\n{list}");
}

fn ok(said: c_int) {
    assert_eq!(said, 0);
}

/// The address in a list, after these words.
fn address_after(words: &str, list: &str) -> Option<usize> {
    let (_, rest) = list.split_once(words)?;
    let digits = rest.split(|c: char| !c.is_ascii_hexdigit()).next()?;
    usize::from_str_radix(digits, 16).ok()
}

#[test]
fn a_lock_of_std_is_a_futex_with_its_address() {
    patched();
    let lock: &'static std::sync::Mutex<u32> = Box::leak(Box::default());
    let held = lock.lock().unwrap();
    let gt = spawn(|| drop(lock.lock().unwrap()));
    green::sleep(ms(2));
    let list = green::debug::format_greenthreads(false);
    let address = address_after("a futex at 0x", &list);
    let inside = ptr::from_ref(lock).addr()..ptr::from_ref(lock).addr() + size_of_val(lock);
    assert!(address.is_some_and(|at| inside.contains(&at)), "{list}");
    drop(held);
    gt.join().unwrap();
}

#[test]
fn what_c_waits_for_is_named_with_its_address() {
    patched();
    let mutex = Box::leak(Box::new(libc::PTHREAD_MUTEX_INITIALIZER)) as *mut libc::pthread_mutex_t;
    let condition =
        Box::leak(Box::new(libc::PTHREAD_COND_INITIALIZER)) as *mut libc::pthread_cond_t;
    let lock = Box::leak(Box::new(libc::PTHREAD_RWLOCK_INITIALIZER)) as *mut libc::pthread_rwlock_t;
    // SAFETY: objects that live for ever; all zeros is a semaphore without permits.
    unsafe {
        let semaphore = Box::leak(Box::new(mem::zeroed())) as *mut libc::sem_t;
        ok(libc::pthread_mutex_lock(mutex));
        let gt = is_listed("a mutex", mutex.addr(), move || {
            ok(libc::pthread_mutex_lock(mutex));
            ok(libc::pthread_mutex_unlock(mutex));
        });
        ok(libc::pthread_mutex_unlock(mutex));
        gt.join().unwrap();

        let gt = is_listed("a condition", condition.addr(), move || {
            ok(libc::pthread_mutex_lock(mutex));
            ok(libc::pthread_cond_wait(condition, mutex));
            ok(libc::pthread_mutex_unlock(mutex));
        });
        ok(libc::pthread_cond_signal(condition));
        gt.join().unwrap();

        ok(libc::pthread_rwlock_wrlock(lock));
        let gt = is_listed("a read-write lock", lock.addr(), move || {
            ok(libc::pthread_rwlock_rdlock(lock));
            ok(libc::pthread_rwlock_unlock(lock));
        });
        ok(libc::pthread_rwlock_unlock(lock));
        gt.join().unwrap();

        let gt = is_listed("a semaphore", semaphore.addr(), move || {
            ok(libc::sem_wait(semaphore));
        });
        ok(libc::sem_post(semaphore));
        gt.join().unwrap();
    }
}
