//! Every interleaving of threads that wake a reactor and the reactor that takes note, under the
//! memory model of the language: loom runs them all.

use std::sync::Arc;

use loom::model::Builder;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::sync::{Mutex, Notify};
use loom::thread;

use super::{Channel, Flag, Notifier};

impl Flag for AtomicBool {
    fn swap(&self, value: bool, order: Ordering) -> bool {
        AtomicBool::swap(self, value, order)
    }

    fn load(&self, order: Ordering) -> bool {
        AtomicBool::load(self, order)
    }
}

/// A pair of sockets and a hub that waits for one of them: how many bytes are in it.
struct Counted {
    bytes: Mutex<usize>,
    readable: Notify,
}

impl Counted {
    fn wait(&self) {
        while *self.bytes.lock().unwrap() == 0 {
            self.readable.wait();
        }
    }
}

impl Channel for Counted {
    fn send(&self) {
        *self.bytes.lock().unwrap() += 1;
        self.readable.notify();
    }

    fn drain(&self) {
        *self.bytes.lock().unwrap() = 0;
    }
}

type Modelled = Notifier<AtomicBool, Counted>;

/// Two threads that leave something and wake, twice each, and one that waits, takes note, and looks
/// if all is there. If a call is lost it waits for ever, which loom reports.
fn notify(reset: fn(&Modelled)) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(move || {
        let notifier = Arc::new(Modelled {
            is_woken: AtomicBool::new(false),
            channel: Counted {
                bytes: Mutex::new(0),
                readable: Notify::new(),
            },
        });
        // Relaxed: it is the notifier that says when it can be seen.
        let left = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        for n in 0..2 {
            let (notifier, left) = (Arc::clone(&notifier), Arc::clone(&left));
            thread::spawn(move || {
                for times in 1..=2 {
                    left[n].store(times, Ordering::Relaxed);
                    notifier.notify();
                }
            });
        }
        while left.iter().any(|left| left.load(Ordering::Relaxed) < 2) {
            notifier.channel.wait();
            reset(&notifier);
        }
    });
}

#[test]
fn no_call_is_lost() {
    notify(Modelled::reset);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_flag_that_is_cleared_before_the_channel_loses_one() {
    notify(|notifier| {
        notifier.is_woken.swap(false, Ordering::AcqRel);
        notifier.channel.drain();
    });
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_flag_that_is_cleared_without_a_look_at_it_loses_one() {
    notify(|notifier| {
        notifier.channel.drain();
        notifier.is_woken.store(false, Ordering::Release);
    });
}
