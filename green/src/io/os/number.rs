//! One child process, told from a later process with the same number.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, WaitOptions, getpgid, kill_process,
    kill_process_group, waitid, waitpid,
};

use crate::error::failed;

/// A child process of this one.
///
/// Its number is its own only until somebody takes its status; after that the system may give it to a stranger. So it
/// is meant by its descriptor where the system has such (Linux 5.4), and elsewhere asked for first.
#[derive(Debug)]
pub(crate) struct Process {
    pid: u32,
    descriptor: Option<Arc<OwnedFd>>,
    /// Its status, once it was taken here.
    ended: Mutex<Option<ExitStatus>>,
}

impl Process {
    /// The process must be a child whose status was not taken yet: else its number could be another's by now.
    pub(crate) fn of(pid: u32) -> Process {
        Process {
            pid,
            descriptor: open(pid).map(Arc::new),
            ended: Mutex::new(None),
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.pid
    }

    /// Readable once it has ended. `None` if the system has no such descriptors, or none was left.
    pub(crate) fn descriptor(&self) -> Option<Arc<OwnedFd>> {
        self.descriptor.clone()
    }

    /// Nothing that can panic runs under this lock, so poison means nothing.
    fn ended(&self) -> MutexGuard<'_, Option<ExitStatus>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its status, if it has ended, any number of times.
    ///
    /// # Errors
    /// If somebody else has taken its status.
    pub(crate) fn try_wait(&self) -> io::Result<Option<ExitStatus>> {
        let mut ended = self.ended();
        if ended.is_none() {
            *ended = self
                .take_status()
                .map_err(|error| failed(format!("cannot wait for process {}", self.pid), error))?;
        }
        Ok(*ended)
    }

    fn take_status(&self) -> rustix::io::Result<Option<ExitStatus>> {
        if let Some(which) = self.by_descriptor() {
            match waitid(which, WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {
                // Linux 5.3 has the descriptors and cannot wait for them.
                Err(Errno::INVAL) => {}
                status => return Ok(status?.as_ref().map(status_of)),
            }
        }
        let ended = waitpid(Some(number(self.pid)?), WaitOptions::NOHANG)?;
        Ok(ended.map(|(_, status)| ExitStatus::from_raw(status.as_raw())))
    }

    #[cfg(target_os = "linux")]
    fn by_descriptor(&self) -> Option<WaitId<'_>> {
        use std::os::fd::AsFd;
        let descriptor = self.descriptor.as_deref()?;
        Some(WaitId::PidFd(descriptor.as_fd()))
    }

    #[cfg(not(target_os = "linux"))]
    fn by_descriptor(&self) -> Option<WaitId<'_>> {
        None
    }

    /// Sends it a signal. If it has ended and its status was taken, nothing is sent to anybody.
    pub(crate) fn signal(&self, signal: i32) -> io::Result<()> {
        let what = named(signal)?;
        let ended = self.ended();
        if ended.is_some() {
            return Ok(());
        }
        match self.send(what) {
            Err(Errno::SRCH) => Ok(()),
            sent => sent.map_err(|error| self.cannot_signal(signal, error)),
        }
    }

    fn cannot_signal(&self, signal: i32, error: impl Into<io::Error>) -> io::Error {
        failed(
            format!("cannot send signal {signal} to process {}", self.pid),
            error,
        )
    }

    fn send(&self, signal: Signal) -> rustix::io::Result<()> {
        #[cfg(target_os = "linux")]
        if let Some(descriptor) = &self.descriptor {
            return rustix::process::pidfd_send_signal(descriptor, signal);
        }
        kill_process(self.unwaited()?, signal)
    }

    /// Its number, if it is still its own: it runs, or has ended and waits to be waited for.
    fn unwaited(&self) -> rustix::io::Result<Pid> {
        let pid = number(self.pid)?;
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let asked = match self.by_descriptor().map(|which| waitid(which, look)) {
            None | Some(Err(Errno::INVAL)) => waitid(WaitId::Pid(pid), look),
            Some(asked) => asked,
        };
        match asked {
            Ok(_) => Ok(pid),
            Err(Errno::CHILD) => Err(Errno::SRCH),
            Err(error) => Err(error),
        }
    }

    /// Sends a signal to all processes of the group that it leads.
    pub(crate) fn signal_group(&self, signal: i32) -> io::Result<()> {
        let what = named(signal)?;
        // Held, so that nobody takes the status, and frees the number of the group with it, in between.
        let ended = self.ended();
        let leader = match ended.is_some() {
            true => Err(Errno::SRCH),
            false => self.unwaited(),
        };
        let leader = leader.map_err(|error| {
            let error = io::Error::from(error);
            failed(
                format!(
                    "cannot send signal {signal} to the group of process {}, whose number may be another's by now: \
                     send it before the process is waited for",
                    self.pid
                ),
                error,
            )
        })?;
        let group = getpgid(Some(leader)).map_err(|error| self.cannot_signal(signal, error))?;
        if group != leader {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "process {} leads no group of its own: start it with process_group(0)",
                    self.pid
                ),
            ));
        }
        kill_process_group(leader, what).map_err(|error| self.cannot_signal(signal, error))
    }
}

/// As `waitpid` would give it.
fn status_of(status: &WaitIdStatus) -> ExitStatus {
    let core = if status.dumped() { 0x80 } else { 0 };
    ExitStatus::from_raw(match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => (code & 0xff) << 8,
        (None, Some(signal)) => signal | core,
        (None, None) => 0,
    })
}

pub(super) fn number(pid: u32) -> rustix::io::Result<Pid> {
    let pid = i32::try_from(pid).ok().filter(|&pid| pid > 0);
    pid.and_then(Pid::from_raw).ok_or(Errno::INVAL)
}

fn named(signal: i32) -> io::Result<Signal> {
    Signal::from_named_raw(signal).ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{signal} is no signal with a name"),
        )
    })
}

#[cfg(target_os = "linux")]
fn open(pid: u32) -> Option<OwnedFd> {
    use rustix::process::{PidfdFlags, pidfd_open};
    let descriptor = pidfd_open(number(pid).ok()?, PidfdFlags::empty());
    descriptor
        .inspect_err(|error| {
            log::debug!(
                "no descriptor for process {pid}: {}",
                io::Error::from(*error)
            )
        })
        .ok()
}

#[cfg(not(target_os = "linux"))]
fn open(_pid: u32) -> Option<OwnedFd> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// What a system without descriptors for processes makes of it.
    fn by_number(pid: u32) -> Process {
        Process {
            descriptor: None,
            ..Process::of(pid)
        }
    }

    #[test]
    fn both_ways_give_what_waitpid_gives() {
        for script in ["exit 0", "exit 255", "kill -TERM $$", "kill -KILL $$"] {
            let run = || Command::new("sh").args(["-c", script]).spawn().unwrap();
            let expected = run().wait().unwrap();
            let (one, other) = (run(), run());
            for process in [Process::of(one.id()), by_number(other.id())] {
                let status = loop {
                    if let Some(status) = process.try_wait().unwrap() {
                        break status;
                    }
                    std::thread::sleep(std::time::Duration::from_millis(1));
                };
                assert_eq!(status, expected, "{script}");
                assert_eq!(process.try_wait().unwrap(), Some(expected));
            }
        }
    }

    #[test]
    fn one_whose_status_is_gone_is_known_to_be_dead() {
        for make in [Process::of, by_number] {
            let mut child = Command::new("true").spawn().unwrap();
            let process = make(child.id());
            child.wait().unwrap();
            process.signal(9).unwrap();
            assert_eq!(
                crate::raw_os_error(&process.signal_group(9).unwrap_err()),
                Some(libc::ESRCH)
            );
            let error = process.try_wait().unwrap_err();
            assert_eq!(crate::raw_os_error(&error), Some(libc::ECHILD));
        }
    }

    #[test]
    fn signals_arrive_both_ways() {
        for make in [Process::of, by_number] {
            let mut child = Command::new("sleep").arg("60").spawn().unwrap();
            make(child.id()).signal(15).unwrap();
            assert_eq!(child.wait().unwrap().signal(), Some(15));
        }
    }
}
