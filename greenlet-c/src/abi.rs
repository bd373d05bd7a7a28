//! The functions of `greenlet.h`.

use std::any::Any;
use std::ffi::{c_int, c_void};
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use greenlet::{AnyGreenlet, Builder, GreenletExit, SwitchError, current};

/// A value has come, and is in `result`.
pub const GREENLET_VALUE: c_int = 0;

/// Something was thrown here, and is in `result`.
pub const GREENLET_THROWN: c_int = 1;

/// This greenlet is told to exit: clean up and return from its function. What that returns goes nowhere.
pub const GREENLET_EXIT: c_int = 2;

/// The greenlet that was to give a value has ended without one, as it was told to exit before it started.
pub const GREENLET_ENDED: c_int = 3;

/// A handle of a greenlet. Handles of the same greenlet are equal pointers; each that was returned is dropped once.
#[derive(Debug)]
pub struct CGreenlet(());

/// What a greenlet runs: it gets the value of the first switch and the data that it was made with, and returns what its
/// parent's pending switch gives. It must not leave by longjmp, an exception or pthread_exit.
pub type CBody = Option<unsafe extern "C" fn(value: *mut c_void, data: *mut c_void) -> *mut c_void>;

/// What a switch carries.
struct Word(*mut c_void);

/// What is thrown.
struct Thrown(*mut c_void);

// SAFETY: a payload goes from one greenlet to another of the same thread, and nothing follows the pointer.
unsafe impl Send for Thrown {}

/// Makes a greenlet that will run `body`, on a stack of `stack_size` bytes, or of the default size for 0. Its parent is
/// the current one. Nothing runs yet.
///
/// NULL with errno EINVAL if `body` is NULL or the size is too small, or ENOMEM if there is no memory for a stack.
///
/// # Safety
/// `body` may be called with `data` on this thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn greenlet_create(
    body: CBody,
    data: *mut c_void,
    stack_size: usize,
) -> *mut CGreenlet {
    let Some(body) = body else {
        return refuse(libc::EINVAL);
    };
    let mut builder = Builder::new();
    if stack_size > 0 {
        builder = builder.stack_size(stack_size);
    }
    // SAFETY: promised by the caller.
    let run = move |value: Word| Word(unsafe { body(value.0, data) });
    match catch_unwind(AssertUnwindSafe(|| builder.build(run))) {
        Ok(Ok(greenlet)) => name(greenlet.into()),
        Ok(Err(error)) => match error.kind() {
            std::io::ErrorKind::InvalidInput => refuse(libc::EINVAL),
            _ => refuse(error.raw_os_error().unwrap_or(libc::ENOMEM)),
        },
        Err(_) => refuse(libc::EPROTO),
    }
}

/// Switches to a greenlet: suspends the running one until somebody switches back, throws here or tells it to exit. A dead
/// greenlet is stood in for by its nearest living ancestor, which may be the running one itself: then `value` comes back.
///
/// A GREENLET_ code says what has come. -EINVAL if `to` is NULL, -EPROTO if a greenlet of Rust has panicked or does not
/// wait for a value of C, -ECANCELED while the thread or the process ends and nothing can be switched to.
///
/// `result` is NULL or has room for a pointer, which is written whatever comes.
///
/// # Safety
/// `to` is a handle of this thread that was not dropped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn greenlet_switch(
    to: *mut CGreenlet,
    value: *mut c_void,
    result: *mut *mut c_void,
) -> c_int {
    // SAFETY: promised by the caller.
    let Some(to) = (unsafe { handle(to) }) else {
        return -libc::EINVAL;
    };
    // SAFETY: promised by the caller.
    unsafe { outcome(result, || to.switch_into(Word(value))) }
}

/// As greenlet_switch, but what comes to `to` is GREENLET_THROWN with `thrown`. If `to` has not started, it never does: it
/// is dead, and its parent gets what was thrown. If it is dead, the caller gets it.
///
/// The result is as for greenlet_switch.
///
/// # Safety
/// The arguments are as for greenlet_switch.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn greenlet_throw(
    to: *mut CGreenlet,
    thrown: *mut c_void,
    result: *mut *mut c_void,
) -> c_int {
    // SAFETY: promised by the caller.
    let Some(to) = (unsafe { handle(to) }) else {
        return -libc::EINVAL;
    };
    // SAFETY: promised by the caller.
    unsafe { outcome(result, || to.throw(Thrown(thrown))) }
}

/// As greenlet_throw, but what comes to `to` is GREENLET_EXIT. If `to` is dead or has not started, GREENLET_ENDED is
/// returned.
///
/// # Safety
/// The arguments are as for greenlet_switch.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn greenlet_exit(to: *mut CGreenlet, result: *mut *mut c_void) -> c_int {
    // SAFETY: promised by the caller.
    let Some(to) = (unsafe { handle(to) }) else {
        return -libc::EINVAL;
    };
    // SAFETY: promised by the caller.
    unsafe { outcome(result, || to.throw(GreenletExit)) }
}

/// The running greenlet: the main one of the thread, unless the caller runs inside another. Drop the handle.
#[unsafe(no_mangle)]
pub extern "C" fn greenlet_current() -> *mut CGreenlet {
    name(current())
}

/// The greenlet that gets the result of this one, or of the running one for NULL. Drop the handle. NULL if it is the main
/// one of the thread, which has no parent.
///
/// # Safety
/// `of` is NULL or a handle of this thread that was not dropped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn greenlet_parent(of: *mut CGreenlet) -> *mut CGreenlet {
    // SAFETY: promised by the caller.
    let of = unsafe { handle(of) }.unwrap_or_else(current);
    of.parent().map_or(ptr::null_mut(), name)
}

/// 1 if the function of a greenlet has returned or will never run, or 0. -EINVAL if it is NULL.
///
/// # Safety
/// `greenlet` is NULL or a handle of this thread that was not dropped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn greenlet_is_dead(greenlet: *mut CGreenlet) -> c_int {
    // SAFETY: promised by the caller.
    match unsafe { handle(greenlet) } {
        Some(greenlet) => c_int::from(greenlet.is_dead()),
        None => -libc::EINVAL,
    }
}

/// Drops a handle. NULL is none. If it was the last one of a suspended greenlet, that is told to exit before this returns;
/// if it switches instead of returning it is told some more times, and then left.
///
/// 0, or what came to the caller meanwhile, as from greenlet_switch: GREENLET_THROWN with what was thrown in `thrown`, or
/// GREENLET_EXIT. The handle is dropped in any case.
///
/// `thrown` is NULL or has room for a pointer.
///
/// # Safety
/// `greenlet` is NULL or a handle of this thread that was not dropped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn greenlet_drop(
    greenlet: *mut CGreenlet,
    thrown: *mut *mut c_void,
) -> c_int {
    if greenlet.is_null() {
        return 0;
    }
    // SAFETY: made by `name`, and the caller gives it up.
    let greenlet = unsafe { AnyGreenlet::from_raw(greenlet.cast()) };
    // SAFETY: promised by the caller.
    unsafe {
        outcome(thrown, || {
            drop(greenlet);
            Ok(Word(ptr::null_mut()))
        })
    }
}

/// A handle as C knows it.
fn name(greenlet: AnyGreenlet) -> *mut CGreenlet {
    greenlet.into_raw().cast_mut().cast()
}

/// One more handle of a greenlet that C has a handle of.
///
/// # Safety
/// `greenlet` is NULL or was made by [`name`] on this thread, and not dropped.
unsafe fn handle(greenlet: *mut CGreenlet) -> Option<AnyGreenlet> {
    if greenlet.is_null() {
        return None;
    }
    // SAFETY: promised by the caller, who keeps this one.
    let kept = ManuallyDrop::new(unsafe { AnyGreenlet::from_raw(greenlet.cast()) });
    Some(AnyGreenlet::clone(&kept))
}

fn refuse(errno: c_int) -> *mut CGreenlet {
    // SAFETY: the place of this thread's error number.
    #[cfg(any(target_os = "linux", target_os = "l4re"))]
    unsafe {
        *libc::__errno_location() = errno;
    }
    // SAFETY: as above.
    #[cfg(any(target_os = "macos", target_os = "ios", target_os = "freebsd"))]
    unsafe {
        *libc::__error() = errno;
    }
    ptr::null_mut()
}

/// Does `f` and turns what comes of it into a code. What is raised comes no further than here: no frame of C is between.
///
/// # Safety
/// `result` is NULL or has room for a pointer.
unsafe fn outcome(
    result: *mut *mut c_void,
    f: impl FnOnce() -> Result<Word, SwitchError>,
) -> c_int {
    let (code, value) = match catch_unwind(AssertUnwindSafe(f)) {
        Ok(Ok(Word(value))) => (GREENLET_VALUE, value),
        Ok(Err(SwitchError::Exit(_))) => (GREENLET_ENDED, ptr::null_mut()),
        Ok(Err(_)) => (-libc::ECANCELED, ptr::null_mut()),
        Err(payload) => raised(payload),
    };
    if !result.is_null() {
        // SAFETY: promised by the caller.
        unsafe { result.write(value) };
    }
    code
}

fn raised(payload: Box<dyn Any + Send>) -> (c_int, *mut c_void) {
    if let Some(Thrown(thrown)) = payload.downcast_ref::<Thrown>() {
        return (GREENLET_THROWN, *thrown);
    }
    if payload.is::<GreenletExit>() {
        return (GREENLET_EXIT, ptr::null_mut());
    }
    // It may panic when it is dropped.
    std::mem::forget(payload);
    (-libc::EPROTO, ptr::null_mut())
}
