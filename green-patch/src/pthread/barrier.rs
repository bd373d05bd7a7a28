//! `pthread_barrier_wait` and what goes with it.
//!
//! libc's barrier cannot be tried: who comes counts, and then waits in it. So barriers are ours from the start, in the room
//! that C has for libc's, for greenthreads and OS threads alike. Those that are shared with other processes are libc's.

use std::ffi::{c_int, c_uint};
use std::hint::spin_loop;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use libc::{pthread_barrier_t, pthread_barrierattr_t};

use crate::futex::{Address, may_wait, wait_taken, wake};
use crate::sys::{next, sys};

/// In the room of a `pthread_barrier_t`.
#[repr(C)]
struct Barrier {
    locked: AtomicU32,
    /// How many make a round.
    count: AtomicU32,
    /// Those who have come in this round.
    arrived: AtomicU32,
    /// Changes at the end of each round: OS threads wait for that.
    round: AtomicU32,
    /// OS threads that still look at this barrier.
    inside: AtomicU32,
    unused: [AtomicU32; 2],
    /// `OURS`. libc leaves this word alone.
    mark: AtomicU32,
}

const _: () = assert!(size_of::<Barrier>() <= size_of::<pthread_barrier_t>());
const _: () = assert!(align_of::<Barrier>() <= align_of::<pthread_barrier_t>());

const OURS: u32 = 0x6772_6e62;

impl Barrier {
    /// `f` must not wait. Others that come meanwhile spin.
    fn with<R>(&self, f: impl FnOnce() -> R) -> R {
        while self.locked.swap(1, Ordering::Acquire) != 0 {
            spin_loop();
            // SAFETY: lets another OS thread run, which may be the one that has the lock.
            unsafe { sys!(SYS_sched_yield) };
        }
        let result = f();
        self.locked.store(0, Ordering::Release);
        result
    }

    /// True for the last of a round, which wakes the others. To be called under the lock: nobody comes to a later round
    /// before all of this one are out of the table.
    fn arrive(&self) -> bool {
        let arrived = self.arrived.load(Ordering::Relaxed) + 1;
        if arrived < self.count.load(Ordering::Relaxed) {
            self.arrived.store(arrived, Ordering::Relaxed);
            return false;
        }
        self.arrived.store(0, Ordering::Relaxed);
        let round = self.round.fetch_add(1, Ordering::Release);
        wake(self.address(), usize::MAX, mask_of(round));
        let all = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
        // SAFETY: a word that there is.
        unsafe { sys!(SYS_futex, self.round.as_ptr(), all, i32::MAX) };
        true
    }

    fn address(&self) -> Address {
        Address::Object(ptr::from_ref(self).addr())
    }

    /// As a greenthread. True for the last of a round. Nobody looks at the barrier after its round has ended: it may have
    /// been destroyed by then.
    fn wait_green(&self) -> bool {
        loop {
            let round = self.round.load(Ordering::Acquire);
            let mut came = None;
            wait_taken("a barrier", self.address(), mask_of(round), || {
                came = self.with(|| {
                    let is_same = self.round.load(Ordering::Relaxed) == round;
                    is_same.then(|| self.arrive())
                });
                came == Some(false)
            });
            // Otherwise the round has ended before it came.
            if let Some(is_last) = came {
                return is_last;
            }
        }
    }

    /// As an OS thread.
    fn wait_blocking(&self) -> bool {
        let (round, is_last) = self.with(|| {
            let round = self.round.load(Ordering::Relaxed);
            let is_last = self.arrive();
            if !is_last {
                self.inside.fetch_add(1, Ordering::Relaxed);
            }
            (round, is_last)
        });
        if is_last {
            return true;
        }
        let wait = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
        while self.round.load(Ordering::Acquire) == round {
            let none = ptr::null::<libc::timespec>();
            // SAFETY: a word that lives until `inside` is zero.
            unsafe { sys!(SYS_futex, self.round.as_ptr(), wait, round, none) };
        }
        self.inside.fetch_sub(1, Ordering::Release);
        false
    }
}

/// By which those of a round are told from those of the next.
fn mask_of(round: u32) -> u32 {
    1 << (round % u32::BITS)
}

/// The barrier, if it is ours.
///
/// # Safety
/// A barrier that lives.
unsafe fn ours<'a>(barrier: *mut pthread_barrier_t) -> Option<&'a Barrier> {
    // SAFETY: as the caller vouches for; all bits of both are numbers.
    let barrier = unsafe { &*barrier.cast::<Barrier>() };
    (barrier.mark.load(Ordering::Relaxed) == OURS).then_some(barrier)
}

/// # Safety
/// Null, or attributes that live.
unsafe fn is_shared(attributes: *const pthread_barrierattr_t) -> bool {
    let mut shared = libc::PTHREAD_PROCESS_PRIVATE;
    if !attributes.is_null() {
        // SAFETY: as the caller vouches for, and there is room for the answer.
        unsafe { libc::pthread_barrierattr_getpshared(attributes, &mut shared) };
    }
    shared != libc::PTHREAD_PROCESS_PRIVATE
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_barrier_init(
    barrier: *mut pthread_barrier_t,
    attributes: *const pthread_barrierattr_t,
    count: c_uint,
) -> c_int {
    type Init =
        unsafe extern "C" fn(*mut pthread_barrier_t, *const pthread_barrierattr_t, c_uint) -> c_int;

    // SAFETY: as the caller vouches for: there is room for a barrier.
    unsafe {
        barrier.write_bytes(0, 1);
        // It says what is wrong with the arguments.
        let said = next!(c"pthread_barrier_init" as Init)(barrier, attributes, count);
        if said == 0 && !is_shared(attributes) {
            barrier.write_bytes(0, 1);
            let fresh = &*barrier.cast::<Barrier>();
            fresh.count.store(count, Ordering::Relaxed);
            fresh.mark.store(OURS, Ordering::Release);
        }
        said
    }
}

type Call = unsafe extern "C" fn(*mut pthread_barrier_t) -> c_int;

/// As libc's. Those whose round has ended may still be about to leave.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_barrier_destroy(barrier: *mut pthread_barrier_t) -> c_int {
    // SAFETY: as the caller vouches for.
    let Some(ours) = (unsafe { ours(barrier) }) else {
        // SAFETY: as the caller vouches for.
        return unsafe { next!(c"pthread_barrier_destroy" as Call)(barrier) };
    };
    while ours.inside.load(Ordering::Acquire) != 0 || ours.locked.load(Ordering::Acquire) != 0 {
        // SAFETY: lets another OS thread run.
        unsafe { sys!(SYS_sched_yield) };
    }
    ours.mark.store(0, Ordering::Relaxed);
    0
}

/// As libc's.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_barrier_wait(barrier: *mut pthread_barrier_t) -> c_int {
    // SAFETY: as the caller vouches for.
    let Some(ours) = (unsafe { ours(barrier) }) else {
        // SAFETY: as the caller vouches for.
        return unsafe { next!(c"pthread_barrier_wait" as Call)(barrier) };
    };
    let is_last = match may_wait() {
        true => ours.wait_green(),
        false => ours.wait_blocking(),
    };
    if is_last {
        libc::PTHREAD_BARRIER_SERIAL_THREAD
    } else {
        0
    }
}
