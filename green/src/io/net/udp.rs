//! UDP sockets.

use std::io;
use std::net::{self, Ipv4Addr, Ipv6Addr, SocketAddr};

use hub_core::Direction;
use socket2::{Domain, Type};

use super::ToSocketAddrs;
use super::addr::{each_addr, no_address};
use super::descriptor::descriptor;
use super::io::Io;
use super::socket::{self, unknown};
use super::verbs::{endpoint, ttl};
use crate::runtime::once::is_read_shut;

/// A UDP socket: [`std::net::UdpSocket`], whose waits let other greenthreads run.
///
/// ```
/// use green::net::UdpSocket;
///
/// let near = UdpSocket::bind("127.0.0.1:0")?;
/// let far = UdpSocket::bind("127.0.0.1:0")?;
/// near.send_to(b"hello", far.local_addr()?)?;
/// let mut buf = [0; 100];
/// let (len, from) = far.recv_from(&mut buf)?;
/// assert_eq!(&buf[..len], b"hello");
/// assert_eq!(from, near.local_addr()?);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// With one peer:
///
/// ```
/// use green::net::UdpSocket;
///
/// let near = UdpSocket::bind("127.0.0.1:0")?;
/// let far = UdpSocket::bind("127.0.0.1:0")?;
/// near.connect(far.local_addr()?)?;
/// far.connect(near.local_addr()?)?;
/// assert_eq!(near.peer_addr()?, far.local_addr()?);
///
/// near.send(b"hello")?;
/// let mut buf = [0; 100];
/// assert_eq!(far.peek_from(&mut buf)?, (5, near.local_addr()?));
/// assert_eq!(far.peek(&mut buf)?, 5);
/// assert_eq!(far.recv(&mut buf)?, 5);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Its settings, and calls that do not wait:
///
/// ```
/// use std::{future::poll_fn, io::ErrorKind, time::Duration};
/// use green::future::block_on;
/// use green::net::{Direction, UdpSocket};
///
/// let socket = UdpSocket::bind("127.0.0.1:0")?;
/// let (itself, mut buf) = (socket.local_addr()?, [0; 100]);
/// assert_eq!(socket.try_recv_from(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
/// socket.set_read_timeout(Some(Duration::from_millis(1)))?;
/// assert_eq!(socket.recv_from(&mut buf).unwrap_err().kind(), ErrorKind::TimedOut);
/// socket.set_read_timeout(None)?;
/// socket.set_write_timeout(Some(Duration::from_secs(1)))?;
/// assert_ne!(socket.read_timeout()?, socket.write_timeout()?);
///
/// socket.writable()?;
/// socket.try_send_to(b"one", itself)?;
/// socket.readable()?;
/// assert_eq!(socket.try_recv_from(&mut buf)?, (3, itself));
/// socket.send_to(b"two", itself)?;
/// assert_eq!(socket.retry(Direction::Read, |std| std.recv(&mut buf))?, 3);
/// socket.send_to(b"three", itself)?;
/// let recv = poll_fn(|cx| socket.poll_retry(cx, Direction::Read, |std| std.recv(&mut buf)));
/// assert_eq!(block_on(recv)?, 5);
///
/// socket.set_ttl(64)?;
/// socket.set_broadcast(true)?;
/// assert_eq!((socket.ttl()?, socket.broadcast()?), (64, true));
/// socket.set_nonblocking(true)?;
/// assert_eq!(socket.recv(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
/// assert!(socket.take_error()?.is_none());
/// socket.close();
/// assert_eq!(socket.recv(&mut buf).unwrap_err().kind(), ErrorKind::NotConnected);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// In groups (not run: this needs a network that knows them):
///
/// ```no_run
/// use green::net::{Ipv4Addr, Ipv6Addr, UdpSocket};
///
/// let group = Ipv4Addr::new(224, 0, 0, 251);
/// let socket = UdpSocket::bind("0.0.0.0:5353")?;
/// socket.join_multicast_v4(&group, &Ipv4Addr::UNSPECIFIED)?;
/// socket.set_multicast_loop_v4(false)?;
/// socket.set_multicast_ttl_v4(1)?;
/// assert!(!socket.multicast_loop_v4()? && socket.multicast_ttl_v4()? == 1);
/// socket.leave_multicast_v4(&group, &Ipv4Addr::UNSPECIFIED)?;
///
/// let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
/// let socket = UdpSocket::bind("[::]:5353")?;
/// socket.join_multicast_v6(&group, 0)?;
/// socket.set_multicast_loop_v6(false)?;
/// assert!(!socket.multicast_loop_v6()?);
/// socket.leave_multicast_v6(&group, 0)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct UdpSocket {
    io: Io<net::UdpSocket>,
}

descriptor!(UdpSocket, net::UdpSocket, SocketAddr, unknown);
endpoint!(UdpSocket, SocketAddr);
ttl!(UdpSocket);

impl UdpSocket {
    /// Binds to the first of the addresses that can be bound. Port 0 lets the system choose one.
    ///
    /// # Errors
    /// What the system says of the last address.
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<UdpSocket> {
        each_addr(address, |address| {
            let socket = socket::open(Domain::for_address(address), Type::DGRAM)?;
            socket.bind(&address.into())?;
            Ok(UdpSocket {
                io: Io::new(socket.into()),
            })
        })
    }

    /// Waits for a datagram. Gives its length and its sender; what does not fit into `buf` is lost.
    ///
    /// # Errors
    /// `TimedOut` after the read timeout; what the system says.
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.receive(no_sender, |socket| socket.recv_from(buf))
    }

    /// As [`UdpSocket::recv_from`], but leaves the datagram where it is.
    ///
    /// # Errors
    /// As [`UdpSocket::recv_from`].
    pub fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.receive(no_sender, |socket| socket.peek_from(buf))
    }

    /// Sends a datagram to the first of the addresses.
    ///
    /// # Errors
    /// `TimedOut` after the write timeout; what the system says.
    pub fn send_to(&self, buf: &[u8], address: impl ToSocketAddrs) -> io::Result<usize> {
        let address = address.to_socket_addrs()?.next().ok_or_else(no_address)?;
        self.io
            .retry(Direction::Write, |socket| socket.send_to(buf, address))
    }

    /// Sets the address that [`UdpSocket::send`] sends to and [`UdpSocket::recv`] receives from, the first of these
    /// that the system takes.
    ///
    /// # Errors
    /// What the system says of the last address.
    pub fn connect(&self, address: impl ToSocketAddrs) -> io::Result<()> {
        each_addr(address, |address| self.io.source()?.connect(address))
    }

    /// Waits for a datagram from the connected address. Gives its length; what does not fit into `buf` is lost.
    ///
    /// # Errors
    /// `ConnectionRefused` if the peer's system has said that nobody listens there; `TimedOut` after the read
    /// timeout.
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.receive(|| Ok(0), |socket| socket.recv(buf))
    }

    /// As [`UdpSocket::recv`], but leaves the datagram where it is.
    ///
    /// # Errors
    /// As [`UdpSocket::recv`].
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.receive(|| Ok(0), |socket| socket.peek(buf))
    }

    /// Sends a datagram to the connected address.
    ///
    /// # Errors
    /// As [`UdpSocket::recv`], with the write timeout.
    pub fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.io.retry(Direction::Write, |socket| socket.send(buf))
    }

    /// With `true`, it may send to a broadcast address (`SO_BROADCAST`).
    ///
    /// # Errors
    /// If it was closed.
    pub fn set_broadcast(&self, broadcast: bool) -> io::Result<()> {
        self.io.source()?.set_broadcast(broadcast)
    }

    /// What [`UdpSocket::set_broadcast`] has set.
    ///
    /// # Errors
    /// If it was closed.
    pub fn broadcast(&self) -> io::Result<bool> {
        self.io.source()?.broadcast()
    }

    /// With `true`, what it sends to a group comes back to this host (`IP_MULTICAST_LOOP`).
    ///
    /// # Errors
    /// What the system says, such as for a socket of the other family.
    pub fn set_multicast_loop_v4(&self, multicast_loop: bool) -> io::Result<()> {
        self.io.source()?.set_multicast_loop_v4(multicast_loop)
    }

    /// What [`UdpSocket::set_multicast_loop_v4`] has set.
    ///
    /// # Errors
    /// What the system says.
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        self.io.source()?.multicast_loop_v4()
    }

    /// Sets how many hops a datagram to a group may go (`IP_MULTICAST_TTL`).
    ///
    /// # Errors
    /// What the system says of the value.
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        self.io.source()?.set_multicast_ttl_v4(ttl)
    }

    /// What [`UdpSocket::set_multicast_ttl_v4`] has set.
    ///
    /// # Errors
    /// What the system says.
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        self.io.source()?.multicast_ttl_v4()
    }

    /// With `true`, what it sends to a group comes back to this host (`IPV6_MULTICAST_LOOP`).
    ///
    /// # Errors
    /// What the system says, such as for a socket of the other family.
    pub fn set_multicast_loop_v6(&self, multicast_loop: bool) -> io::Result<()> {
        self.io.source()?.set_multicast_loop_v6(multicast_loop)
    }

    /// What [`UdpSocket::set_multicast_loop_v6`] has set.
    ///
    /// # Errors
    /// What the system says.
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        self.io.source()?.multicast_loop_v6()
    }

    /// Joins a group on the interface with this address; `UNSPECIFIED` lets the system choose one.
    ///
    /// # Errors
    /// What the system says of the group or the interface.
    pub fn join_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.io.source()?.join_multicast_v4(group, interface)
    }

    /// Joins a group on the interface with this index; 0 lets the system choose one.
    ///
    /// # Errors
    /// What the system says of the group or the interface.
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.io.source()?.join_multicast_v6(group, interface)
    }

    /// Leaves a group.
    ///
    /// # Errors
    /// If it was not joined.
    pub fn leave_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.io.source()?.leave_multicast_v4(group, interface)
    }

    /// Leaves a group.
    ///
    /// # Errors
    /// If it was not joined.
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.io.source()?.leave_multicast_v6(group, interface)
    }

    /// Receives a datagram that has arrived. Never waits and lets no other greenthread run.
    ///
    /// # Errors
    /// `WouldBlock` if there is none.
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io
            .attempt(Direction::Read, |socket| socket.recv_from(buf))
    }

    /// Sends a datagram to `address` if the socket's buffer has room. Never waits and lets no other greenthread run.
    ///
    /// # Errors
    /// `WouldBlock` if it has none.
    pub fn try_send_to(&self, buf: &[u8], address: SocketAddr) -> io::Result<usize> {
        self.io
            .attempt(Direction::Write, |socket| socket.send_to(buf, address))
    }

    /// Calls `op` until there is something, or until another way to the socket has ended its reading: then `at_end`.
    fn receive<R>(
        &self,
        at_end: impl Fn() -> io::Result<R>,
        mut op: impl FnMut(&net::UdpSocket) -> io::Result<R>,
    ) -> io::Result<R> {
        let mut tries = 0;
        self.io.retry(Direction::Read, |socket| {
            tries += 1;
            match op(socket) {
                // Asked only of who was woken in vain: it costs a system call.
                Err(error)
                    if tries > 1
                        && error.kind() == io::ErrorKind::WouldBlock
                        && is_read_shut(socket) =>
                {
                    // An edge that is spent: the next call would wait for another.
                    self.io.renew();
                    at_end()
                }
                received => received,
            }
        })
    }
}

fn no_sender<R>() -> io::Result<R> {
    Err(io::Error::new(
        io::ErrorKind::NotConnected,
        "nothing is received any more: reading was shut down",
    ))
}
