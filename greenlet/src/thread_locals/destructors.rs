//! The destructors of a greenlet's own thread-locals.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;

/// What is different in each storage: among the thread-locals itself.
pub(crate) struct Own {
    /// True in the storage of a greenlet.
    pub(super) is_own: Cell<bool>,
    /// True in the storage of the OS thread while a greenlet has been lent it: see `on_host`.
    pub(super) is_lent: Cell<bool>,
    /// Nothing is registered any more.
    closed: Cell<bool>,
    /// Called when all others were.
    at_last: Cell<Option<fn()>>,
    /// The last one that was registered.
    last: Cell<*mut Registered>,
}

impl Own {
    pub(super) const fn new(is_own: bool) -> Own {
        Own {
            is_own: Cell::new(is_own),
            is_lent: Cell::new(false),
            closed: Cell::new(false),
            at_last: Cell::new(None),
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
    OWN.with(|own| !own.last.get().is_null() || own.at_last.get().is_some())
}

#[inline(always)]
pub(super) fn is_host_lent() -> bool {
    OWN.with(|own| own.is_lent.get())
}

/// Calls `f` with the mark that the storage of the thread is lent.
pub(super) fn lent(f: &mut dyn FnMut()) {
    let before = OWN.with(|own| own.is_lent.replace(true));
    f();
    OWN.with(|own| own.is_lent.set(before));
}

pub(super) fn at_last(f: fn()) {
    OWN.with(|own| {
        if own.is_own.get() && !own.closed.get() {
            own.at_last.set(Some(f));
        }
    });
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
    loop {
        while let Some((destructor, object)) = take() {
            // SAFETY: who registered it promised that it may be called with the object when the greenlet ends, as for the
            // end of a thread, and it was taken off the list.
            unsafe { destructor(object) };
        }
        match OWN.with(|own| own.at_last.take()) {
            Some(f) => f(),
            None => break,
        }
    }
    OWN.with(|own| own.closed.set(true));
}

/// The last one, off the list.
#[inline(never)]
fn take() -> Option<(Destructor, *mut c_void)> {
    OWN.with(|own| {
        let last = own.last.get();
        if last.is_null() {
            return None;
        }
        // SAFETY: made by `adopt`, and on the list until now.
        let last = unsafe { Box::from_raw(last) };
        own.last.set(last.before);
        Some((last.destructor, last.object))
    })
}
