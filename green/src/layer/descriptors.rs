//! Waits for descriptors that unwind nothing.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::rc::Rc;
use std::time::Instant;

use hub_core::{Direction, Interest, NotReady, Token};

use super::{WaitEnd, waiting};
use crate::runtime::readiness::registered;
use crate::runtime::{Reason, Runtime, once};

/// Waits for the first of some descriptors, of any kind and mode; for a duplicate of each, so that one that is closed
/// meanwhile is not another's.
///
/// ```
/// use std::os::fd::AsFd;
/// use green::layer::{self, Interest, WaitEnd};
///
/// let (a, _b) = std::os::unix::net::UnixStream::pair()?;
/// let ended = layer::wait_fds(&[(a.as_fd(), Interest::READ | Interest::WRITE)], None);
/// assert!(matches!(ended, WaitEnd::Ready), "there is room to write");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn wait_fds(fds: &[(BorrowedFd<'_>, Interest)], deadline: Option<Instant>) -> WaitEnd {
    waiting(|runtime| {
        if let &[(fd, interest)] = fds
            && let Some(direction) = only(interest)
        {
            return once::one(runtime, fd, direction, deadline).into();
        }
        let mut watch = once::Registrations::new(runtime);
        for &(fd, interest) in fds {
            let watched = runtime.watch(fd.as_raw_fd());
            let own = fd.try_clone_to_owned();
            if let Err(error) = own.and_then(|own| watch.add(Rc::new(own), watched, interest)) {
                return WaitEnd::Cannot(error);
            }
        }
        watch
            .wait(Reason::Outside("one of several descriptors"), deadline)
            .into()
    })
}

/// The direction, if it is one.
fn only(interest: Interest) -> Option<Direction> {
    match (
        interest.has(Direction::Read),
        interest.has(Direction::Write),
    ) {
        (true, false) => Some(Direction::Read),
        (false, true) => Some(Direction::Write),
        _ => None,
    }
}

/// Registers a descriptor with the hub of this thread for as long as it is used. It counts as ready in both directions
/// until [`used_up`] says otherwise.
///
/// # Errors
/// What the hub says: `AlreadyExists` if it knows this number.
///
/// ```
/// use std::{io::{ErrorKind, Read, Write}, os::fd::AsRawFd, os::unix::net::UnixStream, rc::Rc};
/// use green::layer::{self, Direction, NotReady};
///
/// let (mut near, far) = UnixStream::pair()?;
/// far.set_nonblocking(true)?;
/// let far = Rc::new(far);
/// let token = layer::register(far.clone())?;
/// let nothing = (&*far).read(&mut [0; 8]).unwrap_err();
/// assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
/// layer::used_up(token, Direction::Read, NotReady::WouldBlock);
/// assert!(!layer::is_ready(token, Direction::Read));
/// near.write_all(b"x")?;
/// let ended = layer::wait(token, far.as_raw_fd(), Direction::Read, None);
/// assert!(matches!(ended, layer::WaitEnd::Ready));
/// layer::forget(token);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn register(source: Rc<dyn AsFd>) -> io::Result<Token> {
    Runtime::with(|runtime| runtime.reactor(|reactor| reactor.add(source)))
}

/// Ends a registration and wakes those who wait for it. False if that cannot be now, since the hub is at work: then it
/// stays.
///
/// ```
/// use std::{io::{ErrorKind, Read, Write}, os::fd::AsRawFd, os::unix::net::UnixStream, rc::Rc};
/// use green::layer::{self, Direction, NotReady};
///
/// let (mut near, far) = UnixStream::pair()?;
/// far.set_nonblocking(true)?;
/// let far = Rc::new(far);
/// let token = layer::register(far.clone())?;
/// let nothing = (&*far).read(&mut [0; 8]).unwrap_err();
/// assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
/// layer::used_up(token, Direction::Read, NotReady::WouldBlock);
/// assert!(!layer::is_ready(token, Direction::Read));
/// near.write_all(b"x")?;
/// let ended = layer::wait(token, far.as_raw_fd(), Direction::Read, None);
/// assert!(matches!(ended, layer::WaitEnd::Ready));
/// layer::forget(token);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn forget(token: Token) -> bool {
    let forgotten = Runtime::existing(|runtime| {
        if !runtime.is_reactor_free() {
            return false;
        }
        if let Some(removed) = runtime.remove(token) {
            removed
                .waiters
                .into_iter()
                .for_each(|(_, alarm)| alarm.wake());
        }
        true
    });
    forgotten.unwrap_or(true)
}

/// True if a call in this direction is worth its price, as far as the hub knows.
///
/// ```
/// use std::{io::{ErrorKind, Read, Write}, os::fd::AsRawFd, os::unix::net::UnixStream, rc::Rc};
/// use green::layer::{self, Direction, NotReady};
///
/// let (mut near, far) = UnixStream::pair()?;
/// far.set_nonblocking(true)?;
/// let far = Rc::new(far);
/// let token = layer::register(far.clone())?;
/// let nothing = (&*far).read(&mut [0; 8]).unwrap_err();
/// assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
/// layer::used_up(token, Direction::Read, NotReady::WouldBlock);
/// assert!(!layer::is_ready(token, Direction::Read));
/// near.write_all(b"x")?;
/// let ended = layer::wait(token, far.as_raw_fd(), Direction::Read, None);
/// assert!(matches!(ended, layer::WaitEnd::Ready));
/// layer::forget(token);
/// # Ok::<(), std::io::Error>(())
/// ```
#[inline]
pub fn is_ready(token: Token, direction: Direction) -> bool {
    Runtime::with(|runtime| runtime.reactor(|reactor| reactor.is_ready(token, direction)))
}

/// Takes note that the next call in this direction would find nothing.
///
/// ```
/// use std::{io::{ErrorKind, Read, Write}, os::fd::AsRawFd, os::unix::net::UnixStream, rc::Rc};
/// use green::layer::{self, Direction, NotReady};
///
/// let (mut near, far) = UnixStream::pair()?;
/// far.set_nonblocking(true)?;
/// let far = Rc::new(far);
/// let token = layer::register(far.clone())?;
/// let nothing = (&*far).read(&mut [0; 8]).unwrap_err();
/// assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
/// layer::used_up(token, Direction::Read, NotReady::WouldBlock);
/// assert!(!layer::is_ready(token, Direction::Read));
/// near.write_all(b"x")?;
/// let ended = layer::wait(token, far.as_raw_fd(), Direction::Read, None);
/// assert!(matches!(ended, layer::WaitEnd::Ready));
/// layer::forget(token);
/// # Ok::<(), std::io::Error>(())
/// ```
#[inline]
pub fn used_up(token: Token, direction: Direction, why: NotReady) {
    Runtime::with(|runtime| runtime.reactor(|reactor| reactor.clear_ready(token, direction, why)));
}

/// Waits for a descriptor that is [registered](register), of which the last call has said that it would block. If
/// another greenthread waits for this direction already, this is `Cannot`, of kind `ResourceBusy`.
///
/// ```
/// use std::{io::{ErrorKind, Read, Write}, os::fd::AsRawFd, os::unix::net::UnixStream, rc::Rc};
/// use green::layer::{self, Direction, NotReady};
///
/// let (mut near, far) = UnixStream::pair()?;
/// far.set_nonblocking(true)?;
/// let far = Rc::new(far);
/// let token = layer::register(far.clone())?;
/// let nothing = (&*far).read(&mut [0; 8]).unwrap_err();
/// assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
/// layer::used_up(token, Direction::Read, NotReady::WouldBlock);
/// assert!(!layer::is_ready(token, Direction::Read));
/// near.write_all(b"x")?;
/// let ended = layer::wait(token, far.as_raw_fd(), Direction::Read, None);
/// assert!(matches!(ended, layer::WaitEnd::Ready));
/// layer::forget(token);
/// # Ok::<(), std::io::Error>(())
/// ```
#[inline]
pub fn wait(
    token: Token,
    number: RawFd,
    direction: Direction,
    deadline: Option<Instant>,
) -> WaitEnd {
    waiting(|runtime| registered(runtime, token, number, direction, deadline).into())
}
