//! Pipes.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::Stdio;
use std::time::Duration;

use hub_core::Direction;

use crate::net::io::Io;
use crate::net::retry::Transfer;
use crate::net::verbs::{reads, writes};
use crate::runtime::readiness::closed;

/// The end of a pipe from which to read. Made by [`pipe`].
///
/// It reads what is there and returns 0 when every writer is gone. Wrapped in a
/// [`BufReader`](std::io::BufReader) it reads lines.
///
/// ```
/// use std::io::{Read, Write};
///
/// let (mut reader, mut writer): (green::os::PipeReader, green::os::PipeWriter) = green::os::pipe()?;
/// green::spawn_n(move || writer.write_all(b"hello").unwrap());
/// let mut text = String::new();
/// reader.read_to_string(&mut text)?; // Until the writer is dropped.
/// assert_eq!(text, "hello");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// A bound of the wait, and the close:
///
/// ```
/// use std::io::{ErrorKind, Read};
/// use std::time::Duration;
///
/// let (mut reader, _writer) = green::os::pipe()?;
/// reader.set_read_timeout(Some(Duration::from_millis(1)))?;
/// assert_eq!(reader.read_timeout(), Some(Duration::from_millis(1)));
/// assert_eq!(reader.read(&mut [0]).unwrap_err().kind(), ErrorKind::TimedOut);
/// reader.close();
/// assert_eq!(reader.read(&mut [0]).unwrap_err().kind(), ErrorKind::NotConnected);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct PipeReader {
    io: Io<File>,
}

/// The end of a pipe to which to write. Made by [`pipe`].
///
/// Dropping the last writer is what tells the reader that no more will come. Writing to a pipe whose reader is gone
/// is an error of kind `BrokenPipe`.
///
/// ```
/// use std::io::{Read, Write};
///
/// let (mut reader, mut writer): (green::os::PipeReader, green::os::PipeWriter) = green::os::pipe()?;
/// green::spawn_n(move || writer.write_all(b"hello").unwrap());
/// let mut text = String::new();
/// reader.read_to_string(&mut text)?; // Until the writer is dropped.
/// assert_eq!(text, "hello");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// A bound of the wait, and the close:
///
/// ```
/// use std::io::{ErrorKind, Write};
/// use std::time::Duration;
///
/// let (_reader, mut writer) = green::os::pipe()?;
/// writer.set_write_timeout(Some(Duration::from_millis(1)))?;
/// assert_eq!(writer.write_timeout(), Some(Duration::from_millis(1)));
/// let full = writer.write_all(&[0; 1_000_000]); // Nobody reads.
/// assert_eq!(full.unwrap_err().kind(), ErrorKind::TimedOut);
/// writer.close();
/// assert_eq!(writer.write(b"more").unwrap_err().kind(), ErrorKind::NotConnected);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct PipeWriter {
    io: Io<File>,
}

/// Makes a pipe, whose waits let other greenthreads run. Neither end is inherited by child processes.
///
/// # Errors
/// If the system has no descriptors left.
///
/// ```
/// use std::io::{Read, Write};
///
/// let (mut reader, mut writer) = green::os::pipe()?;
/// green::spawn_n(move || writer.write_all(&[7; 1_000_000]).unwrap());
/// let mut bytes = Vec::new();
/// reader.read_to_end(&mut bytes)?;
/// assert_eq!(bytes.len(), 1_000_000);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    Ok((
        PipeReader::try_from(OwnedFd::from(reader))?,
        PipeWriter::try_from(OwnedFd::from(writer))?,
    ))
}

/// A descriptor of our own, in non-blocking mode. Timeouts set for sockets are not for it.
///
/// It is of unknown kind, also if it is a pipe that was made here: whoever holds the other end may put that into
/// packet mode.
pub(super) fn own(fd: OwnedFd) -> io::Result<Io<File>> {
    rustix::io::ioctl_fionbio(&fd, true)?;
    let io = Io::new(File::from(fd));
    io.set_timeout(Direction::Read, None)?;
    io.set_timeout(Direction::Write, None)?;
    Ok(io)
}

/// The descriptor for somebody who expects it to block.
fn disown(io: Io<File>) -> io::Result<OwnedFd> {
    let fd = io.into_source().ok_or_else(closed)?;
    rustix::io::ioctl_fionbio(&fd, false)?;
    Ok(fd.into())
}

impl PipeReader {
    /// Bounds the wait of each read; `None`, as at first, does not.
    ///
    /// # Errors
    /// `InvalidInput` for a timeout of zero.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.io.set_timeout(Direction::Read, timeout)
    }

    /// The bound of each read.
    pub fn read_timeout(&self) -> Option<Duration> {
        self.io.timeout(Direction::Read)
    }

    /// Closes this end now, also for greenthreads that use it at this moment: they get an error.
    pub fn close(&self) {
        self.io.close();
    }
}

impl PipeWriter {
    /// Bounds the wait of each write; `None`, as at first, does not.
    ///
    /// # Errors
    /// `InvalidInput` for a timeout of zero.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.io.set_timeout(Direction::Write, timeout)
    }

    /// The bound of each write.
    pub fn write_timeout(&self) -> Option<Duration> {
        self.io.timeout(Direction::Write)
    }

    /// Closes this end now, also for greenthreads that use it at this moment: they get an error.
    pub fn close(&self) {
        self.io.close();
    }
}

reads!(PipeReader);
writes!(PipeWriter);

macro_rules! conversions {
    ($end:ident) => {
        /// From now on `close` leaves the descriptor open until this end is dropped.
        impl AsFd for $end {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.io.lend()
            }
        }

        /// Takes a descriptor over and puts it into non-blocking mode, for everybody who shares its open file.
        impl TryFrom<OwnedFd> for $end {
            type Error = io::Error;

            fn try_from(fd: OwnedFd) -> io::Result<$end> {
                Ok($end { io: own(fd)? })
            }
        }

        /// Gives the descriptor away, in blocking mode.
        impl TryFrom<$end> for OwnedFd {
            type Error = io::Error;

            fn try_from(end: $end) -> io::Result<OwnedFd> {
                disown(end.io)
            }
        }

        /// For a child process, which gets it in blocking mode.
        impl TryFrom<$end> for Stdio {
            type Error = io::Error;

            fn try_from(end: $end) -> io::Result<Stdio> {
                Ok(Stdio::from(disown(end.io)?))
            }
        }

        impl fmt::Debug for $end {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($end)).field(&self.io).finish()
            }
        }
    };
}

conversions!(PipeReader);
conversions!(PipeWriter);
