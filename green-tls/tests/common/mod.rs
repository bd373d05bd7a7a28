//! What the tests share: an authority that issues certificates, and connected pairs.
#![allow(dead_code, reason = "each test program uses its own part of it")]

use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use green::net::{TcpListener, TcpStream};
use green_tls::{Acceptor, Connector, Identity, TlsStream, wrap};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// Long enough that nothing takes it by chance, short enough to wait for often.
pub(crate) const SHORT: Duration = Duration::from_millis(15);

/// Runs a test, and ends the process if it hangs.
pub(crate) fn bounded(test: impl FnOnce()) {
    let name = thread::current().name().unwrap_or("a test").to_owned();
    let (done, watched) = channel::<()>();
    thread::spawn(move || {
        if watched.recv_timeout(Duration::from_secs(120)) == Err(RecvTimeoutError::Timeout) {
            eprintln!("{name} hangs");
            process::abort();
        }
    });
    test();
    drop(done);
}

/// Lets everybody else go as far as they get without the outside world.
pub(crate) fn settle() {
    // One whose calls take long on a busy machine needs several turns. The last number is for those who never wait.
    for round in 0..200 {
        green::yield_now();
        if round >= 20 && green::debug::counters().runnable == 0 {
            return;
        }
    }
}

/// Who issues the certificates of a test.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // Names tell authorities apart.
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("authority {}", COUNT.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Authority { issuer }
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// The PEM texts of a certificate for `names`, changed by `change`, and of its key.
    pub(crate) fn issue_with(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> (String, String) {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    pub(crate) fn issue(&self, names: &[&str]) -> Identity {
        let (certificate, key) = self.issue_with(names, |_| ());
        Identity::from_pem(certificate, key).unwrap()
    }

    pub(crate) fn acceptor(&self) -> Acceptor {
        Acceptor::new(self.issue(&["localhost"])).unwrap()
    }

    pub(crate) fn connector(&self) -> Connector {
        let builder = Connector::builder().roots_from_pem(self.pem()).unwrap();
        builder.build().unwrap()
    }
}

pub(crate) fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    (near, far)
}

/// A client and a server, connected. The handshake is still to be done.
pub(crate) fn fresh_pair() -> (TlsStream<TcpStream>, TlsStream<TcpStream>) {
    let authority = Authority::new();
    let (near, far) = tcp_pair();
    let near = wrap(near, (&authority.connector(), "localhost")).unwrap();
    (near, wrap(far, &authority.acceptor()).unwrap())
}

/// Does the handshake of both sides.
pub(crate) fn shake(near: &TlsStream<TcpStream>, far: &TlsStream<TcpStream>) {
    green::scope(|scope| {
        scope.spawn(|| far.handshake().unwrap());
        near.handshake().unwrap();
    })
    .unwrap();
}

/// A client and a server, connected, with the handshake done.
pub(crate) fn open_pair() -> (TlsStream<TcpStream>, TlsStream<TcpStream>) {
    let (near, far) = fresh_pair();
    shake(&near, &far);
    (near, far)
}
