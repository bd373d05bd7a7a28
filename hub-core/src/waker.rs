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
/// However often it rings before the reactor has answered, it costs one system call. Clones ring
/// the same reactor; one that is gone is rung in vain, which is no error.
#[derive(Clone)]
pub struct Waker(Arc<Bell<AtomicBool, Wire>>);

/// What rings: a flag, and a wire that is pressed by who raises it. Generic, so that it is this code
/// that runs under a model of threads and memory.
struct Bell<F, W> {
    rung: F,
    wire: W,
}

impl<F: Flag, W: Press> Bell<F, W> {
    fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.wire.press();
        }
    }

    /// Silences it. The order is what loses no ring: first the wire, then the flag, and only then
    /// may the caller look for what the ring was about.
    fn answer(&self) {
        self.wire.drain();
        self.rung.swap(false, Ordering::AcqRel);
    }

    fn has_rung(&self) -> bool {
        self.rung.load(Ordering::Relaxed)
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

trait Press {
    /// Makes the other end readable.
    fn press(&self);
    /// Makes it unreadable, however often it was pressed.
    fn drain(&self);
}

/// Both ends of the bell wire live as long as anyone holds one: writing to it can never meet a
/// closed pipe, whose signal would end a program that does not ignore it.
struct Wire {
    button: UnixStream,
    end: UnixStream,
}

impl Press for Wire {
    fn press(&self) {
        // A full wire rings as well, and the reactor drains it; nothing else can fail.
        let _ = (&self.button).write(&[1]);
    }

    fn drain(&self) {
        let mut bytes = [0; 64];
        while matches!((&self.end).read(&mut bytes), Ok(n) if n == bytes.len()) {}
    }
}

impl Waker {
    /// Makes the current or next wait of the reactor return, and its turn say that it rang.
    pub fn wake(&self) {
        self.0.ring();
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waker")
            .field("rung", &self.0.has_rung())
            .finish()
    }
}

/// A descriptor that is readable when a [`Waker`] of it has rung, to be registered like any other. A
/// [`Reactor`](crate::Reactor) has its own; this is for who uses a hub without one.
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
pub struct WakeFd(Arc<Bell<AtomicBool, Wire>>);

impl WakeFd {
    /// A bell that has not rung.
    ///
    /// # Errors
    /// Too many descriptors are open.
    pub fn new() -> io::Result<WakeFd> {
        let (button, end) = UnixStream::pair()?;
        button.set_nonblocking(true)?;
        end.set_nonblocking(true)?;
        let rung = AtomicBool::new(false);
        let wire = Wire { button, end };
        Ok(WakeFd(Arc::new(Bell { rung, wire })))
    }

    /// A waker that rings it.
    pub fn waker(&self) -> Waker {
        Waker(self.0.clone())
    }

    /// True if a waker exists outside the reactor.
    pub(crate) fn is_held(&self) -> bool {
        let held = Arc::strong_count(&self.0) > 1;
        // Who sees that the last waker is gone also sees what it did before.
        fence(Ordering::Acquire);
        held
    }

    /// Makes it unreadable until it is rung again. Only then look for what the ring was about: no
    /// ring is lost.
    pub fn reset(&self) {
        self.0.answer();
    }
}

impl AsFd for WakeFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.wire.end.as_fd()
    }
}

impl fmt::Debug for WakeFd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WakeFd")
            .field("rung", &self.0.has_rung())
            .finish()
    }
}
