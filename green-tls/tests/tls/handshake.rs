//! Handshakes that succeed, and those that take their time.

use std::io::{ErrorKind, Read, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

use green::server::StreamServer;
use green_tls::{Acceptor, Connector, TlsListener, connect_tls, wrap};

use crate::common::{Authority, SHORT, bounded, fresh_pair, settle, shake, tcp_pair};

#[test]
fn a_silent_client_stops_nobody() {
    bounded(|| {
        let authority = Authority::new();
        let acceptor = Acceptor::builder(authority.issue(&["localhost"]))
            .handshake_timeout(5 * SHORT)
            .build()
            .unwrap();
        let failed = Rc::new(green::Queue::unbounded());
        let failures = Rc::clone(&failed);
        let listener = TlsListener::new(green::listen("127.0.0.1:0").unwrap(), acceptor);
        let server = StreamServer::new(listener, move |mut stream, _| {
            if let Err(error) = stream.write_all(b"hello") {
                let _ = failures.put(error);
            }
        });
        server.start();
        let address = server.listener().get_ref().local_addr().unwrap();
        let begun = Instant::now();
        let silent = green::connect(address).unwrap();
        for _ in 0..3 {
            let mut stream =
                connect_tls(("localhost", address.port()), &authority.connector()).unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            assert_eq!(text, "hello");
        }
        let error = failed.get().unwrap();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        assert!(error.to_string().contains("handshake"), "{error}");
        assert!(begun.elapsed() >= 5 * SHORT);
        drop(silent);
    });
}

#[test]
fn a_handshake_whose_time_is_up_stays_so() {
    bounded(|| {
        let authority = Authority::new();
        let connector = Connector::builder()
            .roots_from_pem(authority.pem())
            .unwrap()
            .handshake_timeout(SHORT)
            .build()
            .unwrap();
        let (near, _far) = tcp_pair();
        let near = wrap(near, (&connector, "localhost")).unwrap();
        for _ in 0..2 {
            assert_eq!(near.handshake().unwrap_err().kind(), ErrorKind::TimedOut);
        }
        assert!(!near.is_open());
        assert_eq!((&near).write(b"x").unwrap_err().kind(), ErrorKind::TimedOut);
    });
}

#[test]
fn several_greenthreads_share_one_handshake() {
    bounded(|| {
        let (near, far) = fresh_pair();
        green::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| near.handshake().unwrap());
            }
            scope.spawn(|| (&near).write_all(b"hello").unwrap());
            scope.spawn(|| {
                let mut text = [0; 5];
                (&near).read_exact(&mut text).unwrap();
                assert_eq!(&text, b"world");
            });
            let mut text = [0; 5];
            (&far).read_exact(&mut text).unwrap();
            assert_eq!(&text, b"hello");
            (&far).write_all(b"world").unwrap();
        })
        .unwrap();
    });
}

#[test]
fn a_kill_in_a_handshake_leaves_it_to_the_next() {
    bounded(|| {
        let (near, far) = fresh_pair();
        let near = Rc::new(near);
        let first = Rc::clone(&near);
        let first = green::spawn(move || first.handshake());
        settle();
        first.kill();
        assert!(first.join().is_err());
        shake(&near, &far);
    });
}

#[test]
fn a_handshake_that_comes_byte_by_byte_succeeds() {
    bounded(|| {
        let authority = Authority::new();
        let (near, near_relay) = tcp_pair();
        let (far_relay, far) = tcp_pair();
        for (mut from, mut to) in [
            (
                near_relay.try_clone().unwrap(),
                far_relay.try_clone().unwrap(),
            ),
            (far_relay, near_relay),
        ] {
            to.set_nodelay(true).unwrap();
            green::spawn_n(move || {
                let mut byte = [0];
                while let Ok(1) = from.read(&mut byte) {
                    if to.write_all(&byte).is_err() {
                        break;
                    }
                    green::yield_now();
                }
            });
        }
        let near = wrap(near, (&authority.connector(), "localhost")).unwrap();
        let far = wrap(far, &authority.acceptor()).unwrap();
        shake(&near, &far);
        (&near).write_all(b"hello").unwrap();
        let mut text = [0; 5];
        (&far).read_exact(&mut text).unwrap();
        assert_eq!(&text, b"hello");
    });
}

#[test]
fn sessions_are_resumed() {
    bounded(|| {
        let authority = Authority::new();
        let (acceptor, connector) = (authority.acceptor(), authority.connector());
        for n in 0..3 {
            let (near, far) = tcp_pair();
            let mut near = wrap(near, (&connector, "localhost")).unwrap();
            let mut far = wrap(far, &acceptor).unwrap();
            shake(&near, &far);
            assert_eq!(near.is_resumed(), n > 0);
            assert_eq!(far.is_resumed(), n > 0);
            // The tickets come with the first data.
            far.write_all(b"x").unwrap();
            near.read_exact(&mut [0]).unwrap();
            assert!(near.peer_certificates().is_some());
        }
    });
}

#[test]
fn both_sides_know_what_they_have_agreed_on() {
    bounded(|| {
        let authority = Authority::new();
        let acceptor = Acceptor::builder(authority.issue(&["localhost"]))
            .alpn(["h2", "http/1.1"])
            .build()
            .unwrap();
        let connector = |protocols: &[&str]| {
            let builder = Connector::builder()
                .roots_from_pem(authority.pem())
                .unwrap();
            builder.alpn(protocols.iter().copied()).build().unwrap()
        };
        for (offered, expected) in [
            (&["http/1.1", "h2"][..], Some(&b"h2"[..])),
            (&["http/1.1"], Some(b"http/1.1")),
            (&[], None),
        ] {
            let (near, far) = tcp_pair();
            let near = wrap(near, (&connector(offered), "localhost")).unwrap();
            let far = wrap(far, &acceptor).unwrap();
            assert_eq!(near.alpn_protocol(), None);
            shake(&near, &far);
            assert_eq!(near.alpn_protocol().as_deref(), expected);
            assert_eq!(far.alpn_protocol().as_deref(), expected);
            assert_eq!(far.server_name().as_deref(), Some("localhost"));
            assert_eq!(near.server_name().as_deref(), Some("localhost"));
            let version = near.protocol_version();
            assert_eq!(version, Some(green_tls::rustls::ProtocolVersion::TLSv1_3));
        }
    });
}

#[test]
fn the_timeouts_of_the_stream_below_bound_each_wait() {
    bounded(|| {
        let (near, far) = crate::common::open_pair();
        near.get_ref().set_read_timeout(Some(SHORT)).unwrap();
        let begun = Instant::now();
        assert_eq!(
            (&near).read(&mut [0]).unwrap_err().kind(),
            ErrorKind::TimedOut
        );
        assert!(begun.elapsed() >= SHORT);
        (&far).write_all(b"x").unwrap();
        near.get_ref()
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        assert_eq!((&near).read(&mut [0]).unwrap(), 1);
    });
}
