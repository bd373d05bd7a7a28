//! A report as tables for a document: what each operation costs, a column for each hub.

use std::fmt::Write as _;

use super::{Report, time};
use crate::plan::Workload;
use crate::stats::table;

impl Report {
    /// The processor time of each operation as markdown, a column for each hub.
    pub fn markdown(&self) -> String {
        let hubs = self.hubs();
        let mut text = String::new();
        for workload in self.workloads() {
            let groups = self.groups(workload);
            let layered = groups
                .iter()
                .any(|group| group[0].layer != groups[0][0].layer);
            let header = [workload.name()].into_iter().chain(hubs.iter().copied());
            let header: Vec<_> = header.map(String::from).collect();
            let rows = groups.iter().map(|group| {
                let first = group[0];
                let size = match workload {
                    Workload::Layers => Workload::of_operation(&first.operation),
                    workload => workload,
                }
                .size_in_words(first.size);
                let mut name = format!("{}, {size}", first.operation);
                if layered {
                    let _ = write!(name, ", {}", first.layer);
                }
                let cost = |hub: &&str| {
                    let of = group.iter().find(|of| of.hub == **hub);
                    of.map_or("-".into(), |of| time(of.cpu_median()))
                };
                [name].into_iter().chain(hubs.iter().map(cost)).collect()
            });
            let rows: Vec<Vec<String>> = rows.collect();
            let _ = writeln!(text, "{}", table(&header, &rows));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::report;

    #[test]
    fn every_case_is_a_row_with_a_column_for_each_hub() {
        let text = report().markdown();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "| echo | epoll | poll |");
        assert_eq!(lines[2], "| echo, 1 connection | 10.0 µs | 20.0 µs |");
        assert_eq!(lines[4], "| echo, 10,000 connections | 10.1 µs | 20.2 µs |");
    }
}
