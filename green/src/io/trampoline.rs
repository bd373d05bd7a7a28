//! Waiting for a descriptor that is not one of green's sockets.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::rc::Rc;
use std::time::Duration;

use hub_core::{Direction, ParkError, Token, Trigger};

use crate::net::io::closed;
use crate::runtime::{Alarm, Reason, Runtime, Wake};

/// Waits until `fd` is ready for `direction`, for at most `timeout`.
///
/// It is for descriptors of other libraries; green's own sockets wait by themselves. The registration ends however
/// the wait ends.
///
/// # Errors
/// `TimedOut` after `timeout`; `ResourceBusy` if another greenthread waits in here for the same direction of the
/// same descriptor; `NotConnected` if it is a socket or pipe of green and is closed meanwhile; whatever the hub says of
/// the descriptor.
///
/// ```
/// use std::io::Write;
/// use std::os::unix::net::UnixStream;
/// use std::time::Duration;
/// use green::hubs::{Direction, trampoline};
///
/// let (mut a, b) = UnixStream::pair()?;
/// a.write_all(b"x")?;
/// trampoline(&b, Direction::Read, None)?;
/// let nothing = trampoline(&a, Direction::Read, Duration::from_millis(1));
/// assert_eq!(nothing.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn trampoline(
    fd: impl AsFd,
    direction: Direction,
    timeout: impl Into<Option<Duration>>,
) -> io::Result<()> {
    let timeout = timeout.into();
    // A number of our own: the reactor must own what it watches, and this one is only lent.
    let number = fd.as_fd().as_raw_fd();
    let source = Rc::new(fd.as_fd().try_clone_to_owned()?);
    Runtime::with(|runtime| {
        let claim = Claim::new(runtime, number, direction)?;
        let token = runtime.reactor(|reactor| reactor.add_with(source, Trigger::Oneshot))?;
        let _registration = Registration { runtime, token };
        let _claim = claim;
        let deadline = runtime.deadline(timeout);
        let waiter = runtime.waiter();
        let watched = runtime.watch(number);
        if watched.is_closed() {
            return Err(closed());
        }
        watched.enter(&waiter);
        match runtime.reactor(|reactor| reactor.park(token, direction, Alarm::Park(waiter))) {
            Ok(()) => {}
            Err(ParkError::Io(error, _)) => return Err(error),
            Err(ParkError::Busy(_) | ParkError::Gone(_)) => {
                unreachable!("a registration that nobody else knows")
            }
        }
        let reason = match direction {
            Direction::Read => Reason::Readable(number),
            Direction::Write => Reason::Writable(number),
        };
        match runtime.park(reason, deadline) {
            Wake::Event if watched.is_closed() => Err(closed()),
            Wake::Event | Wake::Again => Ok(()),
            Wake::Expired => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("timed out waiting for descriptor {number}"),
            )),
            Wake::Interrupted(interrupt) => interrupt.raise(),
            Wake::Unwinding => Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                format!("cannot wait for descriptor {number} while unwinding"),
            )),
        }
    })
}

/// One greenthread a direction of a descriptor.
struct Claim<'a> {
    runtime: &'a Runtime,
    key: (i32, Direction),
}

impl<'a> Claim<'a> {
    fn new(runtime: &'a Runtime, number: i32, direction: Direction) -> io::Result<Claim<'a>> {
        let key = (number, direction);
        let mut claims = runtime.trampolines.borrow_mut();
        if claims.contains(&key) && !runtime.allows_many() {
            return Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                format!("another greenthread waits for descriptor {number} already"),
            ));
        }
        claims.push(key);
        drop(claims);
        Ok(Claim { runtime, key })
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut claims = self.runtime.trampolines.borrow_mut();
        if let Some(at) = claims.iter().position(|claim| *claim == self.key) {
            claims.swap_remove(at);
        }
    }
}

/// Ends with the wait, however that ends.
struct Registration<'a> {
    runtime: &'a Runtime,
    token: Token,
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        let removed = self.runtime.remove(self.token);
        drop(removed);
    }
}
