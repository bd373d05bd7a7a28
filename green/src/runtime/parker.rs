//! How a greenthread waits for a future: it parks, and a [`std::task::Waker`] ends that from any thread.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{self, Waker};

use super::remote::Remote;
use super::remote_wait::ParkName;
use super::{Reason, Runtime, Wake};

/// The greenthread polls: a wake-up is noted for when it is done.
const POLLING: u64 = 0;
/// Added to the ticket of a park, it says that the greenthread waits there.
const PARKED: u64 = 1 << 32;
/// It was woken since it began to poll. Beside `PARKED` the wake-up of that park may be under way.
const WOKEN: u64 = 1 << 33;

/// How many of the references to an `Unparker` are the greenthread's own once it has parked: the parker's, its
/// waker's, and that in `Runtime::remote_parks`. A further one is somebody's who may wake it.
const OWN: usize = 3;

/// No place of a parker among `Runtime::remote_parks`: it has not parked yet.
const NO_PLACE: usize = usize::MAX;

/// The other end of a [`Parker`]: what wakers are made of.
pub(super) struct Unparker {
    /// Names the greenthread; the ticket is that of no park.
    greenthread: ParkName,
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
        let state = self.state.fetch_or(WOKEN, Ordering::AcqRel);
        if state & (PARKED | WOKEN) == PARKED {
            let park = ParkName {
                ticket: state as u32,
                ..self.greenthread
            };
            park.end(|| self.remote.get().and_then(Weak::upgrade));
        }
    }
}

impl Unparker {
    /// True if its greenthread is parked, and somebody has it who may still wake that, or is about to: the message of a
    /// thread that has marked it as woken may not have come yet.
    pub(super) fn is_awaited(unparker: &Arc<Unparker>) -> bool {
        unparker.park().is_some() && Arc::strong_count(unparker) > OWN
    }

    /// The park in which its greenthread is.
    pub(super) fn park(&self) -> Option<ParkName> {
        let state = self.state.load(Ordering::Relaxed);
        (state & PARKED != 0).then_some(ParkName {
            ticket: state as u32,
            ..self.greenthread
        })
    }
}

/// The waits of one greenthread for one future, from the first poll to the last.
pub(crate) struct Parker {
    unparker: Arc<Unparker>,
    waker: Waker,
    forks: usize,
    /// Where the runtime knows it, from the first park to the end: to enter and leave at each would cost more.
    place: Cell<usize>,
}

impl Parker {
    /// For the current greenthread.
    pub(crate) fn new(runtime: &Runtime) -> Parker {
        let unparker = Arc::new(Unparker {
            greenthread: runtime.next_park(),
            state: AtomicU64::new(POLLING),
            remote: OnceLock::new(),
        });
        Parker {
            waker: Waker::from(Arc::clone(&unparker)),
            unparker,
            forks: runtime.forks.get(),
            place: Cell::new(NO_PLACE),
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
    #[inline]
    pub(crate) fn park(&self, runtime: &Runtime) -> Wake {
        if runtime.cannot_switch() {
            return Wake::Unwinding;
        }
        let state = &self.unparker.state;
        let reachable = self.is_reachable(runtime);
        if self.place.get() == NO_PLACE {
            self.enter(runtime);
        }
        let parked = PARKED | u64::from(runtime.next_ticket());
        if state
            .compare_exchange(POLLING, parked, Ordering::AcqRel, Ordering::Relaxed)
            .is_err()
        {
            runtime.yield_now();
            return Wake::Event;
        }
        let wake = runtime.park_for_others(reachable, Reason::Outside("a future"), None);
        if !matches!(wake, Wake::Event) {
            // The park is over, whoever wakes it from now on.
            state.store(WOKEN, Ordering::Release);
        }
        wake
    }

    #[cold]
    #[inline(never)]
    fn enter(&self, runtime: &Runtime) {
        self.place.set(runtime.enter_awaited(&self.unparker));
    }

    /// Lets other threads end the next park. False if they cannot.
    fn is_reachable(&self, runtime: &Runtime) -> bool {
        if self.unparker.remote.get().is_some() {
            return true;
        }
        match runtime.remote() {
            Ok(remote) => {
                self.unparker.remote.get_or_init(|| Arc::downgrade(&remote));
                true
            }
            Err(error) => {
                runtime.warn_unreachable(&error);
                false
            }
        }
    }
}

impl Drop for Parker {
    fn drop(&mut self) {
        // Whoever wakes it from now on finds nothing to do.
        self.unparker.state.store(WOKEN, Ordering::Release);
        let place = self.place.get();
        if place != NO_PLACE {
            let _ = Runtime::existing(|runtime| runtime.leave_awaited(place, &self.unparker));
        }
    }
}
