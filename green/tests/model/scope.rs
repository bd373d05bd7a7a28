//! Random trees of scopes, with kills, panics and timeouts wherever something waits.
//!
//! Whatever happens: when a scope is left all that ran in it is dead, every destructor has run once, what they borrowed
//! was there, the error of a scope is that of a child, and nobody is killed whom nothing in the script kills.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::Duration;

use green::{AnyGreenThread, Exit, Scope, ScopedGreenThread, Timeout, scope};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Yield,
    Sleep(u64),
    Panic,
    /// Spawns a child into the innermost scope, or into one around it.
    Spawn(Vec<Step>, bool),
    /// Joins, kills or lets go of one of those that were spawned here.
    Join(usize),
    Kill(usize),
    Drop(usize),
    KillAll,
    /// Kills one of all that there ever were, wherever it is.
    KillAny(usize),
    Scope(Vec<Step>),
    Timeout(u64, Vec<Step>),
    Mask(Vec<Step>),
    /// Goes on after whatever the steps end with; a kill comes again.
    Catch(Vec<Step>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let leaf = prop_oneof![
        4 => Just(Step::Yield),
        4 => (1..30_u64).prop_map(Step::Sleep),
        1 => Just(Step::Panic),
        2 => (0..4_usize).prop_map(Step::Join),
        1 => (0..4_usize).prop_map(Step::Kill),
        1 => (0..4_usize).prop_map(Step::Drop),
        1 => Just(Step::KillAll),
        1 => (0..64_usize).prop_map(Step::KillAny),
    ];
    let step = leaf.prop_recursive(5, 48, 5, |step| {
        let steps = || prop::collection::vec(step.clone(), 0..6);
        prop_oneof![
            4 => (steps(), any::<bool>()).prop_map(|(steps, outside)| Step::Spawn(steps, outside)),
            2 => steps().prop_map(Step::Scope),
            1 => (1..30_u64, steps()).prop_map(|(after, steps)| Step::Timeout(after, steps)),
            1 => steps().prop_map(Step::Mask),
            1 => steps().prop_map(Step::Catch),
        ]
    });
    prop::collection::vec(step, 0..8)
}

/// Who can be killed, and by what.
struct Node {
    /// Somebody has killed it by its name.
    targeted: Cell<bool>,
    /// The scope that it runs in; none for the root.
    home: Option<Rc<Home>>,
    /// How many timeouts are around what it does.
    timeouts: Cell<usize>,
}

/// One scope, as the test sees it.
struct Home {
    parent: Rc<Node>,
    /// The one in whose closure, or in whose child, this one was opened.
    around: Option<Rc<Home>>,
    /// A timeout around it can end it.
    timeouts: usize,
    /// A child has panicked.
    failed: Cell<bool>,
    /// Its closure was left by unwinding.
    left: Cell<bool>,
    /// Children whose destructors have not run.
    living: Cell<usize>,
    names: RefCell<Vec<AnyGreenThread>>,
}

impl Node {
    fn may_be_killed(&self) -> bool {
        let home = self.home.as_ref();
        self.targeted.get() || home.is_some_and(|home| home.is_ending())
    }
}

impl Home {
    fn is_ending(&self) -> bool {
        let around = self.around.as_ref();
        let itself = self.failed.get() || self.left.get() || self.timeouts > 0;
        itself || self.parent.may_be_killed() || around.is_some_and(|home| home.is_ending())
    }
}

thread_local! {
    /// What went wrong first: most of the checks are in destructors, which must not panic.
    static FAULT: Cell<Option<&'static str>> = const { Cell::new(None) };
}

fn check(holds: bool, fault: &'static str) {
    if !holds {
        FAULT.set(FAULT.get().or(Some(fault)));
    }
}

#[derive(Default)]
struct World {
    everybody: RefCell<Vec<(AnyGreenThread, Rc<Node>)>>,
    begun: Cell<usize>,
    ended: Cell<usize>,
}

/// What the children borrow.
struct Data(Vec<u8>);

impl Data {
    fn check(&self) {
        check(self.0.iter().all(|&n| n == 7), "what was borrowed is gone");
    }
}

/// Lives as long as a child, also one that never runs.
struct Life<'a> {
    world: &'a World,
    data: &'a Data,
    home: Rc<Home>,
    node: Rc<Node>,
    /// It has run to its end, or ended itself by a panic.
    over: Cell<bool>,
}

impl Drop for Life<'_> {
    fn drop(&mut self) {
        self.data.check();
        let may_be_killed = self.node.may_be_killed();
        check(self.over.get() || may_be_killed, "killed by nobody");
        // A destructor that waits, where it can, and may be killed there.
        let _ = catch_unwind(green::yield_now);
        self.data.check();
        self.world.ended.set(self.world.ended.get() + 1);
        self.home.living.set(self.home.living.get() - 1);
    }
}

/// What holds when a scope has been left, by whatever way.
struct Left<'a>(&'a Home);

impl Drop for Left<'_> {
    fn drop(&mut self) {
        check(self.0.living.get() == 0, "destructors have not run");
        let names = self.0.names.borrow();
        check(names.iter().all(AnyGreenThread::is_dead), "children live");
    }
}

/// Notes that the closure of a scope is unwound.
struct Body<'a>(&'a Home, bool);

impl Drop for Body<'_> {
    fn drop(&mut self) {
        self.0.left.set(!self.1);
    }
}

/// Where the steps run: the scope that they spawn into, and one around it.
#[derive(Clone, Copy)]
struct Here<'scope, 'env> {
    s: &'scope Scope<'scope, 'env>,
    home: &'scope Rc<Home>,
    data: &'scope Data,
    world: &'scope World,
}

/// Spawns into the scope around.
type SpawnThere<'a> = dyn Fn(&[Step]) + 'a;

fn open(
    steps: &[Step],
    world: &World,
    parent: &Rc<Node>,
    outside: Option<(&Rc<Home>, &SpawnThere)>,
) {
    let home = Rc::new(Home {
        parent: Rc::clone(parent),
        around: outside.map(|(home, _)| Rc::clone(home)),
        timeouts: parent.timeouts.get(),
        failed: Cell::new(false),
        left: Cell::new(false),
        living: Cell::new(0),
        names: RefCell::new(Vec::new()),
    });
    let data = Data(vec![7; 100]);
    let left = Left(&home);
    let result = scope(|s| {
        let mut body = Body(&home, false);
        let here = Here {
            s,
            home: &home,
            data: &data,
            world,
        };
        run(here, steps, parent, outside.map(|(_, spawn)| spawn));
        body.1 = true;
    });
    drop(left);
    match result {
        Ok(()) => assert!(!home.failed.get(), "the panic of a child is lost"),
        Err(Exit::Panicked(panic)) => {
            assert!(home.failed.get());
            assert_eq!(
                panic.take_payload().unwrap().downcast_ref(),
                Some(&SCRIPTED)
            );
        }
        Err(exit) => panic!("{exit}"),
    }
}

const SCRIPTED: &str = "scripted";

fn spawn<'scope>(
    here: Here<'scope, '_>,
    steps: &[Step],
) -> (ScopedGreenThread<'scope, ()>, Rc<Node>) {
    let Here {
        home, data, world, ..
    } = here;
    let node = Rc::new(Node {
        targeted: Cell::new(false),
        home: Some(Rc::clone(home)),
        timeouts: Cell::new(0),
    });
    let life = Life {
        world,
        data,
        home: Rc::clone(home),
        node: Rc::clone(&node),
        over: Cell::new(false),
    };
    world.begun.set(world.begun.get() + 1);
    home.living.set(home.living.get() + 1);
    let steps = steps.to_vec();
    let gt = here.s.spawn({
        let node = Rc::clone(&node);
        move || {
            let life = life;
            let ran = catch_unwind(AssertUnwindSafe(|| run(here, &steps, &node, None)));
            data.check();
            match ran {
                Ok(()) => life.over.set(true),
                Err(payload) => {
                    if payload.is::<&str>() {
                        life.over.set(true);
                        home.failed.set(true);
                    }
                    resume_unwind(payload);
                }
            }
        }
    });
    home.names.borrow_mut().push(gt.as_any().clone());
    let named = (gt.as_any().clone(), Rc::clone(&node));
    world.everybody.borrow_mut().push(named);
    (gt, node)
}

fn run<'scope>(
    here: Here<'scope, '_>,
    steps: &[Step],
    node: &Rc<Node>,
    outside: Option<&SpawnThere>,
) {
    let mut handles: Vec<(ScopedGreenThread<'scope, ()>, Rc<Node>)> = Vec::new();
    for step in steps {
        let pick = |n: usize| n.checked_rem(handles.len());
        match step {
            Step::Yield => green::yield_now(),
            Step::Sleep(n) => green::sleep(Duration::from_millis(*n)),
            Step::Panic => resume_unwind(Box::new(SCRIPTED)),
            Step::Spawn(steps, true) if outside.is_some() => {
                outside.unwrap()(steps);
            }
            Step::Spawn(steps, _) => handles.push(spawn(here, steps)),
            Step::Join(n) => {
                if let Some(at) = pick(*n) {
                    let (gt, target) = handles.remove(at);
                    match gt.join() {
                        Ok(()) => {}
                        Err(Exit::Panicked(_)) => assert!(here.home.failed.get()),
                        Err(_) => assert!(target.may_be_killed()),
                    }
                }
            }
            Step::Kill(n) => {
                if let Some(at) = pick(*n) {
                    handles[at].1.targeted.set(true);
                    handles[at].0.kill();
                }
            }
            Step::Drop(n) => drop(pick(*n).map(|at| handles.remove(at))),
            Step::KillAll => {
                let everybody = here.world.everybody.borrow();
                for (gt, target) in everybody.iter().filter(|(gt, _)| !gt.is_dead()) {
                    let is_mine = here.home.names.borrow().contains(gt);
                    target.targeted.set(target.targeted.get() || is_mine);
                }
                drop(everybody);
                here.s.killall();
            }
            Step::KillAny(n) => {
                let everybody = here.world.everybody.borrow();
                let Some(at) = n.checked_rem(everybody.len()) else {
                    continue;
                };
                let (gt, target) = everybody[at].clone();
                drop(everybody);
                target.targeted.set(true);
                gt.kill();
            }
            Step::Scope(steps) => {
                let spawn_here = |steps: &[Step]| drop(spawn(here, steps));
                open(steps, here.world, node, Some((here.home, &spawn_here)));
            }
            Step::Timeout(after, steps) => {
                struct Inside<'a>(&'a Node);
                impl Drop for Inside<'_> {
                    fn drop(&mut self) {
                        self.0.timeouts.set(self.0.timeouts.get() - 1);
                    }
                }
                node.timeouts.set(node.timeouts.get() + 1);
                let _inside = Inside(node);
                let timeout = Timeout::new(Duration::from_millis(*after));
                let _ = timeout.run(|| run(here, steps, node, outside));
            }
            Step::Mask(steps) => green::mask(|| run(here, steps, node, outside)),
            Step::Catch(steps) => {
                let _ = catch_unwind(AssertUnwindSafe(|| run(here, steps, node, outside)));
            }
        }
    }
}

fn play(seed: Option<u64>, steps: &[Step], kills: &[(u64, usize)]) {
    let test = || {
        let bystanders: Vec<_> = (0..3)
            .map(|n| {
                green::spawn(move || {
                    for _ in 0..10 {
                        green::sleep(Duration::from_millis(n));
                    }
                })
            })
            .collect();
        let world = Rc::new(World::default());
        let killer = green::spawn({
            let (world, kills) = (Rc::clone(&world), kills.to_vec());
            move || {
                for (after, n) in kills {
                    green::sleep(Duration::from_millis(after));
                    let everybody = world.everybody.borrow();
                    let Some(at) = n.checked_rem(everybody.len()) else {
                        continue;
                    };
                    let (gt, target) = everybody[at].clone();
                    drop(everybody);
                    target.targeted.set(true);
                    gt.kill();
                }
            }
        });
        let root = Rc::new(Node {
            targeted: Cell::new(false),
            home: None,
            timeouts: Cell::new(0),
        });
        let outcome = catch_unwind(AssertUnwindSafe(|| open(steps, &world, &root, None)));
        if let Err(payload) = outcome
            && payload.downcast_ref() != Some(&SCRIPTED)
        {
            resume_unwind(payload);
        }
        assert_eq!(FAULT.get(), None);
        assert_eq!(world.begun.get(), world.ended.get());
        for gt in bystanders {
            gt.join().unwrap();
        }
        killer.join().unwrap();
        let left = green::debug::counters();
        assert_eq!((left.greenthreads, left.timers), (1, 0), "left behind");
    };
    match seed {
        Some(seed) => green::sim::run(seed, test),
        None => green::sim::run_in_order(test),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::cases(1024)))]

    #[test]
    fn nothing_outlives_its_scope(
        seed in any::<Option<u64>>(),
        steps in steps(),
        kills in prop::collection::vec((0..20_u64, 0..64_usize), 0..6),
    ) {
        play(seed, &steps, &kills);
    }
}
