//! Every interleaving of a bell that threads ring and a reactor answers, under the memory model of
//! the language: loom runs them all.

use std::sync::Arc;

use loom::model::Builder;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use loom::sync::{Mutex, Notify};
use loom::thread;

use super::{Bell, Flag, Press};

impl Flag for AtomicBool {
    fn swap(&self, value: bool, order: Ordering) -> bool {
        AtomicBool::swap(self, value, order)
    }

    fn load(&self, order: Ordering) -> bool {
        AtomicBool::load(self, order)
    }
}

/// A pair of sockets and a hub that waits for one of them: how many bytes are in it.
struct Wire {
    bytes: Mutex<usize>,
    readable: Notify,
}

impl Wire {
    fn wait(&self) {
        while *self.bytes.lock().unwrap() == 0 {
            self.readable.wait();
        }
    }
}

impl Press for Wire {
    fn press(&self) {
        *self.bytes.lock().unwrap() += 1;
        self.readable.notify();
    }

    fn drain(&self) {
        *self.bytes.lock().unwrap() = 0;
    }
}

type Modelled = Bell<AtomicBool, Wire>;

/// Two threads that leave something and ring, twice each, and one that waits, answers, and looks
/// whether all is there. If a ring is lost it waits for ever, which loom reports.
fn ring(answer: fn(&Modelled)) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(move || {
        let bell = Arc::new(Modelled {
            rung: AtomicBool::new(false),
            wire: Wire {
                bytes: Mutex::new(0),
                readable: Notify::new(),
            },
        });
        // Relaxed: it is the bell that says when it can be seen.
        let left = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        for n in 0..2 {
            let (bell, left) = (Arc::clone(&bell), Arc::clone(&left));
            thread::spawn(move || {
                for times in 1..=2 {
                    left[n].store(times, Ordering::Relaxed);
                    bell.ring();
                }
            });
        }
        while left.iter().any(|left| left.load(Ordering::Relaxed) < 2) {
            bell.wire.wait();
            answer(&bell);
        }
    });
}

#[test]
fn no_ring_is_lost() {
    ring(Modelled::answer);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_flag_that_is_cleared_before_the_wire_loses_one() {
    ring(|bell| {
        bell.rung.swap(false, Ordering::AcqRel);
        bell.wire.drain();
    });
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_flag_that_is_cleared_without_a_look_at_it_loses_one() {
    ring(|bell| {
        bell.wire.drain();
        bell.rung.store(false, Ordering::Release);
    });
}
