use std::io::{Read, Write};
use std::rc::Rc;
use std::time::Duration;

use green::Flag;
use green::net::{TcpStream, UnixStream};
use green::server::{Drained, Lifecycle, StreamServer};
use green_http::{Response, Server};
use green_ws::{Deflate, Error, Message, Options, Stream, WebSocket, connect, handler, http};

use crate::common::{GOOD, SHORT, bounded, read_frame, read_head, request};

/// A server of pages that has an echo at `/`, for what is offered there.
fn serve(
    options: Options,
) -> (
    Server,
    std::net::SocketAddr,
    green::GreenThread<std::io::Result<Drained>>,
) {
    let server = Server::new(move |request| match request.uri().path() {
        "/page" => Response::new("a page"),
        _ => http::upgrade(&request, &options, |socket: &WebSocket<TcpStream>| {
            while let Some(message) = socket.receive()? {
                socket.send(message)?;
            }
            Ok::<(), Error>(())
        }),
    });
    let listener = green::listen("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let own = server.clone();
    (server, address, green::spawn(move || own.serve(listener)))
}

#[test]
fn pages_and_websockets_share_a_port() {
    bounded(|| {
        let options = Options::new().protocols(["words"]).deflate(Deflate::new());
        let (server, address, serving) = serve(options.clone());
        let sockets: Vec<_> = (0..3)
            .map(|_| connect(&format!("ws://{address}/"), &options).unwrap())
            .collect();
        let mut page = TcpStream::connect(address).unwrap();
        page.write_all(b"GET /page HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut text = String::new();
        page.read_to_string(&mut text).unwrap();
        assert!(text.ends_with("a page"), "{text}");
        for (n, socket) in sockets.iter().enumerate() {
            assert_eq!(socket.protocol(), Some("words"));
            let long = format!("{n}").repeat(100_000);
            socket.send(long.clone()).unwrap();
            assert_eq!(socket.receive().unwrap(), Some(Message::from(long)));
            socket.close(1000, "").unwrap();
        }
        server.lifecycle().drain(std::time::Duration::from_secs(20));
        assert!(serving.join().unwrap().is_ok());
    });
}

#[test]
fn what_came_behind_the_request_is_received() {
    bounded(|| {
        let (_server, address, _serving) = serve(Options::new());
        let mut stream = TcpStream::connect(address).unwrap();
        let mut bytes = request(&GOOD).into_bytes();
        // A text of two letters, under a mask of zeros.
        bytes.extend([0x81, 0x82, 0, 0, 0, 0, b'h', b'i']);
        stream.write_all(&bytes).unwrap();
        let head = read_head(&mut stream);
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let mut frame = [0; 4];
        stream.read_exact(&mut frame).unwrap();
        assert_eq!(frame, [0x81, 2, b'h', b'i']);
    });
}

/// The fields of a good request, with another value for one.
fn other(name: &'static str, value: &'static str) -> Vec<(&'static str, &'static str)> {
    let mut fields = GOOD.to_vec();
    fields.retain(|(known, _)| *known != name);
    fields.push((name, value));
    fields
}

#[test]
fn a_request_for_something_else_is_refused_and_the_connection_goes_on() {
    bounded(|| {
        let (_server, address, _serving) =
            serve(Options::new().origins(|origin| origin != Some("https://there.example")));
        let mut stream = TcpStream::connect(address).unwrap();
        let cases = [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "400"),
            (request(&other("Sec-WebSocket-Version", "8")), "426"),
            (request(&other("Origin", "https://there.example")), "403"),
        ];
        for (asked, status) in cases {
            stream.write_all(asked.as_bytes()).unwrap();
            let head = read_head(&mut stream);
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
            let length = head.to_lowercase();
            let length = length.split("content-length: ").nth(1).unwrap();
            let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
            stream.read_exact(&mut vec![0; length]).unwrap();
            assert_eq!(
                head.to_lowercase().contains("sec-websocket-version: 13"),
                status == "426"
            );
        }
    });
}

/// A client that says nothing more: the drain alone ends its WebSocket.
fn is_told_of_a_drain(socket: &WebSocket<impl Stream>) {
    assert_eq!(socket.receive().unwrap(), None);
    let close = socket.close_frame().unwrap();
    assert_eq!(
        (close.code, close.reason.as_str()),
        (1001, "the server goes away")
    );
}

#[test]
fn a_drain_closes_the_websockets_beside_pages() {
    bounded(|| {
        let (server, address, serving) = serve(Options::new());
        let sockets: Vec<_> = (0..20)
            .map(|_| connect(&format!("ws://{address}/"), &Options::new()).unwrap())
            .collect();
        let busy = &sockets[0];
        busy.send("still here").unwrap();
        assert_eq!(busy.receive().unwrap(), Some(Message::from("still here")));
        let receiving: Vec<_> = sockets
            .iter()
            .map(|socket| {
                let socket = socket.clone();
                green::spawn(move || is_told_of_a_drain(&socket))
            })
            .collect();
        let drained = server.lifecycle().drain(Duration::from_secs(60));
        assert_eq!(drained.killed, 0);
        for receiving in receiving {
            receiving.join().unwrap();
        }
        assert_eq!(serving.join().unwrap().unwrap().killed, 0);
    });
}

/// One that comes to be while the server drains is closed as well.
#[test]
fn a_websocket_that_is_opened_during_a_drain_is_closed() {
    bounded(|| {
        let waits = Rc::new(Flag::new());
        let waiting = Rc::clone(&waits);
        let server = Server::new(move |request| {
            waiting.wait();
            http::upgrade(
                &request,
                &Options::new(),
                |socket: &WebSocket<TcpStream>| socket.receive().map(drop),
            )
        });
        let listener = green::listen("127.0.0.1:0").unwrap();
        let address = format!("ws://{}/", listener.local_addr().unwrap());
        let own = server.clone();
        let serving = green::spawn(move || own.serve(listener));
        let client = green::spawn(move || connect(&address, &Options::new()).unwrap());
        let life = server.lifecycle().clone();
        while life.counters().open == 0 || life.counters().idle > 0 {
            green::sleep(SHORT);
        }
        let draining = green::spawn(move || life.drain(Duration::from_secs(60)));
        green::yield_now();
        waits.set();
        is_told_of_a_drain(&client.join().unwrap());
        assert_eq!(draining.join().unwrap().killed, 0);
        drop(serving);
    });
}

/// A client that does not answer is waited for no longer than the closing handshake may take.
#[test]
fn a_drain_does_not_wait_for_a_client_that_does_not_answer() {
    bounded(|| {
        let (server, address, _serving) = serve(Options::new().close_timeout(SHORT));
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request(&GOOD).as_bytes()).unwrap();
        read_head(&mut stream);
        let drained = server.lifecycle().drain(Duration::from_secs(60));
        assert_eq!(drained.killed, 0);
        let (first, payload) = read_frame(&mut stream);
        assert_eq!((first, &payload[..2]), (0x88, &1001_u16.to_be_bytes()[..]));
        assert_eq!(stream.read(&mut [0; 16]).unwrap(), 0);
    });
}

#[test]
fn a_drain_closes_the_websockets_of_every_server() {
    bounded(|| {
        let life = Lifecycle::new();
        let listener = green::listen("127.0.0.1:0").unwrap();
        let address = format!("ws://{}/", listener.local_addr().unwrap());
        let within = life.clone();
        let echo = handler(Options::new(), |socket| socket.receive().map(drop));
        let serving = green::spawn(move || within.serve(&listener, 10, echo));
        let socket = connect(&address, &Options::new()).unwrap();
        let receiving = green::spawn(move || is_told_of_a_drain(&socket));
        green::yield_now();
        assert_eq!(life.drain(Duration::from_secs(60)).killed, 0);
        receiving.join().unwrap();
        assert!(serving.join().unwrap().is_ok());

        let echo = handler(Options::new(), |socket| socket.receive().map(drop));
        let server = StreamServer::new(green::listen("127.0.0.1:0").unwrap(), echo);
        server.start();
        let address = format!("ws://{}/", server.listener().local_addr().unwrap());
        let socket = connect(&address, &Options::new()).unwrap();
        let receiving = green::spawn(move || is_told_of_a_drain(&socket));
        green::yield_now();
        assert_eq!(server.stop(Duration::from_secs(60)), 0);
        receiving.join().unwrap();
    });
}

/// The page says a type of stream that the server does not have: the client learns that, and the server goes on.
#[test]
fn a_websocket_on_a_stream_of_another_type_is_cut() {
    bounded(|| {
        let server = Server::new(|request| match request.uri().path() {
            "/" => Response::new("a page"),
            _ => http::upgrade(
                &request,
                &Options::new(),
                |socket: &WebSocket<UnixStream>| socket.send("never"),
            ),
        });
        let listener = green::listen("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let own = server.clone();
        let serving = green::spawn(move || own.serve(listener));
        let socket = connect(&format!("ws://{address}/chat"), &Options::new()).unwrap();
        let error = socket.receive().unwrap_err();
        let Error::Io(error) = &error else {
            panic!("{error}");
        };
        assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
        let mut page = TcpStream::connect(address).unwrap();
        page.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut text = String::new();
        page.read_to_string(&mut text).unwrap();
        assert!(text.ends_with("a page"), "{text}");
        assert_eq!(server.lifecycle().drain(Duration::from_secs(60)).killed, 0);
        assert!(serving.join().unwrap().is_ok());
    });
}
