//! Maps over a pool under random delays, failures, kills and timeouts of the reader: every result once and at its
//! place, and no input taken before its time.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use green::{Exit, GreenPool};
use proptest::prelude::*;

/// How a call ends, after some milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Value,
    Panic,
    KillsItself,
}

#[derive(Clone, Copy, Debug)]
struct Task {
    millis: u64,
    fate: Fate,
}

fn tasks() -> impl Strategy<Value = Vec<Task>> {
    let fate =
        prop_oneof![4 => Just(Fate::Value), 1 => Just(Fate::Panic), 1 => Just(Fate::KillsItself)];
    let task = (0..6_u64, fate).prop_map(|(millis, fate)| Task { millis, fate });
    prop::collection::vec(task, 0..20)
}

/// What is seen of a result: its number, or how it failed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    Value(usize),
    Panicked(String),
    Killed,
}

fn seen(result: Result<usize, Exit>) -> Seen {
    match result {
        Ok(number) => Seen::Value(number),
        Err(Exit::Panicked(panic)) => Seen::Panicked(panic.message().to_owned()),
        Err(_) => Seen::Killed,
    }
}

fn expected(tasks: &[Task], inputs_fail: bool) -> Vec<Seen> {
    let mut all: Vec<_> = tasks
        .iter()
        .enumerate()
        .map(|(number, task)| match task.fate {
            Fate::Value => Seen::Value(number),
            Fate::Panic => Seen::Panicked(format!("task {number}")),
            Fate::KillsItself => Seen::Killed,
        })
        .collect();
    if inputs_fail {
        all.push(Seen::Panicked("no more inputs".into()));
    }
    all
}

/// Counts the inputs that were taken and the calls that run.
#[derive(Default)]
struct Counts {
    taken: Cell<usize>,
    running: Cell<usize>,
    most: Cell<usize>,
}

struct Runs(Rc<Counts>);

impl Runs {
    fn new(counts: &Rc<Counts>) -> Runs {
        counts.running.set(counts.running.get() + 1);
        counts.most.set(counts.most.get().max(counts.running.get()));
        Runs(Rc::clone(counts))
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        self.0.running.set(self.0.running.get() - 1);
    }
}

/// Reads all, with the timeouts in turn, and checks at each step how far ahead the map is.
fn read(
    mut next: impl FnMut(Duration) -> Result<Option<Result<usize, Exit>>, green::Elapsed>,
    timeouts: &[u64],
    size: usize,
    counts: &Counts,
) -> Vec<Seen> {
    let mut all = Vec::new();
    let mut timeouts = timeouts.iter().cycle();
    loop {
        let timeout = Duration::from_millis(2 * timeouts.next().unwrap() + 1);
        match next(timeout) {
            Ok(Some(result)) => all.push(seen(result)),
            Ok(None) => return all,
            Err(_) => {}
        }
        let ahead = counts.taken.get() - all.len().min(counts.taken.get());
        assert!(ahead <= size + 1, "{ahead} inputs ahead with {size} places");
        assert!(
            counts.most.get() <= size,
            "{} ran in {size} places",
            counts.most.get()
        );
    }
}

fn run(
    tasks: &[Task],
    inputs_fail: bool,
    size: usize,
    timeouts: &[u64],
    ordered: bool,
) -> Vec<Seen> {
    green::sim::run_in_order(|| {
        green::debug::hub_exceptions(false);
        let (pool, counts) = (GreenPool::new(size), Rc::new(Counts::default()));
        let taken = Rc::clone(&counts);
        let owned = tasks.to_vec();
        let mut rest = owned.into_iter().enumerate();
        let inputs = std::iter::from_fn(move || {
            let next = rest.next();
            assert!(next.is_some() || !inputs_fail, "no more inputs");
            taken
                .taken
                .set(taken.taken.get() + usize::from(next.is_some()));
            next
        });
        let runs = Rc::clone(&counts);
        let call = move |(number, task): (usize, Task)| {
            let _runs = Runs::new(&runs);
            green::sleep(Duration::from_millis(2 * task.millis));
            match task.fate {
                Fate::Value => {}
                Fate::Panic => panic!("task {number}"),
                Fate::KillsItself => green::current().kill(),
            }
            number
        };
        let all = if ordered {
            let mut map = pool.imap(call, inputs);
            read(|timeout| map.next_timeout(timeout), timeouts, size, &counts)
        } else {
            let mut map = pool.imap_unordered(call, inputs);
            read(|timeout| map.next_timeout(timeout), timeouts, size, &counts)
        };
        pool.waitall().unwrap();
        assert_eq!((pool.running(), counts.running.get()), (0, 0));
        assert_eq!(pool.free(), size.cast_signed());
        assert_eq!(counts.taken.get(), tasks.len());
        all
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_map_gives_every_result_at_its_place(
        tasks in tasks(),
        inputs_fail in any::<bool>(),
        size in 1..5_usize,
        timeouts in prop::collection::vec(0..6_u64, 1..5),
    ) {
        let all = run(&tasks, inputs_fail, size, &timeouts, true);
        prop_assert_eq!(all, expected(&tasks, inputs_fail));
    }

    #[test]
    fn an_unordered_map_gives_every_result_once(
        tasks in tasks(),
        inputs_fail in any::<bool>(),
        size in 1..5_usize,
        timeouts in prop::collection::vec(0..6_u64, 1..5),
    ) {
        let (mut all, mut expected) =
            (run(&tasks, inputs_fail, size, &timeouts, false), expected(&tasks, inputs_fail));
        all.sort();
        expected.sort();
        prop_assert_eq!(all, expected);
    }
}
