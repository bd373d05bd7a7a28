//! hyper's I/O traits.

use std::io::{self, BufRead, IoSlice, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};

use super::for_streams;
use crate::PollStream;

macro_rules! implement {
    ($stream:ty) => {
        impl<S: PollStream + Unpin> Read for $stream {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                mut buf: ReadBufCursor<'_>,
            ) -> Poll<io::Result<()>> {
                // hyper lends memory that is not initialised: it is filled straight from what was decrypted.
                let taken = self.poll_take(cx, |reader| {
                    let decrypted = reader.fill_buf()?;
                    let taken = decrypted.len().min(buf.remaining());
                    buf.put_slice(&decrypted[..taken]);
                    reader.consume(taken);
                    Ok(taken)
                });
                taken.map_ok(drop)
            }
        }

        impl<S: PollStream + Unpin> Write for $stream {
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
