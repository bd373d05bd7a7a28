//! Waiting for a descriptor that is not one of green's sockets.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use hub_core::{Direction, ParkError, Token, Trigger};

use crate::error::is_shortage;
use crate::net::io::closed;
use crate::runtime::{Alarm, Reason, Runtime, Wake, Watched};

/// Between two looks of one for whom there is no descriptor: at first, and at last.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Waits until `fd` is ready for `direction`, for at most `timeout`.
///
/// It is for descriptors of other libraries; green's own sockets wait by themselves. The registration ends however
/// the wait ends. It takes a second descriptor for as long as it waits; if there is none left, it looks from time to
/// time.
///
/// # Errors
/// `TimedOut` after `timeout`; `ResourceBusy` if another greenthread waits in here for the same direction of the same
/// descriptor; `NotConnected` if it is a socket or pipe of green and is closed meanwhile; whatever the hub says of
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
    let fd = fd.as_fd();
    let number = fd.as_raw_fd();
    Runtime::with(|runtime| {
        let _claim = Claim::new(runtime, number, direction)?;
        let deadline = runtime.deadline(timeout);
        let watched = runtime.watch(number);
        if watched.is_closed() {
            return Err(closed());
        }
        // A number of our own: the reactor must own what it watches, and this one is only lent.
        match fd.try_clone_to_owned() {
            Ok(source) => watch(runtime, source, &watched, direction, deadline),
            Err(error) if is_shortage(&error) => look(runtime, fd, &watched, direction, deadline),
            Err(error) => Err(error),
        }
    })
}

/// Waits by the hub.
fn watch(
    runtime: &Runtime,
    source: OwnedFd,
    watched: &Watched,
    direction: Direction,
    deadline: Option<Instant>,
) -> io::Result<()> {
    let source = Rc::new(source);
    let token = runtime.reactor(|reactor| reactor.add_with(source, Trigger::Oneshot))?;
    let _registration = Registration { runtime, token };
    let waiter = runtime.waiter();
    watched.enter(&waiter);
    match runtime.reactor(|reactor| reactor.park(token, direction, Alarm::Park(waiter))) {
        Ok(()) => {}
        Err(ParkError::Io(error, _)) => return Err(error),
        Err(ParkError::Busy(_) | ParkError::Gone(_)) => {
            unreachable!("a registration that nobody else knows")
        }
    }
    match park(runtime, watched.number(), direction, deadline) {
        Err(error) => Err(error),
        Ok(Wake::Expired) => Err(timed_out(watched.number())),
        Ok(_) if watched.is_closed() => Err(closed()),
        Ok(_) => Ok(()),
    }
}

/// Waits by asking the system from time to time.
fn look(
    runtime: &Runtime,
    fd: BorrowedFd<'_>,
    watched: &Watched,
    direction: Direction,
    deadline: Option<Instant>,
) -> io::Result<()> {
    log::warn!("no descriptor is left to wait for {fd:?} by the hub: it is looked at");
    let mut pause = FIRST_PAUSE;
    while !crate::os::is_ready(fd, direction)? {
        let now = runtime.now();
        if deadline.is_some_and(|deadline| deadline <= now) {
            return Err(timed_out(watched.number()));
        }
        let next = deadline.map_or(now + pause, |deadline| deadline.min(now + pause));
        let waiter = runtime.waiter();
        watched.enter(&waiter);
        let _ = park(runtime, watched.number(), direction, Some(next))?;
        watched.leave(&waiter);
        if watched.is_closed() {
            return Err(closed());
        }
        pause = LONGEST_PAUSE.min(2 * pause);
    }
    Ok(())
}

fn park(
    runtime: &Runtime,
    number: RawFd,
    direction: Direction,
    deadline: Option<Instant>,
) -> io::Result<Wake> {
    let reason = match direction {
        Direction::Read => Reason::Readable(number),
        Direction::Write => Reason::Writable(number),
    };
    match runtime.park(reason, deadline) {
        Wake::Interrupted(interrupt) => interrupt.raise(),
        Wake::Unwinding => Err(io::Error::new(
            io::ErrorKind::WouldBlock,
            format!("cannot wait for descriptor {number} while unwinding"),
        )),
        wake => Ok(wake),
    }
}

fn timed_out(number: RawFd) -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        format!("timed out waiting for descriptor {number}"),
    )
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
