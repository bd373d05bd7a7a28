//! Deadlines, drains and kills, at every wait of a request.

mod common;

use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

use common::{
    LONG, Running, SHORT, body, bounded, field, read_all, read_until, run, status, until,
};
use green::AnyGreenThread;
use green::net::{Shutdown, TcpStream};
use green::server::ServerState;
use green_http::{Body, Content, Request, Response, Server};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn hello(_: Request<Body>) -> Response {
    Response::new("hello\n")
}

/// Reads to the end, which must not come before `least`.
fn ends_after(stream: TcpStream, start: Instant, least: Duration) -> String {
    let text = read_all(stream);
    assert!(start.elapsed() >= least, "{:?}: {text}", start.elapsed());
    text
}

#[test]
fn a_head_must_be_whole_in_time() {
    bounded(|| {
        let server = run(Server::new(hello)
            .head_timeout(SHORT)
            .keep_alive_timeout(LONG));
        let start = Instant::now();
        // One that says nothing is no error.
        let silent = server.say("");
        let half = server.say("GET / HTTP/1.1\r\nHo");
        let answer = ends_after(half, start, SHORT);
        assert_eq!(status(&answer), 408, "{answer}");
        assert_eq!(ends_after(silent, start, SHORT), "");
        // Bytes that trickle in do not prolong it.
        let start = Instant::now();
        let mut slow = server.say("GET / HTTP/1.1\r\n");
        let mut writer = slow.try_clone().unwrap();
        let writing = green::spawn(move || {
            while writer.write_all(b"X: y\r\n").is_ok() {
                green::sleep(SHORT / 8);
            }
        });
        let answer = read_until(&mut slow, "\r\n\r\n");
        assert_eq!(status(&answer), 408);
        assert!(start.elapsed() >= SHORT && start.elapsed() < 100 * SHORT);
        drop(slow);
        writing.kill();
        // It does not apply between two requests.
        let mut kept = server.say(GET);
        read_until(&mut kept, "hello\n");
        green::sleep(4 * SHORT);
        kept.write_all(GET.as_bytes()).unwrap();
        read_until(&mut kept, "hello\n");
        drop(kept);
        server.end();
    });
}

#[test]
fn a_connection_is_kept_for_so_long() {
    bounded(|| {
        let kept_for = 5 * SHORT;
        let server = run(Server::new(hello).keep_alive_timeout(kept_for));
        let mut kept = server.say(GET);
        read_until(&mut kept, "hello\n");
        let start = Instant::now();
        kept.write_all(GET.as_bytes()).unwrap();
        read_until(&mut kept, "hello\n");
        assert_eq!(ends_after(kept, start, kept_for), "");
        // A half request behind has its own deadline.
        let mut half = server.say(GET.to_owned() + "GET / HT");
        read_until(&mut half, "hello\n");
        green::sleep(kept_for + SHORT);
        half.write_all(b"TP/1.1\r\nHost: a\r\n\r\n").unwrap();
        read_until(&mut half, "hello\n");
        drop(half);
        server.end();
    });
}

#[test]
fn a_body_must_go_on() {
    bounded(|| {
        let errors = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&errors);
        let server = run(Server::new(move |request: Request<Body>| {
            let read = request.into_body().into_bytes();
            if let Err(error) = &read {
                seen.borrow_mut().push(error.kind());
            }
            read
        })
        .body_timeout(5 * SHORT));
        for head in [
            "Content-Length: 10\r\n\r\nabc",
            "Transfer-Encoding: chunked\r\n\r\n3\r\nab",
        ] {
            let start = Instant::now();
            let stuck = server.say(format!("POST / HTTP/1.1\r\nHost: a\r\n{head}"));
            let answer = ends_after(stuck, start, 5 * SHORT);
            assert_eq!(status(&answer), 408, "{answer}");
        }
        assert_eq!(*errors.borrow(), [std::io::ErrorKind::TimedOut; 2]);
        // Each byte begins it anew.
        let mut slow = server.say("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
        for _ in 0..10 {
            green::sleep(SHORT);
            slow.write_all(b"x").unwrap();
        }
        read_until(&mut slow, "xxxxxxxxxx");
        drop(slow);
        // One that ends too early is no body.
        let answer = server.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
        assert!(status(&answer) == 500 || answer.is_empty(), "{answer}");
        assert_eq!(errors.borrow().len(), 3);
        server.end();
    });
}

#[test]
fn a_client_must_take_its_answer() {
    bounded(|| {
        let server = run(Server::new(|request: Request<Body>| {
            let piece = vec![b'x'; 64 * 1024];
            match request.uri().path() {
                "/bytes" => Response::new(vec![b'x'; 64 << 20]),
                "/pieces" => Response::new(Content::pieces((0..1000).map(move |_| piece.clone()))),
                _ => Response::new(Content::written(move |out| {
                    (0..1000).try_for_each(|_| out.write_all(&piece))
                })),
            }
        })
        .write_timeout(25 * SHORT));
        for path in ["/bytes", "/pieces", "/written"] {
            let start = Instant::now();
            let unread = server.say(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
            server.until(1, 0);
            server.until(0, 0);
            assert!(start.elapsed() >= 25 * SHORT);
            drop(unread);
            // One that is slow but takes something is waited for.
            let mut slow = server.say(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
            let mut buffer = vec![0; 4 << 20];
            let mut total = 0;
            while total < 32 << 20 {
                let read = slow.read(&mut buffer).unwrap();
                assert!(read > 0, "cut off after {total} bytes");
                total += read;
                green::sleep(Duration::from_millis(1));
            }
            drop(slow);
            server.until(0, 0);
        }
        server.end();
    });
}

#[test]
fn a_request_has_so_long_for_all_of_it() {
    bounded(|| {
        let server = run(Server::new(|request: Request<Body>| {
            let path = request.uri().path().to_owned();
            match path.as_str() {
                "/pieces" => Response::new(Content::pieces((0..2).map(|n| {
                    if n == 1 {
                        green::sleep(LONG);
                    }
                    "part"
                }))),
                "/written" => Response::new(Content::written(|out| {
                    out.write_all(b"part")?;
                    out.flush()?;
                    green::sleep(LONG);
                    Ok(())
                })),
                "/late" => {
                    green::sleep(LONG);
                    hello(request)
                }
                _ => hello(request),
            }
        })
        .request_timeout(SHORT));
        for method in ["GET", "POST"] {
            let ask = |path: &str| {
                let (length, content) = if method == "POST" {
                    ("Content-Length: 1\r\n", "x")
                } else {
                    ("", "")
                };
                server.say(format!(
                    "{method} {path} HTTP/1.1\r\nHost: a\r\n{length}\r\n{content}"
                ))
            };
            for path in ["/pieces", "/written"] {
                let start = Instant::now();
                let answer = ends_after(ask(path), start, SHORT);
                assert_eq!(status(&answer), 200);
                assert!(
                    answer.contains("part") && !answer.contains("\r\n0\r\n"),
                    "{answer}"
                );
            }
            let start = Instant::now();
            let mut late = ask("/late");
            let answer = read_until(&mut late, "in time\n");
            assert_eq!(status(&answer), 503);
            assert!(start.elapsed() >= SHORT);
            // The connection goes on, and has as long for the next.
            late.write_all(GET.as_bytes()).unwrap();
            read_until(&mut late, "hello\n");
            green::sleep(4 * SHORT);
            late.write_all(GET.as_bytes()).unwrap();
            read_until(&mut late, "hello\n");
        }
        server.end();
    });
}

/// A server whose handlers wait where they are told to, until they are let go.
struct Waiting {
    server: Running,
    go_on: Rc<green::Flag>,
    handlers: Rc<RefCell<Vec<AnyGreenThread>>>,
}

fn waiting() -> Waiting {
    let go_on = Rc::new(green::Flag::new());
    let handlers = Rc::new(RefCell::new(Vec::new()));
    let (flag, seen) = (Rc::clone(&go_on), Rc::clone(&handlers));
    let server = run(Server::new(move |request: Request<Body>| {
        seen.borrow_mut().push(green::current());
        let flag = Rc::clone(&flag);
        let path = request.uri().path().to_owned();
        match path.as_str() {
            "/handler" => {
                flag.wait();
                Response::new("done")
            }
            "/body" => Response::from(request.into_body().into_bytes().map(|_| "done")),
            "/pieces" => Response::new(Content::pieces((0..2).map(move |n| {
                if n == 1 {
                    flag.wait();
                }
                "done"
            }))),
            "/written" => Response::new(Content::written(move |out| {
                out.write_all(b"done")?;
                out.flush()?;
                flag.wait();
                out.write_all(b"done")
            })),
            "/unread" => Response::new(vec![b'x'; 64 << 20]),
            _ => hello(request),
        }
    }));
    Waiting {
        server,
        go_on,
        handlers,
    }
}

/// Each request that waits somewhere, and what its client must do to have it end.
fn requests() -> Vec<(&'static str, String)> {
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    let post = |path: &str, body: &str| {
        format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n{body}")
    };
    vec![
        ("handler", get("/handler")),
        ("handler with a body", post("/handler", "body")),
        ("body", post("/body", "bo")),
        ("pieces", get("/pieces")),
        ("pieces with a body", post("/pieces", "body")),
        ("written", get("/written")),
        ("written with a body", post("/written", "body")),
        ("unread", get("/unread")),
    ]
}

#[test]
fn a_drain_lets_what_is_under_way_finish() {
    bounded(|| {
        for (name, request) in requests() {
            let waiting = waiting();
            let Waiting { server, go_on, .. } = &waiting;
            let mut idle = server.say(GET);
            read_until(&mut idle, "hello\n");
            let fresh = server.say("");
            let mut busy = server.say(&request);
            server.until(3, 2);
            let life = server.life.clone();
            let draining = green::spawn(move || life.drain(LONG));
            // The idle ones are cut at once.
            assert_eq!(read_all(idle), "");
            assert_eq!(read_all(fresh), "");
            assert!(green::connect(server.address).is_err());
            assert_eq!(server.life.state(), ServerState::Waiting);
            assert_eq!(server.life.counters().open, 1);
            // What is under way goes on to its end.
            go_on.set();
            if name == "body" {
                busy.write_all(b"dy").unwrap();
            }
            let answer = read_all(busy);
            assert_eq!(status(&answer), 200, "{name}: {answer}");
            if name == "unread" {
                assert_eq!(body(&answer).len(), 64 << 20);
            } else {
                assert!(answer.contains("done"), "{name}: {answer}");
            }
            if name.contains("handler") {
                assert_eq!(
                    field(&answer, "connection"),
                    Some("close"),
                    "{name}: {answer}"
                );
            }
            assert!(
                !answer.contains("chunked") || answer.ends_with("0\r\n\r\n"),
                "{name}: {answer}"
            );
            assert_eq!(draining.join().unwrap().killed, 0);
            waiting.server.end();
        }
    });
}

#[test]
fn a_drain_kills_what_is_late_and_leaves_nothing() {
    bounded(|| {
        for (name, request) in requests() {
            let Waiting {
                server, handlers, ..
            } = waiting();
            let mut busy = server.say(&request);
            server.until(1, 0);
            until(|| !handlers.borrow().is_empty());
            assert_eq!(server.life.drain(SHORT).killed, 1, "{name}");
            let mut answer = Vec::new();
            let _ = busy.read_to_end(&mut answer);
            let answer = String::from_utf8_lossy(&answer);
            assert!(
                !answer.contains("\r\n0\r\n"),
                "{name} looks complete: {answer}"
            );
            assert!(answer.len() < 64 << 20);
            until(|| handlers.borrow().iter().all(AnyGreenThread::is_dead));
            assert_eq!(server.join(), 1);
        }
    });
}

#[test]
fn a_killed_handler_cuts_its_answer_and_nothing_else() {
    bounded(|| {
        // Of pieces, the connection itself asks for one after the other when their handler is done.
        let requests = requests()
            .into_iter()
            .filter(|(name, _)| *name != "pieces with a body");
        for (name, request) in requests {
            let Waiting {
                server, handlers, ..
            } = waiting();
            let busy = server.say(&request);
            server.until(1, 0);
            until(|| !handlers.borrow().is_empty());
            green::sleep(Duration::from_millis(2));
            handlers.borrow()[0].kill();
            let answer = read_all(busy);
            assert!(
                !answer.ends_with("0\r\n\r\n"),
                "{name} looks complete: {answer}"
            );
            server.until(0, 0);
            until(|| handlers.borrow().iter().all(AnyGreenThread::is_dead));
            assert!(server.get("/").ends_with("hello\n"));
            server.end();
        }
    });
}

#[test]
fn a_client_that_leaves_is_noticed_when_it_matters() {
    bounded(|| {
        for (name, request) in requests() {
            let Waiting { server, go_on, .. } = waiting();
            let busy = server.say(&request);
            server.until(1, 0);
            green::sleep(Duration::from_millis(2));
            // A reset, as far as anything was sent.
            drop(busy);
            go_on.set();
            server.until(0, 0);
            assert!(server.get("/").ends_with("hello\n"), "{name}");
            server.end();
        }
    });
}

#[test]
fn resets_and_half_requests_leave_nothing() {
    bounded(|| {
        let server = run(Server::new(hello));
        for cut in 0..GET.len() {
            drop(server.say(&GET[..cut]));
            let half = server.say(&GET[..cut]);
            half.shutdown(Shutdown::Write).unwrap();
            assert_eq!(read_all(half), "");
        }
        server.until(0, 0);
        assert_eq!(status(&server.ask(GET)), 200);
        server.end();
    });
}

#[test]
fn the_clock_stops_with_the_last_connection() {
    bounded(|| {
        let server = run(Server::new(hello).head_timeout(Duration::from_millis(40)));
        let before = green::debug::counters().spawns;
        for _ in 0..3 {
            assert_eq!(status(&server.ask(GET)), 200);
            server.until(0, 0);
        }
        assert!(green::debug::counters().spawns - before < 100);
        let done = Rc::new(Cell::new(false));
        server.end();
        done.set(true);
        assert!(done.get());
    });
}
