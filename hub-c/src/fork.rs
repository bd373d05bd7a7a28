use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// How many forks lie between this process and the one that loaded the library.
static FORKS: AtomicUsize = AtomicUsize::new(0);

/// How often this process has become a child since the library was loaded.
pub(crate) fn count() -> usize {
    FORKS.load(SeqCst)
}

/// Counts forks from now on. Those by a bare `clone` are not seen.
pub(crate) fn observe() {
    static OBSERVED: Once = Once::new();
    OBSERVED.call_once(|| {
        // SAFETY: the handler is a function of this library that only counts. If it is refused
        // for want of memory, forks go unseen as those by `clone` do.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
}

extern "C" fn in_child() {
    FORKS.fetch_add(1, SeqCst);
}
