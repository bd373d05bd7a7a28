//! Connections that live for one echo.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::{AsFd, OwnedFd};

use libc::{EPOLL_CTL_ADD, EPOLLET, EPOLLIN};
use peers::sys;
use socket2::{Domain, Socket, Type};

use crate::Load;
use crate::keep::{Message, receive};
use crate::options::Options;
use crate::window::Pace;

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
    visits: Vec<Visit>,
    started: u64,
    message: Message,
    buffer: Vec<u8>,
}

impl Churn {
    /// Starts as many connections as are to be under way at once.
    pub fn start(options: &Options) -> io::Result<Churn> {
        let mut churn = Churn {
            options: *options,
            epoll: sys::epoll_create()?,
            events: Vec::with_capacity(1024),
            visits: Vec::with_capacity(options.active),
            started: 0,
            message: Message::new(options.size),
            buffer: vec![0; options.size],
        };
        for place in 0..options.active as u64 {
            let visit = churn.visit(place)?;
            churn.visits.push(visit);
        }
        Ok(churn)
    }

    fn visit(&mut self, place: u64) -> io::Result<Visit> {
        let visit = Visit::start(&self.options, self.started, &mut self.message)?;
        self.started += 1;
        let (epoll, socket) = (self.epoll.as_fd(), visit.socket.as_fd());
        sys::epoll_ctl(epoll, EPOLL_CTL_ADD, socket, EPOLLIN | EPOLLET, place)?;
        Ok(visit)
    }
}

impl Load for Churn {
    fn turn(&mut self, pace: &mut Pace) -> io::Result<u64> {
        let mut answers = 0;
        sys::epoll_wait(self.epoll.as_fd(), &mut self.events, 0)?;
        for at in 0..self.events.len() {
            let place = self.events[at].u64;
            let visit = &mut self.visits[place as usize];
            let expected = &self.message.of(visit.number, 0)[visit.received..];
            if let Some(received) = receive(visit.socket.as_fd(), expected, &mut self.buffer)? {
                visit.received += received;
            }
            if visit.received == self.options.size {
                answers += 1;
                self.visits[place as usize] = self.visit(place)?;
            }
        }
        pace.after(self.events.len());
        Ok(answers)
    }
}
