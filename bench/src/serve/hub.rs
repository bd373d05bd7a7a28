//! On the bare hub: a loop, a table of connections, and nothing else.

use std::io::{self, ErrorKind};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;

use hub_core::{Hub, Interest, NotReady, Ready, Token, Trigger};

use super::{BUFFER, Connection, Next};
use crate::meter::Meter;

const LISTENER: Token = Token::from_raw(u64::MAX);

struct Server {
    hub: Box<dyn Hub>,
    connections: Vec<Option<(TcpStream, Connection)>>,
    free: Vec<usize>,
    meter: Meter,
    buffer: [u8; BUFFER],
}

pub(super) fn tcp(hub: Box<dyn Hub>, listener: TcpListener) -> io::Result<()> {
    let mut server = Server {
        hub,
        connections: Vec::new(),
        free: Vec::new(),
        meter: Meter::new(),
        buffer: [0; BUFFER],
    };
    server.hub.add(listener.as_fd(), LISTENER, Trigger::Edge)?;
    server.accept(&listener)?;
    let mut events = Vec::new();
    loop {
        server.hub.wait(None, &mut events)?;
        for event in events.drain(..) {
            match event.token {
                LISTENER => server.accept(&listener)?,
                token => server.go_on(token.into_raw() as usize, event.ready)?,
            }
        }
    }
}

impl Server {
    fn accept(&mut self, listener: &TcpListener) -> io::Result<()> {
        loop {
            let stream = match super::accept(listener) {
                Ok(stream) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            stream.set_nodelay(true)?;
            let at = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            let token = Token::from_raw(at as u64);
            self.hub.add(stream.as_fd(), token, Trigger::Edge)?;
            self.connections[at] = Some((stream, Connection::new()));
            self.go_on(at, Ready::NONE)?;
        }
        self.hub.arm(listener.as_fd(), LISTENER, Interest::READ)
    }

    fn go_on(&mut self, at: usize, ready: Ready) -> io::Result<()> {
        let Some((stream, connection)) = &mut self.connections[at] else {
            return Ok(());
        };
        let token = Token::from_raw(at as u64);
        loop {
            match connection.go_on(stream, &mut self.meter, &mut self.buffer) {
                // Behind one of these a short read does not prove that nothing is left.
                Next::Wait(_, NotReady::ShortTransfer)
                    if ready.has(Ready::HUP | Ready::ERR | Ready::RDHUP) => {}
                Next::Wait(direction, _) => {
                    return self.hub.arm(stream.as_fd(), token, direction.into());
                }
                Next::Close => {
                    self.hub.remove(stream.as_fd(), token)?;
                    self.connections[at] = None;
                    self.free.push(at);
                    return Ok(());
                }
            }
        }
    }
}

pub(super) fn udp(mut hub: Box<dyn Hub>, socket: UdpSocket) -> io::Result<()> {
    let (mut meter, mut buffer) = (Meter::new(), [0; BUFFER]);
    let (mut events, token) = (Vec::new(), Token::from_raw(0));
    hub.add(socket.as_fd(), token, Trigger::Edge)?;
    loop {
        super::datagrams(&socket, &mut meter, &mut buffer)?;
        hub.arm(socket.as_fd(), token, Interest::READ)?;
        while events.is_empty() {
            hub.wait(None, &mut events)?;
        }
        events.clear();
    }
}
