//! Time for async code.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use hub_core::TimerKey;

use crate::runtime::{Alarm, Runtime};

/// A future that is ready after `duration`.
///
/// ```
/// use std::time::{Duration, Instant};
/// use green::future::{block_on, sleep};
///
/// let start = Instant::now();
/// block_on(sleep(Duration::from_millis(3)));
/// assert!(start.elapsed() >= Duration::from_millis(3));
/// ```
pub fn sleep(duration: Duration) -> Sleep {
    Sleep {
        deadline: Runtime::with(|runtime| runtime.deadline(Some(duration))),
        timer: None,
    }
}

/// A future that is ready at `deadline`, on the clock of [`time::now`](crate::time::now).
///
/// ```
/// use std::time::Duration;
/// use green::future::{block_on, sleep_until};
///
/// let deadline = green::time::now() + Duration::from_millis(3);
/// block_on(sleep_until(deadline));
/// assert!(green::time::now() >= deadline);
/// ```
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep {
        deadline: Some(deadline),
        timer: None,
    }
}

/// Made by [`sleep`] and [`sleep_until`].
///
/// Its timer is in the hub of the thread that polls it, which must be one whose greenthreads wait now and then. It may
/// go to another thread, as a library may want it to, and has its timer there from the next poll on.
///
/// ```
/// use std::time::Duration;
/// use green::future::{Sleep, block_on, sleep};
///
/// let mut pause: Sleep = sleep(Duration::from_secs(3600));
/// pause.reset(green::time::now()); // It is over.
/// block_on(pause);
/// ```
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct Sleep {
    /// `None` is beyond the clock.
    deadline: Option<Instant>,
    timer: Option<Timer>,
}

#[derive(Debug)]
struct Timer {
    /// Of the runtime that has it.
    serial: u64,
    key: TimerKey,
    waker: Waker,
}

impl Sleep {
    /// Sets another deadline. A task that waits already goes on waiting, until then.
    pub fn reset(&mut self, deadline: Instant) {
        self.deadline = Some(deadline);
        if let Some(waker) = self.disarm() {
            self.arm(waker);
        }
    }

    fn arm(&mut self, waker: Waker) {
        let Some(deadline) = self.deadline else {
            return;
        };
        let alarm = Alarm::Waker(waker.clone());
        self.timer = Some(Runtime::with(|runtime| Timer {
            serial: runtime.serial(),
            key: runtime.add_timer(deadline, alarm),
            waker,
        }));
    }

    fn disarm(&mut self) -> Option<Waker> {
        let Timer { serial, key, waker } = self.timer.take()?;
        // In another thread the timer runs out by itself, and wakes in vain.
        let alarm = Runtime::existing(|runtime| match runtime.serial() == serial {
            true => runtime.with_reactor(|reactor| reactor.cancel_timer(key)),
            false => None,
        });
        drop(alarm);
        Some(waker)
    }

    fn is_armed_for(&self, waker: &Waker) -> bool {
        let here = |timer: &Timer| Runtime::with(|runtime| runtime.serial() == timer.serial);
        matches!(&self.timer, Some(timer) if here(timer) && timer.waker.will_wake(waker))
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline else {
            return Poll::Pending;
        };
        if deadline <= Runtime::with(Runtime::now) {
            self.disarm();
            return Poll::Ready(());
        }
        if !self.is_armed_for(cx.waker()) {
            self.disarm();
            self.arm(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.disarm();
    }
}
