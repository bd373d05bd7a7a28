//! The load: connections in step, each with one write of requests, then one read of their answers.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;

use crate::stream::Stream;

pub struct Case {
    pub name: &'static str,
    pub title: &'static str,
    pub servers: &'static [&'static str],
    /// Over which servers the others are shown.
    pub peers: &'static [&'static str],
    kind: Kind,
    /// Requests in one write.
    depth: usize,
    /// Connections in step.
    active: usize,
    /// Connections that only are there.
    idle: usize,
    /// Each request has a connection of its own.
    fresh: bool,
    pub tls: bool,
}

#[derive(Clone, Copy)]
enum Kind {
    Get(&'static str),
    /// Messages of so many bytes.
    WebSocket(usize),
}

const PLAIN: Case = Case {
    name: "plain",
    title: "13 bytes, 64 connections",
    servers: &["hyper", "axum", "may", "green", "green-axum"],
    peers: &["hyper", "axum", "green"],
    kind: Kind::Get("/"),
    depth: 1,
    active: 64,
    idle: 0,
    fresh: false,
    tls: false,
};

const TLS: Case = Case {
    name: "tls",
    title: "13 bytes over TLS 1.3, 64 connections",
    servers: &["hyper-tls", "green-tls"],
    peers: &["hyper-tls"],
    tls: true,
    ..PLAIN
};

pub const CASES: &[Case] = &[
    PLAIN,
    Case {
        name: "10k",
        title: "10 KiB, 64 connections",
        kind: Kind::Get("/10k"),
        ..PLAIN
    },
    Case {
        name: "pipelined",
        title: "13 bytes, pipelined 16, 64 connections",
        depth: 16,
        ..PLAIN
    },
    Case {
        name: "connect",
        title: "A connection for each request",
        fresh: true,
        active: 1,
        ..PLAIN
    },
    Case {
        name: "idle",
        title: "13 bytes, 10,000 connections of which 64 are active",
        idle: 9_936,
        ..PLAIN
    },
    TLS,
    Case {
        name: "handshake",
        title: "A TLS 1.3 handshake, without resumption, and one request",
        fresh: true,
        active: 1,
        ..TLS
    },
    Case {
        name: "websocket",
        title: "WebSocket messages of 64 bytes, 64 connections",
        servers: &["tungstenite", "green-ws"],
        peers: &["tungstenite"],
        kind: Kind::WebSocket(64),
        ..PLAIN
    },
];

/// Of each sample of memory: those before, and those that are measured.
const FIRST: usize = 1_000;
pub const MEASURED: usize = 8_000;

pub struct Load {
    address: String,
    request: Vec<u8>,
    answer: usize,
    case: &'static Case,
    tls: Option<Arc<ClientConfig>>,
    active: Vec<Stream>,
    idle: Vec<Stream>,
}

impl Load {
    pub fn connect(
        address: &str,
        case: &'static Case,
        tls: &Arc<ClientConfig>,
    ) -> io::Result<Load> {
        let mut load = Load {
            address: address.to_owned(),
            request: case.request().repeat(case.depth),
            answer: 0,
            case,
            tls: case.tls.then(|| Arc::clone(tls)),
            active: Vec::new(),
            idle: Vec::new(),
        };
        load.answer = load.length()?;
        load.idle = load.ask_all(case.idle)?;
        load.active = load.ask_all(if case.fresh { 0 } else { case.active })?;
        Ok(load)
    }

    /// Connections that have been answered once: some servers close one that never says anything.
    fn ask_all(&self, count: usize) -> io::Result<Vec<Stream>> {
        let mut buffer = vec![0; self.answer * self.case.depth];
        let mut ask = |mut stream: Stream| {
            stream.write_all(&self.request)?;
            stream.read_exact(&mut buffer)?;
            Ok(stream)
        };
        (0..count).map(|_| ask(self.open()?)).collect()
    }

    fn open(&self) -> io::Result<Stream> {
        let mut stream = Stream::open(&self.address, self.tls.as_ref())?;
        if let Kind::WebSocket(_) = self.case.kind {
            stream.write_all(
                b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                  Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            )?;
            read_head(&mut stream)?;
        }
        Ok(stream)
    }

    /// How long one answer is: the same each time.
    fn length(&self) -> io::Result<usize> {
        let body = match self.case.kind {
            Kind::WebSocket(len) => return Ok(2 + len),
            Kind::Get("/10k") => 10 * 1024,
            Kind::Get(_) => 13,
        };
        let mut stream = self.open()?;
        stream.write_all(&self.case.request())?;
        Ok(read_head(&mut stream)? + body)
    }

    /// Has at least as many requests answered, and gives how many.
    pub fn run(&mut self, requests: usize) -> io::Result<usize> {
        let mut buffer = vec![0; self.answer * self.case.depth];
        let mut answered = 0;
        while answered < requests {
            if self.case.fresh {
                let mut stream = self.open()?;
                stream.write_all(&self.request)?;
                stream.read_exact(&mut buffer)?;
                answered += 1;
                continue;
            }
            for stream in &mut self.active {
                stream.write_all(&self.request)?;
            }
            for stream in &mut self.active {
                stream.read_exact(&mut buffer)?;
                answered += self.case.depth;
            }
        }
        Ok(answered)
    }

    /// Opens connections that are idle after one request. `memory` is asked before and after those that count, each time
    /// until it has been the same for a while: a server may give back what idle connections do not need.
    pub fn fill(&mut self, memory: impl Fn() -> io::Result<u64>) -> io::Result<u64> {
        self.idle = self.ask_all(FIRST)?;
        let before = settled(&memory)?;
        let measured = self.ask_all(MEASURED)?;
        self.idle.extend(measured);
        Ok(settled(&memory)?.saturating_sub(before))
    }
}

impl Case {
    /// True if `server` is one of its own, or of no case and serves the two pages.
    pub fn is_for(&self, server: &str) -> bool {
        let pages = matches!(self.kind, Kind::Get(_)) && !self.tls;
        let known = CASES.iter().any(|case| case.servers.contains(&server));
        self.servers.contains(&server) || (pages && !known)
    }

    pub fn is_fresh(&self) -> bool {
        self.fresh
    }

    fn request(&self) -> Vec<u8> {
        match self.kind {
            Kind::Get(path) => {
                let close = match self.fresh {
                    true => "Connection: close\r\n",
                    false => "",
                };
                format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{close}\r\n").into_bytes()
            }
            Kind::WebSocket(len) => {
                // Text, masked with zeros.
                let mut frame = vec![0x81, 0x80 | len as u8, 0, 0, 0, 0];
                frame.resize(6 + len, b'x');
                frame
            }
        }
    }
}

/// What `memory` says when it has said so for two seconds; after twenty, whatever it says.
fn settled(memory: impl Fn() -> io::Result<u64>) -> io::Result<u64> {
    let (mut last, mut same) = (memory()?, 0);
    for _ in 0..200 {
        std::thread::sleep(Duration::from_millis(100));
        let now = memory()?;
        same = if now == last { same + 1 } else { 0 };
        last = now;
        if same == 20 {
            break;
        }
    }
    Ok(last)
}

/// Reads a head, and gives its length.
fn read_head(stream: &mut Stream) -> io::Result<usize> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(head.len())
}
