//! Barriers, wait groups and conditions against models: who is woken, in which order, and who counts.

use std::collections::VecDeque;
use std::time::Duration;

use green::lock::{Condition, Mutex};
use green::{Barrier, WaitGroup};
use proptest::prelude::*;

use crate::engine::{Model, Ready, Subject, compare, scripts};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Direct {
    Inc,
    Dec,
    NotifyOne,
    NotifyAll,
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Out {
    Met,
    /// As the last one that came.
    Leads,
    Expired,
    Done,
}

fn met(met: bool) -> Out {
    if met { Out::Met } else { Out::Expired }
}

impl Subject for Barrier {
    type Call = Wait;
    type Direct = Direct;
    type Out = Out;
    type Facts = usize;

    fn call(&self, _: Wait, timeout: Option<Duration>) -> Out {
        let passed = match timeout {
            Some(timeout) => self.wait_timeout(timeout),
            None => Some(self.wait().unwrap()),
        };
        match passed {
            Some(passed) if passed.is_leader() => Out::Leads,
            passed => met(passed.is_some()),
        }
    }

    fn direct(&self, _: Direct) -> Out {
        Out::Done
    }

    fn facts(&self) -> usize {
        self.waiting()
    }
}

impl Subject for WaitGroup {
    type Call = Wait;
    type Direct = Direct;
    type Out = Out;
    type Facts = usize;

    fn call(&self, _: Wait, timeout: Option<Duration>) -> Out {
        met(match timeout {
            Some(timeout) => self.wait_timeout(timeout),
            None => self.wait(),
        })
    }

    fn direct(&self, direct: Direct) -> Out {
        match direct {
            Direct::Inc => self.inc(),
            _ => self.dec(),
        }
        Out::Done
    }

    fn facts(&self) -> usize {
        self.count()
    }
}

/// A condition of nothing in particular.
struct Changed {
    mutex: Mutex<()>,
    condition: Condition,
}

impl Subject for Changed {
    type Call = Wait;
    type Direct = Direct;
    type Out = Out;
    type Facts = bool;

    fn call(&self, _: Wait, timeout: Option<Duration>) -> Out {
        let guard = self.mutex.lock().unwrap();
        met(match timeout {
            Some(timeout) => self.condition.wait_timeout(guard, timeout).unwrap().1,
            None => self.condition.wait(guard).is_ok(),
        })
    }

    fn direct(&self, direct: Direct) -> Out {
        match direct {
            Direct::NotifyOne => self.condition.notify_one(),
            _ => self.condition.notify_all(),
        }
        Out::Done
    }

    fn facts(&self) -> bool {
        self.mutex.is_locked()
    }
}

/// Those who wait, of all three.
#[derive(Default)]
struct Crowd(VecDeque<usize>);

impl Crowd {
    /// False if it did not wait any more.
    fn leave(&mut self, actor: usize) -> bool {
        let at = self.0.iter().position(|&other| other == actor);
        at.and_then(|at| self.0.remove(at)).is_some()
    }

    fn wake(&mut self, count: usize, ready: &mut Ready) {
        ready.extend(self.0.drain(..count.min(self.0.len())));
    }
}

struct IdealBarrier {
    parties: usize,
    crowd: Crowd,
}

impl Model<Barrier> for IdealBarrier {
    fn start(&mut self, actor: usize, _: Wait, ready: &mut Ready) -> Option<Out> {
        if self.crowd.0.len() + 1 >= self.parties {
            self.crowd.wake(self.parties, ready);
            return Some(Out::Leads);
        }
        self.crowd.0.push_back(actor);
        None
    }

    fn resume(&mut self, _: usize, _: &mut Ready) -> Option<Out> {
        Some(Out::Met)
    }

    fn expire(&mut self, actor: usize, _: &mut Ready) -> Out {
        assert!(self.crowd.leave(actor));
        Out::Expired
    }

    fn kill(&mut self, actor: usize, _: &mut Ready) {
        self.crowd.leave(actor);
    }

    fn direct(&mut self, _: Direct, _: &mut Ready) -> Out {
        Out::Done
    }

    fn facts(&self) -> usize {
        self.crowd.0.len()
    }
}

#[derive(Default)]
struct IdealGroup {
    count: usize,
    crowd: Crowd,
}

impl Model<WaitGroup> for IdealGroup {
    fn start(&mut self, actor: usize, _: Wait, _: &mut Ready) -> Option<Out> {
        if self.count == 0 {
            return Some(Out::Met);
        }
        self.crowd.0.push_back(actor);
        None
    }

    fn resume(&mut self, _: usize, _: &mut Ready) -> Option<Out> {
        Some(Out::Met)
    }

    fn expire(&mut self, actor: usize, _: &mut Ready) -> Out {
        assert!(self.crowd.leave(actor));
        Out::Expired
    }

    fn kill(&mut self, actor: usize, _: &mut Ready) {
        self.crowd.leave(actor);
    }

    fn direct(&mut self, direct: Direct, ready: &mut Ready) -> Out {
        match direct {
            Direct::Inc => self.count += 1,
            _ => self.count = self.count.saturating_sub(1),
        }
        if self.count == 0 {
            self.crowd.wake(usize::MAX, ready);
        }
        Out::Done
    }

    fn facts(&self) -> usize {
        self.count
    }
}

#[derive(Default)]
struct IdealCondition {
    crowd: Crowd,
}

impl Model<Changed> for IdealCondition {
    fn start(&mut self, actor: usize, _: Wait, _: &mut Ready) -> Option<Out> {
        self.crowd.0.push_back(actor);
        None
    }

    fn resume(&mut self, _: usize, _: &mut Ready) -> Option<Out> {
        Some(Out::Met)
    }

    fn expire(&mut self, actor: usize, _: &mut Ready) -> Out {
        assert!(self.crowd.leave(actor));
        Out::Expired
    }

    fn kill(&mut self, actor: usize, ready: &mut Ready) {
        if !self.crowd.leave(actor) {
            // The notification that it was woken for goes to the next.
            self.crowd.wake(1, ready);
        }
    }

    fn direct(&mut self, direct: Direct, ready: &mut Ready) -> Out {
        match direct {
            Direct::NotifyOne => self.crowd.wake(1, ready),
            _ => self.crowd.wake(usize::MAX, ready),
        }
        Out::Done
    }

    fn facts(&self) -> bool {
        false
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_barrier_does_as_its_model(
        parties in 0..5_usize,
        script in scripts(Just(Wait), Just(Direct::Nothing), 60),
    ) {
        let ideal = IdealBarrier { parties, crowd: Crowd::default() };
        compare(|| Barrier::new(parties), ideal, &script);
    }

    #[test]
    fn a_wait_group_does_as_its_model(
        script in scripts(Just(Wait), prop_oneof![Just(Direct::Inc), Just(Direct::Dec)], 60),
    ) {
        compare(WaitGroup::new, IdealGroup::default(), &script);
    }

    #[test]
    fn a_condition_does_as_its_model(
        script in scripts(
            Just(Wait),
            prop_oneof![3 => Just(Direct::NotifyOne), 1 => Just(Direct::NotifyAll)],
            60,
        ),
    ) {
        let changed = || Changed { mutex: Mutex::new(()), condition: Condition::new() };
        compare(changed, IdealCondition::default(), &script);
    }
}
