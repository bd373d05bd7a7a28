//! The stream and its public face.

mod blocking;
mod handshake;
#[cfg(feature = "futures-io")]
pub(crate) mod poll;
mod transfer;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::{self, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use green::Lock;
use rustls::pki_types::CertificateDer;
use rustls::{Connection, HandshakeKind, ProtocolVersion};

use crate::error::{Peer, TlsError};
use crate::{Config, Stream};
use transfer::Opening;

/// A TLS connection over a stream, as server or as client.
///
/// It reads and writes through `&TlsStream` as well, so that one greenthread can read while another writes. The
/// handshake is done by the first call that needs it, in the greenthread that makes that call, or by
/// [`handshake`](TlsStream::handshake). Greenthreads that write take turns: each `write` goes out as a whole.
///
/// # The end of a connection
///
/// A read gives `Ok(0)` only after the peer has said that it has sent everything (close_notify). A connection that ends
/// without is an error of kind `UnexpectedEof`: what came may have been cut off by an attacker. The other way,
/// [`shutdown`](TlsStream::shutdown) says it, and so does a stream that is dropped or closed, as far as that works
/// without waiting: unless it is dropped by a panic or a kill, when what was sent must not look complete.
///
/// # Timeouts, kills, deadlines
///
/// The timeouts of the stream below bound each wait; set them through [`get_ref`](TlsStream::get_ref). A read that is
/// cut short has read nothing, and the next goes on. A [`write`](Write::write) that is cut short may have encrypted
/// and partly sent its data, and nobody can know: from then on writing fails, and the peer sees a connection that was
/// cut. A program that must be able to go on writes with [`try_write`](TlsStream::try_write),
/// [`writable`](TlsStream::writable) and `flush`, which keep their place: the rest of a record that is half out is
/// sent before anything else.
///
/// ```
/// use std::io::{Read, Write};
/// use std::net::Shutdown;
/// use green_tls::{Acceptor, Connector, Identity, wrap};
/// # let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
/// # let (certificate, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
///
/// let acceptor = Acceptor::new(Identity::from_pem(&certificate, &key)?)?;
/// let connector = Connector::builder().roots_from_pem(&certificate)?.build()?;
/// let (near, far) = green::net::UnixStream::pair()?;
/// green::spawn_n(move || {
///     let mut far = wrap(far, &acceptor).unwrap();
///     far.write_all(b"hello").unwrap();
///     far.shutdown(Shutdown::Write).unwrap();
/// });
/// let mut near = wrap(near, (&connector, "localhost"))?;
/// let mut text = String::new();
/// near.read_to_string(&mut text)?;
/// assert_eq!(text, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// What was agreed upon, and calls that do not wait:
///
/// ```
/// use std::io::ErrorKind;
/// use green_tls::{Acceptor, Connector, Identity, wrap};
/// # let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
/// # let (certificate, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
///
/// let acceptor = Acceptor::new(Identity::from_pem(&certificate, &key)?)?;
/// let connector = Connector::builder().roots_from_pem(&certificate)?.build()?;
/// let (near, far) = green::net::UnixStream::pair()?;
/// let server = green::spawn(move || {
///     let far = wrap(far, &acceptor).unwrap();
///     far.writable().unwrap(); // Does the handshake.
///     far.try_write(b"hello").unwrap()
/// });
/// let near = wrap(near, (&connector, "localhost"))?;
/// near.readable()?; // So does this.
/// assert!(near.is_open() && !near.is_resumed());
/// assert_eq!(near.server_name().as_deref(), Some("localhost"));
/// println!("{:?} with {:?}", near.protocol_version(), near.get_ref());
/// assert_eq!(near.peer_certificates().map(|chain| chain.len()), Some(1));
/// let mut buf = [0; 5];
/// while near.try_read(&mut buf).is_err_and(|error| error.kind() == ErrorKind::WouldBlock) {
///     near.readable()?; // A hint: a record may have come in part.
/// }
/// assert_eq!((&buf, server.join().unwrap()), (b"hello", 5));
/// near.close();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TlsStream<S: Stream> {
    /// `None` only while [`TlsStream::end`] gives it away.
    socket: Option<S>,
    /// Borrowed only between waits. On the stack it would push what each call needs to further pages.
    machine: RefCell<Box<Connection>>,
    peer: Peer,
    /// Held by the greenthread that does the handshake; others wait for it here.
    shaking: Lock,
    open: Cell<bool>,
    timeout: Duration,
    /// The end of the handshake's time, once it has begun.
    deadline: Cell<Option<Instant>>,
    opening: Cell<Opening>,
    /// Held by the greenthread that waits for the socket to take what was encrypted.
    writing: Lock,
    /// A close_notify was encrypted: nothing may follow.
    writing_ended: Cell<bool>,
    /// A write was cut short after its data was encrypted: what went out is not known to be whole.
    cut: Cell<bool>,
    reading_ended: Cell<bool>,
    closed: Cell<bool>,
    /// What TLS has failed of: nothing works any more.
    failure: RefCell<Option<TlsError>>,
    #[cfg(feature = "futures-io")]
    sleep: RefCell<Option<green::future::Sleep>>,
}

impl<S: Stream> TlsStream<S> {
    pub(crate) fn new(socket: S, config: impl Config) -> io::Result<TlsStream<S>> {
        let (machine, timeout) = config.connection()?;
        let peer = config.peer();
        Ok(TlsStream {
            socket: Some(socket),
            machine: RefCell::new(Box::new(machine)),
            peer,
            shaking: Lock::new(),
            open: Cell::new(false),
            timeout,
            deadline: Cell::new(None),
            opening: Cell::default(),
            writing: Lock::new(),
            writing_ended: Cell::new(false),
            cut: Cell::new(false),
            reading_ended: Cell::new(false),
            closed: Cell::new(false),
            failure: RefCell::default(),
            #[cfg(feature = "futures-io")]
            sleep: RefCell::default(),
        })
    }

    fn socket(&self) -> &S {
        match &self.socket {
            Some(socket) => socket,
            None => unreachable!("the socket leaves only together with the stream"),
        }
    }

    /// The stream below: for its addresses and timeouts. Bytes that go past TLS would break the connection.
    pub fn get_ref(&self) -> &S {
        self.socket()
    }

    /// True once the handshake is done.
    pub fn is_open(&self) -> bool {
        self.open.get()
    }

    /// The protocol that both sides have agreed on (ALPN), such as `h2`. `None` before the handshake, and if either
    /// side does not care.
    ///
    /// ```
    /// use green_tls::{Acceptor, Connector, Identity, wrap};
    /// # let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    /// # let (certificate, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
    ///
    /// let identity = Identity::from_pem(&certificate, &key)?;
    /// let acceptor = Acceptor::builder(identity).alpn(["h2", "http/1.1"]).build()?;
    /// let connector = Connector::builder().roots_from_pem(&certificate)?.alpn(["http/1.1"]).build()?;
    /// let (near, far) = green::net::UnixStream::pair()?;
    /// let server = green::spawn(move || wrap(far, &acceptor).unwrap().handshake().unwrap());
    /// let near = wrap(near, (&connector, "localhost"))?;
    /// near.handshake()?;
    /// assert_eq!(near.alpn_protocol().as_deref(), Some(&b"http/1.1"[..]));
    /// # server.join().unwrap();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn alpn_protocol(&self) -> Option<Vec<u8>> {
        self.machine.borrow().alpn_protocol().map(<[u8]>::to_vec)
    }

    /// The certificates that the peer has shown, its own first. `None` before the handshake, and of a client that was
    /// not asked for one or has none.
    pub fn peer_certificates(&self) -> Option<Vec<CertificateDer<'static>>> {
        let machine = self.machine.borrow();
        machine.peer_certificates().map(<[_]>::to_vec)
    }

    /// The name that the connection is for: on a server the one that the client has asked for (SNI), if any.
    pub fn server_name(&self) -> Option<String> {
        match (&**self.machine.borrow(), &self.peer) {
            (Connection::Server(server), _) => server.server_name().map(str::to_owned),
            (Connection::Client(_), Peer::Server(name)) => Some(name.clone()),
            (Connection::Client(_), Peer::Client) => None,
        }
    }

    /// The version of TLS that both sides have agreed on.
    pub fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.machine.borrow().protocol_version()
    }

    /// True if the handshake has resumed an earlier session, which saves the certificates.
    pub fn is_resumed(&self) -> bool {
        self.machine.borrow().handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Waits until a read has something to give: data, the end, or an error. Does the handshake first.
    ///
    /// It is a hint: a record may have come in part. What follows is [`try_read`](TlsStream::try_read), and this again
    /// if that says `WouldBlock`.
    ///
    /// # Errors
    /// As a read.
    pub fn readable(&self) -> io::Result<()> {
        self.handshake()?;
        if self.reading_ended.get() || self.has_plaintext() {
            return Ok(());
        }
        self.socket().readable()
    }

    /// Reads what there is. Never waits; before the handshake is done there is nothing.
    ///
    /// # Errors
    /// `WouldBlock` if there is nothing; else as a read.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        if !self.open.get() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        loop {
            match self.take_plaintext(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.pull()?,
                taken => return taken,
            };
        }
    }

    /// Waits until a write can begin: the handshake is done and all that was written before has gone out.
    ///
    /// # Errors
    /// As a write.
    pub fn writable(&self) -> io::Result<()> {
        self.handshake()?;
        if self.has_ciphertext() {
            return self.flush_ciphertext();
        }
        self.socket().writable()
    }

    /// Takes up to 64 KiB to send, if all that was written before has gone out. Never waits. What the socket does not
    /// take at once is sent by the next call that writes, flushes or shuts down.
    ///
    /// # Errors
    /// `WouldBlock` if something written before is still here, or the handshake is not done; else as a write.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        if !self.open.get() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.check_writing()?;
        while self.has_ciphertext() {
            self.push()?;
        }
        let accepted = self.machine.borrow_mut().writer().write(buf)?;
        self.push_quietly();
        Ok(accepted)
    }

    /// Ends reading, writing or both. The end of writing is told to the peer (close_notify) after all that was written
    /// before, and waits until that has gone out; reading goes on.
    ///
    /// # Errors
    /// As a write; `NotConnected` if the other end has ended the connection before.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        if how != Shutdown::Read {
            self.end_writing()?;
        }
        if how != Shutdown::Write {
            self.reading_ended.set(true);
        }
        self.socket().shutdown(how)
    }

    /// Closes the connection now, whoever else refers to this value: greenthreads that wait here get an error, as does
    /// every later call. The peer is told as far as that works without waiting.
    pub fn close(&self) {
        self.say_goodbye();
        self.closed.set(true);
        self.socket().close();
    }

    /// Ends TLS and gives the stream back, for protocols that go on in plain text: Python's `unwrap`. What the peer
    /// has sent and nobody has read is thrown away.
    ///
    /// Both sides must agree on where TLS ends: the peer sends plain text only after it has got our close_notify.
    ///
    /// # Errors
    /// As a write and a read; `UnexpectedEof` if the peer ends the connection instead.
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use green_tls::{Acceptor, Connector, Identity, wrap};
    /// # let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    /// # let (certificate, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
    ///
    /// let acceptor = Acceptor::new(Identity::from_pem(&certificate, &key)?)?;
    /// let connector = Connector::builder().roots_from_pem(&certificate)?.build()?;
    /// let (near, far) = green::net::UnixStream::pair()?;
    /// let server = green::spawn(move || {
    ///     let mut plain = wrap(far, &acceptor)?.end()?;
    ///     plain.write_all(b"in plain text")
    /// });
    /// let mut plain = wrap(near, (&connector, "localhost"))?.end()?;
    /// let mut text = String::new();
    /// server.join().unwrap()?;
    /// plain.read_to_string(&mut text)?;
    /// assert_eq!(text, "in plain text");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "unwrap")]
    pub fn end(mut self) -> io::Result<S> {
        self.handshake()?;
        self.end_writing()?;
        self.await_close_notify()?;
        match self.socket.take() {
            Some(socket) => Ok(socket),
            None => unreachable!("the socket leaves only here"),
        }
    }
}

impl<S: Stream> Drop for TlsStream<S> {
    fn drop(&mut self) {
        if self.socket.is_some() {
            self.say_goodbye();
        }
    }
}

impl<S: Stream + fmt::Debug> fmt::Debug for TlsStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream")
            .field("socket", self.socket())
            .field("peer", &self.peer)
            .field("open", &self.open.get())
            .finish_non_exhaustive()
    }
}
