//! tokio's I/O traits. Nothing of tokio's runtime is needed.

use std::io::{self, IoSlice, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::for_streams;
use crate::PollStream;

macro_rules! implement {
    ($stream:ty) => {
        impl<S: PollStream + Unpin> AsyncRead for $stream {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                let unfilled = buf.initialize_unfilled();
                let read = ready!(self.poll_take(cx, |reader| reader.read(unfilled)))?;
                buf.advance(read);
                Poll::Ready(Ok(()))
            }
        }

        impl<S: PollStream + Unpin> AsyncWrite for $stream {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.poll_accept(cx, |writer| writer.write(buf))
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.poll_accept(cx, |writer| writer.write_vectored(bufs))
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.poll_flush_ciphertext(cx)
            }

            /// Says that nothing more will come (close_notify) and shuts the writing half down.
            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.poll_end_writing(cx)
            }
        }
    };
}

for_streams!(implement);
