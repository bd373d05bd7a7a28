//! From HTTP to WebSocket, on both sides.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::Instant;

use green::server::StreamServer;
use green_ws::{
    Deflate, Error, Message, Options, Request, Upgrade, accept, client, connect, handler,
};

use crate::common::{GOOD, SHORT, bounded, pair_with, read_head, request, settle, tcp_pair};

/// The answer to a request, and what the server says.
fn answer(request: &str, options: &Options) -> (String, Result<(), Error>) {
    let (mut near, far) = tcp_pair();
    near.write_all(request.as_bytes()).unwrap();
    near.shutdown(Shutdown::Write).unwrap();
    let options = options.clone();
    let server = green::spawn(move || accept(far, &options).map(drop));
    let mut answer = Vec::new();
    near.read_to_end(&mut answer).unwrap();
    // A close frame may follow.
    (
        String::from_utf8_lossy(&answer).into_owned(),
        server.join().unwrap(),
    )
}

fn with<'a>(name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut fields: Vec<_> = GOOD
        .into_iter()
        .filter(|(known, _)| *known != name)
        .collect();
    fields.push((name, value));
    fields
}

fn without(name: &str) -> Vec<(&str, &str)> {
    GOOD.into_iter()
        .filter(|(known, _)| *known != name)
        .collect()
}

fn twice<'a>(name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    GOOD.into_iter().chain([(name, value)]).collect()
}

#[test]
fn a_good_request_is_answered_as_the_rfc_says() {
    let (text, accepted) = answer(&request(&GOOD), &Options::new());
    assert!(accepted.is_ok());
    assert!(
        text.starts_with("HTTP/1.1 101 Switching Protocols\r\n"),
        "{text}"
    );
    assert!(
        text.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"),
        "{text}"
    );
    assert!(
        !text.to_lowercase().contains("sec-websocket-protocol"),
        "{text}"
    );
    assert!(
        !text.to_lowercase().contains("sec-websocket-extensions"),
        "{text}"
    );
}

#[test]
fn a_bad_upgrade_is_400() {
    bounded(|| {
        for (text, why) in [
            (request(&without("Host")), "no host"),
            (request(&twice("Host", "other")), "two hosts"),
            (request(&without("Upgrade")), "no upgrade"),
            (request(&with("Upgrade", "h2c")), "another upgrade"),
            (request(&without("Connection")), "no connection"),
            (
                request(&with("Connection", "keep-alive")),
                "another connection",
            ),
            (request(&without("Sec-WebSocket-Version")), "no version"),
            (
                request(&twice("Sec-WebSocket-Version", "13")),
                "two versions",
            ),
            (request(&without("Sec-WebSocket-Key")), "no key"),
            (request(&twice("Sec-WebSocket-Key", GOOD[4].1)), "two keys"),
            (
                request(&with("Sec-WebSocket-Key", "c2hvcnQ=")),
                "a short key",
            ),
            (
                request(&with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZR==")),
                "a key with odd bits",
            ),
            (request(&twice("Content-Length", "5")), "a body"),
            (
                request(&twice("Transfer-Encoding", "chunked")),
                "a body in chunks",
            ),
            (
                request(&twice("Sec-WebSocket-Extensions", "a b")),
                "broken extensions",
            ),
            (request(&GOOD).replace("GET", "POST"), "another method"),
            (
                request(&GOOD).replace("HTTP/1.1", "HTTP/1.0"),
                "an older version",
            ),
            ("hello\r\n\r\n".to_owned(), "no HTTP"),
        ] {
            let (text, accepted) = answer(&text, &Options::new());
            assert!(
                text.starts_with("HTTP/1.1 400 Bad Request\r\n"),
                "{why}: {text}"
            );
            assert!(text.contains("\r\nConnection: close\r\n"), "{why}: {text}");
            assert!(
                matches!(accepted, Err(Error::Refused { status: 400, .. })),
                "{why}"
            );
        }
        let long = request(&twice("X-Long", &"x".repeat(20_000)));
        let (text, accepted) = answer(&long, &Options::new());
        assert!(text.starts_with("HTTP/1.1 431 "), "{text}");
        assert!(matches!(accepted, Err(Error::Refused { status: 431, .. })));
    });
}

#[test]
fn another_version_is_426_with_the_list() {
    for version in ["8", "7", "0", "14", "013"] {
        let fields = with("Sec-WebSocket-Version", version);
        let (text, accepted) = answer(&request(&fields), &Options::new());
        assert!(
            text.starts_with("HTTP/1.1 426 Upgrade Required\r\n"),
            "{text}"
        );
        assert!(text.contains("\r\nSec-WebSocket-Version: 13\r\n"), "{text}");
        assert!(matches!(accepted, Err(Error::Refused { status: 426, .. })));
    }
}

#[test]
fn a_wrong_origin_is_403() {
    let options = Options::new().origins(|origin| origin == Some("http://good.test"));
    for fields in [with("Origin", "http://evil.test"), GOOD.to_vec()] {
        let (text, accepted) = answer(&request(&fields), &options);
        assert!(text.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{text}");
        assert!(matches!(accepted, Err(Error::Refused { status: 403, .. })));
    }
    let (text, accepted) = answer(&request(&with("Origin", "http://good.test")), &options);
    assert!(text.starts_with("HTTP/1.1 101 "), "{text}");
    assert!(accepted.is_ok());
}

#[test]
fn subprotocols_are_the_servers_choice() {
    let server = Options::new().protocols(["v2", "v1"]);
    for (offered, chosen) in [
        (&["v1", "v2"][..], Some("v2")),
        (&["v1"], Some("v1")),
        (&["v3"], None),
        (&[], None),
    ] {
        let (near, far) = pair_with(&Options::new().protocols(offered.iter().copied()), &server);
        assert_eq!(near.protocol(), chosen);
        assert_eq!(far.protocol(), chosen);
    }
}

#[test]
fn what_comes_with_the_request_is_not_lost() {
    let (mut near, far) = tcp_pair();
    let mut bytes = request(&GOOD).into_bytes();
    bytes.extend([0x81, 0x85, 0, 0, 0, 0]);
    bytes.extend(b"hello");
    near.write_all(&bytes).unwrap();
    let far = accept(far, &Options::new()).unwrap();
    assert_eq!(far.request().path(), "/chat");
    assert_eq!(far.receive().unwrap(), Some(Message::from("hello")));
}

#[test]
fn a_request_that_another_server_has_read_is_opened() {
    let (mut near, far) = tcp_pair();
    near.write_all(&[0x81, 0x80, 0, 0, 0, 0]).unwrap();
    let upgrade = Upgrade::check(Request::new("GET", "/", GOOD), &Options::new()).unwrap();
    assert_eq!(upgrade.fields().len(), 3);
    let far = upgrade.open(far, &[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']);
    assert_eq!(far.receive().unwrap(), Some(Message::from("hi")));
    assert_eq!(far.receive().unwrap(), Some(Message::from("")));
    let refusal = Upgrade::check(
        Request::new("GET", "/", with("Sec-WebSocket-Version", "7")),
        &Options::new(),
    );
    let refusal = refusal.unwrap_err();
    assert_eq!(refusal.status(), 426);
    assert!(refusal.fields().contains(&("Sec-WebSocket-Version", "13")));
    assert!(refusal.text().contains("13"));
}

#[test]
fn who_says_nothing_is_let_go() {
    bounded(|| {
        let options = Options::new().handshake_timeout(SHORT);
        let (near, far) = tcp_pair();
        let begun = Instant::now();
        let Err(Error::Io(error)) = accept(far, &options) else {
            panic!("a handshake with nobody");
        };
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        assert!(begun.elapsed() >= SHORT);
        drop(near);
        let (near, _far) = tcp_pair();
        let Err(Error::Io(error)) = client(near, "ws://localhost/", &options) else {
            panic!("a handshake with nobody");
        };
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        let (near, far) = tcp_pair();
        drop(near);
        let Err(Error::Io(error)) = accept(far, &options) else {
            panic!("a handshake with nobody");
        };
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{error}");
    });
}

/// What a client says of a server that answers so.
fn ask(answer: &'static str, options: &Options) -> Error {
    let (near, mut far) = tcp_pair();
    let server = green::spawn(move || {
        let head = read_head(&mut far);
        let key = head
            .lines()
            .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))
            .unwrap();
        let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
        far.write_all(answer.replace("ACCEPT", &accept).as_bytes())
            .unwrap();
        far
    });
    let error = client(near, "ws://localhost/", options).unwrap_err();
    server.join().unwrap();
    error
}

#[test]
fn a_client_checks_the_answer() {
    bounded(|| {
        let switching = "HTTP/1.1 101 Switching Protocols\r\n";
        let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
        let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
        let good = format!("{switching}{upgrade}Sec-WebSocket-Accept: ACCEPT\r\n");
        let options = Options::new().protocols(["chat"]).deflate(Deflate::new());
        for (answer, says) in [
            ("HTTP/1.1 404 Not Found\r\n\r\n".to_owned(), "404"),
            (
                "HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n".to_owned(),
                "302",
            ),
            (
                format!("{switching}Sec-WebSocket-Accept: ACCEPT\r\n\r\n"),
                "something else",
            ),
            (format!("{switching}{upgrade}\r\n"), "another request"),
            (
                format!("{switching}{upgrade}Sec-WebSocket-Accept: x\r\n\r\n"),
                "another request",
            ),
            (
                format!("{good}Sec-WebSocket-Accept: ACCEPT\r\n\r\n"),
                "another request",
            ),
            (
                format!("{good}Sec-WebSocket-Protocol: other\r\n\r\n"),
                "not offered",
            ),
            (
                format!("{good}Sec-WebSocket-Extensions: x-other\r\n\r\n"),
                "not offered",
            ),
            (
                format!(
                    "{good}Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=7\r\n\r\n"
                ),
                "out of range",
            ),
        ] {
            let error = ask(leak(answer), &options);
            assert!(matches!(error, Error::Refused { .. }), "{error}");
            assert!(error.to_string().contains(says), "{error}");
        }
    });
}

#[test]
fn an_address_that_is_none_is_refused_before_anything_is_sent() {
    for address in ["http://localhost/", "localhost", "ws://"] {
        let Err(Error::Io(error)) = connect(address, &Options::new()) else {
            panic!("connected to {address}");
        };
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
    let (near, _far) = tcp_pair();
    let options = Options::new().header("X-Bad", "a\r\nX-Smuggled: b");
    assert!(client(near, "ws://localhost/", &options).is_err());
}

#[test]
fn a_server_survives_its_clients_and_its_handlers() {
    bounded(|| {
        let handler = handler(Options::new(), |socket| {
            match socket.receive()? {
                Some(Message::Text(text)) if text == "fail" => Err("on purpose")?,
                Some(message) => socket.send(message)?,
                None => {}
            }
            Ok::<(), Box<dyn std::error::Error>>(())
        });
        let listener = green::listen("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = green::spawn(move || green::serve(&listener, 100, handler).is_ok());
        // Rubbish, silence, and one that goes away.
        green::connect(address)
            .unwrap()
            .write_all(b"rubbish\r\n\r\n")
            .unwrap();
        drop(green::connect(address).unwrap());
        let address = format!("ws://{address}/");
        let connect = || connect(&address, &Options::new()).unwrap();
        connect().get_ref();
        let socket = connect();
        socket.send("fail").unwrap();
        assert_eq!(socket.receive().unwrap(), None);
        assert_eq!(socket.close_frame().unwrap().code, 1011);
        let socket = connect();
        socket.send("hello").unwrap();
        assert_eq!(socket.receive().unwrap(), Some(Message::from("hello")));
        assert_eq!(socket.receive().unwrap(), None);
        assert_eq!(socket.close_frame().unwrap().code, 1000);
        settle();
        assert!(!server.is_dead());
    });
}

#[test]
fn a_stream_server_serves_web_sockets() {
    let echo = handler(Options::new(), |socket| {
        while let Some(message) = socket.receive()? {
            socket.send(message)?;
        }
        Ok::<(), Error>(())
    });
    let server = StreamServer::new(green::listen("127.0.0.1:0").unwrap(), echo);
    server.start();
    let address = format!("ws://{}/", server.listener().local_addr().unwrap());
    let socket = connect(&address, &Options::new()).unwrap();
    socket.send(vec![1, 2, 3]).unwrap();
    assert_eq!(
        socket.receive().unwrap(),
        Some(Message::from(vec![1, 2, 3]))
    );
    socket.close(1000, "").unwrap();
    assert_eq!(server.stop(std::time::Duration::from_secs(60)), 0);
}
