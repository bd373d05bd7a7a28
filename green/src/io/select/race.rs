//! The first of several blocking calls.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::greenthread::{Exit, GreenThread, join_as_part, spawn};
use crate::runtime::{Hears, OnEnd, Reason, Runtime, Task, WaitList};

/// Runs each call in a greenthread of its own until the first has returned, for at most `timeout`, then kills the
/// others. Gives all that have returned by then: their places and results, in the order of their places. It is empty
/// if the time was up first.
///
/// Mostly that is one. It is more when several were ready in the same turn: nothing that a call has taken out of a
/// queue, a socket or a semaphore is lost, since a call that is killed while it waits has taken nothing, and one that has
/// taken something returns it. The same holds for the race itself: a kill or a [`Timeout`](crate::Timeout) from outside
/// ends its calls, and if one of them has returned by then, the race returns that; the kill or timeout arrives at the
/// caller's next wait.
///
/// The race returns when all its calls have ended, the destructors of those that are killed included.
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
///
/// # Panics
/// As [`spawn`](crate::spawn). None of the calls runs then.
#[track_caller]
pub fn race<T: 'static, F: FnOnce() -> T + 'static>(
    calls: impl IntoIterator<Item = F>,
    timeout: impl Into<Option<Duration>>,
) -> Vec<(usize, Result<T, Exit>)> {
    let mut racers = Racers(Vec::new());
    for call in calls {
        racers.0.push(spawn(call));
    }
    if racers.0.is_empty() {
        return Vec::new();
    }
    Runtime::with(|runtime| {
        let deadline = runtime.deadline(timeout.into());
        racers.run(runtime, deadline)
    })
}

/// Hears of the ends of the calls.
#[derive(Default)]
struct Finish {
    reached: Cell<bool>,
    waiting: RefCell<WaitList>,
}

impl Hears for Finish {
    fn hear(&self, _: &Rc<Task>) {
        self.reached.set(true);
        self.waiting.borrow_mut().wake_all();
    }
}

/// Killed however the race ends.
struct Racers<T: 'static>(Vec<GreenThread<T>>);

impl<T: 'static> Racers<T> {
    fn run(self, runtime: &Runtime, deadline: Option<Instant>) -> Vec<(usize, Result<T, Exit>)> {
        let finish = Rc::new(Finish::default());
        for racer in &self.0 {
            // None of them runs before this greenthread waits, so none can finish unnoticed.
            racer.as_any().task().on_end(OnEnd::Tell(finish.clone()));
        }
        let reason = Reason::Group(Rc::as_ptr(&finish).cast::<()>().addr());
        let open = || !finish.reached.get();
        // What interrupts the wait is raised only if there is nothing to give.
        let _ended = runtime.try_wait_while(&finish.waiting, reason, deadline, open);
        let first: Vec<_> = self.0.iter().map(GreenThread::is_ready).collect();
        self.kill(runtime);
        // Those that have their answers return them; none of these calls is seen by anybody after the race.
        join_as_part(|| self.running().next(), |runtime| self.kill(runtime));
        let done: Vec<_> = self.results(&first);
        if done.is_empty() {
            runtime.checkpoint();
        }
        done
    }

    fn running(&self) -> impl Iterator<Item = Rc<Task>> {
        let tasks = self.0.iter().map(|racer| racer.as_any().task());
        tasks.filter(|task| !task.is_complete()).cloned()
    }

    fn kill(&self, runtime: &Runtime) {
        let running: Vec<_> = self.running().collect();
        runtime.kill_all_soon(&running);
    }

    /// What they have returned; `first` says for each whether it had ended before the others were killed.
    fn results(&self, first: &[bool]) -> Vec<(usize, Result<T, Exit>)> {
        let racers = self.0.iter().zip(first).enumerate();
        racers
            .filter(|(_, (racer, _))| racer.is_ready())
            .map(|(place, (racer, first))| (place, *first, racer.take()))
            .filter(|(_, first, result)| *first || !matches!(result, Err(Exit::Killed(_))))
            .map(|(place, _, result)| (place, result))
            .collect()
    }
}

impl<T: 'static> Drop for Racers<T> {
    fn drop(&mut self) {
        // Nothing is left of them but for a race that is unwound.
        Runtime::with(|runtime| self.kill(runtime));
    }
}
