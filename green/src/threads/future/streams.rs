//! The I/O traits of async libraries, on green's streams and on references to them.

use std::io::{self, IoSlice, Read, Write};
use std::os::fd::AsFd;
use std::task::{Context, Poll};

use hub_core::Direction;

use crate::net::io::{Io, is_short, total};
use crate::net::{Shutdown, TcpStream, UnixStream};

/// Calls `$implement` for each type that gets the traits.
macro_rules! for_streams {
    ($implement:ident) => {
        $implement!(crate::net::TcpStream);
        $implement!(&crate::net::TcpStream);
        $implement!(crate::net::UnixStream);
        $implement!(&crate::net::UnixStream);
    };
}

pub(super) use for_streams;

/// What all of the traits ask for.
impl<T: AsFd + 'static> Io<T>
where
    for<'a> &'a T: Read + Write,
{
    #[inline]
    fn poll_transfer(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        wanted: usize,
        op: impl FnMut(&T) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        self.poll(cx, direction, op, |&done| is_short(done, wanted))
    }

    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let wanted = buf.len();
        self.poll_transfer(cx, Direction::Read, wanted, |mut stream| stream.read(buf))
    }

    #[cfg(feature = "futures-io")]
    pub(super) fn poll_read_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [io::IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let wanted = total(bufs);
        self.poll_transfer(cx, Direction::Read, wanted, |mut stream| {
            stream.read_vectored(bufs)
        })
    }

    pub(super) fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let wanted = buf.len();
        self.poll_transfer(cx, Direction::Write, wanted, |mut stream| stream.write(buf))
    }

    pub(super) fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wanted = total(bufs);
        self.poll_transfer(cx, Direction::Write, wanted, |mut stream| {
            stream.write_vectored(bufs)
        })
    }
}

/// The end of what async code writes: the other end reads to its end.
pub(super) trait ShutDown {
    fn shut_down(&self) -> io::Result<()>;
}

impl ShutDown for TcpStream {
    fn shut_down(&self) -> io::Result<()> {
        ended(self.shutdown(Shutdown::Write))
    }
}

impl ShutDown for UnixStream {
    fn shut_down(&self) -> io::Result<()> {
        ended(self.shutdown(Shutdown::Write))
    }
}

/// A connection that the other end has ended before is as ended as can be.
fn ended(shutdown: io::Result<()>) -> io::Result<()> {
    match shutdown {
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
        shutdown => shutdown,
    }
}
