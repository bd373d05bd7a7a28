//! What the load talks over. It never sleeps while it waits for an answer, so that no server pays for waking it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

/// A connection that waits by trying.
pub struct Trying(TcpStream);

fn until_ready<R>(mut attempt: impl FnMut() -> io::Result<R>) -> io::Result<R> {
    loop {
        match attempt() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::hint::spin_loop(),
            result => return result,
        }
    }
}

impl Read for Trying {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        until_ready(|| self.0.read(buf))
    }
}

impl Write for Trying {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        until_ready(|| self.0.write(buf))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub enum Stream {
    Plain(Trying),
    Tls(Box<StreamOwned<ClientConnection, Trying>>),
}

impl Stream {
    /// With a configuration, after the handshake.
    pub fn open(address: &str, tls: Option<&Arc<ClientConfig>>) -> io::Result<Stream> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = Trying(stream);
        let Some(config) = tls else {
            return Ok(Stream::Plain(stream));
        };
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let mut machine =
            ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        while machine.is_handshaking() {
            machine.complete_io(&mut stream)?;
        }
        let stream = StreamOwned::new(machine, stream);
        Ok(Stream::Tls(Box::new(stream)))
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(stream) => stream.read(buf),
            Stream::Tls(stream) => stream.read(buf),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(stream) => stream.write(buf),
            Stream::Tls(stream) => stream.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(stream) => stream.flush(),
            Stream::Tls(stream) => stream.flush(),
        }
    }
}
