//! HTTP/1.0 and 1.1, handlers of every kind.

mod common;

use std::cell::{Cell, RefCell};
use std::io::{self, Read, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

use common::{SHORT, body, bounded, field, read_all, read_until, run, status, unchunked, until};
use green::net::Shutdown;
use green_http::header::{HeaderName, HeaderValue};
use green_http::{
    Body, Bytes, Content, HeaderMap, Request, RequestExt, Response, Server, StatusCode,
};

/// A handler with a page for much of what follows.
fn pages(request: Request<Body>) -> Result<Response, Box<dyn std::error::Error>> {
    let path = request.uri().path().to_owned();
    Ok(match path.as_str() {
        "/" => Response::new("Hello, World!\n"),
        "/echo" => Response::new(request.into_body().into_bytes()?),
        "/stream" => Response::new(Content::reader(request.into_body())),
        "/sleep" => {
            green::sleep(SHORT);
            Response::new("slept\n")
        }
        "/ignore" => Response::new("not read\n"),
        "/peer" => Response::new(request.peer().to_string()),
        "/reader" => Response::new(Content::reader(&b"from a reader"[..])),
        "/sized" => Response::new(Content::sized_reader(&b"from a reader"[..], 6)),
        "/short" => Response::new(Content::sized_reader(&b"too short"[..], 100)),
        "/pieces" => Response::new(Content::pieces(["one ", "", "two ", "three"])),
        "/written" => Response::new(Content::written(|out| {
            for n in 0..3 {
                write!(out, "{n} ")?;
            }
            Ok(())
        })),
        "/error" => Err("on purpose")?,
        "/panic" => panic!("on purpose"),
        "/empty" => Response::new(()),
        "/204" => Response::new(StatusCode::NO_CONTENT),
        _ => Response::new((StatusCode::NOT_FOUND, "no such page\n")),
    })
}

fn get(path: &str, fields: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: here\r\n{fields}\r\n")
}

#[test]
fn five_lines_serve() {
    bounded(|| {
        let listener = green::listen("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server =
            green::spawn(move || green_http::serve(listener, |_| Response::new("Hello, World!\n")));
        let mut stream = green::connect(address).unwrap();
        stream
            .write_all(get("/", "Connection: close\r\n").as_bytes())
            .unwrap();
        let answer = read_all(stream);
        assert_eq!(status(&answer), 200, "{answer}");
        assert_eq!(body(&answer), "Hello, World!\n");
        assert_eq!(field(&answer, "content-length"), Some("14"));
        assert_eq!(
            field(&answer, "content-type"),
            Some("text/plain; charset=utf-8")
        );
        assert!(field(&answer, "date").unwrap().ends_with(" GMT"));
        assert_eq!(field(&answer, "connection"), Some("close"));
        assert_eq!(field(&answer, "server"), None);
        server.kill();
    });
}

#[test]
fn contents_of_every_kind() {
    bounded(|| {
        let server = run(Server::new(pages));
        for (path, framing, content) in [
            ("/reader", "chunked", "from a reader"),
            ("/sized", "6", "from a"),
            ("/pieces", "chunked", "one two three"),
            ("/written", "chunked", "0 1 2 "),
            ("/empty", "0", ""),
            ("/missing", "13", "no such page\n"),
        ] {
            let answer = server.get(path);
            let chunked = field(&answer, "transfer-encoding");
            assert_eq!(
                chunked.or(field(&answer, "content-length")),
                Some(framing),
                "{answer}"
            );
            let text = match chunked {
                Some(_) => unchunked(body(&answer)).unwrap(),
                None => body(&answer).to_owned(),
            };
            assert_eq!(text, content, "{path}");
            // The same to a client of HTTP/1.0, up to the end of the connection.
            let old = server.ask_open(format!("GET {path} HTTP/1.0\r\n\r\n"));
            assert_eq!(body(&old), content, "{old}");
            assert_eq!(field(&old, "transfer-encoding"), None);
            // Of HEAD it is the head alone.
            let head = server.ask(format!("HEAD {path} HTTP/1.1\r\nHost: here\r\n\r\n"));
            assert_eq!(body(&head), "");
            assert_eq!(status(&head), status(&answer));
            if !content.is_empty() {
                assert_eq!(
                    field(&head, "content-length"),
                    field(&answer, "content-length"),
                    "{head}"
                );
            }
        }
        let none = server.get("/204");
        assert_eq!((status(&none), body(&none)), (204, ""));
        assert_eq!(field(&none, "content-length"), None);
        server.end();
    });
}

#[test]
fn bodies_come_with_a_length_and_in_chunks() {
    bounded(|| {
        let server = run(Server::new(pages));
        for path in ["/echo", "/stream"] {
            let sized =
                format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
            let chunked = format!(
                "POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
                 2;ext=1\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
            );
            for request in [sized, chunked] {
                let answer = server.ask(&request);
                assert_eq!(status(&answer), 200, "{answer}");
                let text = body(&answer);
                let text = unchunked(text).unwrap_or(text.to_owned());
                assert_eq!(text, "hello");
                // Byte by byte as well.
                let mut stream = server.say("");
                for byte in request.as_bytes() {
                    stream.write_all(&[*byte]).unwrap();
                    green::yield_now();
                }
                stream.shutdown(Shutdown::Write).unwrap();
                assert_eq!(status(&read_all(stream)), 200);
            }
        }
        server.end();
    });
}

#[test]
fn keep_alive_as_the_version_has_it() {
    bounded(|| {
        let server = run(Server::new(pages));
        // 1.1 keeps, until it is told.
        let answers = server.ask_open(get("/", "") + &get("/missing", "Connection: close\r\n"));
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 2, "{answers}");
        // 1.0 does not keep, unless it is told.
        let old = server.ask_open("GET / HTTP/1.0\r\n\r\n");
        assert_eq!(old.matches("HTTP/1.0 200").count(), 1, "{old}");
        let kept = server
            .ask_open("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n");
        assert_eq!(kept.matches("HTTP/1.0 200").count(), 2, "{kept}");
        assert_eq!(field(&kept, "connection"), Some("keep-alive"));
        server.end();

        let server = run(Server::new(pages).keep_alive(false));
        let answers = server.ask_open(get("/", "") + &get("/", ""));
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 1);
        assert_eq!(field(&answers, "connection"), Some("close"));
        server.end();

        let server = run(Server::new(pages)
            .requests_per_connection(3)
            .announce_keep_alive(true));
        let answers = server.ask_open(get("/", "").repeat(5));
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 3);
        assert_eq!(answers.matches("keep-alive: timeout=75\r\n").count(), 2);
        assert_eq!(answers.matches("connection: close\r\n").count(), 1);
        server.end();
    });
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    bounded(|| {
        let server = run(Server::new(|request: Request<Body>| {
            // The later ones must not overtake.
            let n: u64 = request.uri().path()[1..].parse().unwrap();
            if n.is_multiple_of(3) {
                green::sleep(Duration::from_millis(3));
            }
            Response::new(format!("[{n}]"))
        }));
        let requests: String = (0..100).map(|n| get(&format!("/{n}"), "")).collect();
        let answers = server.ask(&requests);
        let bodies: String = (0..100).map(|n| format!("[{n}]")).collect();
        let got: String = answers
            .split("\r\n\r\n")
            .skip(1)
            .map(|part| part.split("HTTP/").next().unwrap())
            .collect();
        assert_eq!(got, bodies);
        // One and a half: the first is answered, the rest when it comes.
        let mut stream = server.say(get("/1", "") + "GET /2 HTTP/1.1\r\nHo");
        read_until(&mut stream, "[1]");
        stream.write_all(b"st: here\r\n\r\n").unwrap();
        read_until(&mut stream, "[2]");
        // One that waits does not hold the answer before it back.
        drop(stream);
        server.end();

        let server = run(Server::new(pages));
        let start = Instant::now();
        let mut stream = server.say(get("/", "") + &get("/sleep", ""));
        read_until(&mut stream, "Hello, World!\n");
        assert!(
            server
                .life
                .counters()
                .by_status
                .iter()
                .all(|(_, count)| *count <= 1)
        );
        read_until(&mut stream, "slept\n");
        assert!(start.elapsed() >= SHORT);
        // What comes behind a body, and an empty line behind that.
        let post = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\r\n";
        let answers = server.ask(post.repeat(3) + &get("/", ""));
        assert_eq!(answers.matches("abc").count(), 3, "{answers}");
        assert!(answers.ends_with("Hello, World!\n"));
        // What comes behind a close is not served.
        let answers = server.ask_open(get("/", "Connection: close\r\n") + "\r\n" + &get("/", ""));
        assert_eq!(answers.matches("Hello").count(), 1, "{answers}");
        server.end();
    });
}

#[test]
fn a_client_that_has_ended_its_half_is_answered() {
    bounded(|| {
        let server = run(Server::new(pages));
        for path in ["/", "/sleep", "/written"] {
            for _ in 0..20 {
                let answer = server.get(path);
                assert_eq!(status(&answer), 200, "{path}");
            }
        }
        let post = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
        assert!(server.ask(post).ends_with("abc"));
        server.end();
    });
}

#[test]
fn errors_and_panics_are_500_and_the_connection_lives() {
    bounded(|| {
        let server = run(Server::new(pages));
        let answers = server.ask(get("/error", "") + &get("/panic", "") + &get("/", ""));
        assert_eq!(answers.matches("HTTP/1.1 500 ").count(), 2, "{answers}");
        assert!(answers.ends_with("Hello, World!\n"));
        assert!(!answers.contains("on purpose"));
        let counters = server.life.counters();
        assert_eq!(counters.by_status, [(200, 1), (500, 2)]);
        server.end();

        let server = run(Server::new(pages).debug(true).on_panic(|payload| {
            format!("panicked: {}\n", payload.downcast_ref::<&str>().unwrap())
        }));
        let answers = server.ask(get("/error", "") + &get("/panic", ""));
        assert_eq!(answers.matches("HTTP/1.1 500 ").count(), 2, "{answers}");
        assert!(answers.contains("\r\n\r\non purpose\n"), "{answers}");
        assert!(answers.ends_with("panicked: on purpose\n"));
        server.end();
    });
}

#[test]
fn leave_to_go_on_in_its_five_ways() {
    bounded(|| {
        let server = run(Server::new(pages));
        let head = |path: &str, version: &str| {
            format!(
                "POST {path} HTTP/{version}\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
            )
        };
        let go_on = "HTTP/1.1 100 Continue\r\n\r\n";
        // It is given at the first read.
        let mut stream = server.say(head("/echo", "1.1"));
        assert_eq!(read_until(&mut stream, "\r\n\r\n"), go_on);
        stream.write_all(b"abc").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let answer = read_all(stream);
        assert_eq!((status(&answer), body(&answer)), (200, "abc"));
        // It is not given where nothing is read, and the connection ends.
        let answer = server.ask_open(head("/ignore", "1.1"));
        assert_eq!((status(&answer), body(&answer)), (200, "not read\n"));
        // A client that does not wait for it.
        let answer = server.ask(head("/echo", "1.1") + "abc");
        assert!(answer.ends_with("abc"), "{answer}");
        assert_eq!(answer.matches("HTTP/1.1 200").count(), 1);
        // HTTP/1.0 knows none.
        let answer = server.ask(head("/echo", "1.0") + "abc");
        assert!(
            answer.starts_with("HTTP/1.0 200") && answer.ends_with("abc"),
            "{answer}"
        );
        // No other expectation is met.
        let other = head("/echo", "1.1").replace("100-continue", "miracles");
        assert_eq!(status(&server.ask_open(other)), 417);
        server.end();

        // Fields of the handler's own go with it.
        let server = run(Server::new(|request: Request<Body>| {
            let field = (
                HeaderName::from_static("x-first"),
                HeaderValue::from_static("yes"),
            );
            request.body().continue_with([field]);
            request.into_body().into_string()
        }));
        let mut stream = server.say(head("/", "1.1"));
        let interim = read_until(&mut stream, "\r\n\r\n");
        assert_eq!(interim, "HTTP/1.1 100 Continue\r\nx-first: yes\r\n\r\n");
        stream.write_all(b"abc").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let answer = read_all(stream);
        assert_eq!((status(&answer), body(&answer)), (200, "abc"));
        server.end();
    });
}

#[test]
fn trailers_go_both_ways() {
    bounded(|| {
        let server = run(Server::new(|request: Request<Body>| {
            let mut body = request.into_body();
            let mut text = String::new();
            body.read_to_string(&mut text).unwrap();
            let sum = body.trailers().unwrap()["x-sum"].clone();
            Response::new(Content::written(move |out| {
                out.write_all(text.as_bytes())?;
                let mut fields = HeaderMap::new();
                fields.insert("x-sum", sum);
                out.trailers(fields);
                Ok(())
            }))
            .with_trailers(&[HeaderName::from_static("x-sum")])
        }));
        let request = |te: &str| {
            format!(
                "POST / HTTP/1.1\r\nHost: a\r\n{te}Transfer-Encoding: chunked\r\n\r\n\
                 3\r\nabc\r\n0\r\nX-Sum: 42\r\n\r\n"
            )
        };
        let answer = server.ask(request("TE: trailers\r\n"));
        assert!(
            answer.ends_with("3\r\nabc\r\n0\r\nx-sum: 42\r\n\r\n"),
            "{answer}"
        );
        let answer = server.ask(request(""));
        assert!(answer.ends_with("3\r\nabc\r\n0\r\n\r\n"), "{answer}");
        server.end();
    });
}

#[test]
fn what_dies_after_its_head_never_looks_complete() {
    bounded(|| {
        let server = run(Server::new(|request: Request<Body>| {
            let path = request.uri().path().to_owned();
            let failing = || io::Error::other("on purpose");
            match path.as_str() {
                "/reader" => Response::new(Content::reader(b"part".chain(Failing))),
                "/pieces" => Response::new(Content::try_pieces([
                    Ok(Bytes::from("part")),
                    Err(failing()),
                ])),
                "/panics" => Response::new(Content::pieces((0..2).map(|n| match n {
                    0 => "part",
                    _ => panic!("on purpose"),
                }))),
                "/written" => Response::new(Content::written(move |out| {
                    out.write_all(b"part")?;
                    out.flush()?;
                    Err(failing())
                })),
                "/written-panics" => Response::new(Content::written(|out| {
                    out.write_all(b"part")?;
                    out.flush()?;
                    panic!("on purpose")
                })),
                "/short" => Response::new(Content::sized_reader(&b"part"[..], 100)),
                "/killed" => Response::new(Content::written(|out| {
                    out.write_all(b"part")?;
                    out.flush()?;
                    green::current().kill();
                    Ok(())
                })),
                _ => Response::new(Content::pieces((0..2).map(|n| match n {
                    0 => "part",
                    _ => {
                        green::current().kill();
                        "never"
                    }
                }))),
            }
        }));
        for path in [
            "/reader",
            "/pieces",
            "/panics",
            "/written",
            "/written-panics",
            "/short",
            "/killed",
            "/killed-inline",
        ] {
            let answer = server.ask_open(get(path, ""));
            assert_eq!(status(&answer), 200, "{path}: {answer}");
            assert!(answer.contains("part"), "{path}: {answer}");
            assert!(
                !answer.contains("\r\n0\r\n"),
                "{path} looks complete: {answer}"
            );
            if let Some(length) = field(&answer, "content-length") {
                assert!(body(&answer).len() < length.parse().unwrap());
            }
            // With a body the handler has a greenthread of its own.
            let answer = server.ask_open(format!(
                "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"
            ));
            assert!(answer.contains("part"), "{path}: {answer}");
            assert!(
                !answer.contains("\r\n0\r\n"),
                "{path} looks complete: {answer}"
            );
        }
        server.end();
    });
}

struct Failing;

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("on purpose"))
    }
}

#[test]
fn pieces_go_out_as_they_come() {
    bounded(|| {
        let go_on = Rc::new(green::Flag::new());
        let waits = Rc::clone(&go_on);
        let server = run(Server::new(move |request: Request<Body>| {
            let waits = Rc::clone(&waits);
            match request.uri().path() {
                "/pieces" => Response::new(Content::pieces((0..2).map(move |n| {
                    if n == 1 {
                        waits.wait();
                    }
                    format!("piece {n}\n")
                }))),
                _ => Response::new(Content::written(move |out| {
                    out.write_all(b"piece 0\n")?;
                    out.flush()?;
                    waits.wait();
                    out.write_all(b"piece 1\n")
                })),
            }
        }));
        for path in ["/pieces", "/written"] {
            go_on.clear();
            let mut stream = server.say(get(path, ""));
            read_until(&mut stream, "piece 0\n");
            go_on.set();
            read_until(&mut stream, "piece 1\n\r\n0\r\n\r\n");
        }
        server.end();

        let server = run(Server::new(pages).minimum_chunk_size(8));
        let answer = server.get("/pieces");
        assert!(
            answer.ends_with("8\r\none two \r\n5\r\nthree\r\n0\r\n\r\n"),
            "{answer}"
        );
        server.end();
    });
}

#[test]
fn what_is_left_unread_is_drained_up_to_a_limit() {
    bounded(|| {
        let server = run(Server::new(pages).drain_limit(100_000));
        let post = |length: usize| {
            let body = "x".repeat(length);
            format!("POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}")
        };
        // Short enough: the connection goes on.
        let answers = server.ask(post(90_000) + &get("/", ""));
        assert_eq!(answers.matches("HTTP/1.1 200").count(), 2, "{answers}");
        // In pieces, too.
        let whole = post(90_000) + &get("/", "");
        let (first, second) = whole.split_at(50_000);
        let mut stream = server.say(first);
        green::sleep(SHORT);
        stream.write_all(second.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_all(stream).matches("HTTP/1.1 200").count(), 2);
        // Too long: it is answered, and ends, and the answer arrives.
        let mut stream = server.say("");
        let long = post(3_000_000) + &get("/", "");
        let writer = stream.try_clone().unwrap();
        let writing = green::spawn(move || drop((&writer).write_all(long.as_bytes())));
        let answer = read_until(&mut stream, "not read\n");
        assert_eq!(status(&answer), 200);
        assert_eq!(read_all(stream), "");
        writing.join().unwrap();
        server.end();
    });
}

#[test]
fn facts_hooks_and_logs() {
    bounded(|| {
        let lines = Rc::new(RefCell::new(Vec::new()));
        let log = Rc::clone(&lines);
        let seen = Rc::new(Cell::new(0));
        let counted = Rc::clone(&seen);
        let server = run(
            Server::new(|request: Request<Body>| match request.uri().path() {
                "/raw" => Response::new(request.raw_head().to_vec()),
                "/fields" => Response::new(format!(
                    "{:?}",
                    request.headers().keys().collect::<Vec<_>>()
                )),
                _ => pages(request).into(),
            })
            .server_name("test/1")
            .title_case(true)
            .keep_raw_head(true)
            .before(|response| {
                response
                    .headers_mut()
                    .insert("x-before", HeaderValue::from_static("here"));
            })
            .after(move |record| counted.set(counted.get() + record.bytes))
            .log(move |record| {
                log.borrow_mut()
                    .push((record.common_log(true), record.complete));
            }),
        );
        let raw = get("/raw", "X-Odd-Spelling:  two  words \r\n");
        let answer = server.ask(&raw);
        assert_eq!(body(&answer), raw);
        assert!(answer.contains("\r\nServer: test/1\r\n"), "{answer}");
        assert_eq!(field(&answer, "x-before"), Some("here"));
        let answer = server.ask(get("/fields", "X_Real-Ip: 1.2.3.4\r\nA: b\r\n"));
        assert_eq!(body(&answer), "[\"host\", \"a\"]");
        let stream = server.say(get("/peer", "Connection: close\r\n"));
        let me = stream.local_addr().unwrap().to_string();
        assert_eq!(body(&read_all(stream)), me);
        let quoted =
            "X-Forwarded-For: 10.0.0.1, 10.0.0.2\r\nReferer: \"there\"\r\nUser-Agent: test\r\n";
        server.ask(get("/", quoted));
        server.ask_open(get("/short", ""));
        let lines = lines.borrow();
        let (line, complete) = &lines[3];
        assert!(*complete);
        assert!(line.starts_with("10.0.0.2 - - ["), "{line}");
        assert!(
            line.ends_with(" +0000] \"GET / HTTP/1.1\" 200 14 \"?there?\" \"test\""),
            "{line}"
        );
        assert!(lines[0].0.starts_with("127.0.0.1 - - ["));
        let (line, complete) = &lines[4];
        assert!(line.contains("\"GET /short HTTP/1.1\" 200 9 "), "{line}");
        assert!(!complete);
        assert!(seen.get() > 40);
        server.end();

        let server = run(Server::new(|request: Request<Body>| {
            format!("{:?}", request.headers().keys().collect::<Vec<_>>())
        })
        .allow_underscores(true));
        assert_eq!(
            body(&server.ask(get("/", "x_y: 1\r\n"))),
            "[\"host\", \"x_y\"]"
        );
        server.end();
    });
}

#[test]
fn a_handler_takes_the_connection_over() {
    bounded(|| {
        let server = run(Server::new(|request: Request<Body>| {
            let switch = |stream: green_http::Upgraded| {
                let mut word = [0; 4];
                let mut stream = stream;
                while stream.read_exact(&mut word).is_ok() {
                    stream.write_all(&word).unwrap();
                }
            };
            match request.uri().path() {
                "/taken" => Response::upgrade("words", move |stream| {
                    let (tcp, ahead) = stream.downcast::<green::net::TcpStream>().unwrap();
                    (&tcp).write_all(&ahead).unwrap();
                }),
                // One of another type is given back, with all that has come.
                "/other" => Response::upgrade("words", move |stream| {
                    let other = stream.downcast::<green::net::UnixStream>();
                    switch(other.map(drop).unwrap_err());
                }),
                _ => Response::upgrade("words", switch),
            }
        }));
        let asking = "Upgrade: words\r\nConnection: upgrade\r\n";
        let mut stream = server.say(get("/", asking) + "ahead of it ");
        let answer = read_until(&mut stream, "ahead of it ");
        assert_eq!(status(&answer), 101, "{answer}");
        assert_eq!(field(&answer, "upgrade"), Some("words"));
        stream.write_all(b"more").unwrap();
        read_until(&mut stream, "more");
        server.until(1, 0);
        drop(stream);
        let answer = server.ask_open(get("/taken", asking) + "ahead");
        assert!(answer.ends_with("\r\n\r\nahead"), "{answer}");
        let answer = server.ask(get("/other", asking) + "ahead of it ");
        assert!(answer.ends_with("\r\n\r\nahead of it "), "{answer}");
        // Who did not ask does not get it.
        assert_eq!(status(&server.get("/")), 426);
        server.end();
    });
}

#[test]
fn other_listeners_and_a_shared_pool() {
    bounded(|| {
        let path = std::env::temp_dir().join(format!("green-http-{}.sock", std::process::id()));
        let listener = green::net::UnixListener::bind(&path).unwrap();
        let server = Server::new(pages);
        let life = server.lifecycle().clone();
        let beside = server.clone();
        let serving = green::spawn(move || beside.serve(listener));
        let six = green::listen("[::1]:0").unwrap();
        let address = six.local_addr().unwrap();
        let serving_six = green::spawn(move || server.serve(six));
        green::yield_now();
        let ask = |mut stream: Box<dyn ReadWrite>| {
            stream
                .write_all(get("/peer", "Connection: close\r\n").as_bytes())
                .unwrap();
            read_all(stream)
        };
        let unix = ask(Box::new(green::net::UnixStream::connect(&path).unwrap()));
        assert_eq!(body(&unix), "unix:");
        let six = ask(Box::new(green::connect(address).unwrap()));
        assert!(body(&six).starts_with("[::1]:"), "{six}");
        std::fs::remove_file(path).unwrap();
        assert_eq!(life.drain(None).killed, 0);
        serving.join().unwrap().unwrap();
        serving_six.join().unwrap().unwrap();

        // No more at a time than the pool has places for; the others wait.
        let pool = green::GreenPool::new(2);
        let server = run(Server::new(pages).pool(&pool));
        let mut first = server.say("");
        let second = server.say("");
        until(|| pool.running() == 2);
        let third = server.say(get("/", "Connection: close\r\n"));
        green::sleep(SHORT);
        assert_eq!(server.life.counters().accepted, 2);
        first
            .write_all(get("/", "Connection: close\r\n").as_bytes())
            .unwrap();
        assert_eq!(status(&read_all(first)), 200);
        assert_eq!(status(&read_all(third)), 200);
        drop(second);
        server.end();
    });
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}
