//! What is refused and what is not: each request with the verdict of RFC 9110 and RFC 9112, and the section that gives
//! it.

mod common;

use std::cell::Cell;
use std::rc::Rc;

use common::{Running, bounded, read_all, run, status};
use green::net::Shutdown;
use green_http::{Body, Request, Response, Server};

/// Answers 200 with the length of the body, and counts how often it is asked.
fn counting() -> (Running, Rc<Cell<usize>>) {
    let asked = Rc::new(Cell::new(0));
    let count = Rc::clone(&asked);
    let server = run(Server::new(move |request: Request<Body>| {
        count.set(count.get() + 1);
        let body = request.into_body().into_bytes();
        body.map(|body| Response::new(format!("{}\n", body.len())))
    }));
    (server, asked)
}

/// The verdict, where it is from, the request.
const HEADS: &[(u16, &str, &str)] = &[
    // The request line.
    (200, "9112 3", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (200, "9112 2.2", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (
        400,
        "9112 2.2",
        "\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (400, "9112 3", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "9112 3", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "9112 3", "GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "9112 3", " GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "9112 3", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"),
    (400, "9112 3", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "9112 3", "GET /\r\nHost: a\r\n\r\n"),
    (400, "9112 3", "GET\r\nHost: a\r\n\r\n"),
    (400, "9110 9.1", "G\x01T / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "9110 9.1", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (200, "9110 9.1", "M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n"),
    // Stricter than the RFC, which allows any token.
    (400, "here", "-bl / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "here", "!GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "here", "1GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    // The version.
    (200, "9112 2.3", "GET / HTTP/1.0\r\n\r\n"),
    (505, "9110 15.6.6", "GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
    (505, "9110 15.6.6", "GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
    (505, "9110 15.6.6", "GET / HTTP/0.9\r\nHost: a\r\n\r\n"),
    (400, "9112 2.3", "GET / http/1.1\r\nHost: a\r\n\r\n"),
    (400, "9112 2.3", "GET / HTTP/1.10\r\nHost: a\r\n\r\n"),
    (400, "9112 2.3", "GET / HTTP/11\r\nHost: a\r\n\r\n"),
    (400, "9112 2.3", "GET / HTTP/1,1\r\nHost: a\r\n\r\n"),
    // The target.
    (
        200,
        "9112 3.2.2",
        "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (200, "9112 3.2.4", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
    (
        200,
        "9112 3.2.1",
        "GET /?a=b&c=%20 HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (
        200,
        "9112 3.2.1",
        "GET //a/../b HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (400, "9112 3.2.4", "GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "9112 3.2.3", "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n"),
    (
        400,
        "9112 3.2",
        "GET index.html HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    (400, "9112 3.2.3", "CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "9112 3.2.3", "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "9112 3.2", "GET /#top HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "9112 3.2", "GET /\u{e4} HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "9112 3.2", "GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, "9112 3.2", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    // Host.
    (400, "9112 3.2", "GET / HTTP/1.1\r\n\r\n"),
    (
        400,
        "9112 3.2",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    ),
    (
        400,
        "9112 3.2",
        "GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n",
    ),
    (
        400,
        "9112 3.2",
        "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
    ),
    (400, "9112 3.2", "GET http://a/ HTTP/1.1\r\n\r\n"),
    (400, "9110 7.2", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    (400, "9110 7.2", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    (400, "9110 7.2", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"),
    (400, "9110 7.2", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"),
    (400, "9110 7.2", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"),
    (400, "9110 7.2", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n"),
    (
        200,
        "9110 7.2",
        "GET / HTTP/1.1\r\nHost: a.example:8080\r\n\r\n",
    ),
    (200, "9110 7.2", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"),
    (200, "9110 7.2", "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    // Lines and fields.
    (400, "9112 2.2", "GET / HTTP/1.1\nHost: a\n\n"),
    (400, "9112 2.2", "GET / HTTP/1.1\r\nHost: a\n\r\n"),
    (400, "9112 2.2", "GET / HTTP/1.1\r\nHost: a\r\n\n"),
    (400, "9112 2.2", "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n"),
    (400, "9112 5.1", "GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
    (
        400,
        "9112 5.1",
        "GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n",
    ),
    (400, "9112 5.1", "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n"),
    (400, "9112 5.1", "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n"),
    (
        400,
        "9110 5.1",
        "GET / HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n",
    ),
    (
        400,
        "9110 5.1",
        "GET / HTTP/1.1\r\nHost: a\r\nX\u{e4}: b\r\n\r\n",
    ),
    (
        400,
        "9112 5.2",
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
    ),
    (400, "9112 2.2", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    (
        400,
        "9110 5.5",
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\x00c\r\n\r\n",
    ),
    (
        400,
        "9110 5.5",
        "GET / HTTP/1.1\r\nHost: a\r\nX: b\x01c\r\n\r\n",
    ),
    (
        200,
        "9110 5.5",
        "GET / HTTP/1.1\r\nHost: a\r\nX: \tb\t\r\n\r\n",
    ),
    (200, "9110 5.5", "GET / HTTP/1.1\r\nHost: a\r\nX:\r\n\r\n"),
    (
        200,
        "9110 5.5",
        "GET / HTTP/1.1\r\nHost: a\r\nX: \u{e4}\r\n\r\n",
    ),
    // Expectations.
    (
        417,
        "9110 10.1.1",
        "GET / HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\n\r\n",
    ),
    (
        200,
        "9110 10.1.1",
        "GET / HTTP/1.0\r\nHost: a\r\nExpect: wonders\r\n\r\n",
    ),
];

const BODIES: &[(u16, &str, &str, &str)] = &[
    (200, "9112 6.2", "Content-Length: 3", "abc"),
    (200, "9112 6.2", "Content-Length: 003", "abc"),
    (200, "9112 6.2", "Content-Length: 0", ""),
    (400, "9110 8.6", "Content-Length: -1", ""),
    (400, "9110 8.6", "Content-Length: +3", "abc"),
    (400, "9110 8.6", "Content-Length: 3 ,3", "abc"),
    (400, "9110 8.6", "Content-Length: 0x3", "abc"),
    (400, "9110 8.6", "Content-Length: 3.0", "abc"),
    (400, "9110 8.6", "Content-Length:", ""),
    (400, "9110 8.6", "Content-Length: 99999999999999999999", ""),
    (400, "9110 8.6", "Content-Length: 18446744073709551615", ""),
    (
        400,
        "9112 6.3",
        "Content-Length: 3\r\nContent-Length: 3",
        "abc",
    ),
    (
        400,
        "9112 6.3",
        "Content-Length: 3\r\ncontent-length: 4",
        "abc",
    ),
    (
        200,
        "9112 7.1",
        "Transfer-Encoding: chunked",
        "3\r\nabc\r\n0\r\n\r\n",
    ),
    (
        200,
        "9112 7.1",
        "Transfer-Encoding: CHUNKED",
        "003\r\nabc\r\n000\r\n\r\n",
    ),
    (
        200,
        "9112 7.1.1",
        "Transfer-Encoding: chunked",
        "3;a=b;c=\"d e\"\r\nabc\r\n0;x\r\n\r\n",
    ),
    (
        200,
        "9112 7.1.2",
        "Transfer-Encoding: chunked",
        "3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n",
    ),
    (
        400,
        "9112 6.3",
        "Transfer-Encoding: chunked\r\nContent-Length: 3",
        "3\r\nabc\r\n0\r\n\r\n",
    ),
    (
        400,
        "9112 6.3",
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "3\r\nabc\r\n0\r\n\r\n",
    ),
    (
        400,
        "9112 6.1",
        "Transfer-Encoding: chunked, chunked",
        "0\r\n\r\n",
    ),
    (
        400,
        "9112 6.1",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "0\r\n\r\n",
    ),
    (
        501,
        "9112 6.1",
        "Transfer-Encoding: gzip, chunked",
        "0\r\n\r\n",
    ),
    (501, "9112 6.1", "Transfer-Encoding: gzip", ""),
    (501, "9112 6.1", "Transfer-Encoding: identity", ""),
    (
        501,
        "9112 6.1",
        "Transfer-Encoding: chunked, gzip",
        "0\r\n\r\n",
    ),
    (501, "9112 6.1", "Transfer-Encoding:", ""),
    (501, "9112 6.1", "Transfer-Encoding: xchunked", "0\r\n\r\n"),
    (
        501,
        "9112 6.1",
        "Transfer-Encoding: \"chunked\"",
        "0\r\n\r\n",
    ),
    (
        400,
        "9112 7.1",
        "Transfer-Encoding: chunked",
        "3 \r\nabc\r\n0\r\n\r\n",
    ),
    (
        400,
        "9112 7.1",
        "Transfer-Encoding: chunked",
        " 3\r\nabc\r\n0\r\n\r\n",
    ),
    (
        400,
        "9112 7.1",
        "Transfer-Encoding: chunked",
        "3\r\nabc\r\n0 \r\n\r\n",
    ),
    (
        400,
        "9112 7.1",
        "Transfer-Encoding: chunked",
        "0x3\r\nabc\r\n0\r\n\r\n",
    ),
    (
        400,
        "9112 7.1",
        "Transfer-Encoding: chunked",
        "-3\r\nabc\r\n0\r\n\r\n",
    ),
    (
        400,
        "9112 7.1",
        "Transfer-Encoding: chunked",
        "+3\r\nabc\r\n0\r\n\r\n",
    ),
    (
        400,
        "9112 7.1",
        "Transfer-Encoding: chunked",
        "g\r\nabc\r\n0\r\n\r\n",
    ),
    (
        400,
        "9112 7.1",
        "Transfer-Encoding: chunked",
        "\r\nabc\r\n0\r\n\r\n",
    ),
    (
        400,
        "9112 7.1",
        "Transfer-Encoding: chunked",
        ";a\r\nabc\r\n0\r\n\r\n",
    ),
    (
        400,
        "9112 7.1",
        "Transfer-Encoding: chunked",
        "3\nabc\n0\n\n",
    ),
    (
        400,
        "9112 7.1",
        "Transfer-Encoding: chunked",
        "3\r\nabc\n0\r\n\r\n",
    ),
    (
        400,
        "9112 7.1",
        "Transfer-Encoding: chunked",
        "3\r\nabcd\r\n0\r\n\r\n",
    ),
    (
        400,
        "9112 7.1",
        "Transfer-Encoding: chunked",
        "3\r\nab\r\n0\r\n\r\n",
    ),
    (
        400,
        "9112 7.1",
        "Transfer-Encoding: chunked",
        "3\rabc\r\n0\r\n\r\n",
    ),
    (
        400,
        "9112 7.1",
        "Transfer-Encoding: chunked",
        "3;a\nb\r\nabc\r\n0\r\n\r\n",
    ),
    (
        400,
        "9112 7.1",
        "Transfer-Encoding: chunked",
        "ffffffffffffffff\r\nabc\r\n",
    ),
    (
        400,
        "9112 7.1",
        "Transfer-Encoding: chunked",
        "10000000000000003\r\nabc\r\n",
    ),
    (
        400,
        "9112 7.1.2",
        "Transfer-Encoding: chunked",
        "0\r\nX : y\r\n\r\n",
    ),
    (
        400,
        "9112 7.1.2",
        "Transfer-Encoding: chunked",
        "0\r\nX: y\n\r\n",
    ),
    (
        400,
        "9110 6.5.1",
        "Transfer-Encoding: chunked",
        "0\r\nContent-Length: 5\r\n\r\n",
    ),
    (
        400,
        "9110 6.5.1",
        "Transfer-Encoding: chunked",
        "0\r\nHost: b\r\n\r\n",
    ),
];

/// Asks as it is, and byte by byte. The verdict must be the same, and what comes behind a refusal is not served.
fn check(server: &Running, asked: &Cell<usize>, verdict: u16, source: &str, request: &str) {
    // Trailing zeros of one test stand for themselves, not for text of this file's encoding.
    let bytes: Vec<u8> = request
        .chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap())
        .collect();
    let behind = b"GET /behind HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    for pieces in [false, true] {
        asked.set(0);
        let answers = match pieces {
            false => server.ask([&bytes[..], behind].concat()),
            true => {
                let mut stream = server.say("");
                for byte in bytes.iter().chain(behind) {
                    if std::io::Write::write_all(&mut stream, &[*byte]).is_err() {
                        break;
                    }
                    green::yield_now();
                }
                let _ = stream.shutdown(Shutdown::Write);
                read_all(stream)
            }
        };
        let first = status(&answers);
        assert_eq!(
            first, verdict,
            "{source}, in pieces: {pieces}: {request:?}: {answers}"
        );
        let count = answers.matches("HTTP/1.").count();
        if verdict == 200 {
            assert!(
                !answers.starts_with("HTTP/1.1") || count == 2,
                "{source}: {request:?}: {answers}"
            );
        } else {
            assert_eq!(
                count, 1,
                "{source}: {request:?} lets something behind it through: {answers}"
            );
            assert!(
                answers.contains("connection: close\r\n"),
                "{request:?}: {answers}"
            );
            // A body may be refused when its handler has begun.
            assert!(
                asked.get() <= usize::from(request.contains("Transfer-Encoding: chunked\r\n\r\n")),
                "{request:?}"
            );
        }
    }
}

#[test]
fn heads() {
    bounded(|| {
        let (server, asked) = counting();
        for (verdict, source, request) in HEADS {
            check(&server, &asked, *verdict, source, request);
        }
        server.end();
    });
}

#[test]
fn framings() {
    bounded(|| {
        let (server, asked) = counting();
        for (verdict, source, fields, body) in BODIES {
            let request = format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n{body}");
            check(&server, &asked, *verdict, source, &request);
        }
        // HTTP/1.0 has no chunks.
        let old = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        check(&server, &asked, 400, "9112 6.1", old);
        server.end();
    });
}

#[test]
fn limits() {
    bounded(|| {
        let server = run(
            Server::new(|request: Request<Body>| request.into_body().into_string())
                .target_limit(100)
                .field_limit(200)
                .fields_limit(10)
                .head_limit(1000)
                .body_limit(50),
        );
        let get = |target: &str, fields: &str| {
            format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
        };
        let long = |n: usize| "x".repeat(n);
        assert_eq!(status(&server.ask(get(&format!("/{}", long(99)), ""))), 200);
        assert_eq!(
            status(&server.ask(get(&format!("/{}", long(100)), ""))),
            414
        );
        assert_eq!(status(&server.ask(format!("GET /{}", long(100_000)))), 414);
        assert_eq!(
            status(&server.ask(get("/", &format!("X: {}\r\n", long(190))))),
            200
        );
        assert_eq!(
            status(&server.ask(get("/", &format!("X: {}\r\n", long(200))))),
            431
        );
        assert_eq!(
            status(&server.ask(get("/", &format!("X: {}", long(100_000))))),
            431
        );
        assert_eq!(status(&server.ask(get("/", &"X: y\r\n".repeat(9)))), 200);
        assert_eq!(status(&server.ask(get("/", &"X: y\r\n".repeat(10)))), 431);
        let fields = format!("X: {}\r\n", long(180)).repeat(6);
        assert_eq!(status(&server.ask(get("/", &fields))), 431);
        let sized = |n: usize| {
            format!(
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {n}\r\n\r\n{}",
                long(n)
            )
        };
        assert_eq!(status(&server.ask(sized(50))), 200);
        assert_eq!(status(&server.ask(sized(51))), 413);
        // The client that goes on sending is told, too.
        assert_eq!(status(&server.ask(sized(500_000))), 413);
        let chunked = |n: usize| {
            let chunks = "5\r\n12345\r\n".repeat(n);
            format!(
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"
            )
        };
        assert_eq!(status(&server.ask(chunked(10))), 200);
        assert_eq!(status(&server.ask(chunked(11))), 413);
        let trailers = "0\r\n".to_owned() + &"X: y\r\n".repeat(300) + "\r\n";
        let request =
            format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{trailers}");
        assert_eq!(status(&server.ask(request)), 431);
        let head = server.ask("HEAD /#x HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!((status(&head), common::body(&head)), (400, ""));
        server.end();
    });
}
