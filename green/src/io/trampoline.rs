//! Waiting for a descriptor that is not one of green's sockets.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use hub_core::Direction;

use crate::runtime::once;
use crate::runtime::readiness::{self, reason};
use crate::runtime::{Here, Runtime, ThreadState, Wait, WaitList, Why};

/// Waits until `fd` is ready for `direction`, for at most `timeout`.
///
/// It is for descriptors of other libraries; green's own sockets wait by themselves. The registration ends however
/// the wait ends. It takes a second descriptor for as long as it waits; if there is none left, it looks from time to
/// time.
///
/// What it returns for is a hint, and what the call after it finds is not known here. A few descriptors are ready for the
/// system for ever though their calls find nothing (a datagram socket with an error queue that nobody reads): a loop
/// that meets one should pause after some tries in vain. [`os::read`](crate::os::read) and
/// [`os::write`](crate::os::write()) are such loops.
///
/// # Errors
/// `TimedOut` after `timeout`; `ResourceBusy` if another greenthread waits in here for the same direction of the same
/// descriptor, unless [many may](crate::debug::allow_multiple_waiters), which are served in the order of their arrival;
/// `NotConnected` if it is a socket or pipe of green and is closed meanwhile; whatever the hub says of the descriptor.
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
    Runtime::with(|runtime| until(runtime, fd.as_fd(), direction, runtime.deadline(timeout)))
}

/// As `trampoline`, until `deadline`.
fn until(
    runtime: &Runtime,
    fd: BorrowedFd<'_>,
    direction: Direction,
    deadline: Option<Instant>,
) -> io::Result<()> {
    Claim::new(runtime, fd, direction, deadline)?.wait(fd, deadline)
}

/// Those who wait for their turn with one direction of a descriptor that somebody has claimed.
type Line = RefCell<WaitList>;

/// What is claimed in this thread, and who stands behind.
#[derive(Default)]
struct Claims(RefCell<HashMap<(RawFd, Direction), Rc<Line>>>);

impl ThreadState for Claims {
    fn after_fork(&self, alone: bool) {
        if alone {
            // Those that wait here never run again in the child.
            mem::forget(self.0.take());
        }
    }
}

/// One direction of a descriptor, which one greenthread has at a time. Where many may wait, the others stand in line,
/// and it goes from one to the next: so nobody overtakes who waits, not even one who comes when it is ready.
pub(crate) struct Claim<'a> {
    runtime: &'a Runtime,
    key: (RawFd, Direction),
    line: Rc<Line>,
}

impl<'a> Claim<'a> {
    pub(crate) fn new(
        runtime: &'a Runtime,
        fd: BorrowedFd<'_>,
        direction: Direction,
        deadline: Option<Instant>,
    ) -> io::Result<Claim<'a>> {
        let key = (fd.as_raw_fd(), direction);
        let all = runtime.state::<Claims>();
        let mut claims = all.0.borrow_mut();
        let Some(line) = claims.get(&key).map(Rc::clone) else {
            let line = Rc::new(RefCell::new(WaitList::new()));
            claims.insert(key, Rc::clone(&line));
            return Ok(Claim { runtime, key, line });
        };
        drop(claims);
        if !runtime.allows_many() {
            return Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                format!("another greenthread waits for descriptor {} already", key.0),
            ));
        }
        stand_in(runtime, &line, key, deadline)?;
        Ok(Claim { runtime, key, line })
    }

    /// True if who wants it now must stand in line, since many may.
    pub(crate) fn is_taken(runtime: &Runtime, fd: BorrowedFd<'_>, direction: Direction) -> bool {
        runtime.allows_many() && {
            let all = runtime.state::<Claims>();
            let claims = all.0.borrow();
            claims.contains_key(&(fd.as_raw_fd(), direction))
        }
    }

    /// Waits until the descriptor is ready.
    pub(crate) fn wait(&self, fd: BorrowedFd<'_>, deadline: Option<Instant>) -> io::Result<()> {
        let (number, direction) = self.key;
        let ended = once::one(self.runtime, fd, direction, deadline);
        ended.or_raise(reason(number, direction))
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        pass_on(self.runtime, &self.line, self.key);
    }
}

/// Gives the claim to who has waited longest.
fn pass_on(runtime: &Runtime, line: &Rc<Line>, key: (RawFd, Direction)) {
    let next = line.borrow_mut().pop();
    if let Some((waiter, ())) = next {
        waiter.wake();
        return;
    }
    let all = runtime.state::<Claims>();
    let mut claims = all.0.borrow_mut();
    // After a fork it may be another one.
    if claims
        .get(&key)
        .is_some_and(|known| Rc::ptr_eq(known, line))
    {
        claims.remove(&key);
    }
}

/// Waits until the claim is the caller's.
fn stand_in(
    runtime: &Runtime,
    line: &Rc<Line>,
    key: (RawFd, Direction),
    deadline: Option<Instant>,
) -> io::Result<()> {
    let (number, direction) = key;
    let reason = reason(number, direction);
    let watched = runtime.watch(number);
    let why = loop {
        let ended = runtime.wait::<Here, _, ()>(Wait {
            reason,
            deadline,
            enter: |waiter| {
                watched.enter(&waiter);
                Some((waiter.clone(), line.borrow_mut().push(waiter, ())))
            },
            leave: |(waiter, place)| {
                watched.leave(&waiter);
                line.borrow_mut().leave(place)
            },
            pass_on: || pass_on(runtime, line, key),
        });
        match ended.served() {
            Ok(()) if !watched.is_closed() => return Ok(()),
            Ok(()) => {
                pass_on(runtime, line, key);
                break readiness::Waited::Refused(readiness::closed());
            }
            Err(_) if watched.is_closed() => {
                break readiness::Waited::Refused(readiness::closed());
            }
            Err(Why::Again) => {}
            Err(Why::Expired) => break readiness::Waited::Expired,
            Err(Why::Unwinding) => break readiness::Waited::Unwinding,
        }
    };
    why.or_raise(reason)
}
