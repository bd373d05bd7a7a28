//! What the three raw loops share: the listener, the connections and one echo.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use peers::sys;

/// What a connection waits for after it was served.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Read,
    Write,
    Close,
}

/// One accepted connection and the part of an echo that the kernel did not take.
pub struct Connection {
    fd: OwnedFd,
    pending: Vec<u8>,
}

impl Connection {
    /// The next connection, or none if nobody waits.
    pub fn accept(listener: BorrowedFd<'_>) -> io::Result<Option<Connection>> {
        match sys::accept(listener) {
            Ok(fd) => {
                sys::set_nodelay(fd.as_fd())?;
                Ok(Some(Connection {
                    fd,
                    pending: Vec::new(),
                }))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Echoes what has arrived. A read that did not fill the buffer has emptied the socket, so no second read follows,
    /// unless the peer has hung up: then the end of the stream is still to be read.
    pub fn echo(&mut self, buffer: &mut [u8], hung_up: bool) -> Next {
        loop {
            if !self.pending.is_empty() {
                match sys::send(self.fd(), &self.pending) {
                    Ok(sent) => drop(self.pending.drain(..sent)),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Next::Write,
                    Err(_) => return Next::Close,
                }
                if !self.pending.is_empty() {
                    return Next::Write;
                }
            }
            let received = match sys::recv(self.fd(), buffer) {
                Ok(0) => return Next::Close,
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Next::Read,
                Err(_) => return Next::Close,
            };
            let sent = match sys::send(self.fd(), &buffer[..received]) {
                Ok(sent) => sent,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                Err(_) => return Next::Close,
            };
            if sent < received {
                self.pending.extend_from_slice(&buffer[sent..received]);
                return Next::Write;
            }
            if received < buffer.len() && !hung_up {
                return Next::Read;
            }
        }
    }
}

/// The connections by descriptor number.
#[derive(Default)]
pub struct Connections(Vec<Option<Connection>>);

impl Connections {
    pub fn insert(&mut self, number: usize, connection: Connection) {
        if self.0.len() <= number {
            self.0.resize_with(number + 1, || None);
        }
        self.0[number] = Some(connection);
    }

    pub fn get(&mut self, number: usize) -> Option<&mut Connection> {
        self.0.get_mut(number)?.as_mut()
    }

    pub fn remove(&mut self, number: usize) {
        self.0[number] = None;
    }
}
