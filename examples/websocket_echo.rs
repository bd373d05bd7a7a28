//! cargo run --release -p examples --features servers --example websocket_echo -- 127.0.0.1:8000 [deflate]
//!
//! Answers text with text and bytes with bytes. SIGTERM drains it: every client is told that the server goes away.

use std::error::Error;
use std::time::Duration;

use green::server::StreamServer;
use green::signal::{SIGINT, SIGTERM, Signals};
use green_ws::{Deflate, Group, Options, handler};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or("127.0.0.1:8000".into());
    let options = match arguments.next().as_deref() {
        None => Options::new(),
        Some("deflate") => Options::new().deflate(Deflate::new()),
        Some(other) => return Err(format!("{other:?} is no choice: only `deflate` is").into()),
    };
    let signals = Signals::new([SIGINT, SIGTERM])?;
    let open = Group::new();
    let members = open.clone();
    let echo = handler(options, move |socket| {
        members.add(socket);
        while let Some(message) = socket.receive()? {
            socket.send(message)?;
        }
        Ok::<(), green_ws::Error>(())
    });
    let server = StreamServer::new(green::listen(address)?, echo);
    server.start();
    println!("listening on {}", server.listener().local_addr()?);

    signals.wait()?;
    server.close();
    open.close(1001, "the server goes away");
    server.stop(Duration::from_secs(5));
    Ok(())
}
