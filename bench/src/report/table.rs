//! A report as plain text for a terminal.

use std::fmt::Write as _;

use super::{Figure, Report, grouped, median, time};
use crate::stats::figure;

pub(super) const OPERATION: (&str, &str) = ("operation", "what was counted");
pub(super) const LAYER: (&str, &str) = ("layer", "bare hub, reactor, or greenthreads");
pub(super) const HUB: (&str, &str) = ("hub", "what it ran on");

/// The columns after those that name the figure, and what they mean.
pub(super) const COLUMNS: [(&str, &str); 9] = [
    (
        "cpu/op",
        "processor time of the hub's thread for each operation",
    ),
    ("±", "noise of cpu/op"),
    ("op/s", "operations in a second, by the clock on the wall"),
    ("p50", "half of them took at most"),
    ("p99", "99 % took at most"),
    ("p99.9", "99.9 % took at most"),
    ("calls/op", "system calls for each"),
    ("client/op", "processor time of the load generator"),
    ("resident", "memory of the process with the hub"),
];

/// What a figure says, in the order of the columns.
pub(super) fn cells(of: &Figure) -> [String; 9] {
    let at = |values: fn(&super::Latency) -> &Vec<f64>| {
        let median = of
            .latency
            .as_ref()
            .and_then(|latency| median(values(latency)));
        median.map_or("-".into(), time)
    };
    let client = median(&of.client_ns).map_or("-".into(), time);
    [
        time(of.cpu_median()),
        of.cpu()
            .spread()
            .map_or("-".into(), |spread| format!("{spread:.0} %")),
        median(&of.rate).map_or("-".into(), |rate| grouped(rate.round() as u64)),
        at(|latency| &latency.p50),
        at(|latency| &latency.p99),
        at(|latency| &latency.p999),
        figure(median(&of.syscalls)),
        format!("{client}{}", if of.is_client_dearer() { " *" } else { "" }),
        median(&of.resident).map_or("-".into(), |bytes| {
            format!("{} MiB", figure(Some(bytes / f64::from(1 << 20))))
        }),
    ]
}

/// What the columns mean, before the first of them.
fn explained() -> String {
    let mut text = String::from(
        "Every figure is the median over the rounds; ± is half the distance between the quartiles.\n",
    );
    for (name, meaning) in [OPERATION, LAYER, HUB].into_iter().chain(COLUMNS) {
        let _ = writeln!(text, "  {name:<11}{meaning}");
    }
    text
}

/// Text in lines of a terminal's width.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last().map_or(0, |line| line.chars().count());
        match lines.last_mut() {
            Some(last) if line == 0 => last.push_str(word),
            Some(last) if line + 1 + word.chars().count() <= 100 => {
                last.push(' ');
                last.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

/// Lines in columns: the first `left` to the left, the others to the right.
pub(super) fn aligned(header: &[String], rows: &[Vec<String>], left: usize) -> String {
    let width = |column: usize| {
        let all = rows.iter().map(Vec::as_slice).chain([header]);
        all.map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let mut text = String::new();
    for row in [header].into_iter().chain(rows.iter().map(Vec::as_slice)) {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            // Writing to a string does not fail.
            let _ = match column < left {
                true => write!(line, "{cell:<width$}  "),
                false => write!(line, "{cell:>width$}  "),
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

impl Report {
    /// The report as plain text: the verdict, what each hub costs beside the others, every figure.
    pub fn table(&self) -> String {
        let mut text = self.heading();
        let _ = writeln!(text, "\n{}\n", wrapped(&self.verdict()));
        if self.hubs().len() > 1 {
            let _ = writeln!(text, "{}", self.ratios());
        }
        text.push_str(&explained());
        for workload in self.workloads() {
            let _ = writeln!(text, "\n{workload}: {}\n", workload.about());
            let names = ["operation", "layer", workload.size_counts(), "hub"];
            let columns = COLUMNS.iter().map(|(name, _)| name);
            let header: Vec<_> = names
                .iter()
                .chain(columns)
                .map(|name| name.to_string())
                .collect();
            let mut rows = Vec::new();
            for group in self.groups(workload) {
                for of in group {
                    let names = [
                        of.operation.clone(),
                        of.layer.to_string(),
                        grouped(of.size as u64),
                        of.hub.clone(),
                    ];
                    rows.push(names.into_iter().chain(cells(of)).collect());
                }
            }
            text.push_str(&aligned(&header, &rows, 4));
        }
        text.push('\n');
        for line in self.remarks() {
            let _ = writeln!(text, "{line}");
        }
        text
    }

    fn heading(&self) -> String {
        let machine = &self.machine;
        format!(
            "hub-bench {}: {}, {} processors ({}); {} rounds of {} after {} of warm-up\n",
            self.version,
            machine.system,
            machine.processors,
            machine.processor,
            self.method.rounds,
            time(self.method.window * 1e9),
            time(self.method.warmup * 1e9),
        )
    }

    /// What a reader must know beside the figures, one sentence or two each.
    pub(super) fn remarks(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.partial {
            lines.push("Interrupted: some figures have fewer rounds, or are missing.".into());
        }
        for failure in &self.failures {
            let super::Failure {
                case, hub, error, ..
            } = failure;
            lines.push(format!("FAILED: {case} on {hub}: {error}"));
        }
        if self.machine.debug_build {
            lines.push("Built without optimisation: no figure here is worth anything.".into());
        }
        let remote: Vec<_> = self
            .figures
            .iter()
            .filter(|of| !of.client_ns.is_empty())
            .collect();
        let dearer = remote.iter().filter(|of| of.is_client_dearer()).count();
        if dearer > 0 {
            lines.push(format!(
                "* In {dearer} of {} figures a request costs the load generator more than the server: there op/s is \
                 bounded by the load generator. cpu/op is not.",
                remote.len()
            ));
        } else if !remote.is_empty() {
            lines.push(
                "A request costs the load generator less than the server in every figure.".into(),
            );
        }
        if let Some(why) = &self.machine.uncounted_syscalls {
            lines.push(format!("System calls were not counted: {why}."));
        }
        if !self.machine.pinned {
            lines.push("One processor: server and load generator shared it.".into());
        }
        if let Some(load) = self.machine.load.filter(|&load| load > 0.5) {
            lines.push(format!("When the run began, the load average of the machine was {load}: others used it too."));
        }
        let (before, limit) = (self.machine.descriptors_before, self.machine.descriptors);
        lines.push(match before < limit {
            true => format!(
                "The limit of descriptors was raised from {} to {}, what the system allows.",
                grouped(before),
                grouped(limit)
            ),
            false => format!("The limit of descriptors is {}.", grouped(limit)),
        });
        lines.extend(self.notes.iter().cloned());
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{case, report};
    use super::*;

    #[test]
    fn every_figure_has_its_line() {
        let mut report = report();
        report.fail("poll", &case(7), "no luck".into());
        let table = report.table();
        for hub in ["epoll", "poll"] {
            let lines = table.lines().filter(|line| {
                let words: Vec<_> = line.split_whitespace().collect();
                words.first() == Some(&"echo") && words.get(3) == Some(&hub)
            });
            assert_eq!(lines.count(), 3, "{table}");
        }
        assert!(table.contains("FAILED: echo 7 on poll: no luck"));
        assert!(table.contains("10,000"));
    }

    #[test]
    fn it_is_said_when_the_client_is_dearer() {
        let mut report = report();
        let starred = |table: String| table.lines().filter(|line| line.contains(" *")).count();
        assert_eq!(starred(report.table()), 0);
        report.figures[0].client_ns = vec![1e9];
        assert_eq!(starred(report.table()), 1);
        assert!(report.table().contains("* In 1 of 6 figures"));
    }

    #[test]
    fn the_limit_of_descriptors_is_said() {
        let mut report = report();
        (
            report.machine.descriptors_before,
            report.machine.descriptors,
        ) = (1_024, 20_000);
        assert!(report.table().contains("raised from 1,024 to 20,000"));
        report.machine.descriptors_before = 20_000;
        assert!(
            report
                .table()
                .contains("The limit of descriptors is 20,000.")
        );
    }

    #[test]
    fn columns_are_aligned() {
        let row = |cells: [&str; 2]| cells.map(String::from).to_vec();
        let text = aligned(&row(["a", "b"]), &[row(["long", "µs"]), row(["x", "1"])], 1);
        assert_eq!(text, "a      b\nlong  µs\nx      1\n");
    }
}
