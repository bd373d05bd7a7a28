//! The servers among the examples, run as their first lines say. Each takes port 0, says where it listens, drains on
//! SIGTERM and ends with code 0.
#![cfg(feature = "servers")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

/// A server that does not outlive its test.
struct Running {
    child: Child,
    address: String,
}

fn program(name: &str) -> Command {
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("examples");
    path.push(name);
    assert!(
        path.exists(),
        "{} is missing: cargo build -p examples --examples --all-features",
        path.display()
    );
    Command::new(path)
}

impl Running {
    /// On the hub that the tests are run on.
    fn start(name: &str, args: &[&str]) -> Running {
        let hub = std::env::var("GREEN_HUB").unwrap_or("epoll".into());
        let mut command = program(name);
        command
            .env_remove("GREEN_HUB")
            .arg("127.0.0.1:0")
            .args(args)
            .arg(hub);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        let address = line.strip_prefix("listening on ").unwrap().to_owned();
        // What it prints later must not stop it.
        thread::spawn(move || lines.for_each(drop));
        Running { child, address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        stream
    }

    /// What it answers, as head and body.
    fn ask(&self, request: &str) -> (String, String) {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    fn get(&self, path: &str) -> (String, String) {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
    }

    fn terminate(&self) {
        let kill = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        assert!(kill.unwrap().success());
    }

    fn end(mut self) -> ExitStatus {
        self.terminate();
        self.child.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn http_server() {
    let server = Running::start("http_server", &[]);
    let (head, body) = server.get("/");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("content-type: text/plain\r\n"));
    assert!(head.contains("content-length: 13\r\n"));
    assert_eq!(body, "Hello, World!");
    let (head, body) = server.get("/10k");
    assert!(head.contains("content-length: 10240\r\n"), "{head}");
    assert_eq!(body.len(), 10_240);
    let (head, body) =
        server.ask("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    assert!(head.contains("content-length: 5"), "{head}");
    assert_eq!(body, "hello");
    assert!(server.get("/missing").0.starts_with("HTTP/1.1 404 "));
    // A request that is under way when the signal comes is finished.
    let mut busy = server.connect();
    busy.write_all(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
        .unwrap();
    let mut idle = server.connect();
    thread::sleep(Duration::from_millis(100));
    server.terminate();
    assert_eq!(idle.read(&mut [0]).unwrap(), 0);
    busy.write_all(b"llo").unwrap();
    let mut answer = String::new();
    busy.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
    assert!(server.end().success());
}

#[test]
fn http2_server() {
    let server = Running::start("http2_server", &[]);
    assert_eq!(server.get("/").1, "Hello, World!");
    assert_eq!(server.get("/version").1, "HTTP/1.1\n");
    assert_eq!(server.get("/sleep/5").1, "after 5 ms\n");
    assert!(server.get("/sleep/x").0.starts_with("HTTP/1.1 500 "));
    // Its settings, after ours.
    let mut stream = server.connect();
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .unwrap();
    let mut frame = [0; 9];
    stream.read_exact(&mut frame).unwrap();
    assert_eq!(frame[3], 4);
    drop(stream);
    assert!(server.end().success());
}

#[test]
fn axum_server() {
    let server = Running::start("axum_server", &[]);
    assert_eq!(server.get("/").1, "Hello, World!");
    assert_eq!(server.get("/hello/you").1, "hello, you\n");
    assert_eq!(server.get("/sleep/5").1, "after 5 ms\n");
    let json = "{\"numbers\": [1, 2, 3]}";
    let (_, body) = server.ask(&format!(
        "POST /sum HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{json}",
        json.len()
    ));
    assert_eq!(body, "{\"sum\":6}");
    assert!(server.end().success());
}

#[test]
fn wsgi_hello() {
    let server = Running::start("wsgi_hello", &[]);
    let (head, body) = server.get("/");
    assert!(head.contains("content-type: text/plain"), "{head}");
    assert_eq!(body, "Hello, World!\r\n");
    let (head, body) = server.get("/other");
    assert!(head.starts_with("HTTP/1.1 404 "));
    assert_eq!(body, "Not Found\r\n");
    assert!(server.end().success());
}

#[test]
fn workers_http() {
    for workers in ["2", "4"] {
        let server = Running::start("workers_http", &[workers]);
        let mut names = Vec::new();
        for _ in 0..200 {
            assert_eq!(server.get("/").1, "Hello, World!");
            let (_, body) = server.get("/worker");
            names.push(body.split(':').next().unwrap().to_owned());
        }
        names.sort_unstable();
        names.dedup();
        let all: Vec<_> = (0..workers.parse().unwrap())
            .map(|n| format!("worker-{n}"))
            .collect();
        assert_eq!(names, all);
        assert!(server.get("/missing").0.starts_with("HTTP/1.1 404 "));
        let mut idle = server.connect();
        thread::sleep(Duration::from_millis(100));
        server.terminate();
        assert_eq!(idle.read(&mut [0]).unwrap(), 0);
        assert!(server.end().success());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn prefork() {
    let server = Running::start("prefork", &["2"]);
    let ask = || server.get("/").1;
    let first = ask();
    let process = first.trim().rsplit(' ').next().unwrap().to_owned();
    assert_ne!(process, server.child.id().to_string());
    // One that dies is replaced.
    let kill = Command::new("kill").args(["-KILL", &process]).status();
    assert!(kill.unwrap().success());
    let others: Vec<_> = (0..50).map(|_| ask()).collect();
    assert!(
        others
            .iter()
            .all(|other| other.starts_with("from process ") && *other != first)
    );
    assert!(server.end().success());
}

/// Serves a feed to each who asks, until the test ends.
fn feeds() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut first = String::new();
            reader.read_line(&mut first).unwrap();
            let mut line = String::new();
            while reader.read_line(&mut line).unwrap() > 2 {
                line.clear();
            }
            let feed = match first.split(' ').nth(1) {
                Some("/rss") => {
                    "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>News</title><link>http://a/</link>\
                     <description>d</description><item><title>One</title></item><item><title>Two</title></item>\
                     </channel></rss>"
                }
                Some("/atom") => {
                    "<?xml version=\"1.0\"?><feed xmlns=\"http://www.w3.org/2005/Atom\"><title>Blog</title>\
                     <id>urn:a</id><updated>2020-01-01T00:00:00Z</updated><entry><title>Three</title><id>urn:b</id>\
                     <updated>2020-01-01T00:00:00Z</updated></entry></feed>"
                }
                _ => "no feed",
            };
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{feed}",
                feed.len()
            );
        }
    });
    address
}

#[test]
fn dispatcher() {
    let server = Running::start("dispatcher", &[]);
    let feeds = feeds();
    let urls = ["rss", "atom", "none"].map(|path| format!("http://{feeds}/{path}"));
    let client = program("dispatcher_client")
        .arg(format!("http://{}/", server.address))
        .args(&urls)
        .output()
        .unwrap();
    assert!(client.status.success(), "{client:?}");
    let text = String::from_utf8(client.stdout).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[..2], ["News: One, Two", "Blog: Three"]);
    assert!(lines[2].starts_with(&urls[2]), "{text}");
    assert!(server.get("/").0.starts_with("HTTP/1.1 404 "));
    assert!(server.end().success());
}

#[test]
fn reverse_proxy() {
    let behind = Running::start("http_server", &[]);
    let server = Running::start("reverse_proxy", &[&behind.address]);
    assert_eq!(server.get("/").1, "Hello, World!");
    assert_eq!(server.get("/10k").1.len(), 10_240);
    assert!(server.get("/missing").0.starts_with("HTTP/1.1 404 "));
    let body = "x".repeat(1 << 20);
    let (head, echo) = server.ask(&format!(
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(echo.len() >= body.len());
    let (_, echo) = server.ask(
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    );
    assert!(echo.contains("abc"), "{echo}");
    assert!(behind.end().success());
    assert!(server.get("/").0.starts_with("HTTP/1.1 502 "));
    assert!(server.end().success());
}

#[test]
fn static_files() {
    let root = std::env::temp_dir().join(format!("green-static-{}", std::process::id()));
    std::fs::create_dir_all(root.join("sub")).unwrap();
    std::fs::write(root.join("index.html"), "<p>index</p>").unwrap();
    std::fs::write(root.join("sub/a b.txt"), "text").unwrap();
    let server = Running::start("static_files", &[root.to_str().unwrap()]);
    let (head, body) = server.get("/");
    assert!(head.contains("content-type: text/html"), "{head}");
    assert_eq!(body, "<p>index</p>");
    let modified = head
        .lines()
        .find_map(|line| line.strip_prefix("last-modified: "))
        .unwrap();
    assert_eq!(server.get("/sub/a%20b.txt").1, "text");
    for (path, status) in [
        ("/sub", 404),
        ("/missing", 404),
        ("/index.html/x", 404),
        ("/../index.html", 400),
        ("/%2e%2e/index.html", 400),
        ("/sub/%2E%2E/index.html", 400),
        ("//etc/passwd", 400),
        ("/a%00b", 400),
        ("/a%zz", 400),
    ] {
        let (head, _) = server.get(path);
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{path}: {head}"
        );
    }
    let known = format!("GET / HTTP/1.1\r\nHost: a\r\nIf-Modified-Since: {modified}\r\n\r\n");
    assert!(server.ask(&known).0.starts_with("HTTP/1.1 304 "));
    assert!(
        server
            .ask("POST / HTTP/1.1\r\nHost: a\r\n\r\n")
            .0
            .starts_with("HTTP/1.1 405 ")
    );
    std::fs::remove_dir_all(root).unwrap();
    assert!(server.end().success());
}
