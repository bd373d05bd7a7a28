//! The system calls of this crate, beside those of the hubs
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, RawFd};

use hub_core::{Direction, Interest, Ready};

use crate::errno::{Errno, Result};

/// A number that the caller says is a descriptor. The system knows if it is open.
pub(crate) fn descriptor<'a>(fd: RawFd) -> Result<BorrowedFd<'a>> {
    if fd < 0 {
        return Err(Errno(libc::EBADF));
    }
    // SAFETY: it is not -1, and hubs hand it only to system calls that refuse what is not open.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// What tells a file from another that has its number later. Sockets and pipes all have their
/// own; the descriptors without a file (eventfd, timerfd, epoll) share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity(libc::dev_t, libc::ino_t);

impl Identity {
    /// `None` for a number that is not open.
    pub(crate) fn of(fd: RawFd) -> Option<Identity> {
        let mut stat = MaybeUninit::<libc::stat>::uninit();
        // SAFETY: `stat` is the room that the call asks for.
        if unsafe { libc::fstat(fd, stat.as_mut_ptr()) } != 0 {
            return None;
        }
        // SAFETY: the call has succeeded, and then it has filled it.
        let stat = unsafe { stat.assume_init() };
        Some(Identity(stat.st_dev, stat.st_ino))
    }
}

/// What Linux tells of the peer's shutdown; elsewhere nobody does.
#[cfg(any(target_os = "linux", target_os = "android"))]
const RDHUP: libc::c_short = libc::POLLRDHUP;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
const RDHUP: libc::c_short = 0;

/// A question to the system: what is this descriptor ready for, of this interest? A hang-up and an
/// error are part of the answer to an empty one.
pub(crate) fn question(fd: RawFd, interest: Interest) -> libc::pollfd {
    let mut events = 0;
    if interest.has(Direction::Read) {
        events |= libc::POLLIN | libc::POLLPRI | RDHUP;
    }
    if interest.has(Direction::Write) {
        events |= libc::POLLOUT;
    }
    let revents = 0;
    libc::pollfd {
        fd,
        events,
        revents,
    }
}

/// Asks without waiting.
pub(crate) fn ask(questions: &mut [libc::pollfd]) -> Result<()> {
    let (list, length) = (questions.as_mut_ptr(), questions.len() as libc::nfds_t);
    // SAFETY: list and length are those of one slice.
    while unsafe { libc::poll(list, length, 0) } < 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error.into());
        }
    }
    Ok(())
}

/// The answer to a [`question`] that was [`ask`]ed.
pub(crate) fn answer(question: &libc::pollfd) -> Ready {
    let has = |bit| question.revents & bit != 0;
    Ready::of([
        (has(libc::POLLIN), Ready::READ),
        (has(libc::POLLOUT), Ready::WRITE),
        (has(libc::POLLHUP), Ready::HUP),
        (has(libc::POLLERR), Ready::ERR),
        (has(libc::POLLNVAL), Ready::NVAL),
        (has(libc::POLLPRI), Ready::PRI),
        (has(RDHUP), Ready::RDHUP),
    ])
}

/// The number of this process.
pub(crate) fn process() -> libc::pid_t {
    // SAFETY: it takes nothing and cannot fail.
    unsafe { libc::getpid() }
}
