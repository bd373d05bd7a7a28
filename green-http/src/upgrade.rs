//! A connection that has become something else than HTTP's.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, ErrorKind, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use green::future::try_block_on;

use crate::transport::Transport;

/// What gets the connection.
pub(crate) type TakeOver = Box<dyn FnOnce(Upgraded)>;

/// A connection taken over from HTTP: see [`Response::upgrade`](crate::Response::upgrade). It is closed when it is
/// dropped.
///
/// It reads and writes through `&Upgraded` as well, so that one greenthread can read while another writes.
///
/// ```
/// use std::io::{BufRead, BufReader, Write};
/// use green::net::TcpStream;
/// use green_http::{Body, Request, Response, Server};
///
/// let server = Server::new(|request: Request<Body>| match request.uri().path() {
///     "/shout" => Response::upgrade("shout", |connection| {
///         for line in BufReader::new(&connection).lines().map_while(Result::ok).take(1) {
///             let _ = writeln!(&connection, "{}", line.to_uppercase());
///         }
///         let _ = connection.shutdown();
///     }),
///     _ => Response::upgrade("raw", |connection| {
///         if let Ok((stream, ahead)) = connection.downcast::<TcpStream>() {
///             println!("{stream:?} is this handler's now, and {} bytes have come", ahead.len());
///         }
///     }),
/// });
/// # use std::io::Read;
/// # let listener = green::listen("127.0.0.1:0")?;
/// # let address = listener.local_addr()?;
/// # green::spawn_n(move || drop(server.serve(listener)));
/// # for (path, line, end) in [("/shout", "hello\n", "HELLO\n"), ("/raw", "", "\r\n\r\n")] {
/// #     let mut client = green::connect(address)?;
/// #     write!(client, "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n{line}")?;
/// #     let mut answer = String::new();
/// #     client.read_to_string(&mut answer)?;
/// #     assert!(answer.ends_with(end), "{answer}");
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Upgraded {
    stream: Box<dyn Stream>,
    /// What the client has sent behind its request.
    ahead: RefCell<Vec<u8>>,
}

trait Stream {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;
    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>>;
    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    fn poll_close(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
    fn is(&self, of: std::any::TypeId) -> bool;
}

impl<T: Transport> Stream for RefCell<T> {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.borrow_mut()).poll_read(cx, buf)
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.borrow_mut()).poll_write(cx, buf)
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.borrow_mut()).poll_flush(cx)
    }

    fn poll_close(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.borrow_mut()).poll_close(cx)
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        Box::new(self.into_inner())
    }

    fn is(&self, of: std::any::TypeId) -> bool {
        of == std::any::TypeId::of::<T>()
    }
}

impl Upgraded {
    pub(crate) fn new(transport: impl Transport, ahead: Vec<u8>) -> Upgraded {
        Upgraded {
            stream: Box::new(RefCell::new(transport)),
            ahead: RefCell::new(ahead),
        }
    }

    /// The stream itself, as a [`TcpStream`](green::net::TcpStream), and what the client has sent behind its request.
    ///
    /// # Errors
    /// This value, if the stream is of another type.
    pub fn downcast<T: Transport>(self) -> Result<(T, Vec<u8>), Upgraded> {
        if !self.stream.is(std::any::TypeId::of::<T>()) {
            return Err(self);
        }
        match self.stream.into_any().downcast() {
            Ok(stream) => Ok((*stream, self.ahead.into_inner())),
            Err(_) => unreachable!("the type was compared"),
        }
    }

    /// Ends the writing half: the client reads to the end.
    ///
    /// # Errors
    /// As a write.
    pub fn shutdown(&self) -> io::Result<()> {
        wait(|cx| self.stream.poll_close(cx))
    }
}

/// Waits as a green socket does.
fn wait<R>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<io::Result<R>>) -> io::Result<R> {
    match try_block_on(poll_fn(|cx| poll(cx))) {
        Ok(result) => result,
        Err(error) => Err(io::Error::new(ErrorKind::WouldBlock, error)),
    }
}

impl Read for &Upgraded {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut ahead = self.ahead.borrow_mut();
        if !ahead.is_empty() {
            let len = buf.len().min(ahead.len());
            buf[..len].copy_from_slice(&ahead[..len]);
            ahead.drain(..len);
            return Ok(len);
        }
        drop(ahead);
        wait(|cx| self.stream.poll_read(cx, buf))
    }
}

impl Write for &Upgraded {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        wait(|cx| self.stream.poll_write(cx, buf))
    }

    fn flush(&mut self) -> io::Result<()> {
        wait(|cx| self.stream.poll_flush(cx))
    }
}

impl Read for Upgraded {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }
}

impl Write for Upgraded {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&*self).write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self).flush()
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded")
            .field("ahead", &self.ahead.borrow().len())
            .finish_non_exhaustive()
    }
}
