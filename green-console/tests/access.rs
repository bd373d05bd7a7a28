//! Who may look, and who may kill.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use common::{Running, bounded, run, run_at};
use green_console::Console;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

const PATHS: [&str; 9] = [
    "/",
    "/console.js",
    "/console.css",
    "/json",
    "/history",
    "/greenthread?id=0",
    "/metrics",
    "/trace?seconds=1",
    "/profile?seconds=1",
];

fn sleeper() -> green::GreenThread<()> {
    let gt = green::spawn(|| green::sleep(Duration::from_secs(600)));
    green::yield_now();
    gt
}

#[test]
fn a_name_that_leads_here_is_no_key() {
    bounded(|| {
        let running = run(Console::new().host("console.example"));
        let port = running.address.port();
        for path in PATHS {
            for host in [
                "evil.example",
                "127.0.0.1",
                "127.0.0.1:1",
                "evil.example:80",
            ] {
                let answer = running.ask_as("GET", path, &[("Host", host)]);
                assert_eq!(answer.status, 421, "{path} {host}: {answer:?}");
                assert!(!answer.body.contains("greenthread"));
            }
            let answer = running.ask_as("GET", path, &[]);
            assert_eq!(answer.status, 421, "{path} without Host: {answer:?}");
        }
        for host in [&format!("localhost:{port}"), "console.example"] {
            assert_eq!(
                running.ask_as("GET", "/json", &[("Host", host)]).status,
                200
            );
        }
        // The target of a request names a host as well.
        let absolute = format!("http://evil.example:{port}/json");
        assert_eq!(running.get(&absolute).status, 421);
        let absolute = format!("http://127.0.0.1:{port}/json");
        assert_eq!(running.get(&absolute).status, 200);
        running.end();
    });
}

#[test]
fn a_kill_needs_a_post_and_the_token_in_its_field() {
    bounded(|| {
        let running = run(Console::new().with_token(TOKEN));
        let gt = sleeper();
        let path = format!("/kill?id={}", gt.id());
        let good = ("X-Green-Token", TOKEN);
        let refused = |method: &str, path: &str, fields: &[(&str, &str)], status: u16| {
            let answer = running.ask(method, path, fields);
            assert_eq!(
                answer.status, status,
                "{method} {path} {fields:?}: {answer:?}"
            );
            assert!(!gt.is_dead(), "{method} {path} {fields:?}");
        };
        for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
            refused(method, &path, &[good], 405);
        }
        refused("POST", &path, &[], 403);
        refused("POST", &path, &[("X-Green-Token", "")], 403);
        refused("POST", &path, &[("X-Green-Token", &TOKEN[1..])], 403);
        refused(
            "POST",
            &format!("{path}&token={TOKEN}&X-Green-Token={TOKEN}"),
            &[],
            403,
        );
        // What a browser sends by itself is not enough.
        refused(
            "POST",
            &path,
            &[("Authorization", &format!("Bearer {TOKEN}"))],
            403,
        );
        refused(
            "POST",
            &path,
            &[("Cookie", &format!("x-green-token={TOKEN}"))],
            403,
        );
        refused(
            "POST",
            &path,
            &[good, ("Origin", "http://evil.example")],
            403,
        );
        refused(
            "POST",
            &path,
            &[good, ("Sec-Fetch-Site", "cross-site")],
            403,
        );
        refused("POST", "/kill", &[good], 400);
        refused("POST", "/kill?id=0", &[good], 400);
        refused("POST", "/kill?id=999999", &[good], 404);

        let origin = format!("http://{}", running.address);
        let answer = running.ask("POST", &path, &[good, ("Origin", &origin)]);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["ended"], true);
        assert!(gt.is_dead());
        running.end();
    });
}

#[test]
fn a_console_that_only_reads_kills_nobody() {
    bounded(|| {
        let running = run(Console::new().with_token(TOKEN).read_only());
        let gt = sleeper();
        let path = format!("/kill?id={}", gt.id());
        let answer = running.ask("POST", &path, &[("X-Green-Token", TOKEN)]);
        assert_eq!(answer.status, 403);
        assert!(!gt.is_dead());
        assert_eq!(running.json("/json")["program"]["kills"], false);
        running.end();
        gt.kill();
    });
}

#[test]
fn a_handler_does_not_kill_itself() {
    bounded(|| {
        let running = run(Console::new().with_token(TOKEN));
        let mut stream = green::connect(running.address).unwrap();
        let mut ask = |path: &str, fields: &str| {
            let host = running.address;
            write!(stream, "{path} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n").unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") {
                assert_eq!(stream.read(&mut byte).unwrap(), 1);
                head.push(byte[0]);
            }
            let head = String::from_utf8(head).unwrap();
            let (_, length) = head.split_once("content-length: ").unwrap();
            let mut body = vec![0; length.split_once('\r').unwrap().0.parse().unwrap()];
            stream.read_exact(&mut body).unwrap();
            head + &String::from_utf8(body).unwrap()
        };
        // A connection is one greenthread: the one that runs while it answers.
        let who = ask("GET /json?search=running&limit=1", "");
        let (_, body) = who.split_once("\r\n\r\n").unwrap();
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        let me = &body["greenthreads"]["shown"][0]["id"];
        let answer = ask(
            &format!("POST /kill?id={me}"),
            &format!("X-Green-Token: {TOKEN}\r\nContent-Length: 0\r\n"),
        );
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        running.end();
    });
}

#[test]
fn off_loopback_a_console_is_refused_unless_it_is_opened() {
    bounded(|| {
        let listener = green::listen("0.0.0.0:0").unwrap();
        let served =
            green::Timeout::new(Duration::from_secs(10)).run(|| Console::new().serve(listener));
        let error = served.expect("it is refused at once").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert!(error.to_string().contains("open_to_others"), "{error}");
    });
}

#[test]
fn off_loopback_everything_needs_the_token() {
    bounded(|| {
        let running = run_at(
            "0.0.0.0:0",
            Console::new().with_token(TOKEN).open_to_others(),
        );
        for path in PATHS.into_iter().chain(["/nothing", "/kill"]) {
            let answer = running.get(path);
            assert_eq!(answer.status, 401, "{path}");
            assert!(
                answer.head.contains("www-authenticate: Basic"),
                "{}",
                answer.head
            );
            let answer = running.get(&format!("{path}?token={TOKEN}"));
            assert_eq!(answer.status, 401, "{path}");
        }
        // The user "me", and the token as the password.
        let basic = "Basic bWU6MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
        for field in [
            ("Authorization", &*format!("Bearer {TOKEN}")),
            ("Authorization", basic),
            ("X-Green-Token", TOKEN),
        ] {
            assert_eq!(running.ask("GET", "/", &[field]).status, 200, "{field:?}");
        }
        let gt = sleeper();
        let path = format!("/kill?id={}", gt.id());
        // Browsers send these to every page that asks, so a kill wants more.
        let answer = running.ask("POST", &path, &[("Authorization", basic)]);
        assert_eq!((answer.status, gt.is_dead()), (403, false));
        let answer = running.ask("POST", &path, &[("X-Green-Token", TOKEN)]);
        assert_eq!((answer.status, gt.is_dead()), (200, true));
        let name = [("Host", "evil.example"), ("X-Green-Token", TOKEN)];
        assert_eq!(running.ask_as("GET", "/", &name).status, 421);
        running.end();
    });
}

/// Fields that each answer has, so that a page of another site can do nothing with it.
fn is_secured(running: &Running, method: &str, path: &str) {
    let answer = running.ask(method, path, &[]);
    for field in [
        "content-security-policy: default-src 'none'",
        "x-content-type-options: nosniff",
        "cross-origin-resource-policy: same-origin",
        "cache-control: no-store",
    ] {
        assert!(answer.head.contains(field), "{path}: {}", answer.head);
    }
    assert!(!answer.head.contains("access-control"), "{}", answer.head);
}

#[test]
fn no_answer_can_be_used_by_another_page() {
    bounded(|| {
        let running = run(Console::new());
        for path in PATHS.into_iter().chain(["/nothing"]) {
            is_secured(&running, "GET", path);
        }
        is_secured(&running, "POST", "/kill?id=1");
        running.end();
    });
}

#[test]
fn the_token_is_nowhere_in_what_is_served() {
    bounded(|| {
        let running = run(Console::new().with_token(TOKEN));
        for path in PATHS {
            let answer = running.get(path);
            assert!(
                !answer.body.contains(TOKEN) && !answer.head.contains(TOKEN),
                "{path}"
            );
        }
        assert!(!format!("{:?}", running.console).contains(TOKEN));
        running.end();
    });
}
