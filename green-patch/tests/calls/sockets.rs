use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::rc::Rc;
use std::time::Duration;

use crate::common::{LONG, SHORT, cooperates, later, patched, tcp_pair};

#[test]
fn a_read_waits_for_what_comes() {
    patched(|| {
        let (mut near, mut far) = tcp_pair();
        let writer = later(move || {
            far.write_all(b"word").unwrap();
            far
        });
        let mut buf = [0; 16];
        let (read, took) = cooperates(|| near.read(&mut buf).unwrap());
        assert_eq!(&buf[..read], b"word");
        assert!(took >= SHORT);
        drop(writer.join().unwrap());
        assert_eq!(near.read(&mut buf).unwrap(), 0, "the end of the stream");
    });
}

#[test]
fn a_write_goes_on_until_all_is_written() {
    patched(|| {
        for vectored in [false, true] {
            let (mut near, mut far) = tcp_pair();
            const ALL: usize = 20 << 20;
            let reader = later(move || {
                let mut all = Vec::new();
                far.read_to_end(&mut all).unwrap();
                all
            });
            let bytes: Vec<u8> = (0..ALL).map(|at| at as u8).collect();
            // One call, which does not return before.
            let (written, _) = cooperates(|| match vectored {
                false => near.write(&bytes).unwrap(),
                true => {
                    let parts: Vec<_> = bytes.chunks(1 << 20).map(IoSlice::new).collect();
                    near.write_vectored(&parts).unwrap()
                }
            });
            assert_eq!(written, ALL);
            drop(near);
            assert!(reader.join().unwrap() == bytes);
        }
    });
}

#[test]
fn an_accept_waits_for_a_connection() {
    patched(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let client = later(move || TcpStream::connect(address).unwrap());
        let ((stream, peer), took) = cooperates(|| listener.accept().unwrap());
        assert!(took >= SHORT);
        assert_eq!(client.join().unwrap().local_addr().unwrap(), peer);
        assert_eq!(stream.peer_addr().unwrap(), peer);
    });
}

#[test]
fn a_connect_finds_what_is_there_and_what_is_not() {
    patched(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        TcpStream::connect(address).unwrap();
        TcpStream::connect_timeout(&address, LONG).unwrap();
        drop(listener);
        let refused = TcpStream::connect(address).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn a_second_connect_of_a_socket_says_that_it_is_connected() {
    patched(|| {
        let (near, far) = tcp_pair();
        let address = socket2::SockAddr::from(far.local_addr().unwrap());
        let near = socket2::Socket::from(near);
        assert_eq!(
            near.connect(&address).unwrap_err().raw_os_error(),
            Some(libc::EISCONN)
        );
        assert!(!near.nonblocking().unwrap());
    });
}

#[test]
fn a_timeout_of_a_socket_is_kept() {
    patched(|| {
        let (mut near, mut far) = tcp_pair();
        near.set_read_timeout(Some(SHORT)).unwrap();
        let (error, took) = cooperates(|| near.read(&mut [0; 8]).unwrap_err());
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        assert!(took >= SHORT);
        // It is the socket's, not that of the number.
        let mut same = near.try_clone().unwrap();
        assert_eq!(
            same.read(&mut [0; 8]).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        same.set_read_timeout(None).unwrap();
        let writer = later(move || {
            green::sleep(SHORT);
            far.write_all(b"x").unwrap();
            far
        });
        assert_eq!(near.read(&mut [0; 8]).unwrap(), 1);
        drop(writer.join());
        near.set_write_timeout(Some(SHORT)).unwrap();
    });
}

#[test]
fn a_write_that_times_out_says_how_much_was_written() {
    patched(|| {
        let (mut near, _far) = tcp_pair();
        near.set_write_timeout(Some(SHORT)).unwrap();
        let bytes = vec![0; 20 << 20];
        let written = near.write(&bytes).unwrap();
        assert!(written > 0 && written < bytes.len());
        let full = loop {
            if let Err(error) = near.write(&bytes) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn what_never_waits_says_so_at_once() {
    patched(|| {
        let (mut near, _far) = tcp_pair();
        near.set_nonblocking(true).unwrap();
        assert_eq!(
            near.read(&mut [0; 8]).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        let blocking = socket2::Socket::from(near);
        blocking.set_nonblocking(false).unwrap();
        let mut buf = [std::mem::MaybeUninit::uninit(); 8];
        let flags = libc::MSG_DONTWAIT;
        let nothing = blocking.recv_with_flags(&mut buf, flags).unwrap_err();
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn a_mode_that_is_changed_by_a_duplicate_is_seen() {
    patched(|| {
        let (mut near, mut far) = tcp_pair();
        far.write_all(b"x").unwrap();
        assert_eq!(near.read(&mut [0; 8]).unwrap(), 1, "it is remembered");
        let same = near.try_clone().unwrap();
        same.set_nonblocking(true).unwrap();
        assert_eq!(
            near.read(&mut [0; 8]).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        same.set_nonblocking(false).unwrap();
        let writer = later(move || far.write_all(b"y").unwrap());
        assert_eq!(near.read(&mut [0; 8]).unwrap(), 1);
        writer.join().unwrap();
    });
}

#[test]
fn all_that_was_asked_for_is_waited_for_if_that_is_asked_for() {
    patched(|| {
        let (near, mut far) = tcp_pair();
        let writer = green::spawn(move || {
            for piece in [b"ab", b"cd", b"ef"] {
                green::sleep(SHORT);
                far.write_all(piece).unwrap();
            }
            far
        });
        let mut buf = [0u8; 6];
        let mut recv = |flags| {
            // SAFETY: a buffer of this length.
            unsafe { libc::recv(near.as_raw_fd(), buf.as_mut_ptr().cast(), 6, flags) }
        };
        assert_eq!(recv(libc::MSG_WAITALL | libc::MSG_PEEK), 6);
        assert_eq!(recv(libc::MSG_WAITALL), 6);
        assert_eq!(&buf, b"abcdef");
        drop(writer.join().unwrap());
    });
}

#[test]
fn half_of_all_is_given_if_the_stream_ends() {
    patched(|| {
        let (near, mut far) = tcp_pair();
        later(move || far.write_all(b"abc").unwrap());
        let mut buf = [0u8; 6];
        // SAFETY: a buffer of this length.
        let said = unsafe {
            libc::recv(
                near.as_raw_fd(),
                buf.as_mut_ptr().cast(),
                6,
                libc::MSG_WAITALL,
            )
        };
        assert_eq!(said, 3);
    });
}

#[test]
fn a_look_takes_nothing() {
    patched(|| {
        let (mut near, mut far) = tcp_pair();
        let writer = later(move || {
            far.write_all(b"abc").unwrap();
            far
        });
        let mut buf = [0; 8];
        assert_eq!(near.peek(&mut buf).unwrap(), 3);
        assert_eq!(near.peek(&mut buf).unwrap(), 3);
        assert_eq!(near.read(&mut buf).unwrap(), 3);
        drop(writer.join().unwrap());
    });
}

#[test]
fn datagrams_are_waited_for_one_by_one() {
    patched(|| {
        let (a, b) = (
            UdpSocket::bind("127.0.0.1:0").unwrap(),
            UdpSocket::bind("127.0.0.1:0").unwrap(),
        );
        let (to, from) = (a.local_addr().unwrap(), b.local_addr().unwrap());
        let sender = later(move || {
            b.send_to(b"one", to).unwrap();
            b.send_to(b"", to).unwrap();
            b.send_to(b"three", to).unwrap();
        });
        let mut buf = [0; 16];
        let ((len, peer), _) = cooperates(|| a.recv_from(&mut buf).unwrap());
        assert_eq!((&buf[..len], peer), (&b"one"[..], from));
        assert_eq!(a.recv(&mut buf).unwrap(), 0);
        assert_eq!(a.recv(&mut buf).unwrap(), 5);
        sender.join().unwrap();
        a.set_read_timeout(Some(SHORT)).unwrap();
        assert_eq!(a.recv(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn unix_sockets_wait_for_room_and_for_messages() {
    patched(|| {
        let (near, far) = UnixDatagram::pair().unwrap();
        let reader = later(move || {
            let mut buf = [0; 2048];
            (0..500).map(|_| far.recv(&mut buf).unwrap()).sum::<usize>()
        });
        let ((), _) =
            cooperates(|| (0..500).for_each(|_| assert_eq!(near.send(&[0; 1000]).unwrap(), 1000)));
        assert_eq!(reader.join().unwrap(), 500_000);
    });
}

#[test]
fn a_unix_listener_whose_queue_is_full_is_waited_for() {
    patched(|| {
        let name = format!("/tmp/green-patch-{}-queue", std::process::id());
        let _ = std::fs::remove_file(&name);
        let listener = UnixListener::bind(&name).unwrap();
        // SAFETY: a listener, which is asked for a shorter queue.
        assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 1) }, 0);
        let clients: Vec<_> = (0..6)
            .map(|_| {
                let name = name.clone();
                green::spawn(move || UnixStream::connect(name).unwrap())
            })
            .collect();
        green::sleep(SHORT);
        let accepted: Vec<_> = (0..6).map(|_| listener.accept().unwrap()).collect();
        assert_eq!(accepted.len(), 6);
        green::joinall(&clients);
        std::fs::remove_file(&name).unwrap();
    });
}

#[test]
fn two_read_from_one_socket() {
    patched(|| {
        let (near, mut far) = tcp_pair();
        let near = Rc::new(near);
        let readers: Vec<_> = (0..3)
            .map(|_| {
                let near = Rc::clone(&near);
                green::spawn(move || (&*near).read(&mut [0; 1]).unwrap())
            })
            .collect();
        green::sleep(SHORT);
        for _ in 0..3 {
            far.write_all(b"x").unwrap();
            green::sleep(Duration::from_millis(2));
        }
        for reader in readers {
            assert_eq!(reader.join().unwrap(), 1);
        }
    });
}

#[test]
fn one_reads_and_another_writes_at_the_same_time() {
    patched(|| {
        let (near, far) = tcp_pair();
        let (near, far) = (Rc::new(near), Rc::new(far));
        const ALL: usize = 4 << 20;
        let work: Vec<_> = [near, far]
            .into_iter()
            .flat_map(|end| {
                let same = Rc::clone(&end);
                let writer = green::spawn(move || (&*end).write_all(&vec![1; ALL]).unwrap());
                let reader = green::spawn(move || (&*same).read_exact(&mut vec![0; ALL]).unwrap());
                [writer, reader]
            })
            .collect();
        for greenthread in work {
            greenthread.join().unwrap();
        }
    });
}

#[test]
fn a_shutdown_wakes_who_waits() {
    patched(|| {
        let (near, _far) = tcp_pair();
        let near = Rc::new(near);
        let reader = green::spawn({
            let near = Rc::clone(&near);
            move || (&*near).read(&mut [0; 8]).unwrap()
        });
        green::sleep(SHORT);
        near.shutdown(std::net::Shutdown::Read).unwrap();
        assert_eq!(reader.join().unwrap(), 0);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(socket.local_addr().unwrap()).unwrap();
        let fd = socket.as_raw_fd();
        let reader = green::spawn(move || {
            let mut byte = 0u8;
            // SAFETY: room for one byte.
            unsafe { libc::recv(fd, (&raw mut byte).cast(), 1, 0) }
        });
        green::sleep(SHORT);
        // SAFETY: a socket that is open.
        assert_eq!(unsafe { libc::shutdown(fd, libc::SHUT_RD) }, 0);
        assert_eq!(reader.join().unwrap(), 0);
    });
}

#[test]
fn who_is_always_served_lets_others_run() {
    patched(|| {
        let (mut near, mut far) = tcp_pair();
        let other = green::spawn(|| ());
        for _ in 0..200 {
            near.write_all(b"x").unwrap();
            far.read_exact(&mut [0]).unwrap();
        }
        assert!(other.is_dead());
    });
}
