//! The words between a reactor and its users: why a waiter is back, why a call would find nothing

use std::io;

use crate::Ready;

/// How a system call has shown that the next one would find nothing.
///
/// ```
/// use hub_core::{Direction, NotReady, Reactor};
/// use std::{io::ErrorKind, net::UdpSocket, rc::Rc};
///
/// let mut reactor: Reactor<&str> = Reactor::new(Box::new(hub_poll::Poll::new()?));
/// let socket = Rc::new(UdpSocket::bind("127.0.0.1:0")?);
/// socket.set_nonblocking(true)?;
/// let token = reactor.add(socket.clone())?;
/// let why = match reactor.take_woken(token, Direction::Read) {
///     true => NotReady::InVain, // It is the first call since the reactor gave a waiter back.
///     false => NotReady::WouldBlock,
/// };
/// assert_eq!(socket.recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
/// reactor.clear_ready(token, Direction::Read, why);
/// assert!(!reactor.is_ready(token, Direction::Read));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotReady {
    /// It failed with `WouldBlock`.
    WouldBlock,
    /// It transferred less than was asked: the buffer in the system is empty, or full.
    ///
    /// This proves it for two kinds of descriptors: a TCP stream, and a pipe in byte mode that
    /// this program has made itself. It proves nothing for any other, which is to be read until it
    /// says `WouldBlock`: a terminal gives one line at a time, a pipe in packet mode, an inotify
    /// or a datagram socket one message, a Unix stream stops where a descriptor was passed along.
    /// What a descriptor is cannot be seen from its number: one that came from elsewhere (standard
    /// input, an inherited pipe) is of no known kind.
    ///
    /// After a hang-up or an error, or with urgent data, it proves nothing for these two either,
    /// and the direction stays ready.
    ShortTransfer,
    /// It said `WouldBlock`, and was the first since the waiter came back from this direction: the
    /// report was false, or another was faster.
    ///
    /// The waiter that is parked next is the first of its direction again, so that it keeps its
    /// place among many. A direction of which this is said several times in a row is asked for
    /// after a pause of 1 to 32 ms, so that a system that goes on saying ready (a datagram socket
    /// after its own `shutdown`, for one) neither takes a whole processor nor keeps deadlines from
    /// being seen.
    InVain,
}

/// A waiter that is due, and why.
///
/// ```
/// use hub_core::{Cause, Reactor, Wakeup};
///
/// let mut reactor = Reactor::new(Box::new(hub_poll::Poll::new()?));
/// reactor.add_timer(reactor.now(), "due");
/// let mut woken = Vec::new();
/// reactor.turn(None, &mut woken)?;
/// let Wakeup { waiter, cause } = woken.remove(0);
/// assert_eq!((waiter, cause), ("due", Cause::Expired));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Wakeup<W> {
    /// What was parked, or given with the timer.
    pub waiter: W,
    /// Why it is back.
    pub cause: Cause,
}

/// Why a waiter is back.
///
/// ```
/// use hub_core::Cause;
///
/// fn has_timed_out(cause: Cause) -> bool {
///     match cause {
///         Cause::Ready(_) => false,
///         Cause::Expired => true,
///     }
/// }
/// assert!(has_timed_out(Cause::Expired));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its descriptor is ready like this.
    Ready(Ready),
    /// Its deadline is over.
    Expired,
}

/// What a turn returns beside the waiters that are due.
///
/// ```
/// use hub_core::{Reactor, Turn};
///
/// let mut reactor: Reactor<&str> = Reactor::new(Box::new(hub_poll::Poll::new()?));
/// let waker = reactor.waker()?;
/// std::thread::spawn(move || waker.wake());
/// let Turn { rang, reports } = reactor.turn(None, &mut Vec::new())?;
/// assert!(rang && reports >= 1);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// A [`Waker`](crate::Waker) has rung since the last turn, or the reactor itself to be given
    /// a turn (see [`Reactor::as_fd`](crate::Reactor::as_fd)): now look for what it was about.
    pub rang: bool,
    /// How many reports the hub had, also those without a waiter. A reactor that is nested in
    /// another loop may wait there when a turn without waiting had none and woke nobody.
    pub reports: usize,
}

/// Why a waiter could not be parked. It comes back with the error.
///
/// ```
/// use hub_core::{Direction, NotReady, ParkError, Reactor};
/// use std::{os::unix::net::UnixStream, rc::Rc};
///
/// let mut reactor = Reactor::new(Box::new(hub_poll::Poll::new()?));
/// let token = reactor.add(Rc::new(UnixStream::pair()?.0))?;
/// reactor.clear_ready(token, Direction::Read, NotReady::WouldBlock);
/// assert!(reactor.park(token, Direction::Read, "first").is_ok());
/// let refused = reactor.park(token, Direction::Read, "second");
/// assert!(matches!(refused, Err(ParkError::Busy("second"))));
/// reactor.remove(token);
/// assert!(matches!(reactor.park(token, Direction::Read, "late"), Err(ParkError::Gone("late"))));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub enum ParkError<W> {
    /// Another waits for this direction of this descriptor.
    Busy(W),
    /// No such registration: the descriptor was removed.
    Gone(W),
    /// The hub could not be armed.
    Io(io::Error, W),
}
