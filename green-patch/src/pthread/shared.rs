//! Which of them are shared with other processes, whose wake-ups nobody sees here, and which clock a condition goes by: found
//! in the objects themselves, by what differs between two that were made differently.

use std::mem::MaybeUninit;
use std::sync::OnceLock;

use libc::{
    clockid_t, pthread_cond_t, pthread_condattr_t, pthread_mutex_t, pthread_mutexattr_t,
    pthread_rwlock_t, pthread_rwlockattr_t, sem_t,
};

use crate::futex::Woken;

/// A bit of an object.
#[derive(Clone, Copy)]
struct Bit {
    place: usize,
    mask: u8,
    /// What the bit is in the other kind.
    set: bool,
}

impl Bit {
    /// The first one by which the two differ.
    fn between<T>(plain: &MaybeUninit<T>, other: &MaybeUninit<T>) -> Option<Bit> {
        (0..size_of::<T>()).find_map(|place| {
            // SAFETY: inside the values, which were all zeros at first.
            let (plain, other) = unsafe {
                (
                    plain.as_ptr().cast::<u8>().add(place).read(),
                    other.as_ptr().cast::<u8>().add(place).read(),
                )
            };
            let differs = plain ^ other;
            (differs != 0).then(|| {
                let mask = 1 << differs.trailing_zeros();
                let set = other & mask != 0;
                Bit { place, mask, set }
            })
        })
    }

    /// # Safety
    /// A value that there is, of the kind that the bit was found in.
    unsafe fn is_in<T>(self, value: *const T) -> bool {
        // SAFETY: as the caller vouches for; it may change under us, but not in this bit.
        let byte = unsafe { value.cast::<u8>().add(self.place).read_volatile() };
        (byte & self.mask != 0) == self.set
    }
}

/// The bit that tells a shared one; none was found if all are alike, and then none is.
macro_rules! is_shared {
    ($value:expr, $kind:ty, $attributes:ty, $make:ident, $share:ident, $init:ident) => {{
        static BIT: OnceLock<Option<Bit>> = OnceLock::new();
        let bit = BIT.get_or_init(|| {
            let mut attributes = MaybeUninit::<$attributes>::zeroed();
            let (mut plain, mut other) = (
                MaybeUninit::<$kind>::zeroed(),
                MaybeUninit::<$kind>::zeroed(),
            );
            // SAFETY: room for what is made; two that are made and not used need not be destroyed.
            unsafe {
                libc::$make(attributes.as_mut_ptr());
                libc::$init(plain.as_mut_ptr(), attributes.as_ptr());
                libc::$share(attributes.as_mut_ptr(), libc::PTHREAD_PROCESS_SHARED);
                libc::$init(other.as_mut_ptr(), attributes.as_ptr());
            }
            Bit::between(&plain, &other)
        });
        // SAFETY: as the caller vouches for.
        bit.is_some_and(|bit| unsafe { bit.is_in($value) })
    }};
}

fn by(is_shared: bool) -> Woken {
    match is_shared {
        true => Woken::Elsewhere,
        false => Woken::Here,
    }
}

/// # Safety
/// One that there is.
#[cold]
pub(super) unsafe fn mutex(mutex: *const pthread_mutex_t) -> Woken {
    by(is_shared!(
        mutex,
        pthread_mutex_t,
        pthread_mutexattr_t,
        pthread_mutexattr_init,
        pthread_mutexattr_setpshared,
        pthread_mutex_init
    ))
}

/// # Safety
/// One that there is.
#[cold]
pub(super) unsafe fn rwlock(lock: *const pthread_rwlock_t) -> Woken {
    by(is_shared!(
        lock,
        pthread_rwlock_t,
        pthread_rwlockattr_t,
        pthread_rwlockattr_init,
        pthread_rwlockattr_setpshared,
        pthread_rwlock_init
    ))
}

/// # Safety
/// One that there is.
pub(super) unsafe fn is_condition_shared(condition: *const pthread_cond_t) -> bool {
    is_shared!(
        condition,
        pthread_cond_t,
        pthread_condattr_t,
        pthread_condattr_init,
        pthread_condattr_setpshared,
        pthread_cond_init
    )
}

/// # Safety
/// One that there is.
#[cold]
pub(super) unsafe fn semaphore(semaphore: *const sem_t) -> Woken {
    static BIT: OnceLock<Option<Bit>> = OnceLock::new();
    let bit = BIT.get_or_init(|| {
        let (mut plain, mut other) = (MaybeUninit::zeroed(), MaybeUninit::<sem_t>::zeroed());
        // SAFETY: room for what is made; two that are not used need not be destroyed.
        unsafe {
            libc::sem_init(plain.as_mut_ptr(), 0, 0);
            libc::sem_init(other.as_mut_ptr(), 1, 0);
        }
        Bit::between(&plain, &other)
    });
    // SAFETY: as the caller vouches for.
    by(bit.is_some_and(|bit| unsafe { bit.is_in(semaphore) }))
}

/// The clock of the times that a condition is given.
///
/// # Safety
/// One that there is.
pub(super) unsafe fn clock(condition: *const pthread_cond_t) -> clockid_t {
    static BIT: OnceLock<Option<Bit>> = OnceLock::new();
    let bit = BIT.get_or_init(|| {
        let mut attributes = MaybeUninit::<pthread_condattr_t>::zeroed();
        let (mut plain, mut other) = (MaybeUninit::zeroed(), MaybeUninit::zeroed());
        // SAFETY: room for what is made; two that are not used need not be destroyed.
        unsafe {
            libc::pthread_condattr_init(attributes.as_mut_ptr());
            libc::pthread_cond_init(plain.as_mut_ptr(), attributes.as_ptr());
            libc::pthread_condattr_setclock(attributes.as_mut_ptr(), libc::CLOCK_MONOTONIC);
            libc::pthread_cond_init(other.as_mut_ptr(), attributes.as_ptr());
        }
        Bit::between::<pthread_cond_t>(&plain, &other)
    });
    // SAFETY: as the caller vouches for.
    match bit.is_some_and(|bit| unsafe { bit.is_in(condition) }) {
        true => libc::CLOCK_MONOTONIC,
        false => libc::CLOCK_REALTIME,
    }
}
