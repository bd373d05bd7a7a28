use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::{Event, Hub};

/// Where a reactor reads the time.
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
    /// The time.
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
#[derive(Clone, Debug)]
pub struct VirtualClock(Rc<Cell<Instant>>);

impl VirtualClock {
    /// A clock that shows the moment of its creation.
    pub fn new() -> VirtualClock {
        VirtualClock(Rc::new(Cell::new(Instant::now())))
    }

    /// The time that it shows.
    pub fn now(&self) -> Instant {
        self.0.get()
    }

    /// Moves it forward.
    ///
    /// # Panics
    /// If the time is beyond what an [`Instant`] can hold.
    pub fn advance(&self, by: Duration) {
        self.0.set(self.0.get() + by);
    }

    /// The wait of a reactor on this clock: it looks without sleeping, and jumps if there is
    /// nothing. Without a deadline there is nowhere to jump to; only then it sleeps.
    pub(crate) fn wait(
        &self,
        timeout: Option<Duration>,
        hub: &mut dyn Hub,
        events: &mut Vec<Event>,
    ) -> io::Result<()> {
        let target = timeout.and_then(|timeout| self.now().checked_add(timeout));
        let Some(target) = target else {
            return hub.wait(None, events);
        };
        hub.wait(Some(Duration::ZERO), events)?;
        if events.is_empty() {
            self.0.set(target);
        }
        Ok(())
    }
}

impl Default for VirtualClock {
    fn default() -> VirtualClock {
        VirtualClock::new()
    }
}
