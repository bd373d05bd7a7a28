//! TCP listeners and streams.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{self, Shutdown, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use hub_core::Direction::{self, Read as Reading, Write as Writing};
use socket2::{Domain, Protocol, Socket, Type};

use super::io::Io;

/// A TCP connection: `std::net::TcpStream`, whose waits let other greenthreads run.
pub struct TcpStream {
    io: Io<net::TcpStream>,
}

/// A listening TCP socket: `std::net::TcpListener`, whose waits let other greenthreads run.
pub struct TcpListener {
    io: Io<net::TcpListener>,
}

impl TcpListener {
    /// As std.
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<TcpListener> {
        let listener = net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(TcpListener { io: Io::new(listener) })
    }
    /// As std.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get()?.local_addr()
    }
    /// As std.
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = self.io.retry(Reading, |listener| {
            let (socket, peer) = socket2::SockRef::from(listener).accept4(libc_flags())?;
            Ok((socket, peer))
        })?;
        todo!()
    }
}
