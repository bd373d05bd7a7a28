//! A hub on the system call poll, for every Unix.
//!
//! The set of descriptors is handed to the system with every wait, which costs time for each of
//! them, active or not. On a few busy descriptors it is as fast as any.
//!
//! ```
//! use hub_core::{Direction, NotReady, Reactor};
//! use std::{io::Write, os::unix::net::UnixStream, rc::Rc};
//!
//! let mut reactor = Reactor::new(Box::new(hub_poll::Poll::new()?));
//! let (mut near, far) = UnixStream::pair()?;
//! let token = reactor.add(Rc::new(far))?;
//! reactor.clear_ready(token, Direction::Read, NotReady::WouldBlock);
//! reactor.park(token, Direction::Read, "a reader").expect("nobody else waits");
//! near.write_all(b"x")?;
//! let mut woken = Vec::new();
//! reactor.turn(None, &mut woken)?;
//! assert_eq!(woken[0].waiter, "a reader");
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! There is one type, [`Poll`]; the crate has no features and reads no environment
//! variables. A `Poll` is `Send`. Nothing panics. It waits with `ppoll`, in nanoseconds, or `poll`,
//! in milliseconds rounded up, where there is none.
#![cfg(unix)]

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use hub_core::backend::{check, closed, wait};
use hub_core::{Direction, Event, FdTable, Hub, Interest, LONGEST_WAIT, Ready, Token, Trigger};
use libc::{c_short, pollfd};

/// The poll hub.
///
/// ```
/// use hub_core::{Hub, Interest, Token, Trigger};
/// use std::{io::Write, os::fd::AsFd, os::unix::net::UnixStream, time::Duration};
///
/// let mut hub = hub_poll::Poll::new()?;
/// let (mut near, far) = UnixStream::pair()?;
/// let token = Token::from_raw(7);
/// hub.add(far.as_fd(), token, Trigger::Oneshot)?;
/// hub.arm(far.as_fd(), token, Interest::READ)?;
/// near.write_all(b"x")?;
/// let mut events = Vec::new();
/// hub.wait(Some(Duration::from_secs(5)), &mut events)?;
/// assert!(events[0].token == token && events[0].ready.is_readable());
/// hub.remove(far.as_fd(), token)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Poll {
    /// Where a descriptor stands in the two lists.
    table: FdTable<usize>,
    /// What the system sees. One that is not armed has a negative number, which it skips.
    polled: Vec<pollfd>,
    /// The same length and order.
    owners: Vec<Owner>,
    was_interrupted: bool,
}

struct Owner {
    fd: RawFd,
    token: Token,
    trigger: Trigger,
    /// Reported as closed; never polled again.
    is_closed: bool,
}

impl Poll {
    /// A hub with no registrations.
    ///
    /// # Errors
    /// None; it is a `Result` as with the other hubs.
    pub fn new() -> io::Result<Poll> {
        Ok(Poll {
            table: FdTable::new(),
            polled: Vec::new(),
            owners: Vec::new(),
            was_interrupted: false,
        })
    }
}

impl Hub for Poll {
    fn name(&self) -> &'static str {
        "poll"
    }

    fn add(&mut self, fd: BorrowedFd<'_>, token: Token, trigger: Trigger) -> io::Result<()> {
        let fd = fd.as_raw_fd();
        self.table.vacant(fd)?;
        // SAFETY: it takes no pointers. A number that is not open is refused with EBADF.
        check(unsafe { libc::fcntl(fd, libc::F_GETFD) })?;
        self.table.insert(fd, token, self.polled.len())?;
        self.polled.push(entry(fd, Interest::NONE));
        self.owners.push(Owner {
            fd,
            token,
            trigger,
            is_closed: false,
        });
        Ok(())
    }

    #[inline]
    fn arm(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        let fd = fd.as_raw_fd();
        let index = *self.table.get(fd, token)?;
        if self.owners[index].is_closed {
            return Err(closed());
        }
        let wanted = match self.owners[index].trigger {
            Trigger::Edge | Trigger::Oneshot => interest_of(&self.polled[index]) | interest,
            Trigger::Level => interest,
        };
        self.polled[index] = entry(fd, wanted);
        Ok(())
    }

    fn remove(&mut self, fd: BorrowedFd<'_>, token: Token) -> io::Result<()> {
        let index = self.table.remove(fd.as_raw_fd(), token)?;
        self.polled.swap_remove(index);
        self.owners.swap_remove(index);
        if let Some(moved) = self.owners.get(index) {
            *self.table.get_mut(moved.fd, moved.token)? = index;
        }
        Ok(())
    }

    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        let timeout = timeout.map(|timeout| timeout.min(LONGEST_WAIT));
        let polled = wait("poll", || poll(&mut self.polled, timeout))?;
        self.was_interrupted = polled.is_none();
        let mut count = polled.unwrap_or(0);
        for (polled, owner) in self.polled.iter_mut().zip(&mut self.owners) {
            if count == 0 {
                break;
            }
            if polled.revents == 0 {
                continue;
            }
            count -= 1;
            let ready = ready(polled.revents);
            let (token, fd) = (owner.token, owner.fd);
            if ready.has(Ready::NVAL) {
                owner.is_closed = true;
                *polled = entry(fd, Interest::NONE);
            } else if owner.trigger != Trigger::Level {
                let rest = interest_of(polled).without(Interest::answered_by(ready));
                *polled = entry(fd, rest);
            }
            events.push(Event { token, ready });
        }
        Ok(())
    }

    fn was_interrupted(&self) -> bool {
        self.was_interrupted
    }

    fn shows_hang_ups(&self) -> bool {
        true
    }

    fn renew(&self) -> io::Result<Box<dyn Hub>> {
        Ok(Box::new(Poll::new()?))
    }

    fn abandon(self: Box<Self>) {} // It has nothing in the system.
}

impl fmt::Debug for Poll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let registered = self.polled.len();
        f.debug_struct("Poll")
            .field("registered", &registered)
            .finish_non_exhaustive()
    }
}

/// What is asked for with reading. The end of the peer's writing can be read too.
#[cfg(any(target_os = "linux", target_os = "android"))]
const READ: c_short = libc::POLLIN | libc::POLLPRI | libc::POLLRDHUP;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
const READ: c_short = libc::POLLIN | libc::POLLPRI;

#[inline]
fn entry(fd: RawFd, interest: Interest) -> pollfd {
    let mut events = 0;
    if interest.has(Direction::Read) {
        events |= READ;
    }
    if interest.has(Direction::Write) {
        events |= libc::POLLOUT;
    }
    pollfd {
        // -1 - fd: descriptor 0 needs a negative number too.
        fd: if interest.is_none() { !fd } else { fd },
        events,
        revents: 0,
    }
}

#[inline]
fn interest_of(polled: &pollfd) -> Interest {
    let has = |bit| polled.events & bit != 0;
    let asked = [
        (has(libc::POLLIN), Ready::READ),
        (has(libc::POLLOUT), Ready::WRITE),
    ];
    Interest::answered_by(Ready::of(asked))
}

#[inline]
fn ready(mask: c_short) -> Ready {
    let has = |bit| mask & bit != 0;
    Ready::of([
        (has(libc::POLLIN), Ready::READ),
        (has(libc::POLLOUT), Ready::WRITE),
        (has(libc::POLLHUP), Ready::HUP),
        (has(libc::POLLERR), Ready::ERR),
        (has(libc::POLLNVAL), Ready::NVAL),
        (has(libc::POLLPRI), Ready::PRI),
        (has(READ & !(libc::POLLIN | libc::POLLPRI)), Ready::RDHUP),
    ])
}

/// The system call; says how many are ready. `None` waits for ever.
#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "openbsd",
    target_os = "illumos",
    target_os = "solaris",
))]
fn poll(polled: &mut [pollfd], timeout: Option<Duration>) -> io::Result<usize> {
    let limit = timeout.map(|timeout| libc::timespec {
        tv_sec: timeout.as_secs() as libc::time_t,
        tv_nsec: timeout.subsec_nanos() as _,
    });
    let limit = limit.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    let (list, length) = (polled.as_mut_ptr(), polled.len() as libc::nfds_t);
    // SAFETY: list and length are those of one slice; `limit` is null or lives on this stack.
    Ok(check(unsafe { libc::ppoll(list, length, limit, std::ptr::null()) })? as usize)
}

/// The system call; says how many are ready. `None` waits for ever. Milliseconds are rounded up.
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_os = "dragonfly",
    target_os = "openbsd",
    target_os = "illumos",
    target_os = "solaris",
)))]
fn poll(polled: &mut [pollfd], timeout: Option<Duration>) -> io::Result<usize> {
    let limit = hub_core::backend::millis(timeout);
    let (list, length) = (polled.as_mut_ptr(), polled.len() as libc::nfds_t);
    // SAFETY: list and length are those of one slice.
    Ok(check(unsafe { libc::poll(list, length, limit) })? as usize)
}

/// The example of the readme.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
