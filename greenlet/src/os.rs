//! What the process is: the child of a fork, and which thread is its first.

use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

static FORKS: AtomicUsize = AtomicUsize::new(0);

/// Runs in the child, before `fork` returns there: only what a signal handler may do.
extern "C" fn forked() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// How often the process was forked on the way from the first call of this function to the process that calls it now:
/// in the child of a fork it gives one more than in the parent. Only threads and memory know of it that come from
/// `fork` itself; a process made by other system calls, or by exec, does not count.
///
/// Whoever keeps the number that it has seen can tell by comparing, for the price of one load, that the process has
/// been forked since: its other threads are gone, and what it shares with the system is shared with the parent.
///
/// ```
/// assert_eq!(greenlet::os::fork_count(), greenlet::os::fork_count());
/// ```
#[inline]
pub fn fork_count() -> usize {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| {
        // SAFETY: the function has the type that is asked for, never goes away, and only adds to an atomic number.
        // An error (no memory) leaves the count at zero for ever.
        unsafe { libc::pthread_atfork(None, None, Some(forked)) };
    });
    FORKS.load(Ordering::Relaxed)
}

/// True in the OS thread that runs `main`, whose end is the end of the process.
///
/// In the child of a fork that is the thread that has called `fork`.
///
/// ```
/// use greenlet::os::is_main_thread;
///
/// assert!(!std::thread::spawn(is_main_thread).join().unwrap());
/// ```
pub fn is_main_thread() -> bool {
    #[cfg(target_os = "linux")]
    // SAFETY: neither call can fail.
    unsafe {
        libc::syscall(libc::SYS_gettid) == libc::c_long::from(libc::getpid())
    }
    #[cfg(not(target_os = "linux"))]
    // SAFETY: the call cannot fail.
    unsafe {
        libc::pthread_main_np() != 0
    }
}
