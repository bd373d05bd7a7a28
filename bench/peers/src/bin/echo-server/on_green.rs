//! green, on the hub that GREEN_HUB names, one greenthread a connection: with a buffer of its own each, or with buffers that they share.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::rc::Rc;

use green::net::TcpStream;

pub fn serve(listener: TcpListener) -> io::Result<()> {
    let listener = green::net::TcpListener::from(listener);
    loop {
        let (stream, _) = listener.accept()?;
        green::spawn_n(|| drop(echo(stream)));
    }
}

/// As the example `echo_server`: a connection that waits holds no buffer.
pub fn serve_sharing(listener: TcpListener) -> io::Result<()> {
    let listener = green::net::TcpListener::from(listener);
    let buffers: Buffers = Rc::default();
    loop {
        let (stream, _) = listener.accept()?;
        let buffers = Rc::clone(&buffers);
        green::spawn_n(move || drop(echo_sharing(stream, &buffers)));
    }
}

/// Those that nobody has borrowed.
type Buffers = Rc<RefCell<Vec<Vec<u8>>>>;

fn echo_sharing(mut stream: TcpStream, buffers: &Buffers) -> io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        stream.readable()?;
        let free = buffers.borrow_mut().pop();
        let mut buffer = free.unwrap_or_else(|| vec![0; crate::BUFFER]);
        let received = match stream.try_read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            received => Some(received?),
        };
        if received == Some(0) {
            return Ok(());
        }
        stream.write_all(&buffer[..received.unwrap_or(0)])?;
        buffers.borrow_mut().push(buffer);
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
