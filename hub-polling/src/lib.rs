//! The hub on the polling crate: kqueue, event ports and whatever else it carries
//!
//! The portable one. It arms a descriptor anew for every report, which costs a system call where
//! the epoll hub needs none, and does so on every system.
#![cfg(unix)]

use std::fmt;
use std::fs::File;
use std::io;
use std::mem;
use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use hub_core::{
    AlwaysReady, Direction, Event, FdTable, Hub, Interest, LONGEST_WAIT, Ready, Token, Trigger,
};
use polling::{Event as Report, Events as Reports, Poller};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// Reports collected by one system call.
const BATCH: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

/// The hub on [`polling::Poller`].
///
/// ```
/// use hub_core::{Hub, Interest, Token, Trigger};
/// use std::{io::Write, os::fd::AsFd, os::unix::net::UnixStream, time::Duration};
///
/// let mut hub = hub_polling::Polling::new()?;
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
pub struct Polling {
    poller: Poller,
    table: FdTable<Entry>,
    next_seq: u32,
    files: AlwaysReady,
    reports: Reports,
    was_interrupted: bool,
}

struct Entry {
    /// Tells this registration from an earlier one of the same number in a report.
    seq: u32,
    trigger: Trigger,
    /// What is armed.
    interest: Interest,
}

impl Polling {
    /// A hub with no registrations.
    ///
    /// # Errors
    /// What the system says: too many descriptors are open.
    pub fn new() -> io::Result<Polling> {
        Ok(Polling {
            poller: Poller::new()?,
            table: FdTable::new(),
            next_seq: 0,
            files: AlwaysReady::new(),
            reports: Reports::with_capacity(BATCH),
            was_interrupted: false,
        })
    }

    /// Sleeps on the poller's own descriptor, where it has one: the poller would go on waiting
    /// when a signal arrives. Says how long the poller itself is to wait, `None` for not at all.
    fn sleep(&mut self, timeout: Option<Duration>) -> io::Result<Option<Option<Duration>>> {
        self.was_interrupted = false;
        let Some(poller) = self.as_fd().filter(|_| timeout != Some(Duration::ZERO)) else {
            return Ok(Some(timeout));
        };
        let limit = timeout.map(|timeout| Timespec {
            tv_sec: timeout.as_secs() as _,
            tv_nsec: timeout.subsec_nanos() as _,
        });
        let mut ready = [PollFd::from_borrowed_fd(poller, PollFlags::IN)];
        match poll(&mut ready, limit.as_ref()) {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(Some(Duration::ZERO))),
            Err(Errno::INTR) => {
                self.was_interrupted = true;
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl Hub for Polling {
    fn name(&self) -> &'static str {
        "polling"
    }

    fn add(&mut self, fd: BorrowedFd<'_>, token: Token, trigger: Trigger) -> io::Result<()> {
        let number = fd.as_raw_fd();
        self.table.vacant(number)?;
        self.files.vacant(number)?;
        if is_file(fd)? {
            return self.files.add(number, token, trigger);
        }
        let entry = Entry {
            seq: self.next_seq,
            trigger,
            interest: Interest::NONE,
        };
        // SAFETY: a hub has the same contract as the poller, to remove before closing. The poller
        // keeps only the number: one that was closed is an error later, or reported as another.
        let added = unsafe { self.poller.add(number, entry.wanted(number)) };
        match added {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return self.files.add(number, token, trigger);
            }
            // An earlier owner of the number was closed, and its file came back to it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.poller.modify(fd, entry.wanted(number))?;
            }
            added => added?,
        }
        self.next_seq = self.next_seq.wrapping_add(1);
        self.table.insert(number, token, entry)
    }

    fn arm(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        let number = fd.as_raw_fd();
        let entry = match self.table.get_mut(number, token) {
            Err(_) if self.files.holds(number) => {
                if !is_refused(&self.poller, number) {
                    return Err(forgotten(io::ErrorKind::NotFound.into()));
                }
                return self.files.arm(number, token, interest);
            }
            entry => entry?,
        };
        let wanted = match entry.trigger {
            Trigger::Edge | Trigger::Oneshot => entry.interest | interest,
            Trigger::Level => interest,
        };
        // With `Level` the system is asked always: it may know that the descriptor was closed.
        if wanted == entry.interest && entry.trigger != Trigger::Level {
            return Ok(());
        }
        let before = mem::replace(&mut entry.interest, wanted);
        self.poller
            .modify(fd, entry.wanted(number))
            .map_err(|error| {
                entry.interest = before;
                forgotten(error)
            })
    }

    fn remove(&mut self, fd: BorrowedFd<'_>, token: Token) -> io::Result<()> {
        let number = fd.as_raw_fd();
        if self.files.holds(number) {
            return self.files.remove(number, token);
        }
        self.table.remove(number, token)?;
        match self.poller.delete(fd).map_err(forgotten) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        let timeout = match self.files.is_due() {
            true => Some(Duration::ZERO),
            false => timeout.map(|timeout| timeout.min(LONGEST_WAIT)),
        };
        let Some(timeout) = self.sleep(timeout)? else {
            return Ok(());
        };
        self.reports.clear();
        self.poller.wait(&mut self.reports, timeout)?;
        for report in self.reports.iter() {
            let fd = report.key as u32 as RawFd;
            let (token, entry) = match self.table.by_fd_mut(fd) {
                Some((token, entry)) if entry.key(fd) == report.key => (token, entry),
                _ => continue, // It was closed before it was removed, and a duplicate lives on.
            };
            if entry.interest.is_none() {
                continue; // A hang-up, reported unasked, and once.
            }
            let ready = ready(&report);
            if entry.trigger != Trigger::Level {
                entry.interest = entry.interest.without(Interest::answered_by(ready));
            }
            if !entry.interest.is_none() {
                // The poller has disarmed it. It fails if it was closed.
                // SAFETY: by the contract of a hub it is open as long as it is registered.
                let source = unsafe { BorrowedFd::borrow_raw(fd) };
                let _ = self.poller.modify(source, entry.wanted(fd));
            }
            events.push(Event { token, ready });
        }
        if self.files.is_due() {
            let poller = &self.poller;
            self.files.report(events, |fd| is_refused(poller, fd));
        }
        Ok(())
    }

    fn was_interrupted(&self) -> bool {
        self.was_interrupted
    }

    #[cfg(any(
        target_os = "linux",
        target_os = "android",
        target_os = "illumos",
        target_os = "solaris",
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "dragonfly",
    ))]
    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(std::os::fd::AsFd::as_fd(&self.poller))
    }
}

impl fmt::Debug for Polling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Polling")
            .field("poller", &self.poller)
            .finish_non_exhaustive()
    }
}

impl Entry {
    /// What the poller is given to tell this registration by. Where `usize` has 32 bits the
    /// number alone must do.
    fn key(&self, fd: RawFd) -> usize {
        (u64::from(self.seq) << 32 | fd as u64) as usize
    }

    fn wanted(&self, fd: RawFd) -> Report {
        let (reads, writes) = (Direction::Read, Direction::Write);
        Report::new(
            self.key(fd),
            self.interest.has(reads),
            self.interest.has(writes),
        )
    }
}

fn ready(report: &Report) -> Ready {
    let bits = [
        (report.readable, Ready::READ),
        (report.writable, Ready::WRITE),
        (report.is_interrupt(), Ready::HUP),
        (report.is_err() == Some(true), Ready::ERR),
    ];
    let set = bits.into_iter().filter(|(is_set, _)| *is_set);
    set.fold(Ready::NONE, |all, (_, ready)| all | ready)
}

/// Where the system would watch a regular file, and say that its end is not readable, it is not
/// asked. epoll refuses it by itself.
fn is_file(fd: BorrowedFd<'_>) -> io::Result<bool> {
    if cfg!(any(target_os = "linux", target_os = "android")) {
        return Ok(false);
    }
    let file = File::from(fd.try_clone_to_owned()?);
    Ok(file.metadata()?.is_file())
}

/// Whether this descriptor is still one that the system does not watch.
fn is_refused(poller: &Poller, fd: RawFd) -> bool {
    // SAFETY: a number that is not open is an error below.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    if cfg!(any(target_os = "linux", target_os = "android")) {
        let refused = poller.modify(fd, Report::none(0));
        return refused.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
    }
    is_file(fd).unwrap_or(false)
}

/// What the system says of a registration whose descriptor was closed.
fn forgotten(error: io::Error) -> io::Error {
    /// The same number on every Unix.
    const EBADF: i32 = 9;
    if error.kind() != io::ErrorKind::NotFound && error.raw_os_error() != Some(EBADF) {
        return error;
    }
    let what = "the descriptor was closed while it was registered; remove it";
    io::Error::new(io::ErrorKind::NotFound, what)
}

/// The example of the readme.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
