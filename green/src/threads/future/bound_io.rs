//! The I/O traits of async libraries on values that are bound to their thread.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::ThreadBound;

impl<T: Unpin + 'static> ThreadBound<T> {
    /// Polls the stream in it, or fails.
    fn poll<R>(
        &self,
        poll: impl FnOnce(Pin<&mut T>) -> Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        match self.try_with(|stream| poll(Pin::new(stream))) {
            Ok(polled) => polled,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

/// Implements a trait's methods for writing, whose last has this name. `$vectored` is there where the trait asks.
macro_rules! writes {
    ($write:path, $close:ident $(, $vectored:ident)?) => {
        impl<T: $write + Unpin + 'static> $write for ThreadBound<T> {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.poll(|stream| stream.poll_write(cx, buf))
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.poll(|stream| stream.poll_write_vectored(cx, bufs))
            }

            $(fn $vectored(&self) -> bool {
                self.try_with(|stream| stream.$vectored()).unwrap_or(false)
            })?

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.poll(|stream| stream.poll_flush(cx))
            }

            fn $close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.poll(|stream| stream.$close(cx))
            }
        }
    };
}

#[cfg(feature = "futures-io")]
impl<T: futures_io::AsyncRead + Unpin + 'static> futures_io::AsyncRead for ThreadBound<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll(|stream| stream.poll_read(cx, buf))
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [io::IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll(|stream| stream.poll_read_vectored(cx, bufs))
    }
}

#[cfg(feature = "futures-io")]
writes!(futures_io::AsyncWrite, poll_close);

#[cfg(feature = "tokio")]
impl<T: tokio::io::AsyncRead + Unpin + 'static> tokio::io::AsyncRead for ThreadBound<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut tokio::io::ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll(|stream| stream.poll_read(cx, buf))
    }
}

#[cfg(feature = "tokio")]
writes!(tokio::io::AsyncWrite, poll_shutdown, is_write_vectored);

#[cfg(feature = "hyper")]
impl<T: hyper::rt::Read + Unpin + 'static> hyper::rt::Read for ThreadBound<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll(|stream| stream.poll_read(cx, buf))
    }
}

#[cfg(feature = "hyper")]
writes!(hyper::rt::Write, poll_shutdown, is_write_vectored);
