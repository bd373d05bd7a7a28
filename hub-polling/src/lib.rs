//! A hub on the crate polling: kqueue, event ports and whatever else that supports.
//!
//! It arms a descriptor anew for every report, which costs a system call where
//! the epoll hub needs none, and does so on every system.
//!
//! ```
//! use hub_core::{Direction, NotReady, Reactor};
//! use std::{io::Write, os::unix::net::UnixStream, rc::Rc};
//!
//! let mut reactor = Reactor::new(Box::new(hub_polling::Polling::new()?));
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
//! There is one type, [`Polling`]; the crate has no features and reads no
//! environment variables. A `Polling` is `Send`. Nothing panics. It has been tried on Linux, and
//! compiles for what the polling crate compiles for on Unix.
//!
//! # Descriptors that are closed too early
//!
//! The poller asks that what it watches stays open until it is removed, and calls it unsafe to
//! promise so. A [`Hub`] asks the same, but a caller that breaks its word is safe code. It can do
//! no harm: what the poller keeps is a number, which it hands to the system's calls for watching and
//! to no other. They answer that it is not open or not known, or begin to watch another file under
//! a key that no registration has, whose reports are dropped. No file is read, written or closed.
//!
//! Why it is not enforced: a borrow for as long as the registration lasts would tie the hub to its
//! descriptors by a lifetime, and nothing could own both, as every event loop does. A duplicate in
//! the hub would cost a second descriptor each, and would keep the file open when its owner has
//! closed it: the peer would not see the end. A [`Reactor`](hub_core::Reactor) owns what it
//! registers and removes it first, so with one the promise is always kept.
#![cfg(unix)]

use std::fmt;
use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use hub_core::backend::{Change, Registered, Registry, wait};
use hub_core::{Direction, Event, Hub, Interest, Ready, Token, Trigger};
use polling::{Event as Report, Events as Reports, Poller};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Reports collected by one system call, if the caller has no room for more.
const BATCH: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

/// The systems whose set of descriptors is epoll's.
const IS_EPOLL: bool = cfg!(any(target_os = "linux", target_os = "android"));

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
    registry: Registry,
    reports: Reports,
    was_interrupted: bool,
}

impl Polling {
    /// A hub with no registrations.
    ///
    /// # Errors
    /// What the system says: too many descriptors are open.
    pub fn new() -> io::Result<Polling> {
        Ok(Polling {
            poller: Poller::new()?,
            registry: Registry::new("polling", false),
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
        let count = wait("polling", || Ok(poll(&mut ready, limit.as_ref())?))?;
        self.was_interrupted = count.is_none();
        Ok(count
            .filter(|count| *count > 0)
            .map(|_| Some(Duration::ZERO)))
    }
}

impl Hub for Polling {
    fn name(&self) -> &'static str {
        "polling"
    }

    fn add(&mut self, fd: BorrowedFd<'_>, token: Token, trigger: Trigger) -> io::Result<()> {
        let (poller, number) = (&self.poller, fd.as_raw_fd());
        let change = |change, watch: &_| control(poller, fd, change, watch);
        self.registry.add(number, token, trigger, change)
    }

    fn arm(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        let (poller, number) = (&self.poller, fd.as_raw_fd());
        let change = |change, watch: &_| control(poller, fd, change, watch);
        self.registry.arm(number, token, interest, change)
    }

    fn remove(&mut self, fd: BorrowedFd<'_>, token: Token) -> io::Result<()> {
        let (poller, number) = (&self.poller, fd.as_raw_fd());
        let change = |change, watch: &_| control(poller, fd, change, watch);
        self.registry.remove(number, token, change)
    }

    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        let Some(timeout) = self.sleep(self.registry.timeout(timeout))? else {
            return Ok(());
        };
        let room = events.capacity() - events.len();
        if let Some(room) = NonZeroUsize::new(room).filter(|room| *room > self.reports.capacity()) {
            self.reports = Reports::with_capacity(room);
        }
        self.reports.clear();
        if wait("polling", || self.poller.wait(&mut self.reports, timeout))?.is_none() {
            return Ok(());
        }
        for report in self.reports.iter() {
            // Where `usize` has 32 bits the poller has kept the number alone.
            let key = self.registry.key_of(report.key as u32 as RawFd);
            let Some(key) = key.filter(|key| *key as usize == report.key) else {
                continue;
            };
            self.registry
                .report(key, ready(&report), events, |fd, watch| {
                    // It fails if it was closed.
                    let _ = control(&self.poller, borrow(fd), Change::Modify, watch);
                });
        }
        let change = |fd, change, watch: &_| control(&self.poller, borrow(fd), change, watch);
        self.registry.report_files(events, change);
        Ok(())
    }

    fn was_interrupted(&self) -> bool {
        self.was_interrupted
    }

    fn shows_hang_ups(&self) -> bool {
        IS_EPOLL
    }

    fn notices_reuse(&self) -> bool {
        IS_EPOLL
    }

    fn renew(&self) -> io::Result<Box<dyn Hub>> {
        Ok(Box::new(Polling::new()?))
    }

    /// The poller's destructor takes its own descriptors out of the set, which is the parent's.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn abandon(self: Box<Self>) {
        use rustix::event::epoll::{CreateFlags, create};
        use std::os::fd::{FromRawFd, OwnedFd};
        let shared = self.poller.as_raw_fd();
        // SAFETY: the poller owns this number and closes it after this; the copy is never dropped.
        let mut shared = std::mem::ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(shared) });
        let replaced = create(CreateFlags::CLOEXEC)
            .and_then(|empty| rustix::io::dup3(&empty, &mut shared, rustix::io::DupFlags::CLOEXEC));
        if replaced.is_err() {
            std::mem::forget(self); // Its descriptors are lost, which is better than the parent's.
        }
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
        let poller = &self.poller;
        f.debug_struct("Polling")
            .field("poller", poller)
            .finish_non_exhaustive()
    }
}

fn control(
    poller: &Poller,
    fd: BorrowedFd<'_>,
    change: Change,
    watch: &Registered,
) -> io::Result<()> {
    // Where the system would watch a regular file, and say that its end is not readable, it is
    // not asked. epoll refuses it by itself.
    if !IS_EPOLL && change != Change::Remove && is_file(fd)? {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let (number, interest) = (fd.as_raw_fd(), watch.interest);
    let (reads, writes) = (
        interest.has(Direction::Read),
        interest.has(Direction::Write),
    );
    let wanted = Report::new(watch.key(number) as usize, reads, writes);
    match change {
        // SAFETY: see the crate's text on descriptors that are closed too early.
        Change::Add => unsafe { poller.add(number, wanted) },
        Change::Modify => poller.modify(fd, wanted),
        Change::Remove => poller.delete(fd),
    }
}

fn is_file(fd: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(File::from(fd.try_clone_to_owned()?).metadata()?.is_file())
}

/// A registered number.
fn borrow<'a>(fd: RawFd) -> BorrowedFd<'a> {
    // SAFETY: it is not -1; if it was closed since, see the crate's text.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

fn ready(report: &Report) -> Ready {
    Ready::of([
        (report.readable, Ready::READ),
        (report.writable, Ready::WRITE),
        (report.is_interrupt(), Ready::HUP),
        (report.is_err() == Some(true), Ready::ERR),
        (report.is_priority(), Ready::PRI),
    ])
}

/// The example of the readme.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
