//! Random programs of hostile code: destructors, payloads, hooks, thread-locals and functions at the thread's end that do
//! with greenlets what they like, at any depth, up to the end of the thread and beyond.
//!
//! What must hold whatever they do: each value is dropped at most once and from where it lies, nobody uses a thread-local
//! that is gone, everything comes to an end, and the same program does the same again. `tests/model.rs` says what plain
//! programs do. `make test-long` tries many more (`PROPTEST_CASES`), `make sanitize` under AddressSanitizer.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, Once, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use greenlet::{
    AnyGreenlet, Generator, Greenlet, GreenletExit, Local, SwitchError, at_thread_end, current,
    main_greenlet, per_thread, set_trace,
};
use proptest::prelude::*;

/// Handles that a program can name. Number 0 is main's.
const MOST: usize = 8;

/// How deep the steps of a greenlet may nest.
const DEPTH: u32 = 6;

/// Steps that a destructor takes.
const IN_DESTRUCTOR: usize = 3;

#[derive(Debug, Clone, Copy)]
enum Step {
    /// A greenlet, which owns something hostile or not.
    New(usize, bool),
    Switch(usize, u32),
    /// Hands over something hostile, which most do not wait for.
    Give(usize),
    Throw(usize, Thrown),
    Drop(usize),
    /// Keeps a handle in a thread-local.
    Keep(usize),
    Forget(usize),
    SetParent(usize, usize),
    Backtrace(usize),
    Suspend,
    Return(u32),
    Raise(Thrown),
    /// From now on this greenlet catches what comes out of its steps, or does not.
    Catch(bool),
    /// What follows up to `Leave` is done while something hostile is on the stack.
    Hold,
    /// What follows up to `Leave` is done while a thread-local is borrowed.
    Borrow(usize),
    /// The same inside a generator.
    Generate,
    Leave,
    /// A value of the greenlet's own that is hostile.
    Value,
    /// A thread-local with a hostile destructor.
    Register,
    AtEnd,
    Trace(bool),
}

#[derive(Debug, Clone, Copy)]
enum Thrown {
    Exit,
    Number(u32),
    Hostile,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = 0..MOST;
    let thrown = prop_oneof![
        2 => Just(Thrown::Exit),
        1 => (0..100u32).prop_map(Thrown::Number),
        1 => Just(Thrown::Hostile),
    ];
    let step = prop_oneof![
        8 => (1..MOST, any::<bool>()).prop_map(|(at, hostile)| Step::New(at, hostile)),
        16 => (who.clone(), any::<u32>()).prop_map(|(to, value)| Step::Switch(to, value)),
        3 => who.clone().prop_map(Step::Give),
        4 => (who.clone(), thrown.clone()).prop_map(|(to, thrown)| Step::Throw(to, thrown)),
        5 => who.clone().prop_map(Step::Drop),
        1 => who.clone().prop_map(Step::Keep),
        1 => who.clone().prop_map(Step::Forget),
        4 => (who.clone(), who.clone()).prop_map(|(a, b)| Step::SetParent(a, b)),
        2 => who.prop_map(Step::Backtrace),
        1 => Just(Step::Suspend),
        1 => any::<u32>().prop_map(Step::Return),
        1 => thrown.prop_map(Step::Raise),
        4 => any::<bool>().prop_map(Step::Catch),
        5 => Just(Step::Hold),
        3 => (0..2usize).prop_map(Step::Borrow),
        2 => Just(Step::Generate),
        5 => Just(Step::Leave),
        1 => Just(Step::Value),
        1 => Just(Step::Register),
        1 => Just(Step::AtEnd),
        1 => any::<bool>().prop_map(Step::Trace),
    ];
    prop::collection::vec(step, 1..150)
}

/// A program, and what became of it. It outlives its thread.
struct Program {
    steps: Vec<Step>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    at: usize,
    made: u64,
    live: HashSet<u64>,
    log: Vec<String>,
    faults: Vec<String>,
}

per_thread! {
    static PROGRAM: RefCell<Weak<Program>> = RefCell::new(Weak::new());
    static HANDLES: RefCell<[Option<Greenlet<u32, u32>>; MOST]> = RefCell::new([const { None }; MOST]);
}

/// `f` runs nothing of a greenlet.
fn with<R>(f: impl FnOnce(&Program, &mut State) -> R) -> R {
    let program = PROGRAM.with(|program| program.borrow().upgrade());
    let program = program.expect("the program outlives its thread");
    let mut state = program.state.lock().unwrap_or_else(PoisonError::into_inner);
    f(&program, &mut state)
}

fn log(line: String) {
    with(|_, state| state.log.push(line));
}

fn fault(what: String) {
    with(|_, state| state.faults.push(what));
}

fn next_step() -> Option<Step> {
    with(|program, state| {
        state.at += 1;
        program.steps.get(state.at - 1).copied()
    })
}

const MAGIC: u64 = 0x6772_6565_6e6c_6574;

/// A value that takes steps while it is dropped.
struct Hostile {
    number: u64,
    /// On the heap: freed memory is seen by the sanitizer.
    magic: Box<Cell<u64>>,
}

impl Hostile {
    fn new() -> Hostile {
        let number = with(|_, state| {
            state.made += 1;
            state.live.insert(state.made);
            state.made
        });
        let magic = Box::new(Cell::new(MAGIC));
        Hostile { number, magic }
    }

    fn check(&self, when: &str) {
        if self.magic.get() != MAGIC {
            fault(format!("{} was overwritten {when}", self.number));
        }
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        let number = self.number;
        if !with(|_, state| state.live.remove(&number)) {
            fault(format!("{number} is dropped twice"));
        }
        self.check("before it is dropped");
        run_some();
        self.check("while it is dropped");
        self.magic.set(0);
    }
}

/// A few steps of code that is called in between.
fn run_some() {
    run(&mut Frame {
        catch: false,
        depth: DEPTH - 1,
        left: IN_DESTRUCTOR,
    });
}

struct Noticed {
    magic: Cell<u64>,
}

impl Drop for Noticed {
    fn drop(&mut self) {
        self.magic.set(0);
    }
}

thread_local! {
    static FIRST: Noticed = const { Noticed { magic: Cell::new(MAGIC) } };
    static SECOND: Noticed = const { Noticed { magic: Cell::new(MAGIC) } };
    static KEPT: RefCell<Vec<AnyGreenlet>> = const { RefCell::new(Vec::new()) };
    static REGISTERED: RefCell<Option<AtDeath>> = const { RefCell::new(None) };
}

/// Takes steps while its thread-local is destroyed.
struct AtDeath;

impl Drop for AtDeath {
    fn drop(&mut self) {
        // A panic here would end the process, as std promises.
        drop_quietly(catch_unwind(run_some));
    }
}

/// Looks at a thread-local when it is dropped.
struct Looks<'a>(&'a Noticed);

impl Drop for Looks<'_> {
    fn drop(&mut self) {
        if self.0.magic.get() != MAGIC {
            fault("a thread-local is borrowed that is gone".to_owned());
        }
    }
}

static VALUE: Local<RefCell<Option<Hostile>>> = Local::new(|| RefCell::new(None));

/// Drops what was caught, however often that raises something again.
fn drop_quietly<T>(mut outcome: thread::Result<T>) {
    while let Err(payload) = outcome {
        outcome = match catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            Ok(()) => return,
            Err(next) => Err(next),
        };
    }
}

fn handle(i: usize) -> Option<Greenlet<u32, u32>> {
    if i == 0 {
        return Some(main_greenlet().typed());
    }
    HANDLES.with(|handles| handles.borrow()[i].clone())
}

fn take(i: usize) -> Option<Greenlet<u32, u32>> {
    HANDLES.with(|handles| handles.borrow_mut()[i].take())
}

/// Where a greenlet is among its steps.
struct Frame {
    catch: bool,
    depth: u32,
    left: usize,
}

impl Frame {
    fn inner(&self) -> Frame {
        Frame {
            catch: self.catch,
            depth: self.depth + 1,
            left: usize::MAX,
        }
    }

    /// Does something from which anything may come.
    fn attempt(&self, what: &str, f: impl FnOnce() -> Result<u32, SwitchError>) {
        let outcome = catch_unwind(AssertUnwindSafe(f));
        let line = match &outcome {
            Ok(result) => format!("{what}: {result:?}"),
            Err(payload) => match payload.downcast_ref::<u32>() {
                Some(number) => format!("{what}: raised {number}"),
                None => format!("{what}: raised"),
            },
        };
        log(line);
        match outcome {
            Ok(_) => {}
            Err(payload) if self.catch || thread::panicking() => drop_quietly::<()>(Err(payload)),
            Err(payload) => resume_unwind(payload),
        }
    }
}

fn raise(thrown: Thrown) {
    if thread::panicking() {
        return;
    }
    match thrown {
        Thrown::Exit => resume_unwind(Box::new(GreenletExit)),
        Thrown::Number(number) => resume_unwind(Box::new(number)),
        Thrown::Hostile => resume_unwind(Box::new(Hostile::new())),
    }
}

/// Takes steps until `Leave`, `Return` with its value, or the end of the program.
fn run(frame: &mut Frame) -> Option<u32> {
    while frame.left > 0 {
        frame.left -= 1;
        let step = next_step()?;
        match step {
            Step::Leave => return None,
            Step::Return(value) => return Some(value),
            Step::Catch(on) => frame.catch = on,
            Step::Hold | Step::Borrow(_) | Step::Generate if frame.depth < DEPTH => {
                nest(frame, step)?;
            }
            step => take_step(frame, step),
        }
    }
    None
}

/// Steps that are taken inside something. `None` goes on in the outer ones.
#[inline(never)]
fn nest(frame: &mut Frame, step: Step) -> Option<()> {
    let mut inner = frame.inner();
    match step {
        Step::Hold => {
            let held = Hostile::new();
            run(&mut inner);
            held.check("on the stack");
        }
        Step::Borrow(which) => {
            let key = if which == 0 { &FIRST } else { &SECOND };
            let _ = key.try_with(|noticed| {
                let _looks = Looks(noticed);
                run(&mut inner);
            });
        }
        _ => frame.attempt("a generator", || {
            let numbers = Generator::new(move |y| {
                y.give(1);
                let value = run(&mut inner).unwrap_or(0);
                y.give(value);
            });
            Ok(numbers.take(2).sum())
        }),
    }
    Some(())
}

#[inline(never)]
fn take_step(frame: &mut Frame, step: Step) {
    match step {
        Step::New(at, hostile) => make(at, hostile),
        Step::Switch(to, value) => {
            if let Some(to) = handle(to) {
                frame.attempt("switch", || to.switch_into(value));
            }
        }
        Step::Give(to) => {
            if let Some(to) = handle(to) {
                let to = AnyGreenlet::from(to);
                frame.attempt("give", || to.switch_into(Hostile::new()));
            }
        }
        Step::Throw(to, thrown) => {
            if let Some(to) = handle(to) {
                frame.attempt("throw", || match thrown {
                    Thrown::Exit => to.throw(GreenletExit),
                    Thrown::Number(number) => to.throw(number),
                    Thrown::Hostile => to.throw(Hostile::new()),
                });
            }
        }
        Step::Suspend => frame.attempt("suspend", || greenlet::suspend().map(|()| 0)),
        Step::Raise(thrown) => raise(thrown),
        Step::Backtrace(of) => {
            if let Some(of) = handle(of) {
                let found = of.backtrace().is_some();
                log(format!("backtrace: {found}"));
            }
        }
        step => frame.attempt("an act", || {
            act(step);
            Ok(0)
        }),
    }
}

fn make(at: usize, hostile: bool) {
    let owned = hostile.then(Hostile::new);
    let made = greenlet::Builder::new().build(move |value: u32| {
        let owned = owned;
        log(format!("{at} starts with {value}"));
        let value = run(&mut Frame {
            catch: false,
            depth: 0,
            left: usize::MAX,
        });
        if let Some(owned) = &owned {
            owned.check("in the closure");
        }
        value.unwrap_or(7)
    });
    match made {
        Ok(made) => {
            let before = HANDLES.with(|handles| handles.borrow_mut()[at].replace(made));
            drop(before);
        }
        Err(error) => log(format!("no greenlet: {error}")),
    }
}

fn act(step: Step) {
    match step {
        Step::Drop(i) => drop(take(i)),
        Step::Keep(i) => {
            if let Some(kept) = take(i) {
                let _ = KEPT.try_with(|all| all.borrow_mut().push(kept.into()));
            }
        }
        Step::Forget(i) => std::mem::forget(take(i)),
        Step::SetParent(child, parent) => {
            if let (Some(child), Some(parent)) = (handle(child), handle(parent)) {
                let result = child.set_parent(parent.as_any());
                log(format!("parent: {result:?}"));
            }
        }
        Step::Value => VALUE.with(|value| drop(value.replace(Some(Hostile::new())))),
        Step::Register => {
            let _ = REGISTERED.try_with(|registered| registered.replace(Some(AtDeath)));
        }
        Step::AtEnd => {
            let owned = Hostile::new();
            at_thread_end(move |end| {
                log(format!("{end:?}"));
                owned.check("in a function of the thread's end");
                run_some();
            });
        }
        Step::Trace(on) => {
            let hook = on.then(|| {
                let owned = Hostile::new();
                let hook: greenlet::TraceHook = Box::new(move |_, from, to| {
                    owned.check("in a hook");
                    log(format!("{} to {}", from.id(), to.id()));
                    assert!(to.is_current() || current() != *to);
                    run_some();
                });
                hook
            });
            drop(set_trace(hook));
        }
        other => unreachable!("{other:?} is none of these"),
    }
}

/// Runs a program in a thread of its own: the log, and what was wrong.
fn play(steps: &[Step]) -> (Vec<String>, Vec<String>) {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| std::panic::set_hook(Box::new(|_| ())));
    let program = Arc::new(Program {
        steps: steps.to_vec(),
        state: Mutex::default(),
    });
    let weak = Arc::downgrade(&program);
    let thread = thread::spawn(move || {
        PROGRAM.with(|program| program.replace(weak));
        loop {
            let mut frame = Frame {
                catch: true,
                depth: 0,
                left: usize::MAX,
            };
            drop_quietly(catch_unwind(AssertUnwindSafe(|| run(&mut frame))));
            if with(|program, state| state.at > program.steps.len()) {
                break;
            }
        }
    });
    let watched = steps.to_vec();
    let (over, watch) = channel::<()>();
    let watcher = thread::spawn(move || {
        if watch.recv_timeout(Duration::from_secs(60)) == Err(RecvTimeoutError::Timeout) {
            eprintln!("a program does not end: {watched:#?}");
            std::process::abort();
        }
    });
    let joined = thread.join();
    drop(over);
    watcher.join().unwrap();
    let mut state = program.state.lock().unwrap_or_else(PoisonError::into_inner);
    if joined.is_err() {
        state.faults.push("the thread panicked".to_owned());
    }
    (
        std::mem::take(&mut state.log),
        std::mem::take(&mut state.faults),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 5000, ..ProptestConfig::default() })]

    #[test]
    fn hostile_programs_do_no_harm(steps in steps()) {
        let (log, faults) = play(&steps);
        prop_assert!(faults.is_empty(), "{faults:#?}: {steps:#?}");
        let (again, _) = play(&steps);
        prop_assert_eq!(log, again, "{:#?}", steps);
    }
}
