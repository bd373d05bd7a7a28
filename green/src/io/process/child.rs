//! A child process, and a handle by which others send it signals.

use std::fmt;
use std::io;
use std::process::{self, ExitStatus, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::communicate::Conversation;
use super::{ChildStderr, ChildStdin, ChildStdout, TimeoutExpired};
use crate::os::{ChildExit, Process};
use crate::runtime::Runtime;
use crate::signal::{SIGKILL, SIGTERM};

/// A running or ended child process: `std::process::Child`, whose waits let other greenthreads run.
///
/// Dropping it neither ends the process nor waits for it.
///
/// ```
/// use std::io::{Read, Write};
/// use green::process::{Command, Stdio};
///
/// let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
/// child.stdin.take().unwrap().write_all(b"meow")?;
/// let mut text = String::new();
/// child.stdout.take().unwrap().read_to_string(&mut text)?;
/// assert!(child.wait()?.success() && text == "meow");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Signals, and both streams at once:
///
/// ```
/// use green::process::{Command, Stdio};
/// use green::signal::SIGKILL;
///
/// let mut child = Command::new("sleep").arg("60").spawn()?;
/// assert!(child.id() > 0 && child.try_wait()?.is_none());
/// child.terminate()?; // Or `child.send_signal(SIGKILL)`, which is `child.kill()`.
/// assert!(!child.wait()?.success());
/// child.send_signal(SIGKILL)?; // One that has ended is left alone.
/// child.kill()?;
///
/// let echo = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn()?;
/// assert_eq!(echo.wait_with_output()?.stdout, b"hello\n");
///
/// let mut shell = Command::new("sh");
/// let mut leader = shell.args(["-c", "sleep 60 & sleep 60"]).process_group(0).spawn()?;
/// leader.kill_group()?; // With the processes that it has started.
/// leader.wait()?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Its handle, for others:
///
/// ```
/// use green::process::Command;
///
/// let mut child = Command::new("sleep").arg("60").spawn()?;
/// let handle = child.handle();
/// green::spawn_n(move || handle.kill().unwrap());
/// assert!(!child.wait()?.success());
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Child {
    /// The pipe to its standard input, if that was piped. Drop it to tell the process that no more will come.
    pub stdin: Option<ChildStdin>,
    /// The pipe from its standard output, if that was piped.
    pub stdout: Option<ChildStdout>,
    /// The pipe from its standard error, if that was piped.
    pub stderr: Option<ChildStderr>,
    handle: ChildHandle,
    exit: ChildExit,
    command: String,
    pub(super) conversation: Option<Conversation>,
}

/// Sends signals to a child process, and asks if it has ended, while another greenthread has the [`Child`] and waits
/// for it. It may be cloned and go to other threads.
///
/// Signals reach that process or nobody: one that has ended is never taken for another that has its number by now.
///
/// ```
/// use green::process::Command;
///
/// let mut child = Command::new("sleep").arg("60").spawn()?;
/// let handle = child.handle();
/// let waits = green::spawn(move || child.wait());
/// green::yield_now();
/// handle.terminate()?;
/// assert!(!waits.join().unwrap()?.success());
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// Every call that needs no waiting:
///
/// ```
/// use green::process::Command;
/// use green::signal::SIGTERM;
///
/// let mut child = Command::new("sleep").arg("60").process_group(0).spawn()?;
/// let handle = child.handle();
/// assert_eq!(handle.id(), child.id());
/// assert!(handle.try_wait()?.is_none());
/// handle.send_signal(SIGTERM)?;
/// handle.kill_group()?;
/// handle.kill()?;
/// assert!(!child.wait()?.success());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct ChildHandle {
    process: Arc<Process>,
}

macro_rules! signals {
    ($type:ident, $($process:ident).+) => {
        impl $type {
            /// The number of the process.
            pub fn id(&self) -> u32 {
                self.$($process).+.id()
            }

            /// Ends the process by SIGKILL, which it cannot refuse. One that has ended is left alone.
            ///
            /// # Errors
            /// What the system says.
            pub fn kill(&self) -> io::Result<()> {
                self.send_signal(SIGKILL)
            }

            /// Asks the process to end, by SIGTERM. One that has ended is left alone.
            ///
            /// # Errors
            /// What the system says.
            pub fn terminate(&self) -> io::Result<()> {
                self.send_signal(SIGTERM)
            }

            /// Sends the process a signal, such as [`SIGHUP`](crate::signal::SIGHUP). One that has ended is left
            /// alone.
            ///
            /// # Errors
            /// `InvalidInput` for a number that is no signal; what the system says.
            pub fn send_signal(&self, signal: i32) -> io::Result<()> {
                self.$($process).+.signal(signal)
            }

            /// As [`signal_group`](Self::signal_group), with SIGKILL.
            ///
            /// # Errors
            /// As [`signal_group`](Self::signal_group).
            pub fn kill_group(&self) -> io::Result<()> {
                self.signal_group(SIGKILL)
            }

            /// Sends a signal to every process of the group that this one leads: to itself, and to those that it has
            /// started and that have not left the group. It leads one if
            /// [`process_group(0)`](super::Command::process_group) was said.
            ///
            /// Also when it has ended and left others behind, but not after it was waited for: from then on the group
            /// may be a stranger's.
            ///
            /// # Errors
            /// `InvalidInput` if it leads no group, or for a number that is no signal; `ESRCH` if it was waited for;
            /// what the system says.
            ///
            /// ```
            /// use green::process::Command;
            ///
            /// let mut shell = Command::new("sh");
            /// let mut child = shell.args(["-c", "sleep 60 & sleep 60"]).process_group(0).spawn()?;
            /// child.kill_group()?;
            /// assert!(!child.wait()?.success());
            /// # Ok::<(), std::io::Error>(())
            /// ```
            pub fn signal_group(&self, signal: i32) -> io::Result<()> {
                self.$($process).+.signal_group(signal)
            }

            /// Its status, if it has ended: never waits.
            ///
            /// # Errors
            /// If somebody else has taken its status.
            pub fn try_wait(&self) -> io::Result<Option<ExitStatus>> {
                self.$($process).+.try_wait()
            }
        }
    };
}

signals!(Child, handle.process);
signals!(ChildHandle, process);

impl fmt::Debug for ChildHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildHandle")
            .field("id", &self.id())
            .finish()
    }
}

impl Child {
    /// What can fail here needs nothing that the system could lack: a process that was started is not lost.
    pub(super) fn new(mut child: process::Child, command: String) -> io::Result<Child> {
        let process = Arc::new(Process::of(child.id()));
        let exit = ChildExit::of(&process);
        Ok(Child {
            stdin: ChildStdin::over(child.stdin.take())?,
            stdout: ChildStdout::over(child.stdout.take())?,
            stderr: ChildStderr::over(child.stderr.take())?,
            handle: ChildHandle { process },
            exit,
            command,
            conversation: None,
        })
    }

    /// A process that was forked, and not waited for.
    pub(crate) fn forked(pid: u32) -> Child {
        let process = Arc::new(Process::of(pid));
        Child {
            stdin: None,
            stdout: None,
            stderr: None,
            exit: ChildExit::of(&process),
            handle: ChildHandle { process },
            command: String::from("a fork"),
            conversation: None,
        }
    }

    /// A handle by which others may send signals while this one waits.
    pub fn handle(&self) -> ChildHandle {
        self.handle.clone()
    }

    /// Closes the pipe to its standard input, waits for its end and gives its status, any number of times.
    ///
    /// # Errors
    /// If somebody else has taken its status. `WouldBlock` while the thread unwinds: see the
    /// [module](crate::process).
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        self.wait_until(None)
    }

    /// As [`Child::wait`], for at most `timeout`. The process runs on after that.
    ///
    /// # Errors
    /// As [`Child::wait`]; a [`TimeoutExpired`], of kind `TimedOut`, after `timeout`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use green::process::{Command, TimeoutExpired};
    ///
    /// let mut child = Command::new("sleep").arg("60").spawn()?;
    /// let error = child.wait_timeout(Duration::from_millis(5)).unwrap_err();
    /// assert!(green::is_timeout(&error));
    /// assert!(error.get_ref().is_some_and(|inner| inner.is::<TimeoutExpired>()));
    /// child.kill()?;
    /// assert!(!child.wait()?.success());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn wait_timeout(&mut self, timeout: Duration) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        let deadline = Runtime::with(|runtime| runtime.deadline(Some(timeout)));
        let result = self.wait_until(deadline);
        self.name_expiry(result, Some(timeout))
    }

    pub(super) fn wait_until(&mut self, deadline: Option<Instant>) -> io::Result<ExitStatus> {
        let process = &self.handle.process;
        self.exit.wait(deadline, || process.try_wait())
    }

    /// Says what has not ended, if time was up.
    pub(super) fn name_expiry<T>(
        &self,
        result: io::Result<T>,
        timeout: Option<Duration>,
    ) -> io::Result<T> {
        result.map_err(|error| match timeout {
            Some(after) if error.kind() == io::ErrorKind::TimedOut => {
                let [stdout, stderr] = self.said();
                TimeoutExpired {
                    command: self.command.clone(),
                    pid: self.id(),
                    after,
                    stdout,
                    stderr,
                }
                .into()
            }
            _ => error,
        })
    }

    /// Reads all that it writes, and waits for its end. A kill or a deadline that ends the wait ends the process.
    ///
    /// # Errors
    /// As [`Child::communicate`].
    pub fn wait_with_output(self) -> io::Result<Output> {
        Unheld::new(self).run(&[], None)
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("command", &self.command)
            .field("id", &self.id())
            .field("stdin", &self.stdin)
            .field("stdout", &self.stdout)
            .field("stderr", &self.stderr)
            .finish_non_exhaustive()
    }
}

/// A child that would be left running if this is unwound: its drop ends it and waits for it.
pub(super) struct Unheld(Option<Child>);

impl Unheld {
    pub(super) fn new(child: Child) -> Unheld {
        Unheld(Some(child))
    }

    /// Gives it its input, reads all that it writes, and waits for its end.
    pub(super) fn run(mut self, input: &[u8], timeout: Option<Duration>) -> io::Result<Output> {
        let Some(child) = &mut self.0 else {
            unreachable!("taken only by drop");
        };
        let output = match timeout {
            Some(timeout) => child.communicate_timeout(input, timeout),
            None => child.communicate(input),
        };
        self.settle(output)
    }

    /// After an error as after a kill, somebody has to see to the child.
    fn settle<T>(mut self, result: io::Result<T>) -> io::Result<T> {
        if result.is_ok() {
            self.0 = None;
        }
        result
    }
}

impl Drop for Unheld {
    fn drop(&mut self) {
        let Some(mut child) = self.0.take() else {
            return;
        };
        // With those whom it has started, if it leads a group.
        if let Err(error) = child.kill_group().or_else(|_| child.kill()) {
            log::debug!("cannot end {child:?}: {error}");
        }
        let reaper = crate::Builder::new().name("reaper").spawn(move || {
            if let Err(error) = child.wait() {
                log::debug!("cannot wait for {child:?}: {error}");
            }
        });
        if let Err(error) = reaper {
            log::debug!("a killed child process is left unwaited for: {error}");
        }
    }
}
