//! The load: connections in step, each with one write of requests, then one read of their answers.

use std::io::{self, Read, Write};
use std::net::TcpStream;

pub struct Case {
    pub name: &'static str,
    pub title: &'static str,
    pub goal: &'static str,
    path: &'static str,
    /// Requests in one write.
    depth: usize,
    /// Connections in step.
    active: usize,
    /// Connections that only are there.
    idle: usize,
    /// Each request has a connection of its own.
    fresh: bool,
}

const PLAIN: Case = Case {
    name: "plain",
    title: "13 bytes, 64 connections",
    goal: "at most hyper's",
    path: "/",
    depth: 1,
    active: 64,
    idle: 0,
    fresh: false,
};

pub const CASES: &[Case] = &[
    PLAIN,
    Case {
        name: "10k",
        title: "10 KiB, 64 connections",
        path: "/10k",
        ..PLAIN
    },
    Case {
        name: "pipelined",
        title: "13 bytes, pipelined 16, 64 connections",
        goal: "at most 1.1 of hyper's, with correct flushing",
        depth: 16,
        ..PLAIN
    },
    Case {
        name: "connect",
        title: "a connection for each request",
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
];

pub struct Load {
    address: String,
    request: Vec<u8>,
    answer: usize,
    case: &'static Case,
    active: Vec<TcpStream>,
    _idle: Vec<TcpStream>,
}

impl Load {
    pub fn connect(address: &str, case: &'static Case) -> io::Result<Load> {
        let close = if case.fresh {
            "Connection: close\r\n"
        } else {
            ""
        };
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: localhost\r\n{close}\r\n",
            case.path
        );
        let open = |count| {
            (0..count)
                .map(|_| open(address))
                .collect::<io::Result<Vec<_>>>()
        };
        let mut load = Load {
            address: address.to_owned(),
            request: request.repeat(case.depth).into_bytes(),
            answer: 0,
            case,
            active: open(if case.fresh { 0 } else { case.active })?,
            _idle: open(case.idle)?,
        };
        load.answer = load.length()?;
        Ok(load)
    }

    /// How long one answer is: the same each time.
    fn length(&self) -> io::Result<usize> {
        if self.case.fresh {
            let mut stream = open(&self.address)?;
            write!(
                stream,
                "GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                self.case.path
            )?;
            let mut closing = Vec::new();
            stream.read_to_end(&mut closing)?;
            return Ok(closing.len());
        }
        let mut stream = open(&self.address)?;
        write!(
            stream,
            "GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n",
            self.case.path
        )?;
        let body = if self.case.path == "/10k" {
            10 * 1024
        } else {
            13
        };
        let mut answer = Vec::new();
        let mut byte = [0];
        while !answer.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte)?;
            answer.push(byte[0]);
        }
        Ok(answer.len() + body)
    }

    /// Has at least as many requests answered, and gives how many.
    pub fn run(&mut self, requests: usize) -> io::Result<usize> {
        let mut buffer = vec![0; self.answer * self.case.depth];
        let mut answered = 0;
        while answered < requests {
            if self.case.fresh {
                let mut stream = open(&self.address)?;
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
}

fn open(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
