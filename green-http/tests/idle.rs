//! Connections that have been idle for so long that they have given up all that they do not need.

mod common;

use std::cell::RefCell;
use std::io::{Read, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

use common::{
    LONG, Running, SHORT, body, bounded, go_deep, has_rested, read_all, read_until, run, status,
    until,
};
use green::AnyGreenThread;
use green::net::{Shutdown, TcpStream};
use green_http::{Body, Request, Response, Server};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Who serves the connections, in the order of their first requests.
type Served = Rc<RefCell<Vec<AnyGreenThread>>>;

fn answer(request: Request<Body>) -> Response {
    go_deep();
    match request.uri().path() {
        "/upgrade" => Response::upgrade("deep", |mut stream| {
            let mut word = [0; 4];
            if stream.read_exact(&mut word).is_ok() {
                let _ = stream.write_all(&word);
            }
        }),
        "/unread" => Response::new("unread\n"),
        "/body" => match request.into_body().into_string() {
            Ok(text) => Response::new(text),
            Err(error) => Response::new(error.to_string()),
        },
        _ => Response::new("hello\n"),
    }
}

/// A server whose clock ticks every five milliseconds.
fn server() -> (Server, Served) {
    let served = Served::default();
    let seen = Rc::clone(&served);
    let server = Server::new(move |request: Request<Body>| {
        let me = green::current();
        if !seen.borrow().contains(&me) && request.headers().get("content-length").is_none() {
            seen.borrow_mut().push(me);
        }
        answer(request)
    });
    // Nothing here comes near the end of a write: it is there for the clock.
    let server = server.write_timeout(SHORT).head_timeout(LONG);
    (server.keep_alive_timeout(LONG), served)
}

/// Waits until as many connections are idle and have given up what they do not need.
#[track_caller]
fn rest(server: &Running, served: &Served, idle: usize) {
    until(|| server.life.counters().idle == idle);
    until(|| served.borrow().iter().all(has_rested));
}

/// A connection that was answered once, and rests.
fn rested(server: &Running, served: &Served) -> TcpStream {
    let mut stream = server.say(GET);
    assert!(read_until(&mut stream, "hello\n").contains(" 200 "));
    rest(server, served, server.life.counters().open);
    stream
}

#[test]
fn a_rested_connection_has_given_its_stack_back_and_serves() {
    bounded(|| {
        let (server, served) = server();
        let server = run(server);
        let mut stream = server.say(GET);
        read_until(&mut stream, "hello\n");
        let one = served.borrow()[0].clone();
        for _ in 0..3 {
            rest(&server, &served, 1);
            stream.write_all(GET.as_bytes()).unwrap();
            read_until(&mut stream, "hello\n");
        }
        assert_eq!(server.life.counters().by_status, [(200, 4)]);
        drop(stream);
        server.end();
        assert!(one.is_dead());
    });
}

#[test]
fn what_comes_next_is_served_as_ever() {
    bounded(|| {
        let (server, served) = server();
        let server = run(server);
        let post = |path: &str, text: &str| {
            let length = text.len();
            format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{text}")
        };
        // In halves that are as far apart as others take to rest.
        for text in [GET.to_owned(), post("/body", "hello\n")] {
            for cut in [1, 10, text.len() - 1] {
                let mut stream = rested(&server, &served);
                let mut other = rested(&server, &served);
                stream.write_all(&text.as_bytes()[..cut]).unwrap();
                green::sleep(SHORT / 4);
                other.write_all(GET.as_bytes()).unwrap();
                read_until(&mut other, "hello\n");
                stream.write_all(&text.as_bytes()[cut..]).unwrap();
                read_until(&mut stream, "hello\n");
            }
        }
        // Many at once, with a half one behind.
        let mut stream = rested(&server, &served);
        stream
            .write_all((GET.repeat(20) + "GET /").as_bytes())
            .unwrap();
        for _ in 0..20 {
            read_until(&mut stream, "hello\n");
        }
        stream.write_all(b" HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        read_until(&mut stream, "hello\n");
        // A body that its handler leaves unread, and the request behind it.
        let mut stream = rested(&server, &served);
        let text = post("/unread", &"x".repeat(10_000)) + GET;
        stream.write_all(text.as_bytes()).unwrap();
        read_until(&mut stream, "unread\n");
        read_until(&mut stream, "hello\n");
        rest(&server, &served, server.life.counters().open);
        stream.write_all(post("/body", "again").as_bytes()).unwrap();
        read_until(&mut stream, "again");
        server.end();
    });
}

#[test]
fn it_ends_as_any_other() {
    bounded(|| {
        let (server, served) = server();
        let server = run(server);
        let ended = |text: &str| {
            let mut stream = rested(&server, &served);
            stream.write_all(text.as_bytes()).unwrap();
            read_all(stream)
        };
        let last = ended("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        assert_eq!((status(&last), body(&last)), (200, "hello\n"));
        let old = ended("GET / HTTP/1.0\r\n\r\n");
        assert_eq!((status(&old), body(&old)), (200, "hello\n"));
        assert_eq!(status(&ended("GET / HTTP/1.1\r\n\r\n")), 400);
        assert_eq!(status(&ended("nonsense\n")), 400);

        let mut upgraded = rested(&server, &served);
        upgraded
            .write_all(b"GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: deep\r\n\r\nword")
            .unwrap();
        let text = read_all(upgraded);
        assert_eq!(status(&text), 101);
        assert!(text.ends_with("\r\n\r\nword"), "{text}");

        // The peer leaves, at once or after it has asked once more.
        drop(rested(&server, &served));
        server.until(0, 0);
        let mut half = rested(&server, &served);
        half.write_all(GET.as_bytes()).unwrap();
        half.shutdown(Shutdown::Write).unwrap();
        assert_eq!(body(&read_all(half)), "hello\n");
        let silent = rested(&server, &served);
        silent.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_all(silent), "");
        server.until(0, 0);
        server.end();
    });
}

#[test]
fn its_time_is_up_when_it_is() {
    bounded(|| {
        const KEPT: Duration = Duration::from_millis(300);
        let (server, served) = server();
        let server = run(server.keep_alive_timeout(KEPT));
        let start = Instant::now();
        let stream = rested(&server, &served);
        assert_eq!(read_all(stream), "");
        assert!(start.elapsed() >= KEPT, "{:?}", start.elapsed());
        server.until(0, 0);
        server.end();

        let (server, served) = self::server();
        let server = run(server.head_timeout(KEPT));
        let mut stream = rested(&server, &served);
        let start = Instant::now();
        stream.write_all(b"GET / HTTP/1.1\r\nHo").unwrap();
        assert_eq!(status(&read_all(stream)), 408);
        assert!(start.elapsed() >= KEPT, "{:?}", start.elapsed());
        server.end();
    });
}

#[test]
fn a_drain_cuts_it_and_a_kill_ends_it() {
    bounded(|| {
        let (server, served) = server();
        let server = run(server);
        let (one, other) = (rested(&server, &served), rested(&server, &served));
        let killed = served.borrow()[0].clone();
        assert!(killed.kill_wait(LONG));
        assert_eq!(read_all(one), "");
        server.until(1, 1);
        // What has come before the drain is served.
        let mut asking = rested(&server, &served);
        asking.write_all(GET.as_bytes()).unwrap();
        let life = server.life.clone();
        let draining = green::spawn(move || life.drain(LONG).killed);
        assert_eq!(body(&read_all(asking)), "hello\n");
        assert_eq!(read_all(other), "");
        assert_eq!(draining.join().unwrap(), 0);
        assert_eq!(server.join(), 0);
    });
}
