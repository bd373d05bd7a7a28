//! hyper's timer and executor.

use std::pin::Pin;
use std::time::{Duration, Instant};

use hyper::rt;

use super::{Sleep, block_on, sleep, sleep_until};

/// hyper's timer, on this thread's hub: for `http1::Builder::timer`.
///
/// ```
/// use hyper::rt::Timer as _;
///
/// let start = std::time::Instant::now();
/// green::future::block_on(green::future::Timer.sleep(std::time::Duration::from_millis(3)));
/// assert!(start.elapsed().as_millis() >= 3);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Timer;

impl rt::Sleep for Sleep {}

impl rt::Timer for Timer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(sleep(duration))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(sleep_until(deadline))
    }

    fn now(&self) -> Instant {
        crate::time::now()
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn rt::Sleep>>, deadline: Instant) {
        match sleep.as_mut().downcast_mut_pin::<Sleep>() {
            Some(sleep) => sleep.get_mut().reset(deadline),
            None => *sleep = self.sleep_until(deadline),
        }
    }
}

/// hyper's executor: each future gets a greenthread.
///
/// # Panics
/// `execute`, as [`spawn`](crate::spawn).
///
/// ```
/// use hyper::rt::Executor as _;
///
/// green::future::Executor.execute(async { println!("in a greenthread") });
/// green::yield_now();
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Executor;

impl<F: Future + 'static> rt::Executor<F> for Executor {
    fn execute(&self, future: F) {
        crate::spawn_n(|| drop(block_on(future)));
    }
}
