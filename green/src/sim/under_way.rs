//! What the system is still doing for a simulated run: virtual time must not pass over it.
//!
//! A packet on the loopback is handled by the system while its sender's call returns, or a moment later on the same
//! processor. So a packet of our own, sent and received, says that those before it have arrived. What is not even sent
//! then waits for something: of a TCP connection the system tells how much that is.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::UdpSocket;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use socket2::{SockRef, Type};

use super::tcp_diag::{Connection, TcpDiag};

/// So many packets of our own: one for each step of the longest exchange that the system does by itself, the opening of a
/// connection.
const ROUNDS: usize = 3;

/// One that is lost must not hold up the run.
const LONGEST_ROUND: Duration = Duration::from_millis(100);

/// Between two looks at what is under way.
const PAUSE: Duration = Duration::from_millis(1);

/// A connection that has not changed for so long will not by itself: the other end does not read. The system looks
/// again for room after 200 ms, and asks again for a connection after 1 s.
const STUCK: Duration = Duration::from_millis(1200);

/// Where the system tells nothing.
const BLIND: Duration = Duration::from_millis(10);

/// Knows what is under way. In real time throughout.
#[derive(Default)]
pub(super) struct UnderWay {
    echo: RefCell<Option<UdpSocket>>,
    diag: RefCell<Option<TcpDiag>>,
    /// The connections on which something is under way, and since when they are like this.
    last: RefCell<(Vec<Connection>, Option<Instant>)>,
    /// The last answer was to wait, where nothing can be known.
    waited: Cell<bool>,
}

impl UnderWay {
    /// For how long something may still come to one of these. `None` if nothing is under way.
    pub(super) fn ask(&self, awaited: &[BorrowedFd<'_>]) -> Option<Duration> {
        if awaited.is_empty() {
            return None;
        }
        if self.echoes().is_err() {
            return self.blind();
        }
        let sockets = awaited.iter().map(SockRef::from);
        let streams: Vec<_> = sockets.filter(is_tcp).collect();
        if streams.is_empty() {
            return None;
        }
        match self.moving(&streams) {
            Ok(moving) => self.patience(moving),
            Err(_) => self.blind(),
        }
    }

    /// Sends packets to itself and waits for them.
    fn echoes(&self) -> io::Result<()> {
        let mut echo = self.echo.borrow_mut();
        let socket = match &*echo {
            Some(socket) => socket,
            None => {
                let socket = UdpSocket::bind("127.0.0.1:0")?;
                socket.connect(socket.local_addr()?)?;
                socket.set_read_timeout(Some(LONGEST_ROUND))?;
                echo.insert(socket)
            }
        };
        for _ in 0..ROUNDS {
            socket.send(&[0])?;
            socket.recv(&mut [0])?;
        }
        Ok(())
    }

    /// The connections on which something is under way, as they are now.
    fn moving(&self, streams: &[SockRef<'_>]) -> io::Result<Vec<Connection>> {
        let mut diag = self.diag.borrow_mut();
        let diag = match &*diag {
            Some(diag) => diag,
            None => diag.insert(TcpDiag::new()?),
        };
        let mut moving = Vec::new();
        for stream in streams {
            let Some(connection) = diag.connection(stream)? else {
                continue;
            };
            if connection.is_moving() && !moving.contains(&connection) {
                moving.push(connection);
            }
        }
        Ok(moving)
    }

    /// Waits for as long as something moves now and then.
    fn patience(&self, moving: Vec<Connection>) -> Option<Duration> {
        let mut last = self.last.borrow_mut();
        let (before, since) = &mut *last;
        if *before != moving {
            *before = moving;
            *since = Some(Instant::now());
        }
        let is_stuck = before.is_empty() || since.is_some_and(|since| since.elapsed() >= STUCK);
        (!is_stuck).then_some(PAUSE)
    }

    /// One pause before each jump.
    fn blind(&self) -> Option<Duration> {
        let waited = self.waited.replace(!self.waited.get());
        (!waited).then_some(BLIND)
    }
}

fn is_tcp(socket: &SockRef<'_>) -> bool {
    let is_stream = socket.r#type().is_ok_and(|kind| kind == Type::STREAM);
    let is_of_internet = |address: socket2::SockAddr| address.as_socket().is_some();
    is_stream && socket.local_addr().is_ok_and(is_of_internet)
}
