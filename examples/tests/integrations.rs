//! The programs of docs/integrations.md, which use libraries that nobody wrote for green, run to their ends on the hub
//! that the tests are run on.
#![cfg(feature = "integrations")]

mod common;

use std::io::Read;
use std::process::Stdio;

use common::{Running, client, program};

/// Runs a program to its end and gives what it printed.
fn output(name: &str, arguments: &[&str]) -> String {
    let mut command = program(name);
    let output = command.args(arguments).stderr(Stdio::piped()).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The address of a server, of the environment or else of the file that `services/up` writes.
fn service(name: &str) -> Option<String> {
    let variable = format!("GREEN_{name}");
    if let Ok(address) = std::env::var(&variable) {
        return Some(address);
    }
    let target = std::env::current_exe().unwrap();
    let target = target.ancestors().nth(3).unwrap();
    let text = std::fs::read_to_string(target.join("services.env")).unwrap_or_default();
    let mut lines = text.lines().filter_map(|line| line.split_once('='));
    let address = lines.find_map(|(name, address)| (name == variable).then(|| address.to_owned()));
    if address.is_none() {
        eprintln!("skipped: {variable} names no server, and services/up has not started one");
    }
    address
}

#[test]
fn axum() {
    assert_eq!(output("with_axum", &[]), "hello, axum\nhello, hub\n");
}

#[test]
fn tower() {
    let text = output("with_tower", &[]);
    assert_eq!(text, "you asked for /here, by a layer\n");
}

#[test]
fn hyper() {
    assert_eq!(output("with_hyper", &[]), "FROM HYPER TO HYPER\n");
}

#[test]
fn ureq() {
    let text = output("with_ureq", &[]);
    assert_eq!(text, "100 pages; the last: this is /page/99\n");
}

#[test]
fn rustls() {
    assert_eq!(output("with_rustls", &[]), "hello over TLS\n");
}

#[test]
fn tungstenite() {
    assert_eq!(output("with_tungstenite", &[]), "WEB\nSOCKET\n");
}

#[test]
fn reqwest_on_a_thread_of_tokio() {
    let expected: String = (1..=5).map(|n| format!("this is /page/{n}\n")).collect();
    assert_eq!(output("with_reqwest", &[]), expected);
}

#[test]
fn tracing() {
    let text = output("with_tracing", &[]);
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let line = |job: &str, what: &str| format!("INFO job{{name={job:?}}}: with_tracing: {what}");
    let expected = [
        ("one", "begins"),
        ("two", "begins"),
        ("one", "ends"),
        ("two", "ends"),
    ];
    assert_eq!(lines, expected.map(|(job, what)| line(job, what)));
}

#[test]
fn indicatif() {
    assert_eq!(output("with_indicatif", &[]), "100 of 100 done\n");
}

#[test]
fn crossbeam() {
    assert_eq!(
        output("with_crossbeam", &[]),
        "the last sum is Some(49995000)\n"
    );
}

#[test]
fn clap() {
    let mut command = program("with_clap");
    command.args(["127.0.0.1:0", "--count", "2"]);
    let mut server = Running::start(command);
    let line = server.line();
    let hub = std::env::var("GREEN_HUB").unwrap_or("epoll".into());
    assert!(line.ends_with(&format!("({hub})")), "{line}");
    for _ in 0..2 {
        let mut text = String::new();
        let mut stream = client(line.split(' ').nth(2).unwrap());
        stream.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello\n");
    }
    assert!(server.child.wait().unwrap().success());
    let mut command = program("with_clap");
    command.args(["127.0.0.1:0", "--hub", "Epoll"]);
    let refused = command.stderr(Stdio::piped()).output().unwrap();
    assert!(!refused.status.success(), "{refused:?}");
}

#[test]
fn tokio_postgres() {
    if let Some(url) = service("POSTGRES") {
        let expected: String = (1..=10).map(|n| format!("{}\n", 2 * n)).collect();
        assert_eq!(output("with_tokio_postgres", &[&url]), expected);
    }
}

#[test]
fn redis_blocking() {
    if let Some(url) = service("REDIS") {
        assert_eq!(output("with_redis", &[&url]), "counted to 42\n");
    }
}

#[test]
fn redis_async() {
    if let Some(url) = service("REDIS") {
        let expected = [1, 3, 6, 10].map(|n| format!("counted to {n}\n"));
        assert_eq!(output("with_redis_async", &[&url]), expected.concat());
    }
}

/// What opens sockets of its own, where green-patch can do its work.
#[cfg(all(feature = "greened", target_os = "linux", target_env = "gnu"))]
mod greened {
    use super::{output, service};

    fn doubled() -> String {
        (1..=10).map(|n| format!("{}\n", 2 * n)).collect()
    }

    #[test]
    fn std_alone() {
        assert_eq!(output("with_std", &[]), "100 answers; the last: word 99\n");
    }

    #[test]
    fn reqwest_blocking() {
        let text = output("with_reqwest_blocking", &[]);
        assert_eq!(text, "100 pages; the last: this is /page/99\n");
    }

    #[test]
    fn postgres() {
        if let Some(url) = service("POSTGRES") {
            assert_eq!(output("with_postgres", &[&url]), doubled());
        }
    }

    #[test]
    fn mysql() {
        if let Some(url) = service("MYSQL") {
            assert_eq!(output("with_mysql", &[&url]), doubled());
        }
    }

    #[test]
    fn redis_client() {
        if let Some(url) = service("REDIS") {
            assert_eq!(
                output("with_redis_client", &[&url]),
                "ten items, 55 in all\n"
            );
        }
    }
}

const PAGE: &str = include_str!("../../docs/integrations.md");

#[test]
fn each_program_is_on_the_page_and_has_forty_lines_at_most() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/integrations");
    let mut programs = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 40, "{}: {lines}", path.display());
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(
            PAGE.contains(&format!("integrations/{name})")),
            "{name} is not on the page"
        );
        programs += 1;
    }
    assert!(programs >= 14, "{programs}");
}
