//! The epoll hub
//!
//! A descriptor is registered with the kernel once, edge-triggered: waiting for it again costs no
//! system call. The kernel reports only what is active, so idle descriptors cost nothing.
#![cfg(any(target_os = "linux", target_os = "android"))]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

use hub_core::{Event, FdTable, Hub, Interest, LONGEST_WAIT, Ready, Token, Trigger};
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
    /// Armed descriptors that the kernel refuses to watch because they never block: files.
    files: Vec<RawFd>,
    next_seq: u32,
    reports: Vec<libc::epoll_event>,
    has_pwait2: bool,
}

struct Entry {
    /// Tells a registration from an earlier one of the same number, in the kernel's reports.
    seq: u32,
    trigger: Trigger,
    /// What is armed. For `Edge`: whether the kernel was asked for WRITE too.
    interest: Interest,
    is_file: bool,
}

impl Epoll {
    /// A hub with no registrations.
    ///
    /// # Errors
    /// What `epoll_create1` says: the process or the system has too many descriptors open.
    pub fn new() -> io::Result<Epoll> {
        // SAFETY: it takes no pointers.
        let epoll = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        Ok(Epoll {
            // SAFETY: the call above has made this descriptor, and nobody else knows it.
            epoll: unsafe { OwnedFd::from_raw_fd(epoll) },
            table: FdTable::new(),
            files: Vec::new(),
            next_seq: 0,
            reports: vec![libc::epoll_event { events: 0, u64: 0 }; BATCH],
            has_pwait2: true,
        })
    }

    fn control(&self, operation: c_int, fd: RawFd, mask: u32, seq: u32) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: mask,
            u64: u64::from(seq) << 32 | fd as u64,
        };
        // SAFETY: `event` is a valid epoll_event, read during the call.
        check(unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), operation, fd, &mut event) })?;
        Ok(())
    }

    /// Lets the kernel fill `self.reports`; says how many there are. `None` waits for ever.
    fn collect(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        let (epoll, reports) = (self.epoll.as_raw_fd(), self.reports.as_mut_ptr());
        if self.has_pwait2 {
            let limit = timeout.map(|timeout| KernelTimespec {
                seconds: timeout.as_secs() as i64,
                nanoseconds: i64::from(timeout.subsec_nanos()),
            });
            let limit = limit
                .as_ref()
                .map_or(ptr::null(), |limit| limit as *const _);
            // SAFETY: `reports` has room for BATCH, `limit` is null or valid, no signal mask.
            let count = check(unsafe {
                let no_mask = ptr::null::<libc::sigset_t>();
                libc::syscall(
                    libc::SYS_epoll_pwait2,
                    epoll,
                    reports,
                    BATCH,
                    limit,
                    no_mask,
                    0,
                )
            } as c_int);
            match count {
                Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => self.has_pwait2 = false,
                count => return Ok(count? as usize),
            }
        }
        let limit = timeout.map_or(-1, |timeout| {
            c_int::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(c_int::MAX)
        });
        // SAFETY: `reports` has room for BATCH.
        Ok(check(unsafe { libc::epoll_wait(epoll, reports, BATCH as c_int, limit) })? as usize)
    }

    /// Reports of the descriptors that are always ready.
    fn report_files(&mut self, events: &mut Vec<Event>) {
        let table = &mut self.table;
        self.files.retain(|&fd| {
            let Some((token, entry)) = table.by_fd_mut(fd) else {
                return false;
            };
            let ready = entry.interest.into();
            events.push(Event { token, ready });
            if entry.trigger != Trigger::Level {
                entry.interest = Interest::NONE;
            }
            entry.trigger == Trigger::Level
        });
    }
}

impl Hub for Epoll {
    fn name(&self) -> &'static str {
        "epoll"
    }

    fn add(&mut self, fd: BorrowedFd<'_>, token: Token, trigger: Trigger) -> io::Result<()> {
        let fd = fd.as_raw_fd();
        self.table.vacant(fd)?;
        let seq = self.next_seq;
        let added = self.control(libc::EPOLL_CTL_ADD, fd, mask(trigger, Interest::NONE), seq);
        let is_file = match added {
            Ok(()) => false,
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => true,
            Err(error) => return Err(error),
        };
        self.next_seq = seq.wrapping_add(1);
        let interest = Interest::NONE;
        let entry = Entry {
            seq,
            trigger,
            interest,
            is_file,
        };
        self.table.insert(fd, token, entry)
    }

    fn arm(&mut self, fd: BorrowedFd<'_>, token: Token, interest: Interest) -> io::Result<()> {
        let fd = fd.as_raw_fd();
        let entry = self.table.get_mut(fd, token)?;
        let wanted = match entry.trigger {
            Trigger::Edge | Trigger::Oneshot => entry.interest | interest,
            Trigger::Level => interest,
        };
        if entry.is_file {
            entry.interest = wanted;
            self.files.retain(|&file| file != fd);
            if !wanted.is_none() {
                self.files.push(fd);
            }
            return Ok(());
        }
        if entry.trigger == Trigger::Edge {
            // Reading is always watched; writing from the first time it is wanted.
            if wanted.without(Interest::READ) == entry.interest {
                return Ok(());
            }
        }
        let (trigger, seq) = (entry.trigger, entry.seq);
        self.control(libc::EPOLL_CTL_MOD, fd, mask(trigger, wanted), seq)
            .map_err(dropped)?;
        let kept = match trigger {
            Trigger::Edge => wanted.without(Interest::READ),
            Trigger::Oneshot | Trigger::Level => wanted,
        };
        self.table.get_mut(fd, token)?.interest = kept;
        Ok(())
    }

    fn remove(&mut self, fd: BorrowedFd<'_>, token: Token) -> io::Result<()> {
        let fd = fd.as_raw_fd();
        let entry = self.table.remove(fd, token)?;
        if entry.is_file {
            self.files.retain(|&file| file != fd);
            return Ok(());
        }
        match self.control(libc::EPOLL_CTL_DEL, fd, 0, 0).map_err(dropped) {
            // It was closed before: the kernel has forgotten it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()> {
        let timeout = match timeout {
            _ if !self.files.is_empty() => Some(Duration::ZERO),
            timeout => timeout.map(|timeout| timeout.min(LONGEST_WAIT)),
        };
        let count = match self.collect(timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            count => count?,
        };
        for report in &self.reports[..count] {
            let (fd, seq) = (report.u64 as u32 as RawFd, (report.u64 >> 32) as u32);
            let Some((token, entry)) = self.table.by_fd_mut(fd) else {
                continue;
            };
            if entry.seq != seq {
                continue;
            }
            let ready = ready(report.events);
            if entry.trigger != Trigger::Edge {
                if entry.interest.is_none() {
                    continue; // A hang-up, which the kernel reports unasked, once.
                }
                if entry.trigger == Trigger::Oneshot {
                    entry.interest = entry.interest.without(Interest::answered_by(ready));
                    let rest = mask(entry.trigger, entry.interest);
                    // The kernel has disarmed all of it. A failure means that it was closed.
                    if !entry.interest.is_none() {
                        let _ = self.control(libc::EPOLL_CTL_MOD, fd, rest, seq);
                    }
                }
            }
            events.push(Event { token, ready });
        }
        self.report_files(events);
        Ok(())
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.epoll.as_fd())
    }
}

impl std::fmt::Debug for Epoll {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fd = self.epoll.as_raw_fd();
        f.debug_struct("Epoll")
            .field("fd", &fd)
            .finish_non_exhaustive()
    }
}

/// The timeout of `epoll_pwait2`, which has 64 bits on every processor.
#[repr(C)]
struct KernelTimespec {
    seconds: i64,
    nanoseconds: i64,
}

fn mask(trigger: Trigger, interest: Interest) -> u32 {
    let mut mask = 0;
    if interest.has(hub_core::Direction::Read) {
        mask |= libc::EPOLLIN;
    }
    if interest.has(hub_core::Direction::Write) {
        mask |= libc::EPOLLOUT;
    }
    mask |= match trigger {
        Trigger::Edge => libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLET,
        Trigger::Oneshot => libc::EPOLLONESHOT,
        // HUP and ERR cannot be masked: reported once at most while disarmed.
        Trigger::Level if interest.is_none() => libc::EPOLLONESHOT,
        Trigger::Level => 0,
    };
    mask as u32
}

#[inline]
fn ready(mask: u32) -> Ready {
    let mask = mask as c_int;
    let bits = [
        (libc::EPOLLIN, Ready::READ),
        (libc::EPOLLOUT, Ready::WRITE),
        (libc::EPOLLHUP, Ready::HUP),
        (libc::EPOLLERR, Ready::ERR),
        (libc::EPOLLRDHUP, Ready::RDHUP),
    ];
    let set = bits.into_iter().filter(|(bit, _)| mask & bit != 0);
    set.fold(Ready::NONE, |all, (_, ready)| all | ready)
}

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

/// The kernel no longer knows a registration: its descriptor was closed.
fn dropped(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::EBADF) => {
            let what = "the descriptor was closed while it was registered";
            io::Error::new(io::ErrorKind::NotFound, what)
        }
        _ => error,
    }
}
