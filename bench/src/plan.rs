//! What is to be measured.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The layers that a figure includes: the hub alone, or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// The bare hub in a loop of its own.
    Hub,
    /// The reactor on the hub: who waits for what, timers, the waker.
    Reactor,
    /// Greenthreads: what a program of `green` pays.
    Green,
}

impl Layer {
    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Layer::Hub => "hub",
            Layer::Reactor => "reactor",
            Layer::Green => "green",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What can be measured. [`Workload::about`] says what each one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "their descriptions are in about()")]
pub enum Workload {
    Echo,
    Idle,
    Churn,
    Udp,
    Ring,
    Timers,
    Wakeups,
    Registration,
    Layers,
}

impl Workload {
    /// All of them.
    pub const ALL: [Workload; 9] = [
        Workload::Echo,
        Workload::Idle,
        Workload::Churn,
        Workload::Udp,
        Workload::Ring,
        Workload::Timers,
        Workload::Wakeups,
        Workload::Registration,
        Workload::Layers,
    ];

    /// The name that the command line takes.
    pub fn name(self) -> &'static str {
        match self {
            Workload::Echo => "echo",
            Workload::Idle => "idle",
            Workload::Churn => "churn",
            Workload::Udp => "udp",
            Workload::Ring => "ring",
            Workload::Timers => "timers",
            Workload::Wakeups => "wakeups",
            Workload::Registration => "registration",
            Workload::Layers => "layers",
        }
    }

    /// One sentence on what it does.
    pub fn about(self) -> &'static str {
        match self {
            Workload::Echo => "Connections that are all active: each has one message under way.",
            Workload::Idle => "Ten active connections beside many that are silent.",
            Workload::Churn => "Connect, one echo, close; 64 at once.",
            Workload::Udp => "Datagrams from 64 sockets to one, one under way for each.",
            Workload::Ring => "Bytes that go round a ring of pipes, eight at once.",
            Workload::Timers => {
                "So many armed, cancelled in random order, and expired over a while."
            }
            Workload::Wakeups => "Another thread wakes the one that waits, again and again.",
            Workload::Registration => {
                "A descriptor is registered, armed and removed beside others that stay."
            }
            Workload::Layers => {
                "The same work on the bare hub, on the reactor and in greenthreads: what each layer costs."
            }
        }
    }

    /// What the sizes of its figures count.
    pub fn size_counts(self) -> &'static str {
        match self {
            Workload::Echo | Workload::Churn => "connections",
            Workload::Idle => "idle connections",
            Workload::Udp => "sockets",
            Workload::Ring => "pipes",
            Workload::Timers => "timers",
            Workload::Wakeups => "threads",
            Workload::Registration => "registered descriptors",
            Workload::Layers => "size",
        }
    }
}

impl Workload {
    /// The workload of its own that an operation of [`Workload::Layers`] is from.
    pub(crate) fn of_operation(operation: &str) -> Workload {
        match operation {
            "echo" => Workload::Echo,
            "datagram" => Workload::Udp,
            "hop" => Workload::Ring,
            _ => Workload::Wakeups,
        }
    }

    /// A size with what it counts: `1 connection`, `1,000 connections`.
    pub(crate) fn size_in_words(self, size: usize) -> String {
        let counts = self.size_counts();
        match size {
            1 => format!("1 {}", counts.trim_end_matches('s')),
            _ => format!("{} {counts}", crate::report::grouped(size as u64)),
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Workload {
    type Err = String;

    fn from_str(name: &str) -> Result<Workload, String> {
        let known = Workload::ALL.into_iter().find(|known| known.name() == name);
        known.ok_or_else(|| {
            let names = Workload::ALL.map(Workload::name).join(", ");
            format!("there is no workload {name:?}; there are {names}")
        })
    }
}

/// What a run measures and for how long.
///
/// ```
/// use hub_bench::{Plan, Workload};
/// let plan = Plan { workloads: vec![Workload::Echo], rounds: 5, ..Plan::quick() };
/// assert!(plan.window < Plan::default().window);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Which workloads, in this order.
    pub workloads: Vec<Workload>,
    /// The numbers of active connections, of idle ones, of pipes, and of registered descriptors. Those beyond the
    /// machine's limits are cut, and the report says so.
    pub connections: Vec<usize>,
    /// The numbers of timers.
    pub timers: Vec<usize>,
    /// How many samples of each figure. Fewer than five cannot tell a difference from noise.
    pub rounds: usize,
    /// How long each sample runs before it counts.
    pub warmup: Duration,
    /// How long each sample counts.
    pub window: Duration,
    /// How long a sample may take beyond its warm-up and twice its window until it has failed.
    pub patience: Duration,
    /// When the run ends with what it has by then.
    pub limit: Option<Duration>,
    /// True if the run is to show on the standard error how far it is.
    pub progress: bool,
}

impl Default for Plan {
    /// Every workload, in about five minutes for four hubs.
    fn default() -> Plan {
        Plan {
            workloads: Workload::ALL.to_vec(),
            connections: vec![1, 10, 100, 1_000, 10_000],
            timers: vec![1_000, 10_000, 100_000, 1_000_000],
            rounds: 5,
            warmup: Duration::from_millis(40),
            window: Duration::from_millis(120),
            // The slowest known, 10,000 connections on a machine that does other work, takes two seconds.
            patience: Duration::from_secs(20),
            limit: None,
            progress: false,
        }
    }
}

impl Plan {
    /// Every workload in less than forty seconds: it shows if everything works, and orders of magnitude. On a machine
    /// that does other work it may end before its second round does.
    pub fn quick() -> Plan {
        Plan {
            connections: vec![1, 100, 1_000],
            timers: vec![1_000, 10_000],
            rounds: 2,
            warmup: Duration::from_millis(10),
            window: Duration::from_millis(30),
            limit: Some(Duration::from_secs(37)),
            ..Plan::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workload_is_found_by_its_name() {
        for workload in Workload::ALL {
            assert_eq!(workload.name().parse(), Ok(workload));
            let json = serde_json::to_string(&workload).unwrap();
            assert_eq!(json, format!("{:?}", workload.name()));
        }
        let error = "ecco".parse::<Workload>().unwrap_err();
        assert!(
            Workload::ALL
                .iter()
                .all(|known| error.contains(known.name()))
        );
    }
}
