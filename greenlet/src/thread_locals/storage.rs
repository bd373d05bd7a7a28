//! The storage of a greenlet's own thread-locals: what the C library makes for a new thread, without the thread.

use std::ffi::c_void;
use std::io;
use std::mem;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::destructors::{self, Own};
use super::layout::{self, Layout};
use crate::arch::{self, Entry};
use crate::thread::{Thread, existing, thread};

pub(super) use super::destructors::{are_own, at_last, have_destructors, is_host_lent};

/// Numbers that no OS thread has, as the system's end at four million.
const FIRST_ID: u32 = 1 << 23;
const LAST_ID: u32 = (1 << 30) - 2;

pub(super) fn check() -> Result<(), &'static str> {
    crate::thread_end::enter();
    layout::known().map(|_| ())
}

/// A thread pointer for a greenlet that is not made yet: of a storage that goes with this value, or the OS thread's.
pub(crate) struct Storage {
    pointer: *mut u8,
    own: bool,
}

impl Storage {
    /// The caller has [entered](crate::thread_end::enter) the thread.
    #[inline]
    pub(crate) fn new(own: bool) -> io::Result<Storage> {
        if own {
            return Storage::make();
        }
        Ok(Storage {
            pointer: thread().host.get(),
            own: false,
        })
    }

    #[inline(never)]
    fn make() -> io::Result<Storage> {
        super::check()?;
        let Ok(layout) = layout::known() else {
            unreachable!("just checked");
        };
        match birth(layout, thread()) {
            Some(pointer) => Ok(Storage { pointer, own: true }),
            None => Err(io::Error::new(
                io::ErrorKind::OutOfMemory,
                "no memory for the thread-locals of a greenlet",
            )),
        }
    }

    #[inline(always)]
    pub(crate) fn is_own(&self) -> bool {
        self.own
    }

    /// Writes the first frame of a stack, which begins with this thread pointer.
    ///
    /// # Safety
    /// As for `arch::init`.
    #[inline(always)]
    pub(crate) unsafe fn init(self, top: *mut u8, entry: Entry) -> *mut u8 {
        let pointer = self.pointer;
        mem::forget(self);
        // SAFETY: passed on.
        unsafe { arch::init(top, entry, pointer) }
    }

    /// Frees the storage of a greenlet that is dead.
    ///
    /// # Safety
    /// `sp` is where the greenlet was suspended for the last time; it had a storage of its own, and this is not done
    /// again.
    pub(crate) unsafe fn free(sp: *mut u8) {
        // SAFETY: passed on: nobody comes back to this stack, so nothing uses its thread pointer.
        unsafe { death(arch::pointer_at(sp)) };
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        if self.own {
            // SAFETY: no greenlet has begun to use it.
            unsafe { death(self.pointer) };
        }
    }
}

/// A storage whose thread-locals have their first values.
pub(super) fn birth(layout: &Layout, thread: &Thread) -> Option<*mut u8> {
    let pointer = match (&layout.reuse, thread.spare.take()) {
        (Some(reuse), Some(pointer)) => {
            // SAFETY: nobody has had it since its greenlet died.
            unsafe { reuse.begin_afresh(layout, pointer) };
            pointer
        }
        _ => layout.make()?,
    };
    // SAFETY: every place is one inside the storage, as `layout` has tried, and nobody else knows of it.
    unsafe {
        layout.fill(pointer, thread.host.get(), next_id());
        at::<*const Thread>(pointer, layout.word).write(thread);
        at::<Own>(pointer, layout.own).write(Own::new(true));
    }
    Some(pointer)
}

/// # Safety
/// `pointer` comes from `birth`, and nothing uses it any more.
unsafe fn death(pointer: *mut u8) {
    let Ok(layout) = layout::known() else {
        return;
    };
    let thread = thread();
    if layout.reuse.is_none() || !thread.spare.keep(pointer) {
        // SAFETY: promised by the caller.
        unsafe { layout.unmake(pointer) };
    }
}

/// Frees what a thread that ends has kept.
pub(crate) fn close(thread: &Thread) {
    if let Ok(layout) = layout::known_before() {
        for pointer in thread.spare.take_all() {
            // SAFETY: kept by `death`, and nobody has it.
            unsafe { layout.unmake(pointer) };
        }
    }
}

/// # Safety
/// There is a `T` at this place from `pointer`, or room for one.
pub(super) unsafe fn at<T>(pointer: *mut u8, offset: isize) -> *mut T {
    // SAFETY: promised by the caller.
    unsafe { pointer.offset(offset).cast() }
}

/// Where the OS thread has the thread-local that the running greenlet has at `place`, if that is among those of the file
/// that this code is in.
#[inline]
pub(crate) fn of_host<T>(place: *const T) -> Option<*const T> {
    let layout = layout::known_before().ok()?;
    let host = existing()?.host.get();
    let offset = layout::offset(arch::pointer(), place.cast());
    if host.is_null() || !layout.file.contains(&offset) {
        return None;
    }
    // SAFETY: the thread has all of these, at the same distance from its pointer as each storage has.
    Some(unsafe { at::<T>(host, offset) }.cast_const())
}

/// Frees what is there. Mostly nothing is: then there is no call, of which a storage would make dozens.
///
/// # Safety
/// As for `libc::free`.
#[inline(always)]
pub(super) unsafe fn free(place: *mut c_void) {
    if !place.is_null() {
        // SAFETY: promised by the caller.
        unsafe { libc::free(place) };
    }
}

/// What the C library takes for the system's number of the thread. It wraps around after a billion: then two greenlets
/// could have one number, and lock one recursive mutex of C together.
fn next_id() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    FIRST_ID + NEXT.fetch_add(1, Relaxed) % (LAST_ID - FIRST_ID)
}

#[inline(never)]
pub(super) fn on_host(f: &mut dyn FnMut()) {
    let foreign = existing().filter(|thread| {
        let host = thread.host.get();
        !host.is_null() && host != arch::pointer()
    });
    match foreign {
        // SAFETY: a storage's greenlet runs on the OS thread of the pointer, where nothing else runs meanwhile.
        Some(thread) => unsafe { call_with(thread.host.get(), &mut || destructors::lent(f)) },
        None => f(),
    }
}

/// Calls `f` while `pointer` is the thread pointer.
///
/// # Safety
/// As for `arch::call_with`.
pub(super) unsafe fn call_with(pointer: *mut u8, mut f: &mut dyn FnMut()) {
    unsafe extern "C" fn call(data: *mut c_void) {
        // SAFETY: the data is the reference below, which lives until this returns.
        let f = unsafe { &mut *data.cast::<&mut dyn FnMut()>() };
        f();
    }
    // SAFETY: passed on.
    unsafe { arch::call_with(pointer, call, (&raw mut f).cast()) }
}

pub(super) fn destroy() {
    if are_own() {
        crate::mask_exit(destructors::run);
    }
}
