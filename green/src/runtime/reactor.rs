//! The reactor of the thread, its timers and its clock.

use std::time::{Duration, Instant};

use hub_core::{Hub, Reactor, TimerKey};

use super::{Alarm, Runtime};

/// The reactor is borrowed by a turn, and the hub runs code of the user in its `wait`.
#[cold]
#[inline(never)]
fn called_from_hub() -> ! {
    panic!(
        "this call may wait or sets a timer, and was made by a callback that the hub itself runs inside its wait; let \
         the callback take note of what is to be done, and do it in a greenthread when the wait is over, or send it \
         there by ThreadHandle::spawn"
    );
}

impl Runtime {
    /// Runs `f` on the reactor, made on first use with the hub that was chosen.
    ///
    /// `f` must neither switch nor run code of the user.
    // In any case: the frames of all who wait would reach further down.
    #[inline(always)]
    pub(crate) fn reactor<R>(&self, f: impl FnOnce(&mut Reactor<Alarm>) -> R) -> R {
        if self.is_forked() {
            self.refuse_fork();
        }
        loop {
            let Ok(mut slot) = self.reactor.try_borrow_mut() else {
                called_from_hub();
            };
            if let Some(reactor) = slot.as_mut() {
                return f(reactor);
            }
            drop(slot);
            self.make_reactor();
        }
    }

    // Not inline: everybody who asks the reactor for one bit would have a frame with room for a whole one.
    #[cold]
    #[inline(never)]
    fn make_reactor(&self) {
        let reactor = self.new_reactor(crate::registry::first());
        self.reactor.replace(Some(reactor));
    }

    fn new_reactor(&self, hub: Box<dyn Hub>) -> Reactor<Alarm> {
        let mut reactor = Reactor::new(hub);
        reactor.set_allow_many(self.allow_many.get());
        reactor
    }

    pub(crate) fn allows_many(&self) -> bool {
        self.allow_many.get()
    }

    /// Lets several greenthreads wait for one direction of one descriptor, in turn.
    pub(crate) fn set_allow_many(&self, allow: bool) {
        self.allow_many.set(allow);
        let _ = self.with_reactor(|reactor| {
            reactor.set_allow_many(allow);
            Some(())
        });
    }

    /// As `reactor`, but does not make one: `None` says that there is none yet, or no more.
    pub(crate) fn with_reactor<R>(
        &self,
        f: impl FnOnce(&mut Reactor<Alarm>) -> Option<R>,
    ) -> Option<R> {
        self.reactor.borrow_mut().as_mut().and_then(f)
    }

    /// Puts `hub` in the place of the present one and gives that back, if there was one yet.
    pub(crate) fn replace_hub(&self, hub: Box<dyn Hub>) -> std::io::Result<()> {
        let mut slot = self.reactor.borrow_mut();
        match slot.as_mut() {
            Some(reactor) => drop(reactor.replace_hub(hub)?),
            None => *slot = Some(self.new_reactor(hub)),
        }
        Ok(())
    }

    pub(crate) fn now(&self) -> Instant {
        self.reactor(|reactor| reactor.now())
    }

    pub(crate) fn deadline(&self, timeout: Option<Duration>) -> Option<Instant> {
        let timeout = timeout?;
        let now = self.now();
        self.stamp.set(now);
        // A deadline beyond what the clock can say never comes.
        now.checked_add(timeout)
    }

    /// True if a deadline had passed when somebody last asked for one: that of a timeout of zero has when it is made.
    #[inline]
    pub(super) fn has_passed(&self, deadline: Instant) -> bool {
        deadline <= self.stamp.get()
    }

    pub(crate) fn add_timer(&self, deadline: Instant, alarm: Alarm) -> TimerKey {
        // Among equal deadlines, that of a `Timeout` was first.
        self.arm_current();
        self.reactor(|reactor| reactor.add_timer(deadline, alarm))
    }

    pub(crate) fn cancel_timer(&self, key: TimerKey) -> bool {
        // Dropped here, outside the reactor's borrow: it may hold code of the user.
        let alarm = self.reactor(|reactor| reactor.cancel_timer(key));
        alarm.is_some()
    }
}
