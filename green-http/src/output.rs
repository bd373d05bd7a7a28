//! What goes out on a connection: gathered while another request has come, and bounded in time.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use crate::transport::Transport;
use crate::wire::Wire;

/// So much is taken from hyper though the client takes nothing: the end of an answer never gets lost with hyper.
const ALWAYS_TAKEN: usize = 16 * 1024;
/// So much is held back at most.
const HELD: usize = 64 * 1024;
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

#[derive(Default)]
pub(crate) struct Output {
    bytes: Vec<u8>,
    start: usize,
    /// True if somebody will write what is held back.
    flusher: bool,
}

impl Output {
    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.bytes.len()
    }

    fn has_room(&self, len: usize) -> bool {
        self.bytes.len() - self.start + len <= HELD
    }
}

impl<T: Transport> Wire<T> {
    /// Writes what is held back. `Pending` leaves some of it.
    pub(crate) fn poll_write_held(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let output = &mut *self.output.borrow_mut();
        while !output.is_empty() {
            let held = &output.bytes[output.start..];
            let written = Pin::new(&mut *self.transport.borrow_mut()).poll_write(cx, held);
            output.start += ready!(self.written(written))?;
        }
        if !output.bytes.is_empty() {
            output.start = 0;
            output.bytes.clear();
            output.bytes.shrink_to(4096);
        }
        Poll::Ready(Ok(()))
    }

    /// Sets the deadline of a write that waits, or finds that it has passed.
    fn written(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let (clock, deadlines) = (&self.watched.clock, &self.watched.deadlines);
        match written {
            Poll::Ready(Ok(0)) => {
                self.notes.broken.set(true);
                Poll::Ready(Err(ErrorKind::WriteZero.into()))
            }
            Poll::Ready(Ok(len)) => {
                deadlines.write.set(None);
                Poll::Ready(Ok(len))
            }
            Poll::Ready(Err(error)) => {
                self.notes.broken.set(true);
                Poll::Ready(Err(error))
            }
            Poll::Pending => match deadlines.write.get() {
                Some(deadline) if clock.now() >= deadline => {
                    self.notes.broken.set(true);
                    Poll::Ready(Err(io::Error::new(
                        ErrorKind::TimedOut,
                        "the client takes nothing of the answer",
                    )))
                }
                Some(_) => Poll::Pending,
                None => {
                    deadlines.write.set(clock.after(self.rules.timeouts.write));
                    Poll::Pending
                }
            },
        }
    }

    /// Takes `buf`, or some of it: what hyper has put together of an answer.
    pub(crate) fn poll_write(
        self: &Rc<Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.notes.with_continue.borrow().is_some() && self.extend_continue(buf) {
            let _ = self.poll_write_held(cx)?;
            return Poll::Ready(Ok(CONTINUE.len()));
        }
        let more = self.next_is_here();
        let mut output = self.output.borrow_mut();
        let is_empty = output.is_empty();
        if (more || !is_empty) && output.has_room(buf.len()) {
            output.bytes.extend_from_slice(buf);
            if more {
                self.flush_later(&mut output);
            } else {
                // In one write with what is held back.
                drop(output);
                let _ = self.poll_write_held(cx)?;
            }
            return Poll::Ready(Ok(buf.len()));
        }
        drop(output);
        if !is_empty {
            ready!(self.poll_write_held(cx))?;
        }
        let written = Pin::new(&mut *self.transport.borrow_mut()).poll_write(cx, buf);
        if written.is_pending() && buf.len() <= ALWAYS_TAKEN {
            self.hold(buf);
            let _ = self.poll_write_held(cx)?;
            return Poll::Ready(Ok(buf.len()));
        }
        self.written(written)
    }

    /// Writes a 100 Continue with the fields that the handler wants there, in the place of hyper's.
    fn extend_continue(&self, buf: &[u8]) -> bool {
        let starts = buf.starts_with(CONTINUE);
        let Some(fields) = starts.then(|| self.notes.with_continue.take()).flatten() else {
            return false;
        };
        let output = &mut *self.output.borrow_mut();
        output
            .bytes
            .extend_from_slice(&CONTINUE[..CONTINUE.len() - 2]);
        output.bytes.extend_from_slice(&fields);
        output.bytes.extend_from_slice(b"\r\n");
        true
    }

    /// True if the head of another request has come.
    pub(crate) fn next_is_here(&self) -> bool {
        let input = &mut *self.input.borrow_mut();
        if input.opaque || input.bytes.len() == input.start {
            return false;
        }
        if input.passed == 0 && !input.guard.is_in_body() && self.notes.refused.get().is_none() {
            // A refusal is found again when hyper asks for the request.
            let _ = input.check(&self.rules);
        }
        input.head
    }

    /// Has what is held back written when this greenthread lets others run.
    fn flush_later(self: &Rc<Self>, output: &mut Output) {
        if !std::mem::replace(&mut output.flusher, true) {
            let wire = Rc::downgrade(self);
            green::spawn_n(move || {
                if let Some(wire) = wire.upgrade() {
                    wire.output.borrow_mut().flusher = false;
                    // What does not go out now goes out when hyper next writes or reads.
                    let _ = wire.poll_write_held(&mut Context::from_waker(Waker::noop()));
                }
            });
        }
    }

    /// Puts bytes behind what is held back.
    pub(crate) fn hold(&self, bytes: &[u8]) {
        self.output.borrow_mut().bytes.extend_from_slice(bytes);
    }
}
