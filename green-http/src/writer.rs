//! What a handler writes to.

use std::fmt;
use std::io::{self, Write};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use crate::slot::Giver;

/// What goes to the client next.
pub(crate) enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
    /// All of it was given: without this the answer is cut off.
    End,
}

/// Pieces up to this size are gathered.
const GATHER: usize = 8 * 1024;

/// Where a [`Content::written`](crate::Content::written) writes to. What is written is gathered until it is [flushed](Write::flush) or makes a
/// piece of 8 KiB.
///
/// ```
/// use std::io::Write;
/// use green_http::{Content, HeaderMap, Response, Server, header::HeaderName};
///
/// const SUM: HeaderName = HeaderName::from_static("x-sum");
///
/// let server = Server::new(|_| {
///     let content = Content::written(|out| {
///         write!(out, "hello, ")?;
///         out.flush()?;
///         out.send("world\n")?;
///         out.trailers(HeaderMap::from_iter([(SUM, 13.into())]));
///         Ok(())
///     });
///     Response::new(content).with_trailers(&[SUM])
/// });
/// # use std::io::Read;
/// # let listener = green::listen("127.0.0.1:0")?;
/// # let mut client = green::connect(listener.local_addr()?)?;
/// # green::spawn_n(move || drop(server.serve(listener)));
/// # client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close, TE\r\nTE: trailers\r\n\r\n")?;
/// # let mut answer = String::new();
/// # client.read_to_string(&mut answer)?;
/// # assert!(answer.contains("world\n") && answer.ends_with("x-sum: 13\r\n\r\n"), "{answer}");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Writer {
    giver: Giver<Piece>,
    gathered: BytesMut,
    trailers: Option<HeaderMap>,
}

impl Writer {
    pub(crate) fn new(giver: Giver<Piece>) -> Writer {
        Writer {
            giver,
            gathered: BytesMut::new(),
            trailers: None,
        }
    }

    /// Sends a piece as it is, without a copy.
    ///
    /// # Errors
    /// `BrokenPipe` if the client takes no more.
    pub fn send(&mut self, piece: impl Into<Bytes>) -> io::Result<()> {
        self.flush()?;
        let piece = piece.into();
        match piece.is_empty() {
            true => Ok(()),
            false => self.giver.give(Piece::Data(piece)),
        }
    }

    /// Has these fields sent after the content, to a client that asks for such: with `TE: trailers` in HTTP/1.1. Their
    /// names must have been declared by [`Response::with_trailers`](crate::Response::with_trailers).
    pub fn trailers(&mut self, fields: HeaderMap) {
        self.trailers = Some(fields);
    }

    /// Says that all was written.
    pub(crate) fn end(mut self) -> io::Result<()> {
        self.flush()?;
        if let Some(fields) = self.trailers.take() {
            self.giver.give(Piece::Trailers(fields))?;
        }
        self.giver.give(Piece::End)
    }
}

impl Write for Writer {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.gathered.len() + buf.len() > GATHER {
            self.flush()?;
        }
        if buf.len() >= GATHER {
            self.giver.give(Piece::Data(Bytes::copy_from_slice(buf)))?;
        } else {
            self.gathered.extend_from_slice(buf);
        }
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.gathered.is_empty() {
            true => Ok(()),
            false => self.giver.give(Piece::Data(self.gathered.split().freeze())),
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("gathered", &self.gathered.len())
            .finish_non_exhaustive()
    }
}
