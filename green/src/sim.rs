//! Deterministic runs, for tests: a virtual clock and a seeded order, in the same binary as production code.
//!
//! In a simulated run time stands still while anything can run, and jumps to the next deadline when nothing can: an
//! hour of sleeps takes microseconds. Which of the runnable greenthreads runs next is drawn from a seed, so that
//! another seed is another interleaving, and the same seed is the same run again.
//!
//! ```
//! use std::rc::Rc;
//! use std::time::Duration;
//!
//! // Runs with seeds 0 to 99, hours of virtual time each.
//! green::sim::check(0..100, || {
//!     let queue = Rc::new(green::Queue::unbounded());
//!     let getter = Rc::clone(&queue);
//!     let got = green::spawn(move || getter.get_timeout(Duration::from_secs(3600)));
//!     green::spawn_n(move || queue.put(1).unwrap());
//!     assert_eq!(got.join().unwrap(), Ok(1));
//! });
//! ```
//!
//! # Replay
//! A run that fails panics with `seed 17 fails: ..`. That one runs again, alone and exactly as before, with
//!
//! ```sh
//! GREEN_SEED=17 cargo test the_name_of_the_test
//! ```
//!
//! or, in code and under a debugger, with [`run`]`(17, || ..)`.
//!
//! What the run depends on must be inside it: other OS threads (thread pools among them), other processes and real
//! time are not simulated. [`time::now`](crate::time::now) is the time of the run. Sockets between the run's own greenthreads are fine.

use std::panic::{self, AssertUnwindSafe};

use hub_core::{Clock, VirtualClock};

use crate::runtime::{Runtime, message};

/// The environment variable that makes [`check`] run one seed only.
pub const GREEN_SEED: &str = "GREEN_SEED";

/// Runs `f` in a thread of its own, deterministically, in the order that `seed` gives.
///
/// # Panics
/// As `f`, with the same payload.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// let order = green::sim::run(7, || {
///     let pair = [1, 2].map(|n| green::spawn(move || {
///         green::sleep(Duration::from_secs(3600 * n));
///         n
///     }));
///     pair.map(|gt| gt.join().unwrap())
/// });
/// assert_eq!(order, [1, 2]);
/// ```
pub fn run<T: Send>(seed: u64, f: impl FnOnce() -> T + Send) -> T {
    simulate(Some(seed), f)
}

/// As [`run`], in the order of production: first in, first out.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// green::sim::run_in_order(|| green::sleep(Duration::from_secs(3600)));
/// assert!(start.elapsed() < Duration::from_secs(3600));
/// ```
///
/// # Panics
/// As `f`, with the same payload.
pub fn run_in_order<T: Send>(f: impl FnOnce() -> T + Send) -> T {
    simulate(None, f)
}

fn simulate<T: Send>(seed: Option<u64>, f: impl FnOnce() -> T + Send) -> T {
    let run = move || {
        Runtime::with(|runtime| {
            runtime.simulate();
            if let Some(seed) = seed {
                runtime.shuffle(seed);
            }
            runtime.reactor(|reactor| reactor.set_clock(Clock::Virtual(VirtualClock::new())));
        });
        f()
    };
    match std::thread::scope(|scope| scope.spawn(run).join()) {
        Ok(value) => value,
        Err(payload) => panic::resume_unwind(payload),
    }
}

/// Runs `f` with each of `seeds` in turn. If `GREEN_SEED` is set, with that one only.
///
/// # Panics
/// If `f` panics: with its text, and with the seed to replay it.
///
/// ```
/// green::sim::check(0..20, || {
///     let gt = green::spawn(|| 1);
///     green::sleep(std::time::Duration::from_secs(60));
///     assert_eq!(gt.join().unwrap(), 1);
/// });
/// ```
pub fn check(seeds: impl IntoIterator<Item = u64>, f: impl Fn() + Sync) {
    match std::env::var(GREEN_SEED) {
        Ok(seed) => match seed.parse() {
            Ok(seed) => run(seed, &f),
            Err(error) => panic!("{GREEN_SEED}={seed:?} is no seed: {error}"),
        },
        Err(_) => seeds.into_iter().for_each(|seed| check_one(seed, &f)),
    }
}

fn check_one(seed: u64, f: &(impl Fn() + Sync)) {
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| run(seed, f))) {
        panic!(
            "seed {seed} fails: {}\n(replay it alone with {GREEN_SEED}={seed})",
            message(&*payload)
        );
    }
}
