use std::fmt;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::parking::{Cause, NotReady, ParkError, Turn, Wakeup};
use crate::sources::{Removed, Sources};
use crate::waker::{Ear, Waker};
use crate::{Clock, Direction, Event, Hub, Interest, TimerKey, Timers, Token, Trigger};

/// A hub with what it lacks: who waits for which descriptor, timers, and a waker.
///
/// `W` is whatever waits: a greenthread, a task, a callback. The reactor keeps waiters and gives
/// them back when they are due. It runs none of them, and drops none but with itself.
///
/// The use of a descriptor is one loop: try the system call if the direction
/// [`is_ready`](Reactor::is_ready), tell [`clear_ready`](Reactor::clear_ready) what it said,
/// [`park`](Reactor::park), and try again when a [`turn`](Reactor::turn) has given the waiter
/// back.
///
/// ```
/// use hub_core::{Direction, NotReady, Reactor};
/// use std::io::{ErrorKind, Read, Write};
/// use std::os::unix::net::UnixStream;
/// use std::rc::Rc;
///
/// let mut reactor = Reactor::new(Box::new(hub_poll::Poll::new()?));
/// let (near, far) = UnixStream::pair()?;
/// let far = Rc::new(far);
/// far.set_nonblocking(true)?;
/// let token = reactor.add(far.clone())?;
///
/// assert!(reactor.is_ready(token, Direction::Read));
/// let nothing = (&*far).read(&mut [0; 8]).unwrap_err();
/// assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
/// reactor.clear_ready(token, Direction::Read, NotReady::WouldBlock);
/// reactor.park(token, Direction::Read, "who waits").expect("nobody else waits");
///
/// (&near).write_all(b"word")?;
/// let mut woken = Vec::new();
/// while woken.is_empty() {
///     reactor.turn(None, &mut woken)?;
/// }
/// assert_eq!(woken[0].waiter, "who waits");
/// assert_eq!((&*far).read(&mut [0; 8])?, 4);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Reactor<W> {
    hub: Box<dyn Hub>,
    sources: Sources<W>,
    allow_many: bool,
    timers: Timers<W>,
    clock: Clock,
    /// What the timers count from.
    epoch: Instant,
    ear: Option<Rc<Ear>>,
    ear_token: Token,
    /// Filled and emptied by each turn.
    events: Vec<Event>,
}

/// No registration has this token: a table is never that long.
const NO_TOKEN: Token = Token::from_raw(u64::MAX);

impl<W> Reactor<W> {
    /// A reactor on this hub, which must have no registrations.
    pub fn new(hub: Box<dyn Hub>) -> Reactor<W> {
        Reactor {
            hub,
            sources: Sources::new(),
            allow_many: false,
            timers: Timers::new(),
            clock: Clock::Monotonic,
            epoch: Instant::now(),
            ear: None,
            ear_token: NO_TOKEN,
            events: Vec::new(),
        }
    }

    /// The name of the hub in charge.
    pub fn hub_name(&self) -> &'static str {
        self.hub.name()
    }

    /// The descriptor of the hub, if it has one, with which the reactor is nested in another event
    /// loop. It is readable while the hub has something to report; of timers it knows nothing: the
    /// other loop waits until [`next_deadline`](Reactor::next_deadline) at most, and takes a turn
    /// without waiting then. It is another one after the hub has been replaced.
    pub fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.hub.as_fd()
    }

    /// Puts another hub in charge of every registration, waiter and timer, and of the waker. It
    /// must have no registrations. The old one comes back with those it had: drop it.
    ///
    /// # Errors
    /// If the new hub refuses a descriptor. The error names it, and the old hub stays in charge.
    pub fn replace_hub(&mut self, mut hub: Box<dyn Hub>) -> io::Result<Box<dyn Hub>> {
        for (token, source) in self.sources.iter() {
            let wanted = match token == self.ear_token {
                true => Interest::READ,
                false => source.interest(),
            };
            let added = hub.add(source.fd(), token, source.trigger);
            let moved = added.and_then(|()| match wanted.is_none() {
                true => Ok(()),
                false => hub.arm(source.fd(), token, wanted),
            });
            moved.map_err(|error| {
                let (fd, from, to) = (source.fd().as_raw_fd(), self.hub.name(), hub.name());
                let what = format!("cannot move descriptor {fd} from hub {from} to {to}: {error}");
                io::Error::new(error.kind(), what)
            })?;
        }
        Ok(mem::replace(&mut self.hub, hub))
    }

    /// Puts a fresh hub in charge in the child of a fork, of all but the waker, which is made anew
    /// by the next call of [`waker`](Reactor::waker): those that exist ring in the parent.
    ///
    /// The old hub is told nothing, since what it has in the system is the parent's as well. It
    /// comes back, and the caller sees to it that it does no harm in its destructor.
    ///
    /// # Errors
    /// As [`replace_hub`](Reactor::replace_hub).
    pub fn restart(&mut self, hub: Box<dyn Hub>) -> io::Result<Box<dyn Hub>> {
        if self.ear.take().is_some() {
            self.abandon(self.ear_token);
            self.ear_token = NO_TOKEN;
        }
        self.replace_hub(hub)
    }

    /// As [`remove`](Reactor::remove), but tells the hub nothing: in the child of a fork, before
    /// [`restart`](Reactor::restart), the hub would end the parent's registration.
    pub fn abandon(&mut self, token: Token) -> Option<Removed<W>> {
        self.sources.remove(token)
    }

    /// Takes back every waiter that matches, from descriptors and timers, in no particular order.
    pub fn take_if(&mut self, mut matches: impl FnMut(&W) -> bool) -> Vec<W> {
        let mut taken = self.sources.take_if(&mut matches);
        taken.append(&mut self.timers.take_if(&mut matches));
        taken
    }

    /// Registers a descriptor, which stays open for as long as it is registered. It counts as
    /// ready in both directions until a system call says otherwise.
    ///
    /// # Errors
    /// What the hub says: a descriptor is registered once.
    pub fn add(&mut self, source: Rc<dyn AsFd>) -> io::Result<Token> {
        self.add_with(source, Trigger::Edge)
    }

    /// Registers a descriptor for other rules than first try, then wait: with
    /// [`Trigger::Oneshot`] a waiter may be parked at any time, and is due at once if the
    /// descriptor is ready.
    ///
    /// # Errors
    /// What the hub says, and `InvalidInput` for [`Trigger::Level`], which knows no waiters.
    pub fn add_with(&mut self, source: Rc<dyn AsFd>, trigger: Trigger) -> io::Result<Token> {
        if trigger == Trigger::Level {
            let what = "a reactor wakes a waiter once: take Trigger::Edge or Trigger::Oneshot";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        let token = self.sources.next_token();
        self.hub.add(source.as_fd(), token, trigger)?;
        Ok(self.sources.insert(source, trigger))
    }

    /// Ends a registration and gives back what it held; those who waited are to be told. `None`
    /// if it has ended before.
    pub fn remove(&mut self, token: Token) -> Option<Removed<W>> {
        let removed = self.sources.remove(token)?;
        let fd = removed.source.as_fd();
        if let Err(error) = self.hub.remove(fd, token) {
            let (fd, hub) = (fd.as_raw_fd(), self.hub.name());
            log::warn!("hub {hub}: removing descriptor {fd}: {error}");
        }
        Some(removed)
    }

    /// Whether to try the system call before waiting. It is a hint, true at first; and true for a
    /// stale token, whose system call finds the error.
    #[inline]
    pub fn is_ready(&self, token: Token, direction: Direction) -> bool {
        let source = self.sources.get(token);
        source.is_none_or(|source| source.state.is_ready(direction))
    }

    /// Takes note that a system call in this direction would now find nothing.
    #[inline]
    pub fn clear_ready(&mut self, token: Token, direction: Direction, why: NotReady) {
        if let Some(source) = self.sources.get_mut(token) {
            source.state.clear(direction, why);
        }
    }

    /// Parks a waiter until this direction is ready. Call it when
    /// [`clear_ready`](Reactor::clear_ready) has been told that it is not: one that still counts
    /// as ready is not reported again, and the waiter is due with the next turn.
    ///
    /// # Errors
    /// See [`ParkError`]: one waiter a direction, unless
    /// [`set_allow_many`](Reactor::set_allow_many) says otherwise.
    #[inline]
    pub fn park(
        &mut self,
        token: Token,
        direction: Direction,
        waiter: W,
    ) -> Result<(), ParkError<W>> {
        let Some(source) = self.sources.get(token) else {
            return Err(ParkError::Gone(waiter));
        };
        if source.waiter(direction).is_some() {
            if !self.allow_many {
                return Err(ParkError::Busy(waiter));
            }
            self.sources.queue(token, direction, waiter);
            return Ok(());
        }
        if source.is_due(direction) {
            self.sources.park_due(token, direction, waiter);
            return Ok(());
        }
        if let Err(error) = self.hub.arm(source.fd(), token, direction.into()) {
            return Err(ParkError::Io(error, waiter));
        }
        self.sources.park(token, direction, waiter);
        Ok(())
    }

    /// Takes back the first waiter that matches: it has timed out, or was killed. Of those behind
    /// it the next moves up.
    pub fn unpark(
        &mut self,
        token: Token,
        direction: Direction,
        matches: impl FnMut(&W) -> bool,
    ) -> Option<W> {
        self.sources.unpark(token, direction, matches)
    }

    /// Who waits for this direction; the first, if there are many.
    pub fn waiter(&self, token: Token, direction: Direction) -> Option<&W> {
        self.sources.get(token)?.waiter(direction)
    }

    /// Whether a second waiter for one direction of a descriptor queues up behind the first
    /// (`true`) or is refused (`false`, as at first).
    pub fn set_allow_many(&mut self, allow: bool) {
        self.allow_many = allow;
    }

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
        self.timers.add(self.since_epoch(deadline), waiter)
    }

    /// Takes a timer's waiter back before its deadline. `None` if it is back already.
    #[inline]
    pub fn cancel_timer(&mut self, key: TimerKey) -> Option<W> {
        self.timers.cancel(key)
    }

    /// The earliest deadline.
    pub fn next_deadline(&self) -> Option<Instant> {
        let nanos = self.timers.next_deadline()?;
        Some(self.epoch + Duration::from_nanos(nanos))
    }

    /// Waits until something is ready, a deadline is over, a waker rings, a signal arrives, or
    /// `timeout` has passed (`None`: it sets no bound), and appends who is due to `woken`: first
    /// those whose descriptor is ready, in the order that the hub reports them, then those whose
    /// deadline is over. It resumes nobody.
    ///
    /// # Errors
    /// Only if the hub itself is unusable. No waiter is lost.
    pub fn turn(
        &mut self,
        timeout: Option<Duration>,
        woken: &mut Vec<Wakeup<W>>,
    ) -> io::Result<Turn> {
        let hub = &mut self.hub;
        let due = self.sources.settle(woken, |fd, token, direction| {
            if let Err(error) = hub.arm(fd, token, direction.into()) {
                log::error!("hub {}: arming descriptor {fd:?}: {error}", hub.name());
            }
        });
        let timeout = match due {
            true => Some(Duration::ZERO),
            false => self.bound(timeout),
        };
        match &self.clock {
            Clock::Monotonic => self.hub.wait(timeout, &mut self.events)?,
            Clock::Virtual(clock) => {
                clock
                    .clone()
                    .wait(timeout, &mut *self.hub, &mut self.events)?;
            }
        }
        let mut turn = Turn {
            rang: false,
            reports: self.events.len(),
        };
        for event in self.events.drain(..) {
            if event.token == self.ear_token {
                turn.rang = true;
            } else {
                self.sources.report(event, woken);
            }
        }
        if turn.rang {
            self.answer();
        }
        self.expire(woken);
        Ok(turn)
    }

    /// Appends those whose deadline is over to `woken`, as a turn does, without a look at the hub.
    pub fn expire(&mut self, woken: &mut Vec<Wakeup<W>>) {
        if self.timers.is_empty() {
            return;
        }
        let now = self.since_epoch(self.now());
        while let Some((_, waiter)) = self.timers.expire(now) {
            let cause = Cause::Expired;
            woken.push(Wakeup { waiter, cause });
        }
    }

    /// A handle that ends a wait of this reactor from any thread.
    ///
    /// # Errors
    /// The first call makes a pair of descriptors and registers one of them.
    pub fn waker(&mut self) -> io::Result<Waker> {
        if let Some(ear) = &self.ear {
            return Ok(ear.waker());
        }
        let ear = Rc::new(Ear::new()?);
        let token = self.add(ear.clone())?;
        if let Err(error) = self.hub.arm(ear.as_fd(), token, Interest::READ) {
            self.remove(token);
            return Err(error);
        }
        self.ear_token = token;
        Ok(self.ear.insert(ear).waker())
    }

    /// Whether a [`Waker`] exists outside. If not, and nobody is parked and no timer runs, a turn
    /// without a timeout waits for ever. A waker that has just gone may have rung before: take a
    /// turn without waiting, to be sure.
    pub fn is_wakeable(&self) -> bool {
        self.ear.as_ref().is_some_and(|ear| ear.is_held())
    }

    /// Whether anybody is parked at a descriptor.
    pub fn has_waiters(&self) -> bool {
        self.readers() + self.writers() > 0
    }

    /// How many are parked for reading.
    pub fn readers(&self) -> usize {
        self.sources.parked(Direction::Read)
    }

    /// How many are parked for writing.
    pub fn writers(&self) -> usize {
        self.sources.parked(Direction::Write)
    }

    /// How many timers run.
    pub fn timer_count(&self) -> usize {
        self.timers.len()
    }

    /// How many descriptors are registered, that of the waker not counted.
    pub fn descriptors(&self) -> usize {
        self.sources.len() - usize::from(self.ear.is_some())
    }

    /// Everybody who is parked, and where.
    pub fn waiters(&self) -> impl Iterator<Item = (Token, RawFd, Direction, &W)> {
        self.sources.waiters()
    }

    /// Every timer, in no particular order.
    pub fn timers(&self) -> impl Iterator<Item = (Instant, &W)> {
        let timers = self.timers.iter();
        timers.map(|(deadline, waiter)| (self.epoch + Duration::from_nanos(deadline), waiter))
    }

    /// Nanoseconds since the epoch; an earlier time is the epoch.
    #[inline]
    fn since_epoch(&self, time: Instant) -> u64 {
        let since = time.saturating_duration_since(self.epoch);
        let seconds = since.as_secs().saturating_mul(1_000_000_000);
        seconds.saturating_add(u64::from(since.subsec_nanos()))
    }

    /// How long a turn may wait: until the next deadline at most.
    #[inline]
    fn bound(&self, timeout: Option<Duration>) -> Option<Duration> {
        let Some(deadline) = self.timers.next_deadline() else {
            return timeout;
        };
        if timeout == Some(Duration::ZERO) {
            return timeout;
        }
        let now = self.since_epoch(self.now());
        let until = Duration::from_nanos(deadline.saturating_sub(now));
        Some(timeout.map_or(until, |timeout| timeout.min(until)))
    }

    #[cold]
    fn answer(&mut self) {
        let Some(ear) = &self.ear else {
            return;
        };
        ear.answer();
        if let Err(error) = self.hub.arm(ear.as_fd(), self.ear_token, Interest::READ) {
            log::error!("hub {}: arming the waker: {error}", self.hub.name());
        }
    }
}

impl<W> fmt::Debug for Reactor<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor")
            .field("hub", &self.hub.name())
            .field("descriptors", &self.descriptors())
            .field("readers", &self.readers())
            .field("writers", &self.writers())
            .field("timers", &self.timers)
            .finish()
    }
}
