//! futures-io's traits for any descriptor

use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind, Read, Write};
use std::ops::Deref;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures_lite::{AsyncRead, AsyncWrite};
use hub_core::{Direction, NotReady, ParkError, Reactor, Token};

use crate::executor::{Executor, Shared};

/// A descriptor of the executor's reactor: a socket, a pipe, whatever reads and writes. One task
/// at a time reads it and one writes it.
pub(crate) struct Async<T> {
    source: Rc<T>,
    token: Token,
    shared: Rc<Shared>,
}

impl<T: AsFd + 'static> Async<T> {
    pub(crate) fn new(executor: &Executor, source: T) -> io::Result<Async<T>> {
        rustix::io::ioctl_fionbio(&source, true)?;
        let (source, shared) = (Rc::new(source), executor.shared());
        let token = shared.reactor.borrow_mut().add(source.clone())?;
        Ok(Async {
            source,
            token,
            shared,
        })
    }

    /// Does what would block if the descriptor had nothing to read, an `accept` for one.
    pub(crate) fn read_with<R>(
        &self,
        operation: impl Fn(&T) -> io::Result<R>,
    ) -> impl Future<Output = io::Result<R>> {
        poll_fn(move |context| self.poll(context, Direction::Read, &operation))
    }

    /// The one loop: try, and if it would block leave the waker with the reactor.
    fn poll<R>(
        &self,
        context: &mut Context<'_>,
        direction: Direction,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        let is_ready = || self.reactor(|reactor| reactor.is_ready(self.token, direction));
        while is_ready() {
            let not_ready = match self.reactor(|reactor| reactor.take_woken(self.token, direction))
            {
                true => NotReady::InVain,
                false => NotReady::WouldBlock,
            };
            match operation(&self.source) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.reactor(|reactor| {
                    reactor.clear_ready(self.token, direction, not_ready);
                }),
                result => return Poll::Ready(result),
            }
        }
        let waker = context.waker().clone();
        let (before, parked) = self.reactor(|reactor| {
            // A future that is polled again has another waker, maybe.
            let before = reactor.unpark(self.token, direction, |_| true);
            (before, reactor.park(self.token, direction, waker))
        });
        drop(before);
        match parked {
            Ok(()) => Poll::Pending,
            Err(ParkError::Io(error, _)) => Poll::Ready(Err(error)),
            Err(ParkError::Gone(_) | ParkError::Busy(_)) => {
                unreachable!("it is registered, and the place free")
            }
        }
    }

    fn reactor<R>(&self, action: impl FnOnce(&mut Reactor<Waker>) -> R) -> R {
        action(&mut self.shared.reactor.borrow_mut())
    }
}

/// The descriptor itself, for what needs no waiting.
impl<T> Deref for Async<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.source
    }
}

impl<T> Drop for Async<T> {
    fn drop(&mut self) {
        let removed = self.shared.reactor.borrow_mut().remove(self.token);
        drop(removed); // Outside the borrow: wakers may be anybody's.
    }
}

impl<T: AsFd + 'static> AsyncRead for &Async<T>
where
    for<'a> &'a T: Read,
{
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll(context, Direction::Read, |mut source| source.read(buffer))
    }
}

impl<T: AsFd + 'static> AsyncWrite for &Async<T>
where
    for<'a> &'a T: Write,
{
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll(context, Direction::Write, |mut source| source.write(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // Nothing is kept back.
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // It is closed when it is dropped, as in std.
    }
}
