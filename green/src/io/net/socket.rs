//! Sockets that are non-blocking from birth: made, connected, accepted.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use hub_core::Direction;
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use super::io::Io;
use crate::runtime::Runtime;

/// The backlog of a listener unless the caller chooses another: a burst of connections must not be dropped. The
/// system caps it.
pub(super) const BACKLOG: u32 = 1024;

/// A new socket, closed on exec.
pub(super) fn open(domain: Domain, kind: Type) -> io::Result<Socket> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        Socket::new(domain, kind.nonblocking(), None)
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let socket = Socket::new(domain, kind, None)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }
}

/// Two new Unix sockets, connected to each other.
pub(super) fn pair(kind: Type) -> io::Result<(Socket, Socket)> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        Socket::pair(Domain::UNIX, kind.nonblocking(), None)
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let (a, b) = Socket::pair(Domain::UNIX, kind, None)?;
        a.set_nonblocking(true)?;
        b.set_nonblocking(true)?;
        Ok((a, b))
    }
}

/// The next connection of a listener: one system call where the system has `accept4`.
pub(super) fn accept(listener: &Socket) -> io::Result<(Socket, SockAddr)> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        listener.accept4(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC)
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let (socket, peer) = listener.accept()?;
        socket.set_nonblocking(true)?;
        Ok((socket, peer))
    }
}

/// True for a TCP socket, of all that may come under its name.
pub(super) fn is_tcp(socket: &impl AsFd) -> bool {
    // An option that nothing else has.
    SockRef::from(socket).tcp_nodelay().is_ok()
}

/// What nothing is known of.
pub(super) fn unknown(_: &impl AsFd) -> bool {
    false
}

/// How long a connect may take, over all addresses and wake-ups.
#[derive(Clone, Copy)]
pub(super) struct Limit {
    timeout: Option<Duration>,
    deadline: Option<Instant>,
}

impl Limit {
    /// # Errors
    /// For a timeout of zero, as std.
    pub(super) fn new(timeout: Duration) -> io::Result<Limit> {
        if timeout.is_zero() {
            return Err(super::io::zero_timeout());
        }
        Ok(Limit::of(Some(timeout)))
    }

    /// The thread's default.
    pub(super) fn default() -> Limit {
        Limit::of(super::default_timeout())
    }

    pub(super) fn timeout(self) -> Option<Duration> {
        self.timeout
    }

    pub(super) fn deadline(self) -> Option<Instant> {
        self.deadline
    }

    pub(super) fn of(timeout: Option<Duration>) -> Limit {
        let deadline = timeout.and_then(|_| Runtime::with(|runtime| runtime.deadline(timeout)));
        Limit { timeout, deadline }
    }

    /// Runs what precedes the connect (the look-up of a name) under the same deadline.
    pub(super) fn run<R>(self, f: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        match self.deadline {
            None => f(),
            Some(deadline) => {
                let now = Runtime::with(Runtime::now);
                let left = deadline.saturating_duration_since(now);
                crate::Timeout::new(left)
                    .run(f)
                    .unwrap_or_else(|_| Err(self.elapsed("looking up the name")))
            }
        }
    }

    fn elapsed(self, what: &str) -> io::Error {
        let within = self.timeout.unwrap_or_default();
        io::Error::new(
            io::ErrorKind::TimedOut,
            format!("{what} timed out: the whole connect may take {within:?}"),
        )
    }
}

/// Connects a non-blocking socket and waits for the outcome. For `is_plain` see [`Io::of_kind`].
pub(super) fn connect<T>(
    socket: Socket,
    to: &SockAddr,
    limit: Limit,
    is_plain: bool,
) -> io::Result<Io<T>>
where
    T: From<Socket> + AsFd + 'static,
{
    let (io, connected) = start(socket, to, is_plain)?;
    if connected {
        return Ok(io);
    }
    let connected = io.retry_until(Direction::Write, limit.deadline, is_connected);
    match connected {
        Ok(()) => Ok(io),
        Err(error) if error.kind() == io::ErrorKind::TimedOut && error.raw_os_error().is_none() => {
            Err(limit.elapsed("connecting"))
        }
        Err(error) => Err(error),
    }
}

/// Begins to connect a non-blocking socket, of which `is_plain` says what [`Io::of_kind`] wants to know. True if it is
/// connected already.
pub(super) fn start<T>(socket: Socket, to: &SockAddr, is_plain: bool) -> io::Result<(Io<T>, bool)>
where
    T: From<Socket> + AsFd + 'static,
{
    let connected = match socket.connect(to) {
        Ok(()) => true,
        Err(error) if is_underway(&error) => false,
        Err(error) => return Err(error),
    };
    Ok((Io::of_kind(socket.into(), is_plain), connected))
}

/// The outcome of a connect that was begun; `WouldBlock` if there is none yet.
pub(super) fn is_connected(source: &impl AsFd) -> io::Result<()> {
    let socket = SockRef::from(source);
    if socket.peer_addr().is_ok() {
        return Ok(());
    }
    // Either it has failed, or the hub has woken us for nothing.
    Err(socket
        .take_error()?
        .unwrap_or(io::ErrorKind::WouldBlock.into()))
}

fn is_underway(error: &io::Error) -> bool {
    // An interrupted connect goes on by itself.
    error.kind() == io::ErrorKind::Interrupted || error.raw_os_error() == Some(libc::EINPROGRESS)
}
