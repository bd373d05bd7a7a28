//! Counters in the text format of Prometheus.

use std::fmt::{Display, Write};

use green::debug;

use crate::inside::{Inside, seconds};
use crate::snapshot::open_descriptors;

/// The version of the format.
pub(crate) const TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What there is of everything. It asks for no accounts: who scrapes does not look.
pub(crate) fn text(inside: &Inside) -> String {
    let counters = debug::counters();
    let mut text = Text(String::new());
    text.family("green_info", "gauge", "What is measured.");
    text.labelled(
        "green_info",
        &[
            ("version", env!("CARGO_PKG_VERSION")),
            ("hub", green::hubs::get_hub()),
            ("thread", &inside.thread),
        ],
        1,
    );
    for (name, help, count) in [
        (
            "green_switches_total",
            "Switches from one greenthread to another.",
            counters.switches,
        ),
        (
            "green_spawns_total",
            "Greenthreads spawned.",
            counters.spawns,
        ),
        (
            "green_polls_total",
            "Waits and polls of the hub.",
            counters.turns,
        ),
        (
            "green_wakeups_total",
            "Waits of greenthreads that were ended.",
            counters.wakeups,
        ),
        (
            "green_blocked_total",
            "Times that the others were kept from running for long.",
            inside.warned.get(),
        ),
    ] {
        text.single(name, "counter", help, count);
    }
    for (name, help, count) in [
        (
            "green_greenthreads",
            "Greenthreads that are not dead.",
            counters.greenthreads,
        ),
        (
            "green_runnable",
            "Greenthreads in the run queue.",
            counters.runnable,
        ),
        (
            "green_readers",
            "Waits for a descriptor to become readable.",
            counters.readers,
        ),
        (
            "green_writers",
            "Waits for a descriptor to become writable.",
            counters.writers,
        ),
        (
            "green_remote_waiters",
            "Greenthreads that wait for another thread.",
            counters.remote_waiters,
        ),
        (
            "green_descriptors",
            "Descriptors registered with the hub.",
            counters.descriptors,
        ),
        ("green_timers", "Timers that run.", counters.timers),
        ("green_stacks", "Stacks in use.", counters.stacks),
        (
            "green_free_stacks",
            "Stacks that wait for the next greenthread.",
            counters.free_stacks,
        ),
        (
            "green_stack_bytes",
            "Address space that stacks take.",
            counters.stack_bytes,
        ),
    ] {
        text.single(name, "gauge", help, count);
    }
    let uptime = seconds(inside.began.elapsed());
    text.single(
        "green_console_uptime_seconds",
        "gauge",
        "Since the console was begun.",
        uptime,
    );
    if let Some(bytes) = debug::resident_memory() {
        let help = "Memory of the process that is resident.";
        text.single("process_resident_memory_bytes", "gauge", help, bytes);
    }
    if let Some(count) = open_descriptors() {
        let help = "Descriptors that the process has open.";
        text.single("process_open_fds", "gauge", help, count);
    }
    text.0
}

struct Text(String);

impl Text {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        let written = writeln!(self.0, "{line}");
        debug_assert!(written.is_ok(), "a String takes all that is written to it");
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.line(format_args!("{name} {value}"));
    }

    fn labelled(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        let labels: Vec<_> = labels
            .iter()
            .map(|(label, text)| format!("{label}=\"{}\"", escaped(text)))
            .collect();
        self.line(format_args!("{name}{{{}}} {value}", labels.join(",")));
    }
}

/// A label's value as the format has it.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let mut text = Text(String::new());
        text.labelled("a", &[("b", "c\"d\\e\nf")], 1);
        assert_eq!(text.0, "a{b=\"c\\\"d\\\\e\\nf\"} 1\n");
    }
}
