//! How a greenthread waits for a future: it parks, and a [`std::task::Waker`] ends that from any thread.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{self, Waker};
use std::time::{Duration, Instant};

use super::{Reason, Remote, Runtime, Wake};

/// The greenthread polls: a wake-up is noted for when it is done.
const POLLING: u64 = 0;
/// Somebody has woken it since it began to poll.
const WOKEN: u64 = 1;
/// Added to the ticket of a park, it says that the greenthread waits there.
const PARKED: u64 = 1 << 32;

/// How many of the references to an `Unparker` are the greenthread's own while it is parked: the parker's, its
/// waker's, and that in `Runtime::parked`. A further one is somebody's who may wake it.
const OWN: usize = 3;

/// How often a greenthread looks for itself that no other thread can wake, for want of a descriptor.
const LOOK: Duration = Duration::from_millis(5);

/// The other end of a [`Parker`]: what wakers are made of.
pub(super) struct Unparker {
    /// What names the greenthread: its thread, its place in the registry there, its id.
    thread: u64,
    key: usize,
    id: u64,
    state: AtomicU64,
    /// Set before the first park. It does not keep the inbox: a waker that is forgotten somewhere costs its thread no
    /// descriptors.
    remote: OnceLock<Weak<Remote>>,
}

impl task::Wake for Unparker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(ticket) = ticket(self.state.swap(WOKEN, Ordering::AcqRel)) {
            self.unpark(ticket);
        }
    }
}

fn ticket(state: u64) -> Option<u32> {
    (state >= PARKED).then_some(state as u32)
}

impl Unparker {
    fn unpark(&self, ticket: u32) {
        let here = Runtime::existing(|runtime| {
            let here = runtime.serial == self.thread;
            if here {
                runtime.unpark_by_id(self.key, self.id, ticket);
            }
            here
        });
        if here != Some(true)
            && let Some(remote) = self.remote.get().and_then(Weak::upgrade)
        {
            remote.unpark(self.key, self.id, ticket);
        }
    }
}

/// The waits of one greenthread for one future, from the first poll to the last.
pub(crate) struct Parker {
    unparker: Arc<Unparker>,
    waker: Waker,
    forks: usize,
}

impl Parker {
    /// For the current greenthread.
    pub(crate) fn new(runtime: &Runtime) -> Parker {
        let task = runtime.current();
        let unparker = Arc::new(Unparker {
            thread: runtime.serial,
            key: task.key.get(),
            id: task.id,
            state: AtomicU64::new(POLLING),
            remote: OnceLock::new(),
        });
        Parker {
            waker: Waker::from(Arc::clone(&unparker)),
            unparker,
            forks: runtime.forks.get(),
        }
    }

    /// The waker for the poll that begins now: wake-ups from here on are for the wait after it.
    pub(crate) fn waker(&mut self, runtime: &Runtime) -> &Waker {
        if self.forks != runtime.forks.get() {
            // In the child of a fork: the inbox of the old one is the parent's.
            *self = Parker::new(runtime);
        }
        self.unparker.state.swap(POLLING, Ordering::AcqRel);
        &self.waker
    }

    /// Waits until the waker is used. If it has been used since it was asked for, the others get a turn instead. The
    /// result is never `Expired`.
    pub(crate) fn park(&self, runtime: &Runtime) -> Wake {
        if runtime.cannot_switch() {
            return Wake::Unwinding;
        }
        let state = &self.unparker.state;
        if state.load(Ordering::Relaxed) == WOKEN {
            runtime.yield_now();
            return Wake::Event;
        }
        let deadline = self.enable_remote(runtime);
        let parked = PARKED | u64::from(runtime.ticket());
        if state
            .compare_exchange(POLLING, parked, Ordering::AcqRel, Ordering::Relaxed)
            .is_err()
        {
            runtime.yield_now();
            return Wake::Event;
        }
        let unparker = Arc::clone(&self.unparker);
        let place = runtime.parked.borrow_mut().insert(unparker);
        let wake = runtime.park(Reason::Outside("a future"), deadline);
        let unparker = runtime.parked.borrow_mut().try_remove(place);
        drop(unparker);
        match wake {
            Wake::Expired => Wake::Event,
            wake => wake,
        }
    }

    /// Lets other threads end the next park. If they cannot, it has a deadline.
    fn enable_remote(&self, runtime: &Runtime) -> Option<Instant> {
        if self.unparker.remote.get().is_some() {
            return None;
        }
        match runtime.remote() {
            Ok(remote) => {
                self.unparker.remote.get_or_init(|| Arc::downgrade(&remote));
                None
            }
            Err(error) => {
                log::warn!(
                    "no descriptor by which other threads could wake this one ({error}): \
                     a future is polled every {LOOK:?} until it has one"
                );
                Some(runtime.now() + LOOK)
            }
        }
    }
}

impl Drop for Parker {
    fn drop(&mut self) {
        // Whoever wakes it from now on finds nothing to do.
        self.unparker.state.store(WOKEN, Ordering::Release);
    }
}

impl Runtime {
    fn ticket(&self) -> u32 {
        self.with_current(|task| task.ticket.get())
    }

    /// True if somebody may still wake a greenthread that waits for a future.
    pub(super) fn has_unparkers(&self) -> bool {
        let parked = self.parked.borrow();
        parked
            .iter()
            .any(|(_, unparker)| Arc::strong_count(unparker) > OWN)
    }

    /// After a fork: those who wait for a future poll it again, as the threads that held their wakers are gone.
    pub(super) fn unpark_all(&self) {
        for (_, unparker) in &*self.parked.borrow() {
            if let Some(ticket) = ticket(unparker.state.load(Ordering::Acquire)) {
                self.unpark_by_id(unparker.key, unparker.id, ticket);
            }
        }
    }
}
