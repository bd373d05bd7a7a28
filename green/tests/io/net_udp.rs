//! UDP sockets.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use crate::common::{SHORT, bounded, settle, times_out};
use green::net::{Direction, UdpSocket};

fn socket() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").unwrap()
}

fn pair() -> (UdpSocket, UdpSocket) {
    let (near, far) = (socket(), socket());
    near.connect(far.local_addr().unwrap()).unwrap();
    far.connect(near.local_addr().unwrap()).unwrap();
    (near, far)
}

#[test]
fn datagrams_keep_their_bounds() {
    bounded(|| {
        let (near, far) = pair();
        let receiver = green::spawn(move || {
            let mut buf = [0; 100];
            // Each is shorter than the buffer, and all have come with one report of the hub.
            let lens: Vec<_> = (0..4).map(|_| far.recv(&mut buf).unwrap()).collect();
            let (len, from) = far.recv_from(&mut buf[..3]).unwrap();
            (lens, len, from)
        });
        settle();
        for len in [5, 0, 99, 1] {
            assert_eq!(near.send(&vec![b'x'; len]).unwrap(), len);
        }
        near.send(b"cut off").unwrap();
        let (lens, len, from) = receiver.join().unwrap();
        assert_eq!(lens, [5, 0, 99, 1]);
        assert_eq!(len, 3);
        assert_eq!(from, near.local_addr().unwrap());
    });
}

#[test]
fn every_call_that_waits_has_a_timeout() {
    bounded(|| {
        let (near, _far) = pair();
        near.set_read_timeout(Some(SHORT)).unwrap();
        near.set_write_timeout(Some(SHORT)).unwrap();
        assert_eq!(near.read_timeout().unwrap(), Some(SHORT));
        assert_eq!(near.write_timeout().unwrap(), Some(SHORT));
        let mut buf = [0; 8];
        times_out(|| near.recv(&mut buf));
        times_out(|| near.recv_from(&mut buf));
        times_out(|| near.peek(&mut buf));
        times_out(|| near.peek_from(&mut buf));
        times_out(|| near.readable());
        near.writable().unwrap();
        near.set_nonblocking(true).unwrap();
        assert_eq!(
            near.recv(&mut buf).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        let zero = near.set_read_timeout(Some(Duration::ZERO)).unwrap_err();
        assert_eq!(zero.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn a_peek_leaves_the_datagram() {
    bounded(|| {
        let (near, far) = pair();
        near.send(b"hello").unwrap();
        let mut buf = [0; 100];
        assert_eq!(far.peek(&mut buf).unwrap(), 5);
        assert_eq!(
            far.peek_from(&mut buf).unwrap(),
            (5, near.local_addr().unwrap())
        );
        assert_eq!(far.recv(&mut buf).unwrap(), 5);
    });
}

#[test]
fn nobody_there_is_an_error() {
    bounded(|| {
        let (near, far) = pair();
        let receiver = Rc::new(near);
        let waiting = Rc::clone(&receiver);
        let waiting = green::spawn(move || waiting.recv(&mut [0]).unwrap_err().kind());
        settle();
        drop(far);
        receiver.send(b"x").unwrap();
        assert_eq!(waiting.join().unwrap(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn a_second_receiver_is_refused_and_close_wakes_the_first() {
    bounded(|| {
        let socket = Rc::new(socket());
        let first = Rc::clone(&socket);
        let first = green::spawn(move || first.recv(&mut [0]).unwrap_err());
        settle();
        let second = socket.recv_from(&mut [0]).unwrap_err();
        assert_eq!(second.kind(), ErrorKind::ResourceBusy);
        // Sending needs no turn.
        socket.send_to(b"", socket.local_addr().unwrap()).unwrap();
        let mut buf = [0];
        // The first would take it if the others ran meanwhile.
        let clone = socket.try_clone().unwrap();
        assert_eq!(clone.try_recv_from(&mut buf).unwrap().0, 0);
        socket.close();
        let first = first.join().unwrap();
        assert_eq!(first.to_string(), "the socket was closed");
        socket.close();
        assert_eq!(socket.as_raw_fd(), -1);
    });
}

#[test]
fn a_clone_and_a_conversion_share_the_socket() {
    bounded(|| {
        let (near, far) = pair();
        let clone = far.try_clone().unwrap();
        far.close();
        let far = UdpSocket::from(OwnedFd::from(std::net::UdpSocket::from(clone)));
        near.send(b"hello").unwrap();
        let mut buf = [0; 100];
        assert_eq!(far.recv(&mut buf).unwrap(), 5);
        let len = near
            .retry(Direction::Write, |near| near.send(b"again"))
            .unwrap();
        assert_eq!((len, far.recv(&mut buf).unwrap()), (5, 5));
    });
}

#[test]
fn options_are_set() {
    let socket = socket();
    socket.set_broadcast(true).unwrap();
    assert!(socket.broadcast().unwrap());
    socket.set_ttl(9).unwrap();
    assert_eq!(socket.ttl().unwrap(), 9);
    socket.set_multicast_loop_v4(false).unwrap();
    assert!(!socket.multicast_loop_v4().unwrap());
    socket.set_multicast_ttl_v4(3).unwrap();
    assert_eq!(socket.multicast_ttl_v4().unwrap(), 3);
    let group = Ipv4Addr::new(239, 255, 7, 7);
    socket
        .join_multicast_v4(&group, &Ipv4Addr::LOCALHOST)
        .unwrap();
    socket
        .leave_multicast_v4(&group, &Ipv4Addr::LOCALHOST)
        .unwrap();
    assert!(
        socket
            .leave_multicast_v4(&group, &Ipv4Addr::LOCALHOST)
            .is_err()
    );
    assert!(socket.take_error().unwrap().is_none());
    assert_eq!(
        socket.peer_addr().unwrap_err().kind(),
        ErrorKind::NotConnected
    );
    // A machine need not have IPv6.
    if let Ok(socket) = UdpSocket::bind("[::1]:0") {
        socket.set_multicast_loop_v6(false).unwrap();
        assert!(!socket.multicast_loop_v6().unwrap());
        let group = Ipv6Addr::new(0xff12, 0, 0, 0, 0, 0, 0, 0x77);
        assert!(socket.leave_multicast_v6(&group, 0).is_err());
    }
}

#[test]
fn the_first_address_is_sent_to() {
    bounded(|| {
        let (near, far) = (socket(), socket());
        let to = far.local_addr().unwrap();
        near.send_to(b"x", ("localhost", to.port())).unwrap();
        near.send_to(b"x", &[to, near.local_addr().unwrap()][..])
            .unwrap();
        let none: &[std::net::SocketAddr] = &[];
        assert_eq!(
            near.send_to(b"x", none).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
        let mut buf = [0];
        assert_eq!(far.recv(&mut buf).unwrap() + far.recv(&mut buf).unwrap(), 2);
    });
}
