//! Connecting to the first of several addresses that answers: happy eyeballs (RFC 8305).

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{self, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hub_core::Direction;
use socket2::{Domain, SockAddr, Type};

use super::addr::no_address;
use super::io::Io;
use super::socket::{self, Limit};
use super::{TcpStream, ToSocketAddrs};
use crate::threads::future::block_on::try_block_on;
use crate::threads::future::sleep::{Sleep, sleep, sleep_until};

/// When an address has said nothing for so long, the next is tried beside it.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// An error names at most so many addresses.
const MOST_NAMED: usize = 8;

/// Connects to one of the addresses, from the one of `bind` that is of its family if there are any.
pub(super) fn connect(
    bind: Option<&[SocketAddr]>,
    address: impl ToSocketAddrs,
    limit: Limit,
) -> io::Result<TcpStream> {
    let addresses: Vec<_> = limit.run(|| Ok(address.to_socket_addrs()?.collect()))?;
    let connected = match *addresses {
        // What the system says of one address needs no other words.
        [address] => socket::connect(open(bind, address)?, &address.into(), limit, true),
        _ => try_block_on(connect_any(bind, &addresses, limit)).unwrap_or_else(|unwinding| {
            let what = format!("cannot wait for a connection: {unwinding}");
            Err(io::Error::new(io::ErrorKind::WouldBlock, what))
        }),
    };
    connected.map(TcpStream::from_io)
}

/// Connects in async code to one of the addresses, within `limit`. The thread's default timeout does not bound it.
#[cfg(any(feature = "dns", feature = "ureq"))]
pub(crate) async fn connect_first(
    addresses: &[SocketAddr],
    limit: Option<Duration>,
) -> io::Result<TcpStream> {
    let connected = connect_any(None, addresses, Limit::of(limit)).await;
    connected.map(TcpStream::from_io)
}

async fn connect_any(
    bind: Option<&[SocketAddr]>,
    addresses: &[SocketAddr],
    limit: Limit,
) -> io::Result<Io<net::TcpStream>> {
    let mut race = Race {
        left: interleave(addresses).into_iter(),
        attempts: Vec::new(),
        failed: Vec::new(),
    };
    // Elapses at once, for the first.
    let mut pause = sleep(Duration::ZERO);
    let mut end = limit.deadline().map(sleep_until);
    poll_fn(|cx| {
        if let Poll::Ready(connected) = race.poll(cx, bind, &mut pause) {
            return Poll::Ready(connected);
        }
        match end.as_mut().map(|end| Pin::new(end).poll(cx)) {
            Some(Poll::Ready(())) => Poll::Ready(Err(race.timed_out(limit))),
            _ => Poll::Pending,
        }
    })
    .await
}

/// Attempts at the same time, of which the first that connects wins. The others are closed when this is dropped.
struct Race {
    left: std::vec::IntoIter<SocketAddr>,
    attempts: Vec<(SocketAddr, Io<net::TcpStream>)>,
    failed: Vec<(SocketAddr, io::Error)>,
}

impl Race {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        bind: Option<&[SocketAddr]>,
        pause: &mut Sleep,
    ) -> Poll<io::Result<Io<net::TcpStream>>> {
        loop {
            let failures = self.failed.len();
            if let Some(io) = self.poll_attempts(cx) {
                return Poll::Ready(Ok(io));
            }
            // The next is tried at a failure, or when there was a pause.
            let is_due = self.attempts.is_empty()
                || self.failed.len() > failures
                || Pin::new(&mut *pause).poll(cx).is_ready();
            let next = is_due.then(|| self.left.next()).flatten();
            match next {
                Some(address) => {
                    if let Some(io) = self.start(bind, address) {
                        return Poll::Ready(Ok(io));
                    }
                    *pause = sleep(ATTEMPT_DELAY);
                }
                None if self.attempts.is_empty() => return Poll::Ready(Err(self.lost())),
                None => return Poll::Pending,
            }
        }
    }

    /// Gives the connection if there is one at once.
    fn start(
        &mut self,
        bind: Option<&[SocketAddr]>,
        address: SocketAddr,
    ) -> Option<Io<net::TcpStream>> {
        let started =
            open(bind, address).and_then(|socket| socket::start(socket, &address.into(), true));
        match started {
            Ok((io, true)) => return Some(io),
            Ok((io, false)) => self.attempts.push((address, io)),
            Err(error) => self.failed.push((address, error)),
        }
        None
    }

    fn poll_attempts(&mut self, cx: &mut Context<'_>) -> Option<Io<net::TcpStream>> {
        let mut place = 0;
        while let Some((address, io)) = self.attempts.get(place) {
            match io.poll_retry(cx, Direction::Write, socket::is_connected) {
                Poll::Pending => place += 1,
                Poll::Ready(Ok(())) => {
                    let (_, io) = self.attempts.swap_remove(place);
                    io.withdraw(Direction::Write, cx.waker());
                    return Some(io);
                }
                Poll::Ready(Err(error)) => {
                    self.failed.push((*address, error));
                    self.attempts.remove(place);
                }
            }
        }
        None
    }

    /// All have failed.
    fn lost(&mut self) -> io::Error {
        let mut failed = std::mem::take(&mut self.failed);
        if failed.len() == 1 {
            return failed.remove(0).1;
        }
        let worst = failed
            .iter()
            .enumerate()
            .max_by_key(|(_, (_, error))| telling(error));
        match worst {
            Some((place, (_, error))) => {
                let kind = error.kind();
                io::Error::new(
                    kind,
                    ConnectError {
                        failed,
                        place,
                        limit: None,
                    },
                )
            }
            None => no_address(),
        }
    }

    fn timed_out(&mut self, limit: Limit) -> io::Error {
        let mut failed = std::mem::take(&mut self.failed);
        for (address, _) in self.attempts.drain(..) {
            let silent = io::Error::new(io::ErrorKind::TimedOut, "no answer");
            failed.push((address, silent));
        }
        let error = ConnectError {
            place: failed.len().saturating_sub(1),
            failed,
            limit: limit.timeout(),
        };
        io::Error::new(io::ErrorKind::TimedOut, error)
    }
}

/// Of several failures the last of those counts that have come furthest: one to which there is no way says less than one
/// that has refused.
fn telling(error: &io::Error) -> u8 {
    match error.kind() {
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported => 0,
        io::ErrorKind::AddrNotAvailable => 1,
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => 2,
        _ => 3,
    }
}

/// A socket for `address`, bound to the first address of `bind` that is of its family.
fn open(bind: Option<&[SocketAddr]>, address: SocketAddr) -> io::Result<socket2::Socket> {
    let socket = socket::open(Domain::for_address(address), Type::STREAM)?;
    if let Some(bind) = bind {
        let same = bind.iter().find(|bind| bind.is_ipv4() == address.is_ipv4());
        let Some(bind) = same else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("cannot connect to {address}: the address to bind is of the other family"),
            ));
        };
        socket.bind(&SockAddr::from(*bind))?;
    }
    Ok(socket)
}

/// The families in turn, that of the first address first: if one of them leads nowhere, the other is tried soon.
fn interleave(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let Some(first) = addresses.first() else {
        return Vec::new();
    };
    let of_first = |address: &&SocketAddr| address.is_ipv4() == first.is_ipv4();
    let mut same = addresses.iter().filter(of_first);
    let mut other = addresses.iter().filter(|address| !of_first(address));
    let mut mixed = Vec::with_capacity(addresses.len());
    while mixed.len() < addresses.len() {
        mixed.extend(same.next());
        mixed.extend(other.next());
    }
    mixed
}

/// Why none of several addresses could be connected to: it is inside the `io::Error`, whose kind is that of the most
/// telling failure, or `TimedOut` if the time was up. That failure is also the [`source`](Error::source), where the
/// number of the system is.
///
/// ```
/// use green::net::{ConnectError, TcpListener, TcpStream};
///
/// let gone = |host| TcpListener::bind((host, 0))?.local_addr();
/// let addresses = [gone("127.0.0.1")?, gone("127.0.0.2")?];
/// let error = TcpStream::connect(&addresses[..]).unwrap_err();
/// assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
/// let inside: &ConnectError = error.get_ref().unwrap().downcast_ref().unwrap();
/// assert_eq!(inside.failures()[1].0, addresses[1]);
/// assert_eq!(inside.failures()[1].1.raw_os_error(), Some(libc::ECONNREFUSED));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct ConnectError {
    failed: Vec<(SocketAddr, io::Error)>,
    /// The one that counts.
    place: usize,
    /// Within what time it was to be done, if that was up.
    limit: Option<Duration>,
}

impl ConnectError {
    /// The addresses that were tried, and what became of each, in the order in which they failed. Those that had said
    /// nothing when the time was up are the last.
    pub fn failures(&self) -> &[(SocketAddr, io::Error)] {
        &self.failed
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.limit {
            Some(limit) => write!(
                f,
                "connecting timed out: the whole connect may take {limit:?}"
            )?,
            None => f.write_str("cannot connect to any of the addresses")?,
        }
        let mut separator = ": ";
        for (address, error) in self.failed.iter().take(MOST_NAMED) {
            write!(f, "{separator}{address}: {error}")?;
            separator = "; ";
        }
        match self.failed.len().saturating_sub(MOST_NAMED) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let (_, error) = self.failed.get(self.place)?;
        Some(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let parse = |texts: &[&str]| -> Vec<SocketAddr> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        let (six, four) = (
            ["[::1]:1", "[::2]:1", "[::3]:1"],
            ["1.1.1.1:1", "2.2.2.2:1"],
        );
        let mixed = interleave(&parse(&[six[0], six[1], six[2], four[0], four[1]]));
        assert_eq!(mixed, parse(&[six[0], four[0], six[1], four[1], six[2]]));
        let mixed = interleave(&parse(&[four[0], four[1], six[0]]));
        assert_eq!(mixed, parse(&[four[0], six[0], four[1]]));
        assert!(interleave(&[]).is_empty());
    }
}
