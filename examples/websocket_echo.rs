//! cargo run --release -p examples --features servers --example websocket_echo -- 127.0.0.1:8000 [deflate]
//!
//! Answers text with text and bytes with bytes. SIGTERM drains it: every client is told that the server goes away.

use std::error::Error;
use std::time::Duration;

use green::server::Lifecycle;
use green::signal::{SIGINT, SIGTERM};
use green_ws::{Deflate, Options, handler};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or("127.0.0.1:8000".into());
    let options = match arguments.next().as_deref() {
        None => Options::new(),
        Some("deflate") => Options::new().deflate(Deflate::new()),
        Some(other) => return Err(format!("{other:?} is no choice: only `deflate` is").into()),
    };
    let echo = handler(options, |socket| {
        while let Some(message) = socket.receive()? {
            socket.send(message)?;
        }
        Ok::<(), green_ws::Error>(())
    });
    let life = Lifecycle::new();
    life.drain_on([SIGINT, SIGTERM], Duration::from_secs(5))?;
    let listener = green::listen(address)?;
    println!("listening on {}", listener.local_addr()?);
    life.serve(&listener, 10_000, echo)?;
    Ok(())
}
