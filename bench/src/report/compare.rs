//! Two reports beside each other.

use std::fmt::Write as _;

use super::table::aligned;
use super::{Report, grouped, median, time};
use crate::stats::{Verdict, compare};

impl Report {
    /// What has changed since an older report, as plain text: processor time for each operation,
    /// the ratio of the medians, and if it is beyond the noise (see [`compare`]).
    pub fn compare(&self, old: &Report) -> String {
        let mut text = String::new();
        if old.machine.processor != self.machine.processor
            || old.machine.system != self.machine.system
            || old.machine.processors != self.machine.processors
        {
            let _ = writeln!(
                text,
                "The machines differ ({}, {} and {}, {}): the ratios are of the machines as well.",
                old.machine.processor,
                old.machine.system,
                self.machine.processor,
                self.machine.system
            );
        }
        if old.method.window != self.method.window {
            let _ = writeln!(
                text,
                "The windows differ: {} s and {} s.",
                old.method.window, self.method.window
            );
        }
        text.push_str(EXPLAINED);
        let header = [
            "workload",
            "operation",
            "layer",
            "size",
            "hub",
            "old",
            "new",
            "new/old",
            "calls",
            "p99",
            "verdict",
        ];
        let (mut rows, mut counts) = (Vec::new(), [0; 4]);
        let mut missing = 0;
        for new in &self.figures {
            let same = |old: &&super::Figure| old.hub == new.hub && old.key() == new.key();
            let Some(old) = old.figures.iter().find(same) else {
                missing += 1;
                continue;
            };
            let verdict = compare(&old.cpu(), &new.cpu());
            counts[verdict as usize] += 1;
            let ratio = |new: Option<f64>, old: Option<f64>| match (new, old) {
                (Some(new), Some(old)) if old > 0.0 => format!("{:.2}", new / old),
                _ => "-".into(),
            };
            let p99 = |of: &super::Figure| median(&of.latency.as_ref()?.p99);
            rows.push(vec![
                new.workload.to_string(),
                new.operation.clone(),
                new.layer.to_string(),
                grouped(new.size as u64),
                new.hub.clone(),
                time(old.cpu_median()),
                time(new.cpu_median()),
                ratio(Some(new.cpu_median()), Some(old.cpu_median())),
                ratio(median(&new.syscalls), median(&old.syscalls)),
                ratio(p99(new), p99(old)),
                mark(verdict).into(),
            ]);
        }
        text.push_str(&aligned(&header.map(String::from), &rows, 5));
        let [lower, higher, same, few] = counts;
        let _ = writeln!(
            text,
            "\n{} figures: {lower} cheaper, {higher} dearer, {same} the same within the noise, {few} with too few rounds to \
             tell (five in both runs are needed).",
            rows.len()
        );
        if missing > 0 {
            let _ = writeln!(text, "{missing} figures are not in the older report.");
        }
        text
    }
}

const EXPLAINED: &str = "\
old, new  processor time of the hub's thread for each operation, median over the rounds of each run
new/old   their ratio: below 1 it has become cheaper
calls     the same ratio for system calls
p99       the same ratio for what 99 % of the operations took at most
verdict   in words where old and new are apart beyond the noise; ? where the rounds are too few to tell; else nothing

";

fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Lower => "cheaper",
        Verdict::Higher => "DEARER",
        Verdict::Same => "",
        Verdict::TooFew => "?",
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::report;
    #[test]
    fn what_is_beyond_the_noise_is_marked_and_nothing_else() {
        let old = report();
        let mut new = old.clone();
        for value in &mut new.figures[0].cpu_ns {
            *value *= 1.5;
        }
        for value in &mut new.figures[1].cpu_ns {
            *value *= 0.5;
        }
        new.figures[2].cpu_ns.truncate(2);
        let text = new.compare(&old);
        assert_eq!(text.matches("DEARER").count(), 1, "{text}");
        assert!(text.contains("1.50") && text.contains("0.50"), "{text}");
        assert!(
            text.contains("6 figures: 1 cheaper, 1 dearer, 3 the same"),
            "{text}"
        );
        assert!(text.contains("1 with too few rounds"), "{text}");
    }

    #[test]
    fn a_report_does_not_differ_from_itself() {
        let text = report().compare(&report());
        assert!(
            text.contains("6 figures: 0 cheaper, 0 dearer, 6 the same"),
            "{text}"
        );
        assert!(!text.contains("differ"));
    }

    #[test]
    fn another_machine_is_said() {
        let old = report();
        let mut new = old.clone();
        new.machine.processor = "another".into();
        new.figures.remove(0);
        let mut older = old.clone();
        older.figures.truncate(2);
        let text = new.compare(&older);
        assert!(text.contains("The machines differ") && text.contains("another"));
        assert!(
            text.contains("4 figures are not in the older report"),
            "{text}"
        );
    }
}
