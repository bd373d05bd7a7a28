//! A child process and the pipes to it.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::OwnedFd;
use std::process::{self, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use super::TimeoutExpired;
use super::communicate::Conversation;
use crate::os::{Exit, PipeReader, PipeWriter};
use crate::runtime::Runtime;

/// A running or ended child process: `std::process::Child`, whose waits let other greenthreads run.
///
/// Dropping it neither ends the process nor waits for it.
pub struct Child {
    /// The pipe to its standard input, if that was piped. Drop it to tell the process that no more will come.
    pub stdin: Option<ChildStdin>,
    /// The pipe from its standard output, if that was piped.
    pub stdout: Option<ChildStdout>,
    /// The pipe from its standard error, if that was piped.
    pub stderr: Option<ChildStderr>,
    child: process::Child,
    exit: Exit,
    command: String,
    pub(super) conversation: Option<Conversation>,
}

impl Child {
    pub(super) fn new(mut child: process::Child, command: String) -> io::Result<Child> {
        let exit = Exit::of(child.id());
        let stdin = child
            .stdin
            .take()
            .map(|pipe| OwnedFd::from(pipe).try_into());
        let stdout = child
            .stdout
            .take()
            .map(|pipe| OwnedFd::from(pipe).try_into());
        let stderr = child
            .stderr
            .take()
            .map(|pipe| OwnedFd::from(pipe).try_into());
        Ok(Child {
            stdin: stdin.transpose()?.map(|pipe| ChildStdin { pipe }),
            stdout: stdout.transpose()?.map(|pipe| ChildStdout { pipe }),
            stderr: stderr.transpose()?.map(|pipe| ChildStderr { pipe }),
            child,
            exit,
            command,
            conversation: None,
        })
    }

    /// The number of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends the process by SIGKILL. One that has ended and was waited for is left alone.
    ///
    /// # Errors
    /// What the system says.
    pub fn kill(&mut self) -> io::Result<()> {
        self.child.kill()
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
        let child = &mut self.child;
        self.exit.wait(deadline, || child.try_wait())
    }

    /// Says what has not ended, if time was up.
    pub(super) fn name_expiry<T>(
        &self,
        result: io::Result<T>,
        timeout: Option<Duration>,
    ) -> io::Result<T> {
        result.map_err(|error| match timeout {
            Some(after) if error.kind() == io::ErrorKind::TimedOut => TimeoutExpired {
                command: self.command.clone(),
                pid: self.id(),
                after,
            }
            .into(),
            _ => error,
        })
    }

    /// Its status, if it has ended: never waits.
    ///
    /// # Errors
    /// If somebody else has taken its status.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Reads all that it writes, and waits for its end. A kill or a deadline that ends the wait ends the process.
    ///
    /// # Errors
    /// As [`Child::communicate`].
    pub fn wait_with_output(self) -> io::Result<Output> {
        Unheld::new(self).wait_with_output()
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

/// A child that nobody could end or wait for any more if this is unwound: it does both.
pub(super) struct Unheld(Option<Child>);

impl Unheld {
    pub(super) fn new(child: Child) -> Unheld {
        Unheld(Some(child))
    }

    pub(super) fn wait(mut self) -> io::Result<ExitStatus> {
        let status = match &mut self.0 {
            Some(child) => child.wait(),
            None => unreachable!("taken only by drop"),
        };
        self.settle(status)
    }

    fn wait_with_output(mut self) -> io::Result<Output> {
        let output = match &mut self.0 {
            Some(child) => child.communicate(&[]),
            None => unreachable!("taken only by drop"),
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
        if let Err(error) = child.kill() {
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

macro_rules! stream {
    ($(#[$doc:meta])* $name:ident, $pipe:ident, $set:ident, $get:ident) => {
        $(#[$doc])*
        pub struct $name {
            pipe: $pipe,
        }

        impl $name {
            /// Bounds the wait of each call; `None`, as at first, does not.
            ///
            /// # Errors
            /// `InvalidInput` for a timeout of zero.
            pub fn $set(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.pipe.$set(timeout)
            }

            /// The bound of each call.
            pub fn $get(&self) -> Option<Duration> {
                self.pipe.$get()
            }

            /// Closes the pipe now, also for greenthreads that use it at this moment: they get an error.
            pub fn close(&self) {
                self.pipe.close();
            }
        }

        /// For another child process, which gets it in blocking mode.
        impl TryFrom<$name> for Stdio {
            type Error = io::Error;

            fn try_from(stream: $name) -> io::Result<Stdio> {
                stream.pipe.try_into()
            }
        }

        impl From<$name> for $pipe {
            fn from(stream: $name) -> $pipe {
                stream.pipe
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.pipe).finish()
            }
        }
    };
}

macro_rules! reads {
    ($($reader:ty),*) => {$(
        impl Read for $reader {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                (&self.pipe).read(buf)
            }

            fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                (&self.pipe).read_vectored(bufs)
            }
        }
    )*};
}

stream!(
    /// The pipe to the standard input of a child process.
    ChildStdin, PipeWriter, set_write_timeout, write_timeout
);
stream!(
    /// The pipe from the standard output of a child process.
    ChildStdout, PipeReader, set_read_timeout, read_timeout
);
stream!(
    /// The pipe from the standard error of a child process.
    ChildStderr, PipeReader, set_read_timeout, read_timeout
);
reads!(ChildStdout, &ChildStdout, ChildStderr, &ChildStderr);

macro_rules! writes {
    ($($writer:ty),*) => {$(
        impl Write for $writer {
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                (&self.pipe).write(buf)
            }

            fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                (&self.pipe).write_vectored(bufs)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
    )*};
}

writes!(ChildStdin, &ChildStdin);
