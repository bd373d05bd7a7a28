//! Connections that live for one echo.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::{AsFd, OwnedFd};

use libc::{EPOLL_CTL_ADD, EPOLLET, EPOLLIN};
use peers::sys;
use socket2::{Domain, Socket, Type};

use crate::keep::{Message, receive};
use crate::options::Options;
use crate::window::Pace;
use crate::{Load, Then};

/// A connection with its one message under way.
struct Visit {
    socket: Socket,
    number: u64,
    received: usize,
}

impl Visit {
    /// Connects, from one of many loopback addresses so that closed connections do not use up the ports, and sends.
    fn start(options: &Options, number: u64, message: &mut Message) -> io::Result<Visit> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        let from = Ipv4Addr::new(127, 1, (number >> 4) as u8 % 16, 1 + number as u8 % 16);
        socket.bind(&SocketAddr::from(SocketAddrV4::new(from, 0)).into())?;
        socket.connect(&options.address.into())?;
        socket.set_tcp_nodelay(true)?;
        let sent = sys::send(socket.as_fd(), message.of(number, 0))?;
        if sent < options.size {
            return Err(io::Error::other(
                "a message did not fit into an empty socket",
            ));
        }
        Ok(Visit {
            socket,
            number,
            received: 0,
        })
    }
}

/// The connections of the moment and the epoll instance that reports them.
pub struct Churn {
    options: Options,
    epoll: OwnedFd,
    events: Vec<libc::epoll_event>,
    visits: Vec<Option<Visit>>,
    resting: Vec<usize>,
    started: u64,
    message: Message,
    buffer: Vec<u8>,
}

impl Churn {
    /// Connects nobody yet.
    pub fn start(options: &Options) -> io::Result<Churn> {
        Ok(Churn {
            options: *options,
            epoll: sys::epoll_create()?,
            events: Vec::with_capacity(1024),
            visits: (0..options.active).map(|_| None).collect(),
            resting: (0..options.active).collect(),
            started: 0,
            message: Message::new(options.size),
            buffer: vec![0; options.size],
        })
    }

    fn visit(&mut self, place: usize) -> io::Result<()> {
        let visit = Visit::start(&self.options, self.started, &mut self.message)?;
        self.started += 1;
        let (epoll, socket) = (self.epoll.as_fd(), visit.socket.as_fd());
        sys::epoll_ctl(
            epoll,
            EPOLL_CTL_ADD,
            socket,
            EPOLLIN | EPOLLET,
            place as u64,
        )?;
        self.visits[place] = Some(visit);
        Ok(())
    }

    /// Reads as much of the answer as is there; true when it is complete.
    fn receive(&mut self, place: usize) -> io::Result<bool> {
        let Some(visit) = &mut self.visits[place] else {
            return Ok(false);
        };
        let expected = &self.message.of(visit.number, 0)[visit.received..];
        if let Some(received) = receive(visit.socket.as_fd(), expected, &mut self.buffer)? {
            visit.received += received;
        }
        Ok(visit.received == self.options.size)
    }
}

impl Load for Churn {
    fn resume(&mut self) -> io::Result<()> {
        while let Some(place) = self.resting.pop() {
            self.visit(place)?;
        }
        Ok(())
    }

    fn under_way(&self) -> usize {
        self.visits.len() - self.resting.len()
    }

    fn turn(&mut self, pace: &mut Pace, then: Then) -> io::Result<u64> {
        let mut answers = 0;
        sys::epoll_wait(self.epoll.as_fd(), &mut self.events, 0)?;
        for at in 0..self.events.len() {
            let place = self.events[at].u64 as usize;
            if !self.receive(place)? {
                continue;
            }
            answers += 1;
            self.visits[place] = None;
            match then {
                Then::Send => self.visit(place)?,
                Then::Rest => self.resting.push(place),
            }
        }
        pace.after(self.events.len());
        Ok(answers)
    }
}
