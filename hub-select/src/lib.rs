//! A hub on the system call select, for every Unix.
//!
//! The oldest of the system calls. It takes bit sets indexed by descriptor number, so that its
//! cost goes with the highest number armed. On Linux the sets grow as needed; elsewhere a number
//! from `FD_SETSIZE` (mostly 1024) on is refused.
//!
//! ```
//! use hub_core::{Direction, NotReady, Reactor};
//! use std::{io::Write, os::unix::net::UnixStream, rc::Rc};
//!
//! let mut reactor = Reactor::new(Box::new(hub_select::Select::new()?));
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
//! There is one type, [`Select`]; the crate has no features and reads no
//! environment variables. A `Select` is `Send`. Nothing panics. It waits with `pselect`, in
//! nanoseconds.
#![cfg(unix)]

mod bits;

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;
use std::time::Duration;

use bits::Bits;
use hub_core::backend::{check, closed, wait};
use hub_core::{Direction, Event, FdTable, Hub, Interest, LONGEST_WAIT, Ready, Token, Trigger};

/// The select hub.
///
/// It reports only [`Ready::READ`], [`Ready::WRITE`] and [`Ready::PRI`]: a hang-up or an error is
/// readable or writable, and the system call finds it.
///
/// ```
/// use hub_core::{Hub, Interest, Token, Trigger};
/// use std::{io::Write, os::fd::AsFd, os::unix::net::UnixStream, time::Duration};
///
/// let mut hub = hub_select::Select::new()?;
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
pub struct Select {
    table: FdTable<Entry>,
    /// What is armed.
    readers: Bits,
    writers: Bits,
    /// What the system is given, and writes its answer over.
    readable: Bits,
    writable: Bits,
    /// Readers with urgent data.
    urgent: Bits,
    was_interrupted: bool,
}

struct Entry {
    trigger: Trigger,
    /// Reported as closed; never watched again.
    is_closed: bool,
}

impl Select {
    /// A hub with no registrations.
    ///
    /// # Errors
    /// None; it is a `Result` as with the other hubs.
    pub fn new() -> io::Result<Select> {
        Ok(Select {
            table: FdTable::new(),
            readers: Bits::new(),
            writers: Bits::new(),
            readable: Bits::new(),
            writable: Bits::new(),
            urgent: Bits::new(),
            was_interrupted: false,
        })
    }

    fn is_armed(&self, fd: RawFd) -> bool {
        self.readers.has(fd) || self.writers.has(fd)
    }

    /// The system call, on copies of what is armed.
    fn select(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        let words = self.readers.words().max(self.writers.words());
        self.readable.copy(&self.readers, words);
        self.writable.copy(&self.writers, words);
        self.urgent.copy(&self.readers, words);
        let limit = timeout.map(|timeout| libc::timespec {
            tv_sec: timeout.as_secs() as libc::time_t,
            tv_nsec: timeout.subsec_nanos() as _,
        });
        let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
        let (count, no_mask) = (bits::capacity(words), ptr::null());
        let (readable, writable) = (self.readable.as_mut_ptr(), self.writable.as_mut_ptr());
        let urgent = self.urgent.as_mut_ptr();
        // SAFETY: the sets hold `count` bits, all that the system looks at; `limit` is null or
        // lives on this stack.
        check(unsafe { libc::pselect(count, readable, writable, urgent, limit, no_mask) })
            .map(|count| count as usize)
    }

    /// One closed descriptor makes the system refuse the whole set: finds, reports and drops
    /// those that are closed.
    #[cold]
    fn report_closed(&mut self, events: &mut Vec<Event>) {
        for fd in 0..bits::capacity(self.readers.words().max(self.writers.words())) {
            // SAFETY: it takes no pointers.
            if !self.is_armed(fd) || unsafe { libc::fcntl(fd, libc::F_GETFD) } >= 0 {
                continue;
            }
            self.disarm(fd, Interest::BOTH);
            if let Some((token, entry)) = self.table.by_fd_mut(fd) {
                entry.is_closed = true;
                let ready = Ready::NVAL;
                events.push(Event { token, ready });
            }
        }
    }

    fn disarm(&mut self, fd: RawFd, interest: Interest) {
        if interest.has(Direction::Read) {
            self.readers.clear(fd);
        }
        if interest.has(Direction::Write) {
            self.writers.clear(fd);
        }
    }
}

impl Hub for Select {
    fn name(&self) -> &'static str {
        "select"
    }

    fn add(&mut self, fd: BorrowedFd<'_>, token: Token, trigger: Trigger) -> io::Result<()> {
        let fd = fd.as_raw_fd();
        self.table.vacant(fd)?;
        // SAFETY: it takes no pointers. A number that is not open is refused with EBADF.
        check(unsafe { libc::fcntl(fd, libc::F_GETFD) })?;
        if let Some(limit) = bits::LIMIT.filter(|limit| fd >= *limit) {
            let what = format!("select on this system takes descriptors below {limit}, not {fd}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        let is_closed = false;
        self.table.insert(fd, token, Entry { trigger, is_closed })
    }

    #[inline]
    fn arm(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        let fd = fd.as_raw_fd();
        let entry = self.table.get(fd, token)?;
        if entry.is_closed {
            return Err(closed());
        }
        if entry.trigger == Trigger::Level {
            self.disarm(fd, Interest::BOTH.without(interest));
        }
        if interest.has(Direction::Read) {
            self.readers.set(fd);
        }
        if interest.has(Direction::Write) {
            self.writers.set(fd);
        }
        Ok(())
    }

    fn remove(&mut self, fd: BorrowedFd<'_>, token: Token) -> io::Result<()> {
        let fd = fd.as_raw_fd();
        self.table.remove(fd, token)?;
        self.disarm(fd, Interest::BOTH);
        Ok(())
    }

    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        let timeout = timeout.map(|timeout| timeout.min(LONGEST_WAIT));
        let mut selected = wait("select", || self.select(timeout));
        let is_closed = |error: &io::Error| error.raw_os_error() == Some(libc::EBADF);
        if selected.as_ref().is_err_and(is_closed) {
            self.report_closed(events);
            selected = wait("select", || self.select(Some(Duration::ZERO)));
        }
        self.was_interrupted = matches!(selected, Ok(None));
        match selected {
            Ok(None | Some(0)) => return Ok(()),
            // Another thread closed one meanwhile: the next wait finds it.
            Err(error) if is_closed(&error) => return Ok(()),
            selected => drop(selected?),
        }
        let answers = [&self.readable, &self.writable, &self.urgent];
        for (fd, [reads, writes, is_urgent]) in Bits::members(answers) {
            let Some((token, entry)) = self.table.by_fd(fd) else {
                continue;
            };
            let ready = Ready::of([
                (reads, Ready::READ),
                (writes, Ready::WRITE),
                (is_urgent, Ready::PRI),
            ]);
            if entry.trigger != Trigger::Level {
                if reads || is_urgent {
                    self.readers.clear(fd);
                }
                if writes {
                    self.writers.clear(fd);
                }
            }
            events.push(Event { token, ready });
        }
        Ok(())
    }

    fn was_interrupted(&self) -> bool {
        self.was_interrupted
    }

    fn renew(&self) -> io::Result<Box<dyn Hub>> {
        Ok(Box::new(Select::new()?))
    }

    fn abandon(self: Box<Self>) {} // It has nothing in the system.
}

impl fmt::Debug for Select {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let registered = self.table.iter().count();
        f.debug_struct("Select")
            .field("registered", &registered)
            .finish_non_exhaustive()
    }
}

/// The example of the readme.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
