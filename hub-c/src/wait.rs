use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use crate::errno::{Errno, Result};
use crate::output::Output;
use crate::slot::{Handle, Slot};

/// Until when a caller waits.
#[derive(Clone, Copy)]
enum Until {
    Deadline(Instant),
    Forever,
}

impl Until {
    fn after(timeout: Option<Duration>) -> Until {
        match timeout.and_then(|timeout| Instant::now().checked_add(timeout)) {
            Some(deadline) => Until::Deadline(deadline),
            None => Until::Forever,
        }
    }

    fn rest(self) -> Option<Duration> {
        match self {
            Until::Deadline(deadline) => Some(deadline.saturating_duration_since(Instant::now())),
            Until::Forever => None,
        }
    }
}

/// Waits as `hub_wait` does, `None` for ever. Says how many reports it has written.
///
/// The turn is held while this thread sleeps in the system, and given up whenever another has come
/// for it: see [`TicketLock`](crate::lock::TicketLock). Then the wait goes on with the rest of its time.
pub(crate) fn wait(
    slot: &'static Slot,
    handle: Handle,
    timeout: Option<Duration>,
    output: &mut Output<'_>,
) -> Result<usize> {
    let mut access = slot.enter(handle)?;
    if access.watch().is_waiting {
        return Err(Errno(libc::EBUSY));
    }
    let mut rest = timeout;
    let until = match timeout {
        Some(Duration::ZERO) => Until::Forever, // Not looked at.
        timeout => Until::after(timeout),
    };
    loop {
        let told = access.watch().tell_left(output)?;
        if told > 0 {
            return Ok(told);
        }
        let sleeps = rest != Some(Duration::ZERO) && access.held().fall_asleep();
        if !sleeps {
            rest = Some(Duration::ZERO);
        }
        let found = access.watch().wait(rest, output);
        access.held().wake_up();
        let found = found?;
        let notified = found.rang && slot.is_notified.swap(false, SeqCst);
        if found.reports > 0 || notified || timeout == Some(Duration::ZERO) {
            return Ok(found.reports);
        }
        rest = until.rest();
        if rest == Some(Duration::ZERO) {
            return Ok(0);
        }
        if found.interrupted {
            return Err(Errno(libc::EINTR));
        }
        access.watch().is_waiting = true;
        drop(access);
        access = slot.enter(handle)?;
        access.watch().is_waiting = false;
    }
}
