//! HTTP/2: streams as greenthreads, and what a client may not do with them.

mod common;

use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use common::{LONG, Running, SHORT, bounded, run, until};
use green::future::{Executor, block_on, spawn};
use green::net::TcpStream;
use green_http::{Body, Bytes, Content, HeaderMap, Request, Response, Server, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

fn pages(request: Request<Body>) -> Response {
    let path = request.uri().path().to_owned();
    match path.as_str() {
        "/echo" => Response::from(request.into_body().into_bytes()),
        "/stream" => Response::new(Content::reader(request.into_body())),
        "/sleep" => {
            green::sleep(SHORT);
            Response::new("slept")
        }
        "/trailers" => Response::new(Content::written(|out| {
            out.write_all(b"text")?;
            let mut fields = HeaderMap::new();
            fields.insert("x-sum", "42".parse().unwrap());
            out.trailers(fields);
            Ok(())
        })),
        "/fails" => Response::new(Content::try_pieces([
            Ok(Bytes::from("part")),
            Err(std::io::Error::other("on purpose")),
        ])),
        "/written-fails" => Response::new(Content::written(|out| {
            out.write_all(b"part")?;
            out.flush()?;
            panic!("on purpose")
        })),
        "/killed" => {
            green::current().kill();
            Response::new("never")
        }
        "/panic" => panic!("on purpose"),
        "/large" => Response::new(Content::pieces((0..4096).map(|_| vec![b'x'; 16 * 1024]))),
        "/big" => Response::new(vec![b'x'; 1 << 20]),
        "/long" => {
            green::sleep(LONG);
            Response::new("late")
        }
        _ => Response::new("Hello, World!"),
    }
}

async fn client(address: SocketAddr) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).unwrap();
    let (sender, connection) = handshake(Executor, stream).await.unwrap();
    drop(spawn(async {
        let _ = connection.await;
    }));
    sender
}

fn request(address: SocketAddr, path: &str, body: &'static [u8]) -> Request<Full<Bytes>> {
    Request::post(format!("http://{address}{path}"))
        .body(Full::from(body))
        .unwrap()
}

/// The clock has seen it idle, and has trimmed the stack of its greenthread.
#[test]
fn a_rested_connection_is_served_on() {
    bounded(|| {
        // Nothing here comes near the end of a write: it is there for the clock.
        let server = run(Server::new(pages).write_timeout(SHORT));
        let address = server.address;
        let mut sender = block_on(client(address));
        for _ in 0..3 {
            let answer = block_on(sender.send_request(request(address, "/echo", b"content")));
            let body = block_on(answer.unwrap().into_body().collect()).unwrap();
            assert_eq!(body.to_bytes(), "content");
            server.until(1, 1);
            green::sleep(SHORT);
        }
        drop(sender);
        server.end();
    });
}

#[test]
fn streams_are_served_beside_each_other() {
    bounded(|| {
        let server = run(Server::new(pages));
        let address = server.address;
        block_on(async {
            let mut sender = client(address).await;
            let start = Instant::now();
            let mut answers = Vec::new();
            for _ in 0..100 {
                answers.push(sender.send_request(request(address, "/sleep", b"")));
            }
            for answer in answers {
                let answer = answer.await.unwrap();
                assert_eq!(answer.status(), 200);
                assert_eq!(
                    answer.into_body().collect().await.unwrap().to_bytes(),
                    "slept"
                );
            }
            let took = start.elapsed();
            assert!(took >= SHORT && took < 20 * SHORT, "{took:?}");
            for path in ["/echo", "/stream"] {
                let answer = sender
                    .send_request(request(address, path, b"content"))
                    .await
                    .unwrap();
                assert_eq!(answer.version(), hyper::Version::HTTP_2);
                assert_eq!(
                    answer.into_body().collect().await.unwrap().to_bytes(),
                    "content"
                );
            }
            let answer = sender
                .send_request(request(address, "/trailers", b""))
                .await
                .unwrap();
            let answer = answer.into_body().collect().await.unwrap();
            assert_eq!(answer.trailers().unwrap()["x-sum"], "42");
            let answer = sender
                .send_request(request(address, "/large", b""))
                .await
                .unwrap();
            assert_eq!(
                answer.into_body().collect().await.unwrap().to_bytes().len(),
                64 << 20
            );
        });
        assert_eq!(server.life.counters().by_status, [(200, 104)]);
        server.end();
    });
}

#[test]
fn what_fails_fails_alone_and_never_looks_complete() {
    bounded(|| {
        let server = run(Server::new(pages));
        let address = server.address;
        block_on(async {
            let mut sender = client(address).await;
            for path in ["/fails", "/written-fails"] {
                let answer = sender
                    .send_request(request(address, path, b""))
                    .await
                    .unwrap();
                assert_eq!(answer.status(), 200);
                assert!(answer.into_body().collect().await.is_err(), "{path}");
            }
            assert!(
                sender
                    .send_request(request(address, "/killed", b""))
                    .await
                    .is_err()
            );
            let answer = sender
                .send_request(request(address, "/panic", b""))
                .await
                .unwrap();
            assert_eq!(answer.status(), 500);
            let answer = sender
                .send_request(request(address, "/", b""))
                .await
                .unwrap();
            assert_eq!(
                answer.into_body().collect().await.unwrap().to_bytes(),
                "Hello, World!"
            );
        });
        server.end();
    });
}

#[test]
fn a_drain_finishes_the_streams() {
    bounded(|| {
        let server = run(Server::new(pages));
        let address = server.address;
        let life = server.life.clone();
        block_on(async {
            let mut sender = client(address).await;
            let idle = client(address).await;
            let busy = sender.send_request(request(address, "/sleep", b""));
            let busy = spawn(busy);
            green::sleep(SHORT / 4);
            let drained = green::spawn(move || life.drain(LONG));
            let answer = busy.await.unwrap().unwrap();
            assert_eq!(
                answer.into_body().collect().await.unwrap().to_bytes(),
                "slept"
            );
            assert_eq!(drained.await.unwrap().killed, 0);
            drop(idle);
            assert!(
                sender
                    .send_request(request(address, "/", b""))
                    .await
                    .is_err()
            );
        });
        assert_eq!(server.join(), 0);

        let server = run(Server::new(pages));
        let address = server.address;
        let life = server.life.clone();
        block_on(async {
            let mut sender = client(address).await;
            sender
                .send_request(request(address, "/", b""))
                .await
                .unwrap();
            // A connection that has just come is not idle either: only now does not idle mean a request.
            until(|| life.counters().idle == 1);
            let late = spawn(sender.send_request(request(address, "/long", b"")));
            until(|| life.counters().open == 1 && life.counters().idle == 0);
            assert_eq!(life.drain(SHORT).killed, 1);
            assert!(late.await.unwrap().is_err());
        });
        assert_eq!(server.join(), 1);
    });
}

#[test]
fn limits_and_deadlines_of_a_stream() {
    bounded(|| {
        let server = run(Server::new(pages)
            .body_limit(10)
            .request_timeout(10 * SHORT));
        let address = server.address;
        block_on(async {
            let mut sender = client(address).await;
            let answer = sender
                .send_request(request(address, "/echo", b"0123456789"))
                .await
                .unwrap();
            assert_eq!(answer.status(), 200);
            let answer = sender
                .send_request(request(address, "/echo", b"0123456789a"))
                .await
                .unwrap();
            assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
            let answer = sender
                .send_request(request(address, "/long", b""))
                .await
                .unwrap();
            assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        });
        server.end();
        // With the feature, but not the will.
        let server = run(Server::new(pages).http2(false));
        let answer = server.ask(PREFACE);
        assert!(answer.starts_with("HTTP/1.1 505 "), "{answer}");
        server.end();
    });
}

/// A frame (RFC 9113, 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// `GET path` in the fields' encoding (RFC 7541): three of the table, the path as a literal.
fn get(path: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x86, 0x41, 1, b'a', 0x44, path.len() as u8];
    block.extend(path.as_bytes());
    block
}

/// A connection that speaks frames.
struct Raw(TcpStream);

impl Raw {
    fn new(server: &Running, settings: &[u8]) -> Raw {
        let mut stream = server.say(PREFACE);
        stream.write_all(&frame(SETTINGS, 0, 0, settings)).unwrap();
        Raw(stream)
    }

    /// False if the server takes no more.
    fn say(&mut self, frame: &[u8]) -> bool {
        self.0.write_all(frame).is_ok()
    }

    /// The kinds and payloads of what comes up to the end, or until `enough`.
    fn hear(&mut self, mut enough: impl FnMut(u8, &[u8]) -> bool) -> Vec<(u8, Vec<u8>)> {
        let mut heard = Vec::new();
        let mut head = [0; 9];
        while self.0.read_exact(&mut head).is_ok() {
            let len = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; len as usize];
            if self.0.read_exact(&mut payload).is_err() {
                break;
            }
            let last = enough(head[3], &payload);
            heard.push((head[3], payload));
            if last {
                break;
            }
        }
        heard
    }

    fn hear_all(&mut self) -> Vec<(u8, Vec<u8>)> {
        self.hear(|_, _| false)
    }
}

/// The error code of the GOAWAY.
fn goaway(heard: &[(u8, Vec<u8>)]) -> Option<u32> {
    let (_, payload) = heard.iter().rev().find(|(kind, _)| *kind == GOAWAY)?;
    Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()))
}

/// Resident memory of this process, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<usize>().ok())
        .unwrap_or(0)
        * 4096
}

/// Says `attack` again and again while the server is listening, and nothing that it answers is read meanwhile.
fn flood(
    server: &Running,
    attack: impl Fn(u32) -> Vec<u8> + 'static,
    times: u32,
) -> (u32, Vec<(u8, Vec<u8>)>) {
    let mut raw = Raw::new(server, b"");
    let writer = raw.0.try_clone().unwrap();
    writer.set_write_timeout(Some(10 * SHORT)).unwrap();
    let said = Rc::new(Cell::new(0));
    let count = Rc::clone(&said);
    let writing = green::spawn(move || {
        let mut writer = writer;
        while count.get() < times && writer.write_all(&attack(count.get())).is_ok() {
            count.set(count.get() + 1);
        }
    });
    writing.join().unwrap();
    raw.0.set_read_timeout(Some(10 * SHORT)).unwrap();
    let heard = raw.hear_all();
    (said.get(), heard)
}

#[test]
fn floods_are_ended_and_take_no_memory() {
    bounded(|| {
        let before = resident();
        let served = Rc::new(Cell::new(0));
        let count = Rc::clone(&served);
        let server = run(Server::new(move |request| {
            count.set(count.get() + 1);
            pages(request)
        })
        .write_timeout(5 * SHORT)
        .head_timeout(10 * SHORT)
        .keep_alive_timeout(10 * SHORT));

        // Rapid reset: streams that are opened and taken back at once.
        let (_, heard) = flood(
            &server,
            |n| {
                let mut both = frame(HEADERS, END_STREAM | END_HEADERS, 2 * n + 1, &get("/sleep"));
                both.extend(frame(RST_STREAM, 0, 2 * n + 1, &8_u32.to_be_bytes()));
                both
            },
            20_000,
        );
        assert_eq!(
            goaway(&heard),
            Some(11),
            "ENHANCE_YOUR_CALM: {:?}",
            heard.last()
        );
        assert!(served.get() < 20_000, "{} were served", served.get());

        // A block of fields without an end.
        let (said, heard) = flood(
            &server,
            |n| match n {
                0 => frame(HEADERS, END_STREAM, 1, &get("/")),
                _ => frame(CONTINUATION, 0, 1, &[0x40, 1, b'x', 1, b'y'].repeat(1000)),
            },
            20_000,
        );
        assert!(
            goaway(&heard).is_some() || said < 20_000,
            "{said}: {heard:?}"
        );
        let (said, heard) = flood(
            &server,
            |n| match n {
                0 => frame(HEADERS, END_STREAM, 1, &get("/")),
                _ => frame(CONTINUATION, 0, 1, b""),
            },
            100_000,
        );
        assert!(
            goaway(&heard).is_some() || said < 100_000,
            "{said}: {heard:?}"
        );

        // Questions whose answers are not read: the server stops to listen, and ends.
        for attack in [frame(PING, 0, 0, &[0; 8]), frame(SETTINGS, 0, 0, b"")] {
            let (said, _) = flood(&server, move |_| attack.repeat(1000), 5_000);
            assert!(said < 5_000, "all of it was taken");
        }
        server.until(0, 0);
        let grown = resident().saturating_sub(before);
        assert!(grown < 64 << 20, "{grown} bytes more");
        server.end();
    });
}

#[test]
fn fields_without_end_are_refused() {
    bounded(|| {
        let server = run(Server::new(pages).head_limit(16 * 1024));
        let mut raw = Raw::new(&server, b"");
        // Each is within a frame; together they are more than the list may be.
        let mut block = get("/");
        for n in 0..3 {
            let value = vec![b'y'; 120];
            for m in 0..40_u8 {
                block.extend([0x40, 3, b'x', b'a' + n, b'a' + m % 26, 120]);
                block.extend(&value);
            }
        }
        let (first, rest) = block.split_at(10_000.min(block.len()));
        raw.say(&frame(HEADERS, END_STREAM, 1, first));
        raw.say(&frame(CONTINUATION, END_HEADERS, 1, rest));
        let heard = raw.hear(|kind, _| matches!(kind, HEADERS | RST_STREAM | GOAWAY));
        let (kind, payload) = heard.last().unwrap();
        // 431 in the fields' encoding is a literal; what is no refusal would be 0x88, the 200 of the table.
        assert!(*kind != HEADERS || payload[0] != 0x88, "{payload:?}");
        server.life.drain(SHORT);
        server.join();
    });
}

#[test]
fn windows_of_zero_are_not_waited_for_for_ever() {
    bounded(|| {
        let server = run(Server::new(pages)
            .write_timeout(3 * SHORT)
            .keep_alive_timeout(8 * SHORT));
        // SETTINGS_INITIAL_WINDOW_SIZE is 4.
        let mut raw = Raw::new(&server, &[0, 4, 0, 0, 0, 0]);
        let start = Instant::now();
        for n in 0..50 {
            raw.say(&frame(
                HEADERS,
                END_STREAM | END_HEADERS,
                2 * n + 1,
                &get("/large"),
            ));
        }
        let resets = Rc::new(RefCell::new(0));
        let count = Rc::clone(&resets);
        let heard = raw.hear(move |kind, _| {
            *count.borrow_mut() += usize::from(kind == RST_STREAM);
            *count.borrow() == 50
        });
        assert_eq!(*resets.borrow(), 50, "{heard:?}");
        assert!(start.elapsed() >= 3 * SHORT);
        assert!(
            heard
                .iter()
                .all(|(kind, payload)| *kind != DATA || payload.is_empty())
        );
        // One that opens its window gets everything.
        raw.say(&frame(HEADERS, END_STREAM | END_HEADERS, 101, &get("/big")));
        raw.say(&frame(WINDOW_UPDATE, 0, 0, &(2_u32 << 20).to_be_bytes()));
        raw.say(&frame(WINDOW_UPDATE, 0, 101, &(2_u32 << 20).to_be_bytes()));
        let mut total = 0;
        raw.hear(|kind, payload| {
            total += if kind == DATA { payload.len() } else { 0 };
            total == 1 << 20
        });
        assert_eq!(total, 1 << 20);
        // And then the connection is idle, and ends.
        raw.hear_all();
        server.until(0, 0);
        server.end();
    });
}

#[test]
fn what_is_no_frame_ends_the_connection() {
    bounded(|| {
        let server = run(Server::new(pages).head_timeout(5 * SHORT));
        for bad in [
            frame(DATA, 0, 0, b"x"),
            frame(HEADERS, END_HEADERS, 2, &get("/")),
            frame(HEADERS, END_STREAM | END_HEADERS, 1, &[0xff; 20]),
            frame(WINDOW_UPDATE, 0, 0, &0_u32.to_be_bytes()),
            frame(PING, 0, 0, b"short"),
            frame(CONTINUATION, END_HEADERS, 1, &get("/")),
            frame(SETTINGS, 0, 0, b"odd"),
            vec![0xff; 100],
        ] {
            let mut raw = Raw::new(&server, b"");
            raw.say(&bad);
            let heard = raw.hear_all();
            assert!(
                goaway(&heard).is_some_and(|code| code != 0),
                "{bad:?}: {heard:?}"
            );
        }
        // A preface that stops half way is a request that does not come.
        let half = server.say(&PREFACE[..10]);
        let start = Instant::now();
        let answer = common::read_all(half);
        assert!(start.elapsed() >= 5 * SHORT, "{answer}");
        server.until(0, 0);
        server.end();
    });
}

#[test]
fn a_client_that_leaves_ends_its_streams() {
    bounded(|| {
        let server = run(Server::new(pages));
        for path in ["/sleep", "/large", "/big"] {
            let mut raw = Raw::new(&server, b"");
            for n in 0..10 {
                raw.say(&frame(
                    HEADERS,
                    END_STREAM | END_HEADERS,
                    2 * n + 1,
                    &get(path),
                ));
            }
            raw.hear(|kind, _| kind == SETTINGS);
            drop(raw);
            server.until(0, 0);
        }
        green::sleep(Duration::from_millis(1));
        server.end();
    });
}
