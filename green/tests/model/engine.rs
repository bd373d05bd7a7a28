//! Runs random scripts on a primitive and on a plain sequential model of it, and compares after every step.
//!
//! A script spawns greenthreads that each make one call, kills them wherever they are, lets time pass, and makes calls
//! of its own. Time is virtual and the order that of production, so the model can say exactly who ends when and how.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::Debug;
use std::rc::Rc;
use std::time::Duration;

use green::debug::counters;
use proptest::prelude::*;

/// A step of a script.
#[derive(Clone, Debug)]
pub(crate) enum Step<C, D> {
    /// Spawns a greenthread that makes the call, with a timeout in odd milliseconds.
    Spawn(C, Option<u64>),
    /// Kills one of those spawned before, by its number modulo how many there are.
    Kill(usize),
    /// Lets those run who can, once.
    Yield,
    /// Lets an even number of milliseconds pass: so it never meets a timeout.
    Advance(u64),
    /// A call that the script itself makes, which does not wait.
    Direct(D),
}

/// Scripts of up to `length` steps.
pub(crate) fn scripts<C: Debug + Clone + 'static, D: Debug + Clone + 'static>(
    calls: impl Strategy<Value = C> + 'static,
    directs: impl Strategy<Value = D> + 'static,
    length: usize,
) -> impl Strategy<Value = Vec<Step<C, D>>> {
    let timeout = prop_oneof![Just(None), (0..4_u64).prop_map(|n| Some(2 * n + 1))];
    let step = prop_oneof![
        4 => (calls, timeout).prop_map(|(call, timeout)| Step::Spawn(call, timeout)),
        2 => any::<usize>().prop_map(Step::Kill),
        2 => Just(Step::Yield),
        1 => (1..5_u64).prop_map(|n| Step::Advance(2 * n)),
        4 => directs.prop_map(Step::Direct),
    ];
    prop::collection::vec(step, 0..length)
}

/// What is tested.
pub(crate) trait Subject: 'static {
    /// A call that may wait.
    type Call: Copy + Debug + Send + 'static;
    /// A call that does not.
    type Direct: Copy + Debug + Send;
    type Out: PartialEq + Debug + 'static;
    type Facts: PartialEq + Debug;

    fn call(&self, call: Self::Call, timeout: Option<Duration>) -> Self::Out;
    fn direct(&self, direct: Self::Direct) -> Self::Out;
    /// The counters that can be asked for.
    fn facts(&self) -> Self::Facts;
    /// Ends what the calls have left running.
    fn close(&self) {}
}

/// From here on numbers in the run queue name greenthreads of the subject's own.
pub(crate) const INNER: usize = 1 << 32;

/// The same, as one would explain it. `ready` is the run queue: who is served goes to its end.
pub(crate) trait Model<S: Subject> {
    /// The outcome, unless `actor` has to wait.
    fn start(&mut self, actor: usize, call: S::Call, ready: &mut Ready) -> Option<S::Out>;
    /// `actor` was served and runs. The outcome, unless it has to wait on.
    fn resume(&mut self, actor: usize, ready: &mut Ready) -> Option<S::Out>;
    /// The time of these is up while they wait: they leave one after the other, and nobody serves them any more. They
    /// come in the order of their last waits; deadlines that were set before that make another order.
    fn expiring(&mut self, _: &mut [usize]) {}
    /// The time of `actor` is up while it waits.
    fn expire(&mut self, actor: usize, ready: &mut Ready) -> S::Out;
    /// `actor` dies, while it waits or after it was served.
    fn kill(&mut self, actor: usize, ready: &mut Ready);
    fn direct(&mut self, direct: S::Direct, ready: &mut Ready) -> S::Out;
    fn facts(&self) -> S::Facts;
    /// The greenthread `INNER + number` runs, until it ends or waits.
    fn run_inner(&mut self, number: usize, _: &mut Ready) {
        unreachable!("no greenthread {number} was made");
    }
    /// How many others have run when the last direct call returns, for it let them.
    fn let_run(&mut self) -> usize {
        0
    }
    /// Ends what the calls have left running.
    fn close(&mut self) {}
    /// What holds at the end of every script.
    fn check(&self) {}
}

pub(crate) type Ready = VecDeque<usize>;

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Fresh,
    Waiting,
    Over,
}

struct Actor<C> {
    call: C,
    timeout: Option<u64>,
    state: State,
    deadline: Option<u64>,
    /// When it began to wait, as a count of waits.
    since: usize,
}

/// The model with the greenthreads around it.
struct World<S: Subject, M> {
    model: M,
    actors: Vec<Actor<S::Call>>,
    ready: Ready,
    now: u64,
    waits: usize,
    log: Vec<(usize, S::Out)>,
}

impl<S: Subject, M: Model<S>> World<S, M> {
    fn spawn(&mut self, call: S::Call, timeout: Option<u64>) {
        self.ready.push_back(self.actors.len());
        self.actors.push(Actor {
            call,
            timeout,
            state: State::Fresh,
            deadline: None,
            since: 0,
        });
    }

    fn end(&mut self, actor: usize, out: S::Out) {
        self.actors[actor].state = State::Over;
        self.log.push((actor, out));
    }

    /// Runs as many as are ready now.
    fn run(&mut self, count: usize) {
        for _ in 0..count {
            match self.ready.pop_front() {
                Some(inner) if inner >= INNER => {
                    self.model.run_inner(inner - INNER, &mut self.ready);
                }
                Some(actor) => self.run_actor(actor),
                None => return,
            }
        }
    }

    fn run_actor(&mut self, actor: usize) {
        let Actor { call, state, .. } = self.actors[actor];
        let out = match state {
            State::Fresh => self.model.start(actor, call, &mut self.ready),
            _ => self.model.resume(actor, &mut self.ready),
        };
        if let Some(out) = out {
            return self.end(actor, out);
        }
        self.waits += 1;
        let waiting = &mut self.actors[actor];
        waiting.since = self.waits;
        if state == State::Fresh {
            waiting.state = State::Waiting;
            waiting.deadline = waiting.timeout.map(|timeout| self.now + timeout);
        }
    }

    fn settle(&mut self) {
        while !self.ready.is_empty() {
            self.run(self.ready.len());
        }
    }

    fn advance(&mut self, by: u64) {
        let target = self.now + by;
        loop {
            self.settle();
            let waiting = self
                .actors
                .iter()
                .filter(|actor| actor.state == State::Waiting);
            let Some(next) = waiting
                .filter_map(|actor| actor.deadline)
                .filter(|&at| at < target)
                .min()
            else {
                break;
            };
            self.now = next;
            let mut expiring: Vec<_> = (0..self.actors.len())
                .filter(|&actor| {
                    let Actor {
                        state, deadline, ..
                    } = self.actors[actor];
                    state == State::Waiting && deadline == Some(next)
                })
                .collect();
            expiring.sort_by_key(|&actor| self.actors[actor].since);
            self.model.expiring(&mut expiring);
            for &actor in &expiring {
                let out = self.model.expire(actor, &mut self.ready);
                self.end(actor, out);
            }
            // All of them were out of time before the first of them ran.
            self.ready.retain(|actor| !expiring.contains(actor));
        }
        self.now = target;
    }

    fn kill(&mut self, actor: usize) {
        let queued = self.ready.iter().position(|&other| other == actor);
        if let Some(at) = queued {
            self.ready.remove(at);
        }
        let state = std::mem::replace(&mut self.actors[actor].state, State::Over);
        if state == State::Waiting {
            // It unwinds at once; the killer is behind those who are ready now, and before those whom it readies.
            let ready = self.ready.len();
            self.model.kill(actor, &mut self.ready);
            self.run(ready);
        }
    }
}

/// Runs `script` on what `subject` makes and on `model`.
pub(crate) fn compare<S: Subject, M: Model<S> + Send>(
    subject: impl FnOnce() -> S + Send,
    model: M,
    script: &[Step<S::Call, S::Direct>],
) where
    S::Call: Sync,
    S::Direct: Sync,
{
    green::sim::run_in_order(move || {
        let subject = Rc::new(subject());
        let mut world = World::<S, M> {
            model,
            actors: Vec::new(),
            ready: Ready::new(),
            now: 0,
            waits: 0,
            log: Vec::new(),
        };
        let log = Rc::new(RefCell::new(Vec::new()));
        let mut actors = Vec::new();
        for (at, step) in script.iter().enumerate() {
            match *step {
                Step::Spawn(call, timeout) => {
                    world.spawn(call, timeout);
                    let (subject, log, number) =
                        (Rc::clone(&subject), Rc::clone(&log), actors.len());
                    actors.push(green::spawn(move || {
                        let out = subject.call(call, timeout.map(Duration::from_millis));
                        log.borrow_mut().push((number, out));
                    }));
                }
                Step::Kill(number) if !actors.is_empty() => {
                    world.kill(number % actors.len());
                    actors[number % actors.len()].kill();
                }
                Step::Kill(_) => {}
                Step::Yield => {
                    world.run(world.ready.len());
                    green::yield_now();
                }
                Step::Advance(by) => {
                    world.advance(by);
                    green::sleep(Duration::from_millis(by));
                }
                Step::Direct(direct) => {
                    let expected = world.model.direct(direct, &mut world.ready);
                    let others = world.model.let_run();
                    world.run(others);
                    assert_eq!(subject.direct(direct), expected, "step {at}: {step:?}");
                }
            }
            assert_eq!(*log.borrow(), world.log, "after step {at}: {step:?}");
            assert_eq!(
                subject.facts(),
                world.model.facts(),
                "after step {at}: {step:?}"
            );
        }
        for (number, actor) in actors.iter().enumerate() {
            world.kill(number);
            actor.kill();
        }
        world.model.close();
        subject.close();
        assert_eq!(*log.borrow(), world.log, "at the end");
        assert_eq!(subject.facts(), world.model.facts(), "at the end");
        world.model.check();
        let left = counters();
        assert_eq!(
            (left.greenthreads, left.timers),
            (1, 0),
            "greenthreads and timers left behind"
        );
    });
}
