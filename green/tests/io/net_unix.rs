//! Unix sockets.

use std::fs;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::common::{SHORT, bounded, settle, sleep_idle, times_out};
use green::net::{Direction, ListenBuilder, Shutdown, UnixDatagram, UnixListener, UnixStream};

/// A path that nobody else has, removed with the value.
struct Temp(PathBuf);

impl Temp {
    fn new() -> Temp {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("green-{}-{next}.sock", std::process::id());
        Temp(std::env::temp_dir().join(name))
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn a_stream_by_path() {
    bounded(|| {
        let path = Temp::new();
        let listener = UnixListener::bind(&path.0).unwrap();
        assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(&*path.0));
        let server = green::spawn(move || {
            let (mut stream, peer) = listener.accept().unwrap();
            assert!(peer.is_unnamed());
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            stream.write_all(text.to_uppercase().as_bytes()).unwrap();
        });
        let mut stream = UnixStream::connect(&path.0).unwrap();
        assert_eq!(stream.peer_addr().unwrap().as_pathname(), Some(&*path.0));
        stream.write_all(b"hello").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert_eq!(text, "HELLO");
        server.join().unwrap();
        let error = UnixListener::bind(&path.0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let error = UnixStream::connect("/nowhere/at all").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let error = UnixStream::connect("a\0b").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_stream_by_abstract_name() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;
    bounded(|| {
        let name = format!("green-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixListener::bind_addr(&address).unwrap();
        let client = UnixStream::connect_addr(&address).unwrap();
        listener.accept().unwrap();
        let peer = client.peer_addr().unwrap();
        assert_eq!(peer.as_abstract_name(), Some(name.as_bytes()));
        // A client that has bound itself shows its name.
        let client = SocketAddr::from_abstract_name(format!("{name}-client")).unwrap();
        let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None);
        let socket = socket.unwrap();
        let abstract_path = |name: &str| socket2::SockAddr::unix(format!("\0{name}")).unwrap();
        socket
            .bind(&abstract_path(&format!("{name}-client")))
            .unwrap();
        socket.connect(&abstract_path(&name)).unwrap();
        let (_, peer) = listener.accept().unwrap();
        assert_eq!(peer.as_abstract_name(), client.as_abstract_name());
    });
}

#[test]
fn a_connect_waits_while_the_queue_is_full() {
    bounded(|| {
        let path = Temp::new();
        let listener = ListenBuilder::new()
            .backlog(0)
            .listen_unix(&path.0)
            .unwrap();
        let mut queued = Vec::new();
        let start = loop {
            let start = Instant::now();
            match UnixStream::connect_timeout(&path.0, SHORT) {
                Ok(stream) => queued.push(stream),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::TimedOut);
                    break start;
                }
            }
            assert!(queued.len() < 100);
        };
        assert!(start.elapsed() >= SHORT);
        let to = path.0.clone();
        let connector = green::spawn(move || UnixStream::connect(to).unwrap());
        green::sleep(SHORT);
        assert!(!connector.is_dead());
        for _ in 0..=queued.len() {
            listener.accept().unwrap();
        }
        connector.join().unwrap();
    });
}

#[test]
fn every_call_that_waits_has_a_timeout() {
    bounded(|| {
        green::net::set_default_timeout(Some(SHORT)).unwrap();
        let mut buf = [0; 100];
        let (mut near, _far) = UnixStream::pair().unwrap();
        assert_eq!(near.read_timeout().unwrap(), Some(SHORT));
        times_out(|| near.read(&mut buf));
        times_out(|| near.readable());
        while near.try_write(&[0; 4096]).is_ok() {}
        times_out(|| near.write(b"x"));
        times_out(|| near.write_vectored(&[IoSlice::new(b"x")]));
        times_out(|| near.writable());
        let path = Temp::new();
        let listener = UnixListener::bind(&path.0).unwrap();
        times_out(|| listener.accept());
        times_out(|| listener.incoming().next().unwrap());
        let (near, _far) = UnixDatagram::pair().unwrap();
        times_out(|| near.recv(&mut buf));
        times_out(|| near.recv_from(&mut buf));
        while near
            .set_nonblocking(true)
            .and_then(|()| near.send(&buf))
            .is_ok()
        {}
        near.set_nonblocking(false).unwrap();
        times_out(|| near.send(&buf));
    });
}

#[test]
fn a_close_wakes_those_who_wait() {
    bounded(|| {
        let (near, _far) = UnixStream::pair().unwrap();
        let (datagram, _other) = UnixDatagram::pair().unwrap();
        let path = Temp::new();
        let listener = Rc::new(UnixListener::bind(&path.0).unwrap());
        let (near, datagram) = (Rc::new(near), Rc::new(datagram));
        let (a, b, c) = (Rc::clone(&near), Rc::clone(&datagram), Rc::clone(&listener));
        let waiting = [
            green::spawn(move || (&*a).read(&mut [0]).unwrap_err().to_string()),
            green::spawn(move || b.recv(&mut [0]).unwrap_err().to_string()),
            green::spawn(move || c.accept().unwrap_err().to_string()),
        ];
        settle();
        assert_eq!(
            (&*near).read(&mut [0]).unwrap_err().kind(),
            ErrorKind::ResourceBusy
        );
        near.close();
        datagram.close();
        listener.close();
        for waiting in waiting {
            assert_eq!(waiting.join().unwrap(), "the socket was closed");
        }
    });
}

#[test]
fn what_follows_a_passed_descriptor_is_read() {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    bounded(|| {
        let (mut near, far) = UnixStream::pair().unwrap();
        let reader = green::spawn(move || {
            let mut text = Vec::new();
            let mut buf = [0; 100];
            while text.len() < 6 {
                let n = near.read(&mut buf).unwrap();
                text.extend_from_slice(&buf[..n]);
            }
            text
        });
        settle();
        let mut space = [MaybeUninit::uninit(); 64];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let passed = [far.as_fd()];
        assert!(control.push(SendAncillaryMessage::ScmRights(&passed)));
        let sent = far.retry(Direction::Write, |far| {
            Ok(sendmsg(
                far,
                &[IoSlice::new(b"abc")],
                &mut control,
                SendFlags::empty(),
            )?)
        });
        assert_eq!(sent.unwrap(), 3);
        // The reader gets "abc" alone, and nothing more arrives.
        (&far).write_all(b"def").unwrap();
        let start = Instant::now();
        while !reader.is_dead() {
            assert!(start.elapsed() < Duration::from_secs(20), "stalled");
            green::sleep(Duration::from_millis(1));
        }
        assert_eq!(reader.join().unwrap(), b"abcdef");
    });
}

#[test]
fn large_transfers_arrive_whole() {
    const LEN: usize = 4 << 20;
    bounded(|| {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let writer = green::spawn(move || {
            let data: Vec<u8> = (0..LEN).map(|at| (at * 7 % 251) as u8).collect();
            near.write_all(&data).unwrap();
        });
        let mut data = Vec::new();
        far.read_to_end(&mut data).unwrap();
        assert_eq!(data.len(), LEN);
        assert!((0..LEN).all(|at| data[at] == (at * 7 % 251) as u8));
        writer.join().unwrap();
    });
}

#[test]
fn a_full_datagram_queue_makes_the_sender_wait() {
    bounded(|| {
        for connected in [false, true] {
            let path = Temp::new();
            let receiver = UnixDatagram::bind(&path.0).unwrap();
            // Filled by another one: nothing that the sender itself holds will become free.
            let filler = UnixDatagram::unbound().unwrap();
            filler.set_nonblocking(true).unwrap();
            let filled = (0..)
                .find(|_| filler.send_to(b"x", &path.0).is_err())
                .unwrap();
            let to = path.0.clone();
            let sender = green::spawn(move || {
                let sender = UnixDatagram::unbound().unwrap();
                match connected {
                    true => {
                        sender.connect(&to).unwrap();
                        sender.send(b"last").unwrap()
                    }
                    false => sender.send_to(b"last", &to).unwrap(),
                }
            });
            sleep_idle();
            assert!(!sender.is_dead(), "the queue was not full");
            for _ in 0..filled {
                assert_eq!(receiver.recv(&mut [0; 8]).unwrap(), 1);
            }
            assert_eq!(receiver.recv(&mut [0; 8]).unwrap(), 4);
            assert_eq!(sender.join().unwrap(), 4);
        }
    });
}

#[test]
fn a_datagram_send_that_times_out() {
    bounded(|| {
        let path = Temp::new();
        let _receiver = UnixDatagram::bind(&path.0).unwrap();
        let sender = UnixDatagram::unbound().unwrap();
        sender.set_write_timeout(Some(SHORT)).unwrap();
        let start = Instant::now();
        let error = loop {
            if let Err(error) = sender.send_to(b"x", &path.0) {
                break error;
            }
            assert!(start.elapsed() < Duration::from_secs(60));
        };
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(start.elapsed() >= SHORT);
        sender.set_nonblocking(true).unwrap();
        let error = sender.send_to(b"x", &path.0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn datagrams_have_senders() {
    bounded(|| {
        let (a, b) = (Temp::new(), Temp::new());
        let (near, far) = (
            UnixDatagram::bind(&a.0).unwrap(),
            UnixDatagram::bind(&b.0).unwrap(),
        );
        near.send_to(b"hello", &b.0).unwrap();
        let mut buf = [0; 100];
        let (len, from) = far.recv_from(&mut buf).unwrap();
        assert_eq!((len, from.as_pathname()), (5, Some(&*a.0)));
        far.send_to_addr(b"again", &from).unwrap();
        assert_eq!(near.recv(&mut buf).unwrap(), 5);
        near.connect_addr(&far.local_addr().unwrap()).unwrap();
        assert_eq!(near.peer_addr().unwrap().as_pathname(), Some(&*b.0));
    });
}

#[test]
fn clones_and_conversions_share_the_socket() {
    bounded(|| {
        let (near, mut far) = UnixStream::pair().unwrap();
        let mut clone = near.try_clone().unwrap();
        near.close();
        clone.write_all(b"a").unwrap();
        let mut converted = UnixStream::from(OwnedFd::from(clone));
        converted.write_all(b"b").unwrap();
        drop(converted);
        let mut text = String::new();
        far.read_to_string(&mut text).unwrap();
        assert_eq!(text, "ab");
    });
}
