//! A pile against a model: results in the order of the spawns, none lost to a reader that dies or is out of time.

use std::collections::VecDeque;
use std::time::Duration;

use green::{Elapsed, Exit, GreenPile, Timeout};
use proptest::prelude::*;

use crate::engine::{Model, Ready, Subject, compare, scripts};
use crate::pool::{self, Facts, Gated};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Call {
    Spawn,
    Next,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Direct {
    /// Lets a task go, by its number modulo how many were numbered.
    Finish(usize),
    /// Kills a task, by its place among the living.
    Kill(usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Out {
    Done,
    /// The number of the task, or that it was killed.
    Got(Result<usize, ()>),
    /// There are no more.
    End,
    Elapsed,
}

/// Two piles on one pool would do: the other spawners are those who spawn into the pool alone.
struct Piled {
    gated: Gated,
    pile: GreenPile<usize>,
}

fn outcome(next: Option<Result<usize, Exit>>) -> Out {
    next.map_or(Out::End, |result| Out::Got(result.map_err(|_| ())))
}

impl Subject for Piled {
    type Call = Call;
    type Direct = Direct;
    type Out = Out;
    type Facts = (Facts, usize);

    fn call(&self, call: Call, timeout: Option<Duration>) -> Out {
        match (call, timeout) {
            (Call::Spawn, timeout) => {
                let spawn = || self.pile.spawn(self.gated.member());
                match Timeout::new(timeout).run(spawn) {
                    Ok(()) => Out::Done,
                    Err(Elapsed { .. }) => Out::Elapsed,
                }
            }
            (Call::Next, None) => outcome((&self.pile).next()),
            (Call::Next, Some(timeout)) => match self.pile.next_timeout(timeout) {
                Ok(next) => outcome(next),
                Err(Elapsed { .. }) => Out::Elapsed,
            },
        }
    }

    fn direct(&self, direct: Direct) -> Out {
        match direct {
            Direct::Finish(number) => self.gated.finish(number),
            Direct::Kill(number) => self.gated.kill(number),
        }
        Out::Done
    }

    fn facts(&self) -> (Facts, usize) {
        (self.gated.facts(), self.pile.len())
    }

    fn close(&self) {
        self.gated.pool.kill();
        while (&self.pile).next().is_some() {}
    }
}

#[derive(Default)]
struct Ideal {
    pool: pool::Ideal,
    /// In the order of their spawn.
    tasks: VecDeque<usize>,
    /// By number.
    results: Vec<Option<Result<usize, ()>>>,
    /// Spawners that wait for a place.
    spawning: usize,
    /// Readers, and the task whose end they wait for; `None` is for any task.
    readers: Vec<(usize, Option<usize>)>,
    /// Those of them who have been woken.
    woken: Vec<(usize, Option<usize>)>,
}

impl Ideal {
    /// Wakes the readers that wait for this.
    fn wake(&mut self, what: Option<usize>, ready: &mut Ready) {
        let (woken, rest) = std::mem::take(&mut self.readers)
            .into_iter()
            .partition::<Vec<_>, _>(|&(_, waits)| waits == what);
        self.readers = rest;
        ready.extend(woken.iter().map(|&(actor, _)| actor));
        self.woken.extend(woken);
    }

    fn spawned(&mut self, number: usize, ready: &mut Ready) -> Out {
        self.tasks.push_back(number);
        self.wake(None, ready);
        Out::Done
    }

    fn read(&mut self, actor: usize) -> Option<Out> {
        let Some(&first) = self.tasks.front() else {
            if self.spawning == 0 {
                return Some(Out::End);
            }
            self.readers.push((actor, None));
            return None;
        };
        if self.results[first].is_none() {
            self.readers.push((actor, Some(first)));
            return None;
        }
        self.take()
    }

    fn take(&mut self) -> Option<Out> {
        let first = self.tasks.pop_front()?;
        self.results[first].map(Out::Got)
    }

    fn end(&mut self, number: usize, result: Result<usize, ()>, ready: &mut Ready) {
        self.results[number] = Some(result);
        self.wake(Some(number), ready);
    }

    fn forget(&mut self, actor: usize) {
        self.readers.retain(|&(other, _)| other != actor);
        self.woken.retain(|&(other, _)| other != actor);
    }
}

impl Model<Piled> for Ideal {
    fn start(&mut self, actor: usize, call: Call, ready: &mut Ready) -> Option<Out> {
        match call {
            Call::Next => self.read(actor),
            Call::Spawn => {
                let number = self.pool.number();
                self.results.push(None);
                if self.pool.enter(actor, number, ready) {
                    return Some(self.spawned(number, ready));
                }
                self.spawning += 1;
                None
            }
        }
    }

    fn resume(&mut self, actor: usize, ready: &mut Ready) -> Option<Out> {
        if let Some(number) = self.pool.entered(actor, ready) {
            self.spawning -= 1;
            return Some(self.spawned(number, ready));
        }
        let reader = self.woken.iter().find(|(other, _)| *other == actor);
        let waited = reader.unwrap().1;
        self.forget(actor);
        // Another reader may have been faster.
        match waited.is_some() && self.tasks.front().copied() == waited {
            true => self.take(),
            false => self.read(actor),
        }
    }

    fn expire(&mut self, actor: usize, ready: &mut Ready) -> Out {
        self.kill(actor, ready);
        Out::Elapsed
    }

    fn kill(&mut self, actor: usize, ready: &mut Ready) {
        self.forget(actor);
        if self.pool.is_spawning(actor) {
            self.pool.kill_spawner(actor, ready);
            self.spawning -= 1;
            self.wake(None, ready);
        }
    }

    fn direct(&mut self, direct: Direct, ready: &mut Ready) -> Out {
        match direct {
            Direct::Finish(number) => self.pool.finish(number, ready),
            Direct::Kill(number) => {
                if let Some((number, _)) = self.pool.kill_member(number, ready) {
                    self.end(number, Err(()), ready);
                }
            }
        }
        Out::Done
    }

    fn run_inner(&mut self, number: usize, ready: &mut Ready) {
        if self.pool.run(number, ready) {
            self.end(number, Ok(number), ready);
        }
    }

    fn let_run(&mut self) -> usize {
        self.pool.others()
    }

    fn close(&mut self) {
        self.pool.close();
        self.tasks.clear();
    }

    fn facts(&self) -> (Facts, usize) {
        (self.pool.facts(), self.tasks.len() + self.spawning)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(768))]

    #[test]
    fn a_pile_does_as_its_model(
        size in 0..4_usize,
        script in scripts(
            prop_oneof![3 => Just(Call::Spawn), 2 => Just(Call::Next)],
            prop_oneof![
                4 => any::<usize>().prop_map(Direct::Finish),
                1 => any::<usize>().prop_map(Direct::Kill),
            ],
            80,
        ),
    ) {
        let pool = pool::Ideal::new(size);
        let subject = move || {
            let gated = Gated::new(size);
            let pile = GreenPile::with_pool(&gated.pool);
            Piled { gated, pile }
        };
        compare(subject, Ideal { pool, ..Ideal::default() }, &script);
    }
}
