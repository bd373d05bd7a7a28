//! What is measured, and which runtime has it.

use std::io;

use crate::primitives;
use crate::{bare, on_context, on_corosensei, on_green, on_greenlet, on_may, on_smol, on_tokio};

/// Takes one sample: a number for each value of the figure.
pub type Run = fn() -> Vec<f64>;

/// One figure, or a few that one run yields.
pub struct Figure {
    pub name: &'static str,
    pub group: &'static str,
    pub values: &'static [Value],
}

/// One line of a table, and what green is to stay below.
pub struct Value {
    pub title: &'static str,
    pub goal: Option<f64>,
}

const SWITCH: &str = "Context switch, ns";
const SCHEDULER: &str = "Scheduler, ns";
const PRIMITIVES: &str = "Primitives, ns";
const SLEEPERS: &str = "100,000 sleepers, delays from 0 to 1 s";
const PARKED: &str = "A million parked tasks";

#[rustfmt::skip]
pub const FIGURES: &[Figure] = &[
    figure("round-trip", SWITCH, &[value("round trip")]),
    figure("ring", SWITCH, &[value("task to task, ring of 1000")]),
    figure("make", SWITCH, &[value("make and finish, pooled stack")]),
    figure("yield-2", SCHEDULER, &[goal("yield, 2 tasks", 20.0)]),
    figure("yield-1000", SCHEDULER, &[goal("yield, 1000 tasks", 12.0)]),
    figure("spawn", SCHEDULER, &[goal("spawn and join, one by one", 60.0)]),
    figure("spawn-1000", SCHEDULER, &[goal("spawn and join, batches of 1000", 70.0)]),
    figure("channel-1", PRIMITIVES, &[goal("channel, capacity 1", 30.0)]),
    figure("channel-128", PRIMITIVES, &[goal("channel, capacity 128", 8.0)]),
    figure("semaphore", PRIMITIVES, &[value("semaphore, free")]),
    figure("semaphore-2", PRIMITIVES, &[value("semaphore, handed to a waiter")]),
    figure("lock", PRIMITIVES, &[value("lock, free")]),
    figure("lock-2", PRIMITIVES, &[value("lock, fought for, and a yield")]),
    figure("event", PRIMITIVES, &[value("event for one, and a yield")]),
    figure("event-100", PRIMITIVES, &[value("event for 100, each waiter")]),
    figure("timeout", PRIMITIVES, &[goal("timeout, around a yield", 60.0)]),
    figure("timeout-idle", PRIMITIVES, &[value("timeout, around nothing that waits")]),
    figure("sleepers", SLEEPERS, &[
        goal("CPU, s", 0.3),
        goal("lateness, median, ms", 0.2),
        goal("lateness, 99 of 100, ms", 6.0),
        goal("bytes a task", 4400.0),
    ]),
    figure("parked", PARKED, &[goal("bytes a task", 4506.0), goal("creation, CPU s", 2.5)]),
];

const fn figure(name: &'static str, group: &'static str, values: &'static [Value]) -> Figure {
    Figure {
        name,
        group,
        values,
    }
}

const fn value(title: &'static str) -> Value {
    Value { title, goal: None }
}

const fn goal(title: &'static str, goal: f64) -> Value {
    Value {
        title,
        goal: Some(goal),
    }
}

/// The figures that a runtime has, by name.
type Runs = &'static [(&'static str, Run)];

/// The runtimes and what each has.
#[rustfmt::skip]
pub const RUNTIMES: &[(&str, &[Runs])] = &[
    ("corosensei", &[on_corosensei::RUNS]),
    ("context", &[on_context::RUNS]),
    (on_greenlet::NAME, &[on_greenlet::RUNS]),
    ("bare pages", &[bare::RUNS]),
    ("tokio", &[on_tokio::RUNS, primitives::on_tokio::RUNS]),
    ("tokio LocalSet", &[on_tokio::LOCAL_RUNS, primitives::on_tokio::LOCAL_RUNS]),
    ("smol LocalExecutor", &[on_smol::RUNS]),
    ("may", &[on_may::RUNS, primitives::on_may::RUNS]),
    ("green", &[on_green::RUNS, primitives::on_green::RUNS]),
];

impl Figure {
    pub fn named(name: &str) -> io::Result<&'static Figure> {
        FIGURES
            .iter()
            .find(|figure| figure.name == name)
            .ok_or_else(|| {
                let names: Vec<_> = FIGURES.iter().map(|figure| figure.name).collect();
                io::Error::other(format!(
                    "there is no figure {name:?}, only {}",
                    names.join(", ")
                ))
            })
    }

    /// How this runtime takes a sample of it.
    pub fn of(&self, runtime: &str) -> Option<Run> {
        let (_, runs) = RUNTIMES.iter().find(|(name, _)| *name == runtime)?;
        let mut runs = runs.iter().copied().flatten();
        let (_, run) = runs.find(|(name, _)| *name == self.name)?;
        Some(*run)
    }
}
