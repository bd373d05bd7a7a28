//! On the reactor: what parks is the place of a connection in a table.

use std::io::{self, ErrorKind};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::rc::Rc;

use hub_core::{Direction, Hub, NotReady, Reactor, Token};

use super::{BUFFER, Connection, Next};
use crate::meter::Meter;
use crate::workload::park;

const LISTENER: usize = usize::MAX;

struct Peer {
    stream: Rc<TcpStream>,
    token: Token,
    connection: Connection,
}

struct Server {
    reactor: Reactor<usize>,
    peers: Vec<Option<Peer>>,
    free: Vec<usize>,
    meter: Meter,
    buffer: [u8; BUFFER],
}

pub(super) fn tcp(hub: Box<dyn Hub>, listener: TcpListener) -> io::Result<()> {
    let mut server = Server {
        reactor: Reactor::new(hub),
        peers: Vec::new(),
        free: Vec::new(),
        meter: Meter::new(),
        buffer: [0; BUFFER],
    };
    let listener = Rc::new(listener);
    let token = server.reactor.add(listener.clone())?;
    server.accept(&listener, token)?;
    let mut woken = Vec::new();
    loop {
        server.reactor.turn(None, &mut woken)?;
        for wakeup in woken.drain(..) {
            match wakeup.waiter {
                LISTENER => server.accept(&listener, token)?,
                at => server.go_on(at)?,
            }
        }
    }
}

impl Server {
    fn accept(&mut self, listener: &TcpListener, token: Token) -> io::Result<()> {
        loop {
            let stream = match super::accept(listener) {
                Ok(stream) => Rc::new(stream),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            stream.set_nodelay(true)?;
            let at = self.free.pop().unwrap_or_else(|| {
                self.peers.push(None);
                self.peers.len() - 1
            });
            self.peers[at] = Some(Peer {
                token: self.reactor.add(stream.clone())?,
                stream,
                connection: Connection::new(),
            });
            self.go_on(at)?;
        }
        let why = NotReady::WouldBlock;
        self.reactor.clear_ready(token, Direction::Read, why);
        park(&mut self.reactor, token, Direction::Read, LISTENER)
    }

    fn go_on(&mut self, at: usize) -> io::Result<()> {
        let Some(peer) = &mut self.peers[at] else {
            return Ok(());
        };
        loop {
            let next = peer
                .connection
                .go_on(&peer.stream, &mut self.meter, &mut self.buffer);
            let Next::Wait(direction, why) = next else {
                self.reactor.remove(peer.token);
                self.peers[at] = None;
                self.free.push(at);
                return Ok(());
            };
            self.reactor.clear_ready(peer.token, direction, why);
            if !self.reactor.is_ready(peer.token, direction) {
                return park(&mut self.reactor, peer.token, direction, at);
            }
        }
    }
}

pub(super) fn udp(hub: Box<dyn Hub>, socket: UdpSocket) -> io::Result<()> {
    let mut reactor = Reactor::new(hub);
    let (mut meter, mut buffer) = (Meter::new(), [0; BUFFER]);
    let socket = Rc::new(socket);
    let token = reactor.add(socket.clone())?;
    let mut woken = Vec::new();
    loop {
        super::datagrams(&socket, &mut meter, &mut buffer)?;
        reactor.clear_ready(token, Direction::Read, NotReady::WouldBlock);
        park(&mut reactor, token, Direction::Read, 0)?;
        while woken.is_empty() {
            reactor.turn(None, &mut woken)?;
        }
        woken.clear();
    }
}
