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
//! # What it depends on
//!
//! What the run depends on must be inside it: other OS threads (thread pools among them, and with them the system's
//! resolver, files and `tpool`), other processes, other machines and real time are not simulated.
//! [`time::now`](crate::time::now) is the time of the run.
//!
//! Sockets and pipes between the run's own greenthreads work, but they are the system's. Time does not jump while the
//! system still has something under way to a descriptor that anybody waits for: what was sent is awaited in real time, so
//! that no timeout fires over data that is about to arrive. On Linux a TCP connection counts as stuck if nothing has moved
//! on it for 1.2 s of real time while nobody reads at its other end; elsewhere a jump waits for 10 ms of real time
//! instead if anybody waits for a TCP connection.
//!
//! A seed gives the same run for everything but what the system decides about sockets: in how large pieces bulk data
//! arrives, which numbers ports and descriptors get, and, where more data is under way than the system's buffers hold, in
//! which turn of the hub a socket is ready. Queues, events, locks, timers, greenthreads, and messages over sockets that
//! fit into the buffers and wait for each other are always the same.

mod tcp_diag;
mod under_way;

use std::panic::{self, AssertUnwindSafe};

use hub_core::{Clock, VirtualClock};

use crate::runtime::{Runtime, message};
use under_way::UnderWay;

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
            let under_way = UnderWay::default();
            let clock = VirtualClock::asking(move |awaited| under_way.ask(awaited));
            runtime.reactor(|reactor| reactor.set_clock(Clock::Virtual(clock)));
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
