//! What a run has found.

mod axis;
mod chart;
mod compare;
mod heat;
mod html;
mod json;
mod markdown;
mod pictures;
mod style;
mod table;
mod verdict;

use serde::{Deserialize, Serialize};

use crate::load::times;
use crate::machine::Machine;
use crate::plan::{Layer, Plan, Workload};
use crate::stats::Samples;
use crate::workload::{Case, Sample};

/// The figures of a run, with what they depend on. It survives JSON: [`Report::to_json`], [`Report::from_json`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Of this format; a program refuses others.
    pub format: u32,
    /// The version of this crate.
    pub version: String,
    /// Where it was made.
    pub machine: Machine,
    /// How it was made.
    pub method: Method,
    /// What was found, in the order of the run.
    pub figures: Vec<Figure>,
    /// What could not be measured.
    pub failures: Vec<Failure>,
    /// What was done otherwise than asked.
    pub notes: Vec<String>,
    /// True if the run was interrupted.
    pub partial: bool,
}

/// How long was measured, and how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Method {
    /// Samples of each figure.
    pub rounds: usize,
    /// What was discarded before each, in seconds.
    pub warmup: f64,
    /// What was counted in each, in seconds.
    pub window: f64,
}

impl Method {
    pub(crate) fn of(plan: &Plan) -> Method {
        Method {
            rounds: plan.rounds,
            warmup: plan.warmup.as_secs_f64(),
            window: plan.window.as_secs_f64(),
        }
    }
}

/// One operation on one hub: one value for each round in every list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What it belongs to.
    pub workload: Workload,
    /// What was counted: an `echo`, a `hop`.
    pub operation: String,
    /// Of how much of the stack.
    pub layer: Layer,
    /// How many connections, timers and so on there were: see [`Workload::size_counts`].
    pub size: usize,
    /// On which hub.
    pub hub: String,
    /// Processor time of the thread that runs the hub, in nanoseconds for each operation.
    pub cpu_ns: Vec<f64>,
    /// Operations in a second, by the clock on the wall.
    pub rate: Vec<f64>,
    /// Processor time of the load generator without its waiting, in nanoseconds for each operation; empty if there
    /// was none.
    pub client_ns: Vec<f64>,
    /// System calls for each operation; empty if they could not be counted.
    pub syscalls: Vec<f64>,
    /// Resident memory at the end of each window, in bytes; empty if the system does not tell.
    pub resident: Vec<f64>,
    /// How long the operations took, if times were taken.
    pub latency: Option<Latency>,
}

/// How long operations took, in nanoseconds; of timers how late they were.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// The median of each round.
    pub p50: Vec<f64>,
    /// What 99 of 100 did not exceed, in each round.
    pub p99: Vec<f64>,
    /// What 999 of 1000 did not exceed, in each round.
    pub p999: Vec<f64>,
    /// All rounds together: nanoseconds, and how often, ascending.
    pub counts: Vec<(u64, u64)>,
}

/// What could not be measured, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// What it belongs to.
    pub workload: Workload,
    /// The case in words.
    pub case: String,
    /// On which hub.
    pub hub: String,
    /// What went wrong.
    pub error: String,
}

/// What a figure is of, but for the hub.
pub(crate) type Key<'a> = (Workload, &'a str, Layer, usize);

impl Figure {
    pub(crate) fn key(&self) -> Key<'_> {
        (self.workload, &self.operation, self.layer, self.size)
    }

    /// The processor time of each round, sorted.
    pub fn cpu(&self) -> Samples {
        self.cpu_ns.iter().copied().collect()
    }

    /// The median of the processor time for each operation in nanoseconds.
    pub fn cpu_median(&self) -> f64 {
        self.cpu().median().unwrap_or(0.0)
    }

    /// True if a request cost the load generator more than the server: then the operations in a
    /// second are its own.
    pub fn is_client_dearer(&self) -> bool {
        median(&self.client_ns).is_some_and(|client| client > self.cpu_median())
    }

    /// What a share of the operations did not exceed, in nanoseconds, over all rounds.
    pub fn latency_at(&self, share: f64) -> Option<u64> {
        let counts = &self.latency.as_ref()?.counts;
        let all: u64 = counts.iter().map(|(_, count)| count).sum();
        let wanted = (share * all as f64).ceil() as u64;
        let mut below = 0;
        let place = counts.iter().find(|(_, count)| {
            below += count;
            below >= wanted
        });
        place.map(|&(value, _)| value)
    }
}

pub(crate) fn median(values: &[f64]) -> Option<f64> {
    values.iter().copied().collect::<Samples>().median()
}

/// This format; another number is another meaning of the fields.
const FORMAT: u32 = 1;

impl Report {
    pub(crate) fn new(method: Method) -> Report {
        Report {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").into(),
            machine: Machine::look(),
            method,
            figures: Vec::new(),
            failures: Vec::new(),
            notes: Vec::new(),
            partial: false,
        }
    }

    /// Adds the samples of one round.
    pub(crate) fn add(&mut self, hub: &str, case: &Case, samples: Vec<Sample>) {
        for sample in samples {
            let key = (case.workload, &*sample.operation, case.layer, case.size);
            let known = self
                .figures
                .iter()
                .position(|figure| figure.hub == hub && figure.key() == key);
            let at = known.unwrap_or_else(|| {
                self.figures.push(Figure {
                    workload: case.workload,
                    operation: sample.operation.clone(),
                    layer: case.layer,
                    size: case.size,
                    hub: hub.to_owned(),
                    cpu_ns: Vec::new(),
                    rate: Vec::new(),
                    client_ns: Vec::new(),
                    syscalls: Vec::new(),
                    resident: Vec::new(),
                    latency: None,
                });
                self.figures.len() - 1
            });
            self.figures[at].add(&sample);
        }
    }

    pub(crate) fn fail(&mut self, hub: &str, case: &Case, error: String) {
        self.failures.push(Failure {
            workload: case.workload,
            case: case.to_string(),
            hub: hub.to_owned(),
            error,
        });
    }

    pub(crate) fn has_failed(&self, hub: &str, case: &Case) -> bool {
        let case = case.to_string();
        let mut failures = self.failures.iter();
        failures.any(|failure| failure.hub == hub && failure.case == case)
    }

    /// The hubs, in the order of the first round.
    pub fn hubs(&self) -> Vec<&str> {
        let mut hubs = Vec::new();
        for figure in &self.figures {
            if !hubs.contains(&&*figure.hub) {
                hubs.push(&figure.hub);
            }
        }
        hubs
    }

    /// The workloads that were measured, in the order of the run.
    pub(crate) fn workloads(&self) -> Vec<Workload> {
        let mut workloads = Vec::new();
        for figure in &self.figures {
            if !workloads.contains(&figure.workload) {
                workloads.push(figure.workload);
            }
        }
        workloads
    }

    /// The figures of a workload that differ in the hub alone stand together, in the order of the run.
    pub(crate) fn groups(&self, workload: Workload) -> Vec<Vec<&Figure>> {
        let mut groups: Vec<Vec<&Figure>> = Vec::new();
        for figure in self
            .figures
            .iter()
            .filter(|figure| figure.workload == workload)
        {
            match groups
                .iter_mut()
                .find(|group| group[0].key() == figure.key())
            {
                Some(group) => group.push(figure),
                None => groups.push(vec![figure]),
            }
        }
        groups
    }
}

impl Figure {
    fn add(&mut self, sample: &Sample) {
        let count = sample.operations as f64;
        let each = |total: Option<u64>| total.map(|total| total as f64 / count);
        self.cpu_ns.push(sample.cpu_ns as f64 / count);
        self.rate.push(count / sample.seconds);
        self.client_ns.extend(each(sample.client_ns));
        self.syscalls.extend(each(sample.syscalls));
        self.resident
            .extend(sample.resident.map(|bytes| bytes as f64));
        if sample.latency.is_empty() {
            return;
        }
        let mut round = times();
        for &(value, count) in &sample.latency {
            round.saturating_record_n(value, count);
        }
        let latency = self.latency.get_or_insert_default();
        let at = |share| round.value_at_quantile(share) as f64;
        latency.p50.push(at(0.5));
        latency.p99.push(at(0.99));
        latency.p999.push(at(0.999));
        for &(value, count) in &sample.latency {
            let counts = &mut latency.counts;
            match counts.binary_search_by_key(&value, |&(value, _)| value) {
                Ok(at) => counts[at].1 += count,
                Err(at) => counts.insert(at, (value, count)),
            }
        }
    }
}

/// A time in nanoseconds with the unit that suits it.
pub(crate) fn time(ns: f64) -> String {
    let (value, unit) = match ns {
        ns if ns < 1e3 => (ns, "ns"),
        ns if ns < 1e6 => (ns / 1e3, "µs"),
        ns if ns < 1e9 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    format!("{} {unit}", crate::stats::figure(Some(value)))
}

/// A number with commas, as in 10,000.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::workload::Task;

    pub(crate) fn sample(operations: u64, cpu_ns: u64) -> Sample {
        Sample {
            operation: "echo".into(),
            operations,
            seconds: 0.5,
            cpu_ns,
            syscalls: Some(operations * 2),
            resident: Some(1 << 20),
            client_ns: Some(cpu_ns / 2),
            latency: vec![(1_000, operations - 1), (90_000, 1)],
        }
    }

    pub(crate) fn case(size: usize) -> Case {
        Case {
            workload: Workload::Echo,
            task: Task::Echo,
            layer: Layer::Green,
            size,
        }
    }

    /// Two hubs at three sizes, five rounds, the second twice as dear.
    pub(crate) fn report() -> Report {
        let mut report = Report::new(Method::of(&Plan::default()));
        for round in 0..5 {
            for size in [1, 100, 10_000] {
                for (hub, factor) in [("epoll", 1), ("poll", 2)] {
                    let cpu = (1_000_000 + round * 1_000 + size as u64) * factor;
                    report.add(hub, &case(size), vec![sample(100, cpu)]);
                }
            }
        }
        report
    }

    #[test]
    fn rounds_add_up_to_figures() {
        let report = report();
        assert_eq!(report.hubs(), ["epoll", "poll"]);
        assert_eq!(report.figures.len(), 6);
        let figure = &report.figures[0];
        assert_eq!(figure.cpu_ns.len(), 5);
        assert_eq!(figure.rate, [200.0; 5]);
        assert_eq!(figure.syscalls, [2.0; 5]);
        let latency = figure.latency.as_ref().unwrap();
        assert_eq!(latency.counts, [(1_000, 495), (90_000, 5)]);
        assert_eq!(figure.latency_at(0.5), Some(1_000));
        assert_eq!(figure.latency_at(0.99), Some(1_000));
        assert_eq!(figure.latency_at(0.995), Some(90_000));
        assert!(!figure.is_client_dearer());
        let groups = report.groups(Workload::Echo);
        assert_eq!(groups.len(), 3);
        assert!(groups.iter().all(|group| group.len() == 2));
    }

    #[test]
    fn a_failure_is_of_one_case_on_one_hub() {
        let mut report = report();
        report.fail("poll", &case(7), "why".into());
        assert!(report.has_failed("poll", &case(7)));
        assert!(!report.has_failed("poll", &case(8)));
        assert!(!report.has_failed("epoll", &case(7)));
    }

    #[test]
    fn numbers_as_text() {
        assert_eq!(time(999.0), "999 ns");
        assert_eq!(time(1_500.0), "1.50 µs");
        assert_eq!(time(2e9), "2.00 s");
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(grouped),
            ["0", "999", "1,000", "1,234,567"]
        );
    }
}
