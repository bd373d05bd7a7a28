//! cargo run -p examples --features integrations --example with_tungstenite
//!
//! tungstenite's blocking WebSockets over green sockets. What green-ws adds: sends beside a receive, limits, deadlines.

use std::error::Error;

use tungstenite::{Message, accept, client};

fn main() -> Result<(), Box<dyn Error>> {
    let listener = green::listen("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let serving = green::spawn(move || -> Result<(), Box<dyn Error + Send + Sync>> {
        let (stream, _peer) = listener.accept()?;
        let mut socket = accept(stream).map_err(|error| error.to_string())?;
        loop {
            match socket.read()? {
                Message::Text(text) => socket.send(Message::text(text.to_uppercase()))?,
                Message::Close(_) => return Ok(()),
                _ => {}
            }
        }
    });
    let stream = green::connect(address)?;
    let (mut socket, _answer) = client(format!("ws://{address}/"), stream)?;
    for word in ["web", "socket"] {
        socket.send(Message::text(word))?;
        println!("{}", socket.read()?);
    }
    socket.close(None)?;
    serving.join()?.map_err(|error| error as Box<dyn Error>)
}
