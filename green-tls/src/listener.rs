//! Listeners whose connections speak TLS.

use std::io;

use green::server::Listener;

use crate::{Acceptor, Stream, TlsStream};

/// A listener whose connections are wrapped: each comes as a [`TlsStream`] whose handshake is still to be done, by the
/// first read or write of its handler. So a client that says nothing stops nobody.
///
/// [`green::serve`] and [`StreamServer`](green::server::StreamServer) take it as any listener.
///
/// ```
/// use std::io::Read;
/// use std::io::Write;
/// use green::server::StreamServer;
/// use green_tls::{Acceptor, Connector, Identity, TlsListener, connect_tls};
/// # let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
/// # let (certificate, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
///
/// let acceptor = Acceptor::new(Identity::from_pem(&certificate, &key)?)?;
/// let listener = TlsListener::new(green::listen("127.0.0.1:0")?, acceptor);
/// let server = StreamServer::new(listener, |mut stream, _peer| stream.write_all(b"hello"));
/// server.start();
/// let port = server.listener().get_ref().local_addr()?.port();
/// let connector = Connector::builder().roots_from_pem(&certificate)?.build()?;
/// let mut text = String::new();
/// connect_tls(("localhost", port), &connector)?.read_to_string(&mut text)?;
/// assert_eq!(text, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// By hand, and with a certificate that is renewed:
///
/// ```
/// use green_tls::{Acceptor, Connector, Identity, TlsListener, connect_tls};
/// # let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
/// # let (certificate, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
///
/// let acceptor = Acceptor::new(Identity::from_pem(&certificate, &key)?)?;
/// let listener = TlsListener::new(green::listen("127.0.0.1:0")?, acceptor);
/// let port = listener.get_ref().local_addr()?.port();
/// let connector = Connector::builder().roots_from_pem(&certificate)?.build()?;
/// let client = green::spawn(move || connect_tls(("localhost", port), &connector)?.handshake());
/// let (stream, _peer) = listener.accept()?;
/// stream.handshake()?;
/// client.join().unwrap()?;
/// listener.acceptor().replace([Identity::from_pem(&certificate, &key)?])?; // for those to come
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TlsListener<L> {
    listener: L,
    acceptor: Acceptor,
}

impl<L> TlsListener<L> {
    /// Wraps what `listener` accepts.
    pub fn new(listener: L, acceptor: Acceptor) -> TlsListener<L> {
        TlsListener { listener, acceptor }
    }

    /// The listener below: for its address.
    pub fn get_ref(&self) -> &L {
        &self.listener
    }

    /// What the connections are wrapped with: for [`Acceptor::replace`].
    pub fn acceptor(&self) -> &Acceptor {
        &self.acceptor
    }
}

impl<L: Listener<Stream: Stream>> TlsListener<L> {
    /// Waits for the next connection. The handshake is still to be done.
    ///
    /// # Errors
    /// As the listener below.
    pub fn accept(&self) -> io::Result<(TlsStream<L::Stream>, L::Addr)> {
        let (stream, addr) = self.listener.accept()?;
        Ok((TlsStream::new(stream, &self.acceptor)?, addr))
    }
}

impl<L: Listener<Stream: Stream>> Listener for TlsListener<L> {
    type Stream = TlsStream<L::Stream>;
    type Addr = L::Addr;

    fn accept(&self) -> io::Result<(TlsStream<L::Stream>, L::Addr)> {
        TlsListener::accept(self)
    }

    fn accept_queued(&self) -> Option<(TlsStream<L::Stream>, L::Addr)> {
        loop {
            let (stream, addr) = self.listener.accept_queued()?;
            if let Ok(stream) = TlsStream::new(stream, &self.acceptor) {
                return Some((stream, addr));
            }
        }
    }

    fn close(&self) {
        self.listener.close();
    }
}
