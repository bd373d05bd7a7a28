//! Locks against a model: who is inside together, first come first served, handed on by whoever dies or gives up.

use std::cell::Cell;
use std::collections::VecDeque;
use std::time::Duration;

use green::lock::{Lock, Mutex, RLock, RwLock};
use green::{Semaphore, Timeout};
use proptest::prelude::*;

use crate::engine::{Model, Ready, Subject, compare, scripts};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Access {
    Read,
    Write,
}

/// The one that has been inside for longest leaves.
#[derive(Clone, Copy, Debug)]
struct Leave;

trait Locking: 'static {
    fn inside(&self, access: Access, f: impl FnOnce());
}

impl Locking for Lock {
    fn inside(&self, _: Access, f: impl FnOnce()) {
        let _permit = self.acquire();
        f();
    }
}

impl Locking for RLock {
    fn inside(&self, _: Access, f: impl FnOnce()) {
        let _outer = self.acquire();
        let _inner = self.acquire();
        f();
    }
}

impl Locking for Mutex<()> {
    fn inside(&self, _: Access, f: impl FnOnce()) {
        let _guard = self.lock().unwrap();
        f();
    }
}

impl Locking for RwLock<()> {
    fn inside(&self, access: Access, f: impl FnOnce()) {
        match access {
            Access::Read => {
                let _guard = self.read().unwrap();
                f();
            }
            Access::Write => {
                let _guard = self.write().unwrap();
                f();
            }
        }
    }
}

/// Whoever is inside waits there for the gate. A timeout is over both waits.
struct Gated<L> {
    lock: L,
    gate: Semaphore,
    /// Readers and writers.
    inside: Cell<(usize, usize)>,
}

impl<L: Locking> Gated<L> {
    fn new(lock: L) -> Gated<L> {
        Gated {
            lock,
            gate: Semaphore::new(0),
            inside: Cell::new((0, 0)),
        }
    }
}

/// One that is inside, counted.
struct Inside<'a>(&'a Cell<(usize, usize)>, Access);

impl Inside<'_> {
    fn new(count: &Cell<(usize, usize)>, access: Access) -> Inside<'_> {
        let (readers, writers) = count.get();
        count.set(match access {
            Access::Read => (readers + 1, writers),
            Access::Write => (readers, writers + 1),
        });
        Inside(count, access)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let (readers, writers) = self.0.get();
        self.0.set(match self.1 {
            Access::Read => (readers - 1, writers),
            Access::Write => (readers, writers - 1),
        });
    }
}

impl<L: Locking> Subject for Gated<L> {
    type Call = Access;
    type Direct = Leave;
    /// False if the time was up.
    type Out = bool;
    type Facts = (usize, usize);

    fn call(&self, access: Access, timeout: Option<Duration>) -> bool {
        let visit = || {
            self.lock.inside(access, || {
                let _inside = Inside::new(&self.inside, access);
                self.gate.acquire().forget();
            });
        };
        Timeout::new(timeout).run(visit).is_ok()
    }

    fn direct(&self, Leave: Leave) -> bool {
        let waited_for = self.gate.balance() < 0;
        if waited_for {
            self.gate.release();
        }
        waited_for
    }

    fn facts(&self) -> (usize, usize) {
        self.inside.get()
    }
}

#[derive(Default)]
struct Ideal {
    /// Everyone that has the lock; those who do not know it yet included.
    holders: Vec<(usize, Access)>,
    waiting: VecDeque<(usize, Access)>,
    /// Those inside, in the order in which they came there.
    gate: VecDeque<usize>,
    /// Those who may leave, but have not run.
    leaving: Vec<usize>,
    /// For how many more the gate is open: those it was opened for were killed.
    open: usize,
    out_of_time: Vec<usize>,
}

impl Ideal {
    fn is_open_for(&self, access: Access) -> bool {
        self.holders.is_empty()
            || access == Access::Read && self.holders.iter().all(|&(_, other)| other == access)
    }

    fn admit(&mut self, ready: &mut Ready) {
        let mut still = self.waiting.iter().copied();
        let first = still.find(|(actor, _)| !self.out_of_time.contains(actor));
        if let Some((actor, access)) = first.filter(|&(_, access)| self.is_open_for(access)) {
            self.waiting.retain(|&(other, _)| other != actor);
            self.holders.push((actor, access));
            ready.push_back(actor);
            self.admit(ready);
        }
    }

    fn open(&mut self, ready: &mut Ready) -> bool {
        let first = self
            .gate
            .iter()
            .position(|actor| !self.out_of_time.contains(actor));
        let first = first.and_then(|at| self.gate.remove(at));
        self.leaving.extend(first);
        ready.extend(first);
        first.is_some()
    }

    /// It is inside. True if it finds the gate open, and leaves.
    fn arrive(&mut self, actor: usize, ready: &mut Ready) -> Option<bool> {
        if self.open == 0 {
            self.gate.push_back(actor);
            return None;
        }
        self.open -= 1;
        self.leave(actor, ready);
        Some(true)
    }

    /// It is gone, wherever it was.
    fn leave(&mut self, actor: usize, ready: &mut Ready) {
        self.waiting.retain(|&(other, _)| other != actor);
        self.gate.retain(|&other| other != actor);
        self.holders.retain(|&(other, _)| other != actor);
        self.admit(ready);
    }
}

impl<L: Locking> Model<Gated<L>> for Ideal {
    fn start(&mut self, actor: usize, access: Access, ready: &mut Ready) -> Option<bool> {
        if self.waiting.is_empty() && self.is_open_for(access) {
            self.holders.push((actor, access));
            return self.arrive(actor, ready);
        }
        self.waiting.push_back((actor, access));
        None
    }

    fn resume(&mut self, actor: usize, ready: &mut Ready) -> Option<bool> {
        if let Some(at) = self.leaving.iter().position(|&other| other == actor) {
            self.leaving.remove(at);
            self.leave(actor, ready);
            return Some(true);
        }
        self.arrive(actor, ready)
    }

    fn expiring(&mut self, actors: &mut [usize]) {
        actors.sort_unstable();
        self.out_of_time = actors.to_vec();
    }

    fn expire(&mut self, actor: usize, ready: &mut Ready) -> bool {
        self.out_of_time.retain(|&other| other != actor);
        self.leave(actor, ready);
        false
    }

    fn kill(&mut self, actor: usize, ready: &mut Ready) {
        if let Some(at) = self.leaving.iter().position(|&other| other == actor) {
            self.leaving.remove(at);
            self.open += usize::from(!self.open(ready));
        }
        self.leave(actor, ready);
    }

    fn direct(&mut self, Leave: Leave, ready: &mut Ready) -> bool {
        self.open(ready)
    }

    fn facts(&self) -> (usize, usize) {
        let inside = |access| {
            let is_inside =
                |actor: &usize| self.gate.contains(actor) || self.leaving.contains(actor);
            let holders = self.holders.iter();
            holders
                .filter(|&(actor, other)| *other == access && is_inside(actor))
                .count()
        };
        (inside(Access::Read), inside(Access::Write))
    }
}

fn exclusive() -> impl Strategy<Value = Vec<crate::engine::Step<Access, Leave>>> {
    scripts(Just(Access::Write), Just(Leave), 60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_lock_does_as_its_model(script in exclusive()) {
        compare(|| Gated::new(Lock::new()), Ideal::default(), &script);
    }

    #[test]
    fn an_rlock_does_as_its_model(script in exclusive()) {
        compare(|| Gated::new(RLock::new()), Ideal::default(), &script);
    }

    #[test]
    fn a_mutex_does_as_its_model(script in exclusive()) {
        compare(|| Gated::new(Mutex::new(())), Ideal::default(), &script);
    }

    #[test]
    fn a_rwlock_does_as_its_model(
        script in scripts(
            prop_oneof![3 => Just(Access::Read), 2 => Just(Access::Write)],
            Just(Leave),
            60,
        ),
    ) {
        compare(|| Gated::new(RwLock::new(())), Ideal::default(), &script);
    }
}
