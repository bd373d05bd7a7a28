use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::Make;
use crate::{Event, Hub, Interest, Ready, Token, Trigger};

/// How long a report may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) const TRIGGERS: [Trigger; 3] = [Trigger::Edge, Trigger::Oneshot, Trigger::Level];

/// A hub under test, with tokens that are plain numbers.
pub(super) struct Trial {
    pub(super) hub: Box<dyn Hub>,
}

impl Trial {
    pub(super) fn new(make: Make<'_>) -> Trial {
        let hub = make().expect("a hub can be made");
        Trial { hub }
    }

    pub(super) fn add(&mut self, fd: &impl AsFd, token: u64, trigger: Trigger) {
        let added = self.hub.add(fd.as_fd(), Token::from_raw(token), trigger);
        added.expect("a descriptor is accepted");
    }

    pub(super) fn arm(&mut self, fd: &impl AsFd, token: u64, interest: Interest) {
        let armed = self.hub.arm(fd.as_fd(), Token::from_raw(token), interest);
        armed.expect("a registered descriptor can be armed");
    }

    pub(super) fn remove(&mut self, fd: &impl AsFd, token: u64) {
        let removed = self.hub.remove(fd.as_fd(), Token::from_raw(token));
        removed.expect("a registered descriptor can be removed");
    }

    /// One wait.
    pub(super) fn wait(&mut self, timeout: Duration) -> Reports {
        let mut events = Vec::new();
        let waited = self.hub.wait(Some(timeout), &mut events);
        waited.expect("a wait succeeds");
        Reports(events)
    }

    /// The next reports, which must come.
    pub(super) fn reports(&mut self) -> Reports {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let reports = self.wait(deadline.saturating_duration_since(Instant::now()));
            if !reports.0.is_empty() {
                return reports;
            }
            assert!(Instant::now() < deadline, "nothing was reported");
        }
    }

    /// Reports until these directions of this token have all come.
    pub(super) fn until(&mut self, token: u64, interest: Interest) -> Ready {
        let mut ready = Ready::NONE;
        while !interest.without(Interest::answered_by(ready)).is_none() {
            ready |= self.reports().of(token);
        }
        ready
    }

    /// Nothing is reported.
    pub(super) fn silent(&mut self) {
        for timeout in [0, 0, 5] {
            let reports = self.wait(Duration::from_millis(timeout));
            assert_eq!(reports.0, [], "nothing should be reported");
        }
    }

    /// Nothing is reported for a while, and few waits are needed to learn it.
    pub(super) fn asleep(&mut self, time: Duration) {
        let start = Instant::now();
        let mut waits = 0;
        while let Some(rest) = time
            .checked_sub(start.elapsed())
            .filter(|rest| !rest.is_zero())
        {
            let reports = self.wait(rest);
            assert_eq!(reports.0, [], "nothing should be reported");
            waits += 1;
        }
        assert!(
            waits <= 5,
            "{waits} waits in {time:?}: the hub does not sleep"
        );
    }
}

/// What one wait reported.
pub(super) struct Reports(pub(super) Vec<Event>);

impl Reports {
    /// All that was said of one token.
    pub(super) fn of(&self, token: u64) -> Ready {
        let token = Token::from_raw(token);
        let about = self.0.iter().filter(|event| event.token == token);
        about.fold(Ready::NONE, |all, event| all | event.ready)
    }
}

pub(super) fn pair() -> (UnixStream, UnixStream) {
    let (near, far) = UnixStream::pair().expect("a socket pair");
    near.set_nonblocking(true)
        .expect("a socket can be non-blocking");
    far.set_nonblocking(true)
        .expect("a socket can be non-blocking");
    (near, far)
}

/// Two ends of a TCP connection, neither of which blocks.
pub(super) fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("its address");
    let near = TcpStream::connect(address).expect("a connection");
    let (far, _) = listener.accept().expect("its other end");
    for socket in [&near, &far] {
        socket
            .set_nonblocking(true)
            .expect("a socket can be non-blocking");
    }
    (near, far)
}

pub(super) fn write(mut socket: &UnixStream, text: &str) {
    socket
        .write_all(text.as_bytes())
        .expect("there is room to write");
}

/// Reads until it would block; says how much and whether the stream has ended.
pub(super) fn drain(mut socket: impl Read) -> (usize, bool) {
    let (mut total, mut buffer) = (0, [0; 4096]);
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => return (total, true),
            Ok(count) => total += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return (total, false),
            Err(error) => panic!("reading: {error}"),
        }
    }
}

/// Writes until it would block.
pub(super) fn fill(mut socket: &UnixStream) {
    let block = [0; 4096];
    for _ in 0..100_000 {
        match socket.write(&block) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => panic!("writing: {error}"),
        }
    }
    panic!("a socket takes 400 MB");
}

/// How many descriptors one test may hold, since others run beside it.
pub(super) fn allowance() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().nth(3)?.parse().ok());
    soft.unwrap_or(256) / 4
}
