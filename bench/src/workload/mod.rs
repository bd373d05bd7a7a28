//! The workloads: which cases each has, and what is done in one.

mod churn;
mod echo;
mod idle;
mod registration;
mod remote;
mod ring;
mod timers;
mod udp;
mod wakeups;
mod window;

use std::fmt;
use std::io;
use std::time::Duration;

use hub_core::{Direction, Hub, ParkError, Reactor, Token};
use serde::{Deserialize, Serialize};

use crate::machine::Places;
use crate::plan::{Layer, Plan, Workload};
use crate::report::grouped;
use crate::serve;
pub(crate) use remote::measure as measure_remote;

/// What one figure's samples are of, but for the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) workload: Workload,
    pub(crate) task: Task,
    pub(crate) layer: Layer,
    pub(crate) size: usize,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.workload, self.size)?;
        match self.workload {
            Workload::Layers => write!(f, " {} {}", self.task.name(), self.layer),
            _ => Ok(()),
        }
    }
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Task {
    Echo,
    Idle,
    Churn,
    Udp,
    Ring,
    Timers,
    Wakeups,
    Registration,
}

impl Task {
    /// The operation that is counted; of timers there are three.
    fn name(self) -> &'static str {
        match self {
            Task::Echo | Task::Idle => "echo",
            Task::Churn => "visit",
            Task::Udp => "datagram",
            Task::Ring => "hop",
            Task::Timers => "timer",
            Task::Wakeups => "wake-up",
            Task::Registration => "registration",
        }
    }

    /// True if a server is measured from outside.
    pub(crate) fn is_remote(self) -> bool {
        matches!(self, Task::Echo | Task::Idle | Task::Churn | Task::Udp)
    }
}

/// What one sample needs to know.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) case: Case,
    pub(crate) warmup: Duration,
    pub(crate) window: Duration,
    pub(crate) places: Places,
}

/// One sample of one operation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) operation: String,
    pub(crate) operations: u64,
    /// By the clock on the wall.
    pub(crate) seconds: f64,
    /// Of the thread that runs the hub.
    pub(crate) cpu_ns: u64,
    pub(crate) syscalls: Option<u64>,
    pub(crate) resident: Option<u64>,
    /// Of the load generator.
    pub(crate) client_ns: Option<u64>,
    /// Nanoseconds, and how often; empty where no times were taken.
    pub(crate) latency: Vec<(u64, u64)>,
}

/// The pairs of a histogram that a sample carries.
fn pairs(histogram: &hdrhistogram::Histogram<u64>) -> Vec<(u64, u64)> {
    let values = histogram.iter_recorded();
    values
        .map(|value| (value.value_iterated_to(), value.count_at_value()))
        .collect()
}

/// How many descriptors each of the two processes has besides those of the load.
const BESIDES: usize = 100;

/// Every case of a plan, and what had to be cut because `descriptors` are all that a process may open.
pub(crate) fn cases(plan: &Plan, descriptors: u64) -> (Vec<Case>, Vec<String>) {
    let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
    let room = descriptors.saturating_sub(BESIDES).max(1);
    let mut cases = Vec::new();
    let mut notes = Vec::new();
    for &workload in &plan.workloads {
        let mut cut = |sizes: &[usize], most: usize, why: &str| {
            let mut kept: Vec<_> = sizes.iter().map(|&size| size.min(most).max(1)).collect();
            if let Some(size) = sizes.iter().find(|&&size| size > most) {
                let size = workload.size_in_words(*size);
                let most = grouped(most as u64);
                notes.push(format!(
                    "{workload}: {size} are too many, measured with {most}: {why}."
                ));
            }
            kept.sort_unstable();
            kept.dedup();
            kept
        };
        let limit = format!("the limit of descriptors is {descriptors}");
        let mut add = |task, layers: &[Layer], sizes: Vec<usize>| {
            for size in sizes {
                cases.extend(layers.iter().map(|&layer| Case {
                    workload,
                    task,
                    layer,
                    size,
                }));
            }
        };
        const GREEN: &[Layer] = &[Layer::Green];
        const ALL: &[Layer] = &[Layer::Hub, Layer::Reactor, Layer::Green];
        match workload {
            Workload::Echo => add(Task::Echo, GREEN, cut(&plan.connections, room, &limit)),
            Workload::Idle => {
                let sizes = cut(&plan.connections, room - room.min(echo::ACTIVE), &limit);
                add(Task::Idle, GREEN, sizes);
            }
            Workload::Churn => add(Task::Churn, GREEN, vec![churn::AT_ONCE]),
            Workload::Udp => add(Task::Udp, GREEN, vec![udp::SOCKETS]),
            Workload::Ring => {
                let sizes = ring::sizes(&plan.connections);
                add(Task::Ring, GREEN, cut(&sizes, room / 2, &limit));
            }
            Workload::Timers => {
                add(Task::Timers, &[Layer::Reactor], plan.timers.clone());
                let why = "a greenthread that runs has a page of stack";
                let sizes = cut(&plan.timers, timers::MOST_GREENTHREADS, why);
                add(Task::Timers, GREEN, sizes);
            }
            Workload::Wakeups => add(Task::Wakeups, GREEN, vec![1]),
            Workload::Registration => {
                let sizes = cut(&plan.connections, room, &limit);
                add(Task::Registration, &[Layer::Hub, Layer::Reactor], sizes);
            }
            Workload::Layers => {
                for size in [1, 100, 1_000] {
                    if plan.connections.iter().any(|&other| other >= size) && size <= room {
                        add(Task::Echo, ALL, vec![size]);
                    }
                }
                add(Task::Udp, ALL, vec![udp::SOCKETS]);
                add(Task::Ring, ALL, vec![ring::LAYERS]);
                add(Task::Wakeups, ALL, vec![1]);
            }
        }
    }
    (cases, notes)
}

/// Does what a worker process is there for: measures itself, or serves until it is killed.
pub(crate) fn work(
    job: &Job,
    hub: Box<dyn Hub>,
    ready: impl FnOnce(std::net::SocketAddr) -> io::Result<()>,
) -> io::Result<Vec<Sample>> {
    let layer = job.case.layer;
    match job.case.task {
        Task::Echo | Task::Idle | Task::Churn => {
            serve::tcp(layer, hub, ready)?;
            Ok(Vec::new())
        }
        Task::Udp => {
            serve::udp(layer, hub, ready)?;
            Ok(Vec::new())
        }
        Task::Ring => ring::measure(job, hub),
        Task::Timers => timers::measure(job, hub),
        Task::Wakeups => wakeups::measure(job, hub),
        Task::Registration => registration::measure(job, hub),
    }
}

/// Parks at a registration that has no other user.
pub(crate) fn park<W>(
    reactor: &mut Reactor<W>,
    token: Token,
    direction: Direction,
    waiter: W,
) -> io::Result<()> {
    reactor
        .park(token, direction, waiter)
        .map_err(|error| match error {
            ParkError::Io(error, _) => error,
            ParkError::Busy(_) => io::Error::other("another waits at a descriptor of our own"),
            ParkError::Gone(_) => io::Error::other("a descriptor of our own is not registered"),
        })
}

/// Has this thread's greenthreads run on the hub.
pub(crate) fn use_hub(hub: Box<dyn Hub>) -> io::Result<()> {
    green::hubs::use_hub_with(hub).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workload_has_cases_of_its_own() {
        let (cases, notes) = cases(&Plan::default(), 1 << 20);
        for workload in Workload::ALL {
            assert!(cases.iter().any(|case| case.workload == workload));
        }
        assert_eq!(notes.len(), 1, "{notes:?}");
        for (at, case) in cases.iter().enumerate() {
            assert!(!cases[..at].contains(case), "{case} twice");
        }
    }

    #[test]
    fn what_the_machine_does_not_allow_is_cut_and_said() {
        let plan = Plan {
            workloads: vec![Workload::Echo, Workload::Ring],
            connections: vec![10, 600, 5_000, 6_000],
            ..Plan::default()
        };
        let (cases, notes) = cases(&plan, 1_100);
        let sizes: Vec<_> = cases.iter().map(|case| case.size).collect();
        assert_eq!(sizes, [10, 600, 1_000, 10, 500]);
        assert_eq!(notes.len(), 2);
        assert!(notes[0].contains("5,000 connections") && notes[0].contains("1100"));
    }
}
