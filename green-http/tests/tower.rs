//! axum's Router, unchanged, on green's hubs.

mod common;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::extract::{Json, Path, State};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Extension, Router};
use common::{
    LONG, SHORT, body, bounded, field, go_deep, has_rested, read_until, run, status, until,
};
use green::net::TcpStream;
use green_http::{Peer, Server};
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};

const UPGRADE: &str = "GET /socket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#[derive(Deserialize, Serialize)]
struct Sum {
    numbers: Vec<i64>,
}

async fn socket(upgrade: WebSocketUpgrade) -> impl IntoResponse {
    upgrade.on_upgrade(|mut socket| async move {
        while let Some(Ok(message)) = socket.recv().await {
            if matches!(message, Message::Text(_) | Message::Binary(_))
                && socket.send(message).await.is_err()
            {
                break;
            }
        }
    })
}

fn router() -> Router {
    Router::new()
        .route("/", get(|| async { "Hello, World!" }))
        .route(
            "/user/{name}",
            get(|Path(name): Path<String>| async move { name }),
        )
        .route(
            "/peer",
            get(|Extension(peer): Extension<Peer>| async move { peer.to_string() }),
        )
        .route(
            "/state",
            get(|State(text): State<&'static str>| async move { text }),
        )
        .route(
            "/sum",
            post(|Json(sum): Json<Sum>| async move { Json(sum.numbers.iter().sum::<i64>()) }),
        )
        .route("/echo", post(|body: axum::body::Body| async move { body }))
        .route(
            "/block",
            get(|| async {
                green::sleep(SHORT);
                "blocked this connection alone"
            }),
        )
        .route(
            "/panic",
            get(|| async {
                if true {
                    panic!("on purpose")
                }
            }),
        )
        .route("/socket", get(socket))
        .with_state("the state")
}

fn ask(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

#[test]
fn a_router_answers() {
    bounded(|| {
        let server = run(Server::tower(router()).server_name("green"));
        for (path, code, text) in [
            ("/", 200, "Hello, World!"),
            ("/user/me", 200, "me"),
            ("/state", 200, "the state"),
            ("/missing", 404, ""),
            ("/panic", 500, "Internal Server Error\n"),
        ] {
            let answer = server.ask(ask(path));
            assert_eq!((status(&answer), body(&answer)), (code, text), "{path}");
            assert_eq!(field(&answer, "server"), Some("green"));
        }
        assert!(body(&server.ask(ask("/peer"))).starts_with("127.0.0.1:"));
        let post = |path: &str, kind: &str, text: &str| {
            server.ask(format!(
                "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{text}",
                text.len()
            ))
        };
        assert_eq!(
            body(&post("/sum", "application/json", "{\"numbers\":[1,2,3]}")),
            "6"
        );
        assert_eq!(status(&post("/sum", "application/json", "{")), 400);
        let large = "x".repeat(1 << 20);
        let answer = post("/echo", "text/plain", &large);
        assert!(answer.contains("xxx") && answer.len() > 1 << 20);
        // The guard is the same as for everybody.
        assert_eq!(status(&server.ask("GET / HTTP/1.1\r\n\r\n")), 400);
        // Pipelined, and a connection is kept.
        let answers = server.ask(ask("/").repeat(20));
        assert_eq!(answers.matches("Hello, World!").count(), 20);
        server.end();
    });
}

#[test]
fn a_handler_may_block_as_a_greenthread() {
    bounded(|| {
        let server = run(Server::tower(router()));
        let start = Instant::now();
        let clients: Vec<_> = (0..20).map(|_| server.say(ask("/block"))).collect();
        for mut client in clients {
            read_until(&mut client, "alone");
        }
        let took = start.elapsed();
        assert!(took >= SHORT && took < 15 * SHORT, "{took:?}");
        server.end();
    });
}

/// The first byte and the payload of a frame of a server.
fn read_frame(stream: &mut impl Read) -> (u8, Vec<u8>) {
    let mut head = [0; 2];
    stream.read_exact(&mut head).unwrap();
    let length = match head[1] {
        127 => {
            let mut length = [0; 8];
            stream.read_exact(&mut length).unwrap();
            u64::from_be_bytes(length) as usize
        }
        short => usize::from(short),
    };
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).unwrap();
    (head[0], payload)
}

/// Reads a Close of a server that goes away, answers it, and reads to the end.
fn is_told_of_a_drain(mut socket: TcpStream) {
    let (first, payload) = read_frame(&mut socket);
    assert_eq!(first, 0x88);
    assert_eq!(payload, b"\x03\xe9the server goes away");
    socket
        .write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9])
        .unwrap();
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, [0; 0]);
}

/// More than the buffers of a connection hold.
const LARGE: usize = 16 << 20;

/// What a service sends that never listens: a large message, then many small ones.
async fn talker(upgrade: WebSocketUpgrade) -> impl IntoResponse {
    upgrade.on_upgrade(|mut socket| async move {
        let large = Message::Binary(vec![b'x'; LARGE].into());
        let mut sent = socket.send(large).await;
        while sent.is_ok() {
            // This is a thread of tokio's, which the sockets share.
            std::thread::sleep(Duration::from_millis(1));
            sent = socket.send(Message::Text("more".into())).await;
        }
    })
}

#[test]
fn a_drain_says_goodbye_to_web_sockets() {
    bounded(|| {
        let server = run(Server::tower(router().route("/talker", get(talker))));
        let open = |request: &str| {
            let mut socket = server.say(request);
            assert_eq!(status(&read_until(&mut socket, "\r\n\r\n")), 101);
            socket
        };
        let silent: Vec<_> = (0..5).map(|_| open(UPGRADE)).collect();
        let mut busy = open(UPGRADE);
        busy.write_all(&text_frame("here")).unwrap();
        assert_eq!(read_frame(&mut busy), (0x81, b"here".to_vec()));
        // One that has said goodbye itself says it once.
        let mut over = open(UPGRADE);
        over.write_all(&[0x88, 0x80, 0, 0, 0, 0]).unwrap();
        assert_eq!(read_frame(&mut over), (0x88, vec![]));
        // Half a frame is out when the drain begins, and more is to come.
        let mut talking = open(&UPGRADE.replace("/socket", "/talker"));
        let mut begun = [0; 1];
        talking.read_exact(&mut begun).unwrap();
        // The service has ended that one.
        server.until(7, 0);

        let life = server.life.clone();
        let draining = green::spawn(move || life.drain(LONG).killed);
        until(|| server.life.is_draining());
        let mut frame = read_frame(&mut (&begun[..]).chain(&mut talking));
        assert_eq!((frame.0, frame.1.len()), (0x82, LARGE));
        frame = read_frame(&mut talking);
        assert!(
            frame.0 == 0x88 && frame.1.starts_with(&[0x03, 0xe9]),
            "{frame:?}"
        );
        // It never listens: that the client leaves ends it.
        drop(talking);
        let sockets = silent.into_iter().chain([busy]);
        let told: Vec<_> = sockets
            .map(|socket| green::spawn(|| is_told_of_a_drain(socket)))
            .collect();
        for one in told {
            one.join().unwrap();
        }
        let mut rest = Vec::new();
        over.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, [0; 0]);
        assert_eq!(draining.join().unwrap(), 0);
        assert_eq!(server.join(), 0);
    });
}

/// A connection that has given up what it does not need is served on, by a WebSocket too.
#[test]
fn a_rested_connection_is_served_on() {
    bounded(|| {
        let served = Arc::new(Mutex::new(0));
        let seen = Arc::clone(&served);
        let deep = move || async move {
            go_deep();
            *seen.lock().unwrap() = green::current().id();
            "deep"
        };
        let router = router().route("/deep", get(deep));
        // Nothing here comes near the end of a write: it is there for the clock.
        let server = run(Server::tower(router).write_timeout(SHORT));
        let mut stream = server.say(ask("/deep"));
        for _ in 0..3 {
            read_until(&mut stream, "deep");
            let id = *served.lock().unwrap();
            let who = green::debug::greenthread(id).unwrap();
            until(|| has_rested(&who));
            stream.write_all(ask("/deep").as_bytes()).unwrap();
        }
        read_until(&mut stream, "deep");
        let upgrade = [UPGRADE.as_bytes(), &text_frame("ahead")].concat();
        stream.write_all(&upgrade).unwrap();
        assert_eq!(status(&read_until(&mut stream, "\r\n\r\n")), 101);
        let mut echo = [0; 7];
        stream.read_exact(&mut echo).unwrap();
        assert_eq!(&echo[2..], b"ahead");
        drop(stream);
        server.until(0, 0);
        server.end();
    });
}

/// A short frame of text as a client sends it (RFC 6455, 5.2), masked with zeros.
fn text_frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81, 0x80 | text.len() as u8, 0, 0, 0, 0];
    frame.extend(text.as_bytes());
    frame
}

#[test]
fn a_web_socket_is_upgraded() {
    bounded(|| {
        let server = run(Server::tower(router()));
        let mut sockets: Vec<_> = (0..5).map(|_| server.say(UPGRADE)).collect();
        for socket in &mut sockets {
            let answer = read_until(socket, "\r\n\r\n");
            assert_eq!(status(&answer), 101, "{answer}");
            assert_eq!(
                field(&answer, "sec-websocket-accept"),
                Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
            );
        }
        for n in 0..20 {
            for socket in &mut sockets {
                let text = format!("message {n}");
                socket.write_all(&text_frame(&text)).unwrap();
                let mut echo = vec![0; 2 + text.len()];
                socket.read_exact(&mut echo).unwrap();
                assert_eq!(&echo[2..], text.as_bytes());
            }
        }
        server.until(5, 0);
        // One says goodbye, the others just leave.
        let mut socket = sockets.pop().unwrap();
        socket.write_all(&[0x88, 0x80, 0, 0, 0, 0]).unwrap();
        let mut rest = Vec::new();
        socket.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, [0x88, 0]);
        drop(sockets);
        server.until(0, 0);
        // What is said behind the request belongs to the socket.
        let mut socket = server.say([UPGRADE.as_bytes(), &text_frame("ahead")].concat());
        read_until(&mut socket, "\r\n\r\n");
        let mut echo = [0; 7];
        socket.read_exact(&mut echo).unwrap();
        assert_eq!(&echo[2..], b"ahead");
        assert_eq!(server.life.drain(SHORT).killed, 1);
        server.join();
    });
}
