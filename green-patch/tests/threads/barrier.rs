//! pthread's barriers.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;

use green::spawn;

use super::{beside, ms, patched};

struct Barrier(Box<std::cell::UnsafeCell<libc::pthread_barrier_t>>);

// SAFETY: what a barrier is for.
unsafe impl Sync for Barrier {}
// SAFETY: as above.
unsafe impl Send for Barrier {}

impl Barrier {
    fn new(count: u32) -> Arc<Barrier> {
        // SAFETY: all zeros is room for one.
        let barrier = Arc::new(Barrier(Box::new(unsafe { mem::zeroed() })));
        // SAFETY: as above.
        let said = unsafe { libc::pthread_barrier_init(barrier.0.get(), std::ptr::null(), count) };
        assert_eq!(said, 0);
        barrier
    }

    /// True for one of each round.
    fn wait(&self) -> bool {
        // SAFETY: a barrier that lives.
        match unsafe { libc::pthread_barrier_wait(self.0.get()) } {
            libc::PTHREAD_BARRIER_SERIAL_THREAD => true,
            said => {
                assert_eq!(said, 0);
                false
            }
        }
    }
}

impl Drop for Barrier {
    fn drop(&mut self) {
        // SAFETY: nobody waits for it any more.
        assert_eq!(unsafe { libc::pthread_barrier_destroy(self.0.get()) }, 0);
    }
}

#[test]
fn greenthreads_and_threads_meet_round_after_round() {
    const ROUNDS: u32 = 200;
    patched();
    let barrier = Barrier::new(6);
    let (came, serial) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let body = {
        let (barrier, came, serial) = (barrier, Arc::clone(&came), Arc::clone(&serial));
        move || {
            for round in 1..=ROUNDS {
                came.fetch_add(1, SeqCst);
                serial.fetch_add(u32::from(barrier.wait()), SeqCst);
                let seen = came.load(SeqCst);
                assert!(
                    (round * 6..=(round + 1) * 6).contains(&seen),
                    "{seen} in {round}"
                );
            }
        }
    };
    let threads: Vec<_> = (0..2).map(|_| thread::spawn(body.clone())).collect();
    let gts: Vec<_> = (0..4).map(|_| spawn(body.clone())).collect();
    drop(body);
    for gt in gts {
        gt.join().unwrap();
    }
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    assert_eq!(serial.load(SeqCst), ROUNDS, "one of each round");
}

#[test]
fn who_waits_at_a_barrier_lets_others_run() {
    let (is_last, turns) = beside(|| {
        let barrier = Barrier::new(2);
        let there = Arc::clone(&barrier);
        let other = spawn(move || there.wait());
        // Each of them gives the neighbour a turn, whose sleeps are shorter.
        (0..5).for_each(|_| green::sleep(ms(1)));
        assert!(!other.is_dead());
        let list = green::debug::format_greenthreads(false);
        assert!(list.contains("a barrier at 0x"), "{list}");
        let is_last = barrier.wait();
        assert!(!other.join().unwrap());
        is_last
    });
    assert!(is_last && turns > 1, "{turns}");
}

#[test]
fn what_is_no_count_is_refused_as_ever() {
    patched();
    // SAFETY: room for a barrier, which is not made.
    unsafe {
        let mut barrier: libc::pthread_barrier_t = mem::zeroed();
        let said = libc::pthread_barrier_init(&mut barrier, std::ptr::null(), 0);
        assert_eq!(said, libc::EINVAL);
    }
}
