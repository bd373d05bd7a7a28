//! Connections that stay open: active ones in a closed loop, idle ones beside them.

use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use libc::{EPOLL_CTL_ADD, EPOLLET, EPOLLIN, EPOLLOUT};
use peers::sys;

use crate::options::Options;
use crate::window::Pace;
use crate::{Load, Then};

/// A message that says whose it is and which one, so that an answer can be checked.
pub struct Message(Vec<u8>);

impl Message {
    pub fn new(size: usize) -> Message {
        Message((0..size).map(|at| (at * 31 + 7) as u8).collect())
    }

    pub fn of(&mut self, owner: u64, number: u64) -> &[u8] {
        self.0[..8].copy_from_slice(&owner.to_le_bytes());
        self.0[8..16].copy_from_slice(&number.to_le_bytes());
        &self.0
    }
}

struct Connection {
    stream: TcpStream,
    owner: u64,
    number: u64,
    /// Of the message that is under way; all of it while the connection rests.
    sent: usize,
    received: usize,
}

impl Connection {
    /// Sends what is left of the message that is under way.
    fn send(&mut self, message: &mut Message) -> io::Result<()> {
        if self.sent == message.0.len() {
            return Ok(());
        }
        let message = message.of(self.owner, self.number);
        while self.sent < message.len() {
            match sys::send(self.stream.as_fd(), &message[self.sent..]) {
                Ok(sent) => self.sent += sent,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads as much of the answer as is there; true when it is complete.
    fn receive(&mut self, message: &mut Message, buffer: &mut [u8]) -> io::Result<bool> {
        let message = message.of(self.owner, self.number);
        match receive(self.stream.as_fd(), &message[self.received..], buffer)? {
            Some(received) => self.received += received,
            None => return Ok(false),
        }
        Ok(self.received == message.len())
    }
}

/// Reads up to the length of `expected` and compares; none if nothing is there.
pub fn receive(
    fd: BorrowedFd<'_>,
    expected: &[u8],
    buffer: &mut [u8],
) -> io::Result<Option<usize>> {
    let received = match sys::recv(fd, &mut buffer[..expected.len()]) {
        Ok(0) => return Err(io::Error::other("the server has closed a connection")),
        Ok(received) => received,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
        Err(error) => return Err(error),
    };
    if buffer[..received] != expected[..received] {
        return Err(io::Error::other("an echo differs from what was sent"));
    }
    Ok(Some(received))
}

/// The connections and the epoll instance that reports the active ones.
pub struct Keep {
    epoll: OwnedFd,
    events: Vec<libc::epoll_event>,
    connections: Vec<Connection>,
    resting: Vec<usize>,
    _idle: Vec<TcpStream>,
    message: Message,
    buffer: Vec<u8>,
}

impl Keep {
    /// Connects everything.
    pub fn start(options: &Options) -> io::Result<Keep> {
        let epoll = sys::epoll_create()?;
        let connect = |_| TcpStream::connect(options.address);
        let idle = (0..options.idle).map(connect).collect::<Result<_, _>>()?;
        let mut connections = Vec::with_capacity(options.active);
        for owner in 0..options.active as u64 {
            let stream = connect(owner as usize)?;
            stream.set_nodelay(true)?;
            let ready = EPOLLIN | EPOLLOUT | EPOLLET;
            sys::epoll_ctl(epoll.as_fd(), EPOLL_CTL_ADD, stream.as_fd(), ready, owner)?;
            connections.push(Connection {
                stream,
                owner,
                number: 0,
                sent: options.size,
                received: 0,
            });
        }
        Ok(Keep {
            epoll,
            events: Vec::with_capacity(1024),
            connections,
            resting: (0..options.active).collect(),
            _idle: idle,
            message: Message::new(options.size),
            buffer: vec![0; options.size],
        })
    }
}

impl Load for Keep {
    fn resume(&mut self) -> io::Result<()> {
        for at in self.resting.drain(..) {
            let connection = &mut self.connections[at];
            connection.sent = 0;
            connection.send(&mut self.message)?;
        }
        Ok(())
    }

    fn under_way(&self) -> usize {
        self.connections.len() - self.resting.len()
    }

    fn turn(&mut self, pace: &mut Pace, then: Then) -> io::Result<u64> {
        let mut answers = 0;
        sys::epoll_wait(self.epoll.as_fd(), &mut self.events, 0)?;
        for event in &self.events {
            let at = event.u64 as usize;
            let connection = &mut self.connections[at];
            connection.send(&mut self.message)?;
            if !connection.receive(&mut self.message, &mut self.buffer)? {
                continue;
            }
            answers += 1;
            connection.number += 1;
            connection.received = 0;
            match then {
                Then::Send => {
                    connection.sent = 0;
                    connection.send(&mut self.message)?;
                }
                Then::Rest => self.resting.push(at),
            }
        }
        pace.after(self.events.len());
        Ok(answers)
    }
}
