//! HTTP over TLS: the same server, behind a listener of green-tls.

mod common;

use std::cell::RefCell;
use std::io::{Read, Write};
use std::rc::Rc;

use common::{LONG, SHORT, bounded, go_deep, has_rested, read_until, until};
use green::net::{Shutdown, TcpStream};
use green::server::Lifecycle;
use green_http::{Body, Request, RequestExt, Response, Server, TlsFacts};
use green_tls::{Acceptor, Connector, Identity, TlsListener, TlsStream, wrap};

fn secret(request: Request<Body>) -> Response {
    let facts = request.security().unwrap().downcast::<TlsFacts>().unwrap();
    let (version, name) = (request.version(), facts.server_name.clone());
    assert!(request.is_secure() && facts.version.is_some() && facts.peer_certificates.is_none());
    Response::new(format!("{version:?} for {}", name.unwrap_or_default()))
}

/// Runs `test` with a client that trusts the server and offers these protocols.
fn with_server(protocols: &[&str], test: impl FnOnce(TcpStream, &Connector)) {
    with_life(protocols, |stream, connector, _| test(stream, connector));
}

fn with_life(protocols: &[&str], test: impl FnOnce(TcpStream, &Connector, &Lifecycle)) {
    serving(Server::new(secret), protocols, test);
}

fn serving(
    server: Server,
    protocols: &[&str],
    test: impl FnOnce(TcpStream, &Connector, &Lifecycle),
) {
    bounded(|| {
        let made = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
        let text = made.cert.pem();
        let identity = Identity::from_pem(&text, made.signing_key.serialize_pem()).unwrap();
        let acceptor = Acceptor::builder(identity)
            .alpn(["h2", "http/1.1"])
            .build()
            .unwrap();
        let listener = green::listen("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let life = server.lifecycle().clone();
        let serving = green::spawn(move || server.serve(TlsListener::new(listener, acceptor)));
        let connector = Connector::builder()
            .roots_from_pem(&text)
            .unwrap()
            .alpn(protocols.to_vec())
            .build()
            .unwrap();
        test(green::connect(address).unwrap(), &connector, &life);
        assert_eq!(life.drain(LONG).killed, 0);
        serving.join().unwrap().unwrap();
    });
}

fn open(stream: TcpStream, connector: &Connector) -> TlsStream<TcpStream> {
    let stream = wrap(stream, (connector, "localhost")).unwrap();
    stream.handshake().unwrap();
    stream
}

#[test]
fn pages_are_served_over_tls() {
    with_server(&["http/1.1"], |stream, connector| {
        let mut stream = open(stream, connector);
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        // The end comes with a close_notify, or this is an error.
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.ends_with("HTTP/1.1 for localhost"), "{answer}");
    });
}

#[test]
fn a_rested_connection_is_served_on() {
    let served = Rc::new(RefCell::new(None));
    let seen = Rc::clone(&served);
    let server = Server::new(move |request| {
        go_deep();
        *seen.borrow_mut() = Some(green::current());
        secret(request)
    });
    // Nothing here comes near the end of a write: it is there for the clock.
    let server = server.write_timeout(SHORT);
    serving(server, &["http/1.1"], |stream, connector, _| {
        let mut stream = open(stream, connector);
        for _ in 0..3 {
            stream
                .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                .unwrap();
            read_until(&mut stream, "HTTP/1.1 for localhost");
            until(|| served.borrow().as_ref().is_some_and(has_rested));
        }
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("HTTP/1.1 for localhost"), "{answer}");
    });
}

#[test]
fn plain_http_on_the_port_of_tls_harms_nobody() {
    with_server(&["http/1.1"], |mut stream, connector| {
        let another = green::connect(stream.peer_addr().unwrap()).unwrap();
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        let mut good = open(another, connector);
        good.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        let mut start = [0; 12];
        good.read_exact(&mut start).unwrap();
        assert_eq!(&start, b"HTTP/1.1 200");
        good.shutdown(Shutdown::Write).unwrap();
    });
}

/// Whether it was idle or in the middle of a request: what the client reads ends with a close_notify, or that were an
/// error.
#[test]
fn a_drain_ends_tls_with_a_close_notify() {
    with_life(&["http/1.1"], |stream, connector, life| {
        let mut busy = open(
            green::connect(stream.peer_addr().unwrap()).unwrap(),
            connector,
        );
        let mut idle = open(stream, connector);
        idle.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        let mut text = String::new();
        while !text.ends_with("for localhost") {
            let mut byte = [0];
            idle.read_exact(&mut byte).unwrap();
            text.push(byte[0].into());
        }
        busy.write_all(b"GET / HTTP/1.1\r\nHost: loc").unwrap();
        while life.counters().idle != 1 {
            green::yield_now();
        }
        let draining = life.clone();
        let draining = green::spawn(move || draining.drain(LONG));
        assert_eq!(idle.read(&mut [0; 16]).unwrap(), 0);
        busy.write_all(b"alhost\r\n\r\n").unwrap();
        let mut answer = String::new();
        busy.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("connection: close"), "{answer}");
        assert!(answer.ends_with("HTTP/1.1 for localhost"), "{answer}");
        assert_eq!(draining.join().unwrap().killed, 0);
    });
}

#[cfg(feature = "http2")]
#[test]
fn what_alpn_has_agreed_upon_is_spoken() {
    use green::future::{Executor, block_on, spawn};
    use green_http::Bytes;
    use http_body_util::{BodyExt, Empty};

    with_server(&["h2"], |stream, connector| {
        let stream = open(stream, connector);
        assert_eq!(stream.alpn_protocol().as_deref(), Some(&b"h2"[..]));
        let text = block_on(async {
            let (mut client, connection) = hyper::client::conn::http2::handshake(Executor, stream)
                .await
                .unwrap();
            let connection = spawn(connection);
            let request = Request::get("https://localhost/").body(Empty::<Bytes>::new());
            let answer = client.send_request(request.unwrap()).await.unwrap();
            let text = answer.into_body().collect().await.unwrap().to_bytes();
            drop(client);
            drop(connection);
            text
        });
        assert_eq!(text, "HTTP/2.0 for localhost");
    });
}
