//! What the process is: the child of a fork, and which thread is its first.

use std::io;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::thread_locals::on_host;

static FORKS: AtomicUsize = AtomicUsize::new(0);

/// Runs in the child, before `fork` returns there: only what a signal handler may do.
extern "C" fn forked() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// How often the process was forked on the way from the first call of this function to the process that calls it now:
/// in the child of a fork it gives one more than in the parent. Only threads and memory know of it that come from
/// `fork` itself; a process made by other system calls, or by exec, does not count.
///
/// Code that keeps the number it has seen can tell by comparing, for the price of one load, that the process has
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

/// Forks this process: gives the number of the child, and `None` in the child once it has called `first`.
///
/// Signals are held back in the child until `first` has returned: what it has to set up for them there it does in time.
///
/// A child has only the thread that has called this. What another thread holds at that moment, a lock inside the memory
/// allocator for one, would stay locked there for ever; so a process with several threads is refused.
///
/// # Errors
/// `ResourceBusy` if the process has another thread. `Unsupported` where this cannot be known: elsewhere than on
/// Linux and Android. What the system says otherwise.
///
/// ```
/// let (goes_on, waits) = std::sync::mpsc::channel::<()>();
/// let thread = std::thread::spawn(move || waits.recv());
/// assert!(greenlet::os::fork(|| ()).is_err()); // the child would be without that thread
/// drop(goes_on);
/// # let _ = thread.join();
/// ```
pub fn fork(first: impl FnOnce()) -> io::Result<Option<u32>> {
    let threads = count_threads()
        .map_err(|error| io::Error::new(error.kind(), format!("cannot fork: {error}")))?;
    if threads != 1 {
        return Err(io::Error::new(
            io::ErrorKind::ResourceBusy,
            format!(
                "cannot fork: the process has {threads} threads, and only one would go on in the child"
            ),
        ));
    }
    // Before the fork, so that the child is counted.
    fork_count();
    let held = SignalsHeld::new();
    let mut said = 0;
    // The system writes the number of the child's thread to where it thinks that the thread is described.
    on_host(&mut || {
        // SAFETY: this is the only thread of the process, and only threads make others, so it still is. Nobody else holds
        // a lock or has memory half changed, so the child may do whatever this process may do.
        said = unsafe { libc::fork() };
    });
    match said {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            first();
            drop(held);
            Ok(None)
        }
        child => Ok(Some(child.cast_unsigned())),
    }
}

/// Holds all signals back from this thread until it is dropped.
struct SignalsHeld {
    former: libc::sigset_t,
}

impl SignalsHeld {
    fn new() -> SignalsHeld {
        // SAFETY: a set of signals is plain bits, for which zeros are a value; both calls write to sets that live here.
        unsafe {
            let mut all: libc::sigset_t = std::mem::zeroed();
            let mut former: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&raw mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut former);
            SignalsHeld { former }
        }
    }
}

impl Drop for SignalsHeld {
    fn drop(&mut self) {
        // SAFETY: the set is the one that the thread had before.
        unsafe {
            libc::pthread_sigmask(
                libc::SIG_SETMASK,
                &raw const self.former,
                std::ptr::null_mut(),
            );
        }
    }
}

/// How many threads the process has.
///
/// # Errors
/// `Unsupported` elsewhere than on Linux and Android. If the system does not list them.
///
/// ```
/// if let Ok(threads) = greenlet::os::count_threads() {
///     assert!(threads >= 1);
/// }
/// ```
pub fn count_threads() -> io::Result<usize> {
    if !cfg!(any(target_os = "linux", target_os = "android")) {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "it is not known here how many threads the process has",
        ));
    }
    let listed = std::fs::read_dir("/proc/self/task").map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("cannot count the threads of the process in /proc/self/task: {error}"),
        )
    })?;
    listed.map(|thread| thread.map(|_| 1)).sum()
}
