//! Descriptors that are no sockets: pipes, the standard streams, those of other libraries; and child processes by
//! number.
//!
//! [`read`] and [`write()`] take any descriptor and leave its mode alone: they wait until it is ready, then make one
//! system call. [`pipe`] makes pipes that are cheaper than that. For child processes
//! [`process`](crate::process).

mod green_pipe;
mod number;
mod pipe;
mod stdio;
mod wait;

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use hub_core::Direction;
use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;

use crate::io::trampoline::Claim;
use crate::runtime::Runtime;
use crate::runtime::backoff::Backoff;
use crate::runtime::once::is_ready;
use crate::runtime::readiness::{reason, timed_out};

pub use green_pipe::GreenPipe;
pub(crate) use number::Process;
pub use pipe::{PipeReader, PipeWriter, pipe};
pub use stdio::{Stderr, Stdin, Stdout, stderr, stdin, stdout};
pub(crate) use wait::ChildExit;
pub use wait::{try_waitpid, wait, wait_timeout, waitpid, waitpid_timeout};

/// What a pipe that is writable takes without blocking.
#[cfg(any(target_os = "linux", target_os = "android"))]
const PIPE_BUF: usize = 4096;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const PIPE_BUF: usize = 512;

/// Reads from any descriptor: waits until it is readable, then makes one system call. Regular files do not wait.
///
/// The descriptor may be in blocking mode. If another process takes what was there in between, the read blocks the
/// thread; [`PipeReader`] never does.
///
/// # Errors
/// What the system says; `WouldBlock` if it would have to wait while the thread unwinds.
///
/// ```
/// let (reader, writer) = std::io::pipe()?;
/// green::spawn_n(move || {
///     green::os::write(&writer, b"hello").unwrap();
/// });
/// let mut buffer = [0; 16];
/// let n = green::os::read(&reader, &mut buffer)?;
/// assert_eq!(&buffer[..n], b"hello");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn read(fd: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    read_until(fd.as_fd(), buffer, None)
}

/// As [`read`], waiting for at most `timeout`.
///
/// # Errors
/// As [`read`]; `TimedOut` after `timeout`.
///
/// ```
/// let (reader, _writer) = std::io::pipe()?;
/// let nothing = green::os::read_timeout(&reader, &mut [0; 8], std::time::Duration::from_millis(1));
/// assert_eq!(nothing.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn read_timeout(fd: impl AsFd, buffer: &mut [u8], timeout: Duration) -> io::Result<usize> {
    let deadline = Runtime::with(|runtime| runtime.deadline(Some(timeout)));
    read_until(fd.as_fd(), buffer, deadline)
}

/// Writes to any descriptor: waits until it is writable, then makes one system call. Regular files do not wait.
///
/// The descriptor may be in blocking mode. Then no more is written at once than a pipe takes without blocking, so
/// the result may be less than the buffer.
///
/// # Errors
/// As [`read`].
///
/// ```
/// let (reader, writer) = std::io::pipe()?;
/// assert_eq!(green::os::write(&writer, b"hello")?, 5);
/// assert_eq!(green::os::read(&reader, &mut [0; 8])?, 5);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn write(fd: impl AsFd, buffer: &[u8]) -> io::Result<usize> {
    write_until(fd.as_fd(), buffer, None)
}

/// As [`write()`], waiting for at most `timeout`.
///
/// # Errors
/// As [`write()`]; `TimedOut` after `timeout`.
///
/// ```
/// let (_reader, writer) = std::io::pipe()?;
/// let time = std::time::Duration::from_millis(1);
/// let full = loop {
///     if let Err(error) = green::os::write_timeout(&writer, &[0; 4096], time) {
///         break error;
///     }
/// };
/// assert_eq!(full.kind(), std::io::ErrorKind::TimedOut);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn write_timeout(fd: impl AsFd, buffer: &[u8], timeout: Duration) -> io::Result<usize> {
    let deadline = Runtime::with(|runtime| runtime.deadline(Some(timeout)));
    write_until(fd.as_fd(), buffer, deadline)
}

fn read_until(
    fd: BorrowedFd<'_>,
    buffer: &mut [u8],
    deadline: Option<Instant>,
) -> io::Result<usize> {
    retry(fd, Direction::Read, deadline, || {
        rustix::io::read(fd, &mut *buffer)
    })
}

fn write_until(fd: BorrowedFd<'_>, buffer: &[u8], deadline: Option<Instant>) -> io::Result<usize> {
    let all = is_regular(fd)? || rustix::fs::fcntl_getfl(fd)?.contains(OFlags::NONBLOCK);
    let most = if all { buffer.len() } else { PIPE_BUF };
    let buffer = &buffer[..buffer.len().min(most)];
    retry(fd, Direction::Write, deadline, || {
        rustix::io::write(fd, buffer)
    })
}

fn is_regular(fd: BorrowedFd<'_>) -> io::Result<bool> {
    let mode = rustix::fs::fstat(fd)?.st_mode;
    Ok(FileType::from_raw_mode(mode) == FileType::RegularFile)
}

fn retry(
    fd: BorrowedFd<'_>,
    direction: Direction,
    deadline: Option<Instant>,
    mut op: impl FnMut() -> rustix::io::Result<usize>,
) -> io::Result<usize> {
    Runtime::with(|runtime| {
        runtime.spend();
        let mut backoff = Backoff::new(Duration::from_micros(100), Duration::from_millis(100));
        let mut claim: Option<Claim<'_>> = None;
        loop {
            let overtakes = claim.is_none() && Claim::is_taken(runtime, fd, direction);
            // Asked again after each wait, since another reader may have been faster: of a descriptor in blocking
            // mode the call itself must not find out. One that was opened for the other direction never is ready:
            // there the call finds the error.
            let ready = !overtakes && (is_ready(fd, direction)? || !is_open_for(fd, direction)?);
            if ready {
                match op() {
                    Err(Errno::INTR) => continue,
                    Err(Errno::AGAIN) if !runtime.cannot_switch() => {}
                    result => {
                        let done = result?;
                        runtime.transferred(direction, done);
                        return Ok(done);
                    }
                }
            }
            let now = runtime.now();
            if deadline.is_some_and(|deadline| deadline <= now) {
                return Err(timed_out(reason(fd.as_raw_fd(), direction)));
            }
            if ready {
                // It was not, and would be reported as ready again.
                let pause = now + backoff.next();
                crate::sleep_until(deadline.map_or(pause, |deadline| deadline.min(pause)));
            } else {
                // It is kept until the call is made: who was woken in vain keeps the first place.
                let mine = match claim.take() {
                    Some(mine) => mine,
                    None => Claim::new(runtime, fd, direction, deadline)?,
                };
                claim.insert(mine).wait(fd, deadline)?;
            }
        }
    })
}

fn is_open_for(fd: BorrowedFd<'_>, direction: Direction) -> io::Result<bool> {
    let mode = rustix::fs::fcntl_getfl(fd)? & OFlags::ACCMODE;
    let only = match direction {
        Direction::Read => OFlags::RDONLY,
        Direction::Write => OFlags::WRONLY,
    };
    Ok(mode == OFlags::RDWR || mode == only)
}
