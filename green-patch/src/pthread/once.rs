//! `pthread_once`.

use std::ffi::c_int;
use std::sync::atomic::{AtomicI32, Ordering};

use libc::pthread_once_t;

use super::given_back;
use crate::futex::{Address, Woken, may_wait, wait_until};
use crate::sys::next;

type Once =
    unsafe extern "C" fn(*mut pthread_once_t, Option<unsafe extern "C-unwind" fn()>) -> c_int;

/// libc's mark of a call that is under way.
const IN_PROGRESS: i32 = 1;

/// As libc's. One whose function is at work in another greenthread is waited for.
///
/// # Safety
/// As its manual says.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn pthread_once(
    control: *mut pthread_once_t,
    f: Option<unsafe extern "C-unwind" fn()>,
) -> c_int {
    // SAFETY: as the caller vouches for; libc changes it by atomic operations.
    let state = unsafe { AtomicI32::from_ptr(control) };
    if may_wait() && is_at_work(state) {
        wait_until(
            "a once",
            Address::Object(control.addr()),
            Woken::Elsewhere,
            None,
            || (!is_at_work(state)).then_some(()),
        );
    }
    let once = next!(c"pthread_once" as Once);
    // SAFETY: as the caller vouches for.
    let said = unsafe { once(control, f) };
    given_back(control.addr(), usize::MAX);
    said
}

fn is_at_work(state: &AtomicI32) -> bool {
    state.load(Ordering::Acquire) & IN_PROGRESS != 0
}
