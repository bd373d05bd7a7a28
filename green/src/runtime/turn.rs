//! When the reactor is turned, and what a turn wakes.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{Ordering, fence};
use std::time::{Duration, Instant};

use greenlet::ticks;
use hub_core::{Cause, Wakeup};

use super::pace::Look;
use super::park::WokenBy;
use super::{Alarm, Runtime, Task, contain};

/// Switches between two polls in a simulated run, which must not depend on how fast the machine is.
const SIMULATED_LOOK: u32 = 32;

/// How long a thread waits for others before it looks if there are any.
const PATIENCE: Duration = Duration::from_secs(1);

impl Runtime {
    /// True if something that the hub reports, or the time, can still make a greenthread runnable.
    fn hub_can_wake(&self) -> bool {
        match (&*self.reactor.borrow(), self.background.get()) {
            (None, _) => false,
            (Some(reactor), 0) => reactor.has_waiters() || reactor.timer_count() > 0,
            (Some(reactor), background) => {
                reactor.readers() + reactor.writers() + reactor.timer_count() > background
            }
        }
    }

    /// True if another thread can.
    fn threads_can_wake(&self) -> bool {
        self.has_handles() || self.is_awaited_elsewhere() || self.has_messages()
    }

    fn has_handles(&self) -> bool {
        matches!(&*self.remote.borrow(), Some(remote) if remote.has_handles())
    }

    /// True if another thread has sent something: also one that has let go of its handle or waker since.
    fn has_messages(&self) -> bool {
        // After those: who sees that they are gone also sees what was sent through them.
        fence(Ordering::Acquire);
        matches!(&*self.remote.borrow(), Some(remote) if remote.has_messages())
    }

    /// Runs a wait of the current greenthread for one descriptor and nothing else, which does not count as something that
    /// could wake the others.
    pub(crate) fn in_background<T>(&self, wait: impl FnOnce() -> T) -> T {
        struct Over<'a>(&'a Cell<usize>);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.set(self.0.get() - 1);
            }
        }
        let over = Over(&self.background);
        over.0.set(over.0.get() + 1);
        wait()
    }

    /// Waits until the run queue has somebody, and takes that one out of it.
    #[inline(never)]
    pub(super) fn wait_for_next(&self) -> Rc<Task> {
        loop {
            if self.hub_can_wake() {
                self.turn(None);
            } else if self.threads_can_wake() {
                self.wait_for_threads();
            } else {
                self.deadlock();
            }
            if let Some(task) = self.pop() {
                return task;
            }
        }
    }

    /// Waits for other threads. If none comes for a while, it is looked if there are any.
    #[cold]
    fn wait_for_threads(&self) {
        if self.has_handles() || self.simulated.get() {
            return self.turn(None);
        }
        self.turn(Some(PATIENCE));
        if self.run_queue.borrow().len() > 0 || self.hub_can_wake() {
            return;
        }
        if greenlet::os::count_threads().is_ok_and(|threads| threads == 1) {
            self.tell_of_deadlock();
        }
        self.turn(None);
    }

    /// Has the hub polled before any other greenthread runs: what has come by now is known then.
    pub(crate) fn poll_next(&self) {
        self.pace.poll_next();
    }

    /// Between two greenthreads: polls I/O and deadlines without waiting if that has not been done for a while.
    ///
    /// Mostly it has: that way out is short, and has no frame.
    #[inline(never)]
    pub(super) fn look(&self) {
        if self.simulated.get() {
            self.pace.look_in(SIMULATED_LOOK);
            return self.look_at(Look::Hub);
        }
        match self.pace.look() {
            Look::Nothing => {}
            what => self.look_at(what),
        }
    }

    #[cold]
    #[inline(never)]
    fn look_at(&self, what: Look) {
        if self.is_forked() {
            // Only a wait that needs the hub is refused.
            return;
        }
        match what {
            Look::Nothing => {}
            Look::Timers => self.expire(),
            Look::Hub => self.turn(Some(Duration::ZERO)),
        }
    }

    /// Wakes those whose deadline is over, without a look at the hub.
    fn expire(&self) {
        self.arm_current();
        let mut woken = self.woken.take();
        self.reactor(|reactor| reactor.expire(&mut woken));
        self.wake_all(woken);
    }

    /// One turn of the reactor: I/O first, then timers, then what other threads sent.
    pub(crate) fn turn(&self, timeout: Option<Duration>) {
        if self.is_forked() {
            return self.fail_fork();
        }
        self.arm_current();
        let polls = timeout.is_some_and(|timeout| timeout.is_zero());
        let began = polls.then(ticks);
        let mut woken = self.woken.take();
        let turned = self.reactor(|reactor| reactor.turn(timeout, &mut woken));
        self.counters.turns.set(self.counters.turns.get() + 1);
        self.publish_load();
        self.wake_all(woken);
        self.last_turn.set(Instant::now());
        self.pace.turned(self.last_turn.get(), began);
        match turned {
            Ok(turn) if turn.rang => self.empty_inbox(),
            Ok(_) => {}
            Err(error) => self.hub_failed(&error),
        }
    }

    fn wake_all(&self, mut woken: Vec<Wakeup<Alarm>>) {
        for wakeup in woken.drain(..) {
            let cause = match wakeup.cause {
                Cause::Ready(_) => WokenBy::Event,
                Cause::Expired => WokenBy::Expired,
            };
            match wakeup.waiter {
                Alarm::Park(waiter) => {
                    self.unpark_due(&waiter.task, waiter.ticket, cause);
                }
                Alarm::Deadline(task, deadline) => {
                    self.elapse(&task, deadline);
                }
                Alarm::Start(start) => contain("a delayed start", start.call),
                waker @ Alarm::Waker(_) => waker.wake(),
            }
        }
        self.woken.set(woken);
    }

    #[cold]
    fn hub_failed(&self, error: &io::Error) {
        let name = self.reactor(|reactor| reactor.hub_name());
        self.fail(format!(
            "the {name} hub cannot wait: {error}; choose another one with use_hub or GREEN_HUB"
        ));
    }
}
