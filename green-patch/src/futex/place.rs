//! The waits of a greenthread that is in the table.

use std::time::{Duration, Instant};

use green::layer::{self, WaitEnd};

use super::table::{Address, Waiting, wake};
use crate::sys;

/// How a wait has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Somebody has woken it, or it is time to look.
    Woken,
    Expired,
}

/// A place in a list, which is left when this is dropped.
pub(super) struct Place<'a> {
    waiting: &'a Waiting,
}

impl<'a> Place<'a> {
    pub(super) fn enter(waiting: &'a Waiting) -> Place<'a> {
        waiting.enter();
        Place { waiting }
    }

    /// Waits until it is woken.
    pub(super) fn wait(&self, deadline: Option<Instant>) -> Ended {
        match self.park(deadline) {
            Ended::Expired if self.waiting.leave() => Ended::Expired,
            _ => Ended::Woken,
        }
    }

    /// As `wait`, for what may also be changed where nobody looks at the table: `is_over` is asked from time to time.
    pub(super) fn wait_and_look(
        &self,
        deadline: Option<Instant>,
        mut is_over: impl FnMut() -> bool,
    ) -> Ended {
        let mut pause = SHORTEST;
        loop {
            let soon = layer::deadline(pause);
            let sooner = match (soon, deadline) {
                (Some(soon), Some(deadline)) => Some(soon.min(deadline)),
                (soon, deadline) => soon.or(deadline),
            };
            if self.park(sooner) == Ended::Woken || !self.waiting.is_in() || is_over() {
                return Ended::Woken;
            }
            if sooner == deadline {
                return if self.waiting.leave() {
                    Ended::Expired
                } else {
                    Ended::Woken
                };
            }
            pause = (pause * 2).min(LONGEST);
        }
    }

    /// Kills and deadlines of the greenthread are held back: who waits for a lock would have it, or not, and there is no
    /// third answer.
    fn park(&self, deadline: Option<Instant>) -> Ended {
        let errno = sys::errno();
        let enqueue = |unpark| self.waiting.may_park(unpark);
        let ended = greenlet::mask_exit(|| {
            green::mask(|| {
                layer::park_at(self.waiting.what, self.waiting.number(), deadline, enqueue)
            })
        });
        sys::set_errno(errno);
        match ended {
            Some(WaitEnd::Expired) => Ended::Expired,
            _ => Ended::Woken,
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.waiting.leave();
        self.waiting.uncount();
    }
}

/// Between two looks at what nobody reports.
const SHORTEST: Duration = Duration::from_micros(100);
const LONGEST: Duration = Duration::from_millis(50);

/// Where a wake-up of the waiter comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// From the table alone.
    Here,
    /// From elsewhere, too: it looks from time to time.
    Elsewhere,
}

/// Waits for `what` until `attempt` gives something, which is asked after each wake-up. `None` is the end of the time.
pub(crate) fn wait_until<R>(
    what: &'static str,
    address: Address,
    by: Woken,
    deadline: Option<Instant>,
    mut attempt: impl FnMut() -> Option<R>,
) -> Option<R> {
    loop {
        let waiting = Waiting::new(what, address, u32::MAX);
        let place = Place::enter(&waiting);
        if let Some(result) = attempt() {
            // A wake-up that has come meanwhile is for one that waits.
            if !waiting.leave() {
                wake(address, 1, u32::MAX);
            }
            return Some(result);
        }
        let ended = match by {
            Woken::Here => place.wait(deadline),
            Woken::Elsewhere => {
                let mut found = None;
                let ended = place.wait_and_look(deadline, || {
                    found = attempt();
                    found.is_some()
                });
                if found.is_some() {
                    return found;
                }
                ended
            }
        };
        if ended == Ended::Expired {
            return None;
        }
    }
}

/// Waits for `what` after `between`, unless that says false, until a wake-up with this mask takes it out of the table: nothing
/// but that ends it.
pub(crate) fn wait_taken(
    what: &'static str,
    address: Address,
    mask: u32,
    between: impl FnOnce() -> bool,
) {
    let waiting = Waiting::new(what, address, mask);
    let place = Place::enter(&waiting);
    if between() {
        while waiting.is_in() {
            place.park(None);
        }
    }
}

/// Waits for `what` after `between`, during which a wake-up is not missed. False is the end of the time.
pub(crate) fn wait_between<E>(
    what: &'static str,
    address: Address,
    deadline: Option<Instant>,
    between: impl FnOnce() -> Result<(), E>,
) -> Result<bool, E> {
    let waiting = Waiting::new(what, address, u32::MAX);
    let place = Place::enter(&waiting);
    between()?;
    Ok(place.wait(deadline) == Ended::Woken)
}
