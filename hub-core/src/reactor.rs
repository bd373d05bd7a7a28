//! The reactor: waiters and what they wait for (here), time and turns, and what can be seen of it

mod turn;
mod view;

use std::cell::Cell;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd};
use std::rc::Rc;
use std::time::Instant;

use crate::parking::{NotReady, ParkError};
use crate::sources::{Removed, Sources};
use crate::waker::WakeFd;
use crate::{Clock, Direction, Event, Hub, Interest, Timers, Token, Trigger};

/// A hub with what it lacks: the waiters of each descriptor, timers, and a waker.
///
/// `W` is whatever waits: a greenthread, a task, a callback. The reactor keeps waiters and gives
/// them back when they are due. It runs none of them, and drops none but with itself.
///
/// The use of a descriptor is one loop: try the system call if the direction
/// [`is_ready`](Reactor::is_ready), tell [`clear_ready`](Reactor::clear_ready) what it said,
/// [`park`](Reactor::park), and try again when a [`turn`](Reactor::turn) has given the waiter
/// back.
///
/// It stays in the thread in which it was made: it shares the ownership of descriptors with who
/// uses them (`Rc`), and what wakes it from other threads is its [`Waker`](crate::Waker). A hub
/// may come from another thread, as a `Box<dyn Hub + Send>`.
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
///
/// What it holds, and what takes it back:
///
/// ```
/// use hub_core::{Direction, NotReady, Reactor, Trigger};
/// use std::{os::unix::net::UnixStream, rc::Rc, time::Duration};
///
/// let mut reactor = Reactor::new(Box::new(hub_poll::Poll::new()?));
/// let token = reactor.add_with(Rc::new(UnixStream::pair()?.0), Trigger::Oneshot)?;
/// reactor.set_allow_many(true);
/// for waiter in ["first", "second"] {
///     reactor.park(token, Direction::Read, waiter).expect("many may wait");
/// }
/// let timer = reactor.add_timer(reactor.now() + Duration::from_secs(60), "a timer");
/// assert_eq!((reactor.hub_name(), reactor.descriptors(), reactor.timer_count()), ("poll", 1, 1));
/// assert_eq!((reactor.readers(), reactor.writers(), reactor.has_waiters()), (2, 0, true));
/// assert_eq!(reactor.waiter(token, Direction::Read), Some(&"first"));
/// assert_eq!(reactor.waiters().count() + reactor.timers().count(), 3);
/// assert!(!reactor.is_wakeable(), "nobody has a waker");
///
/// // Everything moves to another hub.
/// drop(reactor.replace_hub(Box::new(hub_select::Select::new()?))?);
/// assert_eq!(reactor.cancel_timer(timer), Some("a timer"));
/// assert_eq!(reactor.unpark(token, Direction::Read, |waiter| *waiter == "second"), Some("second"));
/// assert_eq!(reactor.take_if(|waiter| *waiter == "first"), ["first"]);
/// assert!(!reactor.take_woken(token, Direction::Read), "nobody was woken");
/// assert!(reactor.remove(token).is_some_and(|removed| removed.waiters.is_empty()));
/// assert!(reactor.abandon(token).is_none(), "it is gone, this and `renew_hub` are for forks");
/// assert_eq!(reactor.renew_hub()?.name(), "select");
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
    wake_fd: Option<Rc<WakeFd>>,
    wake_token: Token,
    /// What [`Hub::reads_need_no_arm`] says.
    reads_need_no_arm: bool,
    /// Directions to be armed later, since reports were in vain.
    paused: Timers<(Token, Direction)>,
    /// True if another loop sleeps on the hub's descriptor.
    is_nested: bool,
    /// Until when the loop outside may sleep, as it was told. Zero while it is awake.
    promised: Cell<u64>,
    /// Filled and emptied by each turn.
    events: Vec<Event>,
}

/// No registration has this token: a table is never that long.
const NO_TOKEN: Token = Token::from_raw(u64::MAX);

impl<W> Reactor<W> {
    /// A reactor on this hub, which must have no registrations.
    pub fn new(hub: Box<dyn Hub>) -> Reactor<W> {
        Reactor {
            reads_need_no_arm: hub.reads_need_no_arm(),
            hub,
            sources: Sources::new(),
            allow_many: false,
            timers: Timers::new(),
            clock: Clock::Monotonic,
            epoch: Instant::now(),
            wake_fd: None,
            wake_token: NO_TOKEN,
            paused: Timers::new(),
            is_nested: false,
            promised: Cell::new(0),
            events: Vec::new(),
        }
    }

    /// The name of the hub in charge.
    pub fn hub_name(&self) -> &'static str {
        self.hub.name()
    }

    /// Puts another hub in charge of every registration, waiter and timer, and of the waker. It
    /// must have no registrations. The old one comes back with those it had: drop it.
    ///
    /// # Errors
    /// If the new hub refuses a descriptor. The error names it, and the old hub stays in charge.
    pub fn replace_hub(&mut self, mut hub: Box<dyn Hub>) -> io::Result<Box<dyn Hub>> {
        for (token, source) in self.sources.iter() {
            let wanted = match token == self.wake_token {
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
        self.reads_need_no_arm = hub.reads_need_no_arm();
        Ok(mem::replace(&mut self.hub, hub))
    }

    /// Puts a fresh hub in charge in the child of a fork, of all but the waker, which is made anew
    /// by the next call of [`waker`](Reactor::waker): those that exist ring in the parent.
    ///
    /// The old hub is told nothing, since what it has in the system is the parent's as well. It
    /// comes back: let go of it with [`Hub::abandon`].
    ///
    /// # Errors
    /// As [`replace_hub`](Reactor::replace_hub).
    ///
    /// ```
    /// use hub_core::Reactor;
    /// use std::{os::unix::net::UnixStream, rc::Rc};
    ///
    /// let mut reactor: Reactor<&str> = Reactor::new(Box::new(hub_poll::Poll::new()?));
    /// let inherited = reactor.add(Rc::new(UnixStream::pair()?.0))?;
    /// let kept = reactor.add(Rc::new(UnixStream::pair()?.0))?;
    /// // In the child of a fork:
    /// reactor.abandon(inherited);
    /// let fresh = reactor.renew_hub()?;
    /// reactor.restart(fresh)?.abandon();
    /// assert!(reactor.descriptors() == 1 && reactor.is_ready(kept, hub_core::Direction::Read));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn restart(&mut self, hub: Box<dyn Hub>) -> io::Result<Box<dyn Hub>> {
        if self.wake_fd.take().is_some() {
            self.abandon(self.wake_token);
            self.wake_token = NO_TOKEN;
        }
        self.replace_hub(hub)
    }

    /// A fresh hub of the kind in charge: see [`Hub::renew`].
    ///
    /// # Errors
    /// What the hub says.
    pub fn renew_hub(&self) -> io::Result<Box<dyn Hub>> {
        self.hub.renew()
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

    /// True if the system call is worth trying before waiting. It is a hint, true at first; and
    /// true for a stale token, whose system call finds the error.
    #[inline]
    pub fn is_ready(&self, token: Token, direction: Direction) -> bool {
        let source = self.sources.get(token);
        source.is_none_or(|source| source.state.is_ready(direction))
    }

    /// Takes note that a system call in this direction would now find nothing.
    #[inline]
    pub fn clear_ready(&mut self, token: Token, direction: Direction, why: NotReady) {
        if let Some(source) = self.sources.get_mut(token) {
            source.clear(direction, why);
        }
    }

    /// True, once, if a waiter of this direction has come back since the last system call that
    /// [`clear_ready`](Reactor::clear_ready) was told of: if the one that is made now says
    /// `WouldBlock`, it does so [in vain](NotReady::InVain).
    ///
    /// It is for the polls of futures. A greenthread knows where it woke up.
    #[inline]
    pub fn take_woken(&mut self, token: Token, direction: Direction) -> bool {
        let source = self.sources.get_mut(token);
        source.is_some_and(|source| source.state.take_woken(direction))
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
            self.park_due(token, direction, waiter);
            return Ok(());
        }
        if let Some(pause) = source.pause(direction) {
            self.arm_after(pause, token, direction);
        } else if source.is_to_be_armed(direction, self.reads_need_no_arm)
            && let Err(error) = self.hub.arm(source.fd(), token, direction.into())
        {
            return Err(ParkError::Io(error, waiter));
        }
        self.sources.park(token, direction, waiter);
        Ok(())
    }

    /// Parks a waiter as [`park`](Reactor::park) does, but in the usual case only: nobody else waits, the direction is
    /// not ready, its last reports were not in vain, and the hub need not be told. In every other case it returns false
    /// without a call of `waiter`, and the caller calls `park`.
    ///
    /// It is short enough to be inlined into its caller, so that a wait touches no stack further down.
    ///
    /// ```
    /// use hub_core::{Direction, NotReady, Reactor};
    /// use std::{os::unix::net::UnixStream, rc::Rc};
    ///
    /// let mut reactor = Reactor::new(Box::new(hub_poll::Poll::new()?));
    /// let token = reactor.add(Rc::new(UnixStream::pair()?.0))?;
    /// reactor.clear_ready(token, Direction::Read, NotReady::WouldBlock);
    /// if !reactor.park_at_once(token, Direction::Read, || "a reader") {
    ///     reactor.park(token, Direction::Read, "a reader").expect("nobody else waits");
    /// }
    /// assert_eq!(reactor.waiter(token, Direction::Read), Some(&"a reader"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[inline(always)]
    pub fn park_at_once(
        &mut self,
        token: Token,
        direction: Direction,
        waiter: impl FnOnce() -> W,
    ) -> bool {
        match self
            .sources
            .free_place(token, direction, self.reads_need_no_arm)
        {
            Some(place) => {
                *place = Some(waiter());
                true
            }
            None => false,
        }
    }

    /// Parks one who waits for what is ready already.
    #[cold]
    fn park_due(&mut self, token: Token, direction: Direction, waiter: W) {
        self.sources.park_due(token, direction, waiter);
        if self.is_nested {
            self.ring();
        }
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

    /// The waiter for this direction; the first, if there are many.
    pub fn waiter(&self, token: Token, direction: Direction) -> Option<&W> {
        self.sources.get(token)?.waiter(direction)
    }

    /// Lets a second waiter for one direction of a descriptor queue up behind the first (`true`),
    /// or has it refused (`false`, as at first). Those in the queue are served in the order in
    /// which they came: see [`NotReady::InVain`].
    pub fn set_allow_many(&mut self, allow: bool) {
        self.allow_many = allow;
    }
}
