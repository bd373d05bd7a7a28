//! Random races, two deep, with kills and deadlines wherever they wait: every item that was put is got once, or still in
//! its queue.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use green::select::race;
use green::{Queue, Timeout};
use proptest::prelude::*;

const QUEUES: usize = 3;

#[derive(Clone, Debug)]
enum Call {
    /// Gets from a queue.
    Get(usize),
    /// Lets the others run and then gets.
    Late(usize),
    Race(Vec<Call>, Option<u64>),
}

#[derive(Clone, Debug)]
enum Step {
    /// Spawns a greenthread that races, under a deadline.
    Spawn(Vec<Call>, Option<u64>, Option<u64>),
    Kill(usize),
    Put(usize),
    Yield,
    Advance(u64),
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let timeout = || prop::option::of(0..4_u64);
    let get = prop_oneof![
        3 => (0..QUEUES).prop_map(Call::Get),
        1 => (0..QUEUES).prop_map(Call::Late),
    ];
    let call = get.prop_recursive(2, 12, 3, move |call| {
        let calls = prop::collection::vec(call, 1..4);
        (calls, timeout()).prop_map(|(calls, timeout)| Call::Race(calls, timeout))
    });
    prop::collection::vec(call, 1..4)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let timeout = || prop::option::of(0..5_u64);
    let step = prop_oneof![
        4 => (calls(), timeout(), timeout()).prop_map(|(calls, own, outer)| Step::Spawn(calls, own, outer)),
        3 => any::<usize>().prop_map(Step::Kill),
        6 => (0..QUEUES).prop_map(Step::Put),
        3 => Just(Step::Yield),
        2 => (1..4_u64).prop_map(Step::Advance),
    ];
    prop::collection::vec(step, 0..40)
}

type Queues = Rc<[Queue<u32>; QUEUES]>;

fn run(queues: &Queues, call: &Call) -> Vec<u32> {
    match call {
        Call::Get(at) => vec![queues[*at].get().unwrap()],
        Call::Late(at) => {
            green::yield_now();
            vec![queues[*at].get().unwrap()]
        }
        Call::Race(calls, timeout) => race_all(queues, calls, *timeout),
    }
}

fn race_all(queues: &Queues, calls: &[Call], timeout: Option<u64>) -> Vec<u32> {
    let calls = calls.iter().cloned().map(|call| {
        let queues = Rc::clone(queues);
        move || run(&queues, &call)
    });
    let done = race(calls, timeout.map(Duration::from_millis));
    done.into_iter()
        .flat_map(|(_, items)| items.unwrap())
        .collect()
}

fn play(seed: Option<u64>, steps: &[Step]) {
    let test = || {
        let queues: Queues = Rc::default();
        let got = Rc::new(RefCell::new(Vec::new()));
        let (mut racing, mut put) = (Vec::new(), 0);
        for step in steps {
            match step {
                Step::Spawn(calls, own, outer) => {
                    let (queues, got) = (Rc::clone(&queues), Rc::clone(&got));
                    let (calls, own) = (calls.clone(), *own);
                    let outer = outer.map(Duration::from_millis);
                    racing.push(green::spawn(move || {
                        let items = Timeout::silent(outer, || race_all(&queues, &calls, own));
                        got.borrow_mut().extend(items.unwrap_or_default());
                    }));
                }
                Step::Kill(at) if !racing.is_empty() => racing[at % racing.len()].kill(),
                Step::Kill(_) => {}
                Step::Put(at) => {
                    queues[*at].put(put).unwrap();
                    put += 1;
                }
                Step::Yield => green::yield_now(),
                Step::Advance(by) => green::sleep(Duration::from_millis(*by)),
            }
        }
        green::killall(&racing);
        green::joinall(&racing);
        let mut all = got.take();
        for queue in &*queues {
            all.extend(std::iter::from_fn(|| queue.try_get().ok()));
        }
        all.sort_unstable();
        assert_eq!(all, (0..put).collect::<Vec<_>>());
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
    fn a_race_loses_nothing(seed in any::<Option<u64>>(), steps in steps()) {
        play(seed, &steps);
    }
}

#[test]
fn a_race_that_is_killed_gives_what_a_call_has_returned() {
    let queue = Rc::new(Queue::unbounded());
    let get = {
        let queue = Rc::clone(&queue);
        move || queue.get().unwrap()
    };
    let racing = green::spawn(move || {
        let items: Vec<_> = race([get], None);
        let item = items.into_iter().map(|(_, item)| item.unwrap()).next();
        // The kill arrives at the next wait.
        let next = std::panic::catch_unwind(green::yield_now);
        (item, next.is_err())
    });
    green::yield_now();
    green::yield_now();
    queue.put(1).unwrap();
    green::yield_now();
    racing.kill();
    assert_eq!(racing.join().unwrap(), (Some(1), true));
    assert_eq!(queue.qsize(), 0);
}
