//! What a handler answers.

use std::error::Error;
use std::fmt;
use std::io::{self, Read};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, TRAILER};
use http::{HeaderMap, StatusCode};

use crate::upgrade::{TakeOver, Upgraded};
use crate::writer::Writer;

/// An answer: a status, header fields and a [`Content`].
///
/// Much turns into one by itself: text, bytes, a status, a status with either, [`http::Response`], and a `Result` of
/// any of them, whose error is answered with 500.
///
/// ```
/// use green_http::{Content, Response, StatusCode};
///
/// let hello = Response::new("hello\n");
/// assert_eq!(hello.headers()["content-type"], "text/plain; charset=utf-8");
/// let missing: Response = (StatusCode::NOT_FOUND, "there is no such page\n").into();
/// assert_eq!(missing.status(), 404);
/// let made = Response::new(Content::reader(std::io::empty())).with_header("content-type", "image/png");
/// assert_eq!(made.status(), 200);
///
/// let mut response = Response::new("made\n").with_status(StatusCode::CREATED);
/// response.headers_mut().insert("location", "/made/1".parse()?);
/// assert_eq!((response.status(), response.headers().len()), (StatusCode::CREATED, 2));
/// let summed = Response::new(()).with_trailers(&["x-sum".parse()?]); // See `Writer`.
/// assert_eq!(summed.headers()["trailer"], "x-sum");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Response {
    head: http::Response<()>,
    pub(crate) content: Content,
}

/// The body of an answer.
///
/// ```
/// use std::io::{self, Read};
/// use green_http::{Bytes, Content, Response};
///
/// let text = Response::new(Content::from("hello\n"));
/// let endless = Content::reader(io::repeat(b'x'));
/// let exact = Content::sized_reader(io::repeat(b'x').take(1024), 1024);
/// let pieces = Content::pieces(["one ", "after ", "the other"]);
/// let fallible = Content::try_pieces([Ok(Bytes::from("one ")), Err(io::ErrorKind::Other.into())]);
/// # drop((text, endless, exact, pieces, fallible));
/// ```
pub struct Content(pub(crate) Kind);

pub(crate) enum Kind {
    Bytes(Bytes),
    Reader(Box<dyn Read>, Option<u64>),
    Pieces(Box<dyn Iterator<Item = io::Result<Bytes>>>),
    Callback(Callback),
    /// The connection is somebody else's.
    TakeOver(TakeOver),
    /// What a handler has failed with.
    Failed(Box<dyn Error>),
}

type Callback = Box<dyn FnOnce(&mut Writer) -> io::Result<()>>;

impl Content {
    /// All that a reader gives, up to its end. Its length is not known: it is sent in chunks, to a client of HTTP/1.0
    /// up to the end of the connection.
    pub fn reader(reader: impl Read + 'static) -> Content {
        Content(Kind::Reader(Box::new(reader), None))
    }

    /// The first `length` bytes that a reader gives. If it gives fewer, the answer is cut off.
    pub fn sized_reader(reader: impl Read + 'static, length: u64) -> Content {
        Content(Kind::Reader(Box::new(reader), Some(length)))
    }

    /// Piece after piece of an iterator, each of which is sent as it comes. Empty ones are left out.
    pub fn pieces<I>(pieces: I) -> Content
    where
        I: IntoIterator<IntoIter: 'static>,
        I::Item: Into<Bytes>,
    {
        let pieces = pieces.into_iter().map(|piece| Ok(piece.into()));
        Content(Kind::Pieces(Box::new(pieces)))
    }

    /// As [`pieces`](Content::pieces), for an iterator that may fail: the answer is then cut off.
    pub fn try_pieces<I>(pieces: I) -> Content
    where
        I: IntoIterator<Item = io::Result<Bytes>, IntoIter: 'static>,
    {
        Content(Kind::Pieces(Box::new(pieces.into_iter())))
    }

    /// What `write` writes, in a greenthread of its own. If it fails or panics, the answer is cut off, so that it never
    /// looks complete.
    ///
    /// ```
    /// use std::io::Write;
    /// use green_http::{Content, Response};
    ///
    /// let table = Response::new(Content::written(|out| {
    ///     for n in 1..=10 {
    ///         writeln!(out, "{n}\t{}", n * n)?;
    ///     }
    ///     Ok(())
    /// }));
    /// ```
    pub fn written(write: impl FnOnce(&mut Writer) -> io::Result<()> + 'static) -> Content {
        Content(Kind::Callback(Box::new(write)))
    }

    /// `value`, written as JSON.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    ///
    /// ```
    /// use green_http::{Content, Response};
    ///
    /// let content = Content::json(&["one", "two"])?;
    /// let answer = Response::new(content).with_header("content-type", "application/vnd.api+json");
    /// assert_eq!(answer.status(), 200);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[cfg(feature = "json")]
    pub fn json(value: &impl serde::Serialize) -> io::Result<Content> {
        Ok(Content::from(serde_json::to_vec(value)?))
    }
}

impl Response {
    /// An answer of 200. Text is sent as `text/plain`, unless a header field says otherwise.
    pub fn new(content: impl Into<Response>) -> Response {
        content.into()
    }

    /// An answer of 200 with `value` as JSON, or of 500 if it cannot be written as JSON.
    ///
    /// ```
    /// let answer = green_http::Response::json(&["one", "two"]);
    /// assert_eq!(answer.headers()["content-type"], "application/json");
    /// ```
    #[cfg(feature = "json")]
    pub fn json(value: &impl serde::Serialize) -> Response {
        let json = HeaderValue::from_static("application/json");
        Response::from(Content::json(value)).with_header(CONTENT_TYPE, json)
    }

    /// An answer of 101: `take` gets the connection when that is out, in place of HTTP. Only for a request that asks for
    /// it in an `Upgrade` field; say there which protocol it is now.
    ///
    /// ```
    /// use std::io::Write;
    /// use green_http::{Response, Server};
    ///
    /// let server = Server::new(|_| {
    ///     Response::upgrade("greeting", |mut connection| drop(connection.write_all(b"hello\n")))
    /// });
    /// # use std::io::Read;
    /// # let listener = green::listen("127.0.0.1:0")?;
    /// # let mut client = green::connect(listener.local_addr()?)?;
    /// # green::spawn_n(move || drop(server.serve(listener)));
    /// # client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: greeting\r\n\r\n")?;
    /// # let mut answer = String::new();
    /// # client.read_to_string(&mut answer)?;
    /// # assert!(answer.ends_with("\r\n\r\nhello\n"), "{answer}");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn upgrade(protocol: &str, take: impl FnOnce(Upgraded) + 'static) -> Response {
        Response::from(Content(Kind::TakeOver(Box::new(take))))
            .with_status(StatusCode::SWITCHING_PROTOCOLS)
            .with_header("connection", "upgrade")
            .with_header("upgrade", protocol)
    }

    /// The same answer with another status.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Response {
        *self.head.status_mut() = status;
        self
    }

    /// The same answer with a header field, which replaces others of its name.
    ///
    /// # Panics
    /// If `name` or `value` is none: for what comes from elsewhere there is [`Response::headers_mut`].
    #[must_use]
    pub fn with_header<N, V>(mut self, name: N, value: V) -> Response
    where
        N: TryInto<HeaderName, Error: fmt::Debug>,
        V: TryInto<HeaderValue, Error: fmt::Debug>,
    {
        let name = name.try_into().expect("the name of a header field");
        let value = value.try_into().expect("the value of a header field");
        self.head.headers_mut().insert(name, value);
        self
    }

    /// Says which fields come after the content: [`Writer::trailers`]. Clients that do not ask for any do not get them.
    #[must_use]
    pub fn with_trailers(mut self, names: &[HeaderName]) -> Response {
        for name in names {
            self.head
                .headers_mut()
                .append(TRAILER, HeaderValue::from(name.clone()));
        }
        self
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.head.status()
    }

    /// The header fields of the answer.
    pub fn headers(&self) -> &HeaderMap {
        self.head.headers()
    }

    /// The header fields, to be changed.
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        self.head.headers_mut()
    }

    pub(crate) fn status_mut(&mut self) -> &mut StatusCode {
        self.head.status_mut()
    }

    pub(crate) fn into_parts(self) -> (http::Response<()>, Content) {
        (self.head, self.content)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status())
            .field("headers", self.headers())
            .field("content", &self.content)
            .finish()
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.0 {
            Kind::Bytes(bytes) => return write!(f, "{} bytes", bytes.len()),
            Kind::Reader(_, Some(length)) => return write!(f, "a reader of {length} bytes"),
            Kind::Reader(_, None) => "a reader",
            Kind::Pieces(_) => "pieces",
            Kind::Callback(_) => "a callback",
            Kind::TakeOver(_) => "another protocol",
            Kind::Failed(error) => return write!(f, "the error {error}"),
        };
        f.write_str(kind)
    }
}

impl From<Content> for Response {
    fn from(content: Content) -> Response {
        Response {
            head: http::Response::new(()),
            content,
        }
    }
}

fn text(content: impl Into<Content>) -> Response {
    let mut response = Response::from(content.into());
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    response
}

impl From<&'static str> for Response {
    fn from(content: &'static str) -> Response {
        text(content)
    }
}

impl From<String> for Response {
    fn from(content: String) -> Response {
        text(content)
    }
}

impl From<Vec<u8>> for Response {
    fn from(content: Vec<u8>) -> Response {
        Content::from(content).into()
    }
}

impl From<Bytes> for Response {
    fn from(content: Bytes) -> Response {
        Content::from(content).into()
    }
}

impl From<()> for Response {
    /// An empty answer of 200.
    fn from((): ()) -> Response {
        Content::from(Bytes::new()).into()
    }
}

impl From<StatusCode> for Response {
    /// An answer that says in its body what its status means.
    fn from(status: StatusCode) -> Response {
        let mut response = match status.canonical_reason() {
            Some(reason)
                if !status.is_informational()
                    && status != StatusCode::NO_CONTENT
                    && status != StatusCode::NOT_MODIFIED =>
            {
                text(format!("{reason}\n"))
            }
            _ => Response::from(()),
        };
        *response.status_mut() = status;
        response
    }
}

impl<T: Into<Response>> From<(StatusCode, T)> for Response {
    fn from((status, content): (StatusCode, T)) -> Response {
        content.into().with_status(status)
    }
}

impl<T: Into<Content>> From<http::Response<T>> for Response {
    fn from(response: http::Response<T>) -> Response {
        let (parts, content) = response.into_parts();
        Response {
            head: http::Response::from_parts(parts, ()),
            content: content.into(),
        }
    }
}

impl<T: Into<Response>, E: Into<Box<dyn Error>>> From<Result<T, E>> for Response {
    /// An error is answered with 500, and logged.
    fn from(result: Result<T, E>) -> Response {
        match result {
            Ok(content) => content.into(),
            Err(error) => Response::from(Content(Kind::Failed(error.into())))
                .with_status(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

macro_rules! contents {
    ($($from:ty),*) => {
        $(impl From<$from> for Content {
            fn from(content: $from) -> Content {
                Content(Kind::Bytes(Bytes::from(content)))
            }
        })*
    };
}

contents!(&'static str, &'static [u8], String, Vec<u8>, Bytes);

impl From<()> for Content {
    fn from((): ()) -> Content {
        Content(Kind::Bytes(Bytes::new()))
    }
}
