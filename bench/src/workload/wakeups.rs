//! Another thread wakes the one that waits.
//!
//! It wakes it once, spins until that is seen, and gives it time to fall asleep again. So each wake-up is one of a thread
//! that sleeps, and its latency that of the way from one processor to the other.

use std::hint;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use green::sync::Semaphore;
use hdrhistogram::Histogram;
use hub_core::{Hub, Interest, Reactor, Token, Trigger, WakeFd};

use super::window::Window;
use super::{Job, Sample, pairs, use_hub};
use crate::load::times;
use crate::machine::pin;
use crate::plan::Layer;

/// How long the woken thread has to fall asleep again.
const PAUSE: Duration = Duration::from_micros(20);

pub(super) fn measure(job: &Job, hub: Box<dyn Hub>) -> io::Result<Vec<Sample>> {
    let sample = match job.case.layer {
        Layer::Hub => on_hub(job, hub)?,
        Layer::Reactor => on_reactor(job, hub)?,
        Layer::Green => on_green(job, hub)?,
    };
    Ok(vec![sample])
}

/// What the two threads tell each other.
#[derive(Default)]
struct Shared {
    /// How many wake-ups the woken thread has seen.
    seen: AtomicU64,
    counts: AtomicBool,
    ended: AtomicBool,
}

/// The woken thread's side.
struct Sleeper {
    shared: Arc<Shared>,
    window: Window,
    seen: u64,
    other: thread::JoinHandle<io::Result<Histogram<u64>>>,
}

impl Sleeper {
    /// Starts the thread that calls `wake`.
    fn start(job: &Job, wake: impl Fn() + Send + 'static) -> Sleeper {
        let shared = Arc::new(Shared::default());
        let place = job.places.client;
        let other = thread::spawn({
            let shared = shared.clone();
            move || ring(&shared, place, wake)
        });
        Sleeper {
            shared,
            window: Window::start(job),
            seen: 0,
            other,
        }
    }

    /// To be called for each wake-up; true when it was the last.
    fn woken(&mut self) -> Option<Sample> {
        self.seen += 1;
        let sample = self.window.check(self.seen);
        self.shared
            .counts
            .store(self.window.counts(), Ordering::Relaxed);
        self.shared.seen.store(self.seen, Ordering::Release);
        sample
    }

    fn finish(self, mut sample: Sample) -> io::Result<Sample> {
        self.shared.ended.store(true, Ordering::Release);
        let Ok(latency) = self.other.join() else {
            return Err(io::Error::other("the thread that wakes has panicked"));
        };
        sample.latency = pairs(&latency?);
        Ok(sample)
    }
}

/// The waking thread.
fn ring(shared: &Shared, place: Option<usize>, wake: impl Fn()) -> io::Result<Histogram<u64>> {
    if let Some(place) = place {
        pin(&[place])?;
    }
    let spin = || match place {
        Some(_) => hint::spin_loop(),
        // There may be no other processor for the one that is waited for.
        None => thread::yield_now(),
    };
    let mut latency = times();
    for number in 1.. {
        let counts = shared.counts.load(Ordering::Relaxed);
        let sent = Instant::now();
        wake();
        while shared.seen.load(Ordering::Acquire) < number {
            if shared.ended.load(Ordering::Acquire) {
                return Ok(latency);
            }
            spin();
        }
        if counts {
            latency.saturating_record(sent.elapsed().as_nanos() as u64);
        }
        let resume = Instant::now() + PAUSE;
        while Instant::now() < resume {
            spin();
        }
    }
    Ok(latency)
}

fn on_hub(job: &Job, mut hub: Box<dyn Hub>) -> io::Result<Sample> {
    let (wake_fd, token) = (WakeFd::new()?, Token::from_raw(0));
    hub.add(wake_fd.as_fd(), token, Trigger::Edge)?;
    hub.arm(wake_fd.as_fd(), token, Interest::READ)?;
    let waker = wake_fd.waker();
    let mut sleeper = Sleeper::start(job, move || waker.wake());
    let mut events = Vec::new();
    loop {
        hub.wait(None, &mut events)?;
        if events.drain(..).count() == 0 {
            continue;
        }
        wake_fd.reset();
        hub.arm(wake_fd.as_fd(), token, Interest::READ)?;
        if let Some(sample) = sleeper.woken() {
            return sleeper.finish(sample);
        }
    }
}

fn on_reactor(job: &Job, hub: Box<dyn Hub>) -> io::Result<Sample> {
    let mut reactor = Reactor::<()>::new(hub);
    let waker = reactor.waker()?;
    let mut sleeper = Sleeper::start(job, move || waker.wake());
    let mut woken = Vec::new();
    loop {
        if !reactor.turn(None, &mut woken)?.rang {
            continue;
        }
        if let Some(sample) = sleeper.woken() {
            return sleeper.finish(sample);
        }
    }
}

fn on_green(job: &Job, hub: Box<dyn Hub>) -> io::Result<Sample> {
    use_hub(hub)?;
    let ready = Arc::new(Semaphore::new(0));
    let mut sleeper = Sleeper::start(job, {
        let ready = ready.clone();
        move || ready.release()
    });
    loop {
        ready.acquire().forget();
        if let Some(sample) = sleeper.woken() {
            return sleeper.finish(sample);
        }
    }
}
