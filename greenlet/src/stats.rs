//! What the greenlets of a thread hold.

use crate::stack::StackStats;
use crate::thread_end::enter;

/// What the greenlets of a thread hold right now. See [`stats`].
///
/// ```
/// let _g = greenlet::Builder::new().stack_size(64 * 1024).build(|()| ()).unwrap();
/// let stats = greenlet::stats();
/// assert!(stats.greenlets >= 1 && stats.stacks >= 1);
/// assert!(stats.mapped_bytes >= 64 * 1024);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Greenlets that are not dead, without the main one.
    pub greenlets: usize,
    /// Stacks that belong to a greenlet: the living, and the dead that still have a handle.
    pub stacks: usize,
    /// Stacks that wait for the next greenlet.
    pub free_stacks: usize,
    /// Bytes of address space mapped for stacks. Only the pages that were touched cost memory.
    pub mapped_bytes: usize,
}

/// Counts what the greenlets of this thread hold.
///
/// ```
/// let before = greenlet::stats().greenlets;
/// let g = greenlet::Greenlet::new(|()| ());
/// assert_eq!(greenlet::stats().greenlets, before + 1);
/// drop(g);
/// assert_eq!(greenlet::stats().greenlets, before);
/// ```
pub fn stats() -> Stats {
    let thread = enter();
    let StackStats {
        used,
        free,
        mapped_bytes,
    } = thread.pool.stats();
    Stats {
        greenlets: thread.living.get(),
        stacks: used,
        free_stacks: free,
        mapped_bytes,
    }
}
