//! The epoll hub
//!
//! The kernel keeps the set of descriptors and reports only those that are active: idle ones cost
//! nothing. With [`Trigger::Edge`] a descriptor is registered once, and waiting for it again costs
//! no system call.
#![cfg(any(target_os = "linux", target_os = "android"))]

use std::fmt;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

use hub_core::{
    AlwaysReady, Direction, Event, FdTable, Hub, Interest, LONGEST_WAIT, Ready, Token, Trigger,
};
use libc::c_int;

/// Reports collected by one system call.
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
    table: FdTable<Entry>,
    next_seq: u32,
    files: AlwaysReady,
    reports: Box<[libc::epoll_event]>,
    has_pwait2: bool,
    was_interrupted: bool,
}

struct Entry {
    /// Tells this registration from an earlier one of the same number in the kernel's reports.
    seq: u32,
    trigger: Trigger,
    /// What is armed. With `Edge`, what the kernel was asked for beside reading.
    interest: Interest,
}

impl Epoll {
    /// A hub with no registrations.
    ///
    /// # Errors
    /// What `epoll_create1` says: too many descriptors are open.
    pub fn new() -> io::Result<Epoll> {
        Ok(Epoll {
            epoll: create()?,
            table: FdTable::new(),
            next_seq: 0,
            files: AlwaysReady::new(),
            reports: vec![libc::epoll_event { events: 0, u64: 0 }; BATCH].into(),
            has_pwait2: true,
            was_interrupted: false,
        })
    }

    /// Lets the kernel fill `reports`; says how many there are.
    fn collect(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        let (epoll, reports) = (self.epoll.as_raw_fd(), self.reports.as_mut_ptr());
        if self.has_pwait2 {
            let limit = timeout.map(KernelTimespec::from);
            let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
            let no_mask = ptr::null::<libc::sigset_t>();
            let call = libc::SYS_epoll_pwait2;
            // SAFETY: `reports` has room for BATCH; `limit` is null or lives on this stack.
            let count = unsafe {
                libc::syscall(
                    call,
                    epoll,
                    reports,
                    BATCH as c_int,
                    limit,
                    no_mask,
                    0_usize,
                )
            };
            match check(count as c_int) {
                Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => self.has_pwait2 = false,
                count => return Ok(count? as usize),
            }
        }
        let limit = timeout.map_or(-1, |timeout| {
            c_int::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(c_int::MAX)
        });
        // SAFETY: `reports` has room for BATCH.
        let count = unsafe { libc::epoll_wait(epoll, reports, BATCH as c_int, limit) };
        Ok(check(count)? as usize)
    }

    /// Starts afresh with what is registered. A descriptor was closed before it was removed and a
    /// duplicate of it lives on, in a child process perhaps: the kernel goes on reporting it, and
    /// nothing that is left could name it to the kernel.
    #[cold]
    fn rebuild(&mut self) -> io::Result<()> {
        log::warn!("hub epoll: a descriptor was closed before it was removed");
        let fresh = create()?;
        for (fd, _, entry) in self.table.iter() {
            // One that was closed as well is refused, and is better off outside.
            let _ = control(&fresh, libc::EPOLL_CTL_ADD, fd, entry);
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
        let fd = fd.as_raw_fd();
        self.table.vacant(fd)?;
        self.files.vacant(fd)?;
        let entry = Entry {
            seq: self.next_seq,
            trigger,
            interest: Interest::NONE,
        };
        if let Err(error) = control(&self.epoll, libc::EPOLL_CTL_ADD, fd, &entry) {
            match error.raw_os_error() {
                Some(libc::EPERM) => return self.files.add(fd, token, trigger),
                // An earlier owner of the number was closed, and its file came back to it.
                Some(libc::EEXIST) => control(&self.epoll, libc::EPOLL_CTL_MOD, fd, &entry)?,
                _ => return Err(error),
            }
        }
        self.next_seq = self.next_seq.wrapping_add(1);
        self.table.insert(fd, token, entry)
    }

    #[inline]
    fn arm(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        let fd = fd.as_raw_fd();
        let entry = match self.table.get_mut(fd, token) {
            Err(_) if self.files.holds(fd) => {
                if !is_refused(&self.epoll, fd) {
                    return Err(forgotten(io::Error::from_raw_os_error(libc::ENOENT)));
                }
                return self.files.arm(fd, token, interest);
            }
            entry => entry?,
        };
        let wanted = match entry.trigger {
            Trigger::Edge => entry.interest | interest.without(Interest::READ),
            Trigger::Oneshot => entry.interest | interest,
            Trigger::Level => interest,
        };
        // With `Level` the kernel is asked always: it knows whether the descriptor was closed.
        if wanted == entry.interest && entry.trigger != Trigger::Level {
            return Ok(());
        }
        let before = mem::replace(&mut entry.interest, wanted);
        control(&self.epoll, libc::EPOLL_CTL_MOD, fd, entry).map_err(|error| {
            entry.interest = before;
            forgotten(error)
        })
    }

    fn remove(&mut self, fd: BorrowedFd<'_>, token: Token) -> io::Result<()> {
        let fd = fd.as_raw_fd();
        if self.files.holds(fd) {
            return self.files.remove(fd, token);
        }
        let entry = self.table.remove(fd, token)?;
        match control(&self.epoll, libc::EPOLL_CTL_DEL, fd, &entry).map_err(forgotten) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        let timeout = match self.files.is_due() {
            true => Some(Duration::ZERO),
            false => timeout.map(|timeout| timeout.min(LONGEST_WAIT)),
        };
        let collected = self.collect(timeout);
        self.was_interrupted = is_signal(&collected);
        let count = match self.was_interrupted {
            true => 0,
            false => collected?,
        };
        let mut strangers = false;
        for report in &self.reports[..count] {
            let (fd, seq) = (report.u64 as RawFd, (report.u64 >> 32) as u32);
            let (token, entry) = match self.table.by_fd_mut(fd) {
                Some((token, entry)) if entry.seq == seq => (token, entry),
                _ => {
                    strangers = true;
                    continue;
                }
            };
            let ready = ready(report.events);
            if entry.trigger != Trigger::Edge {
                if entry.interest.is_none() {
                    continue; // A hang-up, reported unasked, and once.
                }
                if entry.trigger == Trigger::Oneshot {
                    entry.interest = entry.interest.without(Interest::answered_by(ready));
                    if !entry.interest.is_none() {
                        // The kernel has disarmed all of it. It fails if it was closed.
                        let _ = control(&self.epoll, libc::EPOLL_CTL_MOD, fd, entry);
                    }
                }
            }
            events.push(Event { token, ready });
        }
        if self.files.is_due() {
            let epoll = &self.epoll;
            self.files.report(events, |fd| is_refused(epoll, fd));
        }
        if strangers {
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

fn control(epoll: &OwnedFd, operation: c_int, fd: RawFd, entry: &Entry) -> io::Result<()> {
    let mut mask = match entry.trigger {
        Trigger::Edge => libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLPRI | libc::EPOLLET,
        Trigger::Oneshot => libc::EPOLLONESHOT,
        // A hang-up cannot be masked; like this it is reported only once.
        Trigger::Level if entry.interest.is_none() => libc::EPOLLONESHOT,
        Trigger::Level => 0,
    };
    if entry.interest.has(Direction::Read) {
        mask |= libc::EPOLLIN;
    }
    if entry.interest.has(Direction::Write) {
        mask |= libc::EPOLLOUT;
    }
    let mut event = libc::epoll_event {
        events: mask as u32,
        u64: u64::from(entry.seq) << 32 | fd as u64,
    };
    // SAFETY: `event` lives on this stack.
    check(unsafe { libc::epoll_ctl(epoll.as_raw_fd(), operation, fd, &mut event) })?;
    Ok(())
}

/// Whether the kernel refuses to watch this descriptor, as it does with regular files.
fn is_refused(epoll: &OwnedFd, fd: RawFd) -> bool {
    let entry = Entry {
        seq: 0,
        trigger: Trigger::Level,
        interest: Interest::NONE,
    };
    // It watches no such number, so that another answer is an error too: closed, or not known.
    let refused = control(epoll, libc::EPOLL_CTL_MOD, fd, &entry);
    refused.is_err_and(|error| error.raw_os_error() == Some(libc::EPERM))
}

#[inline]
fn ready(mask: u32) -> Ready {
    let bits = [
        (libc::EPOLLIN, Ready::READ),
        (libc::EPOLLOUT, Ready::WRITE),
        (libc::EPOLLHUP, Ready::HUP),
        (libc::EPOLLERR, Ready::ERR),
        (libc::EPOLLRDHUP, Ready::RDHUP),
        (libc::EPOLLPRI, Ready::PRI),
    ];
    let set = bits.into_iter().filter(|(bit, _)| mask & *bit as u32 != 0);
    set.fold(Ready::NONE, |all, (_, ready)| all | ready)
}

#[inline]
fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

/// Whether this is what a system call says that a signal has ended.
#[inline]
fn is_signal<T>(result: &io::Result<T>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::Interrupted)
}

/// What the kernel says of a registration whose descriptor was closed.
fn forgotten(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::EBADF) => {
            let what = "the descriptor was closed while it was registered; remove it";
            io::Error::new(io::ErrorKind::NotFound, what)
        }
        _ => error,
    }
}

/// The example of the readme.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
