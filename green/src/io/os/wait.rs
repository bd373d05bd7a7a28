//! Waiting for child processes, without asking again and again.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hub_core::Direction;
use rustix::process::WaitOptions;

use super::number::{Process, number};
use crate::error::{failed, is_shortage};
use crate::net::io::Io;
use crate::runtime::Runtime;
use crate::signal::{SIGCHLD, Signals};

/// How long a wait may block the thread while that unwinds.
const BRIEFLY: Duration = Duration::from_millis(100);

/// Between two looks of one who has nothing that would wake it: at first, and at last.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Waits for the end of the child process `pid` and takes its status.
///
/// Where the system has descriptors for processes (Linux 5.3) the hub waits for that one; elsewhere for SIGCHLD. If
/// no descriptor is left, it looks again from time to time.
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
///
/// ```
/// let mut child = std::process::Command::new("sleep").arg("60").spawn()?;
/// let late = green::os::waitpid_timeout(child.id(), std::time::Duration::from_millis(1));
/// assert_eq!(late.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
/// child.kill()?;
/// green::os::waitpid(child.id())?;
/// # Ok::<(), std::io::Error>(())
/// ```
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
///
/// ```
/// let mut child = std::process::Command::new("sleep").arg("60").spawn()?;
/// assert!(green::os::try_waitpid(child.id())?.is_none());
/// child.kill()?;
/// green::os::waitpid(child.id())?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn try_waitpid(pid: u32) -> io::Result<Option<ExitStatus>> {
    let ended = number(pid)
        .and_then(|pid| rustix::process::waitpid(Some(pid), WaitOptions::NOHANG))
        .map_err(|error| failed(format!("cannot wait for process {pid}"), error))?;
    Ok(ended.map(|(_, status)| ExitStatus::from_raw(status.as_raw())))
}

/// Waits for the end of any child process and takes its number and status.
///
/// It takes it from whoever else waits for that child; [`waitpid`] and [`process`](crate::process) do not. While
/// SIGCHLD is blocked in this thread, it looks from time to time.
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
///
/// ```
/// let child = std::process::Command::new("true").spawn()?;
/// let (pid, status) = green::os::wait_timeout(std::time::Duration::from_secs(60))?;
/// assert!(pid == child.id() && status.success());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn wait_timeout(timeout: Duration) -> io::Result<(u32, ExitStatus)> {
    wait_until(Runtime::with(|runtime| runtime.deadline(Some(timeout))))
}

fn waitpid_until(pid: u32, deadline: Option<Instant>) -> io::Result<ExitStatus> {
    // Before anything is opened for it: is there such a child?
    if let Some(status) = try_waitpid(pid)? {
        return Ok(status);
    }
    let process = Process::of(pid);
    ChildExit::of(&process).wait(deadline, || process.try_wait())
}

fn wait_until(deadline: Option<Instant>) -> io::Result<(u32, ExitStatus)> {
    ChildExit::ANY.wait(deadline, || {
        let ended = rustix::process::wait(WaitOptions::NOHANG)
            .map_err(|error| failed("cannot wait for a child process", error))?;
        Ok(ended.map(|(pid, status)| {
            let pid = pid.as_raw_nonzero().get().unsigned_abs();
            (pid, ExitStatus::from_raw(status.as_raw()))
        }))
    })
}

/// What tells of the end of one child process, or of any.
#[derive(Debug)]
pub(crate) struct ChildExit {
    /// Registered itself, not a duplicate: to wait needs no new descriptor.
    descriptor: Option<Io<Arc<OwnedFd>>>,
}

impl ChildExit {
    const ANY: ChildExit = ChildExit { descriptor: None };

    pub(crate) fn of(process: &Process) -> ChildExit {
        ChildExit {
            descriptor: process.descriptor().map(Io::new),
        }
    }

    /// Calls `poll` until it gives something, waiting in between.
    ///
    /// # Errors
    /// What `poll` says; `TimedOut` at the deadline; `WouldBlock` while the thread unwinds. It needs nothing that the
    /// system could refuse.
    pub(crate) fn wait<T>(
        &self,
        deadline: Option<Instant>,
        mut poll: impl FnMut() -> io::Result<Option<T>>,
    ) -> io::Result<T> {
        if let Some(ended) = poll()? {
            return Ok(ended);
        }
        if Runtime::with(Runtime::cannot_switch) {
            return self.block(poll);
        }
        if let Some(descriptor) = &self.descriptor {
            let waited = descriptor.retry_until(Direction::Read, deadline, |_| {
                poll()?.ok_or(io::Error::from(io::ErrorKind::WouldBlock))
            });
            match waited {
                Err(error) if is_shortage(&error) => log::warn!(
                    "the hub takes no descriptor of a child process ({error}): its end is looked for"
                ),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(timed_out()),
                waited => return waited,
            }
            return look(None, deadline, poll);
        }
        let signals = match Signals::new([SIGCHLD]) {
            Ok(signals) => Some(signals),
            Err(error) if is_shortage(&error) => {
                log::warn!(
                    "nothing can tell of the end of a child process ({error}): it is looked for"
                );
                None
            }
            Err(error) => return Err(error),
        };
        look(signals.as_ref(), deadline, poll)
    }

    /// Waits in the thread, briefly.
    fn block<T>(&self, mut poll: impl FnMut() -> io::Result<Option<T>>) -> io::Result<T> {
        let end = Instant::now() + BRIEFLY;
        loop {
            if let Some(ended) = poll()? {
                return Ok(ended);
            }
            if Instant::now() >= end {
                return Err(io::Error::new(
                    io::ErrorKind::WouldBlock,
                    "cannot wait for a child process while the thread unwinds",
                ));
            }
            std::thread::sleep(FIRST_PAUSE);
        }
    }
}

/// Asks whenever SIGCHLD comes, and from time to time where it may not come.
fn look<T>(
    signals: Option<&Signals>,
    deadline: Option<Instant>,
    mut poll: impl FnMut() -> io::Result<Option<T>>,
) -> io::Result<T> {
    let certain = signals.is_some() && is_blocked(SIGCHLD) == Some(false);
    let mut pause = FIRST_PAUSE;
    loop {
        // First, since the signals are asked for only now: it may have ended before.
        if let Some(ended) = poll()? {
            return Ok(ended);
        }
        let now = Runtime::with(Runtime::now);
        if deadline.is_some_and(|deadline| deadline <= now) {
            return Err(timed_out());
        }
        let next = match (certain, deadline) {
            (true, deadline) => deadline,
            (false, None) => Some(now + pause),
            (false, Some(deadline)) => Some(deadline.min(now + pause)),
        };
        match (signals, next) {
            (Some(signals), next) => match Signals::wait_until(signals, next) {
                Err(error) if error.kind() != io::ErrorKind::TimedOut => return Err(error),
                _ => {}
            },
            (None, Some(next)) => crate::sleep_until(next),
            (None, None) => unreachable!("without signals there is a next look"),
        }
        pause = LONGEST_PAUSE.min(2 * pause);
    }
}

/// True if this thread has the signal blocked; `None` where the system does not say.
fn is_blocked(signal: i32) -> Option<bool> {
    let status = std::fs::read_to_string("/proc/thread-self/status").ok()?;
    let blocked = status
        .lines()
        .find_map(|line| line.strip_prefix("SigBlk:"))?;
    let blocked = u64::from_str_radix(blocked.trim(), 16).ok()?;
    Some(blocked >> (signal - 1) & 1 == 1)
}

fn timed_out() -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        "timed out waiting for the end of a child process",
    )
}

#[cfg(test)]
#[expect(clippy::zombie_processes, reason = "they are waited for by number")]
mod tests {
    use super::*;
    use std::process::Command;

    /// What a system without descriptors for processes does.
    const BY_SIGNAL: ChildExit = ChildExit { descriptor: None };

    #[test]
    fn a_child_is_waited_for_by_signal() {
        let child = Command::new("sleep").arg("0.05").spawn().unwrap();
        let status = BY_SIGNAL.wait(None, || try_waitpid(child.id())).unwrap();
        assert!(status.success());
    }

    #[test]
    fn a_child_is_looked_for_if_nothing_can_tell_of_it() {
        let child = Command::new("sleep").arg("0.05").spawn().unwrap();
        let status = look(None, None, || try_waitpid(child.id())).unwrap();
        assert!(status.success());
    }

    #[test]
    fn a_wait_by_signal_times_out() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let start = Instant::now();
        let deadline = Runtime::with(|runtime| runtime.deadline(Some(Duration::from_millis(20))));
        let waits = [
            BY_SIGNAL.wait(deadline, || try_waitpid(child.id())),
            look(None, deadline, || try_waitpid(child.id())),
        ];
        for wait in waits {
            assert_eq!(wait.unwrap_err().kind(), io::ErrorKind::TimedOut);
        }
        assert!(start.elapsed() >= Duration::from_millis(20));
        child.kill().unwrap();
        BY_SIGNAL.wait(None, || try_waitpid(child.id())).unwrap();
    }
}
