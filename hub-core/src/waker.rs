#[cfg(test)]
mod model;

use std::fmt;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};

/// Ends the wait of a reactor from any thread.
///
/// However often it is called before the reactor has a turn, it costs one system call. Clones wake
/// the same reactor; to wake one that is gone does nothing, and is no error.
///
/// ```
/// use hub_core::Reactor;
///
/// let mut reactor: Reactor<&str> = Reactor::new(Box::new(hub_poll::Poll::new()?));
/// let waker = reactor.waker()?;
/// let thread = std::thread::spawn(move || (0..1000).for_each(|_| waker.wake()));
/// assert!(reactor.turn(None, &mut Vec::new())?.rang);
/// thread.join().unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Waker(Arc<Notifier<AtomicBool, SocketPair>>);

/// A flag, and a channel that is written to by who sets it. Generic, so that it is this code
/// that runs under a model of threads and memory.
struct Notifier<F, C> {
    is_woken: F,
    channel: C,
}

impl<F: Flag, C: Channel> Notifier<F, C> {
    fn notify(&self) {
        if !self.is_woken.swap(true, Ordering::AcqRel) {
            self.channel.send();
        }
    }

    /// Takes note. The order is what loses no call: first the channel, then the flag, and only then
    /// may the caller look for what it was woken for.
    fn reset(&self) {
        self.channel.drain();
        self.is_woken.swap(false, Ordering::AcqRel);
    }

    fn is_woken(&self) -> bool {
        self.is_woken.load(Ordering::Relaxed)
    }
}

trait Flag {
    fn swap(&self, value: bool, order: Ordering) -> bool;
    fn load(&self, order: Ordering) -> bool;
}

impl Flag for AtomicBool {
    fn swap(&self, value: bool, order: Ordering) -> bool {
        AtomicBool::swap(self, value, order)
    }

    fn load(&self, order: Ordering) -> bool {
        AtomicBool::load(self, order)
    }
}

trait Channel {
    /// Makes the other end readable.
    fn send(&self);
    /// Makes it unreadable, however often it was pressed.
    fn drain(&self);
}

/// Both ends live as long as anyone holds one: writing to it can never meet a
/// closed pipe, whose signal would end a program that does not ignore it.
struct SocketPair {
    writer: UnixStream,
    reader: UnixStream,
}

impl Channel for SocketPair {
    fn send(&self) {
        // A full channel is readable as well, and the reactor drains it; nothing else can fail.
        let _ = (&self.writer).write(&[1]);
    }

    fn drain(&self) {
        let mut bytes = [0; 64];
        while matches!((&self.reader).read(&mut bytes), Ok(n) if n == bytes.len()) {}
    }
}

impl Waker {
    /// Makes the current or next wait of the reactor return, and its turn say that it rang.
    pub fn wake(&self) {
        self.0.notify();
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waker")
            .field("is_woken", &self.0.is_woken())
            .finish()
    }
}

/// A descriptor that is readable when a [`Waker`] of it was called, to be registered like any
/// other. A [`Reactor`](crate::Reactor) has its own; this is for users of a hub without one.
///
/// ```
/// use hub_core::{WakeFd, Hub, Interest, Token, Trigger};
/// use std::{os::fd::AsFd, thread, time::Duration};
/// let mut hub = hub_poll::Poll::new()?;
/// let (wake_fd, token) = (WakeFd::new()?, Token::from_raw(0));
/// hub.add(wake_fd.as_fd(), token, Trigger::Level)?;
/// hub.arm(wake_fd.as_fd(), token, Interest::READ)?;
///
/// let waker = wake_fd.waker();
/// thread::spawn(move || waker.wake());
/// let mut events = Vec::new();
/// hub.wait(None, &mut events)?;
/// assert_eq!(events[0].token, token);
/// wake_fd.reset();
///
/// events.clear();
/// hub.wait(Some(Duration::ZERO), &mut events)?;
/// assert!(events.is_empty());
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct WakeFd(Arc<Notifier<AtomicBool, SocketPair>>);

impl WakeFd {
    /// A descriptor that is not readable until one of its wakers is called.
    ///
    /// # Errors
    /// Too many descriptors are open.
    pub fn new() -> io::Result<WakeFd> {
        let (writer, reader) = UnixStream::pair()?;
        writer.set_nonblocking(true)?;
        reader.set_nonblocking(true)?;
        let is_woken = AtomicBool::new(false);
        let channel = SocketPair { writer, reader };
        Ok(WakeFd(Arc::new(Notifier { is_woken, channel })))
    }

    /// A waker that makes it readable.
    pub fn waker(&self) -> Waker {
        Waker(self.0.clone())
    }

    /// True if a waker exists outside the reactor.
    pub(crate) fn is_held(&self) -> bool {
        let held = Arc::strong_count(&self.0) > 1;
        // A caller that sees that the last waker is gone also sees what that did before.
        fence(Ordering::Acquire);
        held
    }

    /// Makes it unreadable until a waker is called again. Only then look for what the call was
    /// about: none is lost.
    pub fn reset(&self) {
        self.0.reset();
    }
}

impl AsFd for WakeFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.channel.reader.as_fd()
    }
}

impl fmt::Debug for WakeFd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WakeFd")
            .field("is_woken", &self.0.is_woken())
            .finish()
    }
}
