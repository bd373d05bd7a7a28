//! The WebSocket and its public face.

mod closing;
mod connection;

use std::fmt;
use std::io;
use std::rc::{Rc, Weak};

use green::Timeout;
use green::server::on_drain;

use crate::handshake::{Request, Upgrade, ask, parse, read_head, understand};
use crate::message::{Close, Message};
use crate::protocol::{Role, is_sendable};
use crate::{Error, Options, Stream};
use connection::{Connection, LONGEST_REASON};

/// The code of an end that a server which is drained brings about (RFC 6455, 7.4.1).
const GOING_AWAY: u16 = 1001;

/// What a ping carries at most.
const LONGEST_PING: usize = 125;

/// An open WebSocket. Clones are handles of the same one, for several greenthreads.
///
/// Several greenthreads may send: messages go out one after the other, each as a whole. One receives meanwhile. Pings
/// are answered by [`receive`](WebSocket::receive), so a program that only sends should receive in a greenthread beside.
///
/// # The end
///
/// [`close`](WebSocket::close) is the polite end. When the last handle is dropped the connection is closed: with a close
/// frame (1000) as far as that goes out without waiting, but by a panic or a kill without one, so that the peer sees
/// that it was cut.
///
/// # Kills, deadlines
///
/// A [`receive`](WebSocket::receive) that is cut short has lost nothing, and the next goes on. A
/// [`send`](WebSocket::send) that is cut short has sent either nothing or will have sent the whole message: what is left
/// of its frame goes out before anything else.
///
/// ```
/// use green_ws::{Message, Options, accept, client};
///
/// let (near, far) = green::net::UnixStream::pair()?;
/// let server = green::spawn(move || -> Result<(), green_ws::Error> {
///     let socket = accept(far, &Options::new())?;
///     while let Some(message) = socket.receive()? {
///         socket.send(message)?;
///     }
///     Ok(())
/// });
/// let socket = client(near, "ws://localhost/echo", &Options::new())?;
/// socket.send("hello")?;
/// assert_eq!(socket.receive()?, Some(Message::from("hello")));
/// assert_eq!((socket.protocol(), socket.is_closed()), (None, false));
/// println!("over {:?}", socket.get_ref());
/// socket.close(1000, "done")?;
/// assert!(socket.is_closed() && socket.close_frame().is_some());
/// server.join().unwrap()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct WebSocket<S: Stream + 'static> {
    opened: Rc<Opened<S>>,
}

/// What the handles share. The greenthreads that send a rest hold the connection alone.
pub(crate) struct Opened<S: Stream + 'static> {
    connection: Rc<Connection<S>>,
    request: Request,
    protocol: Option<String>,
}

impl<S: Stream + 'static> Drop for Opened<S> {
    fn drop(&mut self) {
        self.connection.abandon();
    }
}

/// Reads a client's request from a stream and answers it: eventlet's `WebSocketWSGI` without a server of HTTP.
///
/// A request that is none for a WebSocket gets an answer that says so: 400, 403 for an origin that may not, 426 with the
/// version for another version of the protocol, 431 for a head of more than 16 KiB.
///
/// A drain of the server whose connection it is closes the WebSocket with 1001: see [`Upgrade::open`].
///
/// # Errors
/// [`Error::Refused`] with what was answered; [`Error::Io`], of kind `TimedOut` if the client takes longer than the
/// options allow.
///
/// ```
/// use green_ws::{Options, accept, client};
///
/// let (near, far) = green::net::UnixStream::pair()?;
/// let client = green::spawn(move || client(near, "ws://localhost/", &Options::new())?.receive());
/// accept(far, &Options::new())?.send("hello")?;
/// assert_eq!(client.join().unwrap()?, Some("hello".into()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn accept<S: Stream + 'static>(stream: S, options: &Options) -> Result<WebSocket<S>, Error> {
    let accepted = Timeout::new(options.handshake_timeout).run(|| {
        let head = read_head(&stream)?;
        let upgrade = Upgrade::check(head.request()?, options).map_err(|refusal| Refused {
            answer: refusal.answer(),
            error: Error::Refused {
                status: refusal.status(),
                what: refusal.text().to_owned(),
            },
        })?;
        write_all(&stream, upgrade.answer().as_bytes())?;
        Ok((head, upgrade))
    });
    match accepted {
        Ok(Ok((head, upgrade))) => Ok(upgrade.open(stream, head.ahead())),
        Ok(Err(Refused { answer, error })) => {
            refuse(&stream, &answer, options);
            Err(error)
        }
        Err(_) => Err(late("client", options)),
    }
}

/// A handshake that has failed, and the answer that says so.
struct Refused {
    answer: String,
    error: Error,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Refused {
        let answer = match &error {
            Error::Refused { status, what } => crate::handshake::answer(*status, what, &[]),
            _ => String::new(),
        };
        Refused { answer, error }
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Refused {
        Refused::from(Error::from(error))
    }
}

fn late(peer: &str, options: &Options) -> Error {
    let timeout = options.handshake_timeout;
    let text = format!("the WebSocket handshake with the {peer} took longer than {timeout:?}");
    io::Error::new(io::ErrorKind::TimedOut, text).into()
}

/// Sends an answer that refuses, and lets the client read it: what is unread when a socket is closed would destroy it.
fn refuse<S: Stream>(stream: &S, answer: &str, options: &Options) {
    if answer.is_empty() {
        return;
    }
    let refused = Timeout::new(options.close_timeout).run(|| -> io::Result<()> {
        write_all(stream, answer.as_bytes())?;
        stream.shutdown(std::net::Shutdown::Write)?;
        while read_some(stream, &mut [0; 1024])? > 0 {}
        Ok(())
    });
    if let Ok(Err(error)) = refused {
        log::debug!("a client left before it was refused: {error}");
    }
}

fn read_some<S: Stream>(stream: &S, buf: &mut [u8]) -> io::Result<usize> {
    loop {
        stream.readable()?;
        match stream.try_read(buf) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            read => return read,
        }
    }
}

fn write_all<S: Stream>(stream: &S, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.try_write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.writable()?,
            written => bytes = &bytes[written?..],
        }
    }
    stream.flush()
}

/// Asks for a WebSocket over a connected stream. The address gives the path and the field `Host`.
///
/// # Errors
/// [`Error::Refused`] if the server does not agree, with its status; [`Error::Io`] of kind `InvalidInput` for an address
/// that is none, of kind `TimedOut` if the server takes longer than the options allow.
///
/// ```
/// use green_ws::{Options, accept, client};
///
/// let (near, far) = green::net::UnixStream::pair()?;
/// let server = green::spawn(move || {
///     let socket = accept(far, &Options::new().protocols(["chat.v1"]))?;
///     socket.send(format!("hello, {}", socket.request().path()))
/// });
/// let socket = client(near, "ws://localhost/me", &Options::new().protocols(["chat.v2", "chat.v1"]))?;
/// assert_eq!(socket.protocol(), Some("chat.v1"));
/// assert_eq!(socket.receive()?, Some("hello, /me".into()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn client<S: Stream + 'static>(
    stream: S,
    address: &str,
    options: &Options,
) -> Result<WebSocket<S>, Error> {
    let target = parse(address)?;
    let question = ask(&target, options)?;
    let asked = Timeout::new(options.handshake_timeout).run(|| {
        write_all(&stream, question.text.as_bytes())?;
        let head = read_head(&stream)?;
        let (protocol, deflate) = understand(&head, &question, options)?;
        Ok::<_, Error>((head, protocol, deflate))
    });
    let (head, protocol, deflate) = asked.map_err(|_| late("server", options))??;
    let connection = Connection::new(stream, Role::Client, options, deflate, head.ahead());
    let request = Request::new("GET", &target.path, []);
    Ok(WebSocket::new(connection, request, protocol))
}

impl Upgrade {
    /// The WebSocket, on the stream that the answer was sent to. `ahead` is what was read behind the request.
    ///
    /// If the calling greenthread serves a connection of a [`Lifecycle`](green::server::Lifecycle), a drain of that
    /// closes the WebSocket with 1001.
    pub fn open<S: Stream + 'static>(self, stream: S, ahead: &[u8]) -> WebSocket<S> {
        let connection = Connection::new(stream, Role::Server, &self.options, self.deflate, ahead);
        let socket = WebSocket::new(connection, self.request, self.protocol);
        let opened = socket.downgrade();
        on_drain(move || {
            let Some(socket) = WebSocket::upgrade(&opened) else {
                return;
            };
            if let Err(error) = socket.close(GOING_AWAY, "the server goes away") {
                log::debug!("a WebSocket was not closed properly: {error}");
            }
        });
        socket
    }
}

impl<S: Stream + 'static> WebSocket<S> {
    fn new(connection: Connection<S>, request: Request, protocol: Option<String>) -> WebSocket<S> {
        WebSocket {
            opened: Rc::new(Opened {
                connection: Rc::new(connection),
                request,
                protocol,
            }),
        }
    }

    /// Sends a message, after those of other greenthreads that came before, and waits until it has gone out to the
    /// system.
    ///
    /// # Errors
    /// [`Error::Closed`] once either side has closed; what the stream says.
    pub fn send(&self, message: impl Into<Message>) -> Result<(), Error> {
        let message = message.into();
        self.opened
            .connection
            .send(|encoder, out| encoder.message(&message, out))
    }

    /// Waits for the next message. `None` says that the connection was closed properly, by either side; why, is in
    /// [`close_frame`](WebSocket::close_frame).
    ///
    /// Pings are answered, and the peer's close frame is. Greenthreads that receive at the same time take turns.
    ///
    /// # Errors
    /// [`Error::Protocol`] if the peer breaks the rules: it was told so, and had the time for the closing handshake to
    /// read that. [`Error::Io`] of kind `UnexpectedEof` if it ends the connection without a close frame;
    /// [`Error::Closed`] at each call after such an error.
    pub fn receive(&self) -> Result<Option<Message>, Error> {
        self.opened.connection.receive()
    }

    /// Sends a ping, which the peer answers by itself: a sign of life that keeps a connection open.
    ///
    /// # Errors
    /// As [`send`](WebSocket::send); of kind `InvalidInput` for more than 125 bytes.
    ///
    /// ```
    /// use green_ws::{Options, accept, client};
    ///
    /// let (near, far) = green::net::UnixStream::pair()?;
    /// let server = green::spawn(move || accept(far, &Options::new())?.receive());
    /// let socket = client(near, "ws://localhost/", &Options::new())?;
    /// socket.ping(b"are you there?")?;
    /// socket.close(1000, "")?;
    /// assert_eq!(server.join().unwrap()?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn ping(&self, payload: &[u8]) -> Result<(), Error> {
        if payload.len() > LONGEST_PING {
            return Err(invalid(format!(
                "a ping carries at most {LONGEST_PING} bytes"
            )));
        }
        self.opened
            .connection
            .send(|encoder, out| encoder.ping(payload, out))
    }

    /// Closes the connection: sends a close frame with a code (1000 for a normal end, 1001 for one that goes away, 4000
    /// to 4999 for the program's own) and a reason of at most 123 bytes, waits for the peer's, and closes the stream.
    /// Messages that the peer has sent meanwhile are thrown away, unless another greenthread receives them. Closing
    /// twice does nothing.
    ///
    /// # Errors
    /// [`Error::Io`] of kind `InvalidInput` for a code or a reason that cannot be sent, of kind `TimedOut` if the peer
    /// does not answer in the time that the options give it: the stream is closed then too.
    pub fn close(&self, code: u16, reason: &str) -> Result<(), Error> {
        if !is_sendable(code) {
            let text =
                format!("{code} is no close code that may be sent: 1000 is for a normal end");
            return Err(invalid(text));
        }
        if reason.len() > LONGEST_REASON {
            let text = format!("the reason of a close is at most {LONGEST_REASON} bytes long");
            return Err(invalid(text));
        }
        let reason = reason.to_owned();
        self.opened.connection.close(Close { code, reason })
    }

    /// True once either side has closed: nothing can be sent any more.
    pub fn is_closed(&self) -> bool {
        self.opened.connection.is_closed()
    }

    /// What the peer has said when it closed. `None` before, and if it gave no code.
    pub fn close_frame(&self) -> Option<Close> {
        self.opened.connection.peer_close.borrow().clone().flatten()
    }

    /// The subprotocol that both sides have agreed on.
    pub fn protocol(&self) -> Option<&str> {
        self.opened.protocol.as_deref()
    }

    /// The request that the connection began with; of a client's own it knows the path alone.
    ///
    /// ```
    /// use green_ws::{Options, accept, client};
    ///
    /// let (near, far) = green::net::UnixStream::pair()?;
    /// let server = green::spawn(move || {
    ///     let socket = accept(far, &Options::new()).unwrap();
    ///     (socket.request().path().to_owned(), socket.request().origin().map(str::to_owned))
    /// });
    /// let options = Options::new().header("Origin", "http://localhost");
    /// let socket = client(near, "ws://localhost/chat?room=1", &options)?;
    /// let asked = server.join().unwrap();
    /// assert_eq!(asked, ("/chat?room=1".to_owned(), Some("http://localhost".to_owned())));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn request(&self) -> &Request {
        &self.opened.request
    }

    /// The stream below: for its addresses and timeouts. Bytes that go past the WebSocket would break it.
    pub fn get_ref(&self) -> &S {
        &self.opened.connection.stream
    }

    pub(crate) fn downgrade(&self) -> Weak<Opened<S>> {
        Rc::downgrade(&self.opened)
    }

    pub(crate) fn upgrade(opened: &Weak<Opened<S>>) -> Option<WebSocket<S>> {
        opened.upgrade().map(|opened| WebSocket { opened })
    }
}

fn invalid(text: String) -> Error {
    io::Error::new(io::ErrorKind::InvalidInput, text).into()
}

impl<S: Stream + 'static> Clone for WebSocket<S> {
    fn clone(&self) -> WebSocket<S> {
        WebSocket {
            opened: Rc::clone(&self.opened),
        }
    }
}

impl<S: Stream + 'static> fmt::Debug for WebSocket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("path", &self.request().path())
            .field("protocol", &self.protocol())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
