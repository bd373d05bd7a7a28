//! The words between a reactor and its users: why a waiter is back, why a call would find nothing

use std::io;

use crate::Ready;

/// How a system call has shown that the next one would find nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotReady {
    /// It said so.
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
#[derive(Debug)]
pub struct Wakeup<W> {
    /// What was parked, or given with the timer.
    pub waiter: W,
    /// Why it is back.
    pub cause: Cause,
}

/// Why a waiter is back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its descriptor is ready like this.
    Ready(Ready),
    /// Its deadline is over.
    Expired,
}

/// What a turn returns beside the waiters that are due.
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
#[derive(Debug)]
pub enum ParkError<W> {
    /// Another waits for this direction of this descriptor.
    Busy(W),
    /// No such registration: the descriptor was removed.
    Gone(W),
    /// The hub could not be armed.
    Io(io::Error, W),
}
