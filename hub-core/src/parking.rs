//! What a reactor and who waits tell each other

use std::io;

use crate::Ready;

/// How a system call has shown that the next one would find nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotReady {
    /// It said so.
    WouldBlock,
    /// It transferred less than was asked, on a stream: its buffer is empty, or full. After a
    /// hang-up or an error, or with urgent data, this proves nothing, and the direction stays
    /// ready.
    ShortTransfer,
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

/// What a turn has to say beside who is due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// A [`Waker`](crate::Waker) has rung since the last turn: now look for what it was about.
    pub rang: bool,
    /// How many reports the hub had, also those that nobody waits for. A reactor that is nested in
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
