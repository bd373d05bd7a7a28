//! Handshakes that fail, and what is said then.

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;

use green_tls::rustls::{self, version};
use green_tls::{Acceptor, Connector, Identity, TlsError, TlsFailure, wrap};

use crate::common::{Authority, bounded, tcp_pair};

/// What both sides say of a handshake for `localhost`: the client's error first.
fn fail(acceptor: &Acceptor, connector: &Connector) -> (std::io::Error, std::io::Error) {
    let (near, far) = tcp_pair();
    let near = wrap(near, (connector, "localhost")).unwrap();
    let far = wrap(far, acceptor).unwrap();
    let server = green::spawn(move || far.handshake().unwrap_err());
    let ours = near.handshake().unwrap_err();
    (ours, server.join().unwrap())
}

#[track_caller]
fn check(error: &std::io::Error, failure: TlsFailure, says: &str) {
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
    let found = TlsError::of(error).expect("an error about TLS");
    assert_eq!(found.failure(), failure, "{error}");
    assert!(error.to_string().contains(says), "{error}");
    assert!(std::error::Error::source(found).is_some_and(|source| source.is::<rustls::Error>()));
}

#[test]
fn a_certificate_that_is_not_valid_now_is_refused() {
    bounded(|| {
        let authority = Authority::new();
        for (from, to, failure, says) in [
            (2001, 2002, TlsFailure::Expired, "must be renewed"),
            (2101, 2102, TlsFailure::NotYetValid, "check the clocks"),
        ] {
            let (certificate, key) = authority.issue_with(&["localhost"], |params| {
                params.not_before = rcgen::date_time_ymd(from, 1, 1);
                params.not_after = rcgen::date_time_ymd(to, 1, 1);
            });
            let acceptor = Acceptor::new(Identity::from_pem(certificate, key).unwrap()).unwrap();
            let (client, server) = fail(&acceptor, &authority.connector());
            check(&client, failure, says);
            check(&client, failure, "localhost");
            check(&server, TlsFailure::Refused, "certificate");
        }
    });
}

#[test]
fn a_server_of_an_unknown_authority_is_refused() {
    bounded(|| {
        let (client, server) = fail(&Authority::new().acceptor(), &Authority::new().connector());
        check(&client, TlsFailure::UnknownAuthority, "not trusted here");
        check(&server, TlsFailure::Refused, "does not trust the authority");
        let (client, _) = fail(&Authority::new().acceptor(), &Connector::new().unwrap());
        check(&client, TlsFailure::UnknownAuthority, "add that authority");
    });
}

#[test]
fn without_a_common_protocol_both_sides_say_so() {
    bounded(|| {
        let authority = Authority::new();
        let acceptor = Acceptor::builder(authority.issue(&["localhost"]))
            .alpn(["h2"])
            .build();
        let connector = Connector::builder()
            .roots_from_pem(authority.pem())
            .unwrap()
            .alpn(["spdy/3"]);
        let (client, server) = fail(&acceptor.unwrap(), &connector.build().unwrap());
        check(&client, TlsFailure::NoCommonProtocol, "ALPN");
        check(&server, TlsFailure::NoCommonProtocol, "ALPN");
    });
}

#[test]
fn without_a_common_version_both_sides_say_so() {
    bounded(|| {
        let authority = Authority::new();
        let mut roots = rustls::RootCertStore::empty();
        use rustls::pki_types::{CertificateDer, pem::PemObject};
        roots
            .add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let old = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&version::TLS12])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let (certificate, key) = authority.issue_with(&["localhost"], |_| ());
        let new = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                rustls::pki_types::PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap();
        let (client, server) = fail(&Arc::new(new).into(), &Arc::new(old).into());
        check(&client, TlsFailure::Refused, "no version or cipher");
        check(&server, TlsFailure::NothingInCommon, "update the peer");
    });
}

#[test]
fn plain_http_on_the_tls_port_is_told_from_other_rubbish() {
    bounded(|| {
        let authority = Authority::new();
        for (sent, failure, says) in [
            (
                &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
                TlsFailure::PlainHttp,
                "https://",
            ),
            (
                b"POST /x HTTP/1.0\r\n\r\n",
                TlsFailure::PlainHttp,
                "plain HTTP",
            ),
            (b"SSH-2.0-OpenSSH_9.2\r\n", TlsFailure::NotTls, "port"),
            (&[0; 64], TlsFailure::NotTls, "no TLS"),
        ] {
            let (mut near, far) = tcp_pair();
            near.write_all(sent).unwrap();
            let error = wrap(far, &authority.acceptor())
                .unwrap()
                .handshake()
                .unwrap_err();
            check(&error, failure, says);
            check(&error, failure, "a client");
        }
        for (sent, failure) in [
            (
                &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
                TlsFailure::PlainHttp,
            ),
            (b"220 mail.test ESMTP\r\n", TlsFailure::NotTls),
        ] {
            let (near, mut far) = tcp_pair();
            far.write_all(sent).unwrap();
            let near = wrap(near, (&authority.connector(), "localhost")).unwrap();
            check(&near.handshake().unwrap_err(), failure, "localhost");
        }
    });
}

#[test]
fn a_peer_that_hangs_up_in_the_handshake_is_named() {
    bounded(|| {
        let authority = Authority::new();
        let (near, far) = tcp_pair();
        let near = wrap(near, (&authority.connector(), "localhost")).unwrap();
        let server = green::spawn(move || {
            let mut far = far;
            far.read_exact(&mut [0; 5]).unwrap();
            far.shutdown(std::net::Shutdown::Write).unwrap();
            far
        });
        let error = near.handshake().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{error}");
        assert!(error.to_string().contains("localhost closed"), "{error}");
        server.join().unwrap();
    });
}

#[test]
fn data_that_was_changed_on_its_way_is_refused() {
    bounded(|| {
        let (near, far) = crate::common::open_pair();
        (&near).write_all(b"good").unwrap();
        // A record of the right form with rubbish inside.
        let mut forged = vec![23, 3, 3, 0, 32];
        forged.extend([7; 32]);
        near.get_ref().try_write(&forged).unwrap();
        let mut text = [0; 4];
        (&far).read_exact(&mut text).unwrap();
        for _ in 0..2 {
            let error = (&far).read(&mut text).unwrap_err();
            check(&error, TlsFailure::Broken, "decrypt");
        }
    });
}

#[test]
fn names_that_no_certificate_can_have_are_refused_before_anything_is_sent() {
    bounded(|| {
        let (near, _far) = tcp_pair();
        let connector = Authority::new().connector();
        let error = wrap(near, (&connector, "localhost:443")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("without port"), "{error}");
    });
}
