//! Who embeds a hub builds little: the hub, hub-core, and three crates that have no dependencies

use std::env;
use std::process::Command;

/// The crates that a program builds which depends on this one, itself included.
fn built_with(package: &str) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["tree", "--locked", "--offline", "--edges", "normal,build"])
        .args(["--prefix", "none", "--format", "{p}", "--package", package])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{package}: {errors}");
    let listed = String::from_utf8(output.stdout).unwrap();
    let names = listed.lines().filter_map(|line| line.split(' ').next());
    let mut names: Vec<_> = names.map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn a_hub_alone_is_libc_slab_and_log() {
    assert_eq!(built_with("hub-core"), ["hub-core", "log", "slab"]);
    for hub in ["hub-epoll", "hub-poll", "hub-select"] {
        let expected = ["hub-core", hub, "libc", "log", "slab"];
        assert_eq!(built_with(hub), expected);
    }
}
