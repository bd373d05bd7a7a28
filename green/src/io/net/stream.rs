//! The streams that protocols run over.

use std::io;
use std::net::Shutdown;

use super::{TcpStream, UnixStream};

/// A stream of bytes that several greenthreads may use through `&self`: what a protocol runs over, as TLS and WebSockets
/// do.
///
/// Trying and waiting are apart, so that a protocol borrows nothing of its state while a greenthread waits, and a wait
/// that is cut short has neither taken nor given anything. green's streams have it, and those that other crates put on
/// them, so that protocols can be stacked. The timeouts that a stream was given bound its waits here too.
///
/// ```
/// use std::io;
/// use green::net::Stream;
///
/// /// Reads what comes first, however long that takes.
/// fn read_some<S: Stream>(stream: &S, buf: &mut [u8]) -> io::Result<usize> {
///     loop {
///         stream.readable()?;
///         match stream.try_read(buf) {
///             Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
///             read => return read,
///         }
///     }
/// }
///
/// /// Writes all of it, sends it on its way and says that no more will come.
/// fn write_last<S: Stream>(stream: &S, mut bytes: &[u8]) -> io::Result<()> {
///     stream.send_at_once();
///     while !bytes.is_empty() {
///         stream.writable()?;
///         match stream.try_write(bytes) {
///             Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
///             written => bytes = &bytes[written?..],
///         }
///     }
///     if !stream.is_flushed() {
///         stream.flush()?;
///     }
///     stream.shutdown(std::net::Shutdown::Write)
/// }
///
/// let (near, far) = green::net::UnixStream::pair()?;
/// write_last(&near, b"hello")?;
/// assert_eq!(read_some(&far, &mut [0; 16])?, 5);
/// assert_eq!(read_some(&far, &mut [0; 16])?, 0);
/// Stream::close(&far);
/// # Ok::<(), io::Error>(())
/// ```
pub trait Stream {
    /// Reads what has arrived, without waiting. `Ok(0)` is the end of the stream.
    ///
    /// # Errors
    /// `WouldBlock` if there is nothing.
    fn try_read(&self, buf: &mut [u8]) -> io::Result<usize>;

    /// Writes what fits, without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if nothing fits.
    fn try_write(&self, buf: &[u8]) -> io::Result<usize>;

    /// Waits until [`try_read`](Stream::try_read) may find something.
    ///
    /// # Errors
    /// If it cannot wait: its timeout has passed, the stream was closed, another greenthread waits for the same.
    fn readable(&self) -> io::Result<()>;

    /// Waits until [`try_write`](Stream::try_write) may write something.
    ///
    /// # Errors
    /// As [`readable`](Stream::readable).
    fn writable(&self) -> io::Result<()>;

    /// Waits until what was written has left this stream's own buffers.
    ///
    /// # Errors
    /// As [`writable`](Stream::writable).
    fn flush(&self) -> io::Result<()>;

    /// True if [`flush`](Stream::flush) has nothing to do.
    fn is_flushed(&self) -> bool {
        true
    }

    /// Asks for small writes to go out at once, where they would be gathered otherwise (`TCP_NODELAY`).
    fn send_at_once(&self) {}

    /// Ends reading, writing or both.
    ///
    /// # Errors
    /// What the system says.
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;

    /// Closes it now: who waits, or comes later, gets an error.
    fn close(&self);
}

macro_rules! implement {
    ($stream:ident, $prepare:expr) => {
        impl Stream for $stream {
            #[inline]
            fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
                $stream::try_read(self, buf)
            }

            #[inline]
            fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
                $stream::try_write(self, buf)
            }

            #[inline]
            fn readable(&self) -> io::Result<()> {
                $stream::readable(self)
            }

            #[inline]
            fn writable(&self) -> io::Result<()> {
                $stream::writable(self)
            }

            fn flush(&self) -> io::Result<()> {
                Ok(())
            }

            fn send_at_once(&self) {
                $prepare(self);
            }

            fn shutdown(&self, how: Shutdown) -> io::Result<()> {
                $stream::shutdown(self, how)
            }

            fn close(&self) {
                $stream::close(self);
            }
        }
    };
}

// A connection that was reset meanwhile says so when it is used.
implement!(TcpStream, |stream: &TcpStream| drop(
    stream.set_nodelay(true)
));
implement!(UnixStream, |_: &UnixStream| ());
