//! Echo servers: the same work on the bare hub, on the reactor, and in greenthreads.
//!
//! Each echoes what it reads. A message that begins with [`MARK`] comes back with what the server has used so far: so
//! the load, when it has no request under way, can say what exactly the requests in between have cost.

mod green;
mod hub;
mod reactor;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};

use hub_core::{Direction, Hub, NotReady};
use socket2::{Domain, Socket, Type};

use crate::meter::{Meter, Reading};
use crate::plan::Layer;

/// What a message begins with that asks for a [`Reading`]: no connection has this number.
pub(crate) const MARK: [u8; 8] = [0xff; 8];

/// How long a message is that has room for a reading.
pub(crate) const MARK_SIZE: usize = 32;

/// What a server reads at once: more than any message here, so that one read takes it whole and proves that nothing is
/// left.
const BUFFER: usize = 1024;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;

/// Serves connections for ever; `ready` is told where.
pub(crate) fn tcp(
    layer: Layer,
    hub: Box<dyn Hub>,
    ready: impl FnOnce(SocketAddr) -> io::Result<()>,
) -> io::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    socket.listen(BACKLOG)?;
    let listener = TcpListener::from(socket);
    listener.set_nonblocking(true)?;
    ready(listener.local_addr()?)?;
    match layer {
        Layer::Hub => hub::tcp(hub, listener),
        Layer::Reactor => reactor::tcp(hub, listener),
        Layer::Green => green::tcp(hub, listener),
    }
}

/// Serves datagrams for ever; `ready` is told where.
pub(crate) fn udp(
    layer: Layer,
    hub: Box<dyn Hub>,
    ready: impl FnOnce(SocketAddr) -> io::Result<()>,
) -> io::Result<()> {
    let socket = UdpSocket::bind(("127.0.0.1", 0))?;
    socket.set_nonblocking(true)?;
    ready(socket.local_addr()?)?;
    match layer {
        Layer::Hub => hub::udp(hub, socket),
        Layer::Reactor => reactor::udp(hub, socket),
        Layer::Green => green::udp(hub, socket),
    }
}

/// Writes a reading into a message that asks for one.
fn answer(meter: &mut Meter, message: &mut [u8]) {
    if message.len() < MARK_SIZE || message[..8] != MARK {
        return;
    }
    let reading = meter.read();
    let none = u64::MAX;
    let values = [
        reading.cpu_ns,
        reading.syscalls.unwrap_or(none),
        reading.resident.unwrap_or(none),
    ];
    for (place, value) in message[8..].chunks_exact_mut(8).zip(values) {
        place.copy_from_slice(&value.to_le_bytes());
    }
}

/// The next connection of a listener, non-blocking: as green does it, in one system call where there is one for it.
fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::net::{SocketFlags, accept_with};
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        Ok(accept_with(listener, flags)?.into())
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let (stream, _) = listener.accept()?;
        stream.set_nonblocking(true)?;
        Ok(stream)
    }
}

/// What the answer to a mark says.
pub(crate) fn reading(message: &[u8; MARK_SIZE]) -> Reading {
    let value = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&message[at * 8..][..8]);
        u64::from_le_bytes(bytes)
    };
    let known = |at| Some(value(at)).filter(|&value| value != u64::MAX);
    Reading {
        cpu_ns: value(1),
        syscalls: known(2),
        resident: known(3),
    }
}

/// A connection of the loops without greenthreads.
struct Connection {
    /// What has been read and not yet written back.
    unsent: Vec<u8>,
}

/// What a connection needs before it goes on.
enum Next {
    /// Nothing: it has ended.
    Close,
    /// This direction, which was shown not to be ready like this.
    Wait(Direction, NotReady),
}

impl Connection {
    fn new() -> Connection {
        Connection { unsent: Vec::new() }
    }

    /// Echoes until something is not ready.
    fn go_on(&mut self, mut stream: &TcpStream, meter: &mut Meter, buffer: &mut [u8]) -> Next {
        loop {
            while !self.unsent.is_empty() {
                match stream.write(&self.unsent) {
                    Ok(count) => drop(self.unsent.drain(..count)),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        return Next::Wait(Direction::Write, NotReady::WouldBlock);
                    }
                    Err(_) => return Next::Close,
                }
            }
            let count = match stream.read(buffer) {
                Ok(0) => return Next::Close,
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Next::Wait(Direction::Read, NotReady::WouldBlock);
                }
                Err(_) => return Next::Close,
            };
            answer(meter, &mut buffer[..count]);
            match stream.write(&buffer[..count]) {
                Ok(written) => self.unsent.extend(&buffer[written..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.unsent.extend(&buffer[..count]);
                }
                Err(_) => return Next::Close,
            }
            if self.unsent.is_empty() && count < buffer.len() {
                return Next::Wait(Direction::Read, NotReady::ShortTransfer);
            }
        }
    }
}

/// Answers every datagram that is there.
fn datagrams(socket: &UdpSocket, meter: &mut Meter, buffer: &mut [u8]) -> io::Result<()> {
    loop {
        let (count, peer) = match socket.recv_from(buffer) {
            Ok(received) => received,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        answer(meter, &mut buffer[..count]);
        match socket.send_to(&buffer[..count], peer) {
            // A full buffer loses it, as the way might.
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
    }
}
