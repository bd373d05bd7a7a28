//! Work for when there is none.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::{Runtime, ThreadState};

/// How many greenthreads are in `idle`.
#[derive(Default)]
struct Idlers(Cell<usize>);

impl ThreadState for Idlers {
    fn after_fork(&self, alone: bool) {
        if alone {
            self.0.set(0);
        }
    }
}

/// One of them, however its wait ends.
struct Idler(Rc<Idlers>);

impl Idler {
    fn new(runtime: &Runtime) -> Idler {
        let idlers = runtime.state::<Idlers>();
        idlers.0.set(idlers.0.get() + 1);
        Idler(idlers)
    }
}

impl Drop for Idler {
    fn drop(&mut self) {
        self.0.0.set(self.0.0.get().saturating_sub(1));
    }
}

/// Waits until nothing else of this thread can run: no other greenthread is runnable, no descriptor that somebody
/// waits for is ready, no deadline has passed. It is the idle watcher of libev and of gevent's loop.
///
/// What is done after it, a piece at a time with a further call in between, delays the others by one piece at most.
/// While the others keep the thread busy it never returns; a [`Timeout`](crate::Timeout) around it ends that. Several
/// callers take turns. While the thread unwinds it returns at once.
///
/// ```
/// let other = green::spawn(|| (0..10).for_each(|_| green::yield_now()));
/// green::hubs::idle();
/// assert!(other.is_dead());
/// ```
pub fn idle() {
    Runtime::with(|runtime| {
        let idler = Idler::new(runtime);
        while !runtime.cannot_switch() {
            runtime.yield_now();
            // Others may be due whom nobody has looked for while everybody was busy.
            runtime.turn(Some(Duration::ZERO));
            // All idlers but this one are in the run queue.
            if runtime.count().runnable < idler.0.0.get() {
                return;
            }
        }
    });
}
