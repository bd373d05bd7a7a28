//! The first of several blocking calls.

use std::time::Duration;

use crate::greenthread::{Exit, GreenThread, killall, spawn};
use crate::runtime::{Reason, Runtime, Wake};

/// Runs each call in a greenthread of its own until the first has returned, for at most `timeout`, then kills the
/// others. Gives all that have returned by then: their places and results, in the order of their places. It is empty
/// if the time was up first.
///
/// Mostly that is one. It is more when several were ready in the same turn: nothing that a call has taken out of a
/// queue, a socket or a semaphore is lost, since a call that is killed while it waits has taken nothing.
///
/// While the thread unwinds nothing waits, and the result is empty.
///
/// ```
/// use std::time::Duration;
/// use green::select::race;
///
/// let calls: Vec<Box<dyn FnOnce() -> &'static str>> = vec![
///     Box::new(|| { green::sleep(Duration::from_secs(60)); "slow" }),
///     Box::new(|| { green::sleep(Duration::from_millis(1)); "fast" }),
/// ];
/// let done = race(calls, None);
/// assert_eq!(done.len(), 1);
/// assert_eq!(done[0].0, 1);
/// assert_eq!(*done[0].1.as_ref().unwrap(), "fast");
/// ```
#[track_caller]
pub fn race<T: 'static, F: FnOnce() -> T + 'static>(
    calls: impl IntoIterator<Item = F>,
    timeout: impl Into<Option<Duration>>,
) -> Vec<(usize, Result<T, Exit>)> {
    // Killed however this ends: the race itself may be killed, or time out from outside.
    let racers = Racers(calls.into_iter().map(spawn).collect());
    if racers.0.is_empty() {
        return Vec::new();
    }
    Runtime::with(|runtime| {
        let waiter = runtime.waiter();
        for racer in &racers.0 {
            let waiter = waiter.clone();
            // None of them runs before this greenthread waits, so none can finish unnoticed.
            racer.link(move |_| {
                waiter.wake();
            });
        }
        let deadline = runtime.deadline(timeout.into());
        match runtime.park(Reason::Outside("the first of several calls"), deadline) {
            Wake::Event | Wake::Again | Wake::Expired | Wake::Unwinding => racers.finish(),
            Wake::Interrupted(interrupt) => {
                drop(racers);
                interrupt.raise();
            }
        }
    })
}

struct Racers<T: 'static>(Vec<GreenThread<T>>);

impl<T: 'static> Racers<T> {
    fn finish(mut self) -> Vec<(usize, Result<T, Exit>)> {
        let racers = std::mem::take(&mut self.0);
        let mut done = Vec::new();
        let mut late = Vec::new();
        for (place, racer) in racers.into_iter().enumerate() {
            // One that is runnable may have its answer already; the kill then finds it dead.
            if racer.is_ready() {
                done.push((place, racer.join()));
            } else {
                late.push((place, racer));
            }
        }
        killall(late.iter().map(|(_, racer)| racer));
        for (place, racer) in late {
            match racer.join() {
                Err(Exit::Killed(_)) => {}
                result => done.push((place, result)),
            }
        }
        done.sort_by_key(|(place, _)| *place);
        done
    }
}

impl<T: 'static> Drop for Racers<T> {
    fn drop(&mut self) {
        // All at once: who is being killed itself may be interrupted by the first switch.
        killall(&self.0);
    }
}
