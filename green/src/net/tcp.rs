//! TCP listeners and streams.

use std::io::{self, Read, Write};
use std::net::{self, SocketAddr, ToSocketAddrs};

use hub_core::Direction;
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};

use super::io::Io;

/// A TCP connection: `std::net::TcpStream`, whose waits let other greenthreads run.
#[derive(Debug)]
pub struct TcpStream {
    io: Io<net::TcpStream>,
}

/// A listening TCP socket: `std::net::TcpListener`, whose waits let other greenthreads run.
#[derive(Debug)]
pub struct TcpListener {
    io: Io<net::TcpListener>,
}

impl TcpListener {
    /// As std.
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
        let listener = net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(TcpListener {
            io: Io::new(listener),
        })
    }
    /// As std.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get()?.local_addr()
    }
    /// As std.
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (socket, peer) = self
            .io
            .retry(Direction::Read, |listener| accept(&SockRef::from(listener)))?;
        let peer = peer
            .as_socket()
            .ok_or(io::Error::from(io::ErrorKind::InvalidData))?;
        Ok((
            TcpStream {
                io: Io::new(socket.into()),
            },
            peer,
        ))
    }
}

/// The accepted socket is non-blocking and closed on exec.
pub(super) fn accept(listener: &Socket) -> io::Result<(Socket, SockAddr)> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        listener.accept4(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC)
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let (socket, peer) = listener.accept()?;
        socket.set_nonblocking(true)?;
        Ok((socket, peer))
    }
}

impl TcpStream {
    /// As std.
    pub fn connect(address: impl ToSocketAddrs) -> io::Result<TcpStream> {
        let mut last = None;
        for address in address.to_socket_addrs()? {
            match TcpStream::connect_one(address) {
                Ok(s) => return Ok(s),
                Err(e) => last = Some(e),
            }
        }
        Err(last.unwrap_or_else(|| io::ErrorKind::InvalidInput.into()))
    }
    fn connect_one(address: SocketAddr) -> io::Result<TcpStream> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM.nonblocking(),
            Some(Protocol::TCP),
        )?;
        let mut first = Some(socket.connect(&address.into()));
        let io = Io::<net::TcpStream>::new(socket.into());
        io.retry(Direction::Write, |stream| match first.take() {
            Some(Ok(())) => Ok(()),
            Some(Err(e)) if e.raw_os_error() == Some(libc::EINPROGRESS) => {
                Err(io::ErrorKind::WouldBlock.into())
            }
            Some(Err(e)) => Err(e),
            None => match stream.take_error()? {
                Some(e) => Err(e),
                None => Ok(()),
            },
        })?;
        Ok(TcpStream { io })
    }
    /// As std.
    pub fn set_nodelay(&self, on: bool) -> io::Result<()> {
        self.io.get()?.set_nodelay(on)
    }
}

impl Read for TcpStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }
}

impl Read for &TcpStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.io
            .transfer(Direction::Read, buf.len(), |mut stream| stream.read(buf))
    }
}

impl Write for TcpStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&*self).write(buf)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for &TcpStream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.io
            .transfer(Direction::Write, buf.len(), |mut stream| stream.write(buf))
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
