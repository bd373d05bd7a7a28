//! What is measured, and which runtime has it.

use std::io;

use crate::{on_context, on_corosensei, on_green, on_greenlet, on_may, on_smol, on_tokio};

/// Takes one sample: a value for each column of the figure.
pub type Run = fn() -> Vec<f64>;

/// One figure, or a few that one run yields.
pub struct Figure {
    pub name: &'static str,
    pub group: &'static str,
    pub columns: &'static [&'static str],
}

const SWITCH: &str = "Context switch, ns";
const SCHEDULER: &str = "Scheduler, ns";
const SLEEPERS: &str = "100,000 sleepers, delays from 0 to 1 s";
const PARKED: &str = "A million parked tasks";

pub const FIGURES: &[Figure] = &[
    ns("round-trip", SWITCH, &["round trip"]),
    ns("ring", SWITCH, &["task to task, ring of 1000"]),
    ns("make", SWITCH, &["make and finish, pooled stack"]),
    ns("yield-2", SCHEDULER, &["yield, 2 tasks"]),
    ns("yield-1000", SCHEDULER, &["yield, 1000 tasks"]),
    ns("spawn", SCHEDULER, &["spawn and join, one by one"]),
    ns(
        "spawn-1000",
        SCHEDULER,
        &["spawn and join, batches of 1000"],
    ),
    ns("channel-1", SCHEDULER, &["channel, capacity 1"]),
    ns("channel-128", SCHEDULER, &["channel, capacity 128"]),
    ns("timeout", SCHEDULER, &["yield under a timeout"]),
    ns(
        "sleepers",
        SLEEPERS,
        &["CPU s", "lateness p50, ms", "p99, ms", "bytes a task"],
    ),
    ns("parked", PARKED, &["bytes a task", "creation, CPU s"]),
];

const fn ns(name: &'static str, group: &'static str, columns: &'static [&'static str]) -> Figure {
    Figure {
        name,
        group,
        columns,
    }
}

/// The runtimes and, by name, the figures that each has.
pub const RUNTIMES: &[(&str, &[(&str, Run)])] = &[
    ("corosensei", on_corosensei::RUNS),
    ("context", on_context::RUNS),
    (on_greenlet::NAME, on_greenlet::RUNS),
    ("tokio", on_tokio::RUNS),
    ("tokio LocalSet", on_tokio::LOCAL_RUNS),
    ("smol LocalExecutor", on_smol::RUNS),
    ("may", on_may::RUNS),
    ("green", on_green::RUNS),
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
        let (_, run) = runs.iter().find(|(name, _)| *name == self.name)?;
        Some(*run)
    }
}
