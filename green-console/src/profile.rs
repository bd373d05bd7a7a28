//! A sampling profiler: where the greenthreads' time goes, as folded stacks.

use std::collections::BTreeMap;
use std::time::Duration;

use green::debug::{self, RunInfo};
use green::tpool::JobError;

/// About as many samples are taken, whatever the time: each costs some microseconds, and its names many more.
const SAMPLES: u32 = 1000;

/// Samples that are closer together would show the profiler.
const SHORTEST: Duration = Duration::from_millis(1);

/// Where frames of green's own begin that are below the wait which ended a run.
const MACHINERY: [&str; 5] = [
    "std::backtrace",
    "green::debug::",
    "green::runtime::",
    "core::ops::function::",
    "greenlet::",
];

/// Where the same lies in the sources.
const SOURCES: [&str; 3] = ["green/src/runtime/", "green/src/debug/", "greenlet/src/"];

pub(crate) fn sample(time: Duration) -> Vec<RunInfo> {
    let period = (time / SAMPLES).max(SHORTEST);
    let log = debug::sample_runs(period, 2 * SAMPLES as usize);
    green::sleep(time);
    log.take()
}

/// A line for each stack: its frames from the root to the leaf, and the microseconds that it stands for.
///
/// # Errors
/// If no thread can be had to read the tables of symbols.
pub(crate) fn folded(runs: Vec<RunInfo>, by_place: bool) -> Result<String, JobError> {
    let runs: Vec<_> = runs
        .into_iter()
        .map(|run| (root(&run, by_place), run.stack, run.ran))
        .collect();
    green::tpool::execute(move || {
        let mut sums: BTreeMap<String, u128> = BTreeMap::new();
        for (root, stack, ran) in runs {
            let line = fold(&root, &stack.to_string());
            *sums.entry(line).or_default() += ran.as_micros();
        }
        let lines = sums.iter().map(|(line, sum)| format!("{line} {sum}\n"));
        lines.collect()
    })
}

/// What the stacks of a greenthread stand on.
fn root(run: &RunInfo, by_place: bool) -> String {
    let place = match run.greenthread {
        0 => "the thread itself".to_owned(),
        _ => format!("spawned at {}", run.spawned_at),
    };
    let root = match (&run.name, by_place) {
        (Some(name), true) => format!("{name} ({place})"),
        (None, true) => place,
        (Some(name), false) => format!("greenthread {} {name} ({place})", run.greenthread),
        (None, false) => format!("greenthread {} ({place})", run.greenthread),
    };
    // These end a frame, and a line.
    root.replace(';', ",").replace(['\n', '\r'], " ")
}

fn fold(root: &str, stack: &str) -> String {
    // Each with the line of its place, if there is one.
    let mut frames: Vec<(String, &str)> = Vec::new();
    for line in stack.lines() {
        match (frame(line), frames.last_mut()) {
            (Some(name), _) => frames.push((name, "")),
            (None, Some((_, place))) => *place = line,
            (None, None) => {}
        }
    }
    // The leaf comes first: the capture, and the switch that it was made in.
    let leaf = frames
        .iter()
        .position(|(name, place)| !is_machinery(name, place));
    let own = frames.drain(leaf.unwrap_or(0)..).rev();
    // And at the root how a greenthread, or the thread, comes to run at all.
    let own = own.skip_while(|(name, place)| is_machinery(name, place) || is_begin(place));
    let own = own.map(|(name, _)| name);
    let folded: Vec<_> = [root.to_owned()].into_iter().chain(own).collect();
    folded.join(";")
}

/// Functions that were inlined have short names: their places tell more.
fn is_machinery(name: &str, place: &str) -> bool {
    let name = name.trim_start_matches('<');
    MACHINERY.iter().any(|start| name.starts_with(start))
        || SOURCES.iter().any(|source| place.contains(source))
}

/// What std does before the program's own code runs.
fn is_begin(place: &str) -> bool {
    place.contains("/library/std/") || place.contains("/library/core/")
}

/// The function in a line like `  12: name`; lines of places have none.
fn frame(line: &str) -> Option<String> {
    let (number, name) = line.trim_start().split_once(": ")?;
    number.parse::<u32>().ok()?;
    let name = name.trim();
    // Without the number that tells two of one name apart.
    let hash = name.rfind("::h").filter(|at| name.len() - at == 19);
    Some(name[..hash.unwrap_or(name.len())].replace(';', ","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_folded_from_its_root() {
        let stack = "   0: std::backtrace::Backtrace::create\n             at /rustc/x.rs:1:2\n   \
                     1: <green::debug::observe::Watch as green::runtime::observe::Observer>::stops\n   \
                     2: next\n             at ./green/src/runtime/scheduler.rs:1:2\n   3: green::greenthread::time::sleep::h0123456789abcdef\n   \
                     4: app::work;x\n             at ./src/main.rs:7:5\n";
        let folded = fold("greenthread 7", stack);
        assert_eq!(
            folded,
            "greenthread 7;app::work,x;green::greenthread::time::sleep"
        );
    }
}
