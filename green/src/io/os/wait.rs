//! Waiting for child processes, without asking again and again.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitOptions};

use crate::hubs::{Direction, trampoline};
use crate::runtime::Runtime;
use crate::signal::{SIGCHLD, Signals};

/// How long a wait may block the thread while that unwinds.
const BRIEFLY: Duration = Duration::from_millis(100);

/// Waits for the end of the child process `pid` and takes its status.
///
/// Where the system has descriptors for processes (Linux 5.3) the hub waits for that one; elsewhere for SIGCHLD.
///
/// # Errors
/// If this process has no such child, or its status has been taken. While the thread unwinds nothing can switch:
/// then the thread blocks for at most 100 ms, and the error is `WouldBlock` if the child has not ended by then.
///
/// ```
/// let child = std::process::Command::new("true").spawn()?;
/// assert!(green::os::waitpid(child.id())?.success());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn waitpid(pid: u32) -> io::Result<ExitStatus> {
    waitpid_until(pid, None)
}

/// As [`waitpid`], for at most `timeout`.
///
/// # Errors
/// As [`waitpid`]; `TimedOut` after `timeout`.
pub fn waitpid_timeout(pid: u32, timeout: Duration) -> io::Result<ExitStatus> {
    waitpid_until(
        pid,
        Runtime::with(|runtime| runtime.deadline(Some(timeout))),
    )
}

/// The status of the child process `pid`, if it has ended: never waits.
///
/// # Errors
/// If this process has no such child, or its status has been taken.
pub fn try_waitpid(pid: u32) -> io::Result<Option<ExitStatus>> {
    let pid = number(pid)?;
    let ended = rustix::process::waitpid(Some(pid), WaitOptions::NOHANG).map_err(|error| {
        io::Error::new(
            io::Error::from(error).kind(),
            format!("cannot wait for process {pid:?}: {error}"),
        )
    })?;
    Ok(ended.map(|(_, status)| ExitStatus::from_raw(status.as_raw())))
}

/// Waits for the end of any child process and takes its number and status.
///
/// It takes it from whoever else waits for that child; [`waitpid`] and [`process`](crate::process) do not.
///
/// # Errors
/// If this process has no children; `WouldBlock`, as for [`waitpid`].
///
/// ```
/// let child = std::process::Command::new("true").spawn()?;
/// let (pid, status) = green::os::wait()?;
/// assert!(pid == child.id() && status.success());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn wait() -> io::Result<(u32, ExitStatus)> {
    wait_until(None)
}

/// As [`wait`], for at most `timeout`.
///
/// # Errors
/// As [`wait`]; `TimedOut` after `timeout`.
pub fn wait_timeout(timeout: Duration) -> io::Result<(u32, ExitStatus)> {
    wait_until(Runtime::with(|runtime| runtime.deadline(Some(timeout))))
}

fn waitpid_until(pid: u32, deadline: Option<Instant>) -> io::Result<ExitStatus> {
    // Before anything is opened for it: is there such a child?
    match try_waitpid(pid)? {
        Some(status) => Ok(status),
        None => Exit::of(pid).wait(deadline, || try_waitpid(pid)),
    }
}

fn wait_until(deadline: Option<Instant>) -> io::Result<(u32, ExitStatus)> {
    Exit::ANY.wait(deadline, || {
        let ended = rustix::process::wait(WaitOptions::NOHANG)?;
        Ok(ended.map(|(pid, status)| {
            let pid = pid.as_raw_nonzero().get().unsigned_abs();
            (pid, ExitStatus::from_raw(status.as_raw()))
        }))
    })
}

fn number(pid: u32) -> io::Result<Pid> {
    let pid = i32::try_from(pid).ok().filter(|&pid| pid > 0);
    pid.and_then(Pid::from_raw)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not the number of a process"))
}

/// What tells of the end of one child process, or of any.
#[derive(Debug)]
pub(crate) struct Exit {
    pidfd: Option<OwnedFd>,
}

impl Exit {
    const ANY: Exit = Exit { pidfd: None };

    /// The process must be a child whose status nobody has taken: its number could be another's by now.
    pub(crate) fn of(pid: u32) -> Exit {
        Exit { pidfd: open(pid) }
    }

    /// Calls `poll` until it gives something, waiting in between.
    pub(crate) fn wait<T>(
        &self,
        deadline: Option<Instant>,
        mut poll: impl FnMut() -> io::Result<Option<T>>,
    ) -> io::Result<T> {
        let mut signals = None;
        loop {
            if let Some(ended) = poll()? {
                return Ok(ended);
            }
            if Runtime::with(Runtime::cannot_switch) {
                return self.block(poll);
            }
            if let Some(pidfd) = &self.pidfd {
                let timeout = deadline.map(|deadline| {
                    deadline.saturating_duration_since(Runtime::with(Runtime::now))
                });
                trampoline(pidfd, Direction::Read, timeout)?;
            } else if let Some(signals) = &signals {
                Signals::wait_until(signals, deadline)?;
            } else {
                // And ask once more: it may have ended before this.
                signals = Some(Signals::new([SIGCHLD])?);
            }
        }
    }

    /// Waits in the thread, briefly.
    fn block<T>(&self, mut poll: impl FnMut() -> io::Result<Option<T>>) -> io::Result<T> {
        if let Some(pidfd) = &self.pidfd {
            use rustix::event::{PollFd, PollFlags, Timespec};
            let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
            let briefly = Timespec {
                tv_sec: 0,
                tv_nsec: i64::from(BRIEFLY.subsec_nanos()),
            };
            // An error is an empty wait: the question that follows is what counts.
            let _ = rustix::event::poll(&mut fds, Some(&briefly));
        }
        poll()?.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::WouldBlock,
                "cannot wait for a child process while the thread unwinds",
            )
        })
    }
}

#[cfg(target_os = "linux")]
fn open(pid: u32) -> Option<OwnedFd> {
    use rustix::process::{PidfdFlags, pidfd_open};
    pidfd_open(number(pid).ok()?, PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
fn open(_pid: u32) -> Option<OwnedFd> {
    None
}

#[cfg(test)]
#[expect(clippy::zombie_processes, reason = "they are waited for by number")]
mod tests {
    use super::*;
    use std::process::Command;

    /// What a system without descriptors for processes does.
    const BY_SIGNAL: Exit = Exit { pidfd: None };

    #[test]
    fn a_child_is_waited_for_by_signal() {
        let child = Command::new("sleep").arg("0.05").spawn().unwrap();
        let status = BY_SIGNAL.wait(None, || try_waitpid(child.id())).unwrap();
        assert!(status.success());
    }

    #[test]
    fn a_wait_by_signal_times_out() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let deadline = Runtime::with(|runtime| runtime.deadline(Some(Duration::from_millis(20))));
        let error = BY_SIGNAL
            .wait(deadline, || try_waitpid(child.id()))
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        child.kill().unwrap();
        BY_SIGNAL.wait(None, || try_waitpid(child.id())).unwrap();
    }
}
