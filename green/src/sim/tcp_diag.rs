//! What the system knows of a TCP connection whose ends are both on this machine: Linux tells it by `sock_diag(7)`.

use std::io::{self, ErrorKind, Read};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// Of linux/socket.h, linux/netlink.h and linux/sock_diag.h.
const AF_NETLINK: i32 = 16;
const NETLINK_SOCK_DIAG: i32 = 4;
const NETLINK_HEADER: usize = 16;
const NLM_F_REQUEST: u16 = 1;
const SOCK_DIAG_BY_FAMILY: u16 = 20;

/// Of linux/inet_diag.h: where in an `inet_diag_msg` the bytes are that wait to be sent or acknowledged, where it ends,
/// and which of the attributes behind it is a `tcp_info`.
const WRITE_QUEUE: usize = 60;
const MESSAGE: usize = 72;
const INET_DIAG_INFO: u16 = 2;
const ATTRIBUTE_HEADER: usize = 4;

/// Of linux/tcp.h, in a `tcp_info`.
const BYTES_ACKED: usize = 120;
const BYTES_RECEIVED: usize = 128;
const BYTES_UNSENT: usize = 144;

/// The opening and the end of a connection are acknowledged like bytes, and are none.
const NO_BYTES: u64 = 2;

/// Asks the system about connections.
pub(super) struct TcpDiag(Socket);

/// A connection of this machine with itself, or one that is being opened.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Connection {
    local: SocketAddr,
    /// The local end first. `None` while it is being opened.
    ends: Option<[End; 2]>,
}

#[derive(Debug, PartialEq, Eq)]
struct End {
    /// What was written and not sent yet.
    unsent: u64,
    sent: u64,
    received: u64,
}

impl Connection {
    /// True if something may still arrive by itself.
    pub(super) fn is_moving(&self) -> bool {
        let flows = |from: &End, to: &End| {
            from.unsent > 0 || from.sent.saturating_sub(to.received) > NO_BYTES
        };
        match &self.ends {
            Some([near, far]) => flows(near, far) || flows(far, near),
            None => true,
        }
    }
}

impl TcpDiag {
    /// # Errors
    /// If this system tells nothing.
    pub(super) fn new() -> io::Result<TcpDiag> {
        if !cfg!(any(target_os = "linux", target_os = "android")) {
            return Err(ErrorKind::Unsupported.into());
        }
        let protocol = Protocol::from(NETLINK_SOCK_DIAG);
        let socket = Socket::new(Domain::from(AF_NETLINK), Type::DGRAM, Some(protocol))?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        let diag = TcpDiag(socket);
        // That it knows no connection is also what it says if it knows nothing of TCP.
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let stream = TcpStream::connect(listener.local_addr()?)?;
        match diag.connection(&SockRef::from(&stream))? {
            Some(_) => Ok(diag),
            None => Err(ErrorKind::Unsupported.into()),
        }
    }

    /// The connection of a socket. `None` if it has none, or the other end is not on this machine.
    pub(super) fn connection(&self, stream: &SockRef<'_>) -> io::Result<Option<Connection>> {
        let Some(local) = stream.local_addr()?.as_socket() else {
            return Ok(None);
        };
        let peer = match stream.peer_addr() {
            Ok(peer) => peer.as_socket(),
            Err(_) if stream.is_listener().unwrap_or(true) => None,
            Err(_) => return Ok(Some(Connection { local, ends: None })),
        };
        let Some(peer) = peer else {
            return Ok(None);
        };
        let ends = self.end(local, peer)?.zip(self.end(peer, local)?);
        let ends = ends.map(|(near, far)| Some([near, far]));
        Ok(ends.map(|ends| Connection { local, ends }))
    }

    fn end(&self, local: SocketAddr, peer: SocketAddr) -> io::Result<Option<End>> {
        self.0.send(&request(local, peer))?;
        let mut buf = [0; 4096];
        let len = (&self.0).read(&mut buf)?;
        Ok(read_end(&buf[..len]))
    }
}

/// An `inet_diag_req_v2` for exactly this connection.
fn request(local: SocketAddr, peer: SocketAddr) -> Vec<u8> {
    let (from, to) = (local.ip().to_canonical(), peer.ip().to_canonical());
    let family = Domain::for_address((from, 0).into());
    let mut request = vec![0; NETLINK_HEADER];
    request.extend([
        i32::from(family) as u8,
        i32::from(Protocol::TCP) as u8,
        1 << (INET_DIAG_INFO - 1),
        0,
    ]);
    let every_state = u32::MAX;
    request.extend(every_state.to_ne_bytes());
    request.extend(local.port().to_be_bytes());
    request.extend(peer.port().to_be_bytes());
    for address in [from, to] {
        let mut octets = [0; 16];
        match address {
            IpAddr::V4(four) => octets[..4].copy_from_slice(&four.octets()),
            IpAddr::V6(six) => octets = six.octets(),
        }
        request.extend(octets);
    }
    let (any_interface, no_cookie) = (0u32, u64::MAX);
    request.extend(any_interface.to_ne_bytes());
    request.extend(no_cookie.to_ne_bytes());
    let len = request.len() as u32;
    request[..4].copy_from_slice(&len.to_ne_bytes());
    request[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request[6..8].copy_from_slice(&NLM_F_REQUEST.to_ne_bytes());
    request
}

/// `None` for an error, and for what is too short.
fn read_end(reply: &[u8]) -> Option<End> {
    if number::<2>(reply, 4)? != u64::from(SOCK_DIAG_BY_FAMILY) {
        return None;
    }
    let message = reply.get(NETLINK_HEADER..)?;
    let queued = number::<4>(message, WRITE_QUEUE)?;
    let mut rest = message.get(MESSAGE..)?;
    loop {
        let len = number::<2>(rest, 0)? as usize;
        if number::<2>(rest, 2)? == u64::from(INET_DIAG_INFO) {
            let info = rest.get(ATTRIBUTE_HEADER..len)?;
            let unsent = number::<4>(info, BYTES_UNSENT)?;
            let acked = number::<8>(info, BYTES_ACKED)?;
            return Some(End {
                unsent,
                sent: acked.saturating_add(queued.saturating_sub(unsent)),
                received: number::<8>(info, BYTES_RECEIVED)?,
            });
        }
        rest = rest.get(len.max(ATTRIBUTE_HEADER).next_multiple_of(4)..)?;
    }
}

/// A number of `LEN` bytes, in the order of this machine.
fn number<const LEN: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes: [u8; LEN] = bytes.get(at..at + LEN)?.try_into().ok()?;
    let mut wide = [0; 8];
    match cfg!(target_endian = "little") {
        true => wide[..LEN].copy_from_slice(&bytes),
        false => wide[8 - LEN..].copy_from_slice(&bytes),
    }
    Some(u64::from_ne_bytes(wide))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::Write;

    use super::*;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (near, listener.accept().unwrap().0)
    }

    #[test]
    fn what_has_arrived_does_not_move() {
        let diag = TcpDiag::new().unwrap();
        let (mut near, far) = pair();
        near.write_all(&[1; 1000]).unwrap();
        for end in [&near, &far] {
            let connection = diag.connection(&SockRef::from(end)).unwrap().unwrap();
            assert!(!connection.is_moving(), "{connection:?}");
        }
        drop(near);
        let left = diag.connection(&SockRef::from(&far)).unwrap();
        assert!(left.is_none_or(|connection| !connection.is_moving()));
    }

    #[test]
    fn what_is_not_sent_moves() {
        let diag = TcpDiag::new().unwrap();
        let (near, far) = pair();
        near.set_nonblocking(true).unwrap();
        while (&near).write(&[1; 100_000]).is_ok() {}
        for end in [&near, &far] {
            let connection = diag.connection(&SockRef::from(end)).unwrap().unwrap();
            assert!(connection.is_moving(), "{connection:?}");
        }
    }

    #[test]
    fn listeners_have_no_connection() {
        let diag = TcpDiag::new().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(diag.connection(&SockRef::from(&listener)).unwrap(), None);
    }
}
