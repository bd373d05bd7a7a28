//! What the first page tells a reader to type works: its commands, and a program of one's own made as it says. Its
//! programs are doc tests of this package.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{Running, client, program};

const README: &str = include_str!("../../README.md");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The blocks of code in a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let begin = format!("```{language}\n");
    let starts = README.match_indices(&begin);
    starts
        .filter_map(|(at, _)| README[at + begin.len()..].split("```").next())
        .collect()
}

/// The commands, without what stands beside them.
fn commands() -> Vec<&'static str> {
    let lines = blocks("sh").into_iter().flat_map(str::lines);
    lines
        .filter_map(|line| line.split(" # ").next())
        .map(str::trim)
        .collect()
}

/// What `make` would do.
fn recipe(arguments: &[&str]) -> String {
    // This may be run by `make` itself, and says where it is then.
    let output = Command::new("make")
        .args(["-n", "--no-print-directory"])
        .args(arguments)
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Each does here what the command does, by programs that are built already.
#[test]
fn every_command_does_what_it_says() {
    for command in commands() {
        match command {
            "make demo" => demo(),
            "cargo run -p examples --example echo_bytes -- 127.0.0.1:6000" => echo(),
            "cargo run -p examples --example with_ureq" => {
                let output = program("with_ureq").output().unwrap();
                assert!(output.stdout.starts_with(b"100 pages"), "{output:?}");
            }
            // These tests are run by it.
            "make test" => assert!(recipe(&["test"]).contains("-p examples --all-features")),
            // The tests of hub-bench run it with --quick.
            "make bench ARGS=--quick" => {
                let recipe = recipe(&["bench", "ARGS=--quick"]);
                assert!(
                    recipe.contains("cargo run --release -p hub-bench"),
                    "{recipe}"
                );
                assert!(recipe.trim_end().ends_with("--quick"), "{recipe}");
            }
            other => panic!("{other:?} is not tried here"),
        }
    }
    assert!(commands().len() > 4, "{:?}", commands());
}

fn demo() {
    let recipe = recipe(&["demo"]);
    assert!(
        recipe.contains("cargo run --release -p examples --example demo"),
        "{recipe}"
    );
    // It goes through all hubs by itself.
    if std::env::var("GREEN_HUB").is_ok_and(|hub| hub != "epoll") {
        return;
    }
    let output = program("demo").env_remove("GREEN_HUB").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    for hub in ["epoll", "poll", "select", "polling"] {
        assert!(text.contains(&format!("| {hub} ")), "{text}");
    }
    for right in [" 3200000 |", " 300 |"] {
        assert_eq!(text.matches(right).count(), 4, "{right}: {text}");
    }
}

fn echo() {
    let mut command = program("echo_bytes");
    let mut server = Running::start({
        command.arg("127.0.0.1:0");
        command
    });
    let mut stream = client(&server.address());
    stream.write_all(b"hello").unwrap();
    stream.read_exact(&mut [0; 5]).unwrap();
    // As Ctrl-C does, which programs that a shell runs in the background are deaf to.
    server.signal("TERM");
    assert!(!server.child.wait().unwrap().success());
}

/// As they stand, in the tree. It takes minutes.
#[test]
#[ignore = "builds for release, and runs the benchmark"]
fn the_commands_as_they_stand() {
    let commands = commands();
    let ends = |command: &&&str| !command.contains("echo_bytes") && **command != "make test";
    for command in commands.iter().filter(ends) {
        let status = Command::new("sh")
            .args(["-c", command])
            .current_dir(root())
            .status();
        assert!(status.unwrap().success(), "{command}");
    }
}

/// A server that does not outlive its test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_program_made_as_it_says_builds_and_serves() {
    let target = root().join("target");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(target, PathBuf::from);
    let directory = target.join("tmp").join("first_program");
    fs::create_dir_all(directory.join("src")).unwrap();

    let dependencies = blocks("toml")[0].replace(
        "../green/green",
        &root().join("green").display().to_string(),
    );
    let package = "[package]\nname = \"first_program\"\nedition = \"2024\"\n\n[workspace]\n\n";
    fs::write(
        directory.join("Cargo.toml"),
        format!("{package}{dependencies}"),
    )
    .unwrap();
    fs::copy(root().join("Cargo.lock"), directory.join("Cargo.lock")).unwrap();
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let server = blocks("rust,no_run")[0].replace("6000", &port.to_string());
    fs::write(directory.join("src/main.rs"), server).unwrap();

    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--offline", "--target-dir"])
        .arg(directory.join("target"))
        .current_dir(&directory)
        .stdout(Stdio::null())
        .output()
        .unwrap();
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );

    let mut command = Command::new(directory.join("target/debug/first_program"));
    let mut server = Server(command.spawn().unwrap());
    let connect = || TcpStream::connect(("127.0.0.1", port)).ok();
    let mut stream = (0..500).find_map(|_| {
        assert!(
            server.0.try_wait().unwrap().is_none(),
            "the server has ended"
        );
        connect().or_else(|| {
            std::thread::sleep(Duration::from_millis(20));
            None
        })
    });
    let stream = stream.as_mut().expect("it listens");
    stream.write_all(b"an echo").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut echo = String::new();
    stream.read_to_string(&mut echo).unwrap();
    assert_eq!(echo, "an echo");
}
