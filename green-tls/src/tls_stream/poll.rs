//! The same for async code: the socket is polled as the state machine asks for bytes, and what it gave stays in the
//! machine, so nothing is lost between polls.

use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};
use rustls::{Reader, Writer};

use super::TlsStream;
use crate::Stream;
use crate::error::{interrupted_handshake, late_handshake};

/// A [`Stream`] that async code can poll through a reference: every one whose references have the traits of
/// `futures_io`.
///
/// ```
/// use green_tls::PollStream;
///
/// fn in_async_code(_: &impl PollStream) {}
/// let (near, _far) = green::net::UnixStream::pair()?;
/// in_async_code(&near);
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait PollStream: Stream {
    #[doc(hidden)]
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;

    #[doc(hidden)]
    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>>;
}

impl<S: Stream> PollStream for S
where
    for<'a> &'a S: AsyncRead + AsyncWrite + Unpin,
{
    #[inline]
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut stream = self;
        AsyncRead::poll_read(Pin::new(&mut stream), cx, buf)
    }

    #[inline]
    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut stream = self;
        AsyncWrite::poll_write(Pin::new(&mut stream), cx, buf)
    }
}

/// What a poll says, as a call that never waits says it.
fn now<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

/// The other way. The socket was polled, so the task will be woken.
fn later<T>(result: io::Result<T>) -> Poll<io::Result<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
        result => Poll::Ready(result),
    }
}

impl<S: PollStream> TlsStream<S> {
    /// Takes decrypted data by `take`, after the handshake.
    pub(crate) fn poll_take(
        &self,
        cx: &mut Context<'_>,
        mut take: impl FnMut(&mut Reader<'_>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_handshake(cx))?;
        loop {
            match later(self.take_with(&mut take)) {
                Poll::Pending => ready!(self.poll_pull(cx))?,
                taken => return taken,
            };
        }
    }

    /// Encrypts what `accept` gives the writer, once all that came before has gone out.
    pub(crate) fn poll_accept(
        &self,
        cx: &mut Context<'_>,
        accept: impl FnOnce(&mut Writer<'_>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_handshake(cx))?;
        self.check_writing()?;
        ready!(self.poll_send(cx))?;
        let accepted = accept(&mut self.machine.borrow_mut().writer())?;
        // What the socket does not take, and its errors, are for the next call.
        let _ = self.poll_send(cx);
        Poll::Ready(Ok(accepted))
    }

    pub(crate) fn poll_flush_ciphertext(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.open.get() {
            true => self.poll_send(cx),
            false => Poll::Ready(Ok(())),
        }
    }

    pub(crate) fn poll_end_writing(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.open.get() {
            self.encrypt_close_notify();
            ready!(self.poll_send(cx))?;
        }
        Poll::Ready(match self.socket().shutdown(Shutdown::Write) {
            // A connection that the other end has ended before is as ended as can be.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            shutdown => shutdown,
        })
    }

    fn poll_handshake(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.open.get() {
            return Poll::Ready(Ok(()));
        }
        self.check_failure()?;
        match self.poll_negotiate(cx) {
            Poll::Pending => self.poll_lateness(cx),
            Poll::Ready(negotiated) => {
                self.open.set(negotiated.is_ok());
                self.sleep.take();
                Poll::Ready(negotiated)
            }
        }
    }

    fn poll_negotiate(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let sent = ready!(self.poll_send(cx));
            if !self.machine.borrow().is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            sent?;
            if ready!(self.poll_pull(cx))? == 0 {
                return Poll::Ready(Err(interrupted_handshake(&self.peer)));
            }
        }
    }

    /// Ready, with an error, when the time for the handshake is up.
    fn poll_lateness(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(deadline) = self.handshake_deadline() else {
            return Poll::Pending;
        };
        let mut sleep = self.sleep.borrow_mut();
        let sleep = sleep.get_or_insert_with(|| green::future::sleep_until(deadline));
        ready!(Pin::new(sleep).poll(cx));
        Poll::Ready(Err(late_handshake(&self.peer, self.timeout)))
    }

    fn poll_pull(&self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        later(self.pull_with(|buf| now(self.socket().poll_read(cx, buf))))
    }

    fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.has_ciphertext() {
            let pushed = self.push_with(|buf| now(self.socket().poll_write(cx, buf)));
            ready!(later(pushed))?;
        }
        Poll::Ready(Ok(()))
    }
}
