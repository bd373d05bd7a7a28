//! Work for when there is none.

use std::cell::Cell;
use std::time::Duration;

use crate::runtime::Runtime;

thread_local! {
    /// How many greenthreads are in `idle`.
    static IDLERS: Cell<usize> = const { Cell::new(0) };
}

/// Leaves however the wait ends.
struct Idler;

impl Idler {
    fn new() -> Idler {
        IDLERS.set(IDLERS.get() + 1);
        Idler
    }
}

impl Drop for Idler {
    fn drop(&mut self) {
        let _ = IDLERS.try_with(|idlers| idlers.set(idlers.get().saturating_sub(1)));
    }
}

/// Waits until nothing else of this thread can run: no other greenthread is runnable, no descriptor that somebody waits for
/// is ready, no deadline has passed. It is the idle watcher of libev and of gevent's loop.
///
/// What is done after it, a piece at a time with a further call in between, delays the others by one piece at most. While
/// the others keep the thread busy it never returns; a [`Timeout`](crate::Timeout) around it ends that. Several callers take
/// turns. While the thread unwinds it returns at once.
///
/// ```
/// let other = green::spawn(|| (0..10).for_each(|_| green::yield_now()));
/// green::hubs::idle();
/// assert!(other.is_dead());
/// ```
pub fn idle() {
    let _idler = Idler::new();
    Runtime::with(|runtime| {
        while !runtime.cannot_switch() {
            runtime.yield_now();
            // Others may be due whom nobody has looked for while everybody was busy.
            runtime.turn(Some(Duration::ZERO));
            // All idlers but this one are in the run queue.
            if runtime.count().runnable < IDLERS.get() {
                return;
            }
        }
    });
}

/// In the child of a fork that has discarded the other greenthreads.
pub(crate) fn forget_others() {
    IDLERS.set(0);
}
