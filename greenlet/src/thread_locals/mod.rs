//! Thread-locals for each greenlet alone.
//!
//! Greenlets of a thread share its `thread_local!` values, which none of those who use them expect: std's own, such as
//! the handle of the current thread, a library's cache, `errno` of C. A greenlet that is made with
//! [`Builder::own_thread_locals`](crate::Builder::own_thread_locals) has them all for itself, as if it were an OS thread:
//! the switch to it gives the processor another *thread pointer*, by which compiled code finds thread-locals.
//!
//! ```
//! use std::cell::Cell;
//! use greenlet::{Builder, thread_locals};
//!
//! thread_local!(static LEVEL: Cell<u32> = const { Cell::new(0) });
//!
//! if let Err(error) = thread_locals::check() {
//!     println!("not here: {error}");
//!     return;
//! }
//! LEVEL.set(5);
//! let g = Builder::new().own_thread_locals(true).build(|()| LEVEL.replace(7)).unwrap();
//! assert_eq!(g.switch(()), Ok(0));
//! assert_eq!(LEVEL.get(), 5);
//! ```
//!
//! # What a greenlet has for itself, and what not
//!
//! - All thread-locals of Rust, C and C++, of the program and of libraries, also of those that are opened later; the
//!   values of `pthread_setspecific`, but not the destructors of their keys. `pthread_self` and
//!   [`std::thread::current`] name it and not the OS thread; so does the owner of a lock that may be locked again.
//! - The C library's own thread-locals (`errno`, the locale, the caches of `malloc`) stay with the OS thread: they go
//!   along with each switch.
//! - Greenlets that are made without the option, such as those of generators, use those of the OS thread, whoever makes
//!   and runs them. So do the code before the first switch and what [`on_host`] calls.
//!
//! The destructors run when the greenlet's body has ended, the last registered first, before its result is given to the
//! parent; they may switch. What is abandoned at the end of a thread is not destroyed.
//!
//! # Where
//!
//! On x86-64 and aarch64 Linux with the GNU C library, linked dynamically, with the feature `thread-locals`, and where
//! [`check`] finds everything as it expects; it does so at run time, and refuses what it does not know. Elsewhere the
//! functions here exist, and `check` gives an error.
//!
//! # What a program with such greenlets must not do
//!
//! - Call `setuid` and its kin, which send a signal to each OS thread and wait for it to answer in its own name, while
//!   another thread runs greenlets (the crate `green-patch` has it answer); cancel a greenlet by `pthread_cancel`, or
//!   end it by `pthread_exit`.
//! - Rely on robust or priority-inheriting mutexes: the system knows OS threads only.
//! - Fork, or make an OS thread, but by [`on_host`]. (Where the crate `green-patch` has hooked these, that is done.)
//! - Open a library with thread-locals of the *initial-exec* kind while such greenlets live: theirs begin with no values.

#[cfg(own_thread_locals)]
mod destructors;
#[cfg(own_thread_locals)]
mod layout;
#[cfg(not(own_thread_locals))]
mod none;
#[cfg(own_thread_locals)]
mod reuse;
#[cfg(own_thread_locals)]
mod segment;
#[cfg(own_thread_locals)]
mod storage;

use std::io;

#[cfg(own_thread_locals)]
pub(crate) use destructors::adopt;
#[cfg(not(own_thread_locals))]
use none as found;
#[cfg(not(own_thread_locals))]
pub(crate) use none::NoStorage as Storage;
#[cfg(own_thread_locals)]
pub(crate) use reuse::Spare;
#[cfg(own_thread_locals)]
use storage as found;
#[cfg(own_thread_locals)]
pub(crate) use storage::{Storage, close, of_host};

/// Says whether greenlets can have thread-locals of their own here: looked at once, thoroughly.
///
/// # Errors
/// Of kind [`Unsupported`](io::ErrorKind::Unsupported), with the reason.
///
/// ```
/// match greenlet::thread_locals::check() {
///     Ok(()) => println!("they can"),
///     Err(reason) => println!("{reason}"),
/// }
/// ```
pub fn check() -> io::Result<()> {
    found::check().map_err(|reason| {
        io::Error::new(
            io::ErrorKind::Unsupported,
            format!("greenlets cannot have thread-locals of their own: {reason}"),
        )
    })
}

/// True while the thread-locals are those of the running greenlet alone.
///
/// ```
/// assert!(!greenlet::thread_locals::are_own());
/// ```
#[inline]
pub fn are_own() -> bool {
    found::are_own()
}

/// Calls `f` with the thread-locals of the OS thread, whatever the running greenlet has.
///
/// It is for what makes the OS thread known to the system, or relies on its being the same one: a fork, a new thread, an
/// allocator with a heap for each thread. `f` must not switch to other greenlets. A panic of `f` ends the process.
///
/// ```
/// let mut same = false;
/// greenlet::thread_locals::on_host(&mut || same = !greenlet::thread_locals::are_own());
/// assert!(same);
/// ```
#[inline]
pub fn on_host(f: &mut dyn FnMut()) {
    found::on_host(f);
}

/// True inside [`on_host`], called by a greenlet that has thread-locals of its own: it must not switch.
///
/// ```
/// assert!(!greenlet::thread_locals::is_host_lent());
/// ```
#[inline]
pub fn is_host_lent() -> bool {
    found::is_host_lent()
}

/// Has `f` called at the end of the running greenlet, if it has thread-locals of its own, once all of those are destroyed;
/// what `f` registers is destroyed after that. There is one such function: a further call replaces it.
///
/// It is for whoever destroys the values of the system's other kind of thread-locals, those of `pthread_setspecific`.
///
/// ```
/// greenlet::thread_locals::at_last(|| ()); // Does nothing here.
/// ```
pub fn at_last(f: fn()) {
    found::at_last(f);
}

/// True if thread-locals of the running greenlet's own wait to be destroyed.
///
/// ```
/// assert!(!greenlet::thread_locals::have_destructors()); // This greenlet has none of its own.
/// ```
#[inline]
pub fn have_destructors() -> bool {
    found::have_destructors()
}

/// Destroys the thread-locals of the running greenlet, if it has its own: the destructors of those that were registered
/// last run first, and may switch. Later registrations are ignored, so that those values are leaked.
///
/// This is done by itself when the body of a greenlet has ended. A scheduler that has something to do after that calls
/// it before. The greenlet is not told to exit meanwhile, as a destructor that unwinds ends the process.
///
/// ```
/// greenlet::thread_locals::destroy(); // Does nothing here: those of the OS thread stay.
/// ```
pub fn destroy() {
    found::destroy();
}
