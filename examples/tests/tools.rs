//! The servers among the examples under tools that nobody here wrote: wrk, h2load, and Chromium by its driver. What is
//! not installed is skipped, with a word about it.
#![cfg(feature = "servers")]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use common::{Running, program};
use green_ws::{Message, Options, connect};
use serde_json::{Value, json};

/// What the tool prints. `None` if it is not there.
fn tool(name: &str, arguments: &[&str]) -> Option<String> {
    match Command::new(name).args(arguments).output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{name} {arguments:?}: {text}");
            Some(text)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("skipped: {name} is not installed");
            None
        }
        Err(error) => panic!("{name}: {error}"),
    }
}

fn start(name: &str) -> (Running, String) {
    let mut command = program(name);
    command.arg("127.0.0.1:0");
    let mut server = Running::start(command);
    let address = server.address();
    (server, address)
}

/// It drains, and ends with code 0.
fn end(mut server: Running) {
    server.signal("TERM");
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

#[test]
fn wrk_finds_no_error() {
    let (server, address) = start("http_server");
    for path in ["", "10k"] {
        let url = format!("http://{address}/{path}");
        let Some(report) = tool("wrk", &["-t", "1", "-c", "64", "-d", "1s", &url]) else {
            break;
        };
        let wrong = |line: &&str| line.contains("Socket errors") || line.contains("Non-2xx");
        assert_eq!(report.lines().find(wrong), None, "{report}");
        let requests = report
            .lines()
            .find_map(|line| line.trim().split_once(" requests in "));
        let requests: u64 = requests.unwrap().0.parse().unwrap();
        assert!(requests >= 64, "{report}");
    }
    end(server);
}

#[test]
fn h2load_has_every_request_answered() {
    for (name, protocol) in [("http_server", &["--h1"][..]), ("http2_server", &[])] {
        let (server, address) = start(name);
        let url = format!("http://{address}/");
        // Many streams at a time over HTTP/2, pipelined over HTTP/1.1.
        let load = ["-n", "4000", "-c", "20", "-m", "20", &url];
        if let Some(report) = tool("h2load", &[protocol, &load[..]].concat()) {
            let all = "4000 total, 4000 started, 4000 done, 4000 succeeded, 0 failed, 0 errored, 0 timeout";
            assert!(report.contains(all), "{name}: {report}");
            assert!(report.contains("4000 2xx"), "{name}: {report}");
        }
        end(server);
    }
}

/// Chromium, driven by the protocol of WebDriver. It ends with this value.
struct Browser {
    driver: Child,
    profile: std::path::PathBuf,
    session: String,
}

impl Browser {
    /// `None` if there is no browser or no driver.
    fn open() -> Option<Browser> {
        let binary = ["chromium", "chromium-browser", "google-chrome"]
            .into_iter()
            .find(|name| tool(name, &["--version"]).is_some())?;
        tool("chromedriver", &["--version"])?;
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        // What it prints later must not stop it.
        thread::spawn(move || lines.for_each(drop));
        let profile = std::env::temp_dir().join(format!("chat-browser-{}", std::process::id()));
        let mut browser = Browser {
            driver,
            session: format!("http://127.0.0.1:{}/session", port.unwrap()),
            profile,
        };
        let profile = format!("--user-data-dir={}", browser.profile.display());
        let flags = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            &profile,
        ];
        let made = browser.post(
            "",
            &json!({"capabilities": {"alwaysMatch": {
                "browserName": "chrome",
                "goog:chromeOptions": {"args": flags, "binary": path_of(binary)},
            }}}),
        );
        let id = made["sessionId"].as_str().unwrap();
        browser.session = format!("{}/{id}", browser.session);
        Some(browser)
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.session);
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build();
        let mut answer = ureq::Agent::new_with_config(config)
            .post(url)
            .content_type("application/json")
            .send(body.to_string())
            .unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        assert_eq!(answer.status(), 200, "{path}: {text}");
        serde_json::from_str::<Value>(&text).unwrap()["value"].take()
    }

    fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Waits until the page shows `text`.
    fn shows(&self, text: &str) {
        for _ in 0..1200 {
            let said = self.run("return document.getElementById('said').innerText");
            if said.as_str().is_some_and(|said| said.contains(text)) {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("the page does not show {text:?}");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends its browser.
        let _ = ureq::delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        let _ = fs::remove_dir_all(&self.profile);
    }
}

fn path_of(program: &str) -> String {
    let output = Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .output();
    String::from_utf8(output.unwrap().stdout)
        .unwrap()
        .trim()
        .to_owned()
}

#[test]
fn a_browser_takes_part_in_the_chat() {
    let Some(browser) = Browser::open() else {
        return;
    };
    let (server, address) = start("websocket_chat");
    browser.post("/url", &json!({"url": format!("http://{address}/")}));
    browser.shows("connected");
    let other = connect(&format!("ws://{address}/chat"), &Options::new()).unwrap();
    let heard = || other.receive().unwrap();
    assert_eq!(heard(), Some(Message::from("1 has come")));
    browser.shows("1 has come");
    browser.run(
        "document.getElementById('text').value = 'gr\u{fc}\u{df}e'; document.querySelector('form').requestSubmit()",
    );
    assert_eq!(heard(), Some(Message::from("0: gr\u{fc}\u{df}e")));
    other.send("hello, browser").unwrap();
    browser.shows("1: hello, browser");
    let leaves = thread::spawn(move || end(server));
    assert_eq!(heard(), Some(Message::from("1: hello, browser")));
    assert_eq!(heard(), None);
    browser.shows("closed: 1001 the server goes away");
    leaves.join().unwrap();
}
