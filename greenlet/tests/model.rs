//! Random scripts of what greenlets can do to each other, against a plain model.
//!
//! All greenlets, and main, take the next step of one script whenever they are the one that runs. Each writes down what
//! came of its steps, and who was alive then. The model works the same out with a table.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use greenlet::{AnyGreenlet, Greenlet, GreenletExit, ParentError, SwitchError};
use greenlet::{main_greenlet, stats};
use proptest::prelude::*;

/// Greenlets in a script, with main, which is number 0.
const MOST: usize = 8;

#[derive(Debug, Clone, Copy)]
enum Step {
    New,
    Switch(usize, u32),
    /// With a type that nobody waits for.
    SwitchWrong(usize),
    /// Caught at the switch by those who do, unless it is an exit.
    Throw(usize, Thrown),
    Return(u32),
    Raise(Thrown),
    Drop(usize),
    SetParent(usize, usize),
    /// From now on this greenlet catches what comes out of its switches, or does not.
    Catch(bool),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Thrown {
    Exit,
    Number(u32),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Came {
    Started(u32),
    Value(u32),
    Exit,
    Caught(Thrown),
    Wrong,
    Parent(Result<(), ParentError>),
    Nothing,
}

/// Who writes, what came, who is alive.
type Line = (usize, Came, Vec<bool>);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = 0..MOST;
    let thrown = prop_oneof![Just(Thrown::Exit), (0..100u32).prop_map(Thrown::Number),];
    let step = prop_oneof![
        4 => Just(Step::New),
        8 => (who.clone(), any::<u32>()).prop_map(|(to, v)| Step::Switch(to, v)),
        1 => who.clone().prop_map(Step::SwitchWrong),
        3 => (who.clone(), thrown.clone()).prop_map(|(to, t)| Step::Throw(to, t)),
        1 => any::<u32>().prop_map(Step::Return),
        1 => thrown.prop_map(Step::Raise),
        3 => who.clone().prop_map(Step::Drop),
        3 => (who.clone(), who).prop_map(|(a, b)| Step::SetParent(a, b)),
        2 => any::<bool>().prop_map(Step::Catch),
    ];
    prop::collection::vec(step, 1..80)
}

// The real thing.

struct World {
    steps: Vec<Step>,
    at: Cell<usize>,
    made: Cell<usize>,
    handles: RefCell<[Option<Greenlet<u32, u32>>; MOST]>,
    alive: RefCell<[bool; MOST]>,
    log: RefCell<Vec<Line>>,
}

/// In a greenlet's closure, then on its stack.
struct Alive(Rc<World>, usize);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.alive.borrow_mut()[self.1] = false;
    }
}

fn raise(thrown: Thrown) -> ! {
    match thrown {
        Thrown::Exit => resume_unwind(Box::new(GreenletExit)),
        Thrown::Number(n) => resume_unwind(Box::new(n)),
    }
}

impl World {
    fn handle(&self, i: usize) -> Option<Greenlet<u32, u32>> {
        if i == 0 {
            return Some(main_greenlet().typed());
        }
        self.handles.borrow()[i].clone()
    }

    fn write(&self, me: usize, came: Came) {
        let alive = self.alive.borrow().to_vec();
        self.log.borrow_mut().push((me, came, alive));
    }

    /// Writes down what comes out of a switch. What is not caught goes on.
    fn outcome(&self, me: usize, catch: bool, f: impl FnOnce() -> Result<u32, SwitchError>) {
        let came = match catch_unwind(AssertUnwindSafe(f)) {
            Ok(Ok(value)) => Came::Value(value),
            Ok(Err(SwitchError::Exit(_))) => Came::Exit,
            Ok(Err(SwitchError::Unwinding | SwitchError::Ending)) => {
                unreachable!("nobody unwinds here")
            }
            Err(payload) => match payload.downcast_ref::<u32>() {
                Some(&n) if catch => Came::Caught(Thrown::Number(n)),
                None if me == 0 && payload.is::<GreenletExit>() => Came::Caught(Thrown::Exit),
                _ => resume_unwind(payload),
            },
        };
        self.write(me, came);
    }

    /// Takes steps as greenlet `me`, until it ends or there are no more.
    fn run(self: &Rc<World>, me: usize) -> u32 {
        let mut catch = me == 0;
        loop {
            let at = self.at.replace(self.at.get() + 1);
            let Some(&step) = self.steps.get(at) else {
                if me == 0 {
                    return 0;
                }
                raise(Thrown::Exit);
            };
            match step {
                Step::New if self.made.get() < MOST => {
                    let i = self.made.replace(self.made.get() + 1);
                    self.alive.borrow_mut()[i] = true;
                    let alive = Alive(self.clone(), i);
                    let greenlet = Greenlet::new(move |value| {
                        let alive = alive;
                        alive.0.write(i, Came::Started(value));
                        alive.0.run(i)
                    });
                    self.handles.borrow_mut()[i] = Some(greenlet);
                    self.write(me, Came::Nothing);
                }
                Step::Switch(to, value) => {
                    if let Some(to) = self.handle(to) {
                        self.outcome(me, catch, || to.switch_into(value));
                    }
                }
                Step::SwitchWrong(to) => {
                    if let Some(to) = self.handle(to) {
                        let wrong = || AnyGreenlet::from(to).switch_into::<u8, u32>(0);
                        let error = catch_unwind(AssertUnwindSafe(wrong)).unwrap_err();
                        assert!(error.is::<String>());
                        self.write(me, Came::Wrong);
                    }
                }
                Step::Throw(to, thrown) => {
                    if let Some(to) = self.handle(to) {
                        // The handle goes before the outcome is written down.
                        self.outcome(me, catch, move || match thrown {
                            Thrown::Exit => to.throw(GreenletExit),
                            Thrown::Number(n) => to.throw(n),
                        });
                    }
                }
                Step::Return(value) if me != 0 => return value,
                Step::Raise(thrown) if me != 0 => raise(thrown),
                Step::Drop(i) => {
                    let handle = self.handles.borrow_mut()[i].take();
                    drop(handle);
                    self.write(me, Came::Nothing);
                }
                Step::SetParent(child, parent) => {
                    if let (Some(child), Some(parent)) = (self.handle(child), self.handle(parent)) {
                        let result = child.set_parent(parent.as_any());
                        drop((child, parent));
                        self.write(me, Came::Parent(result));
                    }
                }
                Step::Catch(on) if me != 0 => catch = on,
                _ => {}
            }
        }
    }
}

/// What was written, and how many stacks are left when all handles are gone.
fn play(steps: &[Step]) -> (Vec<Line>, usize) {
    let world = Rc::new(World {
        steps: steps.to_vec(),
        at: Cell::new(0),
        made: Cell::new(1),
        handles: RefCell::default(),
        alive: RefCell::default(),
        log: RefCell::default(),
    });
    world.run(0);
    for i in 1..MOST {
        let handle = world.handles.borrow_mut()[i].take();
        drop(handle);
    }
    // A switch outside any panic ends those whose end was put off.
    let _ = Greenlet::new(|()| ()).switch(());
    let log = world.log.borrow().clone();
    (log, stats().stacks)
}

// The model.

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Unborn,
    Unstarted,
    Running,
    Suspended,
    Dead,
    Freed,
}

struct Model {
    state: [State; MOST],
    parent: [usize; MOST],
    handle: [bool; MOST],
    catch: [bool; MOST],
    /// The one that a suspended thrower still has a handle of.
    holds: [Option<usize>; MOST],
    current: usize,
    made: usize,
    log: Vec<Line>,
}

impl Model {
    fn write(&mut self, me: usize, came: Came) {
        self.collect();
        let alive = |s: &State| matches!(s, State::Unstarted | State::Running | State::Suspended);
        let mut all: Vec<bool> = self.state.iter().map(alive).collect();
        all[0] = false;
        self.log.push((me, came, all));
    }

    /// Ends those that nobody can reach: by no handle, no child, no thrower.
    fn collect(&mut self) {
        loop {
            let kept = |i: usize| {
                self.handle[i]
                    || self.holds.contains(&Some(i))
                    || (1..MOST).any(|c| {
                        self.parent[c] == i
                            && !matches!(self.state[c], State::Unborn | State::Freed)
                    })
            };
            let lost = (1..MOST).find(|&i| {
                use State::{Dead, Suspended, Unstarted};
                matches!(self.state[i], Unstarted | Suspended | Dead) && !kept(i)
            });
            let Some(lost) = lost else { return };
            self.holds[lost] = None;
            self.state[lost] = State::Freed;
        }
    }

    /// The nearest that is not dead, `i` or an ancestor.
    fn living(&self, mut i: usize) -> usize {
        while self.state[i] == State::Dead {
            i = self.parent[i];
        }
        i
    }

    fn suspend(&mut self) {
        self.state[self.current] = State::Suspended;
    }

    fn wake(&mut self, i: usize) {
        self.state[i] = State::Running;
        self.holds[i] = None;
        self.current = i;
    }

    fn give(&mut self, to: usize, value: u32) {
        let came = match self.state[to] {
            State::Unstarted => Came::Started(value),
            _ => Came::Value(value),
        };
        self.wake(to);
        self.write(to, came);
    }

    /// Raises something in a greenlet, from where it goes up until it is caught.
    fn raise(&mut self, at: usize, thrown: Thrown) {
        let unstarted = self.state[at] == State::Unstarted;
        self.wake(at);
        let caught = match thrown {
            _ if at == 0 => true,
            Thrown::Exit => false,
            Thrown::Number(_) => self.catch[at] && !unstarted,
        };
        if caught {
            self.write(at, Came::Caught(thrown));
        } else {
            self.end(at, Err(thrown));
        }
    }

    fn end(&mut self, who: usize, result: Result<u32, Thrown>) {
        self.state[who] = State::Dead;
        let heir = self.living(who);
        match result {
            Ok(value) => self.give(heir, value),
            Err(Thrown::Exit) if self.state[heir] == State::Unstarted => {
                self.end(heir, Err(Thrown::Exit));
            }
            Err(Thrown::Exit) => {
                self.wake(heir);
                self.write(heir, Came::Exit);
            }
            Err(thrown) => self.raise(heir, thrown),
        }
    }

    fn step(&mut self, step: Step) {
        let me = self.current;
        let known = |i: usize| i == 0 || self.handle[i];
        match step {
            Step::New if self.made < MOST => {
                let i = self.made;
                self.made += 1;
                self.state[i] = State::Unstarted;
                self.parent[i] = me;
                self.handle[i] = true;
                self.write(me, Came::Nothing);
            }
            Step::Switch(to, value) if known(to) => {
                self.suspend();
                let to = self.living(to);
                self.give(to, value);
            }
            Step::SwitchWrong(to) if known(to) => self.write(me, Came::Wrong),
            Step::Throw(to, thrown) if known(to) => {
                if self.state[to] != State::Dead {
                    self.suspend();
                    self.holds[me] = Some(to).filter(|&to| to != 0);
                    self.raise(to, thrown);
                } else if thrown == Thrown::Exit {
                    self.write(me, Came::Exit);
                } else {
                    self.raise(me, thrown);
                }
            }
            Step::Return(value) if me != 0 => self.end(me, Ok(value)),
            Step::Raise(thrown) if me != 0 => self.end(me, Err(thrown)),
            Step::Drop(i) => {
                self.handle[i] = false;
                self.write(me, Came::Nothing);
            }
            Step::SetParent(child, parent) if known(child) && known(parent) => {
                let result = if child == 0 {
                    Err(ParentError::Main)
                } else if self.descends(parent, child) {
                    Err(ParentError::Cycle)
                } else {
                    self.parent[child] = parent;
                    Ok(())
                };
                self.write(me, Came::Parent(result));
            }
            Step::Catch(on) if me != 0 => self.catch[me] = on,
            _ => {}
        }
    }

    fn descends(&self, mut i: usize, from: usize) -> bool {
        while i != from && i != 0 {
            i = self.parent[i];
        }
        i == from
    }
}

fn work_out(steps: &[Step]) -> (Vec<Line>, usize) {
    let mut model = Model {
        state: [State::Unborn; MOST],
        parent: [0; MOST],
        handle: [false; MOST],
        catch: [false; MOST],
        holds: [None; MOST],
        current: 0,
        made: 1,
        log: Vec::new(),
    };
    model.state[0] = State::Running;
    for &step in steps {
        model.step(step);
    }
    while model.current != 0 {
        model.end(model.current, Err(Thrown::Exit));
    }
    model.handle = [false; MOST];
    model.collect();
    let left = model.state.iter().skip(1);
    let left = left
        .filter(|s| !matches!(s, State::Unborn | State::Freed))
        .count();
    (model.log, left)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn greenlets_do_what_the_model_says(steps in steps()) {
        // On a thread of its own: what a script leaves suspended ends with it.
        let script = steps.clone();
        std::panic::set_hook(Box::new(|_| ()));
        let played = std::thread::spawn(move || play(&script)).join();
        let _ = std::panic::take_hook();
        let (log, left) = match played {
            Ok(result) => result,
            Err(payload) => resume_unwind(payload),
        };
        let (expected, expected_left) = work_out(&steps);
        let what = |log: &[Line]| log.iter().map(|(who, came, _)| (*who, *came)).collect::<Vec<_>>();
        prop_assert_eq!(what(&log), what(&expected), "{:#?}", steps);
        // One whose last handle goes while a panic passes lives on until the next switch, which the model does not
        // know. It may be late, never early.
        for ((_, _, alive), (_, _, kept)) in log.iter().zip(&expected) {
            let early = alive.iter().zip(kept).any(|(alive, kept)| *kept && !alive);
            prop_assert!(!early, "{:?}, not {:?}: {:#?}", alive, kept, steps);
        }
        prop_assert_eq!(left, expected_left, "stacks of {:#?}", steps);
    }
}
