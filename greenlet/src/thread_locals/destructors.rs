//! The destructors of a greenlet's own thread-locals.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;

/// What is different in each storage: among the thread-locals itself.
pub(crate) struct Own {
    /// True in the storage of a greenlet.
    pub(super) is_own: Cell<bool>,
    /// Nothing is registered any more.
    closed: Cell<bool>,
    /// The last one that was registered.
    last: Cell<*mut Registered>,
}

impl Own {
    pub(super) const fn new(is_own: bool) -> Own {
        Own {
            is_own: Cell::new(is_own),
            closed: Cell::new(false),
            last: Cell::new(ptr::null_mut()),
        }
    }
}

// Without a destructor, so that it can be asked in any of them.
const _: () = assert!(!std::mem::needs_drop::<Own>());

thread_local! {
    static OWN: Own = const { Own::new(false) };
}

type Destructor = unsafe extern "C" fn(*mut c_void);

struct Registered {
    destructor: Destructor,
    object: *mut c_void,
    before: *mut Registered,
}

/// Where this thread-local is for the thread pointer that is set.
pub(super) fn address() -> *const Own {
    OWN.with(ptr::from_ref)
}

#[inline(always)]
pub(super) fn are_own() -> bool {
    OWN.with(|own| own.is_own.get())
}

#[inline(always)]
pub(super) fn have_destructors() -> bool {
    OWN.with(|own| !own.last.get().is_null())
}

/// Takes the registration of a destructor that belongs to the running greenlet. False if it belongs to the OS thread.
pub(crate) fn adopt(destructor: Destructor, object: *mut c_void) -> bool {
    if !are_own() {
        return false;
    }
    if !OWN.with(|own| own.closed.get()) {
        // First: the allocator may be one that registers a destructor itself.
        let new = Box::into_raw(Box::new(Registered {
            destructor,
            object,
            before: ptr::null_mut(),
        }));
        OWN.with(|own| {
            // SAFETY: just made, and nobody else's.
            unsafe { (*new).before = own.last.get() };
            own.last.set(new);
        });
    }
    true
}

/// Calls all, those included that the calls register.
#[cold]
#[inline(never)]
pub(super) fn run() {
    while let Some((destructor, object)) = take() {
        // SAFETY: who registered it promised that it may be called with the object when the greenlet ends, as for the end
        // of a thread, and it was taken off the list.
        unsafe { destructor(object) };
    }
}

/// The last one, off the list; the list is closed behind the first.
#[inline(never)]
fn take() -> Option<(Destructor, *mut c_void)> {
    OWN.with(|own| {
        let last = own.last.get();
        if last.is_null() {
            own.closed.set(true);
            return None;
        }
        // SAFETY: made by `adopt`, and on the list until now.
        let last = unsafe { Box::from_raw(last) };
        own.last.set(last.before);
        Some((last.destructor, last.object))
    })
}
