//! Heads of HTTP/1.1, of requests and answers.

use std::io;

use crate::{Error, Stream};

/// How long a head may be.
const LONGEST: usize = 16 * 1024;
const MOST_FIELDS: usize = 100;

/// The request for a WebSocket: what a server's handler may want to know of its client.
///
/// ```
/// use green_ws::Request;
///
/// let request = Request::new("GET", "/chat?room=1", [("Host", "example.com"), ("Origin", "http://example.com")]);
/// assert_eq!(request.path(), "/chat?room=1");
/// assert_eq!(request.header("host"), Some("example.com"));
/// assert_eq!(request.headers("cookie").count(), 0);
/// assert_eq!(request.origin(), Some("http://example.com"));
/// assert!(!request.is_upgrade());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    method: String,
    path: String,
    fields: Vec<(String, String)>,
}

impl Request {
    /// A request that was read elsewhere, as by an HTTP server.
    pub fn new<'a>(
        method: &str,
        path: &str,
        fields: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Request {
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Request {
            method: method.to_owned(),
            path: path.to_owned(),
            fields: fields.into_iter().map(own).collect(),
        }
    }

    /// Reads a request from a stream: for servers that answer others too, as with a page. Gives what came behind it.
    ///
    /// # Errors
    /// [`Error::Refused`] for what is no request of HTTP/1.1, and for a head of more than 16 KiB; what the stream says.
    ///
    /// ```
    /// use std::io::Write;
    /// use green_ws::Request;
    ///
    /// let (mut near, far) = green::net::UnixStream::pair()?;
    /// near.write_all(b"GET /page HTTP/1.1\r\nHost: localhost\r\n\r\nahead")?;
    /// let (request, ahead) = Request::read(&far)?;
    /// assert_eq!((request.path(), request.is_upgrade(), &*ahead), ("/page", false, &b"ahead"[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read<S: Stream>(stream: &S) -> Result<(Request, Vec<u8>), Error> {
        let head = read_head(stream)?;
        Ok((head.request()?, head.ahead().to_vec()))
    }

    /// True if it asks for a WebSocket, rightly or not: [`Upgrade::check`](crate::Upgrade::check) tells.
    pub fn is_upgrade(&self) -> bool {
        lists(self.headers("upgrade"), "websocket")
    }

    /// The path that was asked for, with its query, as it was sent.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where the page comes from that asks, as a browser says.
    pub fn origin(&self) -> Option<&str> {
        self.header("origin")
    }

    /// The value of a header field; of several with this name, the first.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).next()
    }

    /// The values of all header fields with this name.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        values(&self.fields, name)
    }

    pub(super) fn method(&self) -> &str {
        &self.method
    }
}

fn values<'a>(fields: &'a [(String, String)], name: &str) -> impl Iterator<Item = &'a str> {
    fields
        .iter()
        .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| &**value)
}

/// True if one of the elements of comma-separated lists is `token`.
pub(super) fn lists<'a>(mut values: impl Iterator<Item = &'a str>, token: &str) -> bool {
    values.any(|value| {
        value
            .split(',')
            .any(|element| element.trim().eq_ignore_ascii_case(token))
    })
}

/// A server's answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) reason: String,
    fields: Vec<(String, String)>,
}

impl Answer {
    pub(super) fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        values(&self.fields, name)
    }
}

/// A head that was read, and what came behind it.
pub(crate) struct Head {
    bytes: Vec<u8>,
    end: usize,
}

/// Reads up to the empty line that ends a head.
pub(crate) fn read_head<S: Stream>(stream: &S) -> Result<Head, Error> {
    let (mut bytes, mut end) = (vec![0; 1024], 0);
    loop {
        stream.readable()?;
        let read = match stream.try_read(&mut bytes[end..]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            read => read?,
        };
        if read == 0 {
            let text = "the peer closed the connection during the WebSocket handshake";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text).into());
        }
        let seen = end.saturating_sub(3);
        end += read;
        if let Some(at) = bytes[seen..end]
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
        {
            bytes.truncate(end);
            let end = seen + at + 4;
            return Ok(Head { bytes, end });
        }
        if end == bytes.len() {
            if end >= LONGEST {
                return Err(Error::Refused {
                    status: 431,
                    what: format!("the head is longer than {LONGEST} bytes"),
                });
            }
            bytes.resize(2 * end, 0);
        }
    }
}

fn own(fields: &[httparse::Header<'_>]) -> Vec<(String, String)> {
    let own = |field: &httparse::Header<'_>| {
        (
            field.name.to_owned(),
            String::from_utf8_lossy(field.value).into_owned(),
        )
    };
    fields.iter().map(own).collect()
}

fn bad(what: impl Into<String>) -> Error {
    Error::Refused {
        status: 400,
        what: what.into(),
    }
}

impl Head {
    /// What came behind the head.
    pub(crate) fn ahead(&self) -> &[u8] {
        &self.bytes[self.end..]
    }

    pub(crate) fn request(&self) -> Result<Request, Error> {
        let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
        let mut request = httparse::Request::new(&mut fields);
        let parsed = request.parse(&self.bytes[..self.end]);
        let parsed = parsed.map_err(|error| bad(format!("this is no HTTP request: {error}")))?;
        match (
            parsed.is_complete(),
            request.method,
            request.path,
            request.version,
        ) {
            (true, Some(method), Some(path), Some(1)) => Ok(Request {
                method: method.to_owned(),
                path: path.to_owned(),
                fields: own(request.headers),
            }),
            _ => Err(bad("WebSockets need HTTP/1.1")),
        }
    }

    pub(super) fn answer(&self) -> Result<Answer, Error> {
        let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
        let mut answer = httparse::Response::new(&mut fields);
        let parsed = answer.parse(&self.bytes[..self.end]);
        let parsed = parsed.map_err(|error| bad(format!("the answer is no HTTP: {error}")))?;
        match (parsed.is_complete(), answer.code) {
            (true, Some(status)) => Ok(Answer {
                status,
                reason: answer.reason.unwrap_or_default().to_owned(),
                fields: own(answer.headers),
            }),
            _ => Err(bad("the answer is no HTTP")),
        }
    }
}
