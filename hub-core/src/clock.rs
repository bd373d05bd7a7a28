use std::cell::Cell;
use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::{Event, Hub};

/// Where a reactor reads the time.
///
/// ```
/// use hub_core::{Clock, Reactor, VirtualClock};
/// use std::time::Duration;
///
/// let clock = Clock::Virtual(VirtualClock::new());
/// let mut reactor = Reactor::new(Box::new(hub_poll::Poll::new()?));
/// reactor.set_clock(clock.clone());
/// let hour = reactor.now() + Duration::from_secs(3600);
/// reactor.add_timer(hour, "an hour later");
/// let mut woken = Vec::new();
/// reactor.turn(None, &mut woken)?; // At once.
/// assert_eq!((woken[0].waiter, clock.now()), ("an hour later", hour));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The system's monotonic clock.
    #[default]
    Monotonic,
    /// A clock that stands still while anything is ready and jumps to the next deadline when
    /// nothing is: tests of hours run in milliseconds, always in the same order.
    Virtual(VirtualClock),
}

impl Clock {
    /// The time that this clock shows.
    #[inline]
    pub fn now(&self) -> Instant {
        match self {
            Clock::Monotonic => Instant::now(),
            Clock::Virtual(clock) => clock.now(),
        }
    }
}

/// A clock that moves only when it is told to. Clones show the same time.
///
/// ```
/// use hub_core::VirtualClock;
/// use std::time::Duration;
/// let clock = VirtualClock::new();
/// let (before, hour) = (clock.now(), Duration::from_secs(3600));
/// clock.advance(hour);
/// assert_eq!(clock.now() - before, hour);
/// ```
#[derive(Clone)]
pub struct VirtualClock {
    now: Rc<Cell<Instant>>,
    under_way: Rc<UnderWay>,
}

/// For how long, in real time, something may still come to one of these descriptors.
type UnderWay = dyn Fn(&[BorrowedFd<'_>]) -> Option<Duration>;

impl VirtualClock {
    /// A clock that shows the moment of its creation.
    pub fn new() -> VirtualClock {
        VirtualClock::asking(|_| None)
    }

    /// A clock that does not jump while the system is still busy. Before each look at the descriptors it asks `under_way`,
    /// with those at which anybody is parked. `None` says that nothing will be ready by itself; a duration, that it may
    /// be: before a jump the reactor waits for so long in real time, or until something is ready, and asks again.
    ///
    /// ```
    /// use hub_core::VirtualClock;
    /// use std::time::Duration;
    ///
    /// // Data is thought to arrive within a millisecond.
    /// let asked = std::cell::Cell::new(false);
    /// let clock = VirtualClock::asking(move |parked| {
    ///     let wait = !parked.is_empty() && !asked.replace(true);
    ///     wait.then_some(Duration::from_millis(1))
    /// });
    /// # let _ = clock;
    /// ```
    pub fn asking(
        under_way: impl Fn(&[BorrowedFd<'_>]) -> Option<Duration> + 'static,
    ) -> VirtualClock {
        VirtualClock {
            now: Rc::new(Cell::new(Instant::now())),
            under_way: Rc::new(under_way),
        }
    }

    /// The time that it shows.
    pub fn now(&self) -> Instant {
        self.now.get()
    }

    /// Moves it forward.
    ///
    /// # Panics
    /// If the time is beyond what an [`Instant`] can hold.
    pub fn advance(&self, by: Duration) {
        self.now.set(self.now.get() + by);
    }

    /// The wait of a reactor on this clock: it looks without sleeping, and jumps if there is
    /// nothing. Without a deadline there is nowhere to jump to; only then it sleeps.
    pub(crate) fn wait<'a>(
        &self,
        timeout: Option<Duration>,
        hub: &mut dyn Hub,
        events: &mut Vec<Event>,
        awaited: impl Fn() -> Vec<BorrowedFd<'a>>,
    ) -> io::Result<()> {
        let target = timeout.and_then(|timeout| self.now().checked_add(timeout));
        let waits = target.is_none_or(|target| target > self.now());
        while events.is_empty() {
            // Asked before the look, so that this finds what has come meanwhile.
            let pause = (self.under_way)(&awaited()).filter(|_| waits);
            hub.wait(Some(Duration::ZERO), events)?;
            if !events.is_empty() {
                break;
            }
            match (pause, target) {
                (Some(pause), _) => hub.wait(Some(pause), events)?,
                (None, Some(target)) => {
                    self.now.set(target);
                    return Ok(());
                }
                (None, None) => {
                    hub.wait(None, events)?;
                    break;
                }
            }
        }
        // In which order they became ready is the system's affair; a run must not depend on it.
        events.sort_by_key(|event| event.token);
        Ok(())
    }
}

impl fmt::Debug for VirtualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VirtualClock").field(&self.now()).finish()
    }
}

impl Default for VirtualClock {
    fn default() -> VirtualClock {
        VirtualClock::new()
    }
}
