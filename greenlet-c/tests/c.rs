//! A C program, built with either library and run.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Where cargo has put the libraries that belong to this test.
fn built() -> PathBuf {
    let test = env::current_exe().unwrap();
    let deps = test.parent().unwrap();
    let places = [deps, deps.parent().unwrap()];
    let found = places
        .into_iter()
        .find(|place| place.join("libgreenlet_c.a").exists());
    found
        .expect("cargo builds the libraries before the tests")
        .to_path_buf()
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// True if there is a C compiler; says so if not.
fn has_cc(test: &str) -> bool {
    let found = Command::new("cc").arg("--version").output().is_ok();
    if !found {
        eprintln!("skipped: {test} needs cc, which is not installed");
    }
    found
}

fn succeeds(command: &mut Command) -> Output {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    output
}

fn cc(arguments: &[&OsStr]) {
    let strict = [
        "-std=c11",
        "-Wall",
        "-Wextra",
        "-Wpedantic",
        "-Werror",
        "-O1",
        "-pthread",
    ];
    let mut command = Command::new("cc");
    succeeds(
        command
            .args(strict)
            .arg("-I")
            .arg(here("include"))
            .args(arguments),
    );
}

/// Builds the program against one of the libraries and runs it.
fn greenlets(name: &str, library: &[&OsStr]) {
    // The crates of a workspace share this directory.
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("greenlet-c-{name}"));
    let source = here("tests/c/greenlets.c");
    let mut arguments = vec![source.as_os_str(), OsStr::new("-o"), program.as_os_str()];
    arguments.extend(library);
    arguments.extend(["-lm", "-ldl"].map(OsStr::new));
    cc(&arguments);
    let output = succeeds(Command::new(&program).env("LD_LIBRARY_PATH", built()));
    assert_eq!(output.stdout, b"as it should be\n");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn a_c_program_with_the_static_library() {
    if has_cc("the C program") {
        greenlets("static", &[built().join("libgreenlet_c.a").as_os_str()]);
    }
}

#[test]
fn a_c_program_with_the_shared_library() {
    if has_cc("the C program") {
        let directory = format!("-L{}", built().display());
        greenlets(
            "shared",
            &[OsStr::new(&directory), OsStr::new("-lgreenlet_c")],
        );
    }
}

#[test]
fn the_header_is_c_and_cpp() {
    if !has_cc("the header") {
        return;
    }
    let header = here("include/greenlet.h");
    for language in ["-xc", "-xc++"] {
        let mut command = Command::new("cc");
        let strict = [
            "-Wall",
            "-Wextra",
            "-Wpedantic",
            "-Werror",
            "-fsyntax-only",
            language,
        ];
        let output = command.args(strict).arg(&header).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        if language == "-xc++" && errors.contains("cc1plus") {
            eprintln!("skipped: the header in C++ needs a C++ compiler");
            continue;
        }
        assert!(output.status.success(), "{errors}");
    }
}
