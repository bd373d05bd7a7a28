//! The stream as hyper has it.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};

use crate::transport::Transport;
use crate::wire::Wire;

/// What hyper reads from and writes to. It takes one buffer at a time, so that hyper puts the head of an answer and its
/// body into one: for the system that is cheaper to take than several.
pub(crate) struct HyperIo<T>(pub(crate) Rc<Wire<T>>);

impl<T: Transport> Read for HyperIo<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.poll_read_into(cx, &mut buf)
    }
}

impl<T: Transport> Write for HyperIo<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.notes.asked.set(false);
        self.0.poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.0.next_is_here() {
            return Poll::Ready(Ok(()));
        }
        ready!(self.0.poll_write_held(cx))?;
        let flushed = Pin::new(&mut *self.0.transport.borrow_mut()).poll_flush(cx);
        if flushed.is_pending() {
            self.0.notes.asked.set(false);
        }
        flushed
    }

    /// hyper is done. The connection is ended by those who own it.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_write_held(cx)
    }
}
