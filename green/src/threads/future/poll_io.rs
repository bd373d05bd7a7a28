//! What the I/O traits of async libraries need of a stream, and green's streams as such.

use std::cell::Cell;
use std::io::{self, IoSlice, IoSliceMut};
use std::task::{Context, Poll, ready};

use crate::net::retry::Transfer;
use crate::net::{HasIo, Shutdown, TcpStream, UnixStream};
use crate::runtime::{Runtime, ThreadState};

/// Memory that is not initialised is filled through a buffer of this size, one for each thread: safe code cannot read
/// into it.
const SCRATCH: usize = 64 * 1024;

/// A stream that async code polls through a reference. [`impl_futures_io!`](crate::impl_futures_io),
/// [`impl_tokio_io!`](crate::impl_tokio_io) and [`impl_hyper_io!`](crate::impl_hyper_io), each with the feature of that
/// name, make the I/O traits of async libraries of it, for the stream and for references to it.
///
/// A method that gives `Pending` has the task woken when it is worth another try. The sockets of [`net`](crate::net) are
/// such streams, and so are those of other crates that lie on them.
///
/// ```
/// # #[cfg(feature = "futures-io")] {
/// use std::cell::Cell;
/// use std::future::poll_fn;
/// use std::io::{self, IoSlice, IoSliceMut};
/// use std::task::{Context, Poll};
/// use green::future::{PollIo, block_on};
/// use green::net::UnixStream;
///
/// /// Counts what is written.
/// struct Counted(UnixStream, Cell<usize>);
///
/// impl PollIo for Counted {
///     fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
///         self.0.poll_read(cx, buf)
///     }
///
///     fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
///         let written = PollIo::poll_write(&self.0, cx, buf);
///         written.map_ok(|len| {
///             self.1.set(self.1.get() + len);
///             len
///         })
///     }
///
///     fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
///         PollIo::poll_flush(&self.0, cx)
///     }
///
///     fn poll_end(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
///         self.0.poll_end(cx)
///     }
/// }
///
/// green::impl_futures_io!(Counted);
///
/// fn has_the_traits<S: futures_io::AsyncRead + futures_io::AsyncWrite>(_: &S) {}
///
/// let (near, far) = UnixStream::pair().unwrap();
/// let counted = Counted(near, Cell::new(0));
/// has_the_traits(&counted);
/// has_the_traits(&&counted);
/// let bufs = [b"four", b"five"].map(|text| IoSlice::new(text));
/// let written = block_on(poll_fn(|cx| counted.poll_write_vectored(cx, &bufs)));
/// assert_eq!((written.unwrap(), counted.1.get()), (4, 4));
/// let (mut f, mut o) = ([0; 1], [0; 1]);
/// block_on(poll_fn(|cx| {
///     far.poll_read_vectored(cx, &mut [IoSliceMut::new(&mut f), IoSliceMut::new(&mut o)])
/// }))
/// .unwrap();
/// let mut rest = Vec::new();
/// block_on(poll_fn(|cx| far.poll_read_with(cx, 100, |bytes| rest.extend(bytes)))).unwrap();
/// assert_eq!((&f, &o, &rest[..]), (b"f", b"o", &b"ur"[..]));
/// # }
/// ```
pub trait PollIo {
    /// Reads what there is, up to the length of `buf`. Nothing at all is the end.
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes as much of `buf` as is taken.
    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>>;

    /// Sees to it that what was written goes out.
    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ends what is written: the peer reads to the end. Reading goes on.
    fn poll_end(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// As [`poll_read`](PollIo::poll_read), into several buffers; into the first that has room unless the stream knows
    /// better.
    fn poll_read_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = bufs.iter_mut().find(|buf| !buf.is_empty());
        self.poll_read(cx, first.map_or(&mut [], |buf| &mut **buf))
    }

    /// As [`poll_write`](PollIo::poll_write), of several buffers; of the first that has something unless the stream
    /// knows better.
    fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = bufs.iter().find(|buf| !buf.is_empty());
        self.poll_write(cx, first.map_or(&[], |buf| &**buf))
    }

    /// Reads up to `limit` bytes and calls `take` with them, once: for memory that is not initialised. They come by a
    /// buffer of the thread unless the stream has them in memory.
    fn poll_read_with(
        &self,
        cx: &mut Context<'_>,
        limit: usize,
        mut take: impl FnMut(&[u8]),
    ) -> Poll<io::Result<()>> {
        let buffer = Runtime::with(Runtime::state::<Scratch>);
        let mut scratch = buffer.0.take();
        scratch.resize(SCRATCH, 0);
        let read = self.poll_read(cx, &mut scratch[..limit.min(SCRATCH)]);
        if let Poll::Ready(Ok(len)) = read {
            take(&scratch[..len]);
        }
        buffer.0.set(scratch);
        ready!(read)?;
        Poll::Ready(Ok(()))
    }
}

/// The buffer of a thread.
#[derive(Default)]
struct Scratch(Cell<Vec<u8>>);

impl ThreadState for Scratch {}

impl<S: PollIo> PollIo for &S {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        S::poll_read(self, cx, buf)
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        S::poll_write(self, cx, buf)
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        S::poll_flush(self, cx)
    }

    fn poll_end(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        S::poll_end(self, cx)
    }

    fn poll_read_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        S::poll_read_vectored(self, cx, bufs)
    }

    fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        S::poll_write_vectored(self, cx, bufs)
    }

    fn poll_read_with(
        &self,
        cx: &mut Context<'_>,
        limit: usize,
        take: impl FnMut(&[u8]),
    ) -> Poll<io::Result<()>> {
        S::poll_read_with(self, cx, limit, take)
    }
}

macro_rules! of_socket {
    ($stream:ty) => {
        impl PollIo for $stream {
            fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
                self.io().poll_transfer(cx, Transfer::Read(buf))
            }

            fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                self.io().poll_transfer(cx, Transfer::Write(buf))
            }

            fn poll_flush(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            /// Shuts the writing half down; the descriptor stays open.
            fn poll_end(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(self.shutdown_safe(Shutdown::Write))
            }

            fn poll_read_vectored(
                &self,
                cx: &mut Context<'_>,
                bufs: &mut [IoSliceMut<'_>],
            ) -> Poll<io::Result<usize>> {
                self.io().poll_transfer(cx, Transfer::ReadVectored(bufs))
            }

            fn poll_write_vectored(
                &self,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.io().poll_transfer(cx, Transfer::WriteVectored(bufs))
            }
        }
    };
}

of_socket!(TcpStream);
of_socket!(UnixStream);
