//! The select hub
//!
//! The oldest of the system calls. It takes bit sets indexed by descriptor number, so that its
//! cost goes with the highest number armed. On Linux the sets grow as needed; elsewhere a number
//! from `FD_SETSIZE` (mostly 1024) on is refused.
#![cfg(unix)]

mod bits;

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;
use std::time::Duration;

use bits::Bits;
use hub_core::{Direction, Event, FdTable, Hub, Interest, LONGEST_WAIT, Ready, Token, Trigger};
use libc::c_int;

/// The select hub.
///
/// It reports only [`Ready::READ`] and [`Ready::WRITE`]: a hang-up or an error is readable or
/// writable, and the system call finds it.
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
        let limit = timeout.map(|timeout| libc::timespec {
            tv_sec: timeout.as_secs() as libc::time_t,
            tv_nsec: timeout.subsec_nanos() as _,
        });
        let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
        let (count, no_set, no_mask) = (bits::capacity(words), ptr::null_mut(), ptr::null());
        let (readable, writable) = (self.readable.as_mut_ptr(), self.writable.as_mut_ptr());
        // SAFETY: both sets hold `count` bits, all that the system looks at; `limit` is null or
        // lives on this stack.
        check(unsafe { libc::pselect(count, readable, writable, no_set, limit, no_mask) })
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
            let what = "the descriptor was closed while it was registered; remove it";
            return Err(io::Error::new(io::ErrorKind::NotFound, what));
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
        self.was_interrupted = false;
        let mut selected = self.select(timeout.map(|timeout| timeout.min(LONGEST_WAIT)));
        let is_closed = |error: &io::Error| error.raw_os_error() == Some(libc::EBADF);
        if selected.as_ref().is_err_and(is_closed) {
            self.report_closed(events);
            selected = self.select(Some(Duration::ZERO));
        }
        match selected {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                self.was_interrupted = true;
                return Ok(());
            }
            // Another thread closed one meanwhile: the next wait finds it.
            Err(error) if is_closed(&error) => return Ok(()),
            Err(error) => return Err(error),
        }
        for (fd, reads, writes) in self.readable.pairs(&self.writable) {
            let Some((token, entry)) = self.table.by_fd(fd) else {
                continue;
            };
            let mut ready = Ready::NONE;
            if reads {
                ready |= Ready::READ;
            }
            if writes {
                ready |= Ready::WRITE;
            }
            if entry.trigger != Trigger::Level {
                if reads {
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
}

impl fmt::Debug for Select {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let registered = self.table.iter().count();
        f.debug_struct("Select")
            .field("registered", &registered)
            .finish_non_exhaustive()
    }
}

#[inline]
fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

/// The example of the readme.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
