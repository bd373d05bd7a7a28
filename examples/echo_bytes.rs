//! cargo run -p examples --example echo_bytes -- 127.0.0.1:6000
//!
//! The echo server at its simplest: one greenthread a connection, a byte at a time. With ten thousand connections the
//! pool is full, and no more are accepted until one ends. `echo_server` is the one that is made for speed.

use std::error::Error;
use std::io::{self, Read, Write};

use green::GreenPool;
use green::net::TcpStream;

fn handle(mut stream: TcpStream) -> io::Result<()> {
    let mut byte = [0];
    while stream.read(&mut byte)? > 0 {
        stream.write_all(&byte)?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:6000".into());
    let server = green::listen(address)?;
    println!("server listening on {}", server.local_addr()?);
    let pool = GreenPool::new(10_000);
    for stream in server.incoming() {
        let stream = stream?;
        let echo = move || {
            let peer = stream.peer_addr();
            if let Err(error) = handle(stream) {
                eprintln!("{peer:?}: {error}");
            }
        };
        if let Err(error) = green::Builder::new().spawn_n_in(&pool, echo) {
            eprintln!("a connection is given up: {error}");
        }
    }
    Ok(())
}
