//! The I/O traits of async libraries, on [`TlsStream`] and on references to it.

use std::io::{self, BufRead, IoSlice, Read, Write};
use std::task::{Context, Poll};

use green::future::PollIo;

use crate::{PollStream, TlsStream};

impl<S: PollStream> PollIo for TlsStream<S> {
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_take(cx, |reader| reader.read(buf))
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_accept(cx, |writer| writer.write(buf))
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush_ciphertext(cx)
    }

    /// Says that nothing more will come (close_notify) and shuts the writing half down.
    fn poll_end(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_end_writing(cx)
    }

    fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_accept(cx, |writer| writer.write_vectored(bufs))
    }

    /// Straight from what was decrypted.
    fn poll_read_with(
        &self,
        cx: &mut Context<'_>,
        limit: usize,
        mut take: impl FnMut(&[u8]),
    ) -> Poll<io::Result<()>> {
        let taken = self.poll_take(cx, |reader| {
            let decrypted = reader.fill_buf()?;
            let taken = decrypted.len().min(limit);
            take(&decrypted[..taken]);
            reader.consume(taken);
            Ok(taken)
        });
        taken.map_ok(drop)
    }
}

green::impl_futures_io!({S: PollStream + Unpin} TlsStream<S>);
#[cfg(feature = "hyper")]
green::impl_hyper_io!({S: PollStream + Unpin} TlsStream<S>);
#[cfg(feature = "tokio")]
green::impl_tokio_io!({S: PollStream + Unpin} TlsStream<S>);
