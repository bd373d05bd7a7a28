//! How often the scheduler looks at the clock, and how often it polls the hub while greenthreads are runnable.

use std::cell::Cell;
use std::time::{Duration, Instant};

use greenlet::ticks;

/// Most switches between two looks at the clock. They are that far apart only while greenthreads run for a few
/// microseconds each: one that begins to run for long is then noticed after so many switches, once.
const MOST_SWITCHES: u32 = 4;

/// A look that finds more than this since the last one is followed by a look at every switch.
const LONG: u64 = 20;

/// Looks in a row that find little time, before the next ones are farther apart.
const CALM: u32 = 256;

/// Calls in a row with much time between them after which their time counts.
const HABIT: u32 = 3;

/// See [`Pace::is_check_due`].
const CALM_MASK: u32 = 7;

/// Microseconds for which runnable greenthreads may keep those from running whose deadline is over.
const TIMERS_INTERVAL: u64 = 50;

/// Microseconds for which they may keep the hub from being polled: that is a system call.
const INTERVAL: u64 = 200;

/// The same where a poll takes long: polling gets a ninth of the time, but is never this many microseconds away.
const LONGEST_INTERVAL: u64 = 10_000;

/// Microseconds for which a greenthread runs whose calls always succeed before it lets the others run.
const SLICE: u64 = 200;

/// What a greenthread that stops running looks at before the next one runs.
pub(super) enum Look {
    Nothing,
    /// Deadlines only: the hub has been polled not long ago.
    Timers,
    /// Both.
    Hub,
}

/// Times in ticks of [`greenlet::ticks`].
pub(super) struct Pace {
    /// Switches until the next look.
    left: Cell<u32>,
    /// Switches between two looks.
    stride: Cell<u32>,
    /// Looks in a row that found little time.
    calm: Cell<u32>,
    /// The clock is read before a call if the calls that are left of the budget have none of these bits.
    mask: Cell<u32>,
    /// Such reads in a row that found little time, and that found much.
    calm_calls: Cell<u32>,
    long_calls: Cell<u32>,
    checked: Cell<u64>,
    looked: Cell<u64>,
    /// The end of the last turn of the reactor.
    turned: Cell<u64>,
    /// The last look at the deadlines, in a turn or without one.
    expired: Cell<u64>,
    interval: Cell<u64>,
    /// How long the last poll took.
    took: Cell<u64>,
    /// How many ticks are a microsecond. Measured against the system's clock from `epoch` on.
    rate: Cell<u64>,
    epoch: Cell<(u64, Instant)>,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Pace {
        let ticks = ticks();
        Pace {
            left: Cell::new(0),
            stride: Cell::new(1),
            calm: Cell::new(0),
            mask: Cell::new(0),
            calm_calls: Cell::new(0),
            long_calls: Cell::new(0),
            checked: Cell::new(ticks),
            looked: Cell::new(ticks),
            turned: Cell::new(ticks),
            expired: Cell::new(ticks),
            interval: Cell::new(INTERVAL * 1000),
            took: Cell::new(0),
            rate: Cell::new(1000),
            epoch: Cell::new((ticks, now)),
        }
    }

    /// Counts a switch. True if it is time for a look.
    #[inline(always)]
    pub(super) fn is_look_due(&self) -> bool {
        match self.left.get() {
            0 => true,
            left => {
                self.left.set(left - 1);
                false
            }
        }
    }

    /// Looks at the clock, and says what is to be looked at besides.
    pub(super) fn look(&self) -> Look {
        let now = ticks();
        let since = now.wrapping_sub(self.looked.replace(now));
        if since > LONG * self.rate.get() {
            self.stride.set(1);
            self.calm.set(0);
        } else if self.calm.get() < CALM {
            self.calm.set(self.calm.get() + 1);
        } else {
            self.stride.set(MOST_SWITCHES);
        }
        self.left.set(self.stride.get() - 1);
        if now.wrapping_sub(self.turned.get()) >= self.interval.get() {
            return Look::Hub;
        }
        if now.wrapping_sub(self.expired.get()) < TIMERS_INTERVAL * self.rate.get() {
            return Look::Nothing;
        }
        self.expired.set(now);
        Look::Timers
    }

    /// The next look is in so many switches, whatever the time.
    pub(super) fn look_in(&self, switches: u32) {
        self.left.set(switches - 1);
    }

    /// The next look polls the hub, and the next switch looks.
    pub(super) fn poll_next(&self) {
        self.left.set(0);
        self.turned.set(ticks().wrapping_sub(self.interval.get()));
    }

    /// True if the clock is to be read before a call, with so many left of the budget: before each where something takes
    /// long, or what is done between them; else before one in eight. It is true if none is left.
    #[inline(always)]
    pub(super) fn is_check_due(&self, left: u32) -> bool {
        left & self.mask.get() == 0
    }

    /// True if the current greenthread has had its share: a new one begins, and the next switch looks.
    ///
    /// One or two calls with much time between them are no habit: the system may have stopped the thread.
    pub(super) fn is_slice_over(&self) -> bool {
        let now = ticks();
        let since = now.wrapping_sub(self.checked.replace(now));
        if since > LONG * self.rate.get() {
            self.mask.set(0);
            self.calm_calls.set(0);
            self.long_calls.set(HABIT.min(self.long_calls.get() + 1));
        } else if self.calm_calls.get() < CALM {
            self.calm_calls.set(self.calm_calls.get() + 1);
            self.long_calls.set(0);
        } else {
            self.mask.set(CALM_MASK);
            self.long_calls.set(0);
        }
        if self.long_calls.get() < HABIT {
            // Short calls use up the budget before they take long.
            return false;
        }
        // It has not switched since the last look, or not for long.
        let over = now.wrapping_sub(self.looked.get()) > SLICE * self.rate.get();
        if over {
            self.left.set(0);
            self.looked.set(now);
        }
        over
    }

    /// A turn of the reactor is over; `began` is when it started, if it did not wait.
    pub(super) fn turned(&self, now: Instant, began: Option<u64>) {
        let ticks = ticks();
        self.looked.set(ticks);
        self.turned.set(ticks);
        self.expired.set(ticks);
        self.measure(ticks, now);
        if let Some(began) = began {
            let took = ticks.wrapping_sub(began);
            // The shorter of two: a process that was stopped during a poll has not polled for long.
            let usual = took.min(self.took.replace(took));
            let (rate, share) = (self.rate.get(), 8 * usual);
            let interval = share.clamp(INTERVAL * rate, LONGEST_INTERVAL * rate);
            self.interval.set(interval);
        }
    }

    fn measure(&self, ticks: u64, now: Instant) {
        let (epoch, began) = self.epoch.get();
        let since = now.saturating_duration_since(began);
        if since >= Duration::from_millis(1) {
            let rate = ticks.wrapping_sub(epoch) / since.as_micros() as u64;
            self.rate.set(rate.max(1));
            self.epoch.set((ticks, now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A poll that took so many ticks is over.
    fn polled(pace: &Pace, took: u64) {
        let began = ticks().wrapping_sub(took);
        pace.turned(pace.epoch.get().1, Some(began));
    }

    #[test]
    fn one_long_poll_is_an_accident_and_two_are_a_habit() {
        let pace = Pace::new(Instant::now());
        let rate = pace.rate.get();
        polled(&pace, 200_000 * rate);
        assert!(pace.interval.get() < 2 * INTERVAL * rate);
        polled(&pace, 500 * rate);
        assert!(pace.interval.get() >= 4_000 * rate);
        // Polling never pauses for as long as a process may have been stopped.
        polled(&pace, 200_000 * rate);
        polled(&pace, 200_000 * rate);
        assert_eq!(pace.interval.get(), LONGEST_INTERVAL * rate);
    }

    #[test]
    fn the_next_switch_polls_if_that_is_asked_for() {
        let pace = Pace::new(Instant::now());
        pace.interval.set(u64::MAX / 2);
        pace.left.set(MOST_SWITCHES);
        assert!(!pace.is_look_due() && !matches!(pace.look(), Look::Hub));
        pace.left.set(MOST_SWITCHES);
        pace.poll_next();
        assert!(pace.is_look_due() && matches!(pace.look(), Look::Hub));
    }

    #[test]
    fn looks_are_apart_only_while_little_happens_between_them() {
        let pace = Pace::new(Instant::now());
        // A rate at which no time passes.
        pace.rate.set(u64::MAX / 1_000_000);
        for _ in 0..CALM {
            assert!(pace.is_look_due());
            pace.look();
        }
        pace.look();
        let switches = (0..).find(|_| pace.is_look_due());
        assert_eq!(switches, Some(MOST_SWITCHES as usize - 1));
        // And one at which it flies.
        pace.rate.set(0);
        pace.look();
        assert!(pace.is_look_due());
    }
}
