//! Thread-locals of each greenthread's own.

use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::{Mask, Runtime, Task};

static WANTED: AtomicBool = AtomicBool::new(false);

/// True if greenthreads are spawned with thread-locals of their own.
#[inline]
pub(super) fn are_wanted() -> bool {
    WANTED.load(Relaxed)
}

/// Gives each greenthread that is spawned from now on, on any thread, all thread-locals for itself, as if it were an OS
/// thread.
///
/// Without that a `thread_local!` is shared by all greenthreads of a thread, which none of its users expect: its
/// initialiser and what runs in `LocalKey::with` must not wait, and `std::thread::current` names the OS thread. With it
/// that is sound. Destructors run when the greenthread has ended and its result is there: who joins does not wait for
/// them, and they may wait, with kills and deadlines held back. See
/// [`greenlet::thread_locals`](https://docs.rs/greenlet) for what each greenthread has, and what such a program must
/// not do.
///
/// The main greenthread of a thread keeps those of the thread, and so do greenthreads that there are already. What green
/// itself knows of a thread all its greenthreads share as ever. A switch between two such greenthreads costs some ten
/// nanoseconds more, a spawn twice as much, and each takes 6 KiB more.
///
/// ```
/// use std::cell::Cell;
///
/// thread_local!(static LEVEL: Cell<u32> = const { Cell::new(0) });
///
/// if green::own_thread_locals().is_ok() {
///     LEVEL.set(5);
///     assert_eq!(green::spawn(|| LEVEL.get()).join().unwrap(), 0);
/// }
/// ```
///
/// # Errors
/// Of kind [`Unsupported`](io::ErrorKind::Unsupported), with the reason, where that cannot be: it takes Linux on x86-64 or
/// aarch64 and the GNU C library, linked dynamically. Nothing has changed then.
pub fn own_thread_locals() -> io::Result<()> {
    greenlet::thread_locals::check()?;
    WANTED.store(true, Relaxed);
    Ok(())
}

impl Runtime {
    /// Destroys the thread-locals of a greenthread whose body has ended, if it has its own. They may wait: who waits for
    /// the end is told before.
    #[inline]
    pub(super) fn destroy_own_locals(&self, task: &Rc<Task>) {
        if greenlet::thread_locals::have_destructors() {
            task.tell_end();
            // A destructor that unwinds would end the process.
            let _mask = Mask::new(Rc::clone(task));
            greenlet::thread_locals::destroy();
        }
    }
}
