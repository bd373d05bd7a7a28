//! cargo run --release -p examples --features greened --example greened_server -- 127.0.0.1:6000
//!
//! An echo server for threads, in plain std, on greenthreads: `green::spawn` stands where `std::thread::spawn` would.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

fn echo(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            read => stream.write_all(&buffer[..read])?,
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    green_patch::monkey_patch()?;
    let address = std::env::args().nth(1);
    let listener = TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:6000"))?;
    println!(
        "listening on {} ({})",
        listener.local_addr()?,
        green::hubs::get_hub()
    );
    for stream in listener.incoming() {
        match stream {
            // A client that breaks off is its own affair.
            Ok(stream) => drop(green::spawn(|| drop(echo(stream)))),
            Err(error) => {
                eprintln!("accept: {error}");
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        }
    }
    Ok(())
}
