//! A pool of greenthreads against a model: never more than there are places, places in order, counters true.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use green::{Event, GreenPool};
use proptest::prelude::*;

use crate::engine::{INNER, Model, Ready, Subject, compare, scripts};

/// Calls that number their member when they begin. It runs until it is let go.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Call {
    Spawn,
    WaitAvailable,
    WaitAll,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Direct {
    TrySpawn,
    /// Lets a member go, by its number modulo how many were numbered.
    Finish(usize),
    /// Kills a member, by its place among the living.
    Kill(usize),
    Resize(usize),
}

/// A pool of members that wait at their gates.
pub(crate) struct Gated {
    pub(crate) pool: GreenPool,
    gates: RefCell<Vec<Rc<Event<()>>>>,
    started: Rc<RefCell<Vec<usize>>>,
    members: Cell<usize>,
}

impl Gated {
    pub(crate) fn new(size: usize) -> Gated {
        Gated {
            pool: GreenPool::new(size),
            gates: RefCell::default(),
            started: Rc::default(),
            members: Cell::new(0),
        }
    }

    /// The next member: gives its number when it is let go.
    pub(crate) fn member(&self) -> impl FnOnce() -> usize + 'static {
        let number = self.members.replace(self.members.get() + 1);
        let gate = Rc::new(Event::new());
        self.gates.borrow_mut().push(Rc::clone(&gate));
        let started = Rc::clone(&self.started);
        move || {
            started.borrow_mut().push(number);
            gate.wait().unwrap();
            number
        }
    }

    pub(crate) fn finish(&self, number: usize) {
        let gates = self.gates.borrow();
        if !gates.is_empty() {
            let _again = gates[number % gates.len()].send(());
        }
    }

    pub(crate) fn kill(&self, number: usize) {
        let members = self.pool.members();
        if !members.is_empty() {
            members[number % members.len()].kill();
        }
    }

    pub(crate) fn facts(&self) -> Facts {
        let pool = &self.pool;
        let started = self.started.borrow().clone();
        (pool.free(), pool.running(), pool.waiting(), started)
    }
}

/// Free, running, waiting, and who has started, in order.
pub(crate) type Facts = (isize, usize, usize, Vec<usize>);

impl Subject for Gated {
    type Call = Call;
    type Direct = Direct;
    type Out = bool;
    type Facts = Facts;

    fn call(&self, call: Call, timeout: Option<Duration>) -> bool {
        match (call, timeout) {
            (Call::Spawn, None) => {
                self.pool.spawn(self.member());
                true
            }
            (Call::Spawn, Some(timeout)) => self.pool.spawn_timeout(timeout, self.member()).is_ok(),
            (Call::WaitAvailable, timeout) => self.pool.wait_available(timeout),
            (Call::WaitAll, None) => self.pool.waitall().is_ok(),
            (Call::WaitAll, Some(timeout)) => self.pool.waitall_timeout(timeout).unwrap(),
        }
    }

    fn direct(&self, direct: Direct) -> bool {
        match direct {
            Direct::TrySpawn => return self.pool.try_spawn(self.member()).is_ok(),
            Direct::Finish(number) => self.finish(number),
            Direct::Kill(number) => self.kill(number),
            Direct::Resize(size) => self.pool.resize(size),
        }
        true
    }

    fn facts(&self) -> Facts {
        Gated::facts(self)
    }

    fn close(&self) {
        self.pool.kill();
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum State {
    Fresh,
    AtGate,
    LetGo,
    Over,
}

/// A pool as one would explain it.
#[derive(Default)]
pub(crate) struct Ideal {
    size: usize,
    /// Places of members, and those promised to spawners.
    taken: usize,
    /// By number; `None` has not been spawned.
    members: Vec<Option<State>>,
    open: Vec<bool>,
    /// In the order of their spawn.
    living: Vec<usize>,
    started: Vec<usize>,
    spawners: VecDeque<usize>,
    onlookers: Vec<usize>,
    idlers: Vec<usize>,
    /// Actors in a spawn, with the number of their member.
    spawning: Vec<(usize, usize)>,
    others: usize,
}

impl Ideal {
    pub(crate) fn new(size: usize) -> Ideal {
        Ideal {
            size,
            ..Ideal::default()
        }
    }

    fn is_full(&self) -> bool {
        self.taken >= self.size
    }

    pub(crate) fn number(&mut self) -> usize {
        self.members.push(None);
        self.open.push(false);
        self.members.len() - 1
    }

    /// A place for the member, or a place in the line.
    pub(crate) fn enter(&mut self, actor: usize, number: usize, ready: &mut Ready) -> bool {
        if self.is_full() {
            self.spawners.push_back(actor);
            self.spawning.push((actor, number));
            return false;
        }
        self.taken += 1;
        self.admit(number, ready);
        true
    }

    pub(crate) fn admit(&mut self, number: usize, ready: &mut Ready) {
        self.members[number] = Some(State::Fresh);
        self.living.push(number);
        ready.push_back(INNER + number);
    }

    /// The spawner was given a place and runs. The number of its member, if it is one.
    pub(crate) fn entered(&mut self, actor: usize, ready: &mut Ready) -> Option<usize> {
        let number = self.abandon(actor)?;
        self.admit(number, ready);
        Some(number)
    }

    /// Takes the actor out of wherever it waits.
    pub(crate) fn abandon(&mut self, actor: usize) -> Option<usize> {
        self.spawners.retain(|&other| other != actor);
        self.onlookers.retain(|&other| other != actor);
        self.idlers.retain(|&other| other != actor);
        let at = self
            .spawning
            .iter()
            .position(|&(other, _)| other == actor)?;
        Some(self.spawning.remove(at).1)
    }

    pub(crate) fn is_spawning(&self, actor: usize) -> bool {
        self.spawning.iter().any(|&(other, _)| other == actor)
    }

    pub(crate) fn kill_spawner(&mut self, actor: usize, ready: &mut Ready) {
        let waits = self.spawners.contains(&actor);
        let spawns = self.abandon(actor).is_some();
        if spawns && !waits {
            self.give_back(ready);
        }
    }

    fn give_back(&mut self, ready: &mut Ready) {
        self.taken -= 1;
        self.pass_on(ready);
    }

    fn pass_on(&mut self, ready: &mut Ready) {
        while !self.is_full()
            && let Some(spawner) = self.spawners.pop_front()
        {
            self.taken += 1;
            ready.push_back(spawner);
        }
        if !self.is_full() {
            ready.extend(self.onlookers.drain(..));
        }
        if self.taken == 0 {
            ready.extend(self.idlers.drain(..));
        }
    }

    fn end(&mut self, number: usize, ready: &mut Ready) {
        self.members[number] = Some(State::Over);
        self.living.retain(|&other| other != number);
        self.give_back(ready);
    }

    /// True if the member ends.
    pub(crate) fn run(&mut self, number: usize, ready: &mut Ready) -> bool {
        if self.members[number] == Some(State::Fresh) {
            self.started.push(number);
            if !self.open[number] {
                self.members[number] = Some(State::AtGate);
                return false;
            }
        }
        self.end(number, ready);
        true
    }

    pub(crate) fn finish(&mut self, number: usize, ready: &mut Ready) {
        let count = self.members.len();
        if count > 0 {
            let number = number % count;
            self.open[number] = true;
            if self.members[number] == Some(State::AtGate) {
                self.members[number] = Some(State::LetGo);
                ready.push_back(INNER + number);
            }
        }
    }

    /// Kills a living member: its number, and its state before that.
    pub(crate) fn kill_member(
        &mut self,
        number: usize,
        ready: &mut Ready,
    ) -> Option<(usize, State)> {
        let number = *self.living.get(number.checked_rem(self.living.len())?)?;
        let state = self.members[number]?;
        if let Some(at) = ready.iter().position(|&other| other == INNER + number) {
            ready.remove(at);
        }
        if state != State::Fresh {
            // The killer goes behind those who are ready, and the killed runs at once.
            self.others = ready.len();
        }
        self.end(number, ready);
        Some((number, state))
    }

    pub(crate) fn others(&mut self) -> usize {
        std::mem::take(&mut self.others)
    }

    pub(crate) fn resize(&mut self, size: usize, ready: &mut Ready) {
        self.size = size;
        self.pass_on(ready);
    }

    pub(crate) fn facts(&self) -> Facts {
        let free = self.size.cast_signed() - self.taken.cast_signed();
        (
            free,
            self.living.len(),
            self.spawners.len(),
            self.started.clone(),
        )
    }

    pub(crate) fn close(&mut self) {
        for number in self.living.clone() {
            self.end(number, &mut Ready::new());
        }
    }

    fn wait_available(&mut self, actor: usize) -> Option<bool> {
        if self.is_full() {
            self.onlookers.push(actor);
            return None;
        }
        Some(true)
    }

    fn wait_all(&mut self, actor: usize) -> Option<bool> {
        if self.taken > 0 {
            self.idlers.push(actor);
            return None;
        }
        Some(true)
    }
}

/// The model with what its actors do.
#[derive(Default)]
struct Script {
    pool: Ideal,
    calls: Vec<(usize, Call)>,
}

impl Model<Gated> for Script {
    fn start(&mut self, actor: usize, call: Call, ready: &mut Ready) -> Option<bool> {
        self.calls.push((actor, call));
        match call {
            Call::Spawn => {
                let number = self.pool.number();
                self.pool.enter(actor, number, ready).then_some(true)
            }
            Call::WaitAvailable => self.pool.wait_available(actor),
            Call::WaitAll => self.pool.wait_all(actor),
        }
    }

    fn resume(&mut self, actor: usize, ready: &mut Ready) -> Option<bool> {
        let call = self.calls.iter().find(|(other, _)| *other == actor);
        match call.unwrap().1 {
            Call::Spawn => self.pool.entered(actor, ready).map(|_| true),
            Call::WaitAvailable => self.pool.wait_available(actor),
            Call::WaitAll => self.pool.wait_all(actor),
        }
    }

    fn expire(&mut self, actor: usize, _: &mut Ready) -> bool {
        self.pool.abandon(actor);
        false
    }

    fn kill(&mut self, actor: usize, ready: &mut Ready) {
        self.pool.kill_spawner(actor, ready);
    }

    fn direct(&mut self, direct: Direct, ready: &mut Ready) -> bool {
        match direct {
            Direct::TrySpawn => {
                let number = self.pool.number();
                if self.pool.is_full() {
                    return false;
                }
                self.pool.taken += 1;
                self.pool.admit(number, ready);
            }
            Direct::Finish(number) => self.pool.finish(number, ready),
            Direct::Kill(number) => drop(self.pool.kill_member(number, ready)),
            Direct::Resize(size) => self.pool.resize(size, ready),
        }
        true
    }

    fn run_inner(&mut self, number: usize, ready: &mut Ready) {
        self.pool.run(number, ready);
    }

    fn let_run(&mut self) -> usize {
        self.pool.others()
    }

    fn close(&mut self) {
        self.pool.close();
    }

    fn facts(&self) -> Facts {
        self.pool.facts()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(768))]

    #[test]
    fn a_pool_does_as_its_model(
        size in 0..4_usize,
        script in scripts(
            prop_oneof![6 => Just(Call::Spawn), 1 => Just(Call::WaitAvailable), 1 => Just(Call::WaitAll)],
            prop_oneof![
                2 => Just(Direct::TrySpawn),
                6 => any::<usize>().prop_map(Direct::Finish),
                2 => any::<usize>().prop_map(Direct::Kill),
                1 => (0..4_usize).prop_map(Direct::Resize),
            ],
            80,
        ),
    ) {
        let model = Script { pool: Ideal::new(size), ..Script::default() };
        compare(move || Gated::new(size), model, &script);
    }
}
