//! What several tests need.

use std::process::Command;

/// Names the part of a test that runs in a process of its own.
pub(crate) const CASE: &str = "GREENLET_TEST_CASE";

/// This test program, to be run again for one case: only its test `case`, with the case's name in the environment.
///
/// Where cargo runs the tests of a foreign processor with a runner, such as an emulator, so does this.
pub(crate) fn this_program(case: &str) -> Command {
    let program = std::env::current_exe().expect("the path of this program");
    let runner = std::env::vars().find(|(name, _)| {
        name.starts_with("CARGO_TARGET_")
            && name.ends_with("_RUNNER")
            && name.contains(&std::env::consts::ARCH.to_uppercase())
    });
    let words = runner.map_or(String::new(), |(_, runner)| runner);
    let mut words = words.split_whitespace();
    let mut command = match words.next() {
        Some(runner) => {
            let mut command = Command::new(runner);
            command.args(words).arg(program);
            command
        }
        None => Command::new(program),
    };
    command
        .args(["--exact", "case", "--nocapture", "--test-threads=1"])
        .env(CASE, case);
    command
}
