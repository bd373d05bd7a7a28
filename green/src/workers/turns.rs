//! Turns at one queue: a worker that has taken more than the others gives way to those that wait.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// How often a worker gives way for one connection, and for how long each time.
const TIMES: u32 = 5;
const EACH: Duration = Duration::from_millis(1);

/// One for each worker. It is a courtesy between threads that nothing depends on, so no order between its numbers
/// matters.
pub(super) struct Turns(Vec<Place>);

#[derive(Default)]
struct Place {
    taken: AtomicU64,
    /// True while it waits for a connection, and has not let a turn pass.
    waits: AtomicBool,
}

impl Turns {
    pub(super) fn new(workers: usize) -> Turns {
        Turns((0..workers).map(|_| Place::default()).collect())
    }

    /// Calls `accept`, after those of the others that wait and have had less.
    pub(super) fn take<R, E>(
        &self,
        worker: usize,
        accept: impl FnOnce() -> Result<R, E>,
    ) -> Result<R, E> {
        /// However the wait ends.
        struct Waits<'a>(&'a AtomicBool);
        impl Drop for Waits<'_> {
            fn drop(&mut self) {
                self.0.store(false, Ordering::Relaxed);
            }
        }
        self.give_way(worker, crate::sleep);
        let me = &self.0[worker];
        me.waits.store(true, Ordering::Relaxed);
        let waits = Waits(&me.waits);
        let accepted = accept();
        drop(waits);
        if accepted.is_ok() {
            me.taken.fetch_add(1, Ordering::Relaxed);
        }
        accepted
    }

    fn give_way(&self, worker: usize, mut sleep: impl FnMut(Duration)) {
        for _ in 0..TIMES {
            if self.behind(worker).next().is_none() {
                return;
            }
            sleep(EACH);
        }
        // They have something else to do: nobody gives way to them until they come again.
        for other in self.behind(worker) {
            other.waits.store(false, Ordering::Relaxed);
        }
    }

    /// Those that wait and have had less.
    fn behind(&self, worker: usize) -> impl Iterator<Item = &Place> {
        let mine = self.0[worker].taken.load(Ordering::Relaxed);
        self.0.iter().filter(move |other| {
            other.waits.load(Ordering::Relaxed) && other.taken.load(Ordering::Relaxed) < mine
        })
    }

    /// It takes no more. If it comes again, as one that was started again, it has had as many as the others.
    pub(super) fn leave(&self, worker: usize) {
        let others = self
            .0
            .iter()
            .map(|place| place.taken.load(Ordering::Relaxed));
        if let Some(most) = others.max() {
            self.0[worker].taken.store(most, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn took(turns: &Turns, worker: usize, times: u64) {
        turns.0[worker].taken.fetch_add(times, Ordering::Relaxed);
    }

    /// How often it gives way.
    fn ways(turns: &Turns, worker: usize) -> u32 {
        let mut ways = 0;
        turns.give_way(worker, |_| ways += 1);
        ways
    }

    #[test]
    fn who_is_ahead_gives_way_to_those_that_wait() {
        let turns = Turns::new(2);
        took(&turns, 0, 1);
        assert_eq!(ways(&turns, 0), 0, "the other does not wait");
        turns.0[1].waits.store(true, Ordering::Relaxed);
        assert_eq!(ways(&turns, 0), TIMES);
        assert_eq!(ways(&turns, 0), 0, "the other has let its turn pass");
        assert_eq!(ways(&turns, 1), 0);
    }

    #[test]
    fn it_goes_on_as_soon_as_the_other_has_taken() {
        let turns = Turns::new(2);
        took(&turns, 0, 1);
        turns.0[1].waits.store(true, Ordering::Relaxed);
        let mut ways = 0;
        turns.give_way(0, |_| {
            ways += 1;
            took(&turns, 1, 1);
        });
        assert_eq!(ways, 1);
    }

    #[test]
    fn one_that_comes_again_owes_nothing_and_is_owed_nothing() {
        let turns = Turns::new(3);
        took(&turns, 0, 7);
        turns.leave(1);
        turns.0[1].waits.store(true, Ordering::Relaxed);
        assert_eq!(ways(&turns, 0), 0);
    }

    #[test]
    fn a_wait_that_ends_otherwise_counts_for_nothing() {
        let turns = Turns::new(1);
        assert_eq!(turns.take(0, || Err::<(), _>(())), Err(()));
        let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            turns.take(0, || -> Result<(), ()> { panic!("on purpose") })
        }));
        assert!(unwound.is_err());
        assert!(!turns.0[0].waits.load(Ordering::Relaxed));
        assert_eq!(turns.0[0].taken.load(Ordering::Relaxed), 0);
    }
}
