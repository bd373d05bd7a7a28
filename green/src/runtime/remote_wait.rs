//! Parks that another thread may end.
//!
//! A primitive of all threads leaves a [`RemoteWaiter`] where it is found; a future gets a [`Waker`] (see
//! [`Parker`](super::Parker)). Both name a park by numbers and own nothing of the greenthread. The runtime keeps who is
//! parked so, since a thread whose greenthreads wait for others is not deadlocked.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::park::WokenBy;
use super::parker::Unparker;
use super::remote::Remote;
use super::{Reason, Runtime, Task, Waiter, Waiting, Wake};

/// How often a greenthread looks for itself that no other thread can wake, for want of a descriptor.
const LOOK: Duration = Duration::from_millis(5);

/// Names one park of one greenthread, whatever thread asks. Used too late, it does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ParkName {
    /// See [`Runtime::serial`].
    pub(super) thread: u64,
    /// The greenthread's place in the registry of its thread.
    pub(super) key: usize,
    pub(super) id: u64,
    pub(super) ticket: u32,
}

impl ParkName {
    /// Ends the park: here and now if this is its thread, else by a message.
    pub(super) fn end(self, remote: impl FnOnce() -> Option<Arc<Remote>>) {
        let here = Runtime::existing(|runtime| {
            let here = runtime.serial == self.thread;
            if here {
                runtime.unpark_named(self, Runtime::unpark);
            }
            here
        });
        if here != Some(true)
            && let Some(remote) = remote()
        {
            remote.unpark(self);
        }
    }
}

/// Wakes one park of one greenthread from any thread.
#[derive(Clone)]
pub(crate) struct RemoteWaiter {
    park: ParkName,
    remote: Arc<Remote>,
}

impl Waiting for RemoteWaiter {
    /// True always: a park in another thread may be over, and one that was served too late passes on what it got.
    fn is_parked(&self) -> bool {
        true
    }

    fn wake(&self) {
        self.park.end(|| Some(Arc::clone(&self.remote)));
    }
}

/// A greenthread that other threads may wake.
pub(super) enum RemotePark {
    /// It is parked for a primitive of all threads, which anybody may have.
    Primitive(Waiter),
    /// It waits for a future, and is parked at times: what wakers of that are made of.
    Future(Arc<Unparker>),
}

impl Runtime {
    /// The waiter for the next park of the current greenthread. `None` says that no other thread could wake it, for want of
    /// a descriptor: then that park looks for itself from time to time.
    pub(super) fn remote_waiter(&self) -> Option<RemoteWaiter> {
        match self.remote() {
            Ok(remote) => Some(RemoteWaiter {
                park: self.next_park(),
                remote,
            }),
            Err(error) => {
                self.warn_unreachable(&error);
                None
            }
        }
    }

    #[cold]
    pub(super) fn warn_unreachable(&self, error: &std::io::Error) {
        log::warn!(
            "no descriptor by which other threads could wake this one ({error}): \
             its greenthreads that wait for them look by themselves every {LOOK:?} until it has one"
        );
    }

    /// The ticket of the next park of the current greenthread.
    #[inline]
    pub(super) fn next_ticket(&self) -> u32 {
        self.with_current(|task| task.ticket.get())
    }

    /// What the next park of the current greenthread is called.
    pub(super) fn next_park(&self) -> ParkName {
        self.with_current(|task| ParkName {
            thread: self.serial,
            key: task.key.get(),
            id: task.id,
            ticket: task.ticket.get(),
        })
    }

    /// As `park_for_others`, for a primitive of all threads.
    pub(super) fn park_for_primitive(
        &self,
        reachable: bool,
        reason: Reason,
        deadline: Option<Instant>,
    ) -> Wake {
        let park = RemotePark::Primitive(self.waiter());
        let place = self.remote_parks.borrow_mut().insert(park);
        let wake = self.park_for_others(reachable, reason, deadline);
        let left = self.remote_parks.borrow_mut().try_remove(place);
        drop(left);
        wake
    }

    /// Takes note of who waits for a future, until [`leave_awaited`](Runtime::leave_awaited).
    pub(super) fn enter_awaited(&self, unparker: &Arc<Unparker>) -> usize {
        let park = RemotePark::Future(Arc::clone(unparker));
        self.remote_parks.borrow_mut().insert(park)
    }

    /// Does nothing if the places are others' by now: after a fork they begin anew.
    pub(super) fn leave_awaited(&self, place: usize, unparker: &Arc<Unparker>) {
        let mut parks = self.remote_parks.borrow_mut();
        if matches!(parks.get(place), Some(RemotePark::Future(known)) if Arc::ptr_eq(known, unparker))
        {
            parks.remove(place);
        }
    }

    /// How many are parked that other threads may wake.
    pub(super) fn remote_waiters(&self) -> usize {
        let parks = self.remote_parks.borrow();
        let parked = parks.iter().filter(|(_, park)| match park {
            RemotePark::Primitive(_) => true,
            RemotePark::Future(unparker) => unparker.park().is_some(),
        });
        parked.count()
    }

    /// Parks for something that other threads may bring, as `remote_parks` says. If they cannot reach this one, it ends
    /// with `Event` after a while.
    #[inline]
    pub(super) fn park_for_others(
        &self,
        reachable: bool,
        reason: Reason,
        deadline: Option<Instant>,
    ) -> Wake {
        match reachable {
            true => self.park(reason, deadline),
            false => self.park_and_look(reason, deadline),
        }
    }

    #[cold]
    fn park_and_look(&self, reason: Reason, deadline: Option<Instant>) -> Wake {
        let look = self.now() + LOOK;
        let sooner = deadline.map_or(look, |deadline| deadline.min(look));
        match self.park(reason, Some(sooner)) {
            Wake::Expired if deadline != Some(sooner) => Wake::Event,
            wake => wake,
        }
    }

    /// Ends a park of a greenthread of this thread by `unpark`.
    pub(super) fn unpark_named(
        &self,
        park: ParkName,
        unpark: impl FnOnce(&Runtime, &Rc<Task>, u32, WokenBy) -> bool,
    ) {
        if let Some(task) = self.task(park.key, park.id) {
            unpark(self, &task, park.ticket, WokenBy::Event);
        }
    }

    /// True if a greenthread is parked whom another thread may still wake.
    pub(super) fn is_awaited_elsewhere(&self) -> bool {
        let parks = self.remote_parks.borrow();
        parks.iter().any(|(_, park)| match park {
            RemotePark::Primitive(_) => true,
            RemotePark::Future(unparker) => Unparker::is_awaited(unparker),
        })
    }

    /// After a fork: those who waited for other threads look again, and find that these are gone.
    pub(super) fn wake_remote_parks(&self) {
        for (_, park) in &*self.remote_parks.borrow() {
            match park {
                RemotePark::Primitive(waiter) => drop(waiter.wake()),
                RemotePark::Future(unparker) => {
                    if let Some(park) = unparker.park() {
                        self.unpark_named(park, Runtime::unpark);
                    }
                }
            }
        }
    }
}
