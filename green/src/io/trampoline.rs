//! Waiting for a descriptor that is not one of green's sockets.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::{Duration, Instant};

use hub_core::Direction;

use crate::runtime::once;
use crate::runtime::readiness::reason;
use crate::runtime::{Runtime, ThreadState};

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
    Runtime::with(|runtime| until(runtime, fd.as_fd(), direction, runtime.deadline(timeout)))
}

/// As `trampoline`, until `deadline`.
pub(crate) fn until(
    runtime: &Runtime,
    fd: BorrowedFd<'_>,
    direction: Direction,
    deadline: Option<Instant>,
) -> io::Result<()> {
    let number = fd.as_raw_fd();
    let claim = Claim::new(runtime, number, direction)?;
    let ended = once::one(runtime, fd, direction, deadline);
    drop(claim);
    ended.or_raise(reason(number, direction))
}

/// Descriptors that are waited for here.
#[derive(Default)]
struct Claims(RefCell<Vec<(RawFd, Direction)>>);

impl ThreadState for Claims {
    fn after_fork(&self, alone: bool) {
        if alone {
            self.0.borrow_mut().clear();
        }
    }
}

/// One greenthread a direction of a descriptor.
struct Claim<'a> {
    runtime: &'a Runtime,
    key: (i32, Direction),
}

impl<'a> Claim<'a> {
    fn new(runtime: &'a Runtime, number: i32, direction: Direction) -> io::Result<Claim<'a>> {
        let key = (number, direction);
        let all = runtime.state::<Claims>();
        let mut claims = all.0.borrow_mut();
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
        let all = self.runtime.state::<Claims>();
        let mut claims = all.0.borrow_mut();
        if let Some(at) = claims.iter().position(|claim| *claim == self.key) {
            claims.swap_remove(at);
        }
    }
}
