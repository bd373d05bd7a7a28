//! What the tests share.

use std::io::{Read, Write};
use std::process;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use green::net::{TcpListener, TcpStream};
use green_ws::{Options, WebSocket, accept, client};

/// Long enough that nothing takes it by chance, short enough to wait for often.
pub(crate) const SHORT: Duration = Duration::from_millis(15);

/// Runs a test, and ends the process if it hangs.
pub(crate) fn bounded(test: impl FnOnce()) {
    let name = thread::current().name().unwrap_or("a test").to_owned();
    let (done, watched) = channel::<()>();
    thread::spawn(move || {
        if watched.recv_timeout(Duration::from_secs(120)) == Err(RecvTimeoutError::Timeout) {
            eprintln!("{name} hangs");
            process::abort();
        }
    });
    test();
    drop(done);
}

/// Lets everybody else go as far as they get without the outside world.
pub(crate) fn settle() {
    // One whose calls take long on a busy machine needs several turns. The last number is for those who never wait.
    for round in 0..200 {
        green::yield_now();
        if round >= 20 && green::debug::counters().runnable == 0 {
            return;
        }
    }
}

pub(crate) fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    (near, far)
}

/// A client and a server, open.
pub(crate) fn pair_with(
    ours: &Options,
    theirs: &Options,
) -> (WebSocket<TcpStream>, WebSocket<TcpStream>) {
    let (near, far) = tcp_pair();
    let theirs = theirs.clone();
    let server = green::spawn(move || accept(far, &theirs).unwrap());
    let near = client(near, "ws://localhost/", ours).unwrap();
    (near, server.join().unwrap())
}

pub(crate) fn pair() -> (WebSocket<TcpStream>, WebSocket<TcpStream>) {
    pair_with(&Options::new(), &Options::new())
}

/// The bytes of a request for a WebSocket.
pub(crate) fn request(fields: &[(&str, &str)]) -> String {
    let mut text = "GET /chat HTTP/1.1\r\n".to_owned();
    for (name, value) in fields {
        text += &format!("{name}: {value}\r\n");
    }
    text + "\r\n"
}

pub(crate) const GOOD: [(&str, &str); 5] = [
    ("Host", "localhost"),
    ("Upgrade", "websocket"),
    ("Connection", "keep-alive, Upgrade"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// A server, and its client's stream after the handshake, for bytes that no client of ours would send.
pub(crate) fn raw_client(options: &Options) -> (TcpStream, WebSocket<TcpStream>) {
    let (mut near, far) = tcp_pair();
    near.write_all(request(&GOOD).as_bytes()).unwrap();
    let far = accept(far, options).unwrap();
    read_head(&mut near);
    (near, far)
}

pub(crate) fn read_head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// A client's frame of at most 125 bytes, masked with zeros.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first, 0x80 | payload.len() as u8, 0, 0, 0, 0];
    bytes.extend_from_slice(payload);
    bytes
}

/// Reads a server's frame of at most 125 bytes.
pub(crate) fn read_frame(stream: &mut impl Read) -> (u8, Vec<u8>) {
    let mut head = [0; 2];
    stream.read_exact(&mut head).unwrap();
    assert!(head[1] < 126, "a longer frame");
    let mut payload = vec![0; usize::from(head[1])];
    stream.read_exact(&mut payload).unwrap();
    (head[0], payload)
}

/// A payload that is hard to compress and tells its place.
pub(crate) fn noise(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(747_796_405).wrapping_add(1);
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..len).map(next).collect()
}
