//! Connections that stay open: active ones in a closed loop, idle ones beside them.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::Instant;

use hub_core::{Hub, Interest, Token, Trigger};

use super::message::{Message, receive};
use super::{Load, Tally, Then, Watch};

struct Connection {
    stream: TcpStream,
    owner: u64,
    number: u64,
    /// Of the message that is under way; all of it while the connection rests.
    sent: usize,
    received: usize,
    since: Option<Instant>,
}

impl Connection {
    /// Sends what is left of the message that is under way; true when it is gone.
    fn send(&mut self, message: &mut Message) -> io::Result<bool> {
        if self.sent == message.len() {
            return Ok(true);
        }
        let message = message.of(self.owner, self.number);
        while self.sent < message.len() {
            match self.stream.write(&message[self.sent..]) {
                Ok(sent) => self.sent += sent,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Reads as much of the answer as is there; true when it is complete.
    fn receive(&mut self, message: &mut Message, buffer: &mut [u8]) -> io::Result<bool> {
        let message = message.of(self.owner, self.number);
        match receive(&self.stream, &message[self.received..], buffer)? {
            Some(received) => self.received += received,
            None => return Ok(false),
        }
        Ok(self.received == message.len())
    }
}

/// Connections that stay open: active ones, each with one request under way, and silent ones.
pub struct Keep {
    watch: Watch,
    connections: Vec<Connection>,
    resting: Vec<usize>,
    _idle: Vec<TcpStream>,
    message: Message,
    buffer: Vec<u8>,
}

impl Keep {
    /// Connects everything; the silent ones first. `size` is that of a message in bytes, at least 16.
    ///
    /// # Errors
    /// What the system says, for instance when the process may not open so many descriptors.
    pub fn start(address: SocketAddr, active: usize, idle: usize, size: usize) -> io::Result<Keep> {
        let message = Message::new(size)?;
        let mut watch = Watch::new()?;
        let connect = |_| TcpStream::connect(address);
        let idle = (0..idle).map(connect).collect::<Result<_, _>>()?;
        let mut connections = Vec::with_capacity(active);
        for owner in 0..active as u64 {
            let stream = connect(owner as usize)?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let token = Token::from_raw(owner);
            watch.hub.add(stream.as_fd(), token, Trigger::Edge)?;
            watch.hub.arm(stream.as_fd(), token, Interest::READ)?;
            connections.push(Connection {
                stream,
                owner,
                number: 0,
                sent: size,
                received: 0,
                since: None,
            });
        }
        Ok(Keep {
            watch,
            connections,
            resting: (0..active).collect(),
            _idle: idle,
            message,
            buffer: vec![0; size + 1],
        })
    }

    fn begin(&mut self, at: usize, tally: Option<&Tally>) -> io::Result<()> {
        let connection = &mut self.connections[at];
        connection.sent = 0;
        connection.since = tally.and_then(Tally::stamp);
        self.send(at)
    }

    fn send(&mut self, at: usize) -> io::Result<()> {
        let connection = &mut self.connections[at];
        if connection.send(&mut self.message)? {
            return Ok(());
        }
        let (fd, token) = (connection.stream.as_fd(), Token::from_raw(at as u64));
        self.watch.hub.arm(fd, token, Interest::WRITE)
    }
}

impl Load for Keep {
    fn resume(&mut self) -> io::Result<()> {
        for at in std::mem::take(&mut self.resting) {
            // The first answers wait for the requests of all others: their time says nothing.
            self.begin(at, None)?;
        }
        Ok(())
    }

    fn under_way(&self) -> usize {
        self.connections.len() - self.resting.len()
    }

    fn turn(&mut self, tally: &mut Tally, then: Then) -> io::Result<u64> {
        tally.begin();
        let mut answers = 0;
        self.watch.look()?;
        let count = self.watch.events.len();
        for event in 0..count {
            let token = self.watch.events[event].token;
            let at = token.into_raw() as usize;
            self.send(at)?;
            let connection = &mut self.connections[at];
            let complete = connection.receive(&mut self.message, &mut self.buffer)?;
            let fd = connection.stream.as_fd();
            self.watch.hub.arm(fd, token, Interest::READ)?;
            if !complete {
                continue;
            }
            answers += 1;
            tally.answered(connection.since);
            connection.number += 1;
            connection.received = 0;
            match then {
                Then::Send => self.begin(at, Some(tally))?,
                Then::Rest => self.resting.push(at),
            }
        }
        tally.end(count);
        Ok(answers)
    }
}

impl std::fmt::Debug for Keep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keep")
            .field("connections", &self.connections.len())
            .field("under_way", &self.under_way())
            .finish_non_exhaustive()
    }
}
