use std::cell::Cell;
use std::ffi::c_int;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;
use std::thread;

/// An error as C knows it: a positive number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) c_int);

pub(crate) type Result<T> = std::result::Result<T, Errno>;

impl From<io::Error> for Errno {
    fn from(error: io::Error) -> Errno {
        use io::ErrorKind::*;
        Errno(error.raw_os_error().unwrap_or(match error.kind() {
            AlreadyExists => libc::EEXIST,
            NotFound => libc::ENOENT,
            InvalidInput => libc::EINVAL,
            Interrupted => libc::EINTR,
            Unsupported => libc::ENOTSUP,
            OutOfMemory => libc::ENOMEM,
            PermissionDenied => libc::EPERM,
            _ => libc::EIO,
        }))
    }
}

thread_local! {
    /// True if this thread runs inside of the library, where a panic is not the caller's.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Runs what must not unwind into C. A panic, which would be a defect of the library, is EIO, and
/// nothing is printed.
pub(crate) fn contain<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    hush();
    let before = INSIDE.replace(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(body));
    INSIDE.set(before);
    outcome.unwrap_or(Err(Errno(libc::EIO)))
}

/// A count, or `-errno`.
pub(crate) fn answer(body: impl FnOnce() -> Result<c_int>) -> c_int {
    contain(body).unwrap_or_else(|errno| -errno.0)
}

/// Keeps panics inside of the library from being printed; those of the program it is linked into,
/// if that is in Rust, are shown as before.
fn hush() {
    static HUSHED: Once = Once::new();
    if HUSHED.is_completed() || thread::panicking() {
        return; // A thread that panics may not change the hook; the next call does.
    }
    HUSHED.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !INSIDE.try_with(Cell::get).unwrap_or(false) {
                before(info);
            }
        }));
    });
}

/// Sets what C reads as `errno`.
pub(crate) fn set(errno: Errno) {
    // SAFETY: the address of this thread's errno, which lives as long as the thread.
    unsafe { *location() = errno.0 }
}

/// Runs `body` and leaves `errno` as it was, as a signal handler must.
pub(crate) fn preserved<T>(body: impl FnOnce() -> T) -> T {
    // SAFETY: the address of this thread's errno, which lives as long as the thread.
    let before = unsafe { *location() };
    let result = body();
    set(Errno(before));
    result
}

#[cfg(any(target_os = "linux", target_os = "emscripten", target_os = "dragonfly"))]
use libc::__errno_location as location;

#[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
use libc::__errno as location;

#[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
use libc::__error as location;

#[cfg(any(target_os = "illumos", target_os = "solaris"))]
use libc::___errno as location;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_eio_and_ends_here() {
        assert_eq!(answer(|| panic!("contained")), -libc::EIO);
        assert!(!INSIDE.get());
        assert_eq!(answer(|| Ok(7)), 7);
        assert_eq!(answer(|| Err(Errno(libc::EBADF))), -libc::EBADF);
    }

    #[test]
    fn errors_without_a_number_get_one() {
        let named = |kind| Errno::from(io::Error::new(kind, "words")).0;
        assert_eq!(named(io::ErrorKind::AlreadyExists), libc::EEXIST);
        assert_eq!(named(io::ErrorKind::NotFound), libc::ENOENT);
        assert_eq!(named(io::ErrorKind::Other), libc::EIO);
        assert_eq!(Errno::from(io::Error::from_raw_os_error(24)).0, 24);
    }

    #[test]
    fn errno_survives() {
        set(Errno(libc::EDOM));
        preserved(|| set(Errno(libc::ERANGE)));
        assert_eq!(io::Error::last_os_error().raw_os_error(), Some(libc::EDOM));
    }
}
