//! Which certificate is shown, and whose is accepted.

use std::io::{Read, Write};

use green::net::TcpStream;
use green_tls::rustls::pki_types::CertificateDer;
use green_tls::{Acceptor, Connector, Identity, TlsError, TlsFailure, TlsStream, listen_tls, wrap};

use crate::common::{Authority, bounded, shake, tcp_pair};

/// The certificate that a server shows to a client that asks for `name`.
fn shown(acceptor: &Acceptor, connector: &Connector, name: &str) -> CertificateDer<'static> {
    let (near, far) = open(acceptor, connector, name);
    (&far).write_all(b"x").unwrap();
    (&near).read_exact(&mut [0]).unwrap();
    near.peer_certificates().unwrap().remove(0)
}

fn open(
    acceptor: &Acceptor,
    connector: &Connector,
    name: &str,
) -> (TlsStream<TcpStream>, TlsStream<TcpStream>) {
    let (near, far) = tcp_pair();
    let near = wrap(near, (connector, name)).unwrap();
    let far = wrap(far, acceptor).unwrap();
    shake(&near, &far);
    (near, far)
}

fn der(pem: &str) -> CertificateDer<'static> {
    use green_tls::rustls::pki_types::pem::PemObject;
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

#[test]
fn the_name_asked_for_chooses_the_certificate() {
    bounded(|| {
        let authority = Authority::new();
        let issued = [
            &["first.test"][..],
            &["second.test", "other.test"],
            &["*.wild.test"],
        ]
        .map(|names| authority.issue_with(names, |_| ()));
        let [first, second, wild] = issued
            .each_ref()
            .map(|(pem, key)| Identity::from_pem(pem, key).unwrap());
        assert_eq!(second.names(), ["second.test", "other.test"]);
        let acceptor = Acceptor::builder(first)
            .identity(second)
            .identity(wild)
            .build()
            .unwrap();
        for (name, expected) in [
            ("first.test", 0),
            ("second.test", 1),
            ("OTHER.test", 1),
            ("a.wild.test", 2),
            ("b.wild.test", 2),
        ] {
            // A client of its own each time, for a session is not resumed under another name.
            let shown = shown(&acceptor, &authority.connector(), name);
            assert_eq!(shown, der(&issued[expected].0), "{name}");
        }
        // The first one is for all others: here its name does not fit, and the client says so.
        for name in ["elsewhere.test", "a.b.wild.test", "wild.test", "127.0.0.1"] {
            let (near, far) = tcp_pair();
            let near = wrap(near, (&authority.connector(), name)).unwrap();
            let far = wrap(far, &acceptor).unwrap();
            let server = green::spawn(move || far.handshake());
            let error = near.handshake().unwrap_err();
            assert_eq!(
                TlsError::of(&error).unwrap().failure(),
                TlsFailure::WrongName,
                "{error}"
            );
            assert!(error.to_string().contains("first.test"), "{error}");
            drop(near);
            assert!(server.join().unwrap().is_err());
        }
    });
}

#[test]
fn certificates_are_replaced_while_the_server_runs() {
    bounded(|| {
        let authority = Authority::new();
        let (old, new) = (
            authority.issue_with(&["localhost"], |_| ()),
            authority.issue_with(&["localhost"], |_| ()),
        );
        let acceptor = Acceptor::new(Identity::from_pem(&old.0, &old.1).unwrap()).unwrap();
        let (before, before_far) = open(&acceptor, &authority.connector(), "localhost");
        assert_eq!(
            shown(&acceptor, &authority.connector(), "localhost"),
            der(&old.0)
        );
        let replacing = acceptor.clone();
        let identity = Identity::from_pem(&new.0, &new.1).unwrap();
        let other = std::thread::spawn(move || replacing.replace([identity]).unwrap());
        other.join().unwrap();
        assert_eq!(
            shown(&acceptor, &authority.connector(), "localhost"),
            der(&new.0)
        );
        // Who is connected stays so.
        (&before).write_all(b"hello").unwrap();
        (&before_far).read_exact(&mut [0; 5]).unwrap();
        assert!(acceptor.replace([]).is_err());
    });
}

#[test]
fn an_acceptor_of_rustls_own_configuration_works_and_has_its_own_certificates() {
    bounded(|| {
        let authority = Authority::new();
        let (certificate, key) = authority.issue_with(&["localhost"], |_| ());
        use green_tls::rustls::pki_types::{PrivateKeyDer, pem::PemObject};
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let provider = green_tls::rustls::crypto::ring::default_provider();
        let config = green_tls::rustls::ServerConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![der(&certificate)], key)
            .unwrap();
        let acceptor = Acceptor::from(std::sync::Arc::new(config));
        assert_eq!(
            shown(&acceptor, &authority.connector(), "localhost"),
            der(&certificate)
        );
        assert!(acceptor.replace([authority.issue(&["localhost"])]).is_err());
    });
}

#[test]
fn clients_show_certificates_where_they_must_or_may() {
    bounded(|| {
        let (authority, clients) = (Authority::new(), Authority::new());
        let require = || {
            Acceptor::builder(authority.issue(&["localhost"]))
                .require_client_certificates(clients.pem())
                .unwrap()
        };
        let required = require().build().unwrap();
        let optional = require()
            .client_certificates_are_optional()
            .build()
            .unwrap();
        let with = |identity: Identity| {
            let builder = Connector::builder()
                .roots_from_pem(authority.pem())
                .unwrap();
            builder.identity(identity).build().unwrap()
        };
        let known = with(clients.issue(&["a client"]));
        for acceptor in [&required, &optional] {
            let (_near, far) = open(acceptor, &known, "localhost");
            assert_eq!(far.peer_certificates().unwrap().len(), 1);
        }
        let (_near, far) = open(&optional, &authority.connector(), "localhost");
        assert!(far.peer_certificates().is_none());
        let unknown = with(Authority::new().issue(&["a client"]));
        for (acceptor, connector, ours, theirs) in [
            (
                &required,
                authority.connector(),
                TlsFailure::CertificateRequired,
                TlsFailure::CertificateRequired,
            ),
            (
                &required,
                unknown.clone(),
                TlsFailure::UnknownAuthority,
                TlsFailure::Refused,
            ),
            (
                &optional,
                unknown,
                TlsFailure::UnknownAuthority,
                TlsFailure::Refused,
            ),
        ] {
            let (near, far) = tcp_pair();
            let mut near = wrap(near, (&connector, "localhost")).unwrap();
            let far = wrap(far, acceptor).unwrap();
            let server = green::spawn(move || far.handshake().unwrap_err());
            // In TLS 1.3 the client's handshake is over before the server has looked at its certificate.
            let error = near
                .handshake()
                .and_then(|()| near.read(&mut [0]))
                .unwrap_err();
            assert_eq!(TlsError::of(&error).unwrap().failure(), theirs, "{error}");
            let error = server.join().unwrap();
            assert_eq!(TlsError::of(&error).unwrap().failure(), ours, "{error}");
        }
    });
}

#[test]
fn what_is_wrong_with_a_certificate_is_said_when_it_is_loaded() {
    bounded(|| {
        let authority = Authority::new();
        let (certificate, key) = authority.issue_with(&["localhost"], |_| ());
        let (other, other_key) = authority.issue_with(&["localhost"], |_| ());
        let text = |error: std::io::Error| error.to_string();
        let mismatch = text(Identity::from_pem(&certificate, &other_key).unwrap_err());
        assert!(mismatch.contains("does not belong"), "{mismatch}");
        let swapped = text(Identity::from_pem(&key, &certificate).unwrap_err());
        assert!(swapped.contains("BEGIN CERTIFICATE"), "{swapped}");
        let no_key = text(Identity::from_pem(&certificate, &other).unwrap_err());
        assert!(no_key.contains("BEGIN PRIVATE KEY"), "{no_key}");
        let broken =
            text(Identity::from_pem(&certificate[..certificate.len() / 2], &key).unwrap_err());
        assert!(broken.contains("certificate"), "{broken}");
        let der = text(
            Identity::from_der(Vec::new(), {
                use green_tls::rustls::pki_types::{PrivateKeyDer, pem::PemObject};
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()
            })
            .unwrap_err(),
        );
        assert!(der.contains("no certificate"), "{der}");
        assert!(Connector::builder().roots_from_pem("nothing here").is_err());

        let directory =
            std::env::temp_dir().join(format!("green-tls-files-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let [cert_file, key_file, other_file] =
            ["cert.pem", "key.pem", "other.pem"].map(|name| directory.join(name));
        std::fs::write(&cert_file, &certificate).unwrap();
        std::fs::write(&key_file, &key).unwrap();
        std::fs::write(&other_file, &other_key).unwrap();
        let listener = listen_tls("127.0.0.1:0", &cert_file, &key_file).unwrap();
        assert_ne!(listener.get_ref().local_addr().unwrap().port(), 0);
        let error = text(listen_tls("127.0.0.1:0", &cert_file, &other_file).unwrap_err());
        assert!(
            error.contains("other.pem") && error.contains("cert.pem"),
            "{error}"
        );
        let error =
            text(listen_tls("127.0.0.1:0", &cert_file, directory.join("none")).unwrap_err());
        assert!(error.contains("none"), "{error}");
        std::fs::remove_dir_all(&directory).unwrap();
    });
}
