//! The next connection, for async code.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use hub_core::Direction;

use crate::net::{HasIo, TcpListener, TcpStream, UnixListener, UnixStream};

/// A future of the next connection of a [`TcpListener`] or [`UnixListener`]. Dropped, it takes none.
///
/// ```
/// use green::future::{accept, block_on};
/// use green::net::{TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let address = listener.local_addr()?;
/// let client = green::spawn(move || TcpStream::connect(address));
/// let ((_server, peer), client) = block_on(async { (accept(&listener).await.unwrap(), client.await) });
/// assert_eq!(peer, client.unwrap()?.local_addr()?);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn accept<L: AsyncListener>(listener: &L) -> Accept<'_, L> {
    Accept {
        listener,
        waker: None,
    }
}

/// What [`accept`] accepts from: [`TcpListener`], [`UnixListener`]. It cannot be implemented elsewhere.
///
/// ```
/// use green::future::{AsyncListener, accept, block_on};
/// use green::net::{TcpListener, TcpStream};
///
/// fn next<L: AsyncListener>(listener: &L) -> std::io::Result<L::Stream> {
///     block_on(accept(listener)).map(|(stream, _)| stream)
/// }
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let client = TcpStream::connect(listener.local_addr()?)?;
/// assert_eq!(next(&listener)?.peer_addr()?, client.local_addr()?);
///
/// /// The same without the future.
/// fn next_by_hand<L: AsyncListener>(listener: &L) -> std::io::Result<L::Stream> {
///     let accept = std::future::poll_fn(|cx| listener.poll_accept(cx));
///     block_on(accept).map(|(stream, _)| stream)
/// }
/// let client = TcpStream::connect(listener.local_addr()?)?;
/// assert_eq!(next_by_hand(&listener)?.peer_addr()?, client.local_addr()?);
/// # Ok::<(), std::io::Error>(())
/// ```
#[allow(
    private_bounds,
    reason = "how it waits is no part of the interface, and keeps others from implementing it"
)]
pub trait AsyncListener: HasIo {
    /// What it accepts.
    type Stream;
    /// The address of the other end.
    type Address;

    /// Takes a connection, or has the task woken when there is one.
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Self::Stream, Self::Address)>>;
}

impl AsyncListener for TcpListener {
    type Stream = TcpStream;
    type Address = SocketAddr;

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        TcpListener::poll_accept(self, cx)
    }
}

impl AsyncListener for UnixListener {
    type Stream = UnixStream;
    type Address = unix::net::SocketAddr;

    fn poll_accept(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(UnixStream, unix::net::SocketAddr)>> {
        UnixListener::poll_accept(self, cx)
    }
}

/// Made by [`accept`].
///
/// ```
/// use green::future::{Accept, accept, block_on};
/// use green::net::{TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let next: Accept<'_, TcpListener> = accept(&listener);
/// let client = TcpStream::connect(listener.local_addr()?)?;
/// assert_eq!(block_on(next)?.1, client.local_addr()?);
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "futures do nothing unless they are awaited"]
pub struct Accept<'a, L: AsyncListener> {
    listener: &'a L,
    /// The waker that was left at the listener.
    waker: Option<Waker>,
}

impl<L: AsyncListener> Future for Accept<'_, L> {
    type Output = io::Result<(L::Stream, L::Address)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let accepted = self.listener.poll_accept(cx);
        match &mut self.waker {
            waker if accepted.is_ready() => *waker = None,
            Some(waker) => waker.clone_from(cx.waker()),
            None => self.waker = Some(cx.waker().clone()),
        }
        accepted
    }
}

impl<L: AsyncListener> Drop for Accept<'_, L> {
    fn drop(&mut self) {
        if let Some(waker) = &self.waker {
            self.listener.io().withdraw(Direction::Read, waker);
        }
    }
}

impl<L: AsyncListener> fmt::Debug for Accept<'_, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accept").finish_non_exhaustive()
    }
}
