//! The example programs, run as their first lines say.
//!
//! `cargo test -p examples --all-features` builds them. Where only this test was built it fails.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener};
use std::process::Stdio;

use common::{Running, client, program};

#[test]
fn the_echo_server_echoes_and_ends_on_a_signal() {
    for signal in ["INT", "TERM"] {
        let mut command = program("echo_server");
        command.args(["127.0.0.1:0"]);
        let mut server = Running::start(command);
        let first = server.line();
        let hub = std::env::var("GREEN_HUB").unwrap_or("epoll".into());
        assert!(first.ends_with(&format!("({hub})")), "{first}");
        let address = first.split(' ').nth(2).unwrap().to_owned();
        let (mut one, mut other) = (client(&address), client(&address));
        for stream in [&mut one, &mut other] {
            stream.write_all(b"hello").unwrap();
            let mut back = [0; 5];
            stream.read_exact(&mut back).unwrap();
            assert_eq!(&back, b"hello");
        }
        drop(other);
        one.shutdown(Shutdown::Write).unwrap();
        assert_eq!(one.read(&mut [0; 8]).unwrap(), 0);
        server.signal(signal);
        assert_eq!(server.line(), "2 connections, 2 messages, 10 bytes");
        assert_eq!(server.child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn the_echo_server_refuses_a_hub_that_it_does_not_know() {
    let mut command = program("echo_server");
    let output = command
        .args(["127.0.0.1:0", "Epoll"])
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("known are: "), "{text}");
}

#[test]
fn the_port_forwarder_joins_two_sides() {
    let mut command = program("port_forwarder");
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    command.args(["127.0.0.1:0", &target.local_addr().unwrap().to_string()]);
    let mut forwarder = Running::start(command);
    let mut near = client(&forwarder.address());
    let (mut far, _) = target.accept().unwrap();
    near.write_all(b"question").unwrap();
    near.shutdown(Shutdown::Write).unwrap();
    let mut question = String::new();
    far.read_to_string(&mut question).unwrap();
    assert_eq!(question, "question");
    far.write_all(b"answer").unwrap();
    drop(far);
    let mut answer = String::new();
    near.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "answer");
}

#[test]
fn the_chat_server_lets_all_others_hear() {
    let mut command = program("chat_server");
    command.arg("127.0.0.1:0");
    let mut server = Running::start(command);
    let address = server.address();
    let first = client(&address);
    (&first).write_all(b"alone\n").unwrap();
    let mut heard = BufReader::new(first.try_clone().unwrap()).lines();
    let second = client(&address);
    assert!(heard.next().unwrap().unwrap().ends_with("has come"));
    (&second).write_all(b"hello\n").unwrap();
    assert!(heard.next().unwrap().unwrap().ends_with(": hello"));
    // Not closed: what it has not read, as the first line if that came late, would make that a reset.
    second.shutdown(Shutdown::Write).unwrap();
    assert!(heard.next().unwrap().unwrap().ends_with("has gone"));
}

/// Runs a program to its end and gives what it printed.
fn output(name: &str) -> String {
    let output = program(name).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_producers_and_consumers_come_to_an_end() {
    let text = output("producer_consumer");
    assert_eq!(text.matches("down to 1").count(), 4, "{text}");
    // 6 takes 9 numbers down to 1, 7 takes 17, 9 takes 20 and 11 takes 15.
    assert!(text.ends_with("61 steps\n"), "{text}");
}

#[test]
fn the_timeouts_come_where_they_belong() {
    let text = output("timeouts");
    assert!(
        text.contains("a long sleep: timed out after 20ms"),
        "{text}"
    );
    assert!(text.contains("says nothing: None"), "{text}");
    assert!(text.contains("6 bytes: \"hello\\n\""), "{text}");
    assert!(!text.contains("never printed"), "{text}");
    assert!(text.contains("or else a value: 2"), "{text}");
}

#[test]
fn the_events_reach_everybody_in_order() {
    let text = output("events");
    assert!(text.starts_with("got Ok(4)\n"), "{text}");
    let order: Vec<_> = text
        .lines()
        .filter(|line| line.contains("after"))
        .filter_map(|line| line.split(' ').nth(1))
        .collect();
    assert_eq!(order, ["1", "2", "3"]);
    assert_eq!(text.matches("fails: nothing to compute\n").count(), 2);
    let trace = text.split_once("with a trace: nothing to compute here either\n");
    let made = trace.is_some_and(|(_, trace)| trace.contains("events::compute"));
    assert!(made || cfg!(not(target_os = "linux")), "{text}");
}

#[test]
fn the_crawler_counts_what_it_cannot_fetch() {
    let mut command = program("crawler");
    let server = tiny_http::Server::http("127.0.0.1:0").unwrap();
    let address = server.server_addr().to_ip().unwrap();
    std::thread::spawn(move || {
        for request in server.incoming_requests() {
            let body = match request.url() {
                "/" => "<a href=\"/a\">a</a><a href=\"/b\">b</a>",
                "/a" => "<a href=\"/\">back</a><a href=\"/c\">c</a>",
                _ => "leaf",
            };
            let _ = request.respond(tiny_http::Response::from_string(body));
        }
    });
    let dead = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}/", dead.local_addr().unwrap());
    drop(dead);
    command.args(["--concurrency", "2", "--depth", "2"]);
    command.args([&format!("http://{address}/"), &nobody, "no address"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("4 pages, 2 errors"), "{text}");
    assert!(text.contains(&format!("error {nobody}")), "{text}");
}

#[test]
fn the_web_crawler_prints_in_the_order_of_the_addresses() {
    let text = output("webcrawler");
    let lengths: Vec<usize> = text
        .lines()
        .filter_map(|line| line.rsplit(' ').next()?.parse().ok())
        .collect();
    assert_eq!(lengths, [7, 14, 21, 28, 35, 42, 49, 56, 63, 80], "{text}");
}

#[test]
fn the_web_crawler_fails_if_a_page_is_missing() {
    let mut command = program("webcrawler");
    let dead = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}/", dead.local_addr().unwrap());
    drop(dead);
    let output = command.arg(nobody).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn the_recursive_crawler_sees_every_page_once() {
    let text = output("recursive_crawler");
    assert!(text.ends_with("100 pages\n"), "{text}");
    for n in 1..=100 {
        let page = format!("/page/{n}\n");
        assert_eq!(text.matches(&page).count(), 1, "{page}");
    }
}

#[test]
fn connect_asks_all_and_prints_in_the_order_of_the_names() {
    let text = output("connect");
    let servers: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("localhost:")?.split_once(": "))
        .map(|(_, answer)| answer)
        .collect();
    let expected = [1, 2, 3].map(|n| format!("the answer of server {n}"));
    assert_eq!(servers, expected, "{text}");
}

#[test]
fn connect_says_who_does_not_answer() {
    let mut command = program("connect");
    let dead = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = dead.local_addr().unwrap().to_string();
    drop(dead);
    let output = command
        .arg(&nobody)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.starts_with(&nobody), "{text}");
}

#[test]
fn imap_gives_the_lines_of_a_file_in_their_order() {
    let text = output("imap_lines");
    let source = include_str!("../imap_lines.rs");
    let expected: String = source
        .lines()
        .map(|line| format!("{:3} {line}\n", line.len()))
        .collect();
    assert_eq!(text, expected);
}

#[test]
fn the_feed_scraper_answers_each_client_in_its_order() {
    let text = output("feedscraper");
    let titles: Vec<_> = text.lines().collect();
    let missing = "(http status: 404)";
    assert_eq!(
        titles,
        [
            "Feed 1", "Feed 2", "Feed 3", missing, "Feed 4", "Feed 5", "Feed 6", "Feed 7", missing
        ]
    );
}

#[test]
fn the_line_server_echoes_until_bye_and_ends_on_one_ctrl_c() {
    let mut command = program("echo_lines");
    command.arg("127.0.0.1:0");
    let mut server = Running::start(command);
    let address = server.address();
    let (one, other) = (client(&address), client(&address));
    let mut lines = BufReader::new(one.try_clone().unwrap()).lines();
    for text in ["hello", "and again"] {
        (&one).write_all(format!("{text}\n").as_bytes()).unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), text);
    }
    (&one).write_all(b"bye\nnot read\n").unwrap();
    assert!(lines.next().is_none_or(|line| line.is_err()));
    server.signal("INT");
    let mut last = String::new();
    for line in server.lines.by_ref() {
        last = line.unwrap();
    }
    assert_eq!(last, "server stopped");
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
    drop(other);
}

#[test]
fn the_byte_server_echoes_every_byte() {
    let mut command = program("echo_bytes");
    command.arg("127.0.0.1:0");
    let mut server = Running::start(command);
    let mut stream = client(&server.address());
    stream.write_all(b"hello").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut back = String::new();
    stream.read_to_string(&mut back).unwrap();
    assert_eq!(back, "hello");
}

#[cfg(feature = "servers")]
#[test]
fn the_hyper_server_serves_and_stops() {
    let mut command = program("hyper_server");
    command.arg("127.0.0.1:0");
    let mut server = Running::start(command);
    let address = server.address();
    let get = |path: &str| {
        let mut stream = client(&address);
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    // One that sleeps, and meanwhile the others.
    let mut slow = client(&address);
    slow.write_all(b"GET /sleep/300 HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n")
        .unwrap();
    assert!(get("/").ends_with("\r\n\r\nHello, world!\n"));
    let fetched = get(&format!("/fetch/{address}/"));
    assert!(fetched.starts_with("HTTP/1.1 200"), "{fetched}");
    assert!(fetched.contains("Hello, world!"), "{fetched}");
    assert!(get("/fetch/127.0.0.1:1/").starts_with("HTTP/1.1 502"));
    assert!(get("/none").starts_with("HTTP/1.1 404"));
    let mut upper = client(&address);
    upper
        .write_all(b"POST /upper HTTP/1.1\r\nhost: here\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello")
        .unwrap();
    let mut answer = String::new();
    upper.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("HELLO"), "{answer}");
    // Stopped, it still answers what it has begun.
    server.signal("TERM");
    assert_eq!(server.line(), "all served");
    answer.clear();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("after 300 ms\n"), "{answer}");
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

#[test]
fn greenthreads_run_in_calloop() {
    let output = program("in_calloop").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, b"10 answers in calloop, on polling\n");
}
