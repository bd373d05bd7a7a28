//! Datagrams, one under way for each socket; one that is lost is sent again.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use hub_core::{Hub, Interest, Token, Trigger};

use super::message::Message;
use super::{Load, Tally, Then, Watch};

/// Without an answer for so long, a datagram counts as lost.
const LOST_AFTER: Duration = Duration::from_millis(200);

struct Peer {
    socket: UdpSocket,
    number: u64,
    sent: Instant,
    /// True if its answer would be the first to what was sent: the time of the others says nothing.
    timed: bool,
}

/// Sockets with one datagram under way each.
pub struct Datagrams {
    watch: Watch,
    peers: Vec<Peer>,
    resting: Vec<usize>,
    lost: u64,
    looked: Instant,
    message: Message,
    buffer: Vec<u8>,
}

impl Datagrams {
    /// Binds so many sockets. `size` is that of a message in bytes, at least 16.
    ///
    /// # Errors
    /// What the system says.
    pub fn start(address: SocketAddr, active: usize, size: usize) -> io::Result<Datagrams> {
        let message = Message::new(size)?;
        let mut watch = Watch::new()?;
        let mut peers = Vec::with_capacity(active);
        let now = Instant::now();
        for owner in 0..active as u64 {
            let socket = UdpSocket::bind((address.ip(), 0))?;
            socket.connect(address)?;
            socket.set_nonblocking(true)?;
            let token = Token::from_raw(owner);
            watch.hub.add(socket.as_fd(), token, Trigger::Edge)?;
            watch.hub.arm(socket.as_fd(), token, Interest::READ)?;
            peers.push(Peer {
                socket,
                number: 0,
                sent: now,
                timed: false,
            });
        }
        Ok(Datagrams {
            watch,
            peers,
            resting: (0..active).collect(),
            lost: 0,
            looked: now,
            message,
            buffer: vec![0; size + 1],
        })
    }

    /// How many had to be sent again.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    fn send(&mut self, at: usize, timed: bool) -> io::Result<()> {
        let peer = &mut self.peers[at];
        peer.sent = Instant::now();
        peer.timed = timed;
        match peer.socket.send(self.message.of(at as u64, peer.number)) {
            // A full buffer loses it, as the way might.
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }

    /// Reads up to the answer to the last request; false if it is not there.
    fn receive(&mut self, at: usize) -> io::Result<bool> {
        let peer = &mut self.peers[at];
        let expected = self.message.of(at as u64, peer.number);
        loop {
            match peer.socket.recv(&mut self.buffer) {
                Ok(length) if self.buffer[..length] == *expected => return Ok(true),
                // The answer to one that was given up.
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends again what has had no answer for long.
    fn resend(&mut self) -> io::Result<()> {
        if self.looked.elapsed() < LOST_AFTER {
            return Ok(());
        }
        self.looked = Instant::now();
        for at in 0..self.peers.len() {
            if !self.resting.contains(&at) && self.peers[at].sent.elapsed() >= LOST_AFTER {
                self.lost += 1;
                self.send(at, false)?;
            }
        }
        Ok(())
    }
}

impl Load for Datagrams {
    fn resume(&mut self) -> io::Result<()> {
        for at in std::mem::take(&mut self.resting) {
            self.send(at, false)?;
        }
        Ok(())
    }

    fn under_way(&self) -> usize {
        self.peers.len() - self.resting.len()
    }

    fn turn(&mut self, tally: &mut Tally, then: Then) -> io::Result<u64> {
        tally.begin();
        let mut answers = 0;
        self.watch.look()?;
        let count = self.watch.events.len();
        for event in 0..count {
            let token = self.watch.events[event].token;
            let at = token.into_raw() as usize;
            let complete = self.receive(at)?;
            let peer = &mut self.peers[at];
            let fd = peer.socket.as_fd();
            self.watch.hub.arm(fd, token, Interest::READ)?;
            if !complete {
                continue;
            }
            answers += 1;
            tally.answered(peer.timed.then_some(peer.sent));
            peer.number += 1;
            match then {
                Then::Send => self.send(at, true)?,
                Then::Rest => self.resting.push(at),
            }
        }
        self.resend()?;
        tally.end(count);
        Ok(answers)
    }
}

impl std::fmt::Debug for Datagrams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Datagrams")
            .field("sockets", &self.peers.len())
            .field("lost", &self.lost)
            .finish_non_exhaustive()
    }
}
