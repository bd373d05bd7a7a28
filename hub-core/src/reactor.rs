use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use slab::Slab;

use crate::waker::Ear;
use crate::{Clock, Direction, Event, Hub, Interest, Ready, TimerKey, Timers, Token, Trigger};
use crate::{VirtualClock, Waker};

/// A hub with what it lacks: who waits for which descriptor, timers, and a waker.
///
/// `W` is whatever waits: a greenthread, a task, a callback. The reactor keeps waiters and gives
/// them back when they are due; it runs none of them, and nothing of theirs runs inside it.
///
/// The use of a descriptor is one loop: if it [`is_ready`](Reactor::is_ready), try the system
/// call; tell [`clear_ready`](Reactor::clear_ready) what it said; [`park`](Reactor::park) and try
/// again after a [`turn`](Reactor::turn) has given the waiter back.
pub struct Reactor<W> {
    hub: Box<dyn Hub>,
    sources: Slab<Source<W>>,
    next_generation: u32,
    allow_many: bool,
    parked: [usize; 2],
    /// Descriptors whose next waiter was promoted by the last turn: see `settle_promoted`.
    promoted: Vec<(Token, Direction)>,
    events: Vec<Event>,
    clock: Clock,
    epoch: Instant,
    timers: Timers<W>,
    ear: Option<Rc<Ear>>,
    ear_token: Token,
}

struct Source<W> {
    generation: u32,
    state: State,
    trigger: Trigger,
    source: Rc<dyn AsFd>,
    waiter: [Option<W>; 2],
    /// Those behind the waiter of each direction, if more than one is allowed.
    queue: Option<Box<[VecDeque<W>; 2]>>,
}

/// Per direction, whether the next system call is worth its price, and whether a hang-up or error
/// has been seen, which no second report will follow.
#[derive(Clone, Copy)]
struct State(u8);

impl State {
    const FRESH: State = State(0b0011);

    #[inline]
    fn is_ready(self, direction: Direction) -> bool {
        self.0 >> direction as u8 & 1 != 0
    }

    #[inline]
    fn report(&mut self, ready: Ready) {
        let broken = ready.has(Ready::HUP | Ready::ERR | Ready::NVAL);
        let ended = broken || ready.has(Ready::RDHUP);
        self.0 |= ready.is_readable() as u8
            | (ready.is_writable() as u8) << 1
            | (ended as u8) << 2
            | (broken as u8) << 3;
    }

    #[inline]
    fn clear(&mut self, direction: Direction, why: NotReady) {
        let flag = 0b0001 << direction as u8;
        let sticky = 0b0100 << direction as u8;
        match why {
            NotReady::WouldBlock => self.0 &= !(flag | sticky),
            NotReady::ShortTransfer if self.0 & sticky == 0 => self.0 &= !flag,
            NotReady::ShortTransfer => {}
        }
    }
}

/// How a system call has shown that the next one would find nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotReady {
    /// It said so.
    WouldBlock,
    /// It transferred less than was asked, on a stream: its buffer is empty, or full. After a
    /// hang-up or error this proves nothing, and the direction stays ready.
    ShortTransfer,
}

/// A waiter that is due, and why.
#[derive(Debug)]
pub struct Wakeup<W> {
    /// What was parked, or given with the timer.
    pub waiter: W,
    /// Why it is back.
    pub cause: Cause,
}

/// Why a waiter is back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its descriptor is ready like this.
    Ready(Ready),
    /// Its deadline is over.
    Expired,
}

/// What a turn has to say beside who is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// A [`Waker`] rang since the last turn: now is the time to look for what it was about.
    pub rang: bool,
}

/// Why a waiter could not be parked. It comes back with the error.
#[derive(Debug)]
pub enum ParkError<W> {
    /// Another waits for this direction of this descriptor.
    Busy(W),
    /// No such registration: the descriptor was removed.
    Gone(W),
    /// The hub could not be armed.
    Io(io::Error, W),
}

/// What a registration leaves behind. The reactor drops nothing of it.
pub struct Removed<W> {
    /// The descriptor.
    pub source: Rc<dyn AsFd>,
    /// Who waited: those for reading, then those for writing, each in the order they came.
    pub waiters: Vec<(Direction, W)>,
}

const DIRECTIONS: [Direction; 2] = [Direction::Read, Direction::Write];

/// No registration has this token: a table is never that long.
const NO_TOKEN: Token = Token::from_raw(u64::MAX);

impl<W> Reactor<W> {
    /// A reactor on this hub, which must have no registrations.
    pub fn new(hub: Box<dyn Hub>) -> Reactor<W> {
        Reactor {
            hub,
            sources: Slab::new(),
            next_generation: 0,
            allow_many: false,
            parked: [0; 2],
            promoted: Vec::new(),
            events: Vec::new(),
            clock: Clock::Monotonic,
            epoch: Instant::now(),
            timers: Timers::new(),
            ear: None,
            ear_token: NO_TOKEN,
        }
    }

    /// The name of the hub in charge.
    pub fn hub_name(&self) -> &'static str {
        self.hub.name()
    }

    /// Puts another hub in charge of every registration, waiter and timer, and of the waker. It
    /// must have no registrations. The old one comes back as it was: drop it.
    ///
    /// # Errors
    /// If the new hub refuses a descriptor the error names both, and the old hub stays in charge.
    pub fn replace_hub(&mut self, mut hub: Box<dyn Hub>) -> io::Result<Box<dyn Hub>> {
        for (index, source) in &self.sources {
            let fd = source.source.as_fd();
            let token = Token::new(index as u32, source.generation);
            let mut wanted = source.interest();
            if token == self.ear_token {
                wanted = Interest::READ;
            }
            let moved = hub.add(fd, token, source.trigger).and_then(|()| {
                if wanted.is_none() {
                    return Ok(());
                }
                hub.arm(fd, token, wanted)
            });
            moved.map_err(|error| {
                let (fd, from, to) = (fd.as_raw_fd(), self.hub.name(), hub.name());
                let what = format!("cannot move descriptor {fd} from hub {from} to {to}: {error}");
                io::Error::new(error.kind(), what)
            })?;
        }
        Ok(mem::replace(&mut self.hub, hub))
    }

    /// Registers a descriptor, which stays open for as long as it is registered. It counts as
    /// ready in both directions until a system call says otherwise.
    ///
    /// # Errors
    /// What the hub says: a descriptor is registered once.
    pub fn add(&mut self, source: Rc<dyn AsFd>) -> io::Result<Token> {
        self.add_with(source, Trigger::Edge)
    }

    /// Registers a descriptor for other rules than try first, then wait: with
    /// [`Trigger::Oneshot`] a waiter may be parked at any time, and is back at once if the
    /// descriptor is ready.
    ///
    /// # Errors
    /// What the hub says, and `InvalidInput` for [`Trigger::Level`], which has no waiters.
    pub fn add_with(&mut self, source: Rc<dyn AsFd>, trigger: Trigger) -> io::Result<Token> {
        if trigger == Trigger::Level {
            let what = "a reactor wakes a waiter once: use Trigger::Edge or Trigger::Oneshot";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        let entry = self.sources.vacant_entry();
        let token = Token::new(entry.key() as u32, self.next_generation);
        self.hub.add(source.as_fd(), token, trigger)?;
        self.next_generation = self.next_generation.wrapping_add(1);
        entry.insert(Source {
            generation: token.generation(),
            state: State::FRESH,
            trigger,
            source,
            waiter: [None, None],
            queue: None,
        });
        Ok(token)
    }

    /// Ends a registration and gives back what it held; the waiters are to be told. `None` if it
    /// has ended before.
    pub fn remove(&mut self, token: Token) -> Option<Removed<W>> {
        self.source(token)?;
        let source = self.sources.remove(token.index() as usize);
        if let Err(error) = self.hub.remove(source.source.as_fd(), token) {
            let (fd, hub) = (source.source.as_fd().as_raw_fd(), self.hub.name());
            log::debug!("hub {hub}: removing descriptor {fd}: {error}");
        }
        let mut waiters = Vec::new();
        let mut queue = source.queue;
        for (direction, waiter) in DIRECTIONS.into_iter().zip(source.waiter) {
            let queued = queue
                .as_mut()
                .map(|queue| mem::take(&mut queue[direction as usize]));
            let all = waiter.into_iter().chain(queued.into_iter().flatten());
            let before = waiters.len();
            waiters.extend(all.map(|waiter| (direction, waiter)));
            self.parked[direction as usize] -= waiters.len() - before;
        }
        Some(Removed {
            source: source.source,
            waiters,
        })
    }

    /// Whether to try the system call before waiting. It is a hint, true at first; a stale token
    /// is ready, since the system call finds its error.
    #[inline]
    pub fn is_ready(&self, token: Token, direction: Direction) -> bool {
        match self.source(token) {
            Some(source) => source.state.is_ready(direction),
            None => true,
        }
    }

    /// Takes note that the system call after this would find nothing.
    #[inline]
    pub fn clear_ready(&mut self, token: Token, direction: Direction, why: NotReady) {
        if let Some(source) = self.source_mut(token) {
            source.state.clear(direction, why);
        }
    }

    /// Parks a waiter until this direction is ready. Call it when a system call has shown that it
    /// is not, and [`clear_ready`](Reactor::clear_ready) has been told.
    ///
    /// # Errors
    /// One waiter a direction, unless [`set_allow_many`](Reactor::set_allow_many) says otherwise.
    #[inline]
    pub fn park(
        &mut self,
        token: Token,
        direction: Direction,
        waiter: W,
    ) -> Result<(), ParkError<W>> {
        let source = match self.sources.get_mut(token.index() as usize) {
            Some(source) if source.generation == token.generation() => source,
            _ => return Err(ParkError::Gone(waiter)),
        };
        let place = &mut source.waiter[direction as usize];
        if place.is_some() {
            if !self.allow_many {
                return Err(ParkError::Busy(waiter));
            }
            source.queue.get_or_insert_default()[direction as usize].push_back(waiter);
            self.parked[direction as usize] += 1;
            return Ok(());
        }
        if let Err(error) = self.hub.arm(source.source.as_fd(), token, direction.into()) {
            return Err(ParkError::Io(error, waiter));
        }
        *place = Some(waiter);
        self.parked[direction as usize] += 1;
        Ok(())
    }

    /// Takes back the first waiter that matches: it has timed out, or was killed.
    pub fn unpark(
        &mut self,
        token: Token,
        direction: Direction,
        mut matches: impl FnMut(&W) -> bool,
    ) -> Option<W> {
        let source = self.source_mut(token)?;
        let queue = source
            .queue
            .as_mut()
            .map(|queue| &mut queue[direction as usize]);
        let place = &mut source.waiter[direction as usize];
        let waiter = if matches(place.as_ref()?) {
            // The hub stays armed, for the one behind or in vain.
            mem::replace(place, queue.and_then(VecDeque::pop_front))?
        } else {
            let queue = queue?;
            let position = queue.iter().position(matches)?;
            queue.remove(position)?
        };
        self.parked[direction as usize] -= 1;
        Some(waiter)
    }

    /// Who waits for this direction; the first if there are many.
    pub fn waiter(&self, token: Token, direction: Direction) -> Option<&W> {
        self.source(token)?.waiter[direction as usize].as_ref()
    }

    /// Whether a second waiter for the same direction of a descriptor queues up behind the first
    /// (true) or is refused (false, as at first).
    pub fn set_allow_many(&mut self, allow: bool) {
        self.allow_many = allow;
    }

    /// The time, on the reactor's clock.
    #[inline]
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Reads the time elsewhere from now on: for tests.
    pub fn set_clock(&mut self, clock: Clock) {
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
    /// `timeout` has passed (`None`: no bound of its own), and appends who is due to `woken`:
    /// first those whose descriptor is ready, in the order the hub reports them, then those whose
    /// deadline is over. It resumes nobody.
    ///
    /// # Errors
    /// Only if the hub itself is unusable. Nothing is lost then.
    pub fn turn(
        &mut self,
        timeout: Option<Duration>,
        woken: &mut Vec<Wakeup<W>>,
    ) -> io::Result<Turn> {
        let mut bound = timeout;
        if !self.promoted.is_empty() && self.settle_promoted(woken) {
            bound = Some(Duration::ZERO);
        }
        if let Some(deadline) = self.timers.next_deadline() {
            if bound != Some(Duration::ZERO) {
                let now = self.since_epoch(self.now());
                let until = Duration::from_nanos(deadline.saturating_sub(now));
                bound = Some(bound.map_or(until, |bound| bound.min(until)));
            }
        }
        let mut events = mem::take(&mut self.events);
        let waited = match self.clock.clone() {
            Clock::Monotonic => self.hub.wait(bound, &mut events),
            Clock::Virtual(clock) => self.wait_virtually(bound, &mut events, &clock),
        };
        let mut turn = Turn::default();
        for event in events.drain(..) {
            if event.token == self.ear_token {
                turn.rang = self.answer();
            } else {
                self.report(event, woken);
            }
        }
        self.events = events;
        waited?;
        if !self.timers.is_empty() {
            let now = self.since_epoch(self.now());
            while let Some((_, waiter)) = self.timers.expire(now) {
                let cause = Cause::Expired;
                woken.push(Wakeup { waiter, cause });
            }
        }
        Ok(turn)
    }

    /// A handle that ends a wait of this reactor from any thread.
    ///
    /// # Errors
    /// The first call makes a pair of descriptors and registers one of them.
    pub fn waker(&mut self) -> io::Result<Waker> {
        let ear = match &self.ear {
            Some(ear) => ear.clone(),
            None => {
                let ear = Rc::new(Ear::new()?);
                let token = self.add(ear.clone())?;
                if let Err(error) = self.hub.arm(ear.as_fd(), token, Interest::READ) {
                    self.remove(token);
                    return Err(error);
                }
                self.ear_token = token;
                self.ear.insert(ear).clone()
            }
        };
        Ok(ear.waker())
    }

    /// Whether a [`Waker`] exists somewhere. If not, and nobody is parked and no timer runs, a
    /// turn without a timeout would wait for ever. A waker that has just gone may have rung: take
    /// a turn with no wait before believing it.
    pub fn is_wakeable(&self) -> bool {
        self.ear.as_ref().is_some_and(|ear| ear.is_held())
    }

    /// Whether anybody is parked at a descriptor.
    pub fn has_waiters(&self) -> bool {
        self.parked != [0, 0]
    }

    /// How many are parked for reading.
    pub fn readers(&self) -> usize {
        self.parked[Direction::Read as usize]
    }

    /// How many are parked for writing.
    pub fn writers(&self) -> usize {
        self.parked[Direction::Write as usize]
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
        self.sources.iter().flat_map(|(index, source)| {
            let token = Token::new(index as u32, source.generation);
            let fd = source.source.as_fd().as_raw_fd();
            DIRECTIONS.into_iter().flat_map(move |direction| {
                let first = source.waiter[direction as usize].iter();
                let behind = source
                    .queue
                    .iter()
                    .flat_map(move |queue| &queue[direction as usize]);
                first
                    .chain(behind)
                    .map(move |waiter| (token, fd, direction, waiter))
            })
        })
    }

    /// Every timer, in no particular order.
    pub fn timers(&self) -> impl Iterator<Item = (Instant, &W)> {
        let timers = self.timers.iter();
        timers.map(|(deadline, waiter)| (self.epoch + Duration::from_nanos(deadline), waiter))
    }

    #[inline]
    fn source(&self, token: Token) -> Option<&Source<W>> {
        let source = self.sources.get(token.index() as usize)?;
        (source.generation == token.generation()).then_some(source)
    }

    #[inline]
    fn source_mut(&mut self, token: Token) -> Option<&mut Source<W>> {
        let source = self.sources.get_mut(token.index() as usize)?;
        (source.generation == token.generation()).then_some(source)
    }

    /// Nanoseconds since this reactor was made: what its timers count in.
    #[inline]
    fn since_epoch(&self, time: Instant) -> u64 {
        let since = time.saturating_duration_since(self.epoch);
        since
            .as_secs()
            .saturating_mul(1_000_000_000)
            .saturating_add(u64::from(since.subsec_nanos()))
    }

    #[inline]
    fn report(&mut self, event: Event, woken: &mut Vec<Wakeup<W>>) {
        let Some(source) = self.source_mut(event.token) else {
            return;
        };
        source.state.report(event.ready);
        let cause = Cause::Ready(event.ready);
        for direction in DIRECTIONS {
            if !event.ready.is(direction) {
                continue;
            }
            let Some(source) = self.source_mut(event.token) else {
                return;
            };
            if let Some(waiter) = source.waiter[direction as usize].take() {
                self.promote(event.token, direction);
                self.parked[direction as usize] -= 1;
                woken.push(Wakeup { waiter, cause });
            }
        }
    }

    /// The first waiter of a direction was woken: the next one in its queue takes its place.
    #[inline]
    fn promote(&mut self, token: Token, direction: Direction) {
        let Some(source) = self.source_mut(token) else {
            return;
        };
        let Some(queue) = &mut source.queue else {
            return;
        };
        let next = queue[direction as usize].pop_front();
        if next.is_some() {
            source.waiter[direction as usize] = next;
            self.promoted.push((token, direction));
        }
    }

    /// Those promoted by the last turn: if the one before left the direction ready (it was killed,
    /// or wanted less) nothing will be reported again, so they are due; else the hub is armed for
    /// them. Says whether any is due.
    #[cold]
    fn settle_promoted(&mut self, woken: &mut Vec<Wakeup<W>>) -> bool {
        let before = woken.len();
        for (token, direction) in mem::take(&mut self.promoted) {
            let Some(source) = self.source_mut(token) else {
                continue;
            };
            let place = &mut source.waiter[direction as usize];
            if place.is_none() {
                continue;
            }
            if source.state.is_ready(direction) {
                let waiter = place.take();
                self.promote(token, direction);
                self.parked[direction as usize] -= 1;
                let cause = Cause::Ready(Interest::of(direction).into());
                woken.extend(waiter.map(|waiter| Wakeup { waiter, cause }));
            } else {
                let fd = source.source.clone();
                if let Err(error) = self.hub.arm(fd.as_fd(), token, direction.into()) {
                    log::error!("cannot arm descriptor {}: {error}", fd.as_fd().as_raw_fd());
                }
            }
        }
        woken.len() > before
    }

    /// Never sleeps while a deadline is in sight: if nothing is ready the clock jumps to it.
    #[cold]
    fn wait_virtually(
        &mut self,
        bound: Option<Duration>,
        events: &mut Vec<Event>,
        clock: &VirtualClock,
    ) -> io::Result<()> {
        let Some(bound) = bound else {
            return self.hub.wait(None, events);
        };
        self.hub.wait(Some(Duration::ZERO), events)?;
        if events.is_empty() {
            clock.advance(bound);
        }
        Ok(())
    }

    #[cold]
    fn answer(&mut self) -> bool {
        let Some(ear) = &self.ear else {
            return false;
        };
        ear.answer();
        if let Err(error) = self.hub.arm(ear.as_fd(), self.ear_token, Interest::READ) {
            log::error!("cannot arm the waker: {error}");
        }
        true
    }
}

impl<W> Source<W> {
    /// Which directions are waited for.
    fn interest(&self) -> Interest {
        let waited = DIRECTIONS
            .into_iter()
            .filter(|dir| self.waiter[*dir as usize].is_some());
        waited.fold(Interest::NONE, |all, direction| all | direction.into())
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

impl<W: fmt::Debug> fmt::Debug for Removed<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Removed")
            .field("fd", &self.source.as_fd().as_raw_fd())
            .field("waiters", &self.waiters)
            .finish()
    }
}
