use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::Reactor;
use crate::parking::{Cause, Turn, Wakeup};
use crate::waker::{WakeFd, Waker};
use crate::{Clock, Direction, Interest, TimerKey, Token};

/// Time, turns, and what ends their waits:
///
/// ```
/// use hub_core::{Clock, Reactor, VirtualClock};
/// use std::time::Duration;
///
/// let mut reactor = Reactor::new(Box::new(hub_epoll::Epoll::new()?));
/// let clock = VirtualClock::new();
/// reactor.set_clock(Clock::Virtual(clock.clone()));
/// reactor.add_timer(reactor.now() + Duration::from_secs(5), "a timer");
/// assert_eq!(reactor.next_deadline(), Some(clock.now() + Duration::from_secs(5)));
/// assert!(reactor.as_fd().is_some()); // Another loop waits for it, until that deadline.
///
/// reactor.waker()?.wake(); // In earnest from another thread.
/// let mut woken = Vec::new();
/// reactor.turn(Some(Duration::ZERO), &mut woken)?;
/// assert!(woken.is_empty(), "it ends a wait, and is nobody's");
/// # Ok::<(), std::io::Error>(())
/// ```
impl<W> Reactor<W> {
    /// The time on the reactor's clock.
    #[inline]
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Reads the time elsewhere from now on. Timers that run already keep their distance from
    /// the time that the old clock shows.
    pub fn set_clock(&mut self, clock: Clock) {
        let elapsed = self.since_epoch(self.now());
        let start = clock.now().checked_sub(Duration::from_nanos(elapsed));
        self.epoch = start.unwrap_or_else(|| clock.now());
        self.clock = clock;
    }

    /// Has a waiter back at a deadline. Among equal deadlines the earlier added is back first.
    #[inline]
    pub fn add_timer(&mut self, deadline: Instant, waiter: W) -> TimerKey {
        let deadline = self.since_epoch(deadline);
        if deadline < self.promised.get() {
            self.ring();
        }
        self.timers.add(deadline, waiter)
    }

    /// Takes a timer's waiter back before its deadline. `None` if it is back already.
    #[inline]
    pub fn cancel_timer(&mut self, key: TimerKey) -> Option<W> {
        self.timers.cancel(key)
    }

    /// The earliest time at which the reactor has something to do: a deadline, or to ask again for
    /// what was reported in vain. A loop outside sleeps no longer than until then; see
    /// [`as_fd`](Reactor::as_fd).
    pub fn next_deadline(&self) -> Option<Instant> {
        let nanos = self.next();
        if self.is_nested {
            self.promised.set(nanos.unwrap_or(u64::MAX));
        }
        Some(self.epoch + Duration::from_nanos(nanos?))
    }

    /// The descriptor of the hub, if it has one, with which the reactor is nested in another event
    /// loop. It is readable while the hub has something to report, and becomes so when the reactor
    /// must have a turn sooner than the last call of [`next_deadline`](Reactor::next_deadline) has
    /// said: a timer was added since, or a waiter was parked on what is ready. The other loop
    /// waits for it until `next_deadline` at most, and takes turns without waiting then, until one
    /// has had no reports and woken nobody.
    ///
    /// It is another one after the hub has been replaced. To become readable by itself the reactor
    /// makes the descriptors of its waker when it first must: make them before by
    /// [`waker`](Reactor::waker) if there may be none left.
    pub fn as_fd(&mut self) -> Option<BorrowedFd<'_>> {
        if !self.is_nested {
            self.is_nested = true;
            if self.sources.is_unsettled() {
                self.ring();
            }
        }
        self.hub.as_fd()
    }

    /// Waits until something is ready, a deadline is over, a waker rings, a signal arrives, or
    /// `timeout` has passed (`None`: it sets no bound), and appends the waiters that are due to
    /// `woken`: first those whose descriptor is ready, in the order that the hub reports them, then
    /// those whose deadline is over. It resumes nobody.
    ///
    /// # Errors
    /// Only if the hub itself is unusable. No waiter is lost.
    pub fn turn(
        &mut self,
        timeout: Option<Duration>,
        woken: &mut Vec<Wakeup<W>>,
    ) -> io::Result<Turn> {
        self.promised.set(0);
        let due = self.settle(woken);
        let timeout = match due {
            true => Some(Duration::ZERO),
            false => self.bound(timeout),
        };
        match &self.clock {
            Clock::Monotonic => self.hub.wait(timeout, &mut self.events)?,
            Clock::Virtual(clock) => {
                let awaited = || self.sources.awaited();
                clock
                    .clone()
                    .wait(timeout, &mut *self.hub, &mut self.events, awaited)?;
            }
        }
        let mut turn = Turn {
            rang: false,
            reports: self.events.len(),
        };
        for event in self.events.drain(..) {
            if event.token == self.wake_token {
                turn.rang = true;
            } else {
                self.sources.report(event, woken);
            }
        }
        if turn.rang {
            self.reset_waker();
        }
        self.expire(woken);
        Ok(turn)
    }

    /// Appends those whose deadline is over to `woken`, as a turn does, without a look at the hub.
    ///
    /// ```
    /// let mut reactor = hub_core::Reactor::new(Box::new(hub_poll::Poll::new()?));
    /// reactor.add_timer(reactor.now(), "due");
    /// let mut woken = Vec::new();
    /// reactor.expire(&mut woken);
    /// assert_eq!(woken[0].waiter, "due");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn expire(&mut self, woken: &mut Vec<Wakeup<W>>) {
        if self.timers.is_empty() && self.paused.is_empty() {
            return;
        }
        let now = self.since_epoch(self.now());
        while let Some((_, waiter)) = self.timers.expire(now) {
            let cause = Cause::Expired;
            woken.push(Wakeup { waiter, cause });
        }
        while let Some((_, (token, direction))) = self.paused.expire(now) {
            let source = self.sources.get(token);
            let Some(source) = source.filter(|source| source.waiter(direction).is_some()) else {
                continue;
            };
            if let Err(error) = self.hub.arm(source.fd(), token, direction.into()) {
                log::error!("hub {}: arming {:?}: {error}", self.hub.name(), source.fd());
            }
        }
    }

    /// A handle that ends a wait of this reactor from any thread.
    ///
    /// # Errors
    /// The first call makes a pair of descriptors and registers one of them.
    pub fn waker(&mut self) -> io::Result<Waker> {
        if let Some(wake_fd) = &self.wake_fd {
            return Ok(wake_fd.waker());
        }
        let wake_fd = Rc::new(WakeFd::new()?);
        let token = self.add(wake_fd.clone())?;
        if let Err(error) = self.hub.arm(wake_fd.as_fd(), token, Interest::READ) {
            self.remove(token);
            return Err(error);
        }
        self.wake_token = token;
        Ok(self.wake_fd.insert(wake_fd).waker())
    }

    /// Nanoseconds since the epoch; an earlier time is the epoch.
    #[inline]
    fn since_epoch(&self, time: Instant) -> u64 {
        let since = time.saturating_duration_since(self.epoch);
        let seconds = since.as_secs().saturating_mul(1_000_000_000);
        seconds.saturating_add(u64::from(since.subsec_nanos()))
    }

    /// When the first timer expires, or a pause is over.
    #[inline]
    fn next(&self) -> Option<u64> {
        let deadline = self.timers.next_deadline();
        match self.paused.next_deadline() {
            None => deadline,
            Some(pause) => Some(deadline.map_or(pause, |deadline| deadline.min(pause))),
        }
    }

    /// How long a turn may wait: until the next deadline at most.
    #[inline]
    fn bound(&self, timeout: Option<Duration>) -> Option<Duration> {
        let Some(deadline) = self.next() else {
            return timeout;
        };
        if timeout == Some(Duration::ZERO) {
            return timeout;
        }
        let now = self.since_epoch(self.now());
        let until = Duration::from_nanos(deadline.saturating_sub(now));
        Some(timeout.map_or(until, |timeout| timeout.min(until)))
    }

    /// Looks after those who moved up or were due when they were parked. True if any is due.
    #[inline]
    fn settle(&mut self, woken: &mut Vec<Wakeup<W>>) -> bool {
        if !self.sources.is_unsettled() {
            return false;
        }
        let mut later = Vec::new();
        let hub = &mut self.hub;
        let due = self.sources.settle(woken, |source, token, direction| {
            if let Some(pause) = source.pause(direction) {
                later.push((pause, token, direction));
            } else if let Err(error) = hub.arm(source.fd(), token, direction.into()) {
                log::error!("hub {}: arming {:?}: {error}", hub.name(), source.fd());
            }
        });
        for (pause, token, direction) in later {
            self.arm_after(pause, token, direction);
        }
        due
    }

    /// Asks for a direction after a pause.
    #[cold]
    pub(super) fn arm_after(&mut self, pause: Duration, token: Token, direction: Direction) {
        let until = self.since_epoch(self.now() + pause);
        if until < self.promised.get() {
            self.ring();
        }
        self.paused.add(until, (token, direction));
    }

    /// Makes the hub's descriptor readable: the loop outside must not sleep as long as it was told.
    #[cold]
    pub(super) fn ring(&mut self) {
        self.promised.set(0);
        match self.waker() {
            Ok(waker) => waker.wake(),
            Err(error) => {
                log::error!(
                    "hub {}: no descriptor to wake the loop outside: {error}",
                    self.hub.name()
                );
            }
        }
    }

    /// The waker has rung: makes its descriptor unreadable again.
    #[cold]
    fn reset_waker(&mut self) {
        let Some(wake_fd) = &self.wake_fd else {
            return;
        };
        wake_fd.reset();
        if let Err(error) = self
            .hub
            .arm(wake_fd.as_fd(), self.wake_token, Interest::READ)
        {
            log::error!("hub {}: arming the waker: {error}", self.hub.name());
        }
    }
}
