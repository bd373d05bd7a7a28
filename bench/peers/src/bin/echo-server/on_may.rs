//! may with one worker, one coroutine a connection.

use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::os::fd::{FromRawFd, IntoRawFd};

use may::net::TcpStream;

pub fn serve(listener: TcpListener) -> io::Result<()> {
    // The driver chooses the processor.
    may::config().set_workers(1).set_worker_pin(false);
    // SAFETY: the number was just taken out of an owned listener.
    let listener = unsafe { may::net::TcpListener::from_raw_fd(listener.into_raw_fd()) };
    let acceptor = may::go!(move || -> io::Result<()> {
        loop {
            let (stream, _) = listener.accept()?;
            may::go!(move || echo(stream));
        }
    });
    acceptor
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
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
