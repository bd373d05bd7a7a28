//! green, on the hub that GREEN_HUB names, one greenthread a connection.

use std::io::{self, Read, Write};
use std::net::TcpListener;

use green::net::TcpStream;

pub fn serve(listener: TcpListener) -> io::Result<()> {
    let listener = green::net::TcpListener::from(listener);
    loop {
        let (stream, _) = listener.accept()?;
        green::spawn_n(|| drop(echo(stream)));
    }
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; crate::BUFFER];
    loop {
        let received = stream.read(&mut buffer)?;
        if received == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..received])?;
    }
}
