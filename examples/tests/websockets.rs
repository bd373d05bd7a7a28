//! The programs that speak TLS and WebSocket, run as their first lines say.
//!
//! `cargo test -p examples --all-features` builds them. Where only this test was built it fails.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use green_tls::{Connector, connect_tls};
use green_ws::{ClientStream, Deflate, Message, Options, WebSocket, connect};

/// A child that does not outlive its test.
struct Running {
    child: Child,
    address: String,
    /// Open for as long as the child may print.
    _lines: BufReader<ChildStdout>,
}

impl Running {
    fn start(name: &str, arguments: &[&str]) -> Running {
        let mut path: PathBuf = std::env::current_exe().unwrap();
        path.pop();
        path.pop();
        path.push("examples");
        path.push(name);
        assert!(
            path.exists(),
            "{} is missing: cargo build -p examples --examples --all-features builds it",
            path.display()
        );
        let mut command = Command::new(path);
        command.arg("127.0.0.1:0").args(arguments);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        lines.read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on ");
        let address = address
            .unwrap_or_else(|| panic!("no address in {line:?}"))
            .to_owned();
        Running {
            child,
            address,
            _lines: lines,
        }
    }

    fn signal(&self, name: &str) {
        let kill = Command::new("kill")
            .args([format!("-{name}"), self.child.id().to_string()])
            .status();
        assert!(kill.unwrap().success());
    }

    fn connect(&self, options: &Options) -> WebSocket<ClientStream> {
        connect(&format!("ws://{}/chat", self.address), options).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_websocket_echo_answers_and_drains() {
    for arguments in [&[][..], &["deflate"]] {
        let mut server = Running::start("websocket_echo", arguments);
        let socket = server.connect(&Options::new().deflate(Deflate::new()));
        for message in [Message::from("text"), Message::from(vec![0; 100_000])] {
            socket.send(message.clone()).unwrap();
            assert_eq!(socket.receive().unwrap(), Some(message));
        }
        server.signal("TERM");
        assert_eq!(socket.receive().unwrap(), None);
        assert_eq!(socket.close_frame().unwrap().code, 1001);
        assert_eq!(server.child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn the_websocket_chat_lets_all_hear_and_shows_a_page() {
    let mut server = Running::start("websocket_chat", &[]);
    let mut browser = TcpStream::connect(&server.address).unwrap();
    browser
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut page = String::new();
    browser.read_to_string(&mut page).unwrap();
    assert!(
        page.starts_with("HTTP/1.1 200 OK\r\n") && page.contains("new WebSocket"),
        "{page}"
    );

    let heard = |socket: &WebSocket<ClientStream>| {
        socket
            .receive()
            .unwrap()
            .unwrap()
            .as_text()
            .unwrap()
            .to_owned()
    };
    let first = server.connect(&Options::new());
    assert_eq!(heard(&first), "0 has come");
    let second = server.connect(&Options::new());
    assert_eq!(heard(&first), "1 has come");
    assert_eq!(heard(&second), "1 has come");
    second.send("hello").unwrap();
    assert_eq!(heard(&first), "1: hello");
    second.close(1000, "").unwrap();
    assert_eq!(heard(&first), "1 has gone");
    server.signal("TERM");
    assert_eq!(first.receive().unwrap(), None);
    assert_eq!(first.close_frame().unwrap().code, 1001);
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_tls_echo_echoes_and_takes_a_new_certificate() {
    let directory = std::env::temp_dir().join(format!("tls-echo-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let [certificate, key] = ["cert.pem", "key.pem"].map(|name| directory.join(name));
    let issue = || {
        let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&certificate, issued.cert.pem()).unwrap();
        std::fs::write(&key, issued.signing_key.serialize_pem()).unwrap();
    };
    let echo = |address: &str| {
        let connector = Connector::builder()
            .roots_from_file(&certificate)?
            .build()?;
        let port = address.rsplit_once(':').unwrap().1.parse().unwrap();
        let mut stream = connect_tls(("localhost", port), &connector)?;
        stream.write_all(b"hello")?;
        stream.shutdown(Shutdown::Write)?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        std::io::Result::Ok(text)
    };
    issue();
    let files = [certificate.to_str().unwrap(), key.to_str().unwrap()];
    let mut server = Running::start("tls_echo", &files);
    assert_eq!(echo(&server.address).unwrap(), "hello");
    issue();
    assert!(
        echo(&server.address).is_err(),
        "a certificate that nobody has read yet"
    );
    server.signal("HUP");
    // It takes the server a moment to hear of it.
    let heard = (0..1000).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(5));
        echo(&server.address).is_ok()
    });
    assert!(heard);
    server.signal("TERM");
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
    std::fs::remove_dir_all(&directory).unwrap();
}
