//! Semaphores against a model: nothing lost, nothing twice, first come first served.

use std::collections::VecDeque;
use std::time::Duration;

use crate::engine::{Model, Ready, Subject, compare, scripts};
use green::{BoundedSemaphore, Semaphore};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Acquire;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Direct {
    TryAcquire,
    Release,
    AddPermits(usize),
}

/// The two have the same calls, but for these two functions.
macro_rules! subject {
    ($semaphore:ty, $release:expr, $add_permits:expr) => {
        impl Subject for $semaphore {
            type Call = Acquire;
            type Direct = Direct;
            type Out = bool;
            type Facts = (usize, isize);

            fn call(&self, _: Acquire, timeout: Option<Duration>) -> bool {
                let permit = match timeout {
                    Some(timeout) => self.acquire_timeout(timeout),
                    None => Some(self.acquire()),
                };
                permit.map(green::Permit::forget).is_some()
            }

            fn direct(&self, direct: Direct) -> bool {
                match direct {
                    Direct::TryAcquire => self.try_acquire().map(green::Permit::forget).is_some(),
                    Direct::Release => $release(self),
                    Direct::AddPermits(n) => $add_permits(self, n),
                }
            }

            fn facts(&self) -> (usize, isize) {
                (self.counter(), self.balance())
            }
        }
    };
}

subject!(
    Semaphore,
    |semaphore: &Semaphore| {
        semaphore.release();
        true
    },
    |semaphore: &Semaphore, n| {
        semaphore.add_permits(n);
        true
    }
);
subject!(
    BoundedSemaphore,
    |semaphore: &BoundedSemaphore| semaphore.release().is_ok(),
    |_, _| unreachable!("a bounded semaphore has no such call")
);

struct Ideal {
    free: usize,
    /// A release is refused if so many are free.
    bound: usize,
    waiting: VecDeque<usize>,
}

impl Ideal {
    fn release(&mut self, ready: &mut Ready) {
        match self.waiting.pop_front() {
            Some(first) => ready.push_back(first),
            None => self.free += 1,
        }
    }

    fn take(&mut self) -> bool {
        let free = self.free > 0;
        self.free -= usize::from(free);
        free
    }
}

impl<S> Model<S> for Ideal
where
    S: Subject<Call = Acquire, Direct = Direct, Out = bool, Facts = (usize, isize)>,
{
    fn start(&mut self, actor: usize, _: Acquire, _: &mut Ready) -> Option<bool> {
        if self.take() {
            return Some(true);
        }
        self.waiting.push_back(actor);
        None
    }

    fn resume(&mut self, _: usize, _: &mut Ready) -> Option<bool> {
        Some(true)
    }

    fn expire(&mut self, actor: usize, _: &mut Ready) -> bool {
        self.waiting.retain(|&other| other != actor);
        false
    }

    fn kill(&mut self, actor: usize, ready: &mut Ready) {
        match self.waiting.iter().position(|&other| other == actor) {
            Some(at) => drop(self.waiting.remove(at)),
            None => self.release(ready),
        }
    }

    fn direct(&mut self, direct: Direct, ready: &mut Ready) -> bool {
        match direct {
            Direct::TryAcquire => return self.take(),
            Direct::Release if self.free >= self.bound => return false,
            Direct::Release => self.release(ready),
            Direct::AddPermits(n) => (0..n).for_each(|_| self.release(ready)),
        }
        true
    }

    fn facts(&self) -> (usize, isize) {
        (
            self.free,
            self.free.cast_signed() - self.waiting.len().cast_signed(),
        )
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_semaphore_does_as_its_model(
        count in 0..3_usize,
        script in scripts(
            Just(Acquire),
            prop_oneof![
                1 => Just(Direct::TryAcquire),
                3 => Just(Direct::Release),
                1 => (0..4_usize).prop_map(Direct::AddPermits),
            ],
            60,
        ),
    ) {
        let ideal = Ideal { free: count, bound: usize::MAX, waiting: VecDeque::new() };
        compare(|| Semaphore::new(count), ideal, &script);
    }

    #[test]
    fn a_bounded_semaphore_does_as_its_model(
        count in 0..3_usize,
        script in scripts(
            Just(Acquire),
            prop_oneof![1 => Just(Direct::TryAcquire), 3 => Just(Direct::Release)],
            60,
        ),
    ) {
        let ideal = Ideal { free: count, bound: count, waiting: VecDeque::new() };
        compare(|| BoundedSemaphore::new(count), ideal, &script);
    }
}
