//! The example programs, run as their first lines say.
//!
//! `cargo test -p greenlet` builds them. Where only this test was built it fails.

use std::path::PathBuf;
use std::process::Command;

/// What the built example prints, beside what its first lines promise.
fn check(name: &str, source: &str) {
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("examples");
    path.push(name);
    assert!(
        path.exists(),
        "{} is missing: cargo build -p greenlet --examples builds it",
        path.display()
    );
    let output = Command::new(path).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let promised: String = source
        .lines()
        .skip_while(|line| !line.starts_with("//! $ cargo run"))
        .skip(1)
        .map_while(|line| line.strip_prefix("//! ").filter(|line| *line != "```"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(!promised.is_empty());
    assert_eq!(printed, promised);
}

#[test]
fn generators() {
    check("generators", include_str!("../examples/generators.rs"));
}

#[test]
fn genlet() {
    check("genlet", include_str!("../examples/genlet.rs"));
}
