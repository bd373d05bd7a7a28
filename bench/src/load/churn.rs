//! Connections that live for one echo.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::Instant;

use hub_core::{Hub, Interest, Token, Trigger};
use socket2::{Domain, Socket, Type};

use super::message::{Message, receive};
use super::{Load, Tally, Then, Watch};

/// A connection with its one message under way.
struct Visit {
    stream: TcpStream,
    number: u64,
    received: usize,
    since: Option<Instant>,
}

impl Visit {
    /// Connects and sends.
    fn start(
        address: SocketAddr,
        number: u64,
        message: &mut Message,
        since: Option<Instant>,
    ) -> io::Result<Visit> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if let Some(from) = origin(address, number) {
            socket.bind(&SocketAddr::new(from, 0).into())?;
        }
        socket.connect(&address.into())?;
        let mut stream = TcpStream::from(socket);
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let sent = stream.write(message.of(number, 0))?;
        if sent < message.len() {
            let what = "a message did not fit into an empty socket";
            return Err(io::Error::other(what));
        }
        Ok(Visit {
            stream,
            number,
            received: 0,
            since,
        })
    }
}

/// One of many loopback addresses, where there are many, so that closed connections do not use up the ports.
fn origin(address: SocketAddr, number: u64) -> Option<IpAddr> {
    let many = cfg!(any(target_os = "linux", target_os = "android"));
    let from = Ipv4Addr::new(127, 1, (number >> 4) as u8 % 16, 1 + number as u8 % 16);
    (many && address.ip() == Ipv4Addr::LOCALHOST).then_some(from.into())
}

/// Connections that live for one echo: connect, send, read the answer, close. So many at once.
pub struct Churn {
    address: SocketAddr,
    watch: Watch,
    visits: Vec<Option<Visit>>,
    resting: Vec<usize>,
    started: u64,
    message: Message,
    buffer: Vec<u8>,
}

impl Churn {
    /// Makes the load, without a connection yet. `size` is that of a message in bytes, at least 16.
    ///
    /// # Errors
    /// What the system says.
    pub fn start(address: SocketAddr, active: usize, size: usize) -> io::Result<Churn> {
        Ok(Churn {
            address,
            watch: Watch::new()?,
            visits: (0..active).map(|_| None).collect(),
            resting: (0..active).collect(),
            started: 0,
            message: Message::new(size)?,
            buffer: vec![0; size + 1],
        })
    }

    fn visit(&mut self, place: usize, since: Option<Instant>) -> io::Result<()> {
        let visit = Visit::start(self.address, self.started, &mut self.message, since)?;
        self.started += 1;
        let (fd, token) = (visit.stream.as_fd(), Token::from_raw(place as u64));
        self.watch.hub.add(fd, token, Trigger::Edge)?;
        self.watch.hub.arm(fd, token, Interest::READ)?;
        self.visits[place] = Some(visit);
        Ok(())
    }

    /// Reads as much of the answer as is there; true when it is complete.
    fn receive(&mut self, place: usize) -> io::Result<bool> {
        let Some(visit) = &mut self.visits[place] else {
            return Ok(false);
        };
        let message = self.message.of(visit.number, 0);
        let expected = &message[visit.received..];
        if let Some(received) = receive(&visit.stream, expected, &mut self.buffer)? {
            visit.received += received;
        }
        Ok(visit.received == message.len())
    }
}

impl Load for Churn {
    fn resume(&mut self) -> io::Result<()> {
        while let Some(place) = self.resting.pop() {
            self.visit(place, None)?;
        }
        Ok(())
    }

    fn under_way(&self) -> usize {
        self.visits.len() - self.resting.len()
    }

    fn turn(&mut self, tally: &mut Tally, then: Then) -> io::Result<u64> {
        tally.begin();
        let mut answers = 0;
        self.watch.look()?;
        let count = self.watch.events.len();
        for event in 0..count {
            let token = self.watch.events[event].token;
            let place = token.into_raw() as usize;
            let complete = self.receive(place)?;
            let Some(visit) = &self.visits[place] else {
                continue;
            };
            let fd = visit.stream.as_fd();
            if !complete {
                self.watch.hub.arm(fd, token, Interest::READ)?;
                continue;
            }
            answers += 1;
            tally.answered(visit.since);
            self.watch.hub.remove(fd, token)?;
            self.visits[place] = None;
            match then {
                Then::Send => self.visit(place, tally.stamp())?,
                Then::Rest => self.resting.push(place),
            }
        }
        tally.end(count);
        Ok(answers)
    }
}

impl std::fmt::Debug for Churn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Churn")
            .field("address", &self.address)
            .field("started", &self.started)
            .field("under_way", &self.under_way())
            .finish_non_exhaustive()
    }
}
