//! A hub on the epoll calls of Linux and Android.
//!
//! The kernel keeps the set of descriptors and reports only those that are active: idle ones cost
//! nothing. With [`Trigger::Edge`] a descriptor is registered once, and waiting for it again costs
//! no system call.
//!
//! ```
//! use hub_core::{Direction, NotReady, Reactor};
//! use std::{io::Write, os::unix::net::UnixStream, rc::Rc};
//!
//! let mut reactor = Reactor::new(Box::new(hub_epoll::Epoll::new()?));
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
//! There is one type, [`Epoll`]; the crate has no features and reads no environment variables. On
//! other systems it is empty. An `Epoll` is `Send`. Nothing panics. It waits with `epoll_pwait2`, in
//! nanoseconds, and before Linux 5.11 with `epoll_wait`, in milliseconds rounded up.
#![cfg(any(target_os = "linux", target_os = "android"))]

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

use hub_core::backend::{Change, Registered, Registry, check, millis, wait};
use hub_core::{Direction, Event, Hub, Interest, Ready, Token, Trigger};
use libc::{c_int, epoll_event};

/// Reports collected by one system call, if the caller has no room for more.
const BATCH: usize = 1024;

/// The epoll hub.
///
/// ```
/// use hub_core::{Hub, Interest, Token, Trigger};
/// use std::{io::Write, os::fd::AsFd, os::unix::net::UnixStream, time::Duration};
///
/// let mut hub = hub_epoll::Epoll::new()?;
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
pub struct Epoll {
    epoll: OwnedFd,
    registry: Registry,
    reports: Vec<epoll_event>,
    has_pwait2: bool,
    was_interrupted: bool,
}

impl Epoll {
    /// A hub with no registrations.
    ///
    /// # Errors
    /// What `epoll_create1` says: too many descriptors are open.
    pub fn new() -> io::Result<Epoll> {
        Ok(Epoll {
            epoll: create()?,
            registry: Registry::new("epoll", true),
            reports: vec![epoll_event { events: 0, u64: 0 }; BATCH],
            has_pwait2: true,
            was_interrupted: false,
        })
    }

    /// Lets the kernel fill `reports`; says how many there are.
    fn collect(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        let (epoll, reports) = (self.epoll.as_raw_fd(), self.reports.as_mut_ptr());
        let room = self.reports.len() as c_int;
        if self.has_pwait2 {
            let limit = timeout.map(KernelTimespec::from);
            let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
            let (call, no_mask) = (libc::SYS_epoll_pwait2, ptr::null::<libc::sigset_t>());
            // SAFETY: `reports` has this room; `limit` is null or lives on this stack.
            let count =
                unsafe { libc::syscall(call, epoll, reports, room, limit, no_mask, 0_usize) };
            match check(count as c_int) {
                Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => self.has_pwait2 = false,
                count => return Ok(count? as usize),
            }
        }
        // SAFETY: `reports` has this room.
        let count = unsafe { libc::epoll_wait(epoll, reports, room, millis(timeout)) };
        Ok(check(count)? as usize)
    }

    /// Starts afresh with what is registered. A descriptor was closed before it was removed and a
    /// duplicate of it lives on, in a child process perhaps: the kernel goes on reporting it, and
    /// nothing that is left could name it to the kernel.
    #[cold]
    fn rebuild(&mut self) -> io::Result<()> {
        log::warn!("hub epoll: a descriptor was closed before it was removed");
        let fresh = create()?;
        for (fd, watch) in self.registry.watched() {
            // One that was closed as well is refused, and is better off outside.
            let _ = control(&fresh, fd, Change::Add, watch);
        }
        let (new, old) = (fresh.as_raw_fd(), self.epoll.as_raw_fd());
        // SAFETY: both are open and ours; who knows the old number finds the new set behind it.
        check(unsafe { libc::dup3(new, old, libc::O_CLOEXEC) })?;
        Ok(())
    }
}

impl Hub for Epoll {
    fn name(&self) -> &'static str {
        "epoll"
    }

    fn add(&mut self, fd: BorrowedFd<'_>, token: Token, trigger: Trigger) -> io::Result<()> {
        let (epoll, fd) = (&self.epoll, fd.as_raw_fd());
        let change = |change, watch: &_| control(epoll, fd, change, watch);
        self.registry.add(fd, token, trigger, change)
    }

    #[inline]
    fn arm(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        let (epoll, fd) = (&self.epoll, fd.as_raw_fd());
        let change = |change, watch: &_| control(epoll, fd, change, watch);
        self.registry.arm(fd, token, interest, change)
    }

    fn remove(&mut self, fd: BorrowedFd<'_>, token: Token) -> io::Result<()> {
        let (epoll, fd) = (&self.epoll, fd.as_raw_fd());
        let change = |change, watch: &_| control(epoll, fd, change, watch);
        self.registry.remove(fd, token, change)
    }

    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        let timeout = self.registry.timeout(timeout);
        let room = events.capacity() - events.len();
        if room > self.reports.len() {
            self.reports.resize(room, epoll_event { events: 0, u64: 0 });
        }
        let collected = wait("epoll", || self.collect(timeout))?;
        self.was_interrupted = collected.is_none();
        let (epoll, mut is_known) = (&self.epoll, true);
        for report in &self.reports[..collected.unwrap_or(0)] {
            is_known &=
                self.registry
                    .report(report.u64, ready(report.events), events, |fd, watch| {
                        // It fails if it was closed.
                        let _ = control(epoll, fd, Change::Modify, watch);
                    });
        }
        let change = |fd, change, watch: &_| control(epoll, fd, change, watch);
        self.registry.report_files(events, change);
        if !is_known {
            self.rebuild()?;
        }
        Ok(())
    }

    fn was_interrupted(&self) -> bool {
        self.was_interrupted
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.epoll.as_fd())
    }

    fn reads_need_no_arm(&self) -> bool {
        true
    }

    fn shows_hang_ups(&self) -> bool {
        true
    }

    fn notices_reuse(&self) -> bool {
        true
    }

    fn renew(&self) -> io::Result<Box<dyn Hub>> {
        Ok(Box::new(Epoll::new()?))
    }

    fn abandon(self: Box<Self>) {} // To close the descriptor leaves the parent's set alone.
}

impl fmt::Debug for Epoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let epoll = self.epoll.as_raw_fd();
        f.debug_struct("Epoll")
            .field("fd", &epoll)
            .finish_non_exhaustive()
    }
}

/// What `epoll_pwait2` takes: 64 bits on every processor.
#[repr(C)]
struct KernelTimespec {
    seconds: i64,
    nanoseconds: i64,
}

impl From<Duration> for KernelTimespec {
    fn from(timeout: Duration) -> KernelTimespec {
        KernelTimespec {
            seconds: timeout.as_secs() as i64,
            nanoseconds: timeout.subsec_nanos().into(),
        }
    }
}

fn create() -> io::Result<OwnedFd> {
    // SAFETY: it takes no pointers.
    let epoll = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
    // SAFETY: the call above has made this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(epoll) })
}

fn control(epoll: &OwnedFd, fd: RawFd, change: Change, watch: &Registered) -> io::Result<()> {
    const READ: c_int = libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLPRI;
    let operation = match change {
        Change::Add => libc::EPOLL_CTL_ADD,
        Change::Modify => libc::EPOLL_CTL_MOD,
        Change::Remove => libc::EPOLL_CTL_DEL,
    };
    let mut mask = match watch.trigger {
        Trigger::Edge => READ | libc::EPOLLET,
        Trigger::Oneshot => libc::EPOLLONESHOT,
        // A hang-up cannot be masked; like this it is reported only once.
        Trigger::Level if watch.interest.is_none() => libc::EPOLLONESHOT,
        Trigger::Level => 0,
    };
    if watch.interest.has(Direction::Read) {
        mask |= READ;
    }
    if watch.interest.has(Direction::Write) {
        mask |= libc::EPOLLOUT;
    }
    let (events, u64) = (mask as u32, watch.key(fd));
    let mut event = epoll_event { events, u64 };
    // SAFETY: `event` lives on this stack.
    check(unsafe { libc::epoll_ctl(epoll.as_raw_fd(), operation, fd, &mut event) })?;
    Ok(())
}

#[inline]
fn ready(mask: u32) -> Ready {
    let has = |bit: c_int| mask & bit as u32 != 0;
    Ready::of([
        (has(libc::EPOLLIN), Ready::READ),
        (has(libc::EPOLLOUT), Ready::WRITE),
        (has(libc::EPOLLHUP), Ready::HUP),
        (has(libc::EPOLLERR), Ready::ERR),
        (has(libc::EPOLLRDHUP), Ready::RDHUP),
        (has(libc::EPOLLPRI), Ready::PRI),
    ])
}

/// The example of the readme.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
