//! The example, run as its first line says.

mod common;

use std::path::PathBuf;
use std::process::Command;

use common::{Files, run};
use hub_bench::Report;

#[test]
fn a_hub_of_ones_own_is_measured_beside_the_others() {
    // `cargo test -p hub-bench` builds it.
    let mut path = PathBuf::from(env!("CARGO_BIN_EXE_hub-bench"));
    path.pop();
    path.extend(["examples", "own_hub"]);
    assert!(
        path.exists(),
        "{} is missing: cargo build -p hub-bench --examples builds it",
        path.display()
    );
    let files = Files::new("example");
    let json = files.path("run.json");
    let line =
        "--quick --rounds 1 --window 5 --workloads ring,layers --connections 2 --hubs mine,poll";
    let mut command = Command::new(path);
    let (code, output, errors) = run(command.args(line.split(' ')).arg("--json").arg(&json));
    assert_eq!(code, Some(0), "{output}{errors}");
    let report = Report::read(&json).unwrap();
    assert_eq!(report.hubs(), ["mine", "poll"]);
    let count = |hub: &str| {
        report
            .figures
            .iter()
            .filter(|figure| figure.hub == hub)
            .count()
    };
    assert_eq!(count("mine"), count("poll"));
    assert!(count("mine") > 0);
}
