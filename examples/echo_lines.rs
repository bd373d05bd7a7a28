//! cargo run -p examples --example echo_lines -- 127.0.0.1:6000
//!
//! Sends back every line, until one is `bye` or the client has said all. Ctrl-C ends the server. Try it with
//! `nc 127.0.0.1 6000`.

use std::error::Error;
use std::io::{self, BufRead, BufReader, BufWriter, Write};

use green::net::{TcpListener, TcpStream};
use green::{GreenPool, signal};

/// Reads and writes through buffers over one socket, which is closed when both are gone.
fn handle(stream: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = BufWriter::new(stream);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 && line.trim_end() != "bye" {
        writer.write_all(line.as_bytes())?;
        writer.flush()?;
        line.clear();
    }
    Ok(())
}

fn accept(listener: &TcpListener) -> io::Result<()> {
    let pool = GreenPool::new(10_000);
    for stream in listener.incoming() {
        let stream = stream?;
        // One that is gone already has no address any more.
        let Ok(peer) = stream.peer_addr() else {
            continue;
        };
        println!("client connected {peer}");
        let echo = move || match handle(stream) {
            Ok(()) => println!("client disconnected {peer}"),
            Err(error) => println!("client lost {peer}: {error}"),
        };
        if let Err(error) = green::Builder::new().spawn_n_in(&pool, echo) {
            eprintln!("{peer} is given up: {error}");
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:6000".into());
    let listener = green::listen(address)?;
    println!("server listening on {}", listener.local_addr()?);
    green::spawn_n(move || {
        let ended = accept(&listener);
        eprintln!("accept: {ended:?}");
        std::process::exit(1);
    });
    signal::ctrl_c()?;
    println!("server stopped");
    Ok(())
}
