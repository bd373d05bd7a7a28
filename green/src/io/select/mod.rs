//! Waiting for the first of several: descriptors ([`select`], [`Poll`]) or any blocking calls ([`race`]).

mod poll;
mod race;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

pub use hub_core::{Interest, Ready};

pub use poll::Poll;
pub use race::race;

/// Which of the descriptors given to [`select`] are ready, by their places in its arguments.
///
/// ```
/// use std::os::fd::AsFd;
/// use std::time::Duration;
/// use green::select::{Selected, select};
///
/// let (a, _b) = std::os::unix::net::UnixStream::pair()?;
/// let nothing: Selected = select(&[a.as_fd()], &[], Duration::from_millis(1))?;
/// assert!(nothing.is_empty());
/// assert_eq!(select(&[], &[a.as_fd()], None)?.writable, [0]);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selected {
    /// Places in `read`.
    pub readable: Vec<usize>,
    /// Places in `write`.
    pub writable: Vec<usize>,
}

impl Selected {
    /// True if the time was up first.
    pub fn is_empty(&self) -> bool {
        self.readable.is_empty() && self.writable.is_empty()
    }
}

/// Waits until one of `read` is readable or one of `write` is writable, for at most `timeout`, and returns those that
/// are ready by then. A timeout of zero looks once and does not wait. Other greenthreads run meanwhile.
///
/// # Errors
/// What the system says of a descriptor. `NotConnected` if it is a socket or pipe of green and is closed meanwhile.
///
/// ```
/// use std::io::Write;
/// use std::os::fd::AsFd;
/// use std::os::unix::net::UnixStream;
/// use green::select::select;
///
/// let (a, _far) = UnixStream::pair()?;
/// let (b, mut other) = UnixStream::pair()?;
/// other.write_all(b"x")?;
/// let ready = select(&[a.as_fd(), b.as_fd()], &[], None)?;
/// assert_eq!(ready.readable, [1]);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn select(
    read: &[BorrowedFd<'_>],
    write: &[BorrowedFd<'_>],
    timeout: impl Into<Option<Duration>>,
) -> io::Result<Selected> {
    let mut poll = Poll::new();
    for (place, fd) in read.iter().enumerate() {
        poll.add(fd.as_fd(), Interest::READ, (Interest::READ, place))?;
    }
    for (place, fd) in write.iter().enumerate() {
        poll.add(fd.as_fd(), Interest::WRITE, (Interest::WRITE, place))?;
    }
    let mut selected = Selected::default();
    for (&(interest, place), ready) in poll.wait(timeout)? {
        if interest == Interest::READ && ready.is_readable() {
            selected.readable.push(place);
        } else if interest == Interest::WRITE && ready.is_writable() {
            selected.writable.push(place);
        }
    }
    Ok(selected)
}
