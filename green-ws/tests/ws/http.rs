use std::io::{Read, Write};

use green::net::TcpStream;
use green::server::Drained;
use green_http::{Response, Server};
use green_ws::{Deflate, Error, Message, Options, WebSocket, connect, http};

use crate::common::{GOOD, bounded, read_head, request};

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
