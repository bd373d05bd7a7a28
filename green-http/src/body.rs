//! What comes with a request.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, ErrorKind, Read};
use std::pin::Pin;
use std::rc::Rc;

use bytes::{Buf, Bytes};
use green::GreenPool;
use green::future::try_block_on;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Body as _;
use hyper::body::Incoming;

use crate::clock::Deadlines;
use crate::guard::Refusal;
use crate::transport::Peer;
use crate::upgrade::TakeOver;
use crate::wire::Notes;

/// What is known of a connection, for its requests.
pub(crate) struct Facts {
    pub(crate) peer: Peer,
    pub(crate) security: Option<Rc<dyn Any>>,
    pub(crate) notes: Rc<Notes>,
    /// Of the connection, or of the stream.
    pub(crate) deadlines: Rc<Deadlines>,
    /// What a handler has left unread.
    pub(crate) leftover: RefCell<Option<Incoming>>,
    /// True while somebody may read the body of the request at hand.
    pub(crate) body_in_use: Cell<bool>,
    pub(crate) take_over: RefCell<Option<TakeOver>>,
    /// The greenthreads of handlers and of what they write.
    pub(crate) workers: GreenPool,
    pub(crate) http2: bool,
    pub(crate) requests: Cell<u64>,
}

impl Facts {
    /// The same for a stream of its own.
    #[cfg(feature = "http2")]
    pub(crate) fn of_stream(&self) -> Rc<Facts> {
        Rc::new(Facts {
            peer: self.peer.clone(),
            security: self.security.clone(),
            notes: Rc::default(),
            deadlines: Rc::default(),
            leftover: RefCell::default(),
            body_in_use: Cell::new(false),
            take_over: RefCell::default(),
            workers: self.workers.clone(),
            http2: self.http2,
            requests: Cell::new(0),
        })
    }
}

/// The body of a request, to be read: [`io::Read`].
///
/// Reading waits as any green socket does. It ends with an error if the client breaks off, sends what is no body, or
/// takes longer than the server's [deadline](crate::Server::body_timeout); the client is then told so, unless the
/// answer has begun. A body that is not read to its end is read and thrown away up to a limit, so that the connection
/// can serve another request.
///
/// A client that asks with `Expect: 100-continue` is told to go on at the first read.
///
/// ```
/// use std::io::{self, Read};
/// use green_http::{Body, Request, Response, Server};
///
/// let server = Server::new(|mut request: Request<Body>| -> io::Result<Response> {
///     if request.uri().path() == "/text" {
///         return Ok(request.into_body().into_string()?.to_uppercase().into());
///     } else if request.uri().path() == "/bytes" {
///         return Ok(request.into_body().into_bytes()?.into());
///     }
///     let body = request.body_mut();
///     body.continue_with([]); // No fields beside the 100 Continue, if the client waits for one.
///     if body.is_empty() || body.remaining() != Some(12) {
///         return Ok("there are twelve bytes at other times".into());
///     }
///     body.read_exact(&mut [0; 7])?;
///     let mut rest = Vec::new();
///     while let Some(piece) = body.next_piece()? {
///         rest.extend_from_slice(&piece);
///     }
///     assert!(body.trailers().is_none());
///     Ok(rest.into())
/// });
/// # use std::io::Write;
/// # let listener = green::listen("127.0.0.1:0")?;
/// # let mut client = green::connect(listener.local_addr()?)?;
/// # green::spawn_n(move || drop(server.serve(listener)));
/// # client.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 12\r\n\r\nhello, world")?;
/// # let mut answer = String::new();
/// # client.read_to_string(&mut answer)?;
/// # assert!(answer.ends_with("\r\n\r\nworld"), "{answer}");
/// # Ok::<(), io::Error>(())
/// ```
pub struct Body {
    /// `None` if there never was one: most requests have none, and are moved about.
    content: Option<Box<Reading>>,
    facts: Rc<Facts>,
    raw_head: Option<Rc<[u8]>>,
}

/// A body on its way.
struct Reading {
    source: Option<Incoming>,
    data: Bytes,
    trailers: Option<HeaderMap>,
    /// How much of it may still come.
    left: Option<u64>,
    expects: bool,
}

impl Body {
    pub(crate) fn new(
        incoming: Incoming,
        expects: bool,
        limit: Option<u64>,
        facts: &Rc<Facts>,
    ) -> Body {
        let there_is_one = !incoming.is_end_stream();
        facts.body_in_use.set(there_is_one);
        let reading = || Reading {
            source: Some(incoming),
            data: Bytes::new(),
            trailers: None,
            left: limit,
            expects,
        };
        Body {
            content: there_is_one.then(|| Box::new(reading())),
            facts: Rc::clone(facts),
            raw_head: facts.notes.raw.borrow().clone(),
        }
    }

    /// True if there is none, or if it was read to its end.
    pub fn is_empty(&self) -> bool {
        let over = |reading: &Reading| reading.source.is_none() && reading.data.is_empty();
        self.content.as_deref().is_none_or(over)
    }

    /// How many bytes are still to come, if the request says so.
    pub fn remaining(&self) -> Option<u64> {
        let Some(reading) = &self.content else {
            return Some(0);
        };
        let source = match &reading.source {
            Some(source) => source.size_hint().exact()?,
            None => 0,
        };
        Some(source + reading.data.len() as u64)
    }

    /// The fields that came after the body, once that was read to its end.
    pub fn trailers(&self) -> Option<&HeaderMap> {
        self.content.as_ref()?.trailers.as_ref()
    }

    /// The next piece as it has come, without a copy. `None` at the end.
    ///
    /// # Errors
    /// As a read.
    pub fn next_piece(&mut self) -> io::Result<Option<Bytes>> {
        Ok(self.data()?.map(std::mem::take))
    }

    /// All of it that has not been read, as text.
    ///
    /// # Errors
    /// As a read; `InvalidData` if it is no UTF-8.
    pub fn into_string(mut self) -> io::Result<String> {
        let mut text = String::new();
        self.read_to_string(&mut text)?;
        Ok(text)
    }

    /// All of it that has not been read.
    ///
    /// # Errors
    /// As a read.
    pub fn into_bytes(mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Parses what of the body has not been read as JSON.
    ///
    /// # Errors
    /// As a read; `InvalidData` if it is no JSON or not that of a `T`.
    ///
    /// ```
    /// use green_http::{Body, Request, Response, Server};
    ///
    /// let _server = Server::new(|request: Request<Body>| -> std::io::Result<Response> {
    ///     let numbers: Vec<u32> = request.into_body().into_json()?;
    ///     Ok(format!("the sum is {}\n", numbers.iter().sum::<u32>()).into())
    /// });
    /// ```
    #[cfg(feature = "json")]
    pub fn into_json<T: serde::de::DeserializeOwned>(self) -> io::Result<T> {
        let bytes = self.into_bytes()?;
        serde_json::from_slice(&bytes)
            .map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
    }

    /// Sends these fields with the 100 Continue that the first read sends. Does nothing if the client does not wait for
    /// one.
    pub fn continue_with(&self, fields: impl IntoIterator<Item = (HeaderName, HeaderValue)>) {
        if !self.content.as_ref().is_some_and(|reading| reading.expects) {
            return;
        }
        let mut text = Vec::new();
        for (name, value) in fields {
            text.extend_from_slice(name.as_str().as_bytes());
            text.extend_from_slice(b": ");
            text.extend_from_slice(value.as_bytes());
            text.extend_from_slice(b"\r\n");
        }
        let former = self.facts.notes.with_continue.replace(Some(text));
        drop(former);
    }

    pub(crate) fn facts(&self) -> &Rc<Facts> {
        &self.facts
    }

    pub(crate) fn raw_head(&self) -> &[u8] {
        self.raw_head.as_deref().unwrap_or_default()
    }

    /// What has come and was not read, after waiting for it. `None` at the end.
    fn data(&mut self) -> io::Result<Option<&mut Bytes>> {
        let Some(reading) = &mut self.content else {
            return Ok(None);
        };
        while reading.data.is_empty() {
            if !reading.next_frame(&self.facts)? {
                return Ok(None);
            }
        }
        Ok(Some(&mut reading.data))
    }
}

impl Reading {
    /// Waits for the next frame. False at the end.
    fn next_frame(&mut self, facts: &Facts) -> io::Result<bool> {
        let Some(source) = &mut self.source else {
            return Ok(false);
        };
        self.expects = false;
        let frame = try_block_on(poll_fn(|cx| Pin::new(&mut *source).poll_frame(cx)))
            .map_err(|error| io::Error::new(ErrorKind::WouldBlock, error))?;
        let frame = match frame {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => {
                self.finished(facts);
                return Err(broken_off(&error));
            }
            None => {
                self.finished(facts);
                return Ok(false);
            }
        };
        match frame.into_data() {
            Ok(data) => {
                self.count(data.len(), facts)?;
                self.data = data;
            }
            Err(frame) => self.trailers = frame.into_trailers().ok(),
        }
        Ok(true)
    }

    fn count(&mut self, len: usize, facts: &Facts) -> io::Result<()> {
        let Some(left) = self.left else {
            return Ok(());
        };
        match left.checked_sub(len as u64) {
            Some(left) => {
                self.left = Some(left);
                Ok(())
            }
            None => {
                let refusal =
                    Refusal::of(http::StatusCode::PAYLOAD_TOO_LARGE, "the body is too large");
                facts.notes.refused.set(Some(refusal));
                self.finished(facts);
                Err(io::Error::new(ErrorKind::InvalidData, refusal))
            }
        }
    }

    fn finished(&mut self, facts: &Facts) {
        self.source = None;
        facts.body_in_use.set(false);
    }
}

/// What ended a body before its end.
fn broken_off(error: &hyper::Error) -> io::Error {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            if let Some(refusal) = error
                .get_ref()
                .and_then(|inner| inner.downcast_ref::<Refusal>())
            {
                return io::Error::new(error.kind(), *refusal);
            }
            return io::Error::new(error.kind(), format!("the body has broken off: {error}"));
        }
        source = cause.source();
    }
    io::Error::new(
        ErrorKind::UnexpectedEof,
        format!("the body has broken off: {error}"),
    )
}

impl Read for Body {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        let Some(data) = self.data()? else {
            return Ok(0);
        };
        let len = buf.len().min(data.len());
        data.copy_to_slice(&mut buf[..len]);
        Ok(len)
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        let Some(mut reading) = self.content.take() else {
            return;
        };
        let Some(source) = reading.source.take() else {
            return;
        };
        self.facts.body_in_use.set(false);
        // A client that waits for a 100 Continue gets none: the connection is closed instead. A stream of HTTP/2 is
        // reset, which costs the others nothing.
        if !reading.expects && !self.facts.http2 {
            let former = self.facts.leftover.replace(Some(source));
            drop(former);
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}
