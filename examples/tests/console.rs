//! The programs with a console inside, run as their first lines say.
#![cfg(feature = "console")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

/// A program that does not outlive its test.
struct Running {
    child: Child,
    address: String,
    stdout: BufReader<ChildStdout>,
}

impl Running {
    fn start(address: &str) -> Running {
        Running::start_as("backdoor_demo", &[address])
    }

    fn start_as(name: &str, args: &[&str]) -> Running {
        let mut path = std::env::current_exe().unwrap();
        path.pop();
        path.pop();
        path.push("examples");
        path.push(name);
        assert!(
            path.exists(),
            "{} is missing: cargo build -p examples --examples --all-features",
            path.display()
        );
        let mut child = Command::new(path)
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on ").unwrap();
        let address = address.to_owned();
        Running {
            child,
            address,
            stdout,
        }
    }

    fn ends_on_a_signal(mut self) {
        let kill = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        assert!(kill.unwrap().success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends lines, and gives what comes until the prompt behind the last.
fn talk(mut stream: impl Read + Write, lines: &[&str]) -> String {
    let mut text = Vec::new();
    for line in [""].iter().chain(lines) {
        if !line.is_empty() {
            stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
        }
        let from = text.len();
        while !text[from..].ends_with(b">>> ") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            text.push(byte[0]);
        }
    }
    String::from_utf8(text).unwrap().replace("\r\n", "\n")
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    let timeout = Some(Duration::from_secs(60));
    stream.set_read_timeout(timeout).unwrap();
    stream
}

#[test]
fn the_document_s_session() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        if std::net::TcpListener::bind(address).is_err() {
            eprintln!("skipped: nothing can listen at {address}");
            continue;
        }
        let program = Running::start(address);
        let stream = connect(&program.address);
        let stays = stream.try_clone().unwrap();
        let text = talk(
            stream,
            &[
                "funca()",
                "funca",
                "hub_of_the_program",
                "set_jobs(70)",
                "jobs",
            ],
        );
        let (_, text) = text.split_once('\n').unwrap();
        let hub = std::env::var("GREEN_HUB").unwrap_or("epoll".into());
        let begin = format!(">>> abc\n'123'\n>>> abc\n'123'\n>>> '{hub}'\n>>> >>> 7");
        assert!(text.starts_with(&begin), "{text}");
        drop(connect(&program.address));
        program.ends_on_a_signal();
        drop(stays);
    }
}

#[test]
fn a_session_on_a_unix_socket() {
    let path = std::env::temp_dir().join(format!("backdoor-demo-{}", std::process::id()));
    let program = Running::start(path.to_str().unwrap());
    let text = talk(UnixStream::connect(&path).unwrap(), &["funca()"]);
    assert!(text.ends_with("\n>>> abc\n'123'\n>>> "), "{text}");
    program.ends_on_a_signal();
    assert!(!path.exists());
}

/// The answer of the console in a browser's place.
fn get(address: &str, method: &str, path: &str, field: &str) -> String {
    let mut stream = connect(address);
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: {address}\r\n{field}\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_program_to_look_into() {
    let hub = std::env::var("GREEN_HUB").unwrap_or("epoll".into());
    let mut program = Running::start_as("console_demo", &["127.0.0.1:0", &hub]);
    let mut line = String::new();
    program.stdout.read_line(&mut line).unwrap();
    let token = line.trim_end().strip_prefix("token: ").unwrap();
    let address = program.address.clone();
    assert!(get(&address, "GET", "/", "").contains("<title>green console</title>"));
    let metrics = get(&address, "GET", "/metrics", "");
    assert!(metrics.contains(&format!("hub=\"{hub}\"")), "{metrics}");
    let all = get(&address, "GET", "/json", "");
    for name in [
        "busy",
        "selfish",
        "jobs",
        "left hand",
        "client 9",
        "waits for the sleeper",
    ] {
        assert!(
            all.contains(&format!("\"name\":\"{name}\"")),
            "{name} is not in {all}"
        );
    }
    let one = get(&address, "GET", "/json?search=waits+for+the+sleeper", "");
    let (_, id) = one.split_once("\"id\":").unwrap();
    let (id, _) = id.split_once(',').unwrap();
    let kill = format!("/kill?id={id}");
    assert!(get(&address, "POST", &kill, "").starts_with("HTTP/1.0 403"));
    let killed = get(
        &address,
        "POST",
        &kill,
        &format!("X-Green-Token: {token}\r\n"),
    );
    assert!(killed.contains("\"ended\":true"), "{killed}");
    program.ends_on_a_signal();
}
