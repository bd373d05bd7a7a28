//! The child of a fork: this thread goes on there, alone, and what it shares with the system is the parent's as well.

use std::io;
use std::mem;
use std::rc::Rc;

use hub_core::{Hub, Removed, Token};

use super::{Alarm, Reason, Runtime, State, WaitList};

/// What the first wait says.
const POISONED: &str = "this process is the child of a fork, and its hub is still the parent's: \
     call green::hubs::after_fork before anything that waits";

impl Runtime {
    /// True in the child of a fork until `restart`.
    #[inline]
    pub(crate) fn is_forked(&self) -> bool {
        greenlet::os::fork_count() != self.forks.get()
    }

    /// The child's first wait must not touch what the parent's hub has in the system.
    #[cold]
    pub(super) fn refuse_fork(&self) {
        if !std::thread::panicking() {
            panic!("{POISONED}");
        }
    }

    /// As `refuse_fork`, for a turn, in the middle of a switch.
    #[cold]
    pub(super) fn fail_fork(&self) {
        self.fail(String::from(POISONED));
    }

    /// Ends a registration. What it leaves behind is dropped outside the reactor's borrow.
    pub(crate) fn remove(&self, token: Token) -> Option<Removed<Alarm>> {
        let forked = self.is_forked();
        self.with_reactor(|reactor| match forked {
            false => reactor.remove(token),
            true => reactor.abandon(token),
        })
    }

    /// Makes the hub this process' own: `hub` takes the place of the one that is shared with the parent. With `alone`
    /// the other greenthreads of the thread never run again.
    pub(crate) fn restart(&self, hub: Option<Box<dyn Hub>>, alone: bool) -> io::Result<()> {
        if alone {
            self.abandon_others();
        }
        let old = match (&mut *self.reactor.borrow_mut(), hub) {
            (Some(reactor), Some(hub)) => Some(reactor.restart(hub)?),
            _ => None,
        };
        if let Some(old) = old {
            old.abandon();
        }
        self.forks.set(greenlet::os::fork_count());
        if let Some(remote) = self.remote.take() {
            remote.abandon();
        }
        self.wake_remote_parks();
        self.fork_rooms(alone);
        Ok(())
    }

    /// Only the caller runs again, and nothing of the others is run to that end, neither a destructor nor a
    /// link: all of it would happen once more in the parent. Their memory is given up.
    fn abandon_others(&self) {
        let me = self.current();
        let root = self.root();
        mem::forget(self.run_queue.take());
        for task in self.tasks() {
            if Rc::ptr_eq(&task, &me) {
                continue;
            }
            task.ticket.set(task.ticket.get().wrapping_add(1));
            if Rc::ptr_eq(&task, &root) {
                // It is the thread's own stack: it stays, for the end of the process.
                task.state.set(State::Parked);
                task.reason
                    .set(Reason::Outside("nothing: after_fork has set it aside"));
                continue;
            }
            task.state.set(State::Dead);
            let owned = self.tasks.borrow_mut().try_remove(task.key.get());
            mem::forget((owned, task));
        }
        let theirs = self.with_reactor(|reactor| {
            Some(reactor.take_if(|alarm| match alarm {
                Alarm::Park(waiter) => !Rc::ptr_eq(&waiter.task, &me),
                Alarm::Deadline(task, _) => !Rc::ptr_eq(task, &me),
                Alarm::Start(..) => true,
                // Whose it is cannot be known. Waking what is no more does nothing.
                Alarm::Waker(_) => false,
            }))
        });
        mem::forget(theirs);
        mem::forget(self.remote_parks.take());
        mem::forget(self.sent.take());
        mem::forget(self.lacking.replace(WaitList::new()));
        self.background.set(0);
    }
}
