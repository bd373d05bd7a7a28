//! Tests that need a process of their own: they run their program again, with nothing but themselves in it.

use std::env;
use std::process::Command;

const AGAIN: &str = "GREEN_TEST_AGAIN";

/// True in a process that [`again`] has made.
pub(crate) fn is_again() -> bool {
    env::var_os(AGAIN).is_some()
}

/// This program with only one of its tests. `module` is `module_path!()` where that stands.
pub(crate) fn again(module: &str, test: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", "--include-ignored", "--nocapture"])
        .arg(full_name(module, test))
        .env(AGAIN, "1");
    command
}

/// The name by which a test program knows its test.
pub(crate) fn full_name(module: &str, test: &str) -> String {
    match module.split_once("::") {
        Some((_program, module)) => format!("{module}::{test}"),
        None => test.to_owned(),
    }
}

/// As `alone`, with as many threads in each pool of the process as are wanted.
pub(crate) fn with_pool_of(threads: usize, module: &str, test: &str, body: impl FnOnce()) {
    if is_again() {
        return body();
    }
    let size = threads.to_string();
    passes(again(module, test).env("GREEN_THREADPOOL_SIZE", size));
}

/// Runs `body` in a process whose only thread is the one of the test. A test that is not found fails.
pub(crate) fn alone(module: &str, test: &str, body: impl FnOnce()) {
    if is_again() {
        return body();
    }
    passes(again(module, test).arg("--test-threads=1"));
}

/// Runs it. A test that is not found fails.
pub(crate) fn passes(command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
