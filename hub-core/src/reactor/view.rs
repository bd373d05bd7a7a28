use std::fmt;
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use super::Reactor;
use crate::{Direction, Token};

impl<W> Reactor<W> {
    /// True if a [`Waker`](crate::Waker) exists outside. If not, and no waiter is parked and no
    /// timer runs, a turn without a timeout waits for ever. A waker that has just gone may have
    /// rung before: take a turn without waiting, to be sure.
    pub fn is_wakeable(&self) -> bool {
        self.wake_fd
            .as_ref()
            .is_some_and(|wake_fd| wake_fd.is_held())
    }

    /// True if a waiter is parked at a descriptor.
    pub fn has_waiters(&self) -> bool {
        self.readers() + self.writers() > 0
    }

    /// How many waiters are parked for reading.
    pub fn readers(&self) -> usize {
        self.sources.parked(Direction::Read)
    }

    /// How many waiters are parked for writing.
    pub fn writers(&self) -> usize {
        self.sources.parked(Direction::Write)
    }

    /// How many timers run.
    pub fn timer_count(&self) -> usize {
        self.timers.len()
    }

    /// How many descriptors are registered, that of the waker not counted.
    pub fn descriptors(&self) -> usize {
        self.sources.len() - usize::from(self.wake_fd.is_some())
    }

    /// Every parked waiter, and where it is parked.
    pub fn waiters(&self) -> impl Iterator<Item = (Token, RawFd, Direction, &W)> {
        self.sources.waiters()
    }

    /// Every timer, in no particular order.
    pub fn timers(&self) -> impl Iterator<Item = (Instant, &W)> {
        let timers = self.timers.iter();
        timers.map(|(deadline, waiter)| (self.epoch + Duration::from_nanos(deadline), waiter))
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
