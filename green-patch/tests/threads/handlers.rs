//! Semaphores that a handler of signals gives to.

use std::cell::Cell;
use std::ffi::c_int;
use std::mem;
use std::rc::Rc;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::SeqCst};
use std::thread;

use green::spawn;

use super::{ms, patched};

static SEMAPHORE: AtomicPtr<libc::sem_t> = AtomicPtr::new(std::ptr::null_mut());

/// How many signals were handled.
static HANDLED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn post(_: c_int) {
    HANDLED.fetch_add(1, SeqCst);
    // SAFETY: a semaphore that lives for ever; this may be called in a handler.
    unsafe { libc::sem_post(SEMAPHORE.load(SeqCst)) };
}

/// A semaphore without permits, to which SIGUSR2 gives one.
fn given_by_a_signal() -> *mut libc::sem_t {
    // SAFETY: all zeros is such a semaphore, and lives for ever; the handler has the type that is asked for.
    unsafe {
        let semaphore = Box::leak(Box::new(mem::zeroed())) as *mut libc::sem_t;
        assert_eq!(libc::sem_init(semaphore, 0, 0), 0);
        SEMAPHORE.store(semaphore, SeqCst);
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = post as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        assert_eq!(
            libc::sigaction(libc::SIGUSR2, &action, std::ptr::null_mut()),
            0
        );
        semaphore
    }
}

/// The handler interrupts the scheduler, the allocator and the table, wherever they are: the thread is never idle.
#[test]
fn a_handler_gives_to_a_greenthread_of_the_thread_that_it_interrupts() {
    const SIGNALS: usize = 300;

    patched();
    let semaphore = given_by_a_signal();
    // SAFETY: the call cannot fail.
    let me = unsafe { libc::pthread_self() } as usize;
    let over = Rc::new(Cell::new(false));
    let busy: Vec<_> = (0..3)
        .map(|_| {
            let over = Rc::clone(&over);
            spawn(move || {
                let mutex = std::sync::Mutex::new(Vec::new());
                while !over.get() {
                    mutex.lock().unwrap().push(vec![1u8; 100]);
                    green::yield_now();
                    *mutex.lock().unwrap() = Vec::new();
                }
            })
        })
        .collect();
    let taker = spawn(move || {
        for _ in 0..SIGNALS {
            // SAFETY: a semaphore that lives for ever.
            assert_eq!(unsafe { libc::sem_wait(semaphore) }, 0);
        }
    });
    let sender = thread::spawn(move || {
        for sent in 1..=SIGNALS {
            // SAFETY: a thread that waits for this one to end.
            assert_eq!(unsafe { libc::pthread_kill(me as _, libc::SIGUSR2) }, 0);
            // Two that come at once are one.
            while HANDLED.load(SeqCst) < sent {
                thread::yield_now();
            }
        }
    });
    taker.join().unwrap();
    over.set(true);
    green::joinall(&busy);
    // Nobody listens any more once nobody waits.
    let listens = || green::debug::format_greenthreads(false).contains("listens for semaphores");
    for _ in 0..5000 {
        if !listens() {
            break;
        }
        green::sleep(ms(1));
    }
    assert!(!listens());
    sender.join().unwrap();
}
