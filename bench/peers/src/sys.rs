//! Thin wrappers over the system calls that the raw loops, the load generator and the drivers use.
//!
//! Each is one call and an error; nothing here decides anything, so that the raw loops stay the floor.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use libc::{c_int, c_void};

/// A descriptor that was just returned by the kernel, or the reason why there is none.
fn owned(fd: c_int) -> io::Result<OwnedFd> {
    check(fd as isize)?;
    // SAFETY: the kernel returned this number from a call that creates a descriptor, and nobody else has seen it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn check(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// Receives without waiting.
pub fn recv(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the pointer and the length are those of one exclusive slice.
    check(unsafe {
        libc::recv(
            fd.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            libc::MSG_DONTWAIT,
        )
    })
}

/// Sends without waiting; a closed peer is an error, not a signal.
pub fn send(fd: BorrowedFd<'_>, data: &[u8]) -> io::Result<usize> {
    // SAFETY: the pointer and the length are those of one slice.
    check(unsafe {
        libc::send(
            fd.as_raw_fd(),
            data.as_ptr().cast(),
            data.len(),
            libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
        )
    })
}

/// Accepts one connection, non-blocking.
pub fn accept(listener: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: null is allowed for an address that nobody wants.
    owned(unsafe {
        libc::accept4(
            listener.as_raw_fd(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC,
        )
    })
}

/// Sets TCP_NODELAY.
pub fn set_nodelay(fd: BorrowedFd<'_>) -> io::Result<()> {
    let on: c_int = 1;
    // SAFETY: the option's value is a live integer of the size that is passed.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_NODELAY,
            (&raw const on).cast::<c_void>(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    check(result as isize).map(drop)
}

/// Creates an epoll instance.
pub fn epoll_create() -> io::Result<OwnedFd> {
    // SAFETY: takes no pointer.
    owned(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })
}

/// Adds or modifies a registration.
pub fn epoll_ctl(
    epoll: BorrowedFd<'_>,
    operation: c_int,
    fd: BorrowedFd<'_>,
    events: c_int,
    data: u64,
) -> io::Result<()> {
    let mut event = libc::epoll_event {
        events: events as u32,
        u64: data,
    };
    // SAFETY: the event lives until the call returns.
    let result =
        unsafe { libc::epoll_ctl(epoll.as_raw_fd(), operation, fd.as_raw_fd(), &raw mut event) };
    check(result as isize).map(drop)
}

/// Waits for events, up to `timeout` milliseconds (-1: for ever), and replaces the content of `events`.
pub fn epoll_wait(
    epoll: BorrowedFd<'_>,
    events: &mut Vec<libc::epoll_event>,
    timeout: c_int,
) -> io::Result<()> {
    events.clear();
    // SAFETY: the pointer and the capacity are those of the vector, exclusively borrowed.
    let count = check(unsafe {
        libc::epoll_wait(
            epoll.as_raw_fd(),
            events.as_mut_ptr(),
            events.capacity() as c_int,
            timeout,
        )
    } as isize)?;
    // SAFETY: the kernel has just written this many events.
    unsafe { events.set_len(count) };
    Ok(())
}

/// Waits until one of the entries is ready.
pub fn poll(entries: &mut [libc::pollfd]) -> io::Result<usize> {
    // SAFETY: the pointer and the length are those of one exclusive slice.
    check(unsafe { libc::poll(entries.as_mut_ptr(), entries.len() as libc::nfds_t, -1) } as isize)
}

/// Waits until one of the descriptors below `limit` is ready. The sets are bit maps of any length that Linux accepts.
///
/// # Panics
/// If a set is too short for `limit`.
pub fn select(limit: usize, read: &mut [u64], write: &mut [u64]) -> io::Result<usize> {
    assert!(limit <= read.len() * 64 && limit <= write.len() * 64);
    // SAFETY: both sets hold at least `limit` bits; the kernel reads and writes no further.
    check(unsafe {
        libc::select(
            limit as c_int,
            read.as_mut_ptr().cast(),
            write.as_mut_ptr().cast(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
        )
    } as isize)
}

/// Binds this process and what it starts to one processor.
pub fn pin(cpu: usize) -> io::Result<()> {
    // SAFETY: an all-zero set is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: CPU_SET checks the index against the set's size.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: the set lives until the call returns.
    let result = unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) };
    check(result as isize).map(drop)
}

/// Raises the limit of open descriptors to what the system allows.
pub fn raise_fd_limit() -> io::Result<()> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the structure is exclusively borrowed for the call.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } as isize)?;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: the structure lives until the call returns.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } as isize).map(drop)
}

/// The processor time that a process has used, in user and in kernel mode, all threads.
#[derive(Debug, Clone, Copy)]
pub struct CpuClock(libc::clockid_t);

impl CpuClock {
    /// The clock of this process.
    pub const OWN: CpuClock = CpuClock(libc::CLOCK_PROCESS_CPUTIME_ID);

    /// The clock of another process.
    pub fn of(pid: u32) -> io::Result<CpuClock> {
        let mut id = 0;
        // SAFETY: the id is exclusively borrowed for the call.
        match unsafe { libc::clock_getcpuclockid(pid as libc::pid_t, &raw mut id) } {
            0 => Ok(CpuClock(id)),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }

    /// Reads the clock.
    pub fn now(self) -> io::Result<Duration> {
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: the structure is exclusively borrowed for the call.
        check(unsafe { libc::clock_gettime(self.0, &raw mut time) } as isize)?;
        Ok(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
    }
}

/// Has the kernel kill what `command` starts when the thread that started it ends, however that happens.
pub fn die_with_parent(command: &mut Command) -> &mut Command {
    // SAFETY: the closure makes one system call between fork and exec, and takes no lock and no memory.
    unsafe {
        command.pre_exec(|| {
            let result = libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            check(result as isize).map(drop)
        })
    }
}

/// Sends SIGINT to a process that was started by the caller and not yet waited for.
pub fn interrupt(child: u32) -> io::Result<()> {
    // SAFETY: takes no pointer; the number cannot belong to anybody else before it is waited for.
    check(unsafe { libc::kill(child as libc::pid_t, libc::SIGINT) } as isize).map(drop)
}
