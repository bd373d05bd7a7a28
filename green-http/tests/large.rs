//! Large bodies, up and down, at flat memory.

mod common;

use std::io::{Read, Write};

use common::{bounded, read_until, run};
use green_http::{Body, Content, Request, Response, Server};

const PIECE: usize = 64 * 1024;

/// The most memory that this process has had resident, in bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// What it has now becomes the most that it has had.
fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// A body of so many bytes in each way that a body can come and go, with `most` bytes more of memory.
fn both_ways(length: usize, most: usize) {
    let server = run(Server::new(move |request: Request<Body>| {
        match request.uri().path() {
            "/count" => {
                let mut body = request.into_body();
                let mut total = 0;
                while let Some(piece) = body.next_piece().unwrap() {
                    total += piece.len();
                }
                Response::new(format!("{total}\n"))
            }
            "/sized" => Response::new(Content::sized_reader(std::io::repeat(b'x'), length as u64)),
            "/reader" => Response::new(Content::reader(std::io::repeat(b'x').take(length as u64))),
            _ => Response::new(Content::written(move |out| {
                let piece = [b'x'; PIECE];
                (0..length / PIECE).try_for_each(|_| out.write_all(&piece))
            })),
        }
    }));
    forget_peak();
    let before = peak();
    for path in ["/sized", "/reader", "/written"] {
        let mut stream = server.say(format!(
            "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        ));
        read_until(&mut stream, "\r\n\r\n");
        let mut buffer = vec![0; PIECE];
        let mut total = 0;
        loop {
            match stream.read(&mut buffer).unwrap() {
                0 => break,
                len => total += len,
            }
        }
        assert!(total >= length, "{path}: {total}");
    }
    let piece = vec![b'x'; PIECE];
    let mut stream = server.say(format!(
        "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"
    ));
    for _ in 0..length / PIECE {
        stream.write_all(&piece).unwrap();
    }
    read_until(&mut stream, &format!("\r\n\r\n{length}\n"));
    stream
        .write_all(b"POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        .unwrap();
    for _ in 0..length / PIECE {
        write!(stream, "{PIECE:x}\r\n").unwrap();
        stream.write_all(&piece).unwrap();
        stream.write_all(b"\r\n").unwrap();
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    read_until(&mut stream, &format!("\r\n\r\n{length}\n"));
    drop(stream);
    let grown = peak().saturating_sub(before);
    println!("{length} bytes up and down took {grown} bytes of memory");
    assert!(
        grown < most,
        "{grown} bytes of memory for a body of {length}"
    );
    server.end();
}

#[test]
fn sixty_four_megabytes_up_and_down() {
    bounded(|| both_ways(64 << 20, 24 << 20));
}

#[test]
#[ignore = "it takes a while: for make test-long"]
fn two_gigabytes_up_and_down() {
    both_ways(2 << 30, 24 << 20);
}
